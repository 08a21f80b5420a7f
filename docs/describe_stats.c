/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe_stats: prints the JSON Schema of the lines of the stats socket, for `make docs`.
 *
 * Names of counters, gauges, families and histograms, kinds of events and the like come from the
 * rows; how a line is built stands here as text.
 */
#include <stdio.h>
#include <stdlib.h>

#include "stats/catalogue.h"
#include "stats/event.h"
#include "stats/stream.h"

static const char *const preamble =
    "{\n"
    "  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
    "  \"title\": \"A line of Ringfence's stats socket, or of an event sink\",\n"
    "  \"type\": \"object\",\n"
    "  \"required\": [\"kind\", \"schema\"],\n"
    "  \"properties\": {\"schema\": {\"const\": %d}},\n"
    "  \"oneOf\": [\n"
    "    {\"$ref\": \"#/definitions/hello\"}, {\"$ref\": \"#/definitions/counts\"},\n"
    "    {\"$ref\": \"#/definitions/verdict\"}, {\"$ref\": \"#/definitions/aggregate\"},\n"
    "    {\"$ref\": \"#/definitions/gap\"}, {\"$ref\": \"#/definitions/error\"}\n"
    "  ],\n"
    "  \"definitions\": {\n"
    "    \"count\": {\"type\": \"integer\", \"minimum\": 0},\n"
    "    \"counted\": {\"type\": \"object\", \"additionalProperties\": {\"type\": \"integer\", "
    "\"minimum\": 1}},\n"
    "    \"text\": {\"type\": [\"string\", \"null\"]},\n"
    "    \"time\": {\"type\": \"string\", \"pattern\": "
    "\"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$\"},\n"
    "    \"epoch\": {\"type\": \"string\", \"pattern\": \"^[0-9]+-[0-9a-f]{16}$\"},\n"
    "    \"score\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 100},\n"
    "    \"code\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 699},\n"
    "    \"party\": {\n"
    "      \"type\": \"object\", \"additionalProperties\": false,\n"
    "      \"required\": [\"raw\", \"number\", \"country\", \"region\", \"kind\"],\n"
    "      \"properties\": {\n"
    "        \"raw\": {\"$ref\": \"#/definitions/text\"},\n"
    "        \"number\": {\"type\": [\"string\", \"null\"], "
    "\"pattern\": \"^([+][0-9]+|~[0-9a-f]{32})$\"},\n"
    "        \"country\": {\"$ref\": \"#/definitions/text\"},\n"
    "        \"region\": {\"$ref\": \"#/definitions/text\"},\n"
    "        \"kind\": {\"$ref\": \"#/definitions/text\"}\n"
    "      }\n"
    "    },\n"
    "    \"quantiles\": {\n"
    "      \"type\": \"object\", \"required\": [\"count\", \"p50\", \"p99\", \"p999\"],\n"
    "      \"additionalProperties\": {\"$ref\": \"#/definitions/count\"}\n"
    "    },\n";

/* ---- kinds of lines -------------------------------------------------------------------------- */

/* A member by name, and the name of its definition. */
struct member {
    const char *name;
    const char *definition;
};

static void print_line(const char *name, const char *kind, const struct member *members,
                       size_t count, const char *more)
{
    printf("    \"%s\": {\n      \"type\": \"object\",\n      \"required\": [\"kind\"", name);
    for (size_t i = 0; i < count; i++)
        printf(", \"%s\"", members[i].name);
    printf("],\n      \"properties\": {\n        \"kind\": {\"const\": \"%s\"}", kind);
    for (size_t i = 0; i < count; i++)
        if (members[i].definition != NULL)
            printf(",\n        \"%s\": {\"$ref\": \"#/definitions/%s\"}", members[i].name,
                   members[i].definition);
    printf("%s\n      }\n    }", more);
}

#define LINE(name, kind, members, more) \
    print_line((name), (kind), (members), sizeof(members) / sizeof((members)[0]), (more))

/* An object that has a member for each row, of one definition. */
static void print_rows(const char *name, const char *(*row)(size_t index), size_t count,
                       const char *definition)
{
    printf("    \"%s\": {\"type\": \"object\", \"required\": [", name);
    for (size_t i = 0; i < count; i++)
        printf("%s\"%s\"", i == 0 ? "" : ", ", row(i));
    printf("],\n      \"additionalProperties\": {\"$ref\": \"#/definitions/%s\"}},\n", definition);
}

static const char *counter_name(size_t index)
{
    return stats_counter_row((enum stats_counter)index)->name;
}

static const char *gauge_name(size_t index)
{
    return stats_gauge_row((enum stats_gauge)index)->name;
}

static const char *histogram_name(size_t index)
{
    return stats_histogram_row((enum stats_histogram)index)->name;
}

static void print_families(void)
{
    printf("    \"families\": {\"type\": \"object\", \"additionalProperties\": false, "
           "\"required\": [");
    for (size_t i = 0; i < STATS_FAMILY_COUNT; i++)
        printf("%s\"%s\"", i == 0 ? "" : ", ", stats_family_row((enum stats_family)i)->name);
    printf("],\n      \"properties\": {");
    for (size_t i = 0; i < STATS_FAMILY_COUNT; i++) {
        const struct stats_row *row = stats_family_row((enum stats_family)i);
        printf(
            "%s\n        \"%s\": {\"description\": \"%s\", \"type\": \"object\", "
            "\"required\": [\"label\", \"totals\", \"deltas\"],\n          \"properties\": "
            "{\"label\": {\"const\": \"%s\"}, \"totals\": {\"$ref\": \"#/definitions/counted\"}, "
            "\"deltas\": {\"$ref\": \"#/definitions/counted\"}}}",
            i == 0 ? "" : ",", row->name, row->help, row->label);
    }
    printf("\n      }},\n");
}

static void print_counts(void)
{
    static const struct member counts[] = {
        {"epoch", "epoch"},       {"time", "time"},         {"line", "count"},
        {"interval_us", "count"}, {"totals", "counters"},   {"deltas", "counters"},
        {"gauges", "gauges"},     {"families", "families"}, {"latency_ns", "latency"},
    };
    print_rows("counters", counter_name, STATS_COUNTER_COUNT, "count");
    print_rows("gauges", gauge_name, STATS_GAUGE_COUNT, "count");
    print_rows("latency", histogram_name, STATS_HISTOGRAM_COUNT, "histogram");
    printf("    \"histogram\": {\"type\": \"object\", \"required\": [\"totals\", \"deltas\"],\n"
           "      \"additionalProperties\": {\"$ref\": \"#/definitions/quantiles\"}},\n");
    print_families();
    LINE("counts", "counts", counts, "");
    printf(",\n");
}

/* ---- events ---------------------------------------------------------------------------------- */

static const char *const event_kinds =
    ",\n        \"event\": {\"enum\": [\"verdict\", \"alert\"]},\n"
    "        \"missing\": {\"type\": \"array\", \"items\": {\"enum\": ["
#define MISSING_WORD(name, word) "\"" word "\", "
    STATS_MISSING_TABLE(MISSING_WORD)
#undef MISSING_WORD
        "null]}},\n"
        "        \"would_have\": {\"type\": \"boolean\"},\n"
        "        \"degraded\": {\"type\": \"boolean\"},\n"
        "        \"pseudonyms\": {\"type\": \"boolean\"},\n"
        "        \"would_get\": {\"type\": [\"object\", \"null\"], "
        "\"required\": [\"action\", \"score\", \"code\"]},\n"
        "        \"rules\": {\"type\": \"array\", \"items\": {\"type\": \"object\", "
        "\"additionalProperties\": false,\n"
        "          \"required\": [\"id\", \"points\", \"shadow\"], \"properties\": {\n"
        "          \"id\": {\"type\": \"string\"}, \"points\": {\"type\": \"integer\"}, "
        "\"shadow\": {\"type\": \"boolean\"}}}},\n"
        "        \"features\": {\"type\": \"object\", \"additionalProperties\": {\"type\": "
        "[\"string\", \"integer\", \"boolean\", \"null\"]}}";

static void print_events(void)
{
    static const struct member verdict[] = {
        {"epoch", "epoch"},   {"time", "time"},          {"seq", "count"},
        {"event", NULL},      {"node", "text"},          {"id", "text"},
        {"trunk_in", "text"}, {"action", "text"},        {"reason", "text"},
        {"type", "text"},     {"code", "code"},          {"would_have", NULL},
        {"alert", "text"},    {"call_id", "text"},       {"caller", "party"},
        {"callee", "party"},  {"diverting", "text"},     {"trunk_out", "text"},
        {"score", "score"},   {"degraded", NULL},        {"missing", NULL},
        {"would_get", NULL},  {"rules_fired", "count"},  {"rules", NULL},
        {"features", NULL},   {"rules_version", "text"}, {"screening_ns", "count"},
        {"pseudonyms", NULL},
    };
    static const struct member aggregate[] = {
        {"epoch", "epoch"}, {"time", "time"}, {"seq", "count"},     {"event", NULL},
        {"node", "text"},   {"id", "text"},   {"trunk_in", "text"}, {"action", "text"},
        {"reason", "text"}, {"type", "text"}, {"code", "code"},     {"would_have", NULL},
        {"count", "count"}, {"from", "time"}, {"until", "time"},    {"rule", "text"},
    };
    LINE("verdict", "event", verdict, event_kinds);
    printf(",\n");
    LINE("aggregate", "event", aggregate, ",\n        \"event\": {\"const\": \"aggregate\"}");
    printf(",\n");
}

int main(void)
{
    static const struct member hello[] = {
        {"epoch", "epoch"},       {"time", "time"},    {"started", "time"},
        {"product", "text"},      {"version", "text"}, {"node", "text"},
        {"interval_us", "count"}, {"oldest", "count"}, {"newest", "count"},
    };
    static const struct member gap[] = {
        {"epoch", "epoch"},         {"time", "time"},           {"missed", "count"},
        {"missed_counts", "count"}, {"missed_events", "count"},
    };
    static const struct member error[] = {{"message", "text"}};
    printf(preamble, STATS_SCHEMA);
    LINE("hello", "hello", hello, "");
    printf(",\n");
    print_counts();
    print_events();
    LINE("gap", "gap", gap, "");
    printf(",\n");
    LINE("error", "error", error, "");
    printf("\n  }\n}\n");
    return EXIT_SUCCESS;
}
