/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/event_line.h"

#include <string.h>

#include "stats/json.h"

/* What every function here needs. */
struct writing {
    const struct stats_event_format *format;
    const struct stats_registry *registry;
    struct stats_json json;
};

/* ---- facts --------------------------------------------------------------------------------- */

static void write_label(struct writing *writing, const char *key, enum stats_family family,
                        uint32_t label)
{
    stats_json_slice(&writing->json, key, stats_label_name(writing->registry, family, label));
}

/* Label 0 of an event that has no such thing, or whose family was full. */
static void write_optional_label(struct writing *writing, const char *key, enum stats_family family,
                                 uint32_t label)
{
    if (label == 0)
        stats_json_null(&writing->json, key);
    else
        write_label(writing, key, family, label);
}

static struct slice fact_of(const char *text, size_t capacity)
{
    struct slice fact = slice_make(text, strnlen(text, capacity));
    return fact.length > 0 ? fact : (struct slice){0};
}

/* Empty texts are facts that are not known. */
#define FACT(writing, key, array) \
    stats_json_slice(&(writing)->json, (key), fact_of((array), sizeof(array)))

void stats_pseudonym_append(struct buffer *out, const struct hash_key *key, struct slice number)
{
    struct siphash hash = siphash_begin(key);
    siphash_part(&hash, SIPHASH_MARK, number);
    struct siphash_pair pair = siphash_end_pair(&hash, SIPHASH_MARK);
    buffer_append_char(out, '~');
    buffer_append_hex(out, pair.first, 16);
    buffer_append_hex(out, pair.second, 16);
}

static void write_number(struct writing *writing, const char *key, struct slice number)
{
    char memory[STATS_PSEUDONYM_TEXT];
    struct buffer pseudonym = buffer_over(memory, sizeof(memory));
    if (writing->format->pseudonyms != NULL && number.data != NULL) {
        stats_pseudonym_append(&pseudonym, writing->format->pseudonyms, number);
        number = buffer_slice(&pseudonym);
    }
    stats_json_slice(&writing->json, key, number);
}

/* What a peer wrote may hold a number in any dress, so it has a pseudonym as it stands. */
static void write_party(struct writing *writing, const char *key,
                        const struct stats_event_party *party)
{
    struct stats_json *json = &writing->json;
    stats_json_begin_object(json, key);
    write_number(writing, "raw", fact_of(party->raw, sizeof(party->raw)));
    write_number(writing, "number", fact_of(party->number, sizeof(party->number)));
    FACT(writing, "country", party->country);
    FACT(writing, "region", party->region);
    stats_json_slice(json, "kind",
                     party->kind != NULL ? slice_of_text(party->kind) : (struct slice){0});
    stats_json_end_object(json);
}

/* ---- why ----------------------------------------------------------------------------------- */

static void write_rules(struct writing *writing, const struct stats_event *event)
{
    struct stats_json *json = &writing->json;
    size_t listed = event->rule_count < STATS_EVENT_RULES ? event->rule_count : STATS_EVENT_RULES;
    stats_json_uint(json, "rules_fired", event->rule_count);
    stats_json_begin_array(json, "rules");
    for (size_t i = 0; i < listed; i++) {
        stats_json_begin_object(json, NULL);
        write_label(writing, "id", STATS_FAMILY_RULES, event->rules[i].label);
        stats_json_int(json, "points", event->rules[i].points);
        stats_json_boolean(json, "shadow", event->rules[i].shadow);
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
}

static void write_value(struct writing *writing, const struct stats_event_feature *feature)
{
    struct stats_json *json = &writing->json;
    struct slice text = slice_make(feature->text, strnlen(feature->text, sizeof(feature->text)));
    switch ((enum stats_value_form)feature->form) {
    case STATS_VALUE_UNKNOWN:
        stats_json_null(json, feature->name);
        break;
    case STATS_VALUE_FALSE:
    case STATS_VALUE_TRUE:
        stats_json_boolean(json, feature->name, feature->form == STATS_VALUE_TRUE);
        break;
    case STATS_VALUE_INTEGER:
        stats_json_int(json, feature->name, feature->integer);
        break;
    case STATS_VALUE_TEXT:
        if (feature->personal)
            write_number(writing, feature->name, text);
        else
            stats_json_slice(json, feature->name, text);
        break;
    }
}

static void write_features(struct writing *writing, const struct stats_event *event)
{
    stats_json_begin_object(&writing->json, "features");
    for (uint8_t i = 0; i < event->feature_count; i++)
        write_value(writing, &event->features[i]);
    stats_json_end_object(&writing->json);
}

static void write_missing(struct writing *writing, const struct stats_event *event)
{
    static const char *const words[STATS_MISSING_COUNT] = {
#define MISSING_WORD(name, word) [name] = (word),
        STATS_MISSING_TABLE(MISSING_WORD)
#undef MISSING_WORD
    };
    stats_json_begin_array(&writing->json, "missing");
    for (unsigned i = 0; i < STATS_MISSING_COUNT; i++)
        if ((event->missing >> i & 1) != 0)
            stats_json_text(&writing->json, NULL, words[i]);
    stats_json_end_array(&writing->json);
}

static void write_would_get(struct writing *writing, const struct stats_event *event)
{
    struct stats_json *json = &writing->json;
    if (event->would_action == 0) {
        stats_json_null(json, "would_get");
        return;
    }
    stats_json_begin_object(json, "would_get");
    write_label(writing, "action", STATS_FAMILY_VERDICTS, event->would_action);
    stats_json_uint(json, "score", event->would_score);
    stats_json_uint(json, "code", event->would_code);
    stats_json_end_object(json);
}

/* ---- lines --------------------------------------------------------------------------------- */

static void write_head(struct writing *writing, const char *epoch, uint64_t seq,
                       const struct stats_event *event)
{
    struct stats_json *json = &writing->json;
    const char *node = writing->format->source->node;
    stats_json_text(json, "kind", "event");
    stats_json_uint(json, "schema", STATS_SCHEMA);
    stats_json_text(json, "epoch", epoch);
    stats_json_time(json, "time", event->wall_us);
    stats_json_uint(json, "seq", seq);
    stats_json_text(json, "event", stats_event_kind_name((enum stats_event_kind)event->kind));
    stats_json_slice(json, "node", node != NULL ? slice_of_text(node) : (struct slice){0});
}

/* Unique for good: epoch, worker and a number of the worker's. Aggregates have the collector's. */
static void write_id(struct writing *writing, const char *epoch, const struct stats_event *event)
{
    char memory[STATS_EPOCH_TEXT + 32];
    struct buffer id = buffer_over(memory, sizeof(memory));
    buffer_append_text(&id, epoch);
    buffer_append_char(&id, '-');
    if (event->kind == STATS_EVENT_AGGREGATE)
        buffer_append_char(&id, 'a');
    else
        buffer_append_uint(&id, event->worker);
    buffer_append_char(&id, '-');
    buffer_append_uint(&id, event->sequence);
    stats_json_slice(&writing->json, "id", buffer_slice(&id));
}

/* What is counted by. */
static void write_sort(struct writing *writing, const struct stats_event *event)
{
    write_optional_label(writing, "trunk_in", STATS_FAMILY_TRUNK_CALLS_IN, event->trunk_in);
    write_label(writing, "action", STATS_FAMILY_VERDICTS, event->action);
    write_label(writing, "reason", STATS_FAMILY_REASONS, event->reason);
    write_optional_label(writing, "type", STATS_FAMILY_TYPES, event->type);
    stats_json_uint(&writing->json, "code", event->code);
    stats_json_boolean(&writing->json, "would_have", event->would_have);
}

static void write_call(struct writing *writing, const struct stats_event *event)
{
    struct stats_json *json = &writing->json;
    FACT(writing, "alert", event->alert);
    FACT(writing, "call_id", event->call_id);
    write_party(writing, "caller", &event->caller);
    write_party(writing, "callee", &event->callee);
    write_number(writing, "diverting", fact_of(event->diverting, sizeof(event->diverting)));
    write_optional_label(writing, "trunk_out", STATS_FAMILY_TRUNK_CALLS_OUT, event->trunk_out);
    stats_json_uint(json, "score", event->score);
    stats_json_boolean(json, "degraded", event->degraded);
    write_missing(writing, event);
    write_would_get(writing, event);
    write_rules(writing, event);
    write_features(writing, event);
    FACT(writing, "rules_version", event->rules_version);
    stats_json_uint(json, "screening_ns", event->screening_ns);
    stats_json_boolean(json, "pseudonyms", writing->format->pseudonyms != NULL);
}

static void write_aggregate(struct writing *writing, const struct stats_event *event,
                            const struct stats_aggregate *aggregate)
{
    struct stats_json *json = &writing->json;
    stats_json_uint(json, "count", aggregate->count);
    stats_json_time(json, "from", aggregate->from_us);
    stats_json_time(json, "until", aggregate->until_us);
    if (event->rule_count > 0)
        write_label(writing, "rule", STATS_FAMILY_RULES, event->rules[0].label);
    else
        stats_json_null(json, "rule");
}

void stats_event_line(const struct stats_event_format *format, uint64_t seq,
                      const struct stats_event *event, const struct stats_aggregate *aggregate,
                      struct buffer *out)
{
    char epoch[STATS_EPOCH_TEXT];
    struct writing writing = {format, format->source->registry, stats_json_into(out)};
    stats_epoch_text(&format->source->epoch, epoch);
    stats_json_begin_object(&writing.json, NULL);
    write_head(&writing, epoch, seq, event);
    write_id(&writing, epoch, event);
    write_sort(&writing, event);
    if (aggregate != NULL)
        write_aggregate(&writing, event, aggregate);
    else
        write_call(&writing, event);
    stats_json_end_object(&writing.json);
    buffer_append_char(out, '\n');
}
