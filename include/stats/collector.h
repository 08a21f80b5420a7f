/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collector: takes the workers' event records and makes numbered lines of them.
 *
 * Each record becomes one line, in the history and, when there is one, in the spool that sinks read
 * from. Of one rule no more than a rate of single events goes out; what exceeds it is gathered into
 * aggregates, a line each second for each sort of call. So a wave of calls makes a bounded number
 * of lines, and the sum of single events and of the aggregates' counts stays exact.
 */
#ifndef RINGFENCE_STATS_COLLECTOR_H
#define RINGFENCE_STATS_COLLECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "stats/event.h"
#include "stats/event_line.h"
#include "stats/history.h"
#include "stats/spool.h"

struct stats_collector;

/* Everything is borrowed and outlives the collector, but the array of queues, which is copied. */
struct stats_collector_options {
    const struct stats_event_format *format;
    struct stats_event_queue *const *queues; /* one for each worker; none allowed */
    size_t queue_count;
    struct stats_history *history;
    struct stats_spool *spool; /* NULL: nobody reads from one */
    struct stats_shard *shard; /* the collector's own: what it loses or gathers is counted there */
    uint32_t rate;             /* single events of one rule in a second; 0: no limit */
};

int stats_collector_create(const struct stats_collector_options *options,
                           struct stats_collector **collector) MUST_CHECK;

/* Takes what there is, some thousand records at most. Returns the microseconds until it should be
 * called again. For tests, instead of starting. */
uint64_t stats_collector_tick(struct stats_collector *collector, uint64_t now_us);

/* The service thread "sinks". */
int stats_collector_start(struct stats_collector *collector) MUST_CHECK;
/* Joins the thread; then everything that is left goes out, open aggregates too. Workers must have
 * ended. NULL, and one that never started, are allowed. */
void stats_collector_stop(struct stats_collector *collector);

/* Stops when needed. NULL is allowed. */
void stats_collector_destroy(struct stats_collector *collector);

#endif
