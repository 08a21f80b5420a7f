/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/report.h"
#include "config/schema.h"
#include "fixture.h"
#include "rules/ruleset.h"
#include "rules/schema.h"

static struct conf_report *report;

static void setup(void)
{
    ck_assert_int_eq(conf_report_create(&report), 0);
}

static void teardown(void)
{
    conf_report_destroy(report);
}

/* Files "0", "1", ... from texts. */
static int parse(struct rule_set **set, size_t count, const char *const *texts)
{
    static const char *const names[] = {"first.yaml", "second.yaml", "third.yaml"};
    struct rule_source sources[3];
    ck_assert_uint_le(count, 3);
    for (size_t i = 0; i < count; i++)
        sources[i] = (struct rule_source){names[i], slice_of_text(texts[i])};
    return rule_set_parse(&fixture_catalogue, sources, count, report, set);
}

static struct rule_set *parse_one(const char *text)
{
    struct rule_set *set = NULL;
    int error = parse(&set, 1, &text);
    if (error != 0)
        conf_report_print(report, stderr, false);
    ck_assert_int_eq(error, 0);
    return set;
}

static void keep_message(const struct conf_problem *problem, void *argument)
{
    char *memory = argument;
    if (memory[0] == '\0')
        (void)snprintf(memory, 512, "%s:%u:%u: %s", problem->file, problem->line, problem->column,
                       problem->message);
}

/* The files are refused with this as the first problem. */
static void refused(size_t count, const char *const *texts, const char *message)
{
    struct rule_set *set = NULL;
    char memory[512] = "";
    ck_assert_int_eq(parse(&set, count, texts), ERROR_CONFIG);
    ck_assert_ptr_null(set);
    conf_report_each(report, keep_message, memory);
    ck_assert_str_eq(memory, message);
}

START_TEST(rule_has_what_was_written)
{
    struct rule_set *set = parse_one("rules:\n"
                                     "  - id: loan-words\n"
                                     "    title: {en: Loan words, zh: 贷款}\n"
                                     "    when: 'caller.display contains \"loan\"'\n"
                                     "    score: -20\n"
                                     "    type: loan\n"
                                     "    mode: shadow\n"
                                     "    starts: 2026-01-01\n"
                                     "    expires: 2026-01-02T00:00:00+08:00\n"
                                     "    owner: desk\n"
                                     "    ticket: OPS-7\n"
                                     "    tests: [{given: {}, expect: unknown}]\n");
    const struct rule_info *rule = rule_set_rule(set, 0);
    ck_assert_uint_eq(rule_set_count(set), 1);
    ck_assert_str_eq(rule->id, "loan-words");
    ck_assert_str_eq(rule->title_en, "Loan words");
    ck_assert_str_eq(rule->title_zh, "贷款");
    ck_assert_str_eq(rule->when, "caller.display contains \"loan\"");
    ck_assert_str_eq(rule->type, "loan");
    ck_assert_str_eq(rule->owner, "desk");
    ck_assert_str_eq(rule->ticket, "OPS-7");
    ck_assert_int_eq(rule->score, -20);
    ck_assert_int_eq(rule->mode, RULE_SHADOW);
    ck_assert_int_eq(rule->starts_us, INT64_C(1767225600000000));
    ck_assert_int_eq(rule->expires_us, INT64_C(1767283200000000));
    ck_assert_ptr_null(rule->action);
    ck_assert_uint_eq(rule->test_count, 1);
    ck_assert_str_eq(rule->place.file, "first.yaml");
    ck_assert_uint_eq(rule->place.line, 2);
    ck_assert_uint_eq(rule->place.column, 9);
    rule_set_destroy(set);
}
END_TEST

START_TEST(what_is_left_out_has_defaults)
{
    struct rule_set *set =
        parse_one("rules: [{id: a, title: Plain, when: trunk.trusted, score: 1}]");
    const struct rule_info *rule = rule_set_rule(set, 0);
    ck_assert_str_eq(rule->title_en, "Plain");
    ck_assert_str_eq(rule->title_zh, "");
    ck_assert_str_eq(rule->type, "");
    ck_assert_int_eq(rule->mode, RULE_ENFORCE);
    ck_assert(rule->starts_us == INT64_MIN);
    ck_assert(rule->expires_us == INT64_MAX);
    rule_set_destroy(set);
}
END_TEST

START_TEST(rules_are_found_by_id)
{
    struct rule_set *set = parse_one("rules:\n"
                                     "  - {id: a, when: trunk.trusted, score: 1}\n"
                                     "  - {id: b, when: trunk.trusted, score: 1}\n");
    ck_assert_int_eq(rule_set_find(set, SLICE("b")), 1);
    ck_assert_int_eq(rule_set_find(set, SLICE("c")), RULE_NONE);
    rule_set_destroy(set);
}
END_TEST

START_TEST(used_features_are_known)
{
    struct rule_set *set = parse_one("rules: [{id: a, when: known(caller.region), score: 1}]");
    uint16_t region = 0, country = 0;
    ck_assert(rule_catalogue_find(&fixture_catalogue, SLICE("caller.region"), &region));
    ck_assert(rule_catalogue_find(&fixture_catalogue, SLICE("caller.country"), &country));
    ck_assert(rule_set_uses(set, region));
    ck_assert(!rule_set_uses(set, country));
    rule_set_destroy(set);
}
END_TEST

START_TEST(policy_is_sorted)
{
    struct rule_set *set = parse_one("policy:\n"
                                     "  - {at: 90, do: block, with: 603+}\n"
                                     "  - {at: 40, do: tag}\n"
                                     "  - {at: 60, do: limit, rate: 3/10s, per: rule, else: 486}\n"
                                     "  - {at: 70, do: divert, to: desk}\n"
                                     "  - {at: 80, do: divert, to: 'SIP:ivr@10.0.0.9'}\n"
                                     "  - {at: 85, do: block}\n");
    ck_assert_uint_eq(rule_set_step_count(set), 6);
    const struct rule_action *limit = &rule_set_step(set, 1)->action;
    ck_assert_int_eq(rule_set_step(set, 0)->at, 40);
    ck_assert_int_eq(limit->kind, RULE_LIMIT);
    ck_assert_uint_eq(limit->rate_count, 3);
    ck_assert_uint_eq(limit->rate_period_us, 10000000);
    ck_assert_int_eq(limit->rate_per, RULE_PER_RULE);
    ck_assert_uint_eq(limit->rate_code, 486);
    ck_assert_int_eq(rule_set_step(set, 2)->action.target_kind, RULE_TARGET_TRUNK);
    ck_assert_str_eq(rule_set_step(set, 2)->action.target, "desk");
    ck_assert_uint_eq(rule_set_step(set, 2)->action.target_place.line, 5);
    ck_assert_int_eq(rule_set_step(set, 3)->action.target_kind, RULE_TARGET_URI);
    ck_assert_int_eq(rule_set_step(set, 4)->action.profile, RULE_PROFILE_603);
    ck_assert_int_eq(rule_set_step(set, 5)->action.profile, RULE_PROFILE_603_PLUS);
    rule_set_destroy(set);
}
END_TEST

START_TEST(milder_step_above_is_a_warning)
{
    struct rule_set *set = parse_one("policy: [{at: 50, do: block}, {at: 90, do: tag}]");
    ck_assert_uint_eq(conf_report_count(report, CONF_WARNING), 1);
    rule_set_destroy(set);
}
END_TEST

START_TEST(number_without_plus_is_a_warning)
{
    char memory[512] = "";
    struct rule_set *set =
        parse_one("rules:\n  - {id: a, when: 'caller.number starts_with \"86170\"', score: 1}\n");
    ck_assert_uint_eq(conf_report_count(report, CONF_WARNING), 1);
    conf_report_each(report, keep_message, memory);
    ck_assert_str_eq(memory, "first.yaml:2:46: rule \"a\": caller.number is a normalised number, "
                             "which begins with +; \"86170\" does not");
    rule_set_destroy(set);
}
END_TEST

/* The only problem is this warning. */
static void warned(const char *text, const char *message)
{
    char memory[512] = "";
    struct rule_set *set = parse_one(text);
    ck_assert_uint_eq(conf_report_count(report, CONF_WARNING), 1);
    conf_report_each(report, keep_message, memory);
    ck_assert_str_eq(memory, message);
    rule_set_destroy(set);
}

START_TEST(empty_list_is_a_warning)
{
    warned("lists: {vip: {numbers: []}}\n"
           "rules:\n  - {id: a, when: 'caller.valid and caller.number in vip', score: 1}\n",
           "first.yaml:3:54: rule \"a\": the list vip is empty, so this can never be true");
}
END_TEST

START_TEST(exemption_by_an_empty_list_is_none)
{
    struct rule_set *set =
        parse_one("lists: {vip: {numbers: []}}\n"
                  "rules: [{id: a, when: 'caller.valid', unless: caller.number in vip, score: 1}]");
    ck_assert_uint_eq(conf_report_count(report, CONF_WARNING), 0);
    rule_set_destroy(set);
}
END_TEST

START_TEST(literal_that_stands_twice_is_a_warning)
{
    warned("rules:\n  - {id: a, when: 'caller.country in [\"CN\", \"HK\", \"CN\"]', score: 1}\n",
           "first.yaml:2:51: rule \"a\": \"CN\" stands here twice");
}
END_TEST

START_TEST(prefix_behind_a_shorter_one_is_a_warning)
{
    warned(
        "rules:\n  - {id: a, when: 'caller.number starts_with [\"+86\", \"+8617\"]', score: 1}\n",
        "first.yaml:2:54: rule \"a\": what starts with \"+8617\" also starts with \"+86\"");
}
END_TEST

START_TEST(network_within_another_is_a_warning)
{
    warned("lists:\n  lab: {networks: [10.0.0.0/8, 10.1.0.0/16]}\n",
           "first.yaml:2:32: list \"lab\": a network above holds all of \"10.1.0.0/16\"");
}
END_TEST

START_TEST(entry_of_a_table_twice_is_a_warning)
{
    warned("tables:\n  fee: {value: integer, numbers: {'+441': 2, '441': 2}}\n",
           "first.yaml:2:46: table \"fee\": \"441\" stands here twice");
}
END_TEST

START_TEST(rollout_in_shadow_is_a_warning)
{
    warned("rules:\n  - {id: a, when: caller.valid, score: 1, mode: shadow, rollout: 5%}\n",
           "first.yaml:2:66: \"rollout\" means nothing in mode shadow");
}
END_TEST

START_TEST(life_has_what_was_written)
{
    struct rule_set *set = parse_one("rules:\n"
                                     "  - id: a\n"
                                     "    when: caller.valid\n"
                                     "    unless: trunk.trusted\n"
                                     "    score: 1\n"
                                     "    rollout: 12.5%\n"
                                     "    budget: 100/min\n");
    const struct rule_info *rule = rule_set_rule(set, 0);
    ck_assert_str_eq(rule->unless, "trunk.trusted");
    ck_assert_str_eq(rule->group, "");
    ck_assert_uint_eq(rule->rollout, 1250);
    ck_assert_uint_eq(rule->budget.calls, 100);
    ck_assert_uint_eq(rule->budget.period_us, 60000000);
    rule_set_destroy(set);
}
END_TEST

START_TEST(group_speaks_for_its_rules)
{
    struct rule_set *set =
        parse_one("groups:\n"
                  "  - id: g\n"
                  "    type: loan\n"
                  "    mode: shadow\n"
                  "    owner: desk\n"
                  "    ticket: OPS-7\n"
                  "    expires: 2027-01-01\n"
                  "    rules:\n"
                  "      - {id: a, when: caller.valid, score: 1}\n"
                  "      - {id: b, when: caller.valid, score: 1, type: bank, mode: enforce,\n"
                  "         owner: me, ticket: OPS-8, expires: 2028-01-01}\n");
    const struct rule_info *a = rule_set_rule(set, 0);
    const struct rule_info *b = rule_set_rule(set, 1);
    ck_assert_str_eq(a->group, "g");
    ck_assert_str_eq(a->type, "loan");
    ck_assert_str_eq(a->owner, "desk");
    ck_assert_str_eq(a->ticket, "OPS-7");
    ck_assert_int_eq(a->mode, RULE_SHADOW);
    ck_assert_int_eq(a->expires_us, INT64_C(1798761600000000));
    ck_assert_str_eq(b->type, "bank");
    ck_assert_str_eq(b->owner, "me");
    ck_assert_str_eq(b->ticket, "OPS-8");
    ck_assert_int_eq(b->mode, RULE_ENFORCE);
    ck_assert_int_eq(b->expires_us, INT64_C(1830297600000000));
    rule_set_destroy(set);
}
END_TEST

START_TEST(budgets_of_trunks_are_found)
{
    struct rule_set *set = parse_one("budgets:\n"
                                     "  - {trunk: sbc-a, blocks: 100/min}\n"
                                     "  - {trunk: '*', blocks: 5/s}\n");
    ck_assert_uint_eq(rule_set_budget_count(set), 2);
    ck_assert_uint_eq(rule_set_find_budget(set, SLICE("sbc-a"))->blocks.calls, 100);
    ck_assert_uint_eq(rule_set_find_budget(set, SLICE("sbc-b"))->blocks.calls, 5);
    ck_assert_uint_eq(rule_set_budget(set, 0)->place.line, 2);
    rule_set_destroy(set);
}
END_TEST

START_TEST(trunk_without_a_budget_has_none)
{
    struct rule_set *set = parse_one("budgets: [{trunk: sbc-a, blocks: 100/min}]");
    ck_assert_ptr_null(rule_set_find_budget(set, SLICE("sbc-b")));
    rule_set_destroy(set);
}
END_TEST

START_TEST(same_budget_in_two_files)
{
    static const char *const texts[] = {"budgets: [{trunk: a, blocks: 1/s}]",
                                        "budgets:\n  - {trunk: a, blocks: 2/s}\n"};
    refused(2, texts,
            "second.yaml:2:13: there is another budget for this trunk in first.yaml, line 1");
}
END_TEST

START_TEST(same_condition_in_two_files)
{
    static const char *const texts[] = {"conditions: {c: caller.valid}",
                                        "conditions:\n  c: caller.valid\n"};
    refused(
        2, texts,
        "second.yaml:2:3: condition \"c\" is defined twice; the first is in first.yaml, line 1");
}
END_TEST

/* The condition is wrong where it stands; the rules that name it are not. */
START_TEST(wrong_condition_is_reported_once)
{
    static const char *const texts[] = {
        "rules: [{id: a, when: c, score: 1}, {id: b, when: not c, score: 1}]",
        "conditions:\n  c: caller.vald\n",
    };
    refused(2, texts, "second.yaml:2:6: condition \"c\": there is no feature \"caller.vald\"");
    ck_assert_uint_eq(conf_report_count(report, CONF_ERROR), 1);
}
END_TEST

START_TEST(expired_rule_is_reviewed)
{
    static const char *const text =
        "rules:\n"
        "  - {id: a, when: caller.valid, score: 1, expires: 2026-01-01}\n"
        "  - {id: b, when: caller.valid, score: 1, expires: 2028-01-01}\n"
        "  - {id: c, when: caller.valid, score: 1}\n";
    char memory[512] = "";
    struct rule_set *set = parse_one(text);
    rule_set_review(set, UINT64_C(1795392000000000), report);
    ck_assert_uint_eq(conf_report_count(report, CONF_WARNING), 1);
    conf_report_each(report, keep_message, memory);
    ck_assert_str_eq(memory, "first.yaml:2:52: rule \"a\" has expired and changes no call");
    rule_set_destroy(set);
}
END_TEST

/* One warning, as first.yaml has it at 2026-11-23. */
static void reviewed(const char *text, const char *message)
{
    char memory[512] = "";
    struct rule_set *set = parse_one(text);
    rule_set_review(set, UINT64_C(1795392000000000), report);
    ck_assert_uint_eq(conf_report_count(report, CONF_WARNING), 1);
    conf_report_each(report, keep_message, memory);
    ck_assert_str_eq(memory, message);
    rule_set_destroy(set);
}

START_TEST(expired_list_entries_are_reviewed)
{
    reviewed("lists:\n"
             "  l:\n"
             "    numbers: ['+8613800138000,2027-01-01', '+8613800138001',\n"
             "              '+8613800138002,2026-01-01', '+86139*,2026-01-01',\n"
             "              '+8615000..+8615999,7,2026-11-23']\n",
             "first.yaml:2:3: list \"l\": 3 entries have expired and hold for no call");
}
END_TEST

START_TEST(one_expired_list_entry_is_reviewed)
{
    reviewed("lists: {l: {numbers: ['+8613800138000,2026-01-01']}}\n",
             "first.yaml:1:9: list \"l\": 1 entry has expired and holds for no call");
}
END_TEST

START_TEST(roll_out_of_nothing_is_warned_of)
{
    reviewed("rules: [{id: a, when: caller.valid, score: 1, rollout: 0%}]\n",
             "first.yaml:1:56: a roll-out of 0% enforces it for no call");
}
END_TEST

START_TEST(files_share_lists_and_ids)
{
    static const char *const texts[] = {
        "rules: [{id: a, when: caller.number in vip, score: 1}]",
        "lists: {vip: {numbers: ['+8613800138000']}}",
    };
    struct rule_set *set = NULL;
    ck_assert_int_eq(parse(&set, 2, texts), 0);
    rule_set_destroy(set);
}
END_TEST

START_TEST(same_id_in_two_files)
{
    static const char *const texts[] = {
        "rules: [{id: a, when: trunk.trusted, score: 1}]",
        "rules:\n  - {id: a, when: trunk.trusted, score: 1}",
    };
    refused(2, texts,
            "second.yaml:2:10: rule \"a\" is defined twice; the first is in first.yaml, line 1");
}
END_TEST

START_TEST(same_list_in_two_files)
{
    static const char *const texts[] = {"lists: {l: {texts: []}}", "lists:\n  l: {texts: []}\n"};
    refused(2, texts,
            "second.yaml:2:3: list \"l\" is defined twice; the first is in first.yaml, line 1");
}
END_TEST

START_TEST(policy_in_two_files)
{
    static const char *const texts[] = {"policy: [{at: 1, do: tag}]",
                                        "policy:\n  - {at: 2, do: tag}\n"};
    refused(2, texts,
            "second.yaml:2:3: there is a second policy; the first is in first.yaml, line 1");
}
END_TEST

START_TEST(all_files_are_read_to_the_end)
{
    static const char *const texts[] = {
        "rules: [{id: a, when: trunk.trustd, score: 1}]",
        "rules: [",
        "rules: [{id: b, when: 'x y', score: 200}, {id: c, when: 'caller.valid ==', score: 1}]",
    };
    struct rule_set *set = NULL;
    ck_assert_int_eq(parse(&set, 3, texts), ERROR_CONFIG);
    ck_assert_uint_eq(conf_report_count(report, CONF_ERROR), 5);
}
END_TEST

START_TEST(error_within_a_folded_condition)
{
    static const char *const text = "rules:\n"
                                    "  - id: a\n"
                                    "    score: 1\n"
                                    "    when: >\n"
                                    "      trunk.trusted\n"
                                    "      and caller.contry == \"CN\"\n";
    refused(1, &text, "first.yaml:6:11: rule \"a\": there is no feature \"caller.contry\"");
}
END_TEST

START_TEST(invalid_utf8_is_refused)
{
    static const char *const text = "rules:\n  - {id: \"\xff\"}\n";
    struct rule_set *set = NULL;
    ck_assert_int_eq(parse(&set, 1, &text), ERROR_CONFIG);
    ck_assert_uint_eq(conf_report_count(report, CONF_ERROR), 1);
}
END_TEST

START_TEST(long_condition_is_refused)
{
    static char text[40000];
    const char *texts[] = {text};
    strcpy(text, "rules:\n  - {id: a, score: 1, when: trunk.trusted");
    while (strlen(text) < sizeof(text) - 64)
        strcat(text, " or trunk.trusted or trunk.trusted or trunk.trusted");
    strcat(text, "}\n");
    struct rule_set *set = NULL;
    ck_assert_int_eq(parse(&set, 1, texts), ERROR_CONFIG);
    ck_assert_uint_eq(conf_report_count(report, CONF_ERROR), 1);
}
END_TEST

/* Chains are flat: as many terms as fit take neither stack nor squared time. */
START_TEST(long_chain_loads)
{
    static char text[20000];
    const char *texts[] = {text};
    strcpy(text, "rules:\n  - {id: a, score: 1, when: trunk.trusted");
    while (strlen(text) < 16000)
        strcat(text, " or trunk.trusted");
    strcat(text, "}\n");
    struct rule_set *set = NULL;
    ck_assert_int_eq(parse(&set, 1, texts), 0);
    rule_set_destroy(set);
}
END_TEST

START_TEST(version_follows_the_contents)
{
    struct rule_set *a = parse_one("rules: []\n");
    struct rule_set *b = parse_one("rules: []\n");
    struct rule_set *c = parse_one("rules: [] \n");
    ck_assert_uint_eq(strlen(rule_set_version(a)), 12);
    ck_assert_str_eq(rule_set_version(a), rule_set_version(b));
    ck_assert_str_ne(rule_set_version(a), rule_set_version(c));
    rule_set_destroy(a);
    rule_set_destroy(b);
    rule_set_destroy(c);
}
END_TEST

START_TEST(no_file_is_an_empty_set)
{
    struct rule_set *set = NULL;
    ck_assert_int_eq(rule_set_load(&fixture_catalogue, NULL, 0, report, &set), 0);
    ck_assert_uint_eq(rule_set_count(set), 0);
    rule_set_destroy(set);
}
END_TEST

START_TEST(missing_file_is_an_error)
{
    static const char *const path = "no/such/rules.yaml";
    struct rule_set *set = NULL;
    ck_assert_int_eq(rule_set_load(&fixture_catalogue, &path, 1, report, &set), ERROR_CONFIG);
    ck_assert_uint_eq(conf_report_count(report, CONF_ERROR), 1);
}
END_TEST

START_TEST(schema_rows_are_sound)
{
    const struct conf_section *const sections[] = {
        &rule_file_section, &rule_list_section,   &rule_rule_section,  &rule_action_section,
        &rule_test_section, &rule_step_section,   &rule_table_section, &rule_group_section,
        &rule_card_section, &rule_budget_section,
    };
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        ck_assert_int_eq(conf_section_verify(sections[i], report), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules/ruleset");
    TCase *tests = tcase_create("ruleset");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, rule_has_what_was_written);
    tcase_add_test(tests, what_is_left_out_has_defaults);
    tcase_add_test(tests, rules_are_found_by_id);
    tcase_add_test(tests, used_features_are_known);
    tcase_add_test(tests, policy_is_sorted);
    tcase_add_test(tests, milder_step_above_is_a_warning);
    tcase_add_test(tests, number_without_plus_is_a_warning);
    tcase_add_test(tests, empty_list_is_a_warning);
    tcase_add_test(tests, exemption_by_an_empty_list_is_none);
    tcase_add_test(tests, literal_that_stands_twice_is_a_warning);
    tcase_add_test(tests, prefix_behind_a_shorter_one_is_a_warning);
    tcase_add_test(tests, network_within_another_is_a_warning);
    tcase_add_test(tests, entry_of_a_table_twice_is_a_warning);
    tcase_add_test(tests, rollout_in_shadow_is_a_warning);
    tcase_add_test(tests, life_has_what_was_written);
    tcase_add_test(tests, group_speaks_for_its_rules);
    tcase_add_test(tests, budgets_of_trunks_are_found);
    tcase_add_test(tests, trunk_without_a_budget_has_none);
    tcase_add_test(tests, same_budget_in_two_files);
    tcase_add_test(tests, same_condition_in_two_files);
    tcase_add_test(tests, wrong_condition_is_reported_once);
    tcase_add_test(tests, expired_rule_is_reviewed);
    tcase_add_test(tests, expired_list_entries_are_reviewed);
    tcase_add_test(tests, one_expired_list_entry_is_reviewed);
    tcase_add_test(tests, roll_out_of_nothing_is_warned_of);
    tcase_add_test(tests, files_share_lists_and_ids);
    tcase_add_test(tests, same_id_in_two_files);
    tcase_add_test(tests, same_list_in_two_files);
    tcase_add_test(tests, policy_in_two_files);
    tcase_add_test(tests, all_files_are_read_to_the_end);
    tcase_add_test(tests, error_within_a_folded_condition);
    tcase_add_test(tests, invalid_utf8_is_refused);
    tcase_add_test(tests, long_condition_is_refused);
    tcase_add_test(tests, long_chain_loads);
    tcase_add_test(tests, version_follows_the_contents);
    tcase_add_test(tests, no_file_is_an_empty_set);
    tcase_add_test(tests, missing_file_is_an_error);
    tcase_add_test(tests, schema_rows_are_sound);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
