/* SPDX-License-Identifier: Apache-2.0 */
/* Writing. */
#include "saved_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replica_int.h"
#include "saved_format_int.h"
#include "table_image_int.h"

struct bytes {
    char *start;
    size_t length, capacity;
    bool failed;
};

struct rep_saving {
    const struct rep_replica *replica;
    const struct rep_names *types, *sources;
    atomic_bool cancelled;
    int descriptor;
    struct saved_header header;
    struct bytes tail, raw, said;
    char path[PATH_MAX];
    char temporary[PATH_MAX];
};

static void append(struct bytes *bytes, const void *from, size_t length)
{
    if (length == 0)
        return;
    if (bytes->length + length > bytes->capacity) {
        size_t capacity = bytes->capacity > 0 ? bytes->capacity * 2 : 16 << 10;
        while (capacity < bytes->length + length)
            capacity *= 2;
        char *grown = realloc(bytes->start, capacity);
        if (grown == NULL) {
            bytes->failed = true;
            return;
        }
        bytes->start = grown;
        bytes->capacity = capacity;
    }
    memcpy(bytes->start + bytes->length, from, length);
    bytes->length += length;
}

static void append_raw(void *argument, const struct rep_key *key, const struct rep_entry *entry)
{
    struct rep_saving *saving = argument;
    struct saved_raw raw = {
        .expires_s = entry->expires_s > UINT32_MAX ? UINT32_MAX : (uint32_t)entry->expires_s,
        .score = entry->score,
        .list = entry->list,
        .type = entry->type,
        .source = entry->source,
        .length = (uint8_t)key->text.length,
    };
    append(&saving->raw, &raw, sizeof(raw));
    append(&saving->raw, key->text.data, key->text.length);
    saving->header.raw_texts++;
}

static void append_said(void *argument, const struct rep_key *key,
                        const struct rep_statements *said)
{
    struct rep_saving *saving = argument;
    struct saved_said head = {
        .packed = key->packed,
        .expires_s = said->expires_s,
        .kind = (uint8_t)key->kind,
        .count = (uint8_t)said->count,
        .length = (uint8_t)key->text.length,
    };
    append(&saving->said, &head, sizeof(head));
    append(&saving->said, said->item, said->count * sizeof(said->item[0]));
    append(&saving->said, key->text.data, key->text.length);
    saving->header.said++;
}

int rep_saving_create(const char *path, const struct rep_replica *replica,
                      const struct rep_ledger *ledger, const struct rep_names *types,
                      const struct rep_names *sources, uint64_t wall_s, struct rep_saving **saving)
{
    struct rep_saving *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->replica = replica;
    created->types = types;
    created->sources = sources;
    created->descriptor = -1;
    created->header = (struct saved_header){
        .magic = SAVED_MAGIC,
        .version = SAVED_VERSION,
        .byte_order = SAVED_BYTE_ORDER,
        .layout = rep_table_layout(),
        .wall_s = wall_s,
    };
    int code = 0;
    int path_length = snprintf(created->path, sizeof(created->path), "%s", path);
    int length = snprintf(created->temporary, sizeof(created->temporary), "%.4080s.new", path);
    if (path_length < 0 || length <= path_length)
        code = -ENAMETOOLONG;
    rep_replica_each_raw(replica, append_raw, created);
    rep_ledger_each(ledger, append_said, created);
    if (created->raw.failed || created->said.failed)
        code = -ENOMEM;
    if (code != 0)
        rep_saving_destroy(created);
    else
        *saving = created;
    return code;
}

void rep_saving_cancel(struct rep_saving *saving)
{
    atomic_store_explicit(&saving->cancelled, true, memory_order_relaxed);
}

void rep_saving_destroy(struct rep_saving *saving)
{
    if (saving == NULL)
        return;
    free(saving->tail.start);
    free(saving->raw.start);
    free(saving->said.start);
    free(saving);
}

/* ---- writing ------------------------------------------------------------------------------- */

static int write_all(int descriptor, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t written = write(descriptor, at, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        at += written;
        length -= (size_t)written;
    }
    return 0;
}

/* The images of a block's partitions, one after the other; their pages are noted in the tail. */
static size_t copy_block(struct rep_saving *saving, unsigned kind, uint32_t first, rep_word *words)
{
    uint32_t filled = 0;
    for (uint32_t i = first; i < first + SAVED_BLOCK; i++) {
        uint32_t entries;
        uint32_t pages = rep_table_copy(saving->replica->table[kind], i,
                                        words + (size_t)filled * REP_PAGE_WORDS, &entries);
        uint8_t count = (uint8_t)pages;
        append(&saving->tail, &count, sizeof(count));
        saving->header.table[kind].entries += entries;
        filled += pages;
    }
    saving->header.table[kind].pages += filled;
    return (size_t)filled * REP_PAGE_BYTES;
}

static int write_blocks(struct rep_saving *saving, unsigned kind, rep_word *words,
                        uint64_t *digests)
{
    uint32_t partitions = rep_table_partitions(saving->replica->table[kind]);
    for (uint32_t i = 0; i < partitions; i += SAVED_BLOCK) {
        if (atomic_load_explicit(&saving->cancelled, memory_order_relaxed))
            return -ECANCELED;
        size_t length = copy_block(saving, kind, i, words);
        uint32_t block = i / SAVED_BLOCK;
        digests[block] =
            saved_digest(SAVED_PART_BLOCK, saved_block_number(kind, block), words, length);
        int code = write_all(saving->descriptor, words, length);
        if (code != 0)
            return code;
        /* Starts the disk now, so that the fsync at the end has little left to wait for. */
        (void)sync_file_range(saving->descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
    }
    append(&saving->tail, digests, partitions / SAVED_BLOCK * sizeof(digests[0]));
    return 0;
}

static int write_table(struct rep_saving *saving, unsigned kind)
{
    const struct rep_table *table = saving->replica->table[kind];
    uint32_t partitions = rep_table_partitions(table);
    struct saved_table *header = &saving->header.table[kind];
    header->partition_bits = (uint32_t)__builtin_ctz(partitions);
    rep_table_seed(table, header->seed);
    int code = -ENOMEM;
    rep_word *words = malloc(SAVED_BLOCK * REP_IMAGE_WORDS * sizeof(rep_word));
    uint64_t *digests = calloc(partitions / SAVED_BLOCK, sizeof(digests[0]));
    if (words != NULL && digests != NULL)
        code = write_blocks(saving, kind, words, digests);
    free(words);
    free(digests);
    return code;
}

/* Names are only ever added: taken after the entries, they cover the ids of all of them. */
static uint16_t append_names(struct bytes *bytes, const struct rep_names *names)
{
    unsigned count = rep_names_count(names);
    for (unsigned i = 1; i <= count; i++) {
        const char *text = rep_names_text(names, (uint8_t)i);
        uint8_t length = (uint8_t)strlen(text);
        append(bytes, &length, sizeof(length));
        append(bytes, text, length);
    }
    return (uint16_t)count;
}

static int write_rest(struct rep_saving *saving)
{
    struct saved_header *header = &saving->header;
    struct bytes *tail = &saving->tail;
    header->types = append_names(tail, saving->types);
    header->sources = append_names(tail, saving->sources);
    append(tail, saving->raw.start, saving->raw.length);
    append(tail, saving->said.start, saving->said.length);
    if (tail->failed)
        return -ENOMEM;
    header->tail_bytes = tail->length;
    header->tail_digest = saved_digest(SAVED_PART_TAIL, 0, tail->start, tail->length);
    header->digest =
        saved_digest(SAVED_PART_HEADER, 0, header, offsetof(struct saved_header, digest));
    int code = write_all(saving->descriptor, tail->start, tail->length);
    if (code == 0 && pwrite(saving->descriptor, header, sizeof(*header), 0) != sizeof(*header))
        code = errno != 0 ? -errno : -EIO;
    return code;
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

static int write_file(struct rep_saving *saving)
{
    /* Keeps the place; a file that has no more than this header is refused. */
    int code = write_all(saving->descriptor, &saving->header, sizeof(saving->header));
    for (unsigned i = 0; code == 0 && i < SAVED_TABLES; i++)
        code = write_table(saving, i);
    if (code == 0)
        code = write_rest(saving);
    if (code == 0 && fsync(saving->descriptor) != 0)
        code = -errno;
    return code;
}

int rep_saving_run(struct rep_saving *saving)
{
    saving->descriptor =
        open(saving->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (saving->descriptor < 0)
        return -errno;
    int code = write_file(saving);
    if (close(saving->descriptor) != 0 && code == 0)
        code = -errno;
    saving->descriptor = -1;
    if (code == 0 && rename(saving->temporary, saving->path) != 0)
        code = -errno;
    if (code != 0)
        unlink(saving->temporary);
    else
        sync_folder(saving->path);
    return code;
}
