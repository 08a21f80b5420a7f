/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets, hits and alternatives, from the INVITE to counts and events. */
#include "unit/proxy/proxy_bench.h"

#define A      "192.0.2.1:5060"
#define MINUTE (60 * BENCH_SECOND)
/* The wall clock is 30 million minutes ahead of the bench's; a minute begins. */
#define OFFSET_US ((int64_t)(30000000 * MINUTE - 1000 * BENCH_SECOND))

static const char site[] =
    "listen:\n"
    "  - {address: '127.0.91.1:5060'}\n"
    "trunks:\n"
    "  - {name: a, sources: [192.0.2.0/24], targets: ['192.0.2.1:5060'], area_code: '10'}\n"
    "  - {name: b, sources: [198.51.100.0/24], targets: ['198.51.100.1:5060'], area_code: '10'}\n"
    "routes:\n"
    "  - {to: b}\n"
    "limits: {timer_c: 180s}\n";

static const char rules[] =
    "rules:\n"
    "  - {id: direct, when: 'caller.display == \"D\"', action: {do: block, with: 403},\n"
    "     budget: 2/m}\n"
    "  - {id: high, when: 'caller.display in [\"H\", \"HL\"]', score: 95, budget: 2/m}\n"
    "  - {id: low, when: 'caller.display in [\"HL\", \"L\"]', score: 70, budget: 5/m}\n"
    "  - {id: quiet, when: 'caller.display == \"Q\"', score: 95, mode: shadow}\n"
    "  - {id: softly, when: 'caller.display == \"S\"', score: 70}\n"
    "  - {id: excuse, when: 'caller.display == \"S\"', action: {do: allow}, mode: shadow}\n"
    "policy:\n"
    "  - {at: 90, do: block, with: '603+'}\n"
    "  - {at: 60, do: tag}\n"
    "budgets:\n"
    "  - {trunk: a, blocks: 2/m}\n";

static struct bench b;
static unsigned serial;

static void setup(void)
{
    bench_open(&b, site, rules);
    proxy_set_wall_offset(b.proxy, OFFSET_US);
}

static void teardown(void)
{
    bench_close(&b);
}

/* The status that the call is refused with; 100 when it goes on. */
static int fate(const char *display)
{
    static char text[2048];
    int status = 0;
    unsigned call = ++serial;
    snprintf(text, sizeof(text),
             "INVITE sip:01062345678@127.0.91.1 SIP/2.0\r\n"
             "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%u\r\n"
             "Max-Forwards: 70\r\nFrom: \"%s\" <sip:13800138000@192.0.2.1>;tag=from\r\n"
             "To: <sip:01062345678@127.0.91.1>\r\nCall-ID: c%u\r\nCSeq: 1 INVITE\r\n"
             "Contact: <sip:13800138000@192.0.2.1>\r\nContent-Length: 0\r\n\r\n",
             call, display, call);
    bench_receive(&b, A, 0, text);
    ck_assert_uint_gt(b.sent_count, 0);
    ck_assert_int_eq(sscanf(b.sent[0].bytes, "SIP/2.0 %d", &status), 1);
    return status;
}

static const struct rule_info *info_of(const char *id, uint32_t *rule)
{
    const struct rule_set *set = screen_policy_rules(b.policy);
    int found = rule_set_find(set, slice_of_text(id));
    ck_assert_int_ne(found, RULE_NONE);
    *rule = (uint32_t)found;
    return rule_set_rule(set, *rule);
}

static uint32_t used(const char *id)
{
    uint32_t rule;
    (void)info_of(id, &rule);
    return screen_budget_used(screen_policy_budget(b.policy, rule), b.now_us + (uint64_t)OFFSET_US);
}

static const char *state(const char *id)
{
    uint32_t rule;
    (void)info_of(id, &rule);
    return screen_rule_state_text(
        screen_policy_rule_state(b.policy, rule, b.now_us + (uint64_t)OFFSET_US));
}

/* A copy of the next event, which is of that kind. */
static struct stats_event next_event(enum stats_event_kind kind)
{
    const struct stats_event *event = stats_event_peek(b.events);
    ck_assert_ptr_nonnull(event);
    struct stats_event copy = *event;
    stats_event_release(b.events);
    ck_assert_int_eq(copy.kind, kind);
    return copy;
}

START_TEST(the_first_call_beyond_a_budget_is_not_blocked)
{
    ck_assert_int_eq(fate("D"), 403);
    ck_assert_int_eq(fate("D"), 403);
    ck_assert_str_eq(state("direct"), "enforce");
    ck_assert_int_eq(fate("D"), 100);
    ck_assert_str_eq(state("direct"), "demoted");
    ck_assert_uint_eq(bench_total(&b, STATS_RULES_DEMOTED), 1);
    b.now_us += 5 * MINUTE; /* no period brings it back */
    ck_assert_int_eq(fate("D"), 100);
    ck_assert_uint_eq(bench_total(&b, STATS_RULES_DEMOTED), 1);
    uint32_t rule;
    (void)info_of("direct", &rule);
    screen_policy_rearm(b.policy, rule);
    ck_assert_int_eq(fate("D"), 403);
    ck_assert_uint_eq(used("direct"), 1);
}
END_TEST

START_TEST(a_period_that_is_over_is_forgotten)
{
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(fate("D"), 403);
        ck_assert_int_eq(fate("D"), 403);
        b.now_us += MINUTE;
    }
    ck_assert_str_eq(state("direct"), "enforce");
}
END_TEST

START_TEST(points_that_block_are_charged_to_all_who_gave_them)
{
    ck_assert_int_eq(fate("HL"), 603);
    ck_assert_int_eq(fate("H"), 603);
    ck_assert_uint_eq(used("high"), 2);
    ck_assert_uint_eq(used("low"), 1);
    /* Without the one that has nothing left the other is not enough, and is not charged. */
    ck_assert_int_eq(fate("HL"), 100);
    ck_assert_str_eq(state("high"), "demoted");
    ck_assert_str_eq(state("low"), "enforce");
    ck_assert_uint_eq(used("low"), 1);
}
END_TEST

START_TEST(calls_that_are_not_blocked_touch_no_budget)
{
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(fate("L"), 100); /* tagged */
    ck_assert_uint_eq(used("low"), 0);
    ck_assert_str_eq(state("low"), "enforce");
    ck_assert_int_eq(fate("Alice"), 100);
}
END_TEST

START_TEST(hypothetical_calls_are_not_charged)
{
    struct smsg message;
    struct screen_verdict verdict;
    const struct proxy_trunk *trunk = proxy_plan_trunk(b.plan, 0);
    static const char text[] =
        "INVITE sip:01062345678@x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n"
        "Max-Forwards: 70\r\nFrom: \"D\" <sip:13800138000@x>;tag=1\r\nTo: <sip:01062345678@x>\r\n"
        "Call-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    ck_assert_int_eq(smsg_scan(&message, SLICE(text)), 0);
    const struct screen_input input = {.message = &message,
                                       .trunk = &trunk->screen,
                                       .wall_us = b.now_us + (uint64_t)OFFSET_US,
                                       .reputation = SCREEN_REPUTATION_FIND,
                                       .finding = rep_finding_none()};
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(screen_judge(b.engine, b.policy, &input, &verdict), 0);
        ck_assert_int_eq(verdict.action, RULE_BLOCK);
    }
    ck_assert_uint_eq(used("direct"), 0);
}
END_TEST

START_TEST(a_demotion_is_an_alert)
{
    for (int i = 0; i < 3; i++)
        (void)fate("D");
    (void)next_event(STATS_EVENT_VERDICT);
    (void)next_event(STATS_EVENT_VERDICT);
    struct stats_event alert = next_event(STATS_EVENT_ALERT);
    uint32_t rule;
    (void)info_of("direct", &rule);
    ck_assert_str_eq(alert.alert, "rule \"direct\" is beyond its budget of 2/1m");
    ck_assert_uint_eq(alert.rule_count, 1);
    ck_assert_uint_eq(alert.rules[0].label, screen_policy_rule_labels(b.policy, rule)->rules);
    ck_assert_uint_eq(alert.trunk_in, proxy_plan_trunk(b.plan, 0)->label_in);
    struct stats_event event = next_event(STATS_EVENT_VERDICT);
    ck_assert_uint_ne(event.sequence, alert.sequence);
    ck_assert_str_eq(event.call_id, alert.call_id);
    ck_assert_uint_eq(event.would_action, b.labels.actions[RULE_BLOCK]);
    ck_assert_uint_eq(event.would_code, 403);
    ck_assert(event.would_have);
    (void)fate("D");
    (void)next_event(STATS_EVENT_VERDICT);
    ck_assert_ptr_null(stats_event_peek(b.events));
}
END_TEST

static void list(const char *number)
{
    const struct rep_row row = {
        .number = slice_of_text(number), .score = 90, .list = REP_LIST_BLOCK, .type = SLICE("x")};
    ck_assert_int_eq(rep_store_set(b.store, &row), 0);
}

START_TEST(lists_share_the_budget_of_their_trunk)
{
    list("+8613800138000");
    ck_assert_int_eq(fate("Alice"), 603);
    ck_assert_int_eq(fate("Alice"), 603);
    ck_assert_int_eq(fate("Alice"), 100);
    ck_assert_int_eq(fate("Alice"), 100);
    /* Rules judge on, and have budgets of their own. */
    ck_assert_int_eq(fate("D"), 403);
    ck_assert_uint_eq(stats_label_total(b.registry, STATS_FAMILY_TRUNK_OVER_BUDGET,
                                        proxy_plan_trunk(b.plan, 0)->label_over_budget),
                      3);
    (void)next_event(STATS_EVENT_VERDICT);
    (void)next_event(STATS_EVENT_VERDICT);
    struct stats_event alert = next_event(STATS_EVENT_ALERT);
    ck_assert_str_eq(alert.alert, "trunk \"a\": its lists are beyond their budget of 2/1m");
    for (int i = 0; i < 2; i++) {
        struct stats_event event = next_event(STATS_EVENT_VERDICT);
        ck_assert_uint_eq(event.would_action, b.labels.actions[RULE_BLOCK]);
        ck_assert_uint_eq(event.would_score, 100);
        ck_assert(event.would_have);
    }
    b.now_us += MINUTE;
    ck_assert_int_eq(fate("Alice"), 603);
}
END_TEST

START_TEST(hits_tell_where_and_when)
{
    uint32_t rule;
    (void)info_of("quiet", &rule);
    const struct screen_rule_labels *labels = screen_policy_rule_labels(b.policy, rule);
    ck_assert_uint_eq(stats_moment_latest(b.registry, STATS_MOMENT_RULE_HIT, labels->rules), 0);
    ck_assert_int_eq(fate("Q"), 100);
    b.now_us += 7 * BENCH_SECOND;
    ck_assert_int_eq(fate("Q"), 100);
    ck_assert_uint_eq(stats_moment_latest(b.registry, STATS_MOMENT_RULE_HIT, labels->rules),
                      (b.now_us + (uint64_t)OFFSET_US) / BENCH_SECOND);
    ck_assert_uint_eq(
        stats_label_total(b.registry, STATS_FAMILY_RULES_SHADOW, labels->rules_shadow), 2);
    ck_assert_uint_eq(stats_label_total(b.registry, STATS_FAMILY_RULES, labels->rules), 0);
    /* The first judgement of a worker is measured. */
    ck_assert_uint_eq(
        stats_label_total(b.registry, STATS_FAMILY_RULES_MEASURED, labels->rules_measured), 1);
}
END_TEST

START_TEST(shadow_may_be_milder_too)
{
    ck_assert_int_eq(fate("S"), 100);
    struct stats_event event = next_event(STATS_EVENT_VERDICT);
    ck_assert_uint_eq(event.action, b.labels.actions[RULE_TAG]);
    ck_assert_uint_eq(event.would_action, b.labels.actions[RULE_ALLOW]);
    ck_assert_int_eq(fate("L"), 100);
    event = next_event(STATS_EVENT_VERDICT);
    ck_assert_uint_eq(event.would_action, 0);
}
END_TEST

/* ---- reload -------------------------------------------------------------------------------- */

static struct screen_policy *load(const char *text)
{
    struct rule_set *set = NULL;
    struct screen_policy *policy = NULL;
    const struct rule_source source = {"rules.yaml", slice_of_text(text)};
    ck_assert_int_eq(rule_set_parse(&screen_catalogue, &source, 1, b.report, &set), 0);
    ck_assert_int_eq(
        screen_policy_create(&b.screening, set, b.registry, b.ledger, b.report, &policy), 0);
    return policy;
}

/* As a reload does: the new policy is there before the old one goes. */
static void reload(const char *text)
{
    struct screen_policy *old = b.policy;
    b.policy = load(text);
    b.snapshot.policy = b.policy;
    proxy_adopt(b.proxy, &b.snapshot);
    screen_policy_destroy(old);
}

START_TEST(a_reload_keeps_demotions_of_rules_that_stay)
{
    static char other[sizeof(rules)];
    for (int i = 0; i < 3; i++)
        (void)fate("D");
    (void)fate("H");
    reload(rules);
    ck_assert_str_eq(state("direct"), "demoted");
    ck_assert_int_eq(fate("D"), 100);
    ck_assert_uint_eq(used("high"), 1);
    memcpy(other, rules, sizeof(rules));
    memcpy(strstr(other, "budget: 2/m"), "budget: 3/m", sizeof("budget: 3/m") - 1);
    reload(other);
    ck_assert_str_eq(state("direct"), "enforce");
    ck_assert_int_eq(fate("D"), 403);
    ck_assert_uint_eq(used("high"), 1);
}
END_TEST

/* A worker that still has the old policy demotes; one that has the new one finds out. */
START_TEST(a_demotion_during_a_reload_is_not_lost)
{
    struct screen_policy *new = load(rules);
    for (int i = 0; i < 3; i++)
        (void)fate("D");
    struct screen_policy *old = b.policy;
    b.policy = new;
    b.snapshot.policy = new;
    proxy_adopt(b.proxy, &b.snapshot);
    screen_policy_destroy(old);
    ck_assert_int_eq(fate("D"), 100);
    ck_assert_str_eq(state("direct"), "demoted");
    ck_assert_uint_eq(bench_total(&b, STATS_RULES_DEMOTED), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proxy/budgets");
    TCase *tests = tcase_create("budgets");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_first_call_beyond_a_budget_is_not_blocked);
    tcase_add_test(tests, a_period_that_is_over_is_forgotten);
    tcase_add_test(tests, points_that_block_are_charged_to_all_who_gave_them);
    tcase_add_test(tests, calls_that_are_not_blocked_touch_no_budget);
    tcase_add_test(tests, hypothetical_calls_are_not_charged);
    tcase_add_test(tests, a_demotion_is_an_alert);
    tcase_add_test(tests, lists_share_the_budget_of_their_trunk);
    tcase_add_test(tests, hits_tell_where_and_when);
    tcase_add_test(tests, shadow_may_be_milder_too);
    tcase_add_test(tests, a_reload_keeps_demotions_of_rules_that_stay);
    tcase_add_test(tests, a_demotion_during_a_reload_is_not_lost);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
