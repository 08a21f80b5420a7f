/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_int: the spool as its writer and its readers share it.
 *
 * The lines that the kernel does not have yet are the tail, in memory: [tail_first, next). What
 * lies before is on disk, or gone. `lock` guards everything below it; the writer alone changes the
 * tail and the segments, so it reads them without.
 */
#ifndef RINGFENCE_STATS_SPOOL_INT_H
#define RINGFENCE_STATS_SPOOL_INT_H

#include <pthread.h>
#include <sys/types.h>

#include "spool_record_int.h"
#include "stats/spool.h"

enum {
    SPOOL_SEGMENTS = 64,
    SPOOL_NAME = 32, /* "0000000000000001.spool" */
    SPOOL_TAIL = 4 << 20,
};

struct spool_segment {
    uint64_t first; /* number of its first record; its name */
    uint64_t size;  /* bytes of whole records */
};

struct stats_spool {
    char *folder;
    int folder_descriptor; /* -1: everything stays in memory */
    int descriptor;        /* of the last segment; -1: none is open */
    uint64_t bytes;
    uint64_t segment_bytes;
    bool failing; /* the last flush failed and was logged */

    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool interrupted;
    struct spool_segment segments[SPOOL_SEGMENTS]; /* oldest first */
    size_t segment_count;
    char *tail;
    size_t tail_length;
    uint64_t tail_first;
    uint64_t next;
    struct stats_spool_reader *readers[STATS_SPOOL_READERS];
    size_t reader_count;
};

struct stats_spool_reader {
    struct stats_spool *spool;
    char *name;
    uint64_t next;         /* to be read; under the lock */
    uint64_t acknowledged; /* under the lock */
    uint64_t lost;         /* under the lock */
    uint64_t saved;        /* what the position's file says */
    uint64_t saved_us;
    int descriptor; /* of the segment that is being read; -1: none */
    uint64_t segment;
    uint64_t offset; /* of the next record within it */
    char *memory;    /* what the latest read returned */
};

void stats_spool_segment_name(uint64_t first, char name[SPOOL_NAME]);

/* Finds the segments of a folder, cuts a torn end off, and sets `next`. */
int stats_spool_scan(struct stats_spool *spool) MUST_CHECK;

#endif
