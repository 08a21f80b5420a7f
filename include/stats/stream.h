/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream: counts as lines of JSON (docs/stats.md holds the protocol).
 *
 * A stream renders lines and remembers the totals of its last `counts` line, from which it says
 * what was added since. Rendering reads the registry and never disturbs those who count. Each count
 * in a line is exact; the line as a whole is no snapshot of one instant.
 *
 * A line ends with LF and belongs to the stream until the next call. Failures: -ENOMEM, or
 * ERROR_LIMIT when a line would exceed STATS_STREAM_LINE_MAXIMUM. Owned by one thread.
 */
#ifndef RINGFENCE_STATS_STREAM_H
#define RINGFENCE_STATS_STREAM_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "stats/counters.h"
#include "stats/history.h"

#define STATS_SCHEMA              1
#define STATS_STREAM_LINE_MAXIMUM (16U << 20)

/* One life of the process: counts start at zero with it. */
struct stats_epoch {
    uint64_t started_us; /* wall time */
    uint64_t id;         /* random, so that two starts within a second differ */
};

/* Everything pointed to outlives the streams made from it. */
struct stats_source {
    const struct stats_registry *registry;
    struct stats_epoch epoch;
    const char *version; /* of the program */
    const char *node;    /* this box's name; may be NULL */
};

/* The random id comes from the kernel; -errno on failure. */
int stats_epoch_create(uint64_t wall_us, struct stats_epoch *epoch) MUST_CHECK;

/* "<start, seconds since 1970>-<random>" */
#define STATS_EPOCH_TEXT 48
void stats_epoch_text(const struct stats_epoch *epoch, char text[STATS_EPOCH_TEXT]);

struct stats_stream;

/* The first `counts` line says what was added since now_us (monotonic). */
int stats_stream_create(const struct stats_source *source, uint64_t now_us,
                        struct stats_stream **stream) MUST_CHECK;

/* events: of which a reader may ask for those that it missed. */
int stats_stream_hello(struct stats_stream *stream, uint64_t wall_us, uint64_t interval_us,
                       struct stats_history_span events, struct slice *line) MUST_CHECK;

/* After a failure, what was added is in the next line instead. */
int stats_stream_counts(struct stats_stream *stream, uint64_t wall_us, uint64_t now_us,
                        struct slice *line) MUST_CHECK;

/* What a slow reader did not get. */
int stats_stream_gap(struct stats_stream *stream, uint64_t wall_us, uint64_t missed_counts,
                     uint64_t missed_events, struct slice *line) MUST_CHECK;

/* NULL is allowed. */
void stats_stream_destroy(struct stats_stream *stream);

#endif
