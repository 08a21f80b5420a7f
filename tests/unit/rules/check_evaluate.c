/* SPDX-License-Identifier: Apache-2.0 */
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
static struct rule_outcome outcome;

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
    if (error != 0)
        conf_report_print(report, stderr, false);
    ck_assert_int_eq(error, 0);
    conf_report_destroy(report);
    return set;
}

/* A set of one rule. */
static struct rule_set *condition(const char *when)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), "rules:\n  - id: r\n    score: 10\n    when: >\n      %s\n",
                   when);
    return parse(text);
}

static uint16_t feature(const char *name)
{
    uint16_t index = 0;
    ck_assert(rule_catalogue_find(&fixture_catalogue, slice_of_text(name), &index));
    return index;
}

static void give(const char *name, struct rule_value value)
{
    call.values[feature(name)] = value;
}

static void evaluate(const struct rule_set *set)
{
    const struct rule_inputs inputs = fixture_inputs(&call);
    rule_set_evaluate(set, scratch, &inputs, NOW_US, NULL, &outcome);
}

START_TEST(and_stops_at_false)
{
    struct rule_set *set = condition("trunk.trusted and caller.valid");
    give("trunk.trusted", rule_flag(false));
    evaluate(set);
    ck_assert_uint_eq(call.fetches[feature("caller.valid")], 0);
    rule_set_destroy(set);
}
END_TEST

START_TEST(and_goes_on_at_unknown)
{
    struct rule_set *set = condition("trunk.trusted and caller.valid");
    give("caller.valid", rule_flag(false));
    evaluate(set);
    ck_assert_uint_eq(call.fetches[feature("caller.valid")], 1);
    ck_assert_uint_eq(outcome.unknown_total, 0);
    rule_set_destroy(set);
}
END_TEST

START_TEST(or_stops_at_true)
{
    struct rule_set *set = condition("trunk.trusted or caller.valid or caller.anonymous");
    give("trunk.trusted", rule_flag(true));
    evaluate(set);
    ck_assert_uint_eq(call.fetches[feature("caller.valid")], 0);
    ck_assert_uint_eq(call.fetches[feature("caller.anonymous")], 0);
    ck_assert_uint_eq(outcome.fired_total, 1);
    rule_set_destroy(set);
}
END_TEST

START_TEST(else_stops_at_known)
{
    struct rule_set *set = condition("reputation.score or else message.size or else 5 > 4");
    give("reputation.score", rule_integer(4));
    evaluate(set);
    ck_assert_uint_eq(call.fetches[feature("message.size")], 0);
    ck_assert_uint_eq(outcome.fired_total, 0);
    rule_set_destroy(set);
}
END_TEST

START_TEST(unknown_features_are_named)
{
    struct rule_set *set = condition("trunk.trusted or caller.valid");
    give("caller.valid", rule_flag(false));
    evaluate(set);
    ck_assert_uint_eq(outcome.unknown_total, 1);
    ck_assert(rule_feature_unknown(&outcome, feature("trunk.trusted")));
    ck_assert(!rule_feature_unknown(&outcome, feature("caller.valid")));
    ck_assert(!outcome.unknown_header);
    rule_set_destroy(set);
}
END_TEST

/* What was unknown but did not matter is nothing to report. */
START_TEST(unknown_that_decides_nothing_is_not_named)
{
    struct rule_set *set = condition("trunk.trusted and caller.valid");
    give("caller.valid", rule_flag(false));
    evaluate(set);
    ck_assert(!rule_feature_unknown(&outcome, feature("trunk.trusted")));
    rule_set_destroy(set);
}
END_TEST

START_TEST(absent_header_is_unknown)
{
    struct rule_set *set = condition("header(\"X-A\") == \"b\"");
    evaluate(set);
    ck_assert_uint_eq(outcome.unknown_total, 1);
    ck_assert(outcome.unknown_header);
    rule_set_destroy(set);
}
END_TEST

/* Of 10,000 calls, about as many as it says are within a roll-out, and they stay when it grows. */
START_TEST(rollout_is_a_share_of_calls)
{
    struct rule_set *set = parse("rules:\n"
                                 "  - {id: r, when: trunk.trusted, score: 10, rollout: 20%}\n"
                                 "  - {id: s, when: trunk.trusted, score: 10, rollout: 20%}\n");
    struct rule_set *grown =
        parse("rules: [{id: r, when: trunk.trusted, score: 10, rollout: 40%}]\n");
    struct rule_inputs inputs = fixture_inputs(&call);
    unsigned taken = 0, both = 0;
    give("trunk.trusted", rule_flag(true));
    for (inputs.call_hash = 0; inputs.call_hash < 10000; inputs.call_hash++) {
        rule_set_evaluate(set, scratch, &inputs, NOW_US, NULL, &outcome);
        bool first = !outcome.fired[0].shadow;
        ck_assert_uint_eq(outcome.fired_total, 2);
        taken += first ? 1 : 0;
        both += first && !outcome.fired[1].shadow ? 1 : 0;
        rule_set_evaluate(grown, scratch, &inputs, NOW_US, NULL, &outcome);
        ck_assert(!first || !outcome.fired[0].shadow);
    }
    ck_assert_uint_ge(taken, 1800);
    ck_assert_uint_le(taken, 2200);
    ck_assert_uint_ge(both, 300);
    ck_assert_uint_le(both, 500);
    rule_set_destroy(grown);
    rule_set_destroy(set);
}
END_TEST

START_TEST(demoted_rule_is_in_shadow)
{
    struct rule_set *set = parse("rules:\n"
                                 "  - {id: a, when: trunk.trusted, score: 10}\n"
                                 "  - {id: b, when: trunk.trusted, score: 20}\n");
    atomic_uchar demoted[2];
    struct rule_inputs inputs = fixture_inputs(&call);
    inputs.demoted = demoted;
    give("trunk.trusted", rule_flag(true));
    atomic_init(&demoted[0], 0);
    atomic_init(&demoted[1], 0);
    rule_set_evaluate(set, scratch, &inputs, NOW_US, NULL, &outcome);
    ck_assert_int_eq(outcome.live.score, 30);
    atomic_store(&demoted[1], 1);
    rule_set_evaluate(set, scratch, &inputs, NOW_US, NULL, &outcome);
    ck_assert_int_eq(outcome.live.score, 10);
    ck_assert_int_eq(outcome.shadow.score, 30);
    ck_assert(outcome.fired[1].shadow);
    rule_set_destroy(set);
}
END_TEST

struct parts {
    unsigned count;
    struct rule_card_part items[4];
};

static void keep_part(void *context, const struct rule_card_part *part)
{
    struct parts *parts = context;
    ck_assert_uint_lt(parts->count, 4);
    parts->items[parts->count++] = *part;
}

START_TEST(scorecard_tells_its_parts)
{
    struct rule_set *set =
        parse("rules: [{id: a, when: trunk.trusted, score: 1}]\n"
              "scorecards:\n"
              "  - id: c\n"
              "    intercept: -7\n"
              "    features:\n"
              "      - {feature: message.size, bins: [{below: 9, points: 1}, {points: 20}]}\n"
              "      - {feature: caller.kind, bins: [{is: voip, points: 5}], missing: 3}\n");
    struct rule_inputs inputs = fixture_inputs(&call);
    struct parts parts = {0};
    give("message.size", rule_integer(9));
    rule_set_evaluate(set, scratch, &inputs, NOW_US, NULL, &outcome);
    ck_assert_int_eq(outcome.live.score, 16);
    /* What is missing has points, so it keeps nothing from being decided. */
    ck_assert(!rule_feature_unknown(&outcome, feature("caller.kind")));
    rule_set_card_parts(set, scratch, &inputs, 0, keep_part, &parts);
    ck_assert_uint_eq(parts.count, 0);
    rule_set_card_parts(set, scratch, &inputs, 1, keep_part, &parts);
    ck_assert_uint_eq(parts.count, 3);
    ck_assert_int_eq(parts.items[0].points, -7);
    ck_assert_str_eq(parts.items[1].feature, "message.size");
    ck_assert_int_eq(parts.items[1].bin, 1);
    ck_assert_int_eq(parts.items[1].points, 20);
    ck_assert(!parts.items[2].value.known);
    ck_assert_int_eq(parts.items[2].bin, RULE_NONE);
    ck_assert_int_eq(parts.items[2].points, 3);
    rule_set_destroy(set);
}
END_TEST

/* Nested as deep as conditions may be, the stack of the machine suffices. */
START_TEST(deepest_condition_runs)
{
    char text[16384] = "conditions:\n";
    size_t length = strlen(text);
    for (int i = 0; i < 5; i++)
        length += (size_t)snprintf(
            text + length, sizeof(text) - length,
            "  c%d: message.size > 0 and (message.size > 1 and (message.size > 2 and (message.size "
            "> 3 and (message.size > 4 and (message.size > 5 and (message.size > 6 and (not (c%d)"
            ")))))))\n",
            i, i + 1);
    (void)snprintf(text + length, sizeof(text) - length,
                   "  c5: trunk.trusted\nrules: [{id: r, when: c0, score: 1}]\n");
    struct rule_set *set = parse(text);
    give("message.size", rule_integer(9));
    give("trunk.trusted", rule_flag(false));
    evaluate(set);
    ck_assert_uint_eq(outcome.fired_total, 1);
    rule_set_destroy(set);
}
END_TEST

START_TEST(without_header_callback_no_header_is_there)
{
    struct rule_set *set = condition("not has_header(\"X-A\")");
    const struct rule_inputs inputs = {.context = &call, .fetch = fixture_fetch};
    rule_set_evaluate(set, scratch, &inputs, NOW_US, NULL, &outcome);
    ck_assert_uint_eq(outcome.fired_total, 1);
    rule_set_destroy(set);
}
END_TEST

/* A ratio that came from a division by zero is no value. */
START_TEST(not_a_number_is_unknown)
{
    struct rule_set *set = condition("test.share == 0.5");
    give("test.share", rule_ratio(__builtin_nan("")));
    evaluate(set);
    ck_assert_uint_eq(outcome.unknown_total, 1);
    rule_set_destroy(set);
}
END_TEST

START_TEST(set_contains_a_text)
{
    static const struct slice texts[] = {SLICE_LITERAL("a"), SLICE_LITERAL("b")};
    struct rule_set *set = condition("test.words contains \"b\"");
    give("test.words", rule_text_values(texts, 2));
    evaluate(set);
    ck_assert_uint_eq(outcome.fired_total, 1);
    rule_set_destroy(set);
}
END_TEST

START_TEST(regex_sees_at_most_256_bytes)
{
    static char text[257];
    struct rule_set *set = condition("caller.display matches /^a+$/");
    memset(text, 'a', sizeof(text));
    give("caller.display", rule_text(slice_make(text, 256)));
    evaluate(set);
    ck_assert_uint_eq(outcome.fired_total, 1);
    ck_assert_uint_eq(outcome.regex_too_long, 0);
    give("caller.display", rule_text(slice_make(text, 257)));
    evaluate(set);
    ck_assert_uint_eq(outcome.unknown_total, 1);
    ck_assert_uint_eq(outcome.regex_too_long, 1);
    rule_set_destroy(set);
}
END_TEST

/* Exponential backtracking, which a display name of 200 letters would let run for years. */
START_TEST(hostile_subject_ends_at_the_limit)
{
    static char text[200];
    struct rule_set *set = condition("caller.display matches /^(a|a)*(b|c)*a*$/");
    memset(text, 'a', sizeof(text));
    text[199] = '!';
    give("caller.display", rule_text(slice_make(text, sizeof(text))));
    evaluate(set);
    ck_assert_uint_eq(outcome.unknown_total, 1);
    ck_assert_uint_eq(outcome.regex_limited, 1);
    rule_set_destroy(set);
}
END_TEST

START_TEST(overload_skips_regexes)
{
    struct rule_set *set = condition("caller.display matches /a/ or trunk.trusted");
    struct rule_inputs inputs = fixture_inputs(&call);
    inputs.skip_regex = true;
    give("caller.display", rule_text(SLICE("a")));
    give("trunk.trusted", rule_flag(false));
    rule_set_evaluate(set, scratch, &inputs, NOW_US, NULL, &outcome);
    ck_assert_uint_eq(outcome.unknown_total, 1);
    ck_assert_uint_eq(outcome.regex_skipped, 1);
    rule_set_destroy(set);
}
END_TEST

START_TEST(invalid_utf8_subject_is_harmless)
{
    struct rule_set *set = condition("caller.display matches /loan/i");
    give("caller.display", rule_text(SLICE("\xff\xfe LOAN \xc3")));
    evaluate(set);
    ck_assert_uint_eq(outcome.fired_total, 1);
    rule_set_destroy(set);
}
END_TEST

START_TEST(empty_subject_without_memory)
{
    struct rule_set *set =
        condition("caller.display matches /^$/ and not caller.display contains \"a\"");
    give("caller.display", rule_text(slice_make(NULL, 0)));
    evaluate(set);
    ck_assert_uint_eq(outcome.fired_total, 1);
    rule_set_destroy(set);
}
END_TEST

START_TEST(type_is_of_the_most_points)
{
    struct rule_set *set = parse("rules:\n"
                                 "  - {id: a, when: true, score: 10, type: one}\n"
                                 "  - {id: b, when: true, score: 30, type: two}\n"
                                 "  - {id: c, when: true, score: 30, type: three}\n"
                                 "  - {id: d, when: true, score: 40}\n"
                                 "  - {id: e, when: true, score: 50, type: four, mode: shadow}\n");
    evaluate(set);
    ck_assert_int_eq(outcome.live.type_rule, 1);
    ck_assert_int_eq(outcome.shadow.type_rule, 4);
    ck_assert_int_eq(outcome.live.score, 100);
    ck_assert_ptr_null(outcome.live.action);
    rule_set_destroy(set);
}
END_TEST

START_TEST(points_below_zero_name_no_type)
{
    struct rule_set *set = parse("rules: [{id: a, when: true, score: -10, type: one}]");
    evaluate(set);
    ck_assert_int_eq(outcome.live.type_rule, RULE_NONE);
    ck_assert_int_eq(outcome.live.score, 0);
    rule_set_destroy(set);
}
END_TEST

START_TEST(decision_says_where_it_stems_from)
{
    struct rule_set *set = parse("rules: [{id: a, when: trunk.trusted, score: 40,\n"
                                 "         action: {do: block, with: 403}}]\n"
                                 "policy: [{at: 0, do: tag}, {at: 90, do: block}]\n");
    give("trunk.trusted", rule_flag(false));
    evaluate(set);
    ck_assert_int_eq(outcome.live.step, 0);
    ck_assert_int_eq(outcome.live.action_rule, RULE_NONE);
    give("trunk.trusted", rule_flag(true));
    evaluate(set);
    ck_assert_int_eq(outcome.live.step, 0);
    ck_assert_int_eq(outcome.live.action_rule, 0);
    ck_assert_int_eq(outcome.live.action->profile, RULE_PROFILE_403);
    rule_set_destroy(set);
}
END_TEST

/* More rules than an outcome lists: all count, the first ones are named. */
START_TEST(lists_of_an_outcome_are_bounded)
{
    static char text[16384];
    strcpy(text, "rules:\n");
    for (int i = 0; i < 100; i++) {
        char line[128];
        (void)snprintf(line, sizeof(line),
                       "  - {id: a%d, when: true, score: 1}\n"
                       "  - {id: b%d, when: trunk.trusted, score: 1}\n",
                       i, i);
        strcat(text, line);
    }
    struct rule_set *set = parse(text);
    evaluate(set);
    ck_assert_uint_eq(outcome.fired_total, 100);
    ck_assert_uint_eq(outcome.fired_count, RULE_FIRED_MAX);
    ck_assert_uint_eq(outcome.unknown_total, 100);
    ck_assert_uint_eq(outcome.unknown_count, RULE_UNKNOWN_MAX);
    ck_assert_int_eq(outcome.live.score, 100);
    rule_set_destroy(set);
}
END_TEST

static void collect(void *context, uint32_t rule, enum rule_result result)
{
    ((enum rule_result *)context)[rule] = result;
}

START_TEST(trace_tells_about_every_rule)
{
    static const enum rule_result expected[] = {RULE_TRUE,   RULE_FALSE,   RULE_UNKNOWN,
                                                RULE_IS_OFF, RULE_EXPIRED, RULE_NOT_STARTED};
    enum rule_result results[6];
    const struct rule_trace trace = {results, collect};
    const struct rule_inputs inputs = fixture_inputs(&call);
    struct rule_set *set = parse("rules:\n"
                                 "  - {id: a, when: true, score: 1}\n"
                                 "  - {id: b, when: false, score: 1}\n"
                                 "  - {id: c, when: trunk.trusted, score: 1}\n"
                                 "  - {id: d, when: true, score: 1, mode: off}\n"
                                 "  - {id: e, when: true, score: 1, expires: 2026-01-01}\n"
                                 "  - {id: f, when: true, score: 1, starts: 2027-01-01}\n");
    rule_set_evaluate(set, scratch, &inputs, NOW_US, &trace, &outcome);
    for (size_t i = 0; i < 6; i++)
        ck_assert_str_eq(rule_result_name(results[i]), rule_result_name(expected[i]));
    rule_set_destroy(set);
}
END_TEST

/* Membership against a table that is kept beside it. */
START_TEST(long_lists_find_what_was_put_in)
{
    enum { NUMBERS = 20000 };
    static char text[NUMBERS * 20 + 256];
    static bool listed[NUMBERS];
    char *end = text + sprintf(text, "lists:\n  l:\n    numbers:\n      - '+8613*'\n");
    for (unsigned i = 0; i < NUMBERS; i += 3) {
        end += sprintf(end, "      - %u\n", 44000000 + i * 7919 % NUMBERS);
        listed[i * 7919 % NUMBERS] = true;
    }
    (void)sprintf(end, "rules: [{id: r, when: caller.number in l, score: 1}]\n");
    struct rule_set *set = parse(text);
    for (unsigned i = 0; i < NUMBERS; i++) {
        char number[16];
        int length = snprintf(number, sizeof(number), "+%u", 44000000 + i);
        give("caller.number", rule_number(slice_make(number, (size_t)length)));
        evaluate(set);
        ck_assert_msg((outcome.fired_total == 1) == listed[i], "%s", number);
    }
    give("caller.number", rule_number(SLICE("+861300000000")));
    evaluate(set);
    ck_assert_uint_eq(outcome.fired_total, 1);
    rule_set_destroy(set);
}
END_TEST

/* The country follows from the number, as the numbering plan would have it. */
static void derive(void *context, struct rule_value *values, size_t count)
{
    unsigned *calls = context;
    const struct rule_value *number = &values[feature("caller.number")];
    ck_assert_uint_eq(count, fixture_catalogue.count);
    (*calls)++;
    if (number->known && slice_starts_with(number->text, SLICE("+86")))
        values[feature("caller.country")] = rule_text(SLICE("CN"));
}

START_TEST(tests_of_rules_see_what_follows)
{
    struct conf_report *report = NULL;
    struct rule_test_result result;
    unsigned calls = 0;
    struct rule_set *set =
        parse("rules:\n"
              "  - id: r\n"
              "    score: 1\n"
              "    mode: off\n"
              "    expires: 2020-01-01\n"
              "    when: 'caller.country == \"CN\" and not has_header(\"X-A\")'\n"
              "    tests:\n"
              "      - {given: {caller.number: '+8613800138000'}, expect: fires}\n"
              "      - {given: {caller.number: '+8613800138000', caller.country: GB}, expect: no}\n"
              "      - {given: {caller.number: '+8613800138000', caller.country: null}, expect: "
              "unknown}\n"
              "      - {given: {caller.number: '+86138', header.x-a: b}, expect: no}\n"
              "      - {given: {caller.number: '+86138', 'header(\"X-B\")': b}, expect: fires}\n");
    ck_assert_int_eq(conf_report_create(&report), 0);
    ck_assert_int_eq(rule_set_run_tests(set, derive, &calls, report, &result), 0);
    ck_assert_uint_eq(result.passed, 5);
    ck_assert_uint_eq(calls, 5);
    conf_report_destroy(report);
    rule_set_destroy(set);
}
END_TEST

START_TEST(failed_tests_are_counted)
{
    struct conf_report *report = NULL;
    struct rule_test_result result;
    struct rule_set *set = parse("rules: [{id: r, score: 1, when: trunk.trusted, tests: [\n"
                                 "  {given: {}, expect: fires},\n"
                                 "  {given: {trunk.trusted: true}, expect: fires}]}]\n");
    ck_assert_int_eq(conf_report_create(&report), 0);
    ck_assert_int_eq(rule_set_run_tests(set, NULL, NULL, report, &result), ERROR_CONFIG);
    ck_assert_uint_eq(result.passed, 1);
    ck_assert_uint_eq(result.failed, 1);
    ck_assert_uint_eq(conf_report_count(report, CONF_ERROR), 1);
    conf_report_destroy(report);
    rule_set_destroy(set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules/evaluate");
    TCase *tests = tcase_create("evaluate");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, rollout_is_a_share_of_calls);
    tcase_add_test(tests, demoted_rule_is_in_shadow);
    tcase_add_test(tests, scorecard_tells_its_parts);
    tcase_add_test(tests, deepest_condition_runs);
    tcase_add_test(tests, and_stops_at_false);
    tcase_add_test(tests, and_goes_on_at_unknown);
    tcase_add_test(tests, or_stops_at_true);
    tcase_add_test(tests, else_stops_at_known);
    tcase_add_test(tests, unknown_features_are_named);
    tcase_add_test(tests, unknown_that_decides_nothing_is_not_named);
    tcase_add_test(tests, absent_header_is_unknown);
    tcase_add_test(tests, without_header_callback_no_header_is_there);
    tcase_add_test(tests, not_a_number_is_unknown);
    tcase_add_test(tests, set_contains_a_text);
    tcase_add_test(tests, regex_sees_at_most_256_bytes);
    tcase_add_test(tests, hostile_subject_ends_at_the_limit);
    tcase_add_test(tests, overload_skips_regexes);
    tcase_add_test(tests, invalid_utf8_subject_is_harmless);
    tcase_add_test(tests, empty_subject_without_memory);
    tcase_add_test(tests, type_is_of_the_most_points);
    tcase_add_test(tests, points_below_zero_name_no_type);
    tcase_add_test(tests, decision_says_where_it_stems_from);
    tcase_add_test(tests, lists_of_an_outcome_are_bounded);
    tcase_add_test(tests, trace_tells_about_every_rule);
    tcase_add_test(tests, long_lists_find_what_was_put_in);
    tcase_add_test(tests, tests_of_rules_see_what_follows);
    tcase_add_test(tests, failed_tests_are_counted);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
