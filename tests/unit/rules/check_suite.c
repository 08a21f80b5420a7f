/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "config/report.h"
#include "config/schema.h"
#include "fixture.h"
#include "rules/schema.h"
#include "rules/suite.h"

#define NOW_US UINT64_C(1795392000000000) /* 2026-11-23 */

static const char rules[] = "lists:\n"
                            "  watched: {numbers: ['+8613800138000,2026-12-01']}\n"
                            "rules:\n"
                            "  - {id: a, when: trunk.trusted, score: 30, type: loan}\n"
                            "  - {id: b, when: trunk.trusted, score: 40, rollout: 1%, type: scam}\n"
                            "  - {id: s, when: trunk.trusted, score: 5, mode: shadow}\n"
                            "  - {id: l, when: caller.number in watched, score: 10}\n"
                            "  - {id: expired, when: caller.valid, score: 1, expires: 2026-12-01}\n"
                            "policy: [{at: 70, do: block}, {at: 30, do: tag}]\n";

struct problem {
    unsigned count;
    char text[512];
    char hint[512];
};

static void keep_first(const struct conf_problem *problem, void *argument)
{
    struct problem *first = argument;
    if (first->count++ > 0)
        return;
    (void)snprintf(first->text, sizeof(first->text), "%u:%u: %s", problem->line, problem->column,
                   problem->message);
    (void)snprintf(first->hint, sizeof(first->hint), "%s",
                   problem->hint != NULL ? problem->hint : "");
}

/* Runs a test file; returns what rule_suite_run() does. */
static int run(const char *text, struct rule_test_result *result, struct problem *problem)
{
    char path[] = "/tmp/suite.XXXXXX";
    const struct rule_source source = {"rules.yaml", slice_of_text(rules)};
    struct rule_suite_world world = {.clock = RULE_NONE, .wall_us = NOW_US};
    struct conf_report *report = NULL;
    struct rule_set *set = NULL;
    uint16_t since = 0;
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    (void)close(file);
    ck_assert_int_eq(file_write_atomic(path, slice_of_text(text), 0600), 0);
    ck_assert(rule_catalogue_find(&fixture_catalogue, SLICE("test.since"), &since));
    world.clock = since;
    ck_assert_int_eq(conf_report_create(&report), 0);
    ck_assert_int_eq(rule_set_parse(&fixture_catalogue, &source, 1, report, &set), 0);
    *result = (struct rule_test_result){0, 0};
    *problem = (struct problem){0, "", ""};
    int error = rule_suite_run(set, path, &world, report, result);
    conf_report_each(report, keep_first, problem);
    (void)unlink(path);
    rule_set_destroy(set);
    conf_report_destroy(report);
    return error;
}

static const char *const passing[] = {
    /* Roll-outs count as complete, shadow and what is unknown stand apart. */
    "tests:\n"
    "  - given: {trunk.trusted: true}\n"
    "    expect: {action: block, score: 70, type: scam, fired: [b, a], shadow: s,\n"
    "             unknown: [l, expired]}\n",
    /* Nothing demanded is allow; no type is \"\". */
    "tests:\n"
    "  - given: {trunk.trusted: false, caller.number: '+861', caller.valid: false}\n"
    "    expect: {action: allow, score: 0, type: '', fired: [], shadow: [], unknown: []}\n",
    /* Dates of rules and list entries follow the clock. */
    "tests:\n"
    "  - given: {caller.number: '+8613800138000', caller.valid: true}\n"
    "    expect: {score: 11}\n"
    "  - given: {caller.number: '+8613800138000', caller.valid: true, test.since: 2026-12-02}\n"
    "    expect: {score: 0, fired: []}\n",
};

START_TEST(expectations_hold)
{
    struct rule_test_result result;
    struct problem problem;
    int error = run(passing[_i], &result, &problem);
    ck_assert_msg(error == 0 && problem.count == 0, "%s", problem.text);
    ck_assert_uint_gt(result.passed, 0);
    ck_assert_uint_eq(result.failed, 0);
}
END_TEST

static const struct {
    const char *text;
    const char *message;
    const char *hint;
} failing[] = {
    {"tests:\n  - {name: n, given: {trunk.trusted: true}, expect: {score: 60, action: tag}}\n",
     "2:61: test \"n\": score comes to 70",
     "the whole call: score 70, block, type scam; fired: a, b; shadow: s; unknown: l, expired"},
    {"tests:\n  - {given: {trunk.trusted: true}, expect: {action: tag}}\n",
     "2:53: test: action comes to block", NULL},
    {"tests:\n  - {given: {trunk.trusted: true}, expect: {type: loan}}\n",
     "2:51: test: type comes to scam", NULL},
    {"tests:\n  - {given: {trunk.trusted: true}, expect: {fired: [a]}}\n",
     "2:52: test: fired comes to a, b", NULL},
    {"tests:\n  - {given: {trunk.trusted: true}, expect: {fired: [a, b, l]}}\n",
     "2:52: test: fired comes to a, b", NULL},
    {"tests:\n  - {given: {}, expect: {shadow: [s]}}\n", "2:34: test: shadow comes to none", NULL},
    {"tests:\n  - {given: {}, expect: {fired: [expird]}}\n",
     "2:34: there is no rule or scorecard \"expird\"", "did you mean expired?"},
    {"tests:\n  - {given: {trunk.trustd: true}, expect: {score: 1}}\n",
     "2:14: there is no feature \"trunk.trustd\"", "did you mean trunk.trusted?"},
    {"tests:\n  - {given: {}, expect: {}}\n", "2:25: test 1: expect: nothing is expected", NULL},
    {"tests:\n  - {given: {}}\n", "2:5: test 1: \"expect\" is missing", NULL},
    {"tests:\n  - {given: {}, expect: {score: 101}}\n",
     "2:33: test 1: expect: score \"101\" is out of range", NULL},
    {"tests:\n  - {given: {}, expect: {action: blok}}\n",
     "2:34: test 1: expect: action \"blok\" is not one of the choices", "did you mean \"block\"?"},
    {"tests: []\n", "1:1: tests has 0 items", NULL},
    {"", "1:1: \"tests\" is missing", NULL},
    {"tests:\n\t- x\n", "2:1: a tab cannot be used to indent", NULL},
};

START_TEST(failures_are_told)
{
    struct rule_test_result result;
    struct problem problem;
    ck_assert_int_eq(run(failing[_i].text, &result, &problem), ERROR_CONFIG);
    ck_assert_str_eq(problem.text, failing[_i].message);
    ck_assert_uint_eq(problem.count, 1);
    ck_assert_uint_eq(result.passed, 0);
    if (failing[_i].hint != NULL)
        ck_assert_str_eq(problem.hint, failing[_i].hint);
}
END_TEST

START_TEST(a_failure_does_not_hide_others)
{
    struct rule_test_result result;
    struct problem problem;
    ck_assert_int_eq(run("tests:\n"
                         "  - {given: {}, expect: {score: 1}}\n"
                         "  - {given: {}, expect: {score: 0}}\n"
                         "  - {given: {}, expect: {score: 2}}\n",
                         &result, &problem),
                     ERROR_CONFIG);
    ck_assert_uint_eq(problem.count, 2);
    ck_assert_uint_eq(result.passed, 1);
    ck_assert_uint_eq(result.failed, 2);
}
END_TEST

START_TEST(memory_is_as_good_as_a_file)
{
    const struct rule_source source = {"rules.yaml", slice_of_text(rules)};
    const struct rule_source tests = {"t.yaml", SLICE("tests: [{given: {}, expect: {score: 0}}]")};
    const struct rule_suite_world world = {.clock = RULE_NONE, .wall_us = NOW_US};
    struct rule_test_result result = {0, 0};
    struct conf_report *report = NULL;
    struct rule_set *set = NULL;
    ck_assert_int_eq(conf_report_create(&report), 0);
    ck_assert_int_eq(rule_set_parse(&fixture_catalogue, &source, 1, report, &set), 0);
    ck_assert_int_eq(rule_suite_run_source(set, &tests, &world, report, &result), 0);
    ck_assert_uint_eq(result.passed, 1);
    ck_assert_int_eq(rule_suite_run(set, "/nonexistent/t.yaml", &world, report, &result),
                     ERROR_CONFIG);
    rule_set_destroy(set);
    conf_report_destroy(report);
}
END_TEST

START_TEST(rows_are_sound)
{
    struct conf_report *report;
    ck_assert_int_eq(conf_report_create(&report), 0);
    ck_assert_int_eq(conf_section_verify(&rule_suite_section, report), 0);
    conf_report_destroy(report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules/suite");
    TCase *tests = tcase_create("suite");
    tcase_add_loop_test(tests, expectations_hold, 0, sizeof(passing) / sizeof(passing[0]));
    tcase_add_loop_test(tests, failures_are_told, 0, sizeof(failing) / sizeof(failing[0]));
    tcase_add_test(tests, a_failure_does_not_hide_others);
    tcase_add_test(tests, memory_is_as_good_as_a_file);
    tcase_add_test(tests, rows_are_sound);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
