/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/suite.h"

#include <errno.h>
#include <stdlib.h>

#include "config/suggest.h"
#include "given_int.h"
#include "load_int.h"
#include "schema_suite_int.h"

enum { ARENA_CHUNK = 64 * 1024, TEXT_BYTES = 1024, IDS_SHOWN = 8 };

/* A file of tests under way. */
struct suite {
    const struct rule_set *set;
    const struct rule_suite_world *world;
    struct conf_report *report;
    struct conf_document *document;
    struct rule_set values; /* gives the loader a catalogue and an arena; no rules are in it */
    struct rule_loader loader;
    struct rule_suite_draft draft;
    struct rule_given_call call;
    struct rule_scratch *scratch;
};

static const char *const ids_keys[] = {
    [RULE_EXPECT_FIRED] = "fired",
    [RULE_EXPECT_SHADOW] = "shadow",
    [RULE_EXPECT_UNKNOWN] = "unknown",
};

/* ---- what a call came to ------------------------------------------------------------------ */

/* The next id of that kind in the outcome; NULL behind the last one. */
static const char *next_id(const struct suite *suite, const struct rule_outcome *outcome,
                           enum rule_expect_ids kind, uint32_t *at)
{
    while (kind == RULE_EXPECT_UNKNOWN && *at < outcome->unknown_count)
        return rule_set_rule(suite->set, outcome->unknown[(*at)++])->id;
    while (kind != RULE_EXPECT_UNKNOWN && *at < outcome->fired_count) {
        const struct rule_fired *fired = &outcome->fired[(*at)++];
        if (fired->shadow == (kind == RULE_EXPECT_SHADOW))
            return rule_set_rule(suite->set, fired->rule)->id;
    }
    return NULL;
}

static void append_ids(struct buffer *text, const struct suite *suite,
                       const struct rule_outcome *outcome, enum rule_expect_ids kind)
{
    uint32_t at = 0;
    size_t count = 0;
    for (const char *id = next_id(suite, outcome, kind, &at); id != NULL;
         id = next_id(suite, outcome, kind, &at)) {
        if (count++ < IDS_SHOWN)
            buffer_format(text, "%s%s", count > 1 ? ", " : "", id);
    }
    if (count == 0)
        buffer_append_literal(text, "none");
    if (count > IDS_SHOWN)
        buffer_format(text, " and %zu more", count - IDS_SHOWN);
}

static const char *type_of(const struct suite *suite, const struct rule_outcome *outcome)
{
    int32_t rule = outcome->live.type_rule;
    return rule != RULE_NONE ? rule_set_rule(suite->set, (size_t)rule)->type : "";
}

static enum rule_action_kind action_of(const struct rule_outcome *outcome)
{
    return outcome->live.action != NULL ? outcome->live.action->kind : RULE_ALLOW;
}

/* "score 80, block, type spoofing; fired: a, b; shadow: none; unknown: c" */
static void append_outcome(struct buffer *text, const struct suite *suite,
                           const struct rule_outcome *outcome)
{
    const char *type = type_of(suite, outcome);
    buffer_format(text, "score %d, %s", outcome->live.score, rule_action_name(action_of(outcome)));
    buffer_format(text, "%s%s", type[0] != '\0' ? ", type " : "", type);
    for (int kind = 0; kind < RULE_EXPECT_IDS_COUNT; kind++) {
        buffer_format(text, "; %s: ", ids_keys[kind]);
        append_ids(text, suite, outcome, (enum rule_expect_ids)kind);
    }
}

/* ---- against what was expected ------------------------------------------------------------ */

static bool has_id(const struct conf_text_list *ids, const char *id)
{
    for (size_t i = 0; i < ids->count; i++)
        if (slice_equal(ids->items[i], slice_of_text(id)))
            return true;
    return false;
}

static bool same_ids(const struct suite *suite, const struct rule_outcome *outcome,
                     enum rule_expect_ids kind, const struct conf_text_list *expected)
{
    uint32_t at = 0;
    size_t found = 0;
    for (const char *id = next_id(suite, outcome, kind, &at); id != NULL;
         id = next_id(suite, outcome, kind, &at)) {
        if (!has_id(expected, id))
            return false;
        found++;
    }
    return found == expected->count;
}

/* What came out for a key of `expect`, as text; false when it is what was expected. */
static bool differs(const struct suite *suite, const struct rule_outcome *outcome,
                    const struct rule_expect_draft *expect, struct slice key, struct buffer *got)
{
    if (slice_equal(key, SLICE("action"))) {
        buffer_append_text(got, rule_action_name(action_of(outcome)));
        return (int)action_of(outcome) != expect->action;
    }
    if (slice_equal(key, SLICE("score"))) {
        buffer_append_int(got, outcome->live.score);
        return outcome->live.score != expect->score;
    }
    if (slice_equal(key, SLICE("type"))) {
        const char *type = type_of(suite, outcome);
        buffer_append_text(got, type[0] != '\0' ? type : "none");
        return !slice_equal(slice_of_text(type), expect->type);
    }
    for (int kind = 0; kind < RULE_EXPECT_IDS_COUNT; kind++) {
        if (!slice_equal(key, slice_of_text(ids_keys[kind])))
            continue;
        append_ids(got, suite, outcome, (enum rule_expect_ids)kind);
        return !same_ids(suite, outcome, (enum rule_expect_ids)kind, &expect->ids[kind]);
    }
    return false;
}

static void report_difference(struct suite *suite, const struct rule_case_draft *test,
                              const struct conf_node *node, const struct rule_outcome *outcome,
                              const char *got)
{
    struct conf_quote name;
    char memory[TEXT_BYTES];
    struct buffer whole = buffer_over(memory, sizeof(memory) - 1);
    const struct conf_place place = conf_node_place(suite->document, node);
    append_outcome(&whole, suite, outcome);
    memory[whole.length] = '\0';
    conf_report_add(suite->report, CONF_ERROR, &place, "test%s%s: %.*s comes to %s",
                    test->name.length > 0 ? " " : "",
                    test->name.length > 0 ? conf_quote(&name, test->name) : "",
                    SLICE_ARGS(node->key), got);
    conf_report_hint(suite->report, "the whole call: %s", memory);
}

static uint64_t call_time(const struct suite *suite)
{
    const struct rule_suite_world *world = suite->world;
    if (world->clock == RULE_NONE)
        return world->wall_us;
    struct rule_value *now = &suite->call.values[world->clock];
    if (!now->known || now->integer < 0)
        *now = rule_time((int64_t)world->wall_us);
    return (uint64_t)now->integer;
}

/* One error for each call, at the first thing that differs. */
static bool run_case(struct suite *suite, const struct rule_case_draft *draft,
                     const struct rule_test *test)
{
    struct rule_outcome outcome;
    rule_given_take(&suite->call, suite->set->catalogue, test, suite->world->derive,
                    suite->world->context);
    rule_set_evaluate(suite->set, suite->scratch, &suite->call.inputs, call_time(suite), NULL,
                      &outcome);
    for (const struct conf_node *node = draft->expect.node->first; node != NULL;
         node = node->next) {
        char memory[TEXT_BYTES];
        struct buffer got = buffer_over(memory, sizeof(memory) - 1);
        bool wrong = differs(suite, &outcome, &draft->expect, node->key, &got);
        memory[got.length] = '\0';
        if (!wrong)
            continue;
        report_difference(suite, draft, node, &outcome, memory);
        return false;
    }
    return true;
}

/* ---- the file ----------------------------------------------------------------------------- */

static void report_id(struct suite *suite, const struct conf_node *node)
{
    struct conf_quote quote;
    const struct conf_place place = conf_node_place(suite->document, node);
    struct conf_suggestion near = conf_suggestion_for(node->text);
    for (size_t i = 0; i < rule_set_count(suite->set); i++)
        conf_suggestion_offer(&near, slice_of_text(rule_set_rule(suite->set, i)->id));
    conf_report_add(suite->report, CONF_ERROR, &place, "there is no rule or scorecard %s",
                    conf_quote(&quote, node->text));
    if (near.best.data != NULL)
        conf_report_hint(suite->report, "did you mean %.*s?", SLICE_ARGS(near.best));
}

static void check_ids(struct suite *suite, const struct rule_expect_draft *expect)
{
    for (int kind = 0; kind < RULE_EXPECT_IDS_COUNT; kind++) {
        const struct conf_node *ids = conf_node_get(expect->node, ids_keys[kind]);
        if (ids == NULL)
            continue;
        const struct conf_node *id = ids->kind == CONF_NODE_SCALAR ? ids : ids->first;
        for (size_t i = 0; i < expect->ids[kind].count; i++, id = id->next)
            if (rule_set_find(suite->set, id->text) == RULE_NONE)
                report_id(suite, id);
    }
}

/* A test that is wrong counts as failed; only -ENOMEM is returned. */
static int run_cases(struct suite *suite, struct rule_test_result *result)
{
    const struct rule_case_draft *cases = suite->draft.cases.items;
    for (size_t i = 0; i < suite->draft.cases.count; i++) {
        size_t errors = conf_report_count(suite->report, CONF_ERROR);
        struct rule_test test;
        bool passed = cases[i].given.node != NULL && cases[i].expect.node != NULL;
        if (passed) {
            int error = rule_load_given(&suite->loader, cases[i].given.node, &test);
            if (error != 0)
                return error;
            check_ids(suite, &cases[i].expect);
            passed = conf_report_count(suite->report, CONF_ERROR) == errors &&
                     run_case(suite, &cases[i], &test);
        }
        result->passed += passed ? 1 : 0;
        result->failed += passed ? 0 : 1;
    }
    return 0;
}

static int open_suite(struct suite *suite)
{
    int error = rule_given_open(suite->set->catalogue, &suite->call);
    if (error == 0)
        error = arena_create(ARENA_CHUNK, 0, &suite->values.arena);
    if (error == 0)
        error = rule_scratch_create(&suite->scratch);
    if (error != 0)
        return error;
    suite->values.catalogue = suite->set->catalogue;
    suite->loader.set = &suite->values;
    suite->loader.report = suite->report;
    suite->loader.document = suite->document;
    suite->loader.file = conf_document_name(suite->document);
    error =
        conf_section_load(suite->document, conf_document_root(suite->document), &rule_suite_section,
                          suite->values.arena, suite->report, &suite->draft);
    return error == ERROR_CONFIG ? 0 : error;
}

/* Takes the document over. */
static int run_document(const struct rule_set *set, struct conf_document *document,
                        const struct rule_suite_world *world, struct conf_report *report,
                        struct rule_test_result *result)
{
    struct suite suite = {.set = set, .world = world, .report = report, .document = document};
    size_t errors = conf_report_count(report, CONF_ERROR);
    int error = open_suite(&suite);
    if (error == 0)
        error = run_cases(&suite, result);
    if (error == 0 && conf_report_count(report, CONF_ERROR) > errors)
        error = ERROR_CONFIG;
    rule_scratch_destroy(suite.scratch);
    arena_destroy(suite.values.arena);
    conf_document_destroy(document);
    rule_given_close(&suite.call);
    return error;
}

int rule_suite_run(const struct rule_set *set, const char *path,
                   const struct rule_suite_world *world, struct conf_report *report,
                   struct rule_test_result *result)
{
    struct conf_document *document = NULL;
    int error = conf_document_load(path, NULL, report, &document);
    return error != 0 ? error : run_document(set, document, world, report, result);
}

int rule_suite_run_source(const struct rule_set *set, const struct rule_source *source,
                          const struct rule_suite_world *world, struct conf_report *report,
                          struct rule_test_result *result)
{
    struct conf_document *document = NULL;
    int error = conf_document_parse(source->name, source->text, NULL, report, &document);
    return error != 0 ? error : run_document(set, document, world, report, result);
}
