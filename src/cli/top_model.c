/* SPDX-License-Identifier: Apache-2.0 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "cli_int.h"
#include "control/json.h"
#include "top_int.h"

const struct top_panel top_panels[TOP_PANELS] = {
#define TOP_PANEL_ROW(identifier, title, f0, f1, f2, f3, h0, h1, h2, h3) \
    [TOP_##identifier] = {(title), {(f0), (f1), (f2), (f3)}, {(h0), (h1), (h2), (h3)}},
    TOP_PANEL_TABLE(TOP_PANEL_ROW)
#undef TOP_PANEL_ROW
};

static const char *const series_paths[TOP_SERIES] = {
#define TOP_SERIES_ROW(identifier, title, path, style) (path),
    TOP_SERIES_TABLE(TOP_SERIES_ROW)
#undef TOP_SERIES_ROW
};

const struct top_health top_health_rows[] = {
    {"gauges/workers", "workers", false},
    {"gauges/calls_held", "calls under way", false},
    {"gauges/transactions", "transactions", false},
    {"gauges/calls_parked", "parked", false},
    {"gauges/rules_loaded", "rules", false},
    {"gauges/reputation_numbers", "numbers", false},
    {"gauges/reputation_prefixes", "prefixes", false},
    {"gauges/draining", "draining", true},
    {"gauges/reload_failed", "configuration refused", true},
    {"gauges/reputation_unreachable", "Redis unreachable", true},
    {"gauges/reputation_not_loaded", "no reputation", true},
    {"gauges/reputation_held", "change held", true},
    {"totals/verdicts_degraded", "degraded verdicts", true},
    {"totals/calls_refused_overload", "refused, overload", true},
    {"totals/transactions_refused", "refused, table full", true},
    {"totals/calls_without_record", "without record", true},
    {"totals/ring_full", "ring full", true},
    {"totals/send_failed", "send failed", true},
    {"totals/unresolved", "unresolved", true},
    {"totals/rules_demoted", "rules demoted", true},
    {"totals/events_lost", "events lost", true},
    {"totals/unknown_source", "unknown source", true},
};
const size_t top_health_count = sizeof(top_health_rows) / sizeof(top_health_rows[0]);

_Static_assert(sizeof(top_health_rows) / sizeof(top_health_rows[0]) <= TOP_HEALTH_ROWS,
               "the model has room for each");

static struct json_object *member(struct json_object *object, const char *key)
{
    return json_object_is_type(object, json_type_object) ? json_object_object_get(object, key)
                                                         : NULL;
}

/* Missing and null are "". */
static void copy_text(struct json_object *object, const char *key, char *text, size_t capacity)
{
    const char *value = ctl_json_text(object, key);
    snprintf(text, capacity, "%s", value != NULL ? value : "");
}

/* ---- hello and counts ----------------------------------------------------------------------- */

static void take_hello(struct top_model *model, struct json_object *line)
{
    char epoch[sizeof(model->epoch)];
    copy_text(line, "epoch", epoch, sizeof(epoch));
    if (strcmp(epoch, model->epoch) != 0)
        memset(model, 0, sizeof(*model));
    memcpy(model->epoch, epoch, sizeof(epoch));
    copy_text(line, "node", model->node, sizeof(model->node));
    copy_text(line, "version", model->version, sizeof(model->version));
    copy_text(line, "started", model->started, sizeof(model->started));
}

static void take_family(struct top_table *table, struct json_object *families, const char *name,
                        size_t measure)
{
    struct json_object *family = member(families, name);
    struct json_object *totals = member(family, "totals"), *deltas = member(family, "deltas");
    if (!json_object_is_type(totals, json_type_object))
        return;
    json_object_object_foreach(totals, label, total)
    {
        struct top_measure *taken = &top_table_row(table, label)->measures[measure];
        taken->total = (uint64_t)json_object_get_int64(total);
        taken->added = (uint64_t)json_object_get_int64(member(deltas, label));
    }
}

static void take_latencies(struct top_model *model, struct json_object *latencies)
{
    model->latency_count = 0;
    if (!json_object_is_type(latencies, json_type_object))
        return;
    json_object_object_foreach(latencies, name, latency)
    {
        struct json_object *deltas = member(latency, "deltas");
        if (model->latency_count == TOP_LATENCIES)
            break;
        struct top_latency *taken = &model->latencies[model->latency_count++];
        snprintf(taken->name, sizeof(taken->name), "%s", name);
        for (char *at = taken->name; *at != '\0'; at++)
            *at = *at == '_' ? ' ' : *at;
        taken->count = (uint64_t)ctl_json_integer(deltas, "count", 0);
        taken->p50 = (uint64_t)ctl_json_integer(deltas, "p50", 0);
        taken->p99 = (uint64_t)ctl_json_integer(deltas, "p99", 0);
        taken->p999 = (uint64_t)ctl_json_integer(deltas, "p999", 0);
        taken->total = (uint64_t)ctl_json_integer(member(latency, "totals"), "count", 0);
    }
}

static void take_counts(struct top_model *model, struct json_object *line)
{
    double seconds = (double)ctl_json_integer(line, "interval_us", 0) / 1e6;
    struct json_object *families = member(line, "families");
    if (seconds <= 0)
        return;
    copy_text(line, "time", model->time, sizeof(model->time));
    model->lines++;
    for (size_t i = 0; i < TOP_SERIES; i++) {
        struct top_series *series = &model->series[i];
        series->values[series->next++ % TOP_HISTORY] =
            (double)cli_number_at(line, series_paths[i]) / seconds;
    }
    for (size_t i = 0; i < TOP_PANELS; i++) {
        for (size_t j = 0; j < TOP_MEASURES && top_panels[i].families[j] != NULL; j++)
            take_family(&model->tables[i], families, top_panels[i].families[j], j);
        top_table_settle(&model->tables[i], seconds);
    }
    take_family(&model->verdicts, families, "verdicts", 0);
    top_table_settle(&model->verdicts, seconds);
    take_latencies(model, member(line, "latency_ns"));
    for (size_t i = 0; i < top_health_count; i++)
        model->health[i] = cli_number_at(line, top_health_rows[i].path);
}

/* ---- events --------------------------------------------------------------------------------- */

void top_prefix_of(const char *number, char prefix[TOP_NAME])
{
    enum { BLOCK_DIGITS = 4 };
    size_t length = strlen(number);
    snprintf(prefix, TOP_NAME, "%.*s",
             (int)(length > 2 * BLOCK_DIGITS ? length - BLOCK_DIGITS : length), number);
}

static void copy_party(struct json_object *line, const char *key, char *text, size_t capacity)
{
    struct json_object *party = member(line, key);
    copy_text(party, "number", text, capacity);
    if (text[0] == '\0')
        copy_text(party, "raw", text, capacity);
}

static void copy_rules(struct json_object *rules, char *text, size_t capacity)
{
    size_t length = 0;
    text[0] = '\0';
    if (!json_object_is_type(rules, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(rules); i++) {
        const char *id = ctl_json_text(json_object_array_get_idx(rules, i), "id");
        if (id == NULL || length + strlen(id) + 2 > capacity)
            continue;
        length +=
            (size_t)snprintf(text + length, capacity - length, "%s%s", length > 0 ? " " : "", id);
    }
}

static void count_event(struct top_table *table, const char *name)
{
    if (name[0] == '\0')
        return;
    struct top_measure *measure = &top_table_row(table, name)->measures[0];
    measure->total++;
    measure->added++;
}

static void take_event(struct top_model *model, struct json_object *line)
{
    struct top_event *event = &model->events[model->event_next++ % TOP_EVENTS];
    char time[40], prefix[TOP_NAME];
    *event = (struct top_event){0};
    copy_text(line, "time", time, sizeof(time));
    snprintf(event->time, sizeof(event->time), "%.8s", strlen(time) >= 19 ? time + 11 : "");
    copy_text(line, "action", event->action, sizeof(event->action));
    copy_text(line, "type", event->type, sizeof(event->type));
    copy_party(line, "caller", event->caller, sizeof(event->caller));
    copy_party(line, "callee", event->callee, sizeof(event->callee));
    copy_text(line, "trunk_in", event->trunk, sizeof(event->trunk));
    copy_text(member(line, "caller"), "country", event->countries[0], sizeof(event->countries[0]));
    copy_text(member(line, "callee"), "country", event->countries[1], sizeof(event->countries[1]));
    copy_rules(member(line, "rules"), event->rules, sizeof(event->rules));
    event->score = ctl_json_integer(line, "score", 0);
    event->code = ctl_json_integer(line, "code", 0);
    event->would_have = ctl_json_boolean(line, "would_have", false);
    count_event(&model->tables[TOP_CALLERS], event->caller);
    if (event->caller[0] != '\0') {
        top_prefix_of(event->caller, prefix);
        count_event(&model->tables[TOP_PREFIXES], prefix);
    }
}

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; length > 0 && (at = strstr(at, word)) != NULL; at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

bool top_event_is_of(const struct top_event *event, enum top_panel_id panel, const char *name)
{
    char text[TOP_NAME];
    switch (panel) {
    case TOP_CALLERS:
        return strcmp(event->caller, name) == 0;
    case TOP_PREFIXES:
        top_prefix_of(event->caller, text);
        return strcmp(text, name) == 0;
    case TOP_RULES:
        return has_word(event->rules, name);
    case TOP_TRUNKS:
        return strcmp(event->trunk, name) == 0;
    case TOP_TYPES:
        return strcmp(event->type, name) == 0;
    case TOP_COUNTRIES:
        return strcmp(event->countries[0], name) == 0 || strcmp(event->countries[1], name) == 0;
    case TOP_REFUSED:
        snprintf(text, sizeof(text), "%lld", (long long)event->code);
        return strcmp(text, name) == 0;
    case TOP_LATENCY:
    case TOP_HEALTH:
    case TOP_PANELS:
        break;
    }
    return false;
}

void top_model_take(struct top_model *model, struct json_object *line)
{
    const char *kind = ctl_json_text(line, "kind");
    if (kind == NULL)
        return;
    if (strcmp(kind, "hello") == 0)
        take_hello(model, line);
    else if (strcmp(kind, "counts") == 0)
        take_counts(model, line);
    else if (strcmp(kind, "event") == 0)
        take_event(model, line);
    else if (strcmp(kind, "gap") == 0)
        model->missed += (uint64_t)ctl_json_integer(line, "missed", 0);
}
