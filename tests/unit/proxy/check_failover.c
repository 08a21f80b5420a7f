/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failover: what a call gets when a target of its trunk fails, and what becomes of the target.
 */
#include <errno.h>

#include "unit/proxy/proxy_calls.h"

static const char three_targets[] =
    "listen:\n"
    "  - {address: '127.0.92.1:5060', network: out, aliases: ['127.0.91.1:5060']}\n"
    "  - {address: '127.0.92.2:5060', network: in}\n"
    "trunks:\n"
    "  - {name: a, sources: [192.0.2.0/24], network: out, targets: ['192.0.2.1:5060'],\n"
    "     area_code: '10'}\n"
    "  - name: b\n"
    "    sources: [198.51.100.0/24]\n"
    "    network: in\n"
    "    area_code: '10'\n"
    "    targets:\n"
    "      - {target: 198.51.100.1, priority: 0}\n"
    "      - {target: 198.51.100.2, priority: 1}\n"
    "      - {target: 198.51.100.3, priority: 2}\n"
    "    failover: {trial: 2s, budget: 5s, codes: ['503', '500', '480']}\n"
    "    health: {slow_start: 10s, probe_timeout: 1s, probe_down: 1s, retry_after_max: 20s,\n"
    "             %s}\n"
    "routes:\n"
    "  - {from: a, to: b}\n"
    "  - {from: b, to: a}\n";

#define B1 "198.51.100.1:5060"
#define B2 "198.51.100.2:5060"
#define B3 "198.51.100.3:5060"

static struct bench bench;

static void open_with(const char *health)
{
    char yaml[sizeof(three_targets) + 128];
    snprintf(yaml, sizeof(yaml), three_targets, health);
    bench_open(&bench, yaml, "");
}

static void open_bench(void)
{
    open_with("failures: 3");
}

static void close_bench(void)
{
    bench_close(&bench);
}

static char first_sent[4096];
static char second_sent[4096];

static void keep(char copy[4096], const char *sent)
{
    snprintf(copy, 4096, "%s", sent);
}

static const char *call(const char *id)
{
    bench_receive(&bench, A, 0, invite(id, id, "Alice", ""));
    bench_expect(&bench, 0, A, "SIP/2.0 100 ");
    return bench.sent[1].bytes;
}

/* Time passes in steps; stops when this was sent. */
static const char *pass_until(uint64_t us, const char *to, const char *start)
{
    for (uint64_t passed = 0; passed < us; passed += 50000) {
        bench_pass(&bench, 50000);
        const char *found = bench_find(&bench, to, start);
        if (found != NULL)
            return found;
    }
    return NULL;
}

static struct slice branch_of(const char *sent)
{
    static struct smsg message;
    ck_assert_int_eq(smsg_scan(&message, slice_of_text(sent)), 0);
    return message.via.branch;
}

START_TEST(silence_moves_a_call_on)
{
    keep(first_sent, call("1"));
    ck_assert_ptr_nonnull(
        bench_find(&bench, B1, "INVITE sip:01062345678@198.51.100.1:5060 SIP/2.0"));
    uint64_t begun_us = bench.now_us;
    const char *second =
        pass_until(3 * BENCH_SECOND, B2, "INVITE sip:01062345678@198.51.100.2:5060 SIP/2.0");
    ck_assert_ptr_nonnull(second);
    ck_assert_uint_eq(bench.now_us - begun_us, 2 * BENCH_SECOND);
    keep(second_sent, second);
    ck_assert(!slice_equal(branch_of(first_sent), branch_of(second_sent)));
    /* Only what has to differ does. */
    ck_assert_ptr_nonnull(strstr(second_sent, "\r\nRecord-Route: <sip:127.0.92.2:5060;lr;rf="));
    ck_assert_uint_eq(strlen(first_sent), strlen(second_sent));

    /* What was left is not asked again, and cancelled as soon as it wakes up. */
    ck_assert_ptr_null(pass_until(BENCH_SECOND, B1, "INVITE"));
    bench_receive(&bench, B1, 1, answer(first_sent, "180 Ringing", ";tag=b1"));
    ck_assert_ptr_nonnull(
        bench_find(&bench, B1, "CANCEL sip:01062345678@198.51.100.1:5060 SIP/2.0"));
    ck_assert_uint_eq(bench.sent_count, 1);
    bench_receive(&bench, B1, 1, answer(first_sent, "487 Request Terminated", ";tag=b1"));
    ck_assert_ptr_nonnull(bench_find(&bench, B1, "ACK "));
    ck_assert_uint_eq(bench.sent_count, 1);

    bench_receive(&bench, B2, 1, answer(second_sent, "180 Ringing", ";tag=b2"));
    bench_expect(&bench, 0, A, "SIP/2.0 180 ");
    bench_receive(&bench, B2, 1, answer(second_sent, "200 OK", ";tag=b2"));
    bench_expect(&bench, 0, A, "SIP/2.0 200 ");
    ck_assert_uint_eq(bench_total(&bench, STATS_FAILOVERS), 1);
}
END_TEST

START_TEST(an_answer_ends_the_trial)
{
    keep(first_sent, call("1"));
    bench_receive(&bench, B1, 1, answer(first_sent, "100 Trying", ""));
    ck_assert_ptr_null(pass_until(20 * BENCH_SECOND, B2, "INVITE"));
}
END_TEST

START_TEST(unavailable_moves_a_call_on_at_once)
{
    keep(first_sent, call("1"));
    bench_receive(&bench, B1, 1, answer(first_sent, "503 Service Unavailable", ";tag=b1"));
    ck_assert_ptr_nonnull(bench_find(&bench, B1, "ACK "));
    keep(second_sent, bench_find(&bench, B2, "INVITE "));
    ck_assert_uint_eq(bench.sent_count, 2);
    bench_receive(&bench, B2, 1, answer(second_sent, "486 Busy Here", ";tag=b2"));
    ck_assert_ptr_nonnull(bench_find(&bench, A, "SIP/2.0 486 "));
}
END_TEST

START_TEST(verdicts_are_final)
{
    static const struct {
        const char *start;
        const char *to_upstream;
    } rows[] = {
        {"603 Network Blocked", "SIP/2.0 603 Network Blocked"},
        {"607 Unwanted", "SIP/2.0 607 "},
        {"608 Rejected", "SIP/2.0 608 "},
        {"486 Busy Here", "SIP/2.0 486 "},
        {"404 Not Found", "SIP/2.0 404 "},
        {"503 Unavailable\r\nReason: Q.850;cause=21;text=\"v=analytics1\"", "SIP/2.0 500 "},
        {"500 Error\r\nReason: Q.850;cause=1, SIP ;cause=608 ;text=\"x\"", "SIP/2.0 500 "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char id[8];
        snprintf(id, sizeof(id), "v%zu", i);
        keep(first_sent, call(id));
        bench_receive(&bench, B1, 1, answer(first_sent, rows[i].start, ";tag=b1"));
        ck_assert_msg(bench_find(&bench, A, rows[i].to_upstream) != NULL, "%s", rows[i].start);
        ck_assert_ptr_null(bench_find(&bench, B2, "INVITE"));
    }
    ck_assert_uint_eq(bench_total(&bench, STATS_FAILOVERS), 0);
}
END_TEST

START_TEST(ringing_binds)
{
    keep(first_sent, call("1"));
    bench_receive(&bench, B1, 1, answer(first_sent, "180 Ringing", ";tag=b1"));
    bench_receive(&bench, B1, 1, answer(first_sent, "503 Service Unavailable", ";tag=b1"));
    ck_assert_ptr_nonnull(bench_find(&bench, A, "SIP/2.0 500 "));
    ck_assert_ptr_null(bench_find(&bench, B2, "INVITE"));
}
END_TEST

START_TEST(the_best_answer_goes_upstream)
{
    /* 480, then 500, then silence to the end of the budget. */
    uint64_t begun_us = bench.now_us;
    keep(first_sent, call("1"));
    bench_receive(&bench, B1, 1, answer(first_sent, "480 Not Here", ";tag=b1"));
    keep(second_sent, bench_find(&bench, B2, "INVITE "));
    bench_receive(&bench, B2, 1, answer(second_sent, "500 Error", ";tag=b2"));
    ck_assert_ptr_nonnull(bench_find(&bench, B3, "INVITE "));
    ck_assert_ptr_nonnull(pass_until(20 * BENCH_SECOND, A, "SIP/2.0 408 "));
    ck_assert_uint_eq(bench.now_us - begun_us, 5 * BENCH_SECOND);
    ck_assert_uint_eq(call_table_count(bench.calls), 0);

    keep(first_sent, call("2"));
    bench_receive(&bench, B1, 1, answer(first_sent, "480 Not Here", ";tag=b1"));
    keep(second_sent, bench_find(&bench, B2, "INVITE "));
    bench_receive(&bench, B2, 1, answer(second_sent, "500 Error", ";tag=b2"));
    keep(second_sent, bench_find(&bench, B3, "INVITE "));
    bench_receive(&bench, B3, 1, answer(second_sent, "503 Service Unavailable", ";tag=b3"));
    ck_assert_ptr_nonnull(bench_find(&bench, A, "SIP/2.0 480 "));
}
END_TEST

START_TEST(the_budget_is_kept)
{
    /* Trials of 2 s each from 0 and 2; at 4 the third has the second that is left, and no more. */
    uint64_t begun_us = bench.now_us;
    call("1");
    ck_assert_ptr_nonnull(pass_until(3 * BENCH_SECOND, B2, "INVITE"));
    ck_assert_ptr_nonnull(pass_until(3 * BENCH_SECOND, B3, "INVITE"));
    ck_assert_uint_eq(bench.now_us - begun_us, 4 * BENCH_SECOND);
    ck_assert_ptr_nonnull(pass_until(9 * BENCH_SECOND, A, "SIP/2.0 408 "));
    ck_assert_uint_eq(bench.now_us - begun_us, 6 * BENCH_SECOND);
}
END_TEST

START_TEST(a_late_answer_is_the_calls)
{
    keep(first_sent, call("1"));
    keep(second_sent, pass_until(3 * BENCH_SECOND, B2, "INVITE"));
    bench_receive(&bench, B2, 1, answer(second_sent, "180 Ringing", ";tag=b2"));
    bench_receive(&bench, B1, 1, answer(first_sent, "200 OK", ";tag=b1"));
    ck_assert_ptr_nonnull(bench_find(&bench, A, "SIP/2.0 200 "));
    ck_assert_ptr_nonnull(bench_find(&bench, B2, "CANCEL "));
    ck_assert_uint_eq(bench_total(&bench, STATS_LATE_ANSWERS), 1);
    ck_assert_uint_eq(bench_total(&bench, STATS_CALLS_ANSWERED), 1);

    /* The other had answered already: section 16.7 item 5, each 2xx goes upstream. */
    bench_receive(&bench, B2, 1, answer(second_sent, "200 OK", ";tag=b2"));
    ck_assert_ptr_nonnull(bench_find(&bench, A, "SIP/2.0 200 "));
    ck_assert_uint_eq(call_table_count(bench.calls), 1);
}
END_TEST

START_TEST(a_cancelled_call_goes_nowhere_else)
{
    call("1");
    bench_receive(&bench, A, 0,
                  "CANCEL sip:01062345678@127.0.91.1 SIP/2.0\r\n"
                  "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
                  "From: \"Alice\" <sip:13800138000@192.0.2.1>;tag=from\r\n"
                  "To: <sip:01062345678@127.0.91.1>\r\nCall-ID: 1\r\nCSeq: 1 CANCEL\r\n"
                  "Content-Length: 0\r\n\r\n");
    ck_assert_ptr_nonnull(bench_find(&bench, A, "SIP/2.0 200 "));
    ck_assert_ptr_nonnull(pass_until(3 * BENCH_SECOND, A, "SIP/2.0 487 "));
    ck_assert_ptr_null(bench_find(&bench, B2, "INVITE"));
}
END_TEST

START_TEST(what_cannot_be_sent_goes_elsewhere)
{
    call("1");
    txn_layer_send_failed(bench.transactions, bench.sent[1].cookie, -EHOSTUNREACH, bench.now_us);
    ck_assert_ptr_nonnull(bench_find(&bench, B2, "INVITE "));
}
END_TEST

START_TEST(other_requests_go_on_too)
{
    bench_receive(&bench, A, 0,
                  "MESSAGE sip:01062345678@127.0.91.1 SIP/2.0\r\n"
                  "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKm\r\nMax-Forwards: 70\r\n"
                  "From: <sip:13800138000@192.0.2.1>;tag=from\r\n"
                  "To: <sip:01062345678@127.0.91.1>\r\nCall-ID: m\r\nCSeq: 1 MESSAGE\r\n"
                  "Content-Length: 0\r\n\r\n");
    ck_assert_ptr_nonnull(bench_find(&bench, B1, "MESSAGE "));
    const char *second = pass_until(3 * BENCH_SECOND, B2, "MESSAGE ");
    ck_assert_ptr_nonnull(second);
    keep(second_sent, second);
    bench_receive(&bench, B2, 1, answer(second_sent, "200 OK", ";tag=b2"));
    ck_assert_ptr_nonnull(bench_find(&bench, A, "SIP/2.0 200 "));
}
END_TEST

/* ---- health -------------------------------------------------------------------------------- */

static const char *answer_probe(const char *from, const char *probe, const char *start)
{
    keep(second_sent, probe);
    bench_receive(&bench, from, 1, answer(second_sent, start, ";tag=p"));
    return NULL;
}

START_TEST(silent_calls_mark_a_target_down)
{
    ck_assert_int_eq(proxy_start_probing(bench.proxy, 1, bench.now_us), 0);
    for (int i = 0; i < 4; i++) {
        char id[8];
        snprintf(id, sizeof(id), "s%d", i);
        ck_assert_ptr_nonnull(strstr(call(id), "@198.51.100.1:5060"));
    }
    /* The third of them marks it, and the fourth follows with its next look. */
    ck_assert_ptr_nonnull(pass_until(3 * BENCH_SECOND, B2, "INVITE "));
    ck_assert_uint_eq(bench_total(&bench, STATS_TARGETS_DOWN), 1);
    ck_assert_uint_eq(bench_total(&bench, STATS_FAILOVERS), 4);
    ck_assert_ptr_nonnull(strstr(call("s5"), "@198.51.100.2:5060"));

    /* Probed at once; two answers bring it back, with a small share of the calls at first. */
    const char *probe = pass_until(BENCH_SECOND, B1, "OPTIONS sip:198.51.100.1:5060 SIP/2.0");
    ck_assert_ptr_nonnull(probe);
    answer_probe(B1, probe, "404 Not Found");
    probe = pass_until(3 * BENCH_SECOND, B1, "OPTIONS ");
    ck_assert_ptr_nonnull(probe);
    ck_assert_ptr_nonnull(strstr(call("s6"), "@198.51.100.2:5060"));
    answer_probe(B1, probe, "200 OK");
    unsigned early = 0, late = 0;
    for (int i = 0; i < 40; i++) {
        char id[16];
        snprintf(id, sizeof(id), "early%d", i);
        early += strstr(call(id), "@198.51.100.1:5060") != NULL;
    }
    ck_assert_uint_lt(early, 12);
    bench_pass(&bench, 11 * BENCH_SECOND);
    for (int i = 0; i < 10; i++) {
        char id[16];
        snprintf(id, sizeof(id), "late%d", i);
        late += strstr(call(id), "@198.51.100.1:5060") != NULL;
    }
    ck_assert_uint_eq(late, 10);
}
END_TEST

START_TEST(one_silent_call_among_good_ones_marks_nothing)
{
    ck_assert_int_eq(proxy_start_probing(bench.proxy, 1, bench.now_us), 0);
    for (int i = 0; i < 5; i++) {
        char id[8];
        snprintf(id, sizeof(id), "g%d", i);
        call(id);
        bench_pass(&bench, 200000);
        snprintf(id, sizeof(id), "h%d", i);
        keep(first_sent, call(id));
        bench_receive(&bench, B1, 1, answer(first_sent, "486 Busy Here", ";tag=b1"));
    }
    bench_pass(&bench, 1500000);
    for (int i = 0; i < 20; i++)
        bench_pass(&bench, 100000);
    /* The other target, which nobody heard, has lost its reputation meanwhile. */
    ck_assert_uint_eq(bench_total(&bench, STATS_TARGETS_DOWN), 1);
    ck_assert_ptr_nonnull(strstr(call("last"), "@198.51.100.1:5060"));
}
END_TEST

START_TEST(retry_after_is_honoured)
{
    ck_assert_int_eq(proxy_start_probing(bench.proxy, 1, bench.now_us), 0);
    keep(first_sent, call("1"));
    bench_receive(
        &bench, B1, 1,
        answer(first_sent, "503 Service Unavailable\r\nRetry-After: 3600 (sorry)", ";tag=b1"));
    ck_assert_ptr_nonnull(bench_find(&bench, B2, "INVITE "));
    ck_assert_ptr_nonnull(strstr(call("2"), "@198.51.100.2:5060"));
    /* No longer than retry_after_max, and then gradually. */
    bench_pass(&bench, 32 * BENCH_SECOND);
    ck_assert_ptr_nonnull(strstr(call("3"), "@198.51.100.1:5060"));
}
END_TEST

START_TEST(probes_mark_down_and_up)
{
    close_bench();
    open_with("probe: 10s, down_after: 2, up_after: 1, answers: success");
    ck_assert_int_eq(proxy_start_probing(bench.proxy, 1, bench.now_us), 0);
    const char *probe = pass_until(11 * BENCH_SECOND, B1, "OPTIONS ");
    ck_assert_ptr_nonnull(probe);
    ck_assert_ptr_nonnull(strstr(probe, "\r\nCSeq: 1 OPTIONS\r\n"));
    answer_probe(B1, probe, "200 OK");
    probe = pass_until(11 * BENCH_SECOND, B1, "OPTIONS ");
    answer_probe(B1, probe, "405 Method Not Allowed"); /* counts as none here */
    ck_assert_ptr_nonnull(strstr(call("1"), "@198.51.100.1:5060"));
    ck_assert_ptr_nonnull(pass_until(11 * BENCH_SECOND, B1, "OPTIONS ")); /* not answered */
    for (int i = 0; i < 200; i++) /* the others never answered */
        bench_pass(&bench, 100000);
    ck_assert_uint_eq(bench_total(&bench, STATS_TARGETS_DOWN), 3);
}
END_TEST

START_TEST(all_down_is_tried_or_refused)
{
    for (int refuse = 0; refuse < 2; refuse++) {
        close_bench();
        open_with(refuse != 0 ? "probe: 1s, down_after: 1, all_down: refuse"
                              : "probe: 1s, down_after: 1");
        ck_assert_int_eq(proxy_start_probing(bench.proxy, 1, bench.now_us), 0);
        for (int i = 0; i < 40; i++)
            bench_pass(&bench, 100000);
        ck_assert_uint_eq(bench_total(&bench, STATS_TARGETS_DOWN), 3);
        bench_receive(&bench, A, 0, invite("1", "1", "Alice", ""));
        if (refuse != 0)
            ck_assert_ptr_nonnull(bench_find(&bench, A, "SIP/2.0 500 "));
        else
            ck_assert_ptr_nonnull(bench_find(&bench, B1, "INVITE "));
    }
    bench_receive(&bench, A, 0,
                  "INVITE sip:110@127.0.91.1 SIP/2.0\r\n"
                  "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKe\r\nMax-Forwards: 70\r\n"
                  "From: <sip:13800138000@192.0.2.1>;tag=from\r\n"
                  "To: <sip:110@127.0.91.1>\r\nCall-ID: e\r\nCSeq: 1 INVITE\r\n"
                  "Contact: <sip:x@192.0.2.1>\r\nContent-Length: 0\r\n\r\n");
    ck_assert_ptr_nonnull(
        bench_find(&bench, B1, "INVITE ")); /* an emergency call is tried all the same */
}
END_TEST

START_TEST(icmp_hastens)
{
    struct tp_address b1;
    ck_assert_int_eq(tp_address_parse(slice_of_text(B1), 5060, &b1), 0);
    ck_assert_int_eq(proxy_start_probing(bench.proxy, 1, bench.now_us), 0);
    call("1");
    uint64_t begun_us = bench.now_us;
    proxy_unreachable(bench.proxy, &b1, bench.now_us);
    const char *second = pass_until(BENCH_SECOND, B2, "INVITE ");
    ck_assert_ptr_nonnull(second);
    keep(second_sent, second);
    ck_assert_uint_le(bench.now_us - begun_us, 250000);
    bench_receive(&bench, B2, 1, answer(second_sent, "100 Trying", ""));
    /* A call that has been answered does not mind. */
    keep(first_sent, call("2"));
    bench_receive(&bench, B1, 1, answer(first_sent, "100 Trying", ""));
    proxy_unreachable(bench.proxy, &b1, bench.now_us);
    ck_assert_ptr_null(pass_until(3 * BENCH_SECOND, B2, "INVITE "));
}
END_TEST

/* ---- without state ------------------------------------------------------------------------- */

START_TEST(after_a_restart_each_target_has_its_branch)
{
    static const char cancel[] =
        "CANCEL sip:01062345678@127.0.91.1 SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
        "From: \"Alice\" <sip:13800138000@192.0.2.1>;tag=from\r\n"
        "To: <sip:01062345678@127.0.91.1>\r\nCall-ID: 1\r\nCSeq: 1 CANCEL\r\n"
        "Content-Length: 0\r\n\r\n";
    keep(first_sent, call("1"));
    keep(second_sent, pass_until(3 * BENCH_SECOND, B2, "INVITE "));
    bench_restart(&bench);
    bench_receive(&bench, A, 0, cancel);
    ck_assert_uint_eq(bench.sent_count, 3);
    static char copy[4096];
    keep(copy, bench_find(&bench, B1, "CANCEL sip:01062345678@198.51.100.1:5060 "));
    ck_assert(slice_equal(branch_of(copy), branch_of(first_sent)));
    keep(copy, bench_find(&bench, B2, "CANCEL sip:01062345678@198.51.100.2:5060 "));
    struct slice branch = branch_of(copy);
    char text[64];
    snprintf(text, sizeof(text), "%.*s", SLICE_ARGS(branch));
    branch = branch_of(second_sent);
    ck_assert_int_eq(strncmp(text, branch.data, branch.length), 0);
    ck_assert_ptr_nonnull(bench_find(&bench, B3, "CANCEL "));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proxy/failover");
    TCase *tests = tcase_create("failover");
    tcase_add_checked_fixture(tests, open_bench, close_bench);
    tcase_add_test(tests, silence_moves_a_call_on);
    tcase_add_test(tests, an_answer_ends_the_trial);
    tcase_add_test(tests, unavailable_moves_a_call_on_at_once);
    tcase_add_test(tests, verdicts_are_final);
    tcase_add_test(tests, ringing_binds);
    tcase_add_test(tests, the_best_answer_goes_upstream);
    tcase_add_test(tests, the_budget_is_kept);
    tcase_add_test(tests, a_late_answer_is_the_calls);
    tcase_add_test(tests, a_cancelled_call_goes_nowhere_else);
    tcase_add_test(tests, what_cannot_be_sent_goes_elsewhere);
    tcase_add_test(tests, other_requests_go_on_too);
    tcase_add_test(tests, silent_calls_mark_a_target_down);
    tcase_add_test(tests, one_silent_call_among_good_ones_marks_nothing);
    tcase_add_test(tests, retry_after_is_honoured);
    tcase_add_test(tests, probes_mark_down_and_up);
    tcase_add_test(tests, all_down_is_tried_or_refused);
    tcase_add_test(tests, icmp_hastens);
    tcase_add_test(tests, after_a_restart_each_target_has_its_branch);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
