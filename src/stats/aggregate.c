/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregate_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stats/catalogue.h"

enum { OPEN_LIMIT = 256 };

/* What the calls of an aggregate have in common; compared as bytes, so it has no padding. */
struct sort {
    uint32_t rule;
    uint32_t trunk_in;
    uint32_t type;
    uint16_t code;
    uint8_t action;
    uint8_t reason;
    uint8_t would_have;
    uint8_t has_rule;
    uint8_t zero[2];
};
_Static_assert(sizeof(struct sort) == 20, "no padding that a comparison would read");

struct gathered {
    struct sort sort;
    struct stats_event event;
    struct stats_aggregate aggregate;
    uint64_t opened_us;
};

/* Single events of one rule, or of one authority when no rule fired, in a second. */
struct window {
    uint64_t second;
    uint32_t count;
};

struct stats_aggregator {
    uint32_t rate;
    stats_aggregate_fn *over;
    void *argument;
    struct window *windows; /* by label of the rule, and behind those by label of the reason */
    size_t open_count;
    struct gathered open[OPEN_LIMIT];
};

int stats_aggregator_create(uint32_t rate, stats_aggregate_fn *over, void *argument,
                            struct stats_aggregator **aggregator)
{
    size_t rules = stats_family_row(STATS_FAMILY_RULES)->capacity;
    size_t reasons = stats_family_row(STATS_FAMILY_REASONS)->capacity;
    struct stats_aggregator *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->rate = rate;
    made->over = over;
    made->argument = argument;
    made->windows = calloc(rules + reasons, sizeof(*made->windows));
    if (made->windows == NULL) {
        free(made);
        return -ENOMEM;
    }
    *aggregator = made;
    return 0;
}

/* The rule that an event is put down to: enforced, and of those the one with most points. */
static const struct stats_event_rule *leading_rule(const struct stats_event *event)
{
    const struct stats_event_rule *leading = NULL;
    for (size_t i = 0; i < event->rule_count && i < STATS_EVENT_RULES; i++) {
        const struct stats_event_rule *rule = &event->rules[i];
        if (leading == NULL || (leading->shadow && !rule->shadow) ||
            (leading->shadow == rule->shadow && rule->points > leading->points))
            leading = rule;
    }
    return leading;
}

static struct sort sort_of(const struct stats_event *event, const struct stats_event_rule *rule)
{
    return (struct sort){
        .rule = rule != NULL ? rule->label : 0,
        .trunk_in = event->trunk_in,
        .type = event->type,
        .code = event->code,
        .action = event->action,
        .reason = event->reason,
        .would_have = event->would_have,
        .has_rule = rule != NULL,
    };
}

static void tell(struct stats_aggregator *aggregator, size_t index)
{
    struct gathered *gathered = &aggregator->open[index];
    aggregator->over(aggregator->argument, &gathered->event, &gathered->aggregate);
    aggregator->open_count--;
    if (index != aggregator->open_count)
        *gathered = aggregator->open[aggregator->open_count];
}

static struct gathered *find_open(struct stats_aggregator *aggregator, const struct sort *sort)
{
    for (size_t i = 0; i < aggregator->open_count; i++)
        if (memcmp(&aggregator->open[i].sort, sort, sizeof(*sort)) == 0)
            return &aggregator->open[i];
    return NULL;
}

static void gather(struct stats_aggregator *aggregator, const struct stats_event *event,
                   const struct stats_event_rule *rule, uint64_t now_us)
{
    struct sort sort = sort_of(event, rule);
    struct gathered *gathered = find_open(aggregator, &sort);
    if (gathered == NULL) {
        if (aggregator->open_count == OPEN_LIMIT)
            stats_aggregator_flush(aggregator, now_us, true);
        gathered = &aggregator->open[aggregator->open_count++];
        *gathered = (struct gathered){
            .sort = sort,
            .event = *event,
            .aggregate = {.from_us = event->wall_us},
            .opened_us = now_us,
        };
        gathered->event.kind = STATS_EVENT_AGGREGATE;
        gathered->event.rule_count = rule != NULL ? 1 : 0;
        if (rule != NULL)
            gathered->event.rules[0] = *rule;
    }
    gathered->aggregate.count++;
    if (event->wall_us > gathered->aggregate.until_us)
        gathered->aggregate.until_us = event->wall_us;
    if (event->wall_us < gathered->aggregate.from_us)
        gathered->aggregate.from_us = event->wall_us;
}

bool stats_aggregator_admit(struct stats_aggregator *aggregator, const struct stats_event *event,
                            uint64_t now_us)
{
    if (aggregator->rate == 0 || event->kind != STATS_EVENT_VERDICT)
        return true;
    const struct stats_event_rule *rule = leading_rule(event);
    size_t rules = stats_family_row(STATS_FAMILY_RULES)->capacity;
    struct window *window =
        &aggregator->windows[rule != NULL ? rule->label : rules + event->reason];
    uint64_t second = now_us / STATS_AGGREGATE_US;
    if (window->second != second)
        *window = (struct window){second, 0};
    if (window->count < aggregator->rate) {
        window->count++;
        return true;
    }
    gather(aggregator, event, rule, now_us);
    return false;
}

void stats_aggregator_flush(struct stats_aggregator *aggregator, uint64_t now_us, bool all)
{
    for (size_t i = aggregator->open_count; i > 0; i--)
        if (all || now_us - aggregator->open[i - 1].opened_us >= STATS_AGGREGATE_US)
            tell(aggregator, i - 1);
}

bool stats_aggregator_is_busy(const struct stats_aggregator *aggregator)
{
    return aggregator->open_count > 0;
}

void stats_aggregator_destroy(struct stats_aggregator *aggregator)
{
    if (aggregator == NULL)
        return;
    free(aggregator->windows);
    free(aggregator);
}
