/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/filter.h"

#include <string.h>

const char *stats_filter_key(enum stats_filter_list list)
{
    static const char *const keys[] = {
#define FILTER_KEY(identifier, key, names) (key),
        STATS_FILTER_TABLE(FILTER_KEY)
#undef FILTER_KEY
    };
    return keys[list];
}

void stats_event_tags_of(const struct stats_event *event, struct stats_event_tags *tags)
{
    *tags = (struct stats_event_tags){
        .kind = event->kind,
        .action = event->action,
        .reason = event->reason,
        .score = event->score,
        .trunk_in = event->trunk_in,
        .trunk_out = event->trunk_out,
        .type = event->type,
    };
    while (tags->rule_count < event->rule_count && tags->rule_count < STATS_EVENT_RULES) {
        tags->rules[tags->rule_count] = event->rules[tags->rule_count].label;
        tags->rule_count++;
    }
}

int stats_filter_add(struct stats_filter *filter, enum stats_filter_list list, struct slice name)
{
    uint8_t *count = &filter->lists[list].count;
    if (*count == STATS_FILTER_NAMES || name.length >= STATS_FILTER_NAME_BYTES)
        return ERROR_LIMIT;
    stats_event_text(filter->lists[list].names[*count], STATS_FILTER_NAME_BYTES, name);
    ++*count;
    return 0;
}

bool stats_filter_is_empty(const struct stats_filter *filter)
{
    for (unsigned i = 0; i < STATS_FILTER_COUNT; i++)
        if (filter->lists[i].count > 0)
            return false;
    return filter->score == 0;
}

static bool names_text(const struct stats_filter *filter, enum stats_filter_list list,
                       struct slice text)
{
    for (uint8_t i = 0; i < filter->lists[list].count; i++)
        if (slice_equal(slice_of_text(filter->lists[list].names[i]), text))
            return true;
    return false;
}

struct matching {
    const struct stats_filter *filter;
    const struct stats_registry *registry;
};

/* A list without names asks for nothing. */
static bool wants(const struct matching *matching, enum stats_filter_list list,
                  enum stats_family family, uint32_t label)
{
    return matching->filter->lists[list].count == 0 ||
           names_text(matching->filter, list, stats_label_name(matching->registry, family, label));
}

static bool wants_rules(const struct matching *matching, const struct stats_event_tags *tags)
{
    if (matching->filter->lists[STATS_FILTER_RULE].count == 0)
        return true;
    for (uint8_t i = 0; i < tags->rule_count; i++)
        if (wants(matching, STATS_FILTER_RULE, STATS_FAMILY_RULES, tags->rules[i]))
            return true;
    return false;
}

bool stats_filter_matches(const struct stats_filter *filter, const struct stats_registry *registry,
                          const struct stats_event_tags *tags)
{
    const struct matching matching = {filter, registry};
    struct slice kind = slice_of_text(stats_event_kind_name((enum stats_event_kind)tags->kind));
    return tags->score >= filter->score &&
           (filter->lists[STATS_FILTER_EVENT].count == 0 ||
            names_text(filter, STATS_FILTER_EVENT, kind)) &&
           wants(&matching, STATS_FILTER_ACTION, STATS_FAMILY_VERDICTS, tags->action) &&
           wants(&matching, STATS_FILTER_REASON, STATS_FAMILY_REASONS, tags->reason) &&
           wants(&matching, STATS_FILTER_TYPE, STATS_FAMILY_TYPES, tags->type) &&
           (wants(&matching, STATS_FILTER_TRUNK, STATS_FAMILY_TRUNK_CALLS_IN, tags->trunk_in) ||
            wants(&matching, STATS_FILTER_TRUNK, STATS_FAMILY_TRUNK_CALLS_OUT, tags->trunk_out)) &&
           wants_rules(&matching, tags);
}
