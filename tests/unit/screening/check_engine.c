/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "screening/engine.h"

#define WALL_US UINT64_C(1800000000000000)

/* A policy, a store and an engine over them; one for each test. */
struct bench {
    struct arena *arena;
    struct conf_report *report;
    struct screen_settings settings;
    struct screen_policy *policy;
    struct rep_store *store;
    struct screen_engine *engine;
    struct screen_trunk trunk;
    struct num_trie *originates;
    struct smsg message;
    struct screen_verdict verdict;
    char text[4096];
    struct screen_stages *stages; /* NULL: not wanted */
};

static const char rules_text[] =
    "rules:\n"
    "  - {id: foreign, when: 'trunk.origin == \"international\" and caller.country == \"CN\"', "
    "score: 95, type: number-spoofing}\n"
    "  - {id: dressed-up, when: caller.imitation, score: 70, type: impersonation}\n"
    "  - {id: quiet, when: 'caller.display contains \"bank\"', score: 90, mode: shadow}\n"
    "  - {id: known, when: 'reputation.score >= 50', score: 65}\n"
    "policy:\n"
    "  - {at: 90, do: block, with: '603'}\n"
    "  - {at: 60, do: tag}\n";

static void open_bench(struct bench *b)
{
    struct rule_set *rules = NULL;
    struct rep_settings reputation;
    char message[256];
    memset(b, 0, sizeof(*b));
    ck_assert_int_eq(arena_create(4096, 0, &b->arena), 0);
    ck_assert_int_eq(conf_report_create(&b->report), 0);
    struct conf_document *document;
    ck_assert_int_eq(conf_document_parse("t", SLICE(""), NULL, b->report, &document), 0);
    ck_assert_int_eq(
        conf_section_load(document, NULL, &screen_section, b->arena, b->report, &b->settings), 0);
    conf_document_destroy(document);
    const struct rule_source source = {"rules.yaml", SLICE(rules_text)};
    int error = rule_set_parse(&screen_catalogue, &source, 1, b->report, &rules);
    conf_report_print(b->report, stderr, false);
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(screen_policy_create(&b->settings, rules, NULL, NULL, b->report, &b->policy),
                     0);
    rep_settings_default(&reputation);
    reputation.backend = REP_BACKEND_MEMORY;
    ck_assert_int_eq(rep_store_create(&reputation, message, sizeof(message), &b->store), 0);
    ck_assert_int_eq(rep_store_start(b->store), 0);
    ck_assert_int_eq(screen_engine_create(b->store, &b->engine), 0);
    b->trunk = (struct screen_trunk){
        .name = SLICE("a"), .country = SLICE("CN"), .origin = SCREEN_ORIGIN_DOMESTIC};
    ck_assert_int_eq(num_profile_init(&b->trunk.profile, SLICE("CN"), SLICE("10"), NULL, 0), 0);
}

static void close_bench(struct bench *b)
{
    screen_engine_destroy(b->engine);
    rep_store_destroy(b->store);
    screen_policy_destroy(b->policy);
    num_trie_destroy(b->originates);
    conf_report_destroy(b->report);
    arena_destroy(b->arena);
}

static void list(struct bench *b, const char *number, int score, enum rep_list which)
{
    const struct rep_row row = {
        .number = slice_of_text(number), .score = score, .list = which, .type = SLICE("loan")};
    ck_assert_int_eq(rep_store_set(b->store, &row), 0);
}

static int judge(struct bench *b, const char *caller, const char *callee, const char *more,
                 enum screen_reputation reputation)
{
    snprintf(b->text, sizeof(b->text),
             "INVITE sip:%s@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
             "Max-Forwards: 70\r\nFrom: <sip:%s@example.org>;tag=1\r\nTo: <sip:%s@example.net>\r\n"
             "Call-ID: 1\r\nCSeq: 1 INVITE\r\n%sContent-Length: 0\r\n\r\n",
             callee, caller, callee, more);
    ck_assert_int_eq(smsg_scan(&b->message, slice_of_text(b->text)), 0);
    const struct screen_input input = {.message = &b->message,
                                       .trunk = &b->trunk,
                                       .wall_us = WALL_US,
                                       .reputation = reputation,
                                       .finding = rep_finding_none(),
                                       .stages = b->stages};
    return screen_judge(b->engine, b->policy, &input, &b->verdict);
}

static void expect(struct bench *b, const char *caller, const char *callee,
                   enum screen_authority authority, enum rule_action_kind action)
{
    ck_assert_int_eq(judge(b, caller, callee, "", SCREEN_REPUTATION_FIND), 0);
    ck_assert_str_eq(screen_authority_text(b->verdict.authority), screen_authority_text(authority));
    ck_assert_str_eq(rule_action_name(b->verdict.action), rule_action_name(action));
}

static void originate(struct bench *b, const char *digits)
{
    ck_assert_int_eq(num_trie_create(&b->originates), 0);
    ck_assert_int_eq(num_trie_insert(b->originates, slice_of_text(digits), 1), 0);
    ck_assert_int_eq(num_trie_seal(b->originates), 0);
    b->trunk.originates = b->originates;
}

START_TEST(clean_call_passes)
{
    struct bench b;
    open_bench(&b);
    expect(&b, "13800138000", "01062345678", SCREEN_AUTHORITY_NONE, RULE_ALLOW);
    ck_assert(b.verdict.rules_ran);
    ck_assert(!b.verdict.degraded);
    ck_assert_str_eq(screen_engine_facts(b.engine)->caller.text, "+8613800138000");
    close_bench(&b);
}
END_TEST

START_TEST(emergency_comes_before_everything)
{
    struct bench b;
    open_bench(&b);
    list(&b, "+8613800138000", 100, REP_LIST_BLOCK);
    expect(&b, "13800138000", "110", SCREEN_AUTHORITY_EMERGENCY, RULE_ALLOW);
    expect(&b, "13800138000", "010110", SCREEN_AUTHORITY_EMERGENCY, RULE_ALLOW);
    /* Even when a header cannot be decoded. */
    ck_assert_int_eq(
        judge(&b, "13800138000", "120", "P-Asserted-Identity: <<<\r\n", SCREEN_REPUTATION_FIND), 0);
    ck_assert_int_eq(b.verdict.authority, SCREEN_AUTHORITY_EMERGENCY);
    close_bench(&b);
}
END_TEST

START_TEST(protected_callee_beats_the_block_list)
{
    struct bench b;
    open_bench(&b);
    list(&b, "+8613800138000", 100, REP_LIST_BLOCK);
    expect(&b, "13800138000", "96110", SCREEN_AUTHORITY_PROTECTED_CALLEE, RULE_ALLOW);
    expect(&b, "13800138000", "01062345678", SCREEN_AUTHORITY_BLOCK, RULE_BLOCK);
    ck_assert_int_eq(b.verdict.profile, RULE_PROFILE_603_PLUS);
    ck_assert_str_eq(b.verdict.type, "loan");
    close_bench(&b);
}
END_TEST

START_TEST(allow_counts_only_where_the_number_is_at_home)
{
    struct bench b;
    open_bench(&b);
    list(&b, "+861062345678", 0, REP_LIST_ALLOW);
    expect(&b, "01062345678", "13800138000", SCREEN_AUTHORITY_RULES, RULE_TAG);
    ck_assert_str_eq(b.verdict.type, "impersonation");
    originate(&b, "8610");
    expect(&b, "01062345678", "13800138000", SCREEN_AUTHORITY_ALLOW, RULE_ALLOW);
    close_bench(&b);
}
END_TEST

START_TEST(protected_line_as_caller_is_imitation_elsewhere)
{
    struct bench b;
    open_bench(&b);
    expect(&b, "95588", "13800138000", SCREEN_AUTHORITY_RULES, RULE_TAG);
    expect(&b, "01095588", "13800138000", SCREEN_AUTHORITY_RULES, RULE_TAG);
    originate(&b, "8695588");
    expect(&b, "95588", "13800138000", SCREEN_AUTHORITY_ALLOW, RULE_ALLOW);
    /* Area code and short code is never the short code. */
    expect(&b, "01095588", "13800138000", SCREEN_AUTHORITY_RULES, RULE_TAG);
    close_bench(&b);
}
END_TEST

START_TEST(rules_score_and_shadow_does_not)
{
    struct bench b;
    open_bench(&b);
    b.trunk.origin = SCREEN_ORIGIN_INTERNATIONAL;
    expect(&b, "+8613800138000", "01062345678", SCREEN_AUTHORITY_RULES, RULE_BLOCK);
    ck_assert_uint_eq(b.verdict.score, 95);
    ck_assert_str_eq(b.verdict.type, "number-spoofing");
    expect(&b, "+12025550100", "01062345678", SCREEN_AUTHORITY_NONE, RULE_ALLOW);
    close_bench(&b);
}
END_TEST

START_TEST(asserted_identity_counts_from_trusted_trunks_only)
{
    struct bench b;
    const char *asserted = "P-Asserted-Identity: <tel:+8613900139000>\r\n";
    open_bench(&b);
    list(&b, "+8613900139000", 100, REP_LIST_BLOCK);
    ck_assert_int_eq(judge(&b, "13800138000", "01062345678", asserted, SCREEN_REPUTATION_FIND), 0);
    ck_assert_int_eq(b.verdict.authority, SCREEN_AUTHORITY_NONE);
    b.trunk.trusted = true;
    ck_assert_int_eq(judge(&b, "13800138000", "01062345678", asserted, SCREEN_REPUTATION_FIND), 0);
    ck_assert_int_eq(b.verdict.authority, SCREEN_AUTHORITY_BLOCK);
    ck_assert(screen_engine_feature(b.engine, SCREEN_FEATURE_CALLER_IDENTITY_MISMATCH)->flag);
    close_bench(&b);
}
END_TEST

START_TEST(asserted_number_may_stand_behind_an_address)
{
    struct bench b;
    open_bench(&b);
    b.trunk.trusted = true;
    list(&b, "+8613900139000", 100, REP_LIST_BLOCK);
    static const char *const asserted[] = {
        "P-Asserted-Identity: \"A\" <sip:alice@corp.example>, <tel:+8613900139000>\r\n",
        "P-Asserted-Identity: <sip:alice@corp.example>\r\n"
        "P-Asserted-Identity: <sip:13900139000@corp.example;user=phone>\r\n",
        "P-Asserted-Identity: <sip:13900139000@corp.example>,\r\n <tel:+8613800138000>\r\n",
    };
    for (size_t i = 0; i < sizeof(asserted) / sizeof(asserted[0]); i++) {
        ck_assert_int_eq(judge(&b, "anonymous", "01062345678", asserted[i], SCREEN_REPUTATION_FIND),
                         0);
        ck_assert_int_eq(b.verdict.authority, SCREEN_AUTHORITY_BLOCK);
        ck_assert_str_eq(screen_engine_facts(b.engine)->caller.text, "+8613900139000");
    }
    close_bench(&b);
}
END_TEST

START_TEST(forwarded_call_is_judged_by_who_forwarded_it_too)
{
    struct bench b;
    open_bench(&b);
    list(&b, "+8613900139000", 100, REP_LIST_BLOCK);
    ck_assert_int_eq(judge(&b, "13800138000", "01062345678",
                           "Diversion: <sip:13900139000@example.net>;reason=unconditional\r\n",
                           SCREEN_REPUTATION_FIND),
                     0);
    ck_assert_int_eq(b.verdict.authority, SCREEN_AUTHORITY_BLOCK);
    close_bench(&b);
}
END_TEST

START_TEST(missing_reputation_is_degraded_and_unknown)
{
    struct bench b;
    open_bench(&b);
    list(&b, "+8613800138000", 80, REP_LIST_NONE);
    ck_assert_int_eq(judge(&b, "13800138000", "01062345678", "", SCREEN_REPUTATION_FIND), 0);
    ck_assert_int_eq(b.verdict.action, RULE_TAG);
    ck_assert_int_eq(judge(&b, "13800138000", "01062345678", "", SCREEN_REPUTATION_MISSING), 0);
    ck_assert(b.verdict.degraded);
    ck_assert_int_eq(b.verdict.action, RULE_ALLOW);
    ck_assert_int_eq(b.verdict.authority, SCREEN_AUTHORITY_ON_UNKNOWN);
    ck_assert(
        rule_feature_unknown(screen_engine_outcome(b.engine), SCREEN_FEATURE_REPUTATION_SCORE));
    b.settings.on_unknown = RULE_BLOCK;
    ck_assert_int_eq(judge(&b, "13800138000", "01062345678", "", SCREEN_REPUTATION_MISSING), 0);
    ck_assert_int_eq(b.verdict.action, RULE_BLOCK);
    close_bench(&b);
}
END_TEST

START_TEST(every_feature_can_be_read)
{
    struct bench b;
    open_bench(&b);
    ck_assert_int_eq(judge(&b, "13800138000", "01062345678",
                           "User-Agent: x\r\nSubject: y\r\nPrivacy: id\r\n",
                           SCREEN_REPUTATION_FIND),
                     0);
    for (int i = 0; i < SCREEN_FEATURE_COUNT; i++) {
        const struct rule_value *value = screen_engine_feature(b.engine, (enum screen_feature)i);
        ck_assert_msg(value->type == screen_catalogue.features[i].type, "%s has type %s",
                      screen_catalogue.features[i].name, rule_type_name(value->type));
    }
    ck_assert(screen_engine_feature(b.engine, SCREEN_FEATURE_CALLER_ANONYMOUS)->flag);
    close_bench(&b);
}
END_TEST

START_TEST(stages_are_timed_up_to_the_last_that_is_reached)
{
    struct bench b;
    struct screen_stages stages = {0};
    open_bench(&b);
    b.stages = &stages;
    ck_assert_int_eq(judge(&b, "013911112222", "01062345678", "", SCREEN_REPUTATION_FIND), 0);
    for (size_t i = 0; i < SCREEN_STAGE_COUNT; i++)
        ck_assert_uint_gt(stages.ns[i], 0);
    ck_assert_uint_le(stages.ns[SCREEN_STAGE_DECODE] + stages.ns[SCREEN_STAGE_FEATURES] +
                          stages.ns[SCREEN_STAGE_RULES],
                      b.verdict.screening_ns);
    stages = (struct screen_stages){0};
    ck_assert_int_eq(judge(&b, "013911112222", "110", "", SCREEN_REPUTATION_FIND), 0);
    ck_assert_uint_gt(stages.ns[SCREEN_STAGE_DECODE], 0);
    ck_assert_uint_eq(stages.ns[SCREEN_STAGE_RULES], 0);
    close_bench(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screening/engine");
    TCase *tests = tcase_create("engine");
    tcase_add_test(tests, clean_call_passes);
    tcase_add_test(tests, stages_are_timed_up_to_the_last_that_is_reached);
    tcase_add_test(tests, emergency_comes_before_everything);
    tcase_add_test(tests, protected_callee_beats_the_block_list);
    tcase_add_test(tests, allow_counts_only_where_the_number_is_at_home);
    tcase_add_test(tests, protected_line_as_caller_is_imitation_elsewhere);
    tcase_add_test(tests, rules_score_and_shadow_does_not);
    tcase_add_test(tests, asserted_identity_counts_from_trusted_trunks_only);
    tcase_add_test(tests, asserted_number_may_stand_behind_an_address);
    tcase_add_test(tests, forwarded_call_is_judged_by_who_forwarded_it_too);
    tcase_add_test(tests, missing_reputation_is_degraded_and_unknown);
    tcase_add_test(tests, every_feature_can_be_read);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
