/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "screening/engine.h"

static int load(const char *yaml, struct conf_report *report)
{
    struct arena *arena;
    struct screen_settings settings;
    struct conf_document *document = NULL;
    ck_assert_int_eq(arena_create(4096, 0, &arena), 0);
    int error = conf_document_parse("t.yaml", slice_of_text(yaml), NULL, report, &document);
    if (error == 0)
        error = conf_section_load(document, conf_document_root(document), &screen_section, arena,
                                  report, &settings);
    conf_document_destroy(document);
    if (error == 0) {
        struct rule_set *rules = NULL;
        struct screen_policy *policy = NULL;
        ck_assert_int_eq(rule_set_parse(&screen_catalogue, NULL, 0, report, &rules), 0);
        error = screen_policy_create(&settings, rules, NULL, NULL, report, &policy);
        if (error != 0)
            rule_set_destroy(rules);
        screen_policy_destroy(policy);
    }
    arena_destroy(arena);
    return error;
}

static void seen(const struct conf_problem *problem, void *argument)
{
    const char **wanted = argument;
    if (strstr(problem->message, *wanted) != NULL)
        *wanted = NULL;
}

static void expect_refused(const char *yaml, const char *message)
{
    struct conf_report *report;
    ck_assert_int_eq(conf_report_create(&report), 0);
    ck_assert_int_eq(load(yaml, report), ERROR_CONFIG);
    const char *wanted = message;
    conf_report_each(report, seen, &wanted);
    ck_assert_msg(wanted == NULL, "no message holds \"%s\" for:\n%s", message, yaml);
    conf_report_destroy(report);
}

START_TEST(rows_are_sound)
{
    struct conf_report *report;
    ck_assert_int_eq(conf_report_create(&report), 0);
    int error = conf_section_verify(&screen_section, report);
    conf_report_print(report, stderr, false);
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(load("{}", report), 0);
    ck_assert_int_eq(
        load("display_prefix: 疑似诈骗\nprotected_lines: [{number: '+8612377'}]\n", report), 0);
    conf_report_destroy(report);
}
END_TEST

START_TEST(what_would_break_a_message_is_refused)
{
    expect_refused("score_header: 'X Score'", "score_header");
    expect_refused("score_header: \"X-Score\\r\\nEvil\"", "score_header");
    expect_refused("display_prefix: 'a\"b'", "display_prefix");
    expect_refused("redress_url: \"http://x;y\"", "redress_url");
    expect_refused("block_with: '608'", "608");
    expect_refused("protected_lines: [{number: nobody}]", "nobody");
    expect_refused("protected_countries: [XX]", "XX");
    expect_refused("deadline: 1h", "deadline");
}
END_TEST

START_TEST(given_numbers_tell_their_country)
{
    struct screen_derivation derivation;
    struct rule_value values[SCREEN_FEATURE_COUNT];
    screen_derivation_init(&derivation);
    for (int i = 0; i < SCREEN_FEATURE_COUNT; i++)
        values[i] = rule_unknown(screen_catalogue.features[i].type);
    values[SCREEN_FEATURE_CALLER_NUMBER] = rule_number(SLICE("+8613800138000"));
    values[SCREEN_FEATURE_DIVERTING_NUMBER] = rule_number(SLICE("+12025550100"));
    screen_derive(&derivation, values, SCREEN_FEATURE_COUNT);
    ck_assert(values[SCREEN_FEATURE_CALLER_VALID].known &&
              values[SCREEN_FEATURE_CALLER_VALID].flag);
    ck_assert(slice_equal(values[SCREEN_FEATURE_CALLER_COUNTRY].text, SLICE("CN")));
    ck_assert(slice_equal(values[SCREEN_FEATURE_CALLER_KIND].text, SLICE("mobile")));
    ck_assert(slice_equal(values[SCREEN_FEATURE_DIVERTING_COUNTRY].text, SLICE("US")));
    ck_assert(!values[SCREEN_FEATURE_CALLEE_COUNTRY].known);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screening/policy");
    TCase *tests = tcase_create("policy");
    tcase_add_test(tests, rows_are_sound);
    tcase_add_test(tests, what_would_break_a_message_is_refused);
    tcase_add_test(tests, given_numbers_tell_their_country);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
