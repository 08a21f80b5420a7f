/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink: where event lines go: a thread that reads the spool and delivers, for as long as it takes.
 *
 * What delivers is given as functions, so that a sink of another folder (Redis) needs nothing from
 * here. A delivery may block: nobody waits for it. What was not accepted is offered again, after a
 * pause that grows to five seconds, so each event is delivered at least once as long as the spool
 * holds it; what the spool had to let go is counted.
 */
#ifndef RINGFENCE_STATS_SINK_H
#define RINGFENCE_STATS_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "stats/counters.h"
#include "stats/spool.h"

/* All on the sink's own thread, but destroy, which runs when it has ended. */
struct stats_sink_actions {
    /* Delivers in order. *accepted: how many of the first are delivered for good. 0, or a negative
     * code with the reason in `problem`, which is logged once for each outage. */
    int (*deliver)(void *outlet, const struct stats_spool_record *records, size_t count,
                   size_t *accepted, struct buffer *problem);
    /* Called at least every half second. May be NULL. */
    void (*idle)(void *outlet, uint64_t now_us);
    /* After stats_sink_reopen(). May be NULL. */
    void (*reopen)(void *outlet);
    void (*destroy)(void *outlet);
};

struct stats_sink;

struct stats_sink_options {
    const char *name; /* of the position's file, and the label of its counts */
    const struct stats_sink_actions *actions;
    void *outlet; /* becomes the sink's, also on failure */
    struct stats_spool *spool;
    struct stats_registry *registry;
};

int stats_sink_create(const struct stats_sink_options *options,
                      struct stats_sink **sink) MUST_CHECK;

int stats_sink_start(struct stats_sink *sink) MUST_CHECK;

/* Any thread. */
void stats_sink_reopen(struct stats_sink *sink);

/* For `status`. Any thread. */
struct stats_sink_status {
    uint64_t delivered;
    uint64_t lost;
    uint64_t waiting;
    char problem[160]; /* of the outage under way; "" for none */
};
void stats_sink_status(struct stats_sink *sink, struct stats_sink_status *status);
const char *stats_sink_name(const struct stats_sink *sink);

/*
 * After stats_spool_interrupt(): waits until what the spool holds is delivered, or the first
 * failure since; then ends the thread. NULL is allowed.
 */
void stats_sink_destroy(struct stats_sink *sink);

#endif
