/* SPDX-License-Identifier: Apache-2.0 */
/* Runs on one thread. */
/*
 * The index against trying every rule. RINGFENCE_RULE_CALLS says how many random calls the
 * differential test makes (default 20000).
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/report.h"
#include "unit/rules/random_rules.h"
#include "rules/evaluate.h"
#include "rules/ruleset.h"
#include "unit/rules/same_outcome.h"

enum { TEXT_MAX = 1024 * 1024, CALLS_DEFAULT = 20000, CALLS_PER_SET = 50 };

#define NOW_US UINT64_C(1795392000000000)

static struct rule_set *parse(const char *text, size_t length)
{
    const struct rule_source source = {"index.yaml", {text, length}};
    struct conf_report *report = NULL;
    struct rule_set *set = NULL;
    ck_assert_int_eq(conf_report_create(&report), 0);
    int error = rule_set_parse(&fixture_catalogue, &source, 1, report, &set);
    if (error != 0)
        conf_report_print(report, stderr, false);
    conf_report_destroy(report);
    ck_assert_int_eq(error, 0);
    return set;
}

static struct rule_scratch *new_scratch(void)
{
    struct rule_scratch *scratch = NULL;
    ck_assert_int_eq(rule_scratch_create(&scratch), 0);
    return scratch;
}

static size_t wanted_calls(void)
{
    const char *text = getenv("RINGFENCE_RULE_CALLS");
    uint64_t calls = CALLS_DEFAULT;
    if (text != NULL)
        ck_assert_int_eq(slice_to_uint64(slice_of_text(text), UINT32_MAX, &calls), 0);
    return (size_t)calls;
}

/* Returns the rules that were tried by the index. */
static uint32_t compare(const struct rule_set *set, struct rule_scratch *scratch,
                        struct fixture_call *call, bool skip_regex)
{
    static struct rule_outcome indexed, plain;
    struct rule_inputs inputs = fixture_inputs(call);
    inputs.skip_regex = skip_regex;
    rule_set_evaluate(set, scratch, &inputs, NOW_US, NULL, &indexed);
    rule_set_evaluate_plain(set, scratch, &inputs, NOW_US, &plain);
    const char *difference = outcome_difference(&indexed, &plain);
    ck_assert_msg(difference == NULL, "%s", difference);
    return indexed.tried;
}

START_TEST(index_agrees_with_trying_every_rule)
{
    char *text = malloc(TEXT_MAX);
    struct fixture_call *call = calloc(1, sizeof(*call));
    struct rule_scratch *scratch = new_scratch();
    struct choices choices = {.count = 0};
    size_t calls = wanted_calls();
    ck_assert(text != NULL && call != NULL);
    random_seed(&choices.random, 20261123);
    for (size_t done = 0; done < calls; done += CALLS_PER_SET) {
        static const unsigned counts[] = {1, 5, 11, 40, 200};
        struct buffer file = buffer_over(text, TEXT_MAX);
        random_rules(&choices, counts[choose(&choices, 5)], &file);
        ck_assert(!file.overflow);
        struct rule_set *set = parse(text, file.length);
        for (size_t i = 0; i < CALLS_PER_SET; i++) {
            static const unsigned unknowns[] = {0, 2, 5, 20};
            random_call(&choices, unknowns[choose(&choices, 4)], call);
            compare(set, scratch, call, choose(&choices, 10) == 0);
        }
        rule_set_destroy(set);
    }
    rule_scratch_destroy(scratch);
    free(call);
    free(text);
}
END_TEST

static uint16_t feature(const char *name)
{
    uint16_t index = 0;
    ck_assert(rule_catalogue_find(&fixture_catalogue, slice_of_text(name), &index));
    return index;
}

/* count rules of one form; # stands for the rule's number. */
static struct rule_set *many(unsigned count, const char *when)
{
    char *text = malloc(TEXT_MAX);
    ck_assert(text != NULL);
    struct buffer file = buffer_over(text, TEXT_MAX);
    buffer_append_text(&file, "rules:\n");
    for (unsigned i = 0; i < count; i++) {
        buffer_format(&file, "  - {id: r%u, score: 1, when: '", i);
        for (const char *at = when; *at != '\0'; at++) {
            if (*at == '#')
                buffer_append_uint(&file, 1000 + i);
            else
                buffer_append_char(&file, *at);
        }
        buffer_append_text(&file, "'}\n");
    }
    ck_assert(!file.overflow);
    struct rule_set *set = parse(text, file.length);
    free(text);
    return set;
}

/* Rules tried of 1000 such ones, for a call with everything known, then without the number. */
static void check_tried(const char *when, unsigned most_known, unsigned most_unknown)
{
    struct fixture_call *call = calloc(1, sizeof(*call));
    struct rule_scratch *scratch = new_scratch();
    struct rule_set *set = many(1000, when);
    call->values[feature("caller.number")] = rule_number(SLICE("+861234567"));
    call->values[feature("caller.display")] = rule_text(SLICE("the bank 1234 of trust"));
    call->values[feature("caller.country")] = rule_text(SLICE("CN"));
    call->values[feature("trunk.trusted")] = rule_flag(false);
    call->values[feature("reputation.score")] = rule_integer(1234);
    ck_assert_uint_le(compare(set, scratch, call, false), most_known);
    call->values[feature("caller.number")].known = false;
    call->values[feature("caller.display")].known = false;
    call->values[feature("reputation.score")].known = false;
    ck_assert_uint_le(compare(set, scratch, call, false), most_unknown);
    rule_set_destroy(set);
    rule_scratch_destroy(scratch);
    free(call);
}

START_TEST(few_rules_are_tried)
{
    /* What is unknown for sure is not tried. */
    check_tried("caller.number == \"+86#567\"", 1, 0);
    check_tried("caller.number starts_with \"+86#\"", 1, 0);
    check_tried("caller.number starts_with [\"+86#\", \"+44#\"]", 1, 0);
    check_tried("caller.display contains \"#\"", 2, 0);
    check_tried("reputation.score == #", 1, 0);
    check_tried("reputation.score > #", 235, 0);
    /* Whether the rest of the condition holds tells which are false. */
    check_tried("caller.number starts_with \"+86#\" and caller.country == \"CN\"", 1, 0);
    check_tried("caller.number starts_with \"+86#\" and caller.country == \"GB\"", 1, 0);
    check_tried("caller.country == \"CN\" and caller.number starts_with \"+86#\" and "
                "trunk.trusted",
                1, 0);
    check_tried("caller.number == \"+86#567\" or caller.number == \"+44#\"", 1, 0);
    /* A condition that many share is asked once, and they are false with it. */
    check_tried("caller.country != \"CN\" and message.size != #", 0, 0);
}
END_TEST

START_TEST(unknown_rules_beyond_the_list_are_counted)
{
    struct fixture_call *call = calloc(1, sizeof(*call));
    struct rule_scratch *scratch = new_scratch();
    struct rule_set *set = many(1000, "caller.number == \"+86#567\"");
    struct rule_outcome outcome;
    const struct rule_inputs inputs = fixture_inputs(call);
    rule_set_evaluate(set, scratch, &inputs, NOW_US, NULL, &outcome);
    ck_assert_uint_eq(outcome.unknown_total, 1000);
    ck_assert_uint_eq(outcome.unknown_count, RULE_UNKNOWN_MAX);
    ck_assert_uint_eq(outcome.unknown[RULE_UNKNOWN_MAX - 1], RULE_UNKNOWN_MAX - 1);
    ck_assert(rule_feature_unknown(&outcome, feature("caller.number")));
    rule_set_destroy(set);
    rule_scratch_destroy(scratch);
    free(call);
}
END_TEST

START_TEST(shared_conditions_are_evaluated_once)
{
    struct fixture_call *call = calloc(1, sizeof(*call));
    struct rule_scratch *scratch = new_scratch();
    struct rule_set *set = many(1000, "caller.display matches /bank/ and message.size != #");
    call->values[feature("caller.display")] = rule_text(SLICE("the bank"));
    call->values[feature("message.size")] = rule_integer(7);
    compare(set, scratch, call, false);
    struct rule_outcome outcome;
    struct rule_inputs inputs = fixture_inputs(call);
    inputs.skip_regex = true;
    rule_set_evaluate(set, scratch, &inputs, NOW_US, NULL, &outcome);
    ck_assert_uint_eq(outcome.regex_skipped, 1);
    ck_assert_uint_eq(outcome.unknown_total, 1000);
    rule_set_destroy(set);
    rule_scratch_destroy(scratch);
    free(call);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("index");
    TCase *tests = tcase_create("index");
    tcase_set_timeout(tests, 3600);
    tcase_add_test(tests, index_agrees_with_trying_every_rule);
    tcase_add_test(tests, few_rules_are_tried);
    tcase_add_test(tests, unknown_rules_beyond_the_list_are_counted);
    tcase_add_test(tests, shared_conditions_are_evaluated_once);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
