/* SPDX-License-Identifier: Apache-2.0 */
/* What rules cost, and whether one was changed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/report.h"
#include "fixture.h"
#include "rules/evaluate.h"
#include "rules/ruleset.h"

#define NOW_US UINT64_C(1795392000000000) /* 2026-11-23 */

static struct rule_scratch *scratch;
static struct fixture_call call;

static void setup(void)
{
    ck_assert_int_eq(rule_scratch_create(&scratch), 0);
    memset(&call, 0, sizeof(call));
}

static void teardown(void)
{
    rule_scratch_destroy(scratch);
}

static struct rule_set *parse(const char *text)
{
    struct conf_report *report = NULL;
    struct rule_set *set = NULL;
    const struct rule_source source = {"test.yaml", slice_of_text(text)};
    ck_assert_int_eq(conf_report_create(&report), 0);
    int error = rule_set_parse(&fixture_catalogue, &source, 1, report, &set);
    conf_report_print(report, stderr, false);
    ck_assert_int_eq(error, 0);
    conf_report_destroy(report);
    return set;
}

/* ---- cost ---------------------------------------------------------------------------------- */

static uint64_t clock_now;
static uint64_t clock_step;

/* Each look is a step later than the one before. */
static uint64_t stepping_clock(void)
{
    return clock_now += clock_step;
}

struct measured {
    size_t count;
    uint32_t rules[RULE_MEASURED_MAX];
    uint64_t nanoseconds[RULE_MEASURED_MAX];
};

static void note(void *context, uint32_t rule, uint64_t nanoseconds)
{
    struct measured *measured = context;
    ck_assert_uint_lt(measured->count, RULE_MEASURED_MAX);
    measured->rules[measured->count] = rule;
    measured->nanoseconds[measured->count++] = nanoseconds;
}

static uint32_t measure(const struct rule_set *set, uint32_t from, struct measured *measured)
{
    const struct rule_meter meter = {measured, stepping_clock, note};
    const struct rule_inputs inputs = fixture_inputs(&call);
    measured->count = 0;
    return rule_set_measure(set, scratch, &inputs, NOW_US, from, &meter);
}

static const char few[] = "rules:\n"
                          "  - {id: a, when: 'time.hour == 3', score: 1}\n"
                          "  - {id: b, when: 'time.hour == 4', score: 1}\n"
                          "  - {id: c, when: 'time.hour >= 3', score: 1}\n"
                          "  - {id: d, when: 'time.hour >= 3', score: 1, mode: 'off'}\n"
                          "  - {id: e, when: 'time.hour >= 3', score: 1, expires: 2020-01-01}\n"
                          "scorecards:\n"
                          "  - id: f\n"
                          "    intercept: 5\n"
                          "    features: [{feature: time.hour, bins: [{points: 1}]}]\n";

START_TEST(only_rules_that_run_are_measured)
{
    struct rule_set *set = parse(few);
    struct measured measured;
    struct rule_outcome outcome;
    const struct rule_inputs inputs = fixture_inputs(&call);
    uint16_t hour = 0;
    ck_assert(rule_catalogue_find(&fixture_catalogue, SLICE("time.hour"), &hour));
    call.values[hour] = rule_integer(3);
    clock_step = 160;
    ck_assert_uint_eq(measure(set, 0, &measured), 0);
    /* A cheap one is run 16 times between two looks at the clock. */
    ck_assert_uint_eq(measured.nanoseconds[0], 10);
    clock_step = 5000;
    ck_assert_uint_eq(measure(set, 0, &measured), 0);
    ck_assert_uint_eq(measured.nanoseconds[0], 5000);
    /* An evaluation runs the same, and finds nothing left over. */
    rule_set_evaluate(set, scratch, &inputs, NOW_US, NULL, &outcome);
    ck_assert_uint_eq(outcome.fired_count, 3);
    ck_assert_uint_eq(measured.count, outcome.tried);
    for (size_t i = 0; i < measured.count; i++)
        ck_assert(measured.rules[i] != 3 && measured.rules[i] != 4);
    rule_set_destroy(set);
}
END_TEST

START_TEST(many_rules_take_turns)
{
    enum { RULES = RULE_MEASURED_MAX + 10 };
    static char text[RULES * 64];
    struct measured measured;
    size_t length = (size_t)snprintf(text, sizeof(text), "rules:\n");
    for (int i = 0; i < RULES; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length,
                                   "  - {id: r%d, when: 'time.hour != %d', score: 1}\n", i, i + 30);
    struct rule_set *set = parse(text);
    uint16_t hour = 0;
    ck_assert(rule_catalogue_find(&fixture_catalogue, SLICE("time.hour"), &hour));
    call.values[hour] = rule_integer(3);
    ck_assert_uint_eq(measure(set, 0, &measured), RULE_MEASURED_MAX);
    ck_assert_uint_eq(measured.count, RULE_MEASURED_MAX);
    ck_assert_uint_eq(measure(set, RULE_MEASURED_MAX, &measured), 0);
    ck_assert_uint_eq(measured.count, 10);
    ck_assert_uint_eq(measured.rules[0], RULE_MEASURED_MAX);
    /* A set that has fewer rules by now begins anew. */
    ck_assert_uint_eq(measure(set, 1000, &measured), 0);
    ck_assert_uint_eq(measured.count, 0);
    rule_set_destroy(set);
}
END_TEST

/* ---- changed rules ------------------------------------------------------------------------- */

static uint64_t written(const char *text)
{
    struct rule_set *set = parse(text);
    int rule = rule_set_find(set, SLICE("r"));
    ck_assert_int_ne(rule, RULE_NONE);
    uint64_t hash = rule_set_rule(set, (size_t)rule)->written;
    rule_set_destroy(set);
    return hash;
}

static const char base[] = "rules:\n  - {id: r, when: 'time.hour == 3', score: 5, budget: 10/m}\n";

static const struct {
    const char *text;
    bool is_same;
} changes[] = {
    {"# a remark\nrules:\n  - {id: q, when: 'time.hour == 1', score: 1}\n"
     "  - id: r\n    when: time.hour == 3\n    score: 5\n    budget: 10/m\n",
     true},
    {"rules:\n  - {id: r, when: 'time.hour == 3', score: 5, budget: 10/m, owner: x, ticket: y,\n"
     "     title: {en: z}, tests: [{given: {time.hour: 3}, expect: fires}]}\n",
     true},
    {"rules:\n  - {id: r, when: 'time.hour == 4', score: 5, budget: 10/m}\n", false},
    {"rules:\n  - {id: r, when: 'time.hour == 3', score: 6, budget: 10/m}\n", false},
    {"rules:\n  - {id: r, when: 'time.hour == 3', score: 5, budget: 11/m}\n", false},
    {"rules:\n  - {id: r, when: 'time.hour == 3', score: 5, budget: 10/m, type: loan}\n", false},
    {"rules:\n  - {id: r, when: 'time.hour == 3', score: 5, budget: 10/m, rollout: 5%}\n", false},
    {"rules:\n  - {id: r, when: 'time.hour == 3', score: 5, budget: 10/m, unless: caller.valid}\n",
     false},
};

START_TEST(a_changed_rule_is_another)
{
    ck_assert_int_eq(written(changes[_i].text) == written(base), changes[_i].is_same);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules/measure");
    TCase *tests = tcase_create("measure");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, only_rules_that_run_are_measured);
    tcase_add_test(tests, many_rules_take_turns);
    tcase_add_loop_test(tests, a_changed_rule_is_another, 0,
                        (int)(sizeof(changes) / sizeof(changes[0])));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
