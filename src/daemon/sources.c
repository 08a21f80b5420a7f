/* SPDX-License-Identifier: Apache-2.0 */
/* reputation.sources: who may say what about numbers, and how much it counts. */
#include <errno.h>

#include "daemon/settings.h"

enum { DEFAULT_WEIGHT = 1 };

static const struct conf_row source_rows[] = {
    {.key = "name",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_source_settings, name),
     .flags = CONF_REQUIRED | CONF_NEEDS_RESTART,
     .min = 1,
     .max = REP_NAME_MAXIMUM,
     .help =
         "What it is called in the field source, and in from:NAME, where its statement stands."},
    {.key = "weight",
     .type = CONF_INTEGER,
     CONF_FIELD(struct daemon_source_settings, weight),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1",
     .min = 1,
     .max = REP_WEIGHT_MAXIMUM,
     .help = "Its block or allow beats those of sources with less; at equal weight allow beats "
             "block. What is not configured has weight 1."},
    {.key = "half_life",
     .type = CONF_DURATION,
     CONF_FIELD(struct daemon_source_settings, half_life_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "0s",
     .max = CONF_DAYS(3660),
     .help = "After this time since a statement's `since` its score is half, and so on; 0 for a "
             "score that stays. Lists do not fade."},
    {.key = "may",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct daemon_source_settings, may),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "block, allow, watch, score",
     .min = 1,
     .max = 16,
     .help = "What it may say: block, allow, watch, score. A block of a source that may not block "
             "acts as watch; anything else that it may not say does not count."},
};

static int check_source(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct daemon_source_settings *source = object;
    struct conf_quote quote;
    unsigned may = 0;
    const struct slice wrong = {";= \t", 4};
    for (size_t i = 0; i < source->may.count; i++) {
        if (rep_may_parse(source->may.items[i], &may) == 0)
            continue;
        conf_load_error(load, node != NULL ? conf_node_get(node, "may") : NULL,
                        "a source cannot be allowed to %s",
                        conf_quote(&quote, source->may.items[i]));
        conf_report_expect(load->report, "block, allow, watch, score");
        return ERROR_CONFIG;
    }
    for (size_t i = 0; i < wrong.length; i++) {
        if (slice_find(source->name, wrong.data[i]) == source->name.length)
            continue;
        conf_load_error(load, node != NULL ? conf_node_get(node, "name") : NULL,
                        "%s is no name of a source", conf_quote(&quote, source->name));
        conf_report_expect(load->report, "a name without blanks, = and ;: police-feed");
        return ERROR_CONFIG;
    }
    return 0;
}

const struct conf_section daemon_source_section = {
    .name = "reputation source",
    .identity = "name",
    .help = "A source of statements about numbers, and how much it counts.",
    CONF_ROWS(source_rows),
    CONF_OBJECT(struct daemon_source_settings),
    .check = check_source,
};

int daemon_sources_convert(const struct conf_object_list *from, struct arena *arena,
                           struct rep_source_rows *to)
{
    const struct daemon_source_settings *sources = from->items;
    *to = (struct rep_source_rows){0};
    if (from->count == 0)
        return 0;
    struct rep_source_row *rows = arena_alloc(arena, from->count * sizeof(rows[0]));
    if (rows == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < from->count; i++) {
        rows[i] = (struct rep_source_row){
            .name = sources[i].name,
            .weight = sources[i].weight > 0 ? sources[i].weight : DEFAULT_WEIGHT,
            .half_life_s = sources[i].half_life_us / 1000000,
        };
        for (size_t j = 0; j < sources[i].may.count; j++)
            if (rep_may_parse(sources[i].may.items[j], &rows[i].may) != 0)
                return -EBADMSG; /* check_source() has refused it */
    }
    *to = (struct rep_source_rows){rows, from->count};
    return 0;
}
