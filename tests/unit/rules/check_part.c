/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"
#include "fixture.h"
#include "rules/part.h"

static struct rule_scratch *scratch;
static struct arena *arena;
static struct fixture_call call;

static void setup(void)
{
    ck_assert_int_eq(rule_scratch_create(&scratch), 0);
    ck_assert_int_eq(arena_create(4096, 0, &arena), 0);
    memset(&call, 0, sizeof(call));
}

static void teardown(void)
{
    rule_scratch_destroy(scratch);
    arena_destroy(arena);
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

static struct rule_set *condition(const char *when)
{
    char text[2048];
    (void)snprintf(text, sizeof(text),
                   "lists:\n  gold: {numbers: [\"+8613800138000\"]}\n"
                   "  home: {networks: [\"10.0.0.0/8\"]}\n"
                   "tables:\n  cost: {value: integer, prefixes: {\"+86\": 1}}\n"
                   "rules:\n  - id: r\n    score: 10\n    when: >\n      %s\n",
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

/* "all(caller.valid=unknown, not(...=true)=false)=false" */
static void describe(struct buffer *out, const struct rule_part *part)
{
    static const char *const kinds[] = {
        [RULE_PART_ALL] = "all", [RULE_PART_ANY] = "any", [RULE_PART_NOT] = "not"};
    if (part->kind == RULE_PART_TEST) {
        buffer_append(out, part->text);
    } else {
        buffer_append_text(out, kinds[part->kind]);
        buffer_append_char(out, '(');
        for (const struct rule_part *child = part->first; child != NULL; child = child->next) {
            if (child != part->first)
                buffer_append_literal(out, ", ");
            describe(out, child);
        }
        buffer_append_char(out, ')');
    }
    buffer_append_text(out, part->result == RULE_TRUE    ? "=1"
                            : part->result == RULE_FALSE ? "=0"
                                                         : "=?");
}

static const struct {
    const char *when;
    const char *parts;
} rows[] = {
    {"caller.valid", "caller.valid=1"},
    {"not caller.valid", "not(caller.valid=1)=0"},
    {"caller.country == \"CN\"", "caller.country == \"CN\"=0"},
    {"caller.country == \"GB\" and test.calls > 5 and caller.kind != \"voip\"",
     "all(caller.country == \"GB\"=1, test.calls > 5=1, caller.kind != \"voip\"=?)=?"},
    {"caller.valid and (test.calls > 20 or caller.country in [\"GB\", \"FR\"])",
     "all(caller.valid=1, any(test.calls > 20=0, caller.country in [\"GB\", \"FR\"]=1)=1)=1"},
    {"(caller.valid and caller.anonymous) or test.calls == 12",
     "any(all(caller.valid=1, caller.anonymous=?)=?, test.calls == 12=1)=1"},
    {"(caller.anonymous or else false) or caller.valid",
     "any(caller.anonymous or else false=0, caller.valid=1)=1"},
    {"reputation.score or else test.calls or else 3 > 11",
     "reputation.score or else test.calls or else 3 > 11=1"},
    {"known(reputation.score)", "known(reputation.score)=0"},
    {"not (known(reputation.score) or caller.number in gold)",
     "not(any(known(reputation.score)=0, caller.number in gold=0)=0)=1"},
    {"test.calls * 2 - 4 >= 20", "((test.calls * 2) - 4) >= 20=1"},
    {"lookup(caller.number, cost) == 1", "lookup(caller.number, cost) == 1=?"},
    {"caller.number starts_with [\"+44\", \"+33\"]",
     "caller.number starts_with [\"+44\", \"+33\"]=1"},
    {"caller.display contains \"say \\\"hi\\\"\"", "caller.display contains \"say \\\"hi\\\"\"=?"},
    {"caller.number matches /^\\+44/", "caller.number matches /^\\+44/=1"},
    {"header(\"X-A\") == \"b\" or has_header(\"X-B\")",
     "any(header(\"X-A\") == \"b\"=?, has_header(\"X-B\")=0)=?"},
    {"test.source in home", "test.source in home=1"},
    {"test.source in [\"10.0.0.0/8\"]", "test.source in [10.0.0.0 - 10.255.255.255]=1"},
    {"test.age < 90m and test.share > 20%", "all(test.age < 1h30m=1, test.share > 20%=1)=1"},
    {"any(caller.number, diverting.number) == \"+4420\"",
     "any(caller.number == \"+4420\"=0, diverting.number == \"+4420\"=?)=?"},
};

static void a_call(void)
{
    static const struct rule_address source = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}};
    give("caller.valid", rule_flag(true));
    give("caller.country", rule_text(SLICE("GB")));
    give("caller.number", rule_number(SLICE("+442071838750")));
    give("test.calls", rule_integer(12));
    give("test.age", rule_duration(60000000));
    give("test.share", rule_ratio(0.5));
    give("test.source", rule_address(source));
}

START_TEST(conditions_come_apart)
{
    const struct rule_inputs inputs = fixture_inputs(&call);
    struct rule_set *set = condition(rows[_i].when);
    struct rule_part *root = NULL;
    struct rule_outcome outcome;
    char memory[1024];
    struct buffer text = buffer_over(memory, sizeof(memory) - 1);
    a_call();
    ck_assert_int_eq(rule_set_parts(set, 0, arena, &root), 0);
    rule_set_run_parts(set, scratch, &inputs, 0, root);
    describe(&text, root);
    memory[text.length] = '\0';
    ck_assert_str_eq(memory, rows[_i].parts);
    rule_set_evaluate(set, scratch, &inputs, 0, NULL, &outcome);
    ck_assert_int_eq(root->result == RULE_TRUE, outcome.fired_count == 1);
    ck_assert_int_eq(root->result == RULE_UNKNOWN, outcome.unknown_count == 1);
    rule_set_destroy(set);
}
END_TEST

START_TEST(named_conditions_and_groups_stand_in_full)
{
    struct rule_set *set = parse("conditions:\n  home: 'caller.country == \"CN\"'\n"
                                 "groups:\n  - id: g\n    when: caller.valid\n    rules:\n"
                                 "      - {id: r, when: not home, unless: caller.anonymous, "
                                 "score: 1}\n");
    const struct rule_inputs inputs = fixture_inputs(&call);
    struct rule_part *root = NULL;
    char memory[256];
    struct buffer text = buffer_over(memory, sizeof(memory) - 1);
    a_call();
    ck_assert_int_eq(rule_set_parts(set, 0, arena, &root), 0);
    rule_set_run_parts(set, scratch, &inputs, 0, root);
    describe(&text, root);
    memory[text.length] = '\0';
    ck_assert_str_eq(memory, "all(caller.valid=1, not(caller.country == \"CN\"=0)=1, "
                             "not(caller.anonymous=?)=?)=?");
    rule_set_destroy(set);
}
END_TEST

START_TEST(tests_of_one_feature_have_a_shape)
{
    struct rule_set *set = condition("5 < test.calls and caller.country in [\"GB\", \"FR\"]");
    struct rule_part *root = NULL;
    ck_assert_int_eq(rule_set_parts(set, 0, arena, &root), 0);
    const struct rule_part *first = root->first;
    ck_assert_int_eq(first->shape, RULE_PART_MORE);
    ck_assert_int_eq(first->feature, feature("test.calls"));
    ck_assert_int_eq(first->values[0].integer, 5);
    ck_assert_int_eq(first->next->shape, RULE_PART_EQUAL);
    ck_assert_uint_eq(first->next->value_count, 2);
    ck_assert(rule_part_names(root, feature("caller.country")));
    ck_assert(!rule_part_names(root, feature("caller.valid")));
    rule_set_destroy(set);
}
END_TEST

static int score(const struct rule_set *set)
{
    const struct rule_inputs inputs = fixture_inputs(&call);
    struct rule_outcome outcome;
    rule_set_evaluate(set, scratch, &inputs, 0, NULL, &outcome);
    return outcome.live.score;
}

/* Whatever is altered holds in every rule that asks it, and nothing of it is left afterwards. */
START_TEST(a_set_is_altered_on_trial)
{
    struct rule_set *set =
        parse("lists:\n  gold: {numbers: [\"+442071838750\"]}\n"
              "rules:\n"
              "  - {id: a, when: caller.number in gold and caller.valid, score: 1}\n"
              "  - {id: b, when: not caller.number in gold, score: 10}\n"
              "  - {id: c, when: 'caller.valid or caller.number in gold', score: 30}\n"
              "  - {id: d, when: caller.valid, score: 50, mode: shadow}\n");
    struct rule_trial *trial = NULL;
    struct rule_part *root = NULL;
    a_call();
    ck_assert_int_eq(rule_trial_create(set, &trial), 0);
    ck_assert_int_eq(rule_set_parts(set, 0, arena, &root), 0);
    ck_assert_ptr_eq(rule_trial_set(trial), set);
    ck_assert_int_eq(score(rule_trial_set(trial)), 31);
    ck_assert_int_eq(rule_trial_turn(trial, root->first, false), 0);
    ck_assert_int_eq(score(rule_trial_set(trial)), 40);
    rule_trial_reset(trial);
    ck_assert_int_eq(score(rule_trial_set(trial)), 31);
    rule_trial_set_mode(trial, 2, RULE_OFF);
    rule_trial_set_mode(trial, 3, RULE_ENFORCE);
    ck_assert_int_eq(score(rule_trial_set(trial)), 51);
    ck_assert_int_eq(score(set), 31);
    rule_trial_reset(trial);
    call.values[feature("caller.number")] = rule_unknown(RULE_NUMBER);
    ck_assert_int_eq(rule_trial_turn(trial, root->first, true), 0);
    ck_assert_int_eq(score(rule_trial_set(trial)), 31);
    rule_trial_destroy(trial);
    rule_set_destroy(set);
}
END_TEST

static const struct {
    const char *feature;
    const char *text;
    int error;
} value_rows[] = {
    {"caller.valid", "true", 0},
    {"caller.valid", "yes", -EBADMSG},
    {"test.calls", "-12", 0},
    {"test.calls", "many", -EBADMSG},
    {"test.age", "1d30m", 0},
    {"test.age", "0s", 0},
    {"test.share", "20%", 0},
    {"caller.kind", "mobile", 0},
    {"caller.kind", "moblie", -EBADMSG},
    {"test.since", "2027-06-30T08:15:00Z", 0},
    {"test.since", "noon", -EBADMSG},
    {"test.words", "a", -EBADMSG},
    {"test.calls", "unknown", 0},
};

START_TEST(values_are_read_as_they_are_written)
{
    struct rule_value value;
    char memory[64];
    struct buffer text = buffer_over(memory, sizeof(memory) - 1);
    const struct rule_feature *row = &fixture_features[feature(value_rows[_i].feature)];
    int error = rule_value_read(row, slice_of_text(value_rows[_i].text), &value);
    ck_assert_int_eq(error, value_rows[_i].error);
    if (error != 0 || !value.known)
        return;
    rule_value_write(&text, &value);
    memory[text.length] = '\0';
    char quoted[64];
    (void)snprintf(quoted, sizeof(quoted), value.type == RULE_TEXT ? "\"%s\"" : "%s",
                   value_rows[_i].text);
    ck_assert_str_eq(memory, quoted);
}
END_TEST

START_TEST(a_long_text_is_cut_between_characters)
{
    char when[1800] = "caller.display == \"";
    for (size_t i = 0; i < 500; i++)
        strcat(when, "é");
    strcat(when, "\"");
    struct rule_set *set = condition(when);
    struct rule_part *root = NULL;
    ck_assert_int_eq(rule_set_parts(set, 0, arena, &root), 0);
    ck_assert_uint_le(root->text.length, 1024);
    ck_assert(slice_equal(slice_from(root->text, root->text.length - 3), SLICE("...")) ||
              root->text.length < 1024);
    rule_set_destroy(set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("part");
    TCase *group = tcase_create("parts");
    tcase_add_checked_fixture(group, setup, teardown);
    tcase_add_loop_test(group, conditions_come_apart, 0, sizeof(rows) / sizeof(rows[0]));
    tcase_add_test(group, named_conditions_and_groups_stand_in_full);
    tcase_add_test(group, tests_of_one_feature_have_a_shape);
    tcase_add_test(group, a_set_is_altered_on_trial);
    tcase_add_loop_test(group, values_are_read_as_they_are_written, 0,
                        sizeof(value_rows) / sizeof(value_rows[0]));
    tcase_add_test(group, a_long_text_is_cut_between_characters);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
