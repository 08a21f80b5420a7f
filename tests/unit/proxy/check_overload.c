/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overload: what neighbours with overload control are told, and what they tell us.
 */
#include "unit/proxy/proxy_calls.h"

static const char two_targets[] =
    "listen:\n"
    "  - {address: '127.0.93.1:5060', network: out, aliases: ['127.0.91.1:5060']}\n"
    "  - {address: '127.0.93.2:5060', network: in}\n"
    "trunks:\n"
    "  - {name: a, sources: [192.0.2.0/24], network: out, targets: ['192.0.2.1:5060'],\n"
    "     area_code: '10', overload: {feedback: %s}}\n"
    "  - name: b\n"
    "    sources: [198.51.100.0/24]\n"
    "    network: in\n"
    "    area_code: '10'\n"
    "    targets:\n"
    "      - {target: 198.51.100.1, priority: 0}\n"
    "      - {target: 198.51.100.2, priority: 1}\n"
    "    overload: {ask: %s, validity_max: 10s}\n"
    "    failover: {trial: 2s, budget: 5s}\n"
    "routes:\n"
    "  - {from: a, to: b}\n"
    "  - {from: b, to: a}\n"
    "limits: {overload_begin: 5ms, overload_end: 20ms, overload_validity: 800ms%s}\n";

#define B1      "198.51.100.1:5060"
#define B2      "198.51.100.2:5060"
#define OFFERED ";oc;oc-algo=\"loss,rate\""

static struct bench bench;

static void open_with(const char *feedback, const char *ask, const char *limits)
{
    char yaml[sizeof(two_targets) + 128];
    snprintf(yaml, sizeof(yaml), two_targets, feedback, ask, limits);
    bench_open(&bench, yaml, "");
    ck_assert_int_eq(proxy_start_probing(bench.proxy, 1, bench.now_us), 0);
}

static void open_asking(void)
{
    open_with("loss", "true", "");
}

static void close_bench(void)
{
    bench_close(&bench);
}

static uint64_t total(enum stats_counter counter)
{
    return bench_total(&bench, counter);
}

static uint64_t told(void)
{
    const struct proxy_trunk *a = proxy_plan_find_trunk(bench.plan, SLICE("a"));
    return stats_label_total(bench.registry, STATS_FAMILY_TRUNK_OVERLOAD_TOLD, a->label_told);
}

/* An INVITE whose Via carries this. */
static const char *invite_with(const char *id, const char *params, const char *more)
{
    char branch[256];
    snprintf(branch, sizeof(branch), "%s%s", id, params);
    return invite(branch, id, "Alice", more);
}

/* What a target answers, with this in our Via in place of what we offered. */
static const char *answer_with(const char *request, const char *start, const char *params)
{
    static char text[8192];
    const char *plain = answer(request, start, ";tag=to");
    const char *offered = strstr(plain, OFFERED);
    ck_assert_ptr_nonnull(offered);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(offered - plain), plain, params,
             offered + sizeof(OFFERED) - 1);
    return text;
}

/* A call that goes to the target and is answered with this; the first of some that does. */
static void target_says(const char *id, const char *target, const char *params)
{
    char copy[4096], name[32];
    const char *sent = NULL;
    for (int i = 0; i < 20 && sent == NULL; i++) {
        snprintf(name, sizeof(name), "%s-%d", id, i);
        bench_receive(&bench, A, 0, invite_with(name, "", ""));
        sent = bench_find(&bench, target, "INVITE ");
    }
    ck_assert_ptr_nonnull(sent);
    snprintf(copy, sizeof(copy), "%s", sent);
    bench_receive(&bench, target, 1, answer_with(copy, "486 Busy Here", params));
    ck_assert_ptr_nonnull(bench_find(&bench, A, "SIP/2.0 486 "));
}

/* In steps, as unacknowledged answers are repeated meanwhile. */
static void let_pass(uint64_t us)
{
    for (uint64_t passed = 0; passed < us; passed += 10000)
        bench_pass(&bench, 10000);
}

/* Where calls go: to the first target, the second, or nowhere. */
struct spread {
    unsigned first, second, refused;
};

static struct spread place(unsigned count, uint64_t every_us, const char *more)
{
    static unsigned number;
    struct spread spread = {0, 0, 0};
    for (unsigned i = 0; i < count; i++) {
        char id[32], copy[4096];
        snprintf(id, sizeof(id), "p%u", number++);
        bench_receive(&bench, A, 0, invite_with(id, "", more));
        const char *target = B1;
        const char *sent = bench_find(&bench, B1, "INVITE ");
        if (sent == NULL)
            sent = bench_find(&bench, target = B2, "INVITE ");
        spread.refused += bench_find(&bench, A, "SIP/2.0 503 ") != NULL;
        if (sent != NULL) {
            spread.first += target[strlen("198.51.100.")] == '1';
            spread.second += target[strlen("198.51.100.")] == '2';
            snprintf(copy, sizeof(copy), "%s", sent);
            /* No overload control in these answers: what was said before stays. */
            bench_receive(&bench, target, 1, answer_with(copy, "486 Busy Here", ""));
        }
        bench_pass(&bench, every_us);
    }
    return spread;
}

/* ---- as server ----------------------------------------------------------------------------- */

START_TEST(a_peer_is_told_of_nothing)
{
    open_with("loss", "false", "");
    bench_receive(&bench, A, 0, invite_with("1", OFFERED, ""));
    const char *trying = bench_expect(&bench, 0, A, "SIP/2.0 100 ");
    ck_assert_ptr_nonnull(strstr(
        trying, ";branch=z9hG4bK1;oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=1000.00000\r\n"));
    /* What it offered is between the two of us (section 5.6). */
    const char *sent = bench_expect(&bench, 1, B1, "INVITE ");
    ck_assert_ptr_null(strstr(sent, "oc-algo"));
    ck_assert_ptr_nonnull(strstr(sent, "branch=z9hG4bK1\r\n"));
    /* Nobody else is told anything. */
    bench_receive(&bench, A, 0, invite_with("2", "", ""));
    ck_assert_ptr_null(strstr(bench_expect(&bench, 0, A, "SIP/2.0 100 "), "oc="));
    ck_assert_uint_eq(told(), 0);
}
END_TEST

START_TEST(a_peer_is_told_to_reduce)
{
    open_with("loss", "false", "");
    bench.backlog_us = 12500; /* half way to the end, of which a first look takes a quarter */
    bench_receive(&bench, A, 0, invite_with("1", OFFERED, ""));
    ck_assert_ptr_nonnull(strstr(bench_expect(&bench, 0, A, "SIP/2.0 100 "),
                                 ";oc=13;oc-algo=\"loss\";oc-validity=800;oc-seq=1000.00000\r\n"));
    char copy[4096];
    snprintf(copy, sizeof(copy), "%s", bench_expect(&bench, 1, B1, "INVITE "));
    bench_pass(&bench, 100000);
    bench_receive(&bench, B1, 1, answer(copy, "180 Ringing", ";tag=b"));
    const char *ringing = bench_expect(&bench, 0, A, "SIP/2.0 180 ");
    ck_assert_ptr_nonnull(strstr(ringing, ";oc-algo=\"loss\";oc-validity=800;oc-seq=1000.10000"));
    bench.backlog_us = 0;
    bench_pass(&bench, 3 * BENCH_SECOND);
    bench_receive(&bench, B1, 1, answer(copy, "486 Busy Here", ";tag=b"));
    ck_assert_ptr_nonnull(strstr(bench_find(&bench, A, "SIP/2.0 486 "),
                                 ";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=1003.10000"));
    ck_assert_uint_eq(told(), 2);
}
END_TEST

START_TEST(a_peer_that_reduces_is_not_refused)
{
    unsigned refused = 0, refused_of_others = 0;
    open_with("loss", "false", "");
    bench.backlog_us = 12500;
    bench_receive(&bench, A, 0, invite_with("x", "", ""));
    bench_pass(&bench, 200000); /* it is no pause that passes */
    for (unsigned i = 0; i < 40; i++) {
        char id[32];
        snprintf(id, sizeof(id), "o%u", i);
        bench_receive(&bench, A, 0, invite_with(id, OFFERED, ""));
        refused += bench_find(&bench, A, "SIP/2.0 503 ") != NULL;
        snprintf(id, sizeof(id), "n%u", i);
        bench_receive(&bench, A, 0, invite_with(id, "", ""));
        refused_of_others += bench_find(&bench, A, "SIP/2.0 503 ") != NULL;
    }
    ck_assert_uint_eq(refused, 0);
    ck_assert_uint_gt(refused_of_others, 5);
    /* Beyond the end all are, with what it was told and without Retry-After. */
    bench.backlog_us = 30000;
    bench_receive(&bench, A, 0, invite_with("last", OFFERED, ""));
    const char *no = bench_expect(&bench, 0, A, "SIP/2.0 503 ");
    ck_assert_ptr_nonnull(strstr(no, ";oc-algo=\"loss\";oc-validity=800;"));
    ck_assert_ptr_null(strstr(no, "Retry-After"));
}
END_TEST

START_TEST(a_peer_is_told_a_rate)
{
    open_with("rate", "false", "");
    for (unsigned i = 0; i < 120; i++) { /* 100 requests a second */
        char id[32];
        snprintf(id, sizeof(id), "r%u", i);
        bench_receive(&bench, A, 0, invite_with(id, OFFERED, ""));
        ck_assert_ptr_nonnull(strstr(bench.sent[0].bytes, ";oc=0;oc-algo=\"rate\";"));
        bench_pass(&bench, 10000);
    }
    bench.backlog_us = 20000; /* a quarter of all is too much at first */
    bench_receive(&bench, A, 0, invite_with("r", OFFERED, ""));
    ck_assert_ptr_nonnull(strstr(bench.sent[0].bytes, ";oc=75;oc-algo=\"rate\";oc-validity=800;"));
    /* Who has no rates is told a loss. */
    bench_receive(&bench, A, 0, invite_with("l", ";oc;oc-algo=\"loss\"", ""));
    ck_assert_ptr_nonnull(strstr(bench.sent[0].bytes, ";oc=25;oc-algo=\"loss\";"));
    bench_receive(&bench, A, 0, invite_with("q", ";oc;oc-algo=\"other\"", ""));
    ck_assert_ptr_nonnull(strstr(bench.sent[0].bytes, ";oc;oc-algo=\"other\"\r\n"));
}
END_TEST

START_TEST(feedback_can_be_off)
{
    open_with("off", "false", "");
    bench.backlog_us = 12500;
    bench_receive(&bench, A, 0, invite_with("1", OFFERED, ""));
    /* As it was written: that is how a client knows that there is none (section 5.1). */
    ck_assert_ptr_nonnull(strstr(bench.sent[0].bytes, OFFERED "\r\n"));
    ck_assert_uint_eq(told(), 0);
}
END_TEST

START_TEST(nobody_speaks_for_another_hop)
{
    char copy[4096], text[8192];
    open_with("loss", "false", "");
    bench_receive(&bench, A, 0, invite_with("1", "", ""));
    snprintf(copy, sizeof(copy), "%s", bench_expect(&bench, 1, B1, "INVITE "));
    /* The called side writes into the Via of the calling side, to stop it. */
    const char *plain = answer(copy, "180 Ringing", ";tag=b");
    const char *at = strstr(plain, "branch=z9hG4bK1");
    snprintf(text, sizeof(text), "%.*s;oc=100;oc-algo=\"loss\";oc-validity=60000;oc-seq=9.9%s",
             (int)(at - plain) - 1, plain, at - 1);
    bench_receive(&bench, B1, 1, text);
    const char *ringing = bench_expect(&bench, 0, A, "SIP/2.0 180 ");
    ck_assert_ptr_null(strstr(ringing, "oc"));
    ck_assert_ptr_nonnull(strstr(ringing, "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"));
}
END_TEST

START_TEST(retry_after_is_configurable)
{
    open_with("loss", "false", ", overload_retry_after: 1500ms, drain_retry_after: 7s");
    bench.backlog_us = 30000;
    for (unsigned i = 0; i < 40; i++) {
        bench_receive(&bench, A, 0, invite_with("1", "", ""));
        bench_pass(&bench, 20000);
    }
    bench_receive(&bench, A, 0, invite_with("2", "", ""));
    ck_assert_ptr_nonnull(
        strstr(bench_expect(&bench, 0, A, "SIP/2.0 503 "), "\r\nRetry-After: 2\r\n"));
    bench.backlog_us = 0;
    proxy_drain(bench.proxy);
    bench_receive(&bench, A, 0, invite_with("3", "", ""));
    ck_assert_ptr_nonnull(
        strstr(bench_expect(&bench, 0, A, "SIP/2.0 503 "), "\r\nRetry-After: 7\r\n"));
}
END_TEST

/* ---- as client ----------------------------------------------------------------------------- */

START_TEST(targets_are_asked)
{
    bench_receive(&bench, A, 0, invite_with("1", "", ""));
    ck_assert_ptr_nonnull(strstr(bench_expect(&bench, 1, B1, "INVITE "),
                                 "Via: SIP/2.0/UDP 127.0.93.2:5060;rport" OFFERED
                                 ";branch=z9hG4bKrf"));
    /* What targets do not take up means nothing. */
    struct spread spread = place(20, 10000, "");
    ck_assert_uint_eq(spread.first, 20);
}
END_TEST

START_TEST(a_loss_goes_to_the_other_target)
{
    target_says("1", B1, ";oc=50;oc-algo=\"loss\";oc-validity=5000;oc-seq=1.1");
    ck_assert_uint_eq(total(STATS_TARGETS_THROTTLED), 1);
    struct spread spread = place(200, 10000, "");
    ck_assert_msg(spread.first > 70 && spread.first < 130, "%u", spread.first);
    ck_assert_uint_eq(spread.first + spread.second, 200);
    ck_assert_uint_eq(total(STATS_TARGETS_PASSED_OVER), spread.second);
    let_pass(3 * BENCH_SECOND); /* its time is over */
    spread = place(50, 10000, "");
    ck_assert_uint_eq(spread.first, 50);
}
END_TEST

START_TEST(a_target_ends_it_at_once)
{
    static const char *const ends[] = {
        ";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=1.2",
        ";oc;oc-algo=\"loss,rate\";oc-validity=0;oc-seq=1.2", /* section 4.3: without a value */
    };
    target_says("1", B1, ";oc=50;oc-algo=\"loss\";oc-validity=60000;oc-seq=1.1");
    target_says("2", B1, ends[_i]);
    struct spread spread = place(50, 10000, "");
    ck_assert_uint_eq(spread.first, 50);
    ck_assert_uint_eq(total(STATS_OVERLOAD_MALFORMED), 0);
}
END_TEST

START_TEST(all_targets_shed)
{
    target_says("1", B1, ";oc=100;oc-algo=\"loss\";oc-validity=5000;oc-seq=1.1");
    target_says("2", B2, ";oc=40;oc-algo=\"loss\";oc-validity=5000;oc-seq=1.1");
    struct spread spread = place(200, 10000, "");
    ck_assert_uint_eq(spread.first, 0);
    ck_assert_msg(spread.second > 90 && spread.second < 150, "%u", spread.second);
    ck_assert_uint_eq(spread.refused, 200 - spread.second);
    ck_assert_uint_eq(total(STATS_THROTTLED), spread.refused);
    const struct proxy_trunk *b = proxy_plan_find_trunk(bench.plan, SLICE("b"));
    ck_assert_uint_eq(
        stats_label_total(bench.registry, STATS_FAMILY_TRUNK_THROTTLED, b->label_throttled),
        spread.refused);
    /* Without Retry-After: it is about one of many ways on. */
    target_says("3", B2, ";oc=100;oc-algo=\"loss\";oc-validity=5000;oc-seq=1.2");
    bench_receive(&bench, A, 0, invite_with("4", "", ""));
    ck_assert_ptr_null(strstr(bench_expect(&bench, 0, A, "SIP/2.0 503 "), "Retry-After"));
}
END_TEST

START_TEST(emergency_calls_and_dialogs_pass)
{
    char copy[4096], ok[4096];
    bench_receive(&bench, A, 0, invite("1", "c1", "Alice", ""));
    snprintf(copy, sizeof(copy), "%s", bench_find(&bench, B1, "INVITE "));
    bench_receive(
        &bench, B1, 1,
        answer_with(copy, "200 OK", ";oc=100;oc-algo=\"loss\";oc-validity=5000;oc-seq=1.1"));
    snprintf(ok, sizeof(ok), "%s", bench_find(&bench, A, "SIP/2.0 200 "));
    target_says("2", B2, ";oc=0;oc-algo=\"rate\";oc-validity=5000;oc-seq=1.1");
    struct spread spread = place(10, 10000, "");
    ck_assert_uint_eq(spread.refused, 10);

    const char *sos = "INVITE sip:110@127.0.91.1 SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKsos\r\nMax-Forwards: 70\r\n"
                      "From: <sip:13800138000@192.0.2.1>;tag=sos\r\nTo: <sip:110@127.0.91.1>\r\n"
                      "Call-ID: sos\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    bench_receive(&bench, A, 0, sos);
    ck_assert_ptr_nonnull(bench_find(&bench, B1, "INVITE sip:110@"));

    bench_receive(&bench, A, 0, of_caller("BYE", routes_of(ok, true), 2));
    ck_assert_ptr_nonnull(bench_find(&bench, B1, "BYE "));
}
END_TEST

START_TEST(a_rate_is_kept)
{
    target_says("1", B1, ";oc=20;oc-algo=\"rate\";oc-validity=10000;oc-seq=1.1");
    struct spread spread = place(500, 10000, ""); /* 5 s at 100 a second */
    ck_assert_msg(spread.first >= 100 && spread.first <= 104, "%u", spread.first);
    ck_assert_uint_eq(spread.first + spread.second, 500);
}
END_TEST

START_TEST(values_that_make_no_sense_are_counted)
{
    target_says("1", B1, ";oc=101;oc-algo=\"loss\";oc-validity=5000;oc-seq=1.1");
    target_says("2", B1, ";oc=100;oc-algo=\"loss\";oc-validity=5000;oc-seq=1.1234567");
    target_says("3", B1, ";oc=100;oc-algo=\"loss\";oc=5;oc-seq=1.1");
    target_says("4", B1, ";oc=100;oc-algo=\"wish\";oc-seq=1.1");
    target_says("5", B1, ";oc=100");
    ck_assert_uint_eq(total(STATS_OVERLOAD_MALFORMED), 5);
    target_says("6", B1, ";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=7.1");
    target_says("7", B1, ";oc=100;oc-algo=\"loss\";oc-validity=5000;oc-seq=6.9");
    ck_assert_uint_eq(total(STATS_OVERLOAD_STALE), 1);
    struct spread spread = place(10, 10000, "");
    ck_assert_uint_eq(spread.first, 10);
}
END_TEST

START_TEST(retry_after_yields_to_overload_control)
{
    char copy[4096], text[8192];
    bench_receive(&bench, A, 0, invite_with("1", "", ""));
    snprintf(copy, sizeof(copy), "%s", bench_find(&bench, B1, "INVITE "));
    snprintf(text, sizeof(text), "%s",
             answer_with(copy, "503 Service Unavailable",
                         ";oc=50;oc-algo=\"loss\";oc-validity=5000;oc-seq=1.1"));
    char *end = strstr(text, "Content-Length");
    snprintf(end, sizeof(text) - (size_t)(end - text),
             "Retry-After: 10\r\nContent-Length: 0\r\n\r\n");
    bench_receive(&bench, B1, 1, text);
    ck_assert_ptr_nonnull(bench_find(&bench, B2, "INVITE ")); /* this call moves on */
    ck_assert_uint_eq(total(STATS_TARGETS_AVOIDED), 0);
    struct spread spread = place(40, 10000, "");
    ck_assert_uint_gt(spread.first, 5);
}
END_TEST

START_TEST(who_is_not_asked_is_not_heard)
{
    char copy[4096], text[8192];
    open_with("loss", "false", "");
    bench_receive(&bench, A, 0, invite_with("1", "", ""));
    snprintf(copy, sizeof(copy), "%s", bench_find(&bench, B1, "INVITE "));
    const char *plain = answer(copy, "486 Busy Here", ";tag=b");
    const char *at = strstr(plain, ";rport");
    snprintf(text, sizeof(text), "%.*s;oc=100;oc-algo=\"loss\";oc-validity=5000;oc-seq=1.1%s",
             (int)(at - plain), plain, at);
    bench_receive(&bench, B1, 1, text);
    bench_receive(&bench, A, 0, invite_with("2", "", ""));
    ck_assert_ptr_nonnull(bench_find(&bench, B1, "INVITE "));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("overload");
    TCase *server = tcase_create("server"), *client = tcase_create("client");
    tcase_add_checked_fixture(server, NULL, close_bench);
    tcase_add_test(server, a_peer_is_told_of_nothing);
    tcase_add_test(server, a_peer_is_told_to_reduce);
    tcase_add_test(server, a_peer_that_reduces_is_not_refused);
    tcase_add_test(server, a_peer_is_told_a_rate);
    tcase_add_test(server, feedback_can_be_off);
    tcase_add_test(server, nobody_speaks_for_another_hop);
    tcase_add_test(server, retry_after_is_configurable);
    tcase_add_test(server, who_is_not_asked_is_not_heard);
    suite_add_tcase(suite, server);
    tcase_add_checked_fixture(client, open_asking, close_bench);
    tcase_add_test(client, targets_are_asked);
    tcase_add_test(client, a_loss_goes_to_the_other_target);
    tcase_add_loop_test(client, a_target_ends_it_at_once, 0, 2);
    tcase_add_test(client, all_targets_shed);
    tcase_add_test(client, emergency_calls_and_dialogs_pass);
    tcase_add_test(client, a_rate_is_kept);
    tcase_add_test(client, values_that_make_no_sense_are_counted);
    tcase_add_test(client, retry_after_yields_to_overload_control);
    suite_add_tcase(suite, client);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
