/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "screening/change.h"

#define WALL_US UINT64_C(1800000000000000)

static struct arena *arena;
static struct conf_report *report;
static struct screen_settings settings;
static struct screen_policy *policy;
static struct rep_store *store;
static struct screen_engine *engine;
static struct screen_trunk trunk;
static struct smsg message;
static struct screen_verdict verdict;
static struct screen_turns turns;
static enum rule_result results[64];
static char text[4096];

static void open_policy(const char *rules_text)
{
    struct rule_set *rules = NULL;
    const struct rule_source source = {"rules.yaml", slice_of_text(rules_text)};
    int error = rule_set_parse(&screen_catalogue, &source, 1, report, &rules);
    conf_report_print(report, stderr, false);
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(screen_policy_create(&settings, rules, NULL, NULL, report, &policy), 0);
}

static void setup(void)
{
    struct rep_settings reputation;
    char why[256];
    struct conf_document *document;
    ck_assert_int_eq(arena_create(4096, 0, &arena), 0);
    ck_assert_int_eq(conf_report_create(&report), 0);
    ck_assert_int_eq(conf_document_parse("t", SLICE(""), NULL, report, &document), 0);
    ck_assert_int_eq(conf_section_load(document, NULL, &screen_section, arena, report, &settings),
                     0);
    conf_document_destroy(document);
    rep_settings_default(&reputation);
    reputation.backend = REP_BACKEND_MEMORY;
    ck_assert_int_eq(rep_store_create(&reputation, why, sizeof(why), &store), 0);
    ck_assert_int_eq(rep_store_start(store), 0);
    ck_assert_int_eq(screen_engine_create(store, &engine), 0);
    trunk = (struct screen_trunk){
        .name = SLICE("a"), .country = SLICE("CN"), .origin = SCREEN_ORIGIN_DOMESTIC};
    ck_assert_int_eq(num_profile_init(&trunk.profile, SLICE("CN"), SLICE("10"), NULL, 0), 0);
}

static void teardown(void)
{
    screen_engine_destroy(engine);
    rep_store_destroy(store);
    screen_policy_destroy(policy);
    policy = NULL;
    conf_report_destroy(report);
    arena_destroy(arena);
}

static void trace(void *context, uint32_t rule, enum rule_result result)
{
    (void)context;
    results[rule] = result;
}

/* Judges a call and looks for changes. */
static void search(const char *caller, const char *callee, uint64_t limit_us)
{
    const struct rule_trace tracer = {NULL, trace};
    snprintf(text, sizeof(text),
             "INVITE sip:%s@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
             "Max-Forwards: 70\r\nFrom: <sip:%s@example.org>;tag=1\r\nTo: <sip:%s@example.net>\r\n"
             "Call-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
             callee, caller, callee);
    ck_assert_int_eq(smsg_scan(&message, slice_of_text(text)), 0);
    const struct screen_input input = {.message = &message,
                                       .trunk = &trunk,
                                       .wall_us = WALL_US,
                                       .reputation = SCREEN_REPUTATION_FIND,
                                       .trace = &tracer};
    ck_assert_int_eq(screen_judge(engine, policy, &input, &verdict), 0);
    ck_assert_int_eq(
        screen_find_changes(engine, policy, &input, &verdict, results, arena, limit_us, &turns), 0);
}

/* "allow 0: trunk.origin=domestic; ..." */
static void expect(const char *wanted)
{
    char memory[2048];
    struct buffer out = buffer_over(memory, sizeof(memory) - 1);
    for (size_t i = 0; i < turns.count; i++) {
        const struct screen_turn *turn = &turns.turns[i];
        buffer_format(&out, "%s%s %u:", i > 0 ? "; " : "", rule_action_name(turn->action),
                      (unsigned)turn->score);
        for (size_t j = 0; j < turn->count; j++) {
            const struct screen_change *change = &turn->changes[j];
            buffer_append_char(&out, ' ');
            if (change->kind == SCREEN_CHANGE_FEATURE) {
                buffer_append_text(&out, screen_catalogue.features[change->override.feature].name);
                buffer_append_char(&out, '=');
                rule_value_write(&out, &change->override.value);
            } else if (change->kind == SCREEN_CHANGE_TEST) {
                buffer_append_text(&out, change->holds ? "+" : "-");
                buffer_append(&out, change->test->text);
            } else if (change->kind == SCREEN_CHANGE_DIVERTING) {
                buffer_append_literal(&out, "diverting");
            } else {
                buffer_append_text(&out, change->kind == SCREEN_CHANGE_RULE_OFF ? "off " : "on ");
                buffer_append_text(&out,
                                   rule_set_rule(screen_policy_rules(policy), change->rule)->id);
            }
        }
    }
    memory[out.length] = '\0';
    ck_assert_str_eq(memory, wanted);
}

#define POLICY "policy:\n  - {at: 60, do: tag}\n  - {at: 90, do: block, with: '603'}\n"

START_TEST(what_would_let_it_pass)
{
    open_policy("lists:\n  gold: {numbers: ['+8613800138000']}\n"
                "rules:\n"
                "  - {id: r, when: 'caller.kind == \"mobile\" and not caller.number in gold', "
                "score: 95}\n" POLICY);
    search("13911112222", "01062345678", 1000000);
    ck_assert_int_eq(verdict.action, RULE_BLOCK);
    expect("allow 0: -caller.kind == \"mobile\"; allow 0: +caller.number in gold; allow 0: off r");
}
END_TEST

START_TEST(the_bound_of_an_order_is_the_least_move)
{
    open_policy("rules:\n"
                "  - {id: a, when: 'reputation.score >= 80', score: 90}\n"
                "  - {id: b, when: 'message.size < 100', score: 60}\n" POLICY);
    const struct rep_row row = {
        .number = SLICE("+8613911112222"), .score = 79, .list = REP_LIST_NONE};
    ck_assert_int_eq(rep_store_set(store, &row), 0);
    search("13911112222", "01062345678", 1000000);
    ck_assert_int_eq(verdict.action, RULE_ALLOW);
    expect("block 90: reputation.score=80; tag 60: message.size=99");
}
END_TEST

START_TEST(a_pair_when_no_single_change_does)
{
    open_policy("rules:\n"
                "  - {id: a, when: caller.imitation, score: 50}\n"
                "  - {id: b, when: caller.anonymous, score: 30}\n"
                "  - {id: c, when: diverting.present, score: 5}\n" POLICY);
    search("13911112222", "01062345678", 1000000);
    expect("tag 80: caller.imitation=true caller.anonymous=true");
}
END_TEST

START_TEST(a_rule_in_shadow_could_be_enforced)
{
    open_policy("rules:\n"
                "  - {id: a, when: caller.valid, score: 95, mode: shadow}\n" POLICY);
    search("13911112222", "01062345678", 1000000);
    expect("block 95: on a");
}
END_TEST

/* Without the entry the rules decide, and they may say the same. */
START_TEST(the_order_of_authority_is_tried_too)
{
    open_policy("rules:\n  - {id: a, when: caller.valid, score: 70}\n" POLICY);
    const struct rep_row row = {
        .number = SLICE("+8613911112222"), .score = 100, .list = REP_LIST_BLOCK};
    ck_assert_int_eq(rep_store_set(store, &row), 0);
    search("13911112222", "01062345678", 1000000);
    ck_assert_int_eq(verdict.authority, SCREEN_AUTHORITY_BLOCK);
    expect("tag 70: reputation.list=\"none\"");
    search("13911112222", "96110", 1000000);
    ck_assert_int_eq(verdict.authority, SCREEN_AUTHORITY_PROTECTED_CALLEE);
    expect("block 100: callee.protected=false");
    search("13911112222", "110", 1000000);
    ck_assert_int_eq(verdict.authority, SCREEN_AUTHORITY_EMERGENCY);
    expect("");
}
END_TEST

START_TEST(values_of_a_scorecard_are_tried)
{
    open_policy("scorecards:\n"
                "  - id: model\n    intercept: 5\n    features:\n"
                "      - {feature: caller.kind, bins: [{in: [voip, premium], points: 60}]}\n"
                "      - {feature: message.size, bins: [{below: 100, points: 90}]}\n" POLICY);
    search("13911112222", "01062345678", 1000000);
    expect("tag 65: caller.kind=\"voip\"; block 95: message.size=99");
}
END_TEST

START_TEST(time_is_bounded)
{
    open_policy("rules:\n  - {id: a, when: caller.valid, score: 95}\n" POLICY);
    search("13911112222", "01062345678", 0);
    ck_assert_uint_eq(turns.tried, 0);
    ck_assert(turns.cut_short);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("change");
    TCase *group = tcase_create("changes");
    tcase_add_checked_fixture(group, setup, teardown);
    tcase_add_test(group, what_would_let_it_pass);
    tcase_add_test(group, the_bound_of_an_order_is_the_least_move);
    tcase_add_test(group, a_pair_when_no_single_change_does);
    tcase_add_test(group, a_rule_in_shadow_could_be_enforced);
    tcase_add_test(group, the_order_of_authority_is_tried_too);
    tcase_add_test(group, values_of_a_scorecard_are_tried);
    tcase_add_test(group, time_is_bounded);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
