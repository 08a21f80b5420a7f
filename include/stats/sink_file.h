/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_file: event lines in a file that is rotated.
 *
 * A line counts as delivered when it is in the file that has the configured name: should that have
 * been moved or removed meanwhile, the lines are written again, into a new one.
 */
#ifndef RINGFENCE_STATS_SINK_FILE_H
#define RINGFENCE_STATS_SINK_FILE_H

#include <stdint.h>

#include "base/error.h"
#include "stats/sink.h"

#define STATS_SINK_NEVER UINT64_MAX

/* Borrowed: it outlives the outlet. */
struct stats_sink_file_settings {
    const char *path;
    uint64_t rotate_bytes;     /* a file that would become longer is put aside; 0: never */
    uint64_t rotate_us;        /* and so is one of another period, counted from 1970; 0: never */
    unsigned keep;             /* files put aside; older ones are removed; 0: all are kept */
    uint64_t fsync_us;         /* 0: after each batch; STATS_SINK_NEVER */
    uint64_t (*wall_us)(void); /* clock_wall_us, or a test's */
};

extern const struct stats_sink_actions stats_sink_file_actions;

/* Opens nothing yet: a path that cannot be opened is an outage like any other. */
int stats_sink_file_create(const struct stats_sink_file_settings *settings,
                           void **outlet) MUST_CHECK;

#endif
