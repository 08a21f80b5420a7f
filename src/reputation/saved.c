/* SPDX-License-Identifier: Apache-2.0 */
/* Writing. */
#include "saved_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "saved_format_int.h"

struct rep_saved {
    int descriptor;
    int failure; /* the first error; nothing is written after it */
    uint64_t cursor, records, blocks, digest;
    size_t filled;
    char path[PATH_MAX];
    char temporary[PATH_MAX];
    char block[SAVED_BLOCK];
};

static int write_all(int descriptor, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(descriptor, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

static void flush_block(struct rep_saved *saved)
{
    if (saved->filled == 0 || saved->failure != 0)
        return;
    saved->digest = saved_digest(saved->digest, saved->blocks++, saved->block, saved->filled);
    saved->failure = write_all(saved->descriptor, saved->block, saved->filled);
    /* Starts the disk now, so that the fsync at the end has little left to wait for. */
    (void)sync_file_range(saved->descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
    saved->filled = 0;
}

static void put(struct rep_saved *saved, const void *bytes, size_t length)
{
    const char *from = bytes;
    while (length > 0) {
        size_t room = SAVED_BLOCK - saved->filled;
        size_t part = length < room ? length : room;
        memcpy(saved->block + saved->filled, from, part);
        saved->filled += part;
        from += part;
        length -= part;
        if (saved->filled == SAVED_BLOCK)
            flush_block(saved);
    }
}

static void put_names(struct rep_saved *saved, const struct rep_names *names, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        const char *text = rep_names_text(names, (uint8_t)i);
        uint8_t length = (uint8_t)strlen(text);
        put(saved, &length, 1);
        put(saved, text, length);
    }
}

int rep_saved_begin(const char *path, const struct rep_names *types,
                    const struct rep_names *sources, uint64_t wall_s, struct rep_saved **saved)
{
    struct rep_saved *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    int path_length = snprintf(created->path, sizeof(created->path), "%s", path);
    int length = snprintf(created->temporary, sizeof(created->temporary), "%.4080s.new", path);
    if (path_length < 0 || length <= path_length) {
        free(created);
        return -ENAMETOOLONG;
    }
    created->descriptor =
        open(created->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (created->descriptor < 0) {
        int code = -errno;
        free(created);
        return code;
    }
    struct saved_header header = {
        .magic = SAVED_MAGIC,
        .version = SAVED_VERSION,
        .byte_order = SAVED_BYTE_ORDER,
        .wall_s = wall_s,
        .types = (uint16_t)rep_names_count(types),
        .sources = (uint16_t)rep_names_count(sources),
    };
    put(created, &header, sizeof(header));
    put_names(created, types, header.types);
    put_names(created, sources, header.sources);
    *saved = created;
    return 0;
}

static void put_entry(void *argument, const struct rep_key *key, const struct rep_entry *entry)
{
    struct rep_saved *saved = argument;
    struct saved_record record = {
        .packed = key->packed,
        .expires_s = entry->expires_s > UINT32_MAX ? UINT32_MAX : (uint32_t)entry->expires_s,
        .score = entry->score,
        .type = entry->type,
        .source = entry->source,
        .kind_list = (uint8_t)((unsigned)key->kind << 4 | entry->list),
    };
    if (key->kind == REP_KIND_RAW)
        record.packed = key->text.length;
    put(saved, &record, sizeof(record));
    if (key->kind == REP_KIND_RAW)
        put(saved, key->text.data, key->text.length);
    saved->records++;
}

/* The rename is durable only once the folder is synced; a failure there leaves old or new. */
static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder] = '\0';
    int descriptor = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    (void)fsync(descriptor);
    close(descriptor);
}

static int finish(struct rep_saved *saved)
{
    struct saved_record end = {.kind_list = SAVED_END};
    struct saved_trailer trailer = {.records = saved->records};
    put(saved, &end, sizeof(end));
    put(saved, &trailer.records, sizeof(trailer.records));
    flush_block(saved);
    if (saved->failure != 0)
        return saved->failure;
    int code = write_all(saved->descriptor, (const char *)&saved->digest, sizeof(saved->digest));
    if (code != 0)
        return code;
    if (fsync(saved->descriptor) != 0)
        return -errno;
    if (rename(saved->temporary, saved->path) != 0)
        return -errno;
    saved->temporary[0] = '\0';
    sync_folder(saved->path);
    return 0;
}

int rep_saved_write(struct rep_saved *saved, const struct rep_replica *replica, unsigned partitions,
                    bool *more)
{
    rep_replica_each(replica, &saved->cursor, partitions, put_entry, saved);
    *more = saved->cursor != 0;
    if (saved->failure != 0)
        return saved->failure;
    return *more ? 0 : finish(saved);
}

void rep_saved_abandon(struct rep_saved *saved)
{
    if (saved == NULL)
        return;
    close(saved->descriptor);
    if (saved->temporary[0] != '\0')
        unlink(saved->temporary);
    free(saved);
}
