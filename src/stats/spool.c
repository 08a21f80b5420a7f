/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "spool_int.h"

enum { SEGMENTS_PER_SPOOL = 16 };
#define SEGMENT_LEAST ((uint64_t)64 << 10)
#define SEGMENT_MOST  ((uint64_t)16 << 20)

uint64_t stats_spool_next(const struct stats_spool *spool)
{
    return spool->next;
}

void stats_spool_segment_name(uint64_t first, char name[SPOOL_NAME])
{
    snprintf(name, SPOOL_NAME, "%016llx.spool", (unsigned long long)first);
}

/* ---- segments ------------------------------------------------------------------------------ */

static uint64_t bytes_on_disk(const struct stats_spool *spool)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < spool->segment_count; i++)
        bytes += spool->segments[i].size;
    return bytes;
}

/* Under the lock. Who reads the file has it open and reads on. */
static void remove_oldest(struct stats_spool *spool)
{
    char name[SPOOL_NAME];
    stats_spool_segment_name(spool->segments[0].first, name);
    if (unlinkat(spool->folder_descriptor, name, 0) != 0 && errno != ENOENT)
        log_warning("events", "cannot remove %s/%s: %s", spool->folder, name, error_text(-errno));
    spool->segment_count--;
    memmove(&spool->segments[0], &spool->segments[1],
            spool->segment_count * sizeof(spool->segments[0]));
}

/* The last record that every reader is done with. */
static uint64_t acknowledged_by_all(const struct stats_spool *spool)
{
    uint64_t least = spool->next - 1;
    for (size_t i = 0; i < spool->reader_count; i++)
        if (spool->readers[i]->acknowledged < least)
            least = spool->readers[i]->acknowledged;
    return least;
}

/* Under the lock: what nobody needs goes, and then what is beyond the bound. */
static void trim(struct stats_spool *spool)
{
    uint64_t done = acknowledged_by_all(spool);
    while (spool->segment_count > 1 && spool->segments[1].first <= done + 1)
        remove_oldest(spool);
    while (spool->segment_count > 1 &&
           (bytes_on_disk(spool) > spool->bytes || spool->segment_count == SPOOL_SEGMENTS))
        remove_oldest(spool);
}

static int open_segment(struct stats_spool *spool, int flags)
{
    char name[SPOOL_NAME];
    stats_spool_segment_name(spool->segments[spool->segment_count - 1].first, name);
    spool->descriptor =
        openat(spool->folder_descriptor, name, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0640);
    return spool->descriptor >= 0 ? 0 : -errno;
}

static int begin_segment(struct stats_spool *spool)
{
    if (spool->descriptor >= 0)
        close(spool->descriptor);
    spool->descriptor = -1;
    pthread_mutex_lock(&spool->lock);
    trim(spool);
    spool->segments[spool->segment_count++] = (struct spool_segment){spool->tail_first, 0};
    pthread_mutex_unlock(&spool->lock);
    int error = open_segment(spool, O_CREAT | O_TRUNC);
    if (error != 0) {
        pthread_mutex_lock(&spool->lock);
        spool->segment_count--;
        pthread_mutex_unlock(&spool->lock);
    }
    return error;
}

/* ---- folder -------------------------------------------------------------------------------- */

static int open_folder(struct stats_spool *spool)
{
    if (mkdir(spool->folder, 0750) != 0 && errno != EEXIST)
        return -errno;
    int descriptor = open(spool->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        int error = -errno;
        close(descriptor);
        return error;
    }
    spool->folder_descriptor = descriptor;
    return 0;
}

/* The folder, or the file that is being written, was removed under our feet: a new one is made, and
 * what the old one held is gone. */
static int begin_again(struct stats_spool *spool)
{
    log_warning("events", "%s was removed; what had not been delivered of it is lost",
                spool->folder);
    close(spool->descriptor);
    spool->descriptor = -1;
    pthread_mutex_lock(&spool->lock);
    spool->segment_count = 0;
    pthread_mutex_unlock(&spool->lock);
    close(spool->folder_descriptor);
    spool->folder_descriptor = -1;
    return open_folder(spool);
}

static bool is_removed(int descriptor)
{
    struct stat status;
    return fstat(descriptor, &status) == 0 && status.st_nlink == 0;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Under the lock: the oldest records of the tail go, so many that `bytes` are gone or all up to
 * `done`. Readers see by the numbers what they lost. */
static void drop_from_tail(struct stats_spool *spool, size_t bytes, uint64_t done)
{
    size_t gone = 0;
    while (gone < bytes && spool->tail_first <= done) {
        struct stats_spool_record record;
        size_t size = 0;
        int error = stats_spool_record_parse(
            slice_make(spool->tail + gone, spool->tail_length - gone), &record, &size);
        assert(error == 0);
        (void)error;
        gone += size;
        spool->tail_first = record.seq + 1;
    }
    spool->tail_length -= gone;
    memmove(spool->tail, spool->tail + gone, spool->tail_length);
}

void stats_spool_append(struct stats_spool *spool, uint64_t seq, struct slice line)
{
    assert(seq == spool->next && line.length <= STATS_EVENT_LINE_MAXIMUM);
    pthread_mutex_lock(&spool->lock);
    if (SPOOL_TAIL - spool->tail_length < SPOOL_RECORD_HEADER + line.length)
        drop_from_tail(spool, spool->tail_length / 2, UINT64_MAX);
    struct buffer out =
        buffer_over(spool->tail + spool->tail_length, SPOOL_TAIL - spool->tail_length);
    stats_spool_record_append(&out, seq, line);
    assert(!out.overflow);
    spool->tail_length += out.length;
    spool->next = seq + 1;
    pthread_mutex_unlock(&spool->lock);
}

/* All of the tail, or nothing of it: a part that was written is cut off again. */
static int write_tail(struct stats_spool *spool)
{
    struct spool_segment *last = &spool->segments[spool->segment_count - 1];
    size_t done = 0;
    while (done < spool->tail_length) {
        ssize_t put = write(spool->descriptor, spool->tail + done, spool->tail_length - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            int error = put < 0 ? -errno : -EIO;
            /* Should this fail too, the torn record is passed over by its checksum. */
            if (done > 0 && ftruncate(spool->descriptor, (off_t)last->size) != 0)
                log_warning("events", "%s: a torn record is left: %s", spool->folder,
                            error_text(-errno));
            return error;
        }
        done += (size_t)put;
    }
    return 0;
}

static int flush_tail(struct stats_spool *spool)
{
    int error = 0;
    if (spool->descriptor >= 0 && is_removed(spool->descriptor))
        error = begin_again(spool);
    else if (spool->folder_descriptor < 0)
        error = open_folder(spool);
    if (error == 0 && (spool->descriptor < 0 ||
                       spool->segments[spool->segment_count - 1].size >= spool->segment_bytes))
        error = begin_segment(spool);
    return error == 0 ? write_tail(spool) : error;
}

static void log_failure(struct stats_spool *spool, int error)
{
    if (spool->folder == NULL)
        return;
    if (error != 0 && !spool->failing)
        log_error("events",
                  "cannot write to %s: %s; the latest events are kept in memory and tried again",
                  spool->folder, error_text(error));
    if (error == 0 && spool->failing)
        log_notice("events", "%s is written to again", spool->folder);
    spool->failing = error != 0;
}

void stats_spool_flush(struct stats_spool *spool)
{
    if (spool->tail_length == 0)
        return;
    bool in_memory = spool->folder == NULL;
    int error = in_memory ? 0 : flush_tail(spool);
    log_failure(spool, error);
    pthread_mutex_lock(&spool->lock);
    if (in_memory) {
        drop_from_tail(spool, spool->tail_length, acknowledged_by_all(spool));
    } else if (error == 0) {
        spool->segments[spool->segment_count - 1].size += spool->tail_length;
        spool->tail_length = 0;
        spool->tail_first = spool->next;
    }
    if (!in_memory)
        trim(spool);
    pthread_cond_broadcast(&spool->woken);
    pthread_mutex_unlock(&spool->lock);
}

void stats_spool_interrupt(struct stats_spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    spool->interrupted = true;
    pthread_cond_broadcast(&spool->woken);
    pthread_mutex_unlock(&spool->lock);
}

/* ---- life ---------------------------------------------------------------------------------- */

static uint64_t segment_bytes_of(uint64_t bytes)
{
    uint64_t size = bytes / SEGMENTS_PER_SPOOL;
    return size < SEGMENT_LEAST ? SEGMENT_LEAST : size > SEGMENT_MOST ? SEGMENT_MOST : size;
}

static int create(const char *folder, uint64_t bytes, struct stats_spool **spool)
{
    pthread_condattr_t attributes;
    struct stats_spool *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&made->woken, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&made->lock, NULL);
    made->folder_descriptor = made->descriptor = -1;
    made->bytes = bytes;
    made->segment_bytes = segment_bytes_of(bytes);
    made->next = 1;
    made->folder = folder != NULL ? strdup(folder) : NULL;
    made->tail = malloc(SPOOL_TAIL);
    *spool = made;
    return (folder == NULL || made->folder != NULL) && made->tail != NULL ? 0 : -ENOMEM;
}

int stats_spool_open(const char *folder, uint64_t bytes, struct stats_spool **spool)
{
    struct stats_spool *made = NULL;
    int error = create(folder, bytes, &made);
    if (error == 0 && folder != NULL)
        error = open_folder(made);
    if (error == 0 && folder != NULL)
        error = stats_spool_scan(made);
    if (error == 0 && made->segment_count > 0)
        error = open_segment(made, 0);
    if (error != 0) {
        stats_spool_close(made);
        return error;
    }
    made->tail_first = made->next;
    *spool = made;
    return 0;
}

void stats_spool_close(struct stats_spool *spool)
{
    if (spool == NULL)
        return;
    assert(spool->reader_count == 0);
    if (spool->folder_descriptor >= 0)
        stats_spool_flush(spool);
    if (spool->descriptor >= 0)
        close(spool->descriptor);
    if (spool->folder_descriptor >= 0)
        close(spool->folder_descriptor);
    pthread_cond_destroy(&spool->woken);
    pthread_mutex_destroy(&spool->lock);
    free(spool->folder);
    free(spool->tail);
    free(spool);
}
