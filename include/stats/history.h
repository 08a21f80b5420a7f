/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history: the latest event lines of this node, kept in a bounded ring, each by its number.
 *
 * The collector appends; readers of other threads copy out what follows a number, so each goes at
 * its own pace and may come back (`resume`) as long as the ring still holds what it missed. A mutex
 * inside, which no worker ever takes.
 */
#ifndef RINGFENCE_STATS_HISTORY_H
#define RINGFENCE_STATS_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "stats/filter.h"

/* A longer line cannot be: the fields of an event are bounded. */
#define STATS_EVENT_LINE_MAXIMUM ((size_t)16 << 10)

struct stats_history;

int stats_history_create(size_t bytes, struct stats_history **history) MUST_CHECK;

/* Before the first append: the number that it will have is first; 1 unless this is called. */
void stats_history_begin(struct stats_history *history, uint64_t first);

/* The oldest lines make room. seq: one more than the line before. Nobody sees it yet. */
void stats_history_append(struct stats_history *history, uint64_t seq,
                          const struct stats_event_tags *tags, struct slice line);

/* Shows what was appended. */
void stats_history_publish(struct stats_history *history);

/* Numbers of the lines that are held; newest == oldest - 1 when there are none. */
struct stats_history_span {
    uint64_t oldest;
    uint64_t newest;
};
struct stats_history_span stats_history_span(struct stats_history *history);

/* A copy, so that nothing is held while it is sent. */
struct stats_history_entry {
    uint64_t seq;
    struct stats_event_tags tags;
    size_t length;
    char line[STATS_EVENT_LINE_MAXIMUM];
};

/* The oldest line that is held after number `after`; ERROR_NOT_FOUND when there is none. What lies
 * between `after` and entry->seq is gone. */
int stats_history_next(struct stats_history *history, uint64_t after,
                       struct stats_history_entry *entry) MUST_CHECK;

/* NULL is allowed. */
void stats_history_destroy(struct stats_history *history);

#endif
