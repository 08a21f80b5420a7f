/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "spool_int.h"

#define READ_BYTES       ((size_t)256 << 10)
#define POSITION_WAIT_US UINT64_C(1000000)

_Static_assert(READ_BYTES >= 2 * SPOOL_RECORD_MAXIMUM, "a read has room for any record");

/* ---- position ------------------------------------------------------------------------------ */

static void position_path(const struct stats_spool_reader *reader, char *path, size_t capacity)
{
    snprintf(path, capacity, "%s/%s.position", reader->spool->folder, reader->name);
}

/* A file that is missing, or says nothing sound, means a reader that has read nothing: then it
 * begins with what comes next, for a new one, or with the oldest that there is, for a broken one.
 */
static uint64_t load_position(const struct stats_spool_reader *reader, bool *is_new)
{
    char path[4096], *text = NULL;
    size_t length = 0;
    uint64_t position = 0;
    if (reader->spool->folder == NULL)
        return reader->spool->next - 1;
    position_path(reader, path, sizeof(path));
    int error = file_read(path, 64, &text, &length);
    if (error == -ENOENT) {
        *is_new = true;
        return reader->spool->next - 1;
    }
    if (error != 0 || sscanf(text, "%" SCNu64, &position) != 1)
        log_warning("events", "%s says nothing: everything in the spool is delivered again", path);
    free(text);
    return position < reader->spool->next ? position : reader->spool->next - 1;
}

static void save_position(struct stats_spool_reader *reader, uint64_t now_us)
{
    char path[4096], memory[32];
    struct buffer text = buffer_over(memory, sizeof(memory));
    if (reader->saved == reader->acknowledged || reader->spool->folder_descriptor < 0)
        return;
    position_path(reader, path, sizeof(path));
    buffer_append_uint(&text, reader->acknowledged);
    buffer_append_char(&text, '\n');
    /* A failure is the disk's, of which the writer tells; the old position repeats events. */
    if (file_write_atomic(path, buffer_slice(&text), 0640) == 0)
        reader->saved = reader->acknowledged;
    reader->saved_us = now_us;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Under the lock. */
static void skip_to(struct stats_spool_reader *reader, uint64_t seq)
{
    if (seq > reader->next) {
        reader->lost += seq - reader->next;
        reader->next = seq;
    }
}

/* Takes whole records out of the bytes; returns how many bytes were used up. */
static size_t take_records(struct stats_spool_reader *reader, struct slice bytes,
                           struct stats_spool_record *records, size_t count, size_t *taken)
{
    size_t at = 0;
    while (*taken < count && at < bytes.length) {
        struct stats_spool_record record;
        size_t size = 0;
        struct slice rest = slice_from(bytes, at);
        int error = stats_spool_record_parse(rest, &record, &size);
        if (error == ERROR_INCOMPLETE)
            break;
        if (error != 0) {
            at += stats_spool_record_search(rest);
            continue;
        }
        at += size;
        if (record.seq < reader->next)
            continue;
        skip_to(reader, record.seq);
        reader->next = record.seq + 1;
        records[(*taken)++] = record;
    }
    return at;
}

/* Under the lock. */
static size_t read_tail(struct stats_spool_reader *reader, struct stats_spool_record *records,
                        size_t count)
{
    const struct stats_spool *spool = reader->spool;
    size_t taken = 0;
    size_t begin = 0;
    skip_to(reader, spool->tail_first);
    /* Up to the first that is wanted; a tail is long only while the disk refuses. */
    while (begin < spool->tail_length) {
        struct stats_spool_record record;
        size_t size = 0;
        if (stats_spool_record_parse(slice_make(spool->tail + begin, spool->tail_length - begin),
                                     &record, &size) != 0 ||
            record.seq >= reader->next)
            break;
        begin += size;
    }
    size_t length = spool->tail_length - begin;
    if (length > READ_BYTES)
        length = READ_BYTES;
    memcpy(reader->memory, spool->tail + begin, length);
    take_records(reader, slice_make(reader->memory, length), records, count, &taken);
    return taken;
}

/* Under the lock: the segment that holds the next record, or the one after a hole. NULL: none. */
static const struct spool_segment *find_segment(struct stats_spool_reader *reader)
{
    const struct stats_spool *spool = reader->spool;
    const struct spool_segment *found = NULL;
    for (size_t i = 0; i < spool->segment_count; i++) {
        const struct spool_segment *segment = &spool->segments[i];
        if (found == NULL || segment->first <= reader->next)
            found = segment;
    }
    if (found != NULL)
        skip_to(reader, found->first);
    return found;
}

static bool select_segment(struct stats_spool_reader *reader, uint64_t first)
{
    char name[SPOOL_NAME];
    if (reader->descriptor >= 0 && reader->segment == first)
        return true;
    if (reader->descriptor >= 0)
        close(reader->descriptor);
    stats_spool_segment_name(first, name);
    reader->descriptor = openat(reader->spool->folder_descriptor, name, O_RDONLY | O_CLOEXEC);
    reader->segment = first;
    reader->offset = 0;
    return reader->descriptor >= 0;
}

/* Reads on in a segment of `size` bytes; false when it has no more. */
static bool read_segment(struct stats_spool_reader *reader, uint64_t size,
                         struct stats_spool_record *records, size_t count, size_t *taken)
{
    if (reader->offset >= size)
        return false;
    uint64_t wanted = size - reader->offset < READ_BYTES ? size - reader->offset : READ_BYTES;
    ssize_t got = pread(reader->descriptor, reader->memory, (size_t)wanted, (off_t)reader->offset);
    if (got <= 0)
        return false;
    struct slice bytes = slice_make(reader->memory, (size_t)got);
    size_t used = take_records(reader, bytes, records, count, taken);
    /* The rest of a segment that is no whole record is damaged. */
    if (used == 0 && reader->offset + (uint64_t)got >= size)
        return false;
    reader->offset += used;
    return true;
}

/* What lies behind the segment that has no more: the next one, or the tail. Under the lock. */
static void leave_segment(struct stats_spool_reader *reader, uint64_t first)
{
    const struct stats_spool *spool = reader->spool;
    uint64_t behind = spool->tail_first;
    for (size_t i = spool->segment_count; i > 0; i--)
        if (spool->segments[i - 1].first > first)
            behind = spool->segments[i - 1].first;
    skip_to(reader, behind);
}

/* One step: some records, or towards them. False when there is nothing to step to. */
static bool step(struct stats_spool_reader *reader, struct stats_spool_record *records,
                 size_t count, size_t *taken)
{
    struct stats_spool *spool = reader->spool;
    if (reader->next >= spool->next)
        return false;
    if (reader->next >= spool->tail_first) {
        *taken = read_tail(reader, records, count);
        return *taken > 0;
    }
    const struct spool_segment *segment = find_segment(reader);
    if (segment == NULL) {
        skip_to(reader, spool->tail_first);
        return true;
    }
    /* The file is read with the lock held: at most READ_BYTES from the page cache as a rule, and
     * who waits for the lock is the collector, whose queues hold seconds of events. */
    uint64_t first = segment->first;
    if (!select_segment(reader, first) ||
        !read_segment(reader, segment->size, records, count, taken))
        leave_segment(reader, first);
    return true;
}

static void await(struct stats_spool_reader *reader, uint64_t wait_us)
{
    struct stats_spool *spool = reader->spool;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t nanoseconds = (uint64_t)until.tv_nsec + wait_us * 1000;
    until.tv_sec += (time_t)(nanoseconds / 1000000000);
    until.tv_nsec = (long)(nanoseconds % 1000000000);
    int error = 0;
    while (reader->next >= spool->next && !spool->interrupted && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&spool->woken, &spool->lock, &until);
}

size_t stats_spool_read(struct stats_spool_reader *reader, struct stats_spool_record *records,
                        size_t count, uint64_t wait_us)
{
    size_t taken = 0;
    pthread_mutex_lock(&reader->spool->lock);
    if (reader->next >= reader->spool->next && wait_us > 0)
        await(reader, wait_us);
    while (taken == 0 && step(reader, records, count, &taken))
        continue;
    pthread_mutex_unlock(&reader->spool->lock);
    return taken;
}

void stats_spool_acknowledge(struct stats_spool_reader *reader, uint64_t seq)
{
    pthread_mutex_lock(&reader->spool->lock);
    assert(seq < reader->next && seq >= reader->acknowledged);
    reader->acknowledged = seq;
    pthread_mutex_unlock(&reader->spool->lock);
    uint64_t now_us = clock_monotonic_us();
    if (now_us - reader->saved_us >= POSITION_WAIT_US)
        save_position(reader, now_us);
}

uint64_t stats_spool_lost(const struct stats_spool_reader *reader)
{
    pthread_mutex_lock(&reader->spool->lock);
    uint64_t lost = reader->lost;
    pthread_mutex_unlock(&reader->spool->lock);
    return lost;
}

uint64_t stats_spool_waiting(const struct stats_spool_reader *reader)
{
    pthread_mutex_lock(&reader->spool->lock);
    uint64_t waiting = reader->spool->next - 1 - reader->acknowledged;
    pthread_mutex_unlock(&reader->spool->lock);
    return waiting;
}

/* ---- life ---------------------------------------------------------------------------------- */

int stats_spool_reader_open(struct stats_spool *spool, const char *name,
                            struct stats_spool_reader **reader)
{
    if (spool->reader_count == STATS_SPOOL_READERS)
        return ERROR_LIMIT;
    struct stats_spool_reader *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->spool = spool;
    made->descriptor = -1;
    made->name = strdup(name);
    made->memory = malloc(READ_BYTES);
    if (made->name == NULL || made->memory == NULL) {
        free(made->name);
        free(made->memory);
        free(made);
        return -ENOMEM;
    }
    bool is_new = false;
    made->acknowledged = made->saved = load_position(made, &is_new);
    made->next = made->acknowledged + 1;
    if (is_new) {
        /* So that after a crash it is not taken for new once more. */
        made->saved = UINT64_MAX;
        save_position(made, 0);
    }
    pthread_mutex_lock(&spool->lock);
    spool->readers[spool->reader_count++] = made;
    pthread_mutex_unlock(&spool->lock);
    *reader = made;
    return 0;
}

void stats_spool_reader_close(struct stats_spool_reader *reader)
{
    if (reader == NULL)
        return;
    struct stats_spool *spool = reader->spool;
    save_position(reader, 0);
    pthread_mutex_lock(&spool->lock);
    for (size_t i = 0; i < spool->reader_count; i++)
        if (spool->readers[i] == reader)
            spool->readers[i] = spool->readers[--spool->reader_count];
    pthread_mutex_unlock(&spool->lock);
    if (reader->descriptor >= 0)
        close(reader->descriptor);
    free(reader->name);
    free(reader->memory);
    free(reader);
}
