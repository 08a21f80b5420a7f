/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter: which events a reader wants.
 *
 * Every condition that is set must hold; of a list, one name suffices. Names are compared with
 * those of the labels, so a filter may name a rule that is loaded later.
 */
#ifndef RINGFENCE_STATS_FILTER_H
#define RINGFENCE_STATS_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "stats/counters.h"
#include "stats/event.h"

/* X(identifier, key, what its names are) */
#define STATS_FILTER_TABLE(X)                                 \
    X(ACTION, "action", "actions of verdicts")                \
    X(RULE, "rule", "rules that fired")                       \
    X(TYPE, "type", "scam types")                             \
    X(TRUNK, "trunk", "trunks, by which a call came or went") \
    X(REASON, "reason", "the authority that decided")         \
    X(EVENT, "event", "kinds: verdict, alert, aggregate")

enum stats_filter_list {
#define STATS_FILTER_ROW(identifier, key, names) STATS_FILTER_##identifier,
    STATS_FILTER_TABLE(STATS_FILTER_ROW)
#undef STATS_FILTER_ROW
        STATS_FILTER_COUNT
};

const char *stats_filter_key(enum stats_filter_list list);

enum { STATS_FILTER_NAMES = 16, STATS_FILTER_NAME_BYTES = 96 };

struct stats_filter {
    struct {
        uint8_t count;
        char names[STATS_FILTER_NAMES][STATS_FILTER_NAME_BYTES];
    } lists[STATS_FILTER_COUNT];
    uint8_t score; /* at least */
};

/* What an event is looked at by, kept beside its line. */
struct stats_event_tags {
    uint8_t kind;
    uint8_t action;
    uint8_t reason;
    uint8_t score;
    uint8_t rule_count;
    uint32_t trunk_in;
    uint32_t trunk_out;
    uint32_t type;
    uint32_t rules[STATS_EVENT_RULES];
};

void stats_event_tags_of(const struct stats_event *event, struct stats_event_tags *tags);

/* ERROR_LIMIT: more names, or a longer one, than a filter holds. */
int stats_filter_add(struct stats_filter *filter, enum stats_filter_list list,
                     struct slice name) MUST_CHECK;

bool stats_filter_is_empty(const struct stats_filter *filter);

bool stats_filter_matches(const struct stats_filter *filter, const struct stats_registry *registry,
                          const struct stats_event_tags *tags);

#endif
