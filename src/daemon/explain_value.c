/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "explain_int.h"

enum { CLAUSE_BYTES = 2048 };

/* ---- values --------------------------------------------------------------------------------- */

static void fill_address(struct stats_json *json, const char *key,
                         const struct rule_address *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    bool is_ipv4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)address->bytes);
    (void)inet_ntop(is_ipv4 ? AF_INET : AF_INET6, address->bytes + (is_ipv4 ? 12 : 0), text,
                    sizeof(text));
    stats_json_text(json, key, text);
}

static void fill_set(struct stats_json *json, const char *key, const struct rule_text_set *set)
{
    stats_json_begin_array(json, key);
    for (size_t i = 0; i < set->count; i++)
        stats_json_slice(json, NULL, set->texts[i]);
    stats_json_end_array(json);
}

void explain_fill_value(struct stats_json *json, const char *key, const struct rule_value *value)
{
    if (!value->known) {
        stats_json_null(json, key);
        return;
    }
    switch (value->type) {
    case RULE_FLAG:
        stats_json_boolean(json, key, value->flag);
        break;
    case RULE_TIME:
        stats_json_time(json, key, (uint64_t)value->integer);
        break;
    case RULE_INTEGER:
    case RULE_DURATION:
        stats_json_int(json, key, value->integer);
        break;
    case RULE_RATIO:
        stats_json_int(json, key, (int64_t)(value->ratio * 100));
        break;
    case RULE_ADDRESS:
        fill_address(json, key, &value->address);
        break;
    case RULE_TEXT:
    case RULE_NUMBER:
        stats_json_slice(json, key, value->text);
        break;
    case RULE_SET:
    case RULE_TYPE_COUNT:
        fill_set(json, key, &value->set);
        break;
    }
}

/* ---- changes -------------------------------------------------------------------------------- */

static void write_feature_change(struct buffer *out, struct screen_engine *engine,
                                 const struct screen_override *override)
{
    const struct rule_value *now = screen_engine_feature(engine, override->feature);
    if (override->feature == SCREEN_FEATURE_REPUTATION_LIST) {
        buffer_append_literal(out, "the caller were on no list");
        return;
    }
    if (override->feature == SCREEN_FEATURE_CALLEE_PROTECTED && !override->value.flag) {
        buffer_append_literal(out, "the called line were no protected one");
        return;
    }
    buffer_append_text(out, screen_catalogue.features[override->feature].name);
    buffer_append_literal(out, " were ");
    rule_value_write(out, &override->value);
    if (now->type == RULE_FLAG && now->known)
        return;
    buffer_append_literal(out, " (it is ");
    if (now->known)
        rule_value_write(out, now);
    else
        buffer_append_literal(out, "unknown");
    buffer_append_char(out, ')');
}

/* "caller.number in gold" becomes "caller.number were not in gold". */
static void write_test_change(struct buffer *out, struct slice text, bool holds)
{
    static const struct {
        struct slice sign;
        const char *holds;
        const char *fails;
    } rows[] = {
        {SLICE_LITERAL(" in "), " were in ", " were not in "},
        {SLICE_LITERAL(" == "), " were ", " were not "},
        {SLICE_LITERAL(" != "), " were not ", " were "},
        {SLICE_LITERAL(" contains "), " contained ", " did not contain "},
        {SLICE_LITERAL(" starts_with "), " started with ", " did not start with "},
        {SLICE_LITERAL(" matches "), " matched ", " did not match "},
    };
    /* Only of a test that begins with a plain name, so that the sign is the test's own. */
    struct slice name = slice_first(text, slice_find(text, ' '));
    struct slice rest = slice_from(text, name.length);
    bool plain = slice_find(name, '(') == name.length && slice_find(name, '"') == name.length;
    for (size_t i = 0; plain && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!slice_starts_with(rest, rows[i].sign))
            continue;
        buffer_append(out, name);
        buffer_append_text(out, holds ? rows[i].holds : rows[i].fails);
        buffer_append(out, slice_from(rest, rows[i].sign.length));
        return;
    }
    buffer_append(out, text);
    buffer_append_text(out, holds ? " were true" : " were false");
}

static const struct rule_info *rule_of(const struct explanation *explanation,
                                       const struct screen_change *change)
{
    bool is_of_order = change->kind == SCREEN_CHANGE_DIVERTING ||
                       explanation->verdict.authority == SCREEN_AUTHORITY_PROTECTED_CALLEE ||
                       explanation->verdict.authority == SCREEN_AUTHORITY_ALLOW ||
                       explanation->verdict.authority == SCREEN_AUTHORITY_BLOCK;
    return is_of_order ? NULL : rule_set_rule(explanation->rules, change->rule);
}

/* What stands behind "if": a clause that people read. */
static void write_change(struct buffer *out, const struct explanation *explanation,
                         const struct screen_change *change)
{
    const struct rule_info *rule = rule_of(explanation, change);
    switch (change->kind) {
    case SCREEN_CHANGE_FEATURE:
        write_feature_change(out, explanation->service->explainer, &change->override);
        break;
    case SCREEN_CHANGE_TEST:
        write_test_change(out, change->test->text, change->holds);
        break;
    case SCREEN_CHANGE_RULE_OFF:
        buffer_format(out, "rule %s (%+d points) were off", rule->id, change->points);
        break;
    case SCREEN_CHANGE_RULE_ON:
        buffer_format(out, "rule %s (%+d points) were enforced", rule->id, change->points);
        break;
    case SCREEN_CHANGE_DIVERTING:
        buffer_append_literal(out, "the number that forwarded the call were on no list");
        break;
    }
}

static void fill_change(const struct explanation *explanation, struct stats_json *json,
                        const struct screen_change *change)
{
    static const char *const kinds[] = {
        [SCREEN_CHANGE_FEATURE] = "feature",
        [SCREEN_CHANGE_TEST] = "test",
        [SCREEN_CHANGE_RULE_OFF] = "rule off",
        [SCREEN_CHANGE_RULE_ON] = "rule enforced",
        [SCREEN_CHANGE_DIVERTING] = "diverting number unlisted",
    };
    const struct rule_info *rule = rule_of(explanation, change);
    char memory[CLAUSE_BYTES];
    struct buffer text = buffer_over(memory, sizeof(memory));
    write_change(&text, explanation, change);
    stats_json_begin_object(json, NULL);
    stats_json_text(json, "kind", kinds[change->kind]);
    stats_json_slice(json, "text", buffer_slice(&text));
    if (change->kind == SCREEN_CHANGE_FEATURE) {
        enum screen_feature feature = change->override.feature;
        stats_json_text(json, "feature", screen_catalogue.features[feature].name);
        explain_fill_value(json, "value", &change->override.value);
        explain_fill_value(json, "now",
                           screen_engine_feature(explanation->service->explainer, feature));
    } else if (change->kind == SCREEN_CHANGE_TEST) {
        stats_json_slice(json, "test", change->test->text);
        stats_json_boolean(json, "holds", change->holds);
    }
    if (rule != NULL) {
        stats_json_text(json, "rule", rule->id);
        stats_json_int(json, "points", change->points);
    }
    stats_json_end_object(json);
}

void explain_fill_turns(const struct explanation *explanation, struct stats_json *json)
{
    const struct screen_turns *turns = &explanation->turns;
    stats_json_begin_array(json, "turns");
    for (size_t i = 0; i < turns->count; i++) {
        const struct screen_turn *turn = &turns->turns[i];
        stats_json_begin_object(json, NULL);
        stats_json_text(json, "action", rule_action_name(turn->action));
        stats_json_text(json, "authority", screen_authority_text(turn->authority));
        stats_json_uint(json, "score", turn->score);
        stats_json_begin_array(json, "changes");
        for (size_t j = 0; j < turn->count; j++)
            fill_change(explanation, json, &turn->changes[j]);
        stats_json_end_array(json);
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
    stats_json_uint(json, "changes_tried", turns->tried);
    stats_json_boolean(json, "changes_cut_short", turns->cut_short);
}
