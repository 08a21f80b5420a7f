/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "spool_int.h"

/* Far more than a segment has: its size is looked at after each flush. */
#define SEGMENT_READ_LIMIT ((size_t)64 << 20)

static bool parse_name(const char *text, uint64_t *first)
{
    char again[SPOOL_NAME];
    unsigned long long number = 0;
    if (sscanf(text, "%16llx.spool", &number) != 1)
        return false;
    stats_spool_segment_name(number, again);
    *first = number;
    return strcmp(again, text) == 0;
}

/* Keeps the list sorted; what does not fit is older than all that does, and left alone. */
static void insert(struct stats_spool *spool, uint64_t first)
{
    size_t at = spool->segment_count;
    if (at == SPOOL_SEGMENTS)
        return;
    while (at > 0 && spool->segments[at - 1].first > first) {
        spool->segments[at] = spool->segments[at - 1];
        at--;
    }
    spool->segments[at] = (struct spool_segment){first, 0};
    spool->segment_count++;
}

static int find_segments(struct stats_spool *spool)
{
    DIR *folder = opendir(spool->folder);
    if (folder == NULL)
        return -errno;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        uint64_t first;
        if (parse_name(entry->d_name, &first))
            insert(spool, first);
    }
    closedir(folder);
    for (size_t i = 0; i < spool->segment_count; i++) {
        char name[SPOOL_NAME];
        struct stat status;
        stats_spool_segment_name(spool->segments[i].first, name);
        if (fstatat(spool->folder_descriptor, name, &status, 0) == 0)
            spool->segments[i].size = (uint64_t)status.st_size;
    }
    return 0;
}

/* Where the last whole record ends, and the number after it. */
static size_t find_end(struct slice bytes, uint64_t *next)
{
    size_t end = 0;
    for (size_t at = 0; at < bytes.length;) {
        struct stats_spool_record record;
        size_t size = 0;
        struct slice rest = slice_from(bytes, at);
        if (stats_spool_record_parse(rest, &record, &size) == 0) {
            at += size;
            end = at;
            *next = record.seq + 1;
        } else {
            at += stats_spool_record_search(rest);
        }
    }
    return end;
}

/* Only the last segment can be torn: those before it were complete when it was begun. */
int stats_spool_scan(struct stats_spool *spool)
{
    int error = find_segments(spool);
    if (error != 0 || spool->segment_count == 0)
        return error;
    struct spool_segment *last = &spool->segments[spool->segment_count - 1];
    char name[SPOOL_NAME], path[4096], *text = NULL;
    size_t length = 0;
    stats_spool_segment_name(last->first, name);
    snprintf(path, sizeof(path), "%s/%s", spool->folder, name);
    error = file_read(path, SEGMENT_READ_LIMIT, &text, &length);
    if (error != 0)
        return error;
    spool->next = last->first;
    size_t end = find_end(slice_make(text, length), &spool->next);
    free(text);
    if (end < length) {
        log_warning("events", "%s: a torn end of %zu bytes is cut off", path, length - end);
        if (truncate(path, (off_t)end) != 0)
            return -errno;
    }
    last->size = end;
    return 0;
}
