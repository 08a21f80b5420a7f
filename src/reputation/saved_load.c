/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, and refusing. */
#include "saved_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/slice.h"
#include "saved_format_int.h"

/* Takes pieces off the front; too short once, too short for good. */
struct cursor {
    struct slice rest;
    bool cut;
};

static bool take(struct cursor *cursor, void *to, size_t length)
{
    if (cursor->cut || cursor->rest.length < length) {
        cursor->cut = true;
        return false;
    }
    memcpy(to, cursor->rest.data, length);
    cursor->rest = slice_from(cursor->rest, length);
    return true;
}

static struct slice take_slice(struct cursor *cursor, size_t length)
{
    if (cursor->cut || cursor->rest.length < length) {
        cursor->cut = true;
        return slice_make(NULL, 0);
    }
    struct slice taken = slice_first(cursor->rest, length);
    cursor->rest = slice_from(cursor->rest, length);
    return taken;
}

static const char *check_whole(struct slice file)
{
    struct saved_header header;
    struct saved_trailer trailer;
    if (file.length < sizeof(header) + sizeof(trailer))
        return "it is too short";
    memcpy(&header, file.data, sizeof(header));
    if (memcmp(header.magic, SAVED_MAGIC, sizeof(header.magic)) != 0)
        return "it is no saved replica";
    if (header.version != SAVED_VERSION)
        return "it was written by another version";
    if (header.byte_order != SAVED_BYTE_ORDER)
        return "it was written by a machine of another byte order";

    struct slice rest = slice_first(file, file.length - sizeof(trailer.digest));
    uint64_t digest = 0, number = 0;
    while (rest.length > 0) {
        struct slice block = slice_first(rest, SAVED_BLOCK);
        digest = saved_digest(digest, number++, block.data, block.length);
        rest = slice_from(rest, block.length);
    }
    memcpy(&trailer.digest, file.data + file.length - sizeof(trailer.digest),
           sizeof(trailer.digest));
    return digest == trailer.digest ? NULL : "its checksum is wrong: it was cut or altered";
}

/* The file's ids become this process's. */
static void take_names(struct cursor *cursor, unsigned count, struct rep_names *names,
                       uint8_t map[256])
{
    memset(map, 0, 256);
    for (unsigned i = 1; i <= count; i++) {
        uint8_t length = 0;
        if (!take(cursor, &length, 1))
            return;
        struct slice text = take_slice(cursor, length);
        if (i < 256)
            map[i] = rep_names_intern(names, text);
    }
}

struct loading {
    struct cursor cursor;
    uint64_t now_wall_s;
    struct rep_replica *replica;
    uint8_t types[256], sources[256];
    uint64_t records;
};

static int load_record(struct loading *loading, const struct saved_record *record)
{
    struct rep_key key = {.kind = (enum rep_kind)(record->kind_list >> 4),
                          .packed = record->packed};
    if (key.kind >= REP_KIND_COUNT)
        return ERROR_MALFORMED;
    if (key.kind == REP_KIND_RAW) {
        key.text = take_slice(&loading->cursor, (size_t)record->packed);
        if (loading->cursor.cut)
            return ERROR_MALFORMED;
    }
    loading->records++;
    if (record->expires_s != 0 && record->expires_s <= loading->now_wall_s)
        return 0;
    struct rep_entry entry = {
        .expires_s = record->expires_s,
        .score = record->score,
        .list = record->kind_list & 0xf,
        .type = loading->types[record->type],
        .source = loading->sources[record->source],
    };
    return rep_replica_set(loading->replica, &key, &entry, NULL);
}

static int load_records(struct loading *loading)
{
    for (;;) {
        struct saved_record record;
        if (!take(&loading->cursor, &record, sizeof(record)))
            return ERROR_MALFORMED;
        if (record.kind_list == SAVED_END)
            break;
        int code = load_record(loading, &record);
        if (code != 0)
            return code;
    }
    uint64_t records;
    return take(&loading->cursor, &records, sizeof(records)) && records == loading->records
               ? 0
               : ERROR_MALFORMED;
}

static int map_file(const char *path, struct slice *file)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    int code = fstat(descriptor, &status) != 0 ? -errno : 0;
    if (code == 0 && (!S_ISREG(status.st_mode) || status.st_size == 0))
        code = ERROR_MALFORMED;
    if (code == 0) {
        void *mapping = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
                             descriptor, 0);
        if (mapping == MAP_FAILED)
            code = -errno;
        else
            *file = slice_make(mapping, (size_t)status.st_size);
    }
    close(descriptor);
    return code;
}

int rep_saved_load(const char *path, uint64_t now_wall_s, struct rep_replica *replica,
                   struct rep_names *types, struct rep_names *sources, uint64_t *written_wall_s,
                   char *message, size_t capacity)
{
    struct slice file = {0};
    int code = map_file(path, &file);
    if (code != 0) {
        snprintf(message, capacity, "saved replica %s: %s", path, error_text(code));
        return code;
    }
    const char *reason = check_whole(file);
    if (reason != NULL) {
        code = ERROR_MALFORMED;
        goto out;
    }
    struct saved_header header;
    memcpy(&header, file.data, sizeof(header));
    struct loading loading = {
        .cursor = {.rest = slice_from(file, sizeof(header))},
        .now_wall_s = now_wall_s,
        .replica = replica,
    };
    take_names(&loading.cursor, header.types, types, loading.types);
    take_names(&loading.cursor, header.sources, sources, loading.sources);
    code = load_records(&loading);
    if (code != 0)
        reason = code == ERROR_LIMIT ? "it holds more than the configured capacity"
                                     : "its records do not add up";
    *written_wall_s = header.wall_s;
out:
    if (reason != NULL)
        snprintf(message, capacity, "saved replica %s is not used: %s", path, reason);
    munmap((void *)(uintptr_t)file.data, file.length);
    return code;
}
