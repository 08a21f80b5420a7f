/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggregate: which events are shown one by one, and what is gathered of the others.
 */
#ifndef RINGFENCE_STATS_AGGREGATE_INT_H
#define RINGFENCE_STATS_AGGREGATE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "stats/event.h"
#include "stats/event_line.h"

#define STATS_AGGREGATE_US UINT64_C(1000000)

struct stats_aggregator;

/* An aggregate is over: event has what its calls have in common. */
typedef void stats_aggregate_fn(void *argument, const struct stats_event *event,
                                const struct stats_aggregate *aggregate);

int stats_aggregator_create(uint32_t rate, stats_aggregate_fn *over, void *argument,
                            struct stats_aggregator **aggregator) MUST_CHECK;

/* True: the event is shown by itself. False: it has been gathered. */
bool stats_aggregator_admit(struct stats_aggregator *aggregator, const struct stats_event *event,
                            uint64_t now_us);

/* Tells those that have been open for STATS_AGGREGATE_US, or all. */
void stats_aggregator_flush(struct stats_aggregator *aggregator, uint64_t now_us, bool all);

/* Whether any is open. */
bool stats_aggregator_is_busy(const struct stats_aggregator *aggregator);

/* NULL is allowed. */
void stats_aggregator_destroy(struct stats_aggregator *aggregator);

#endif
