/* SPDX-License-Identifier: Apache-2.0 */
/* What other RFCs ask of a proxy: docs/rfc3261.md, section "Beyond section 16". */
#include "unit/proxy/proxy_calls.h"

static const char rules[] = "rules:\n"
                            "  - {id: never, when: 'caller.display == \"-\"', score: 1}\n"
                            "policy:\n"
                            "  - {at: 90, do: block, with: '603+'}\n";

/* A text with further header lines before Content-Length. */
static const char *with_lines(const char *message, const char *lines)
{
    static char text[16384];
    const char *split = strstr(message, "Content-Length:");
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(split - message), message, lines, split);
    return text;
}

/* Sends a request of the caller's side and answers it; leaves the answer in b->sent[last]. */
static const char *ask(struct bench *b, const char *method, int cseq, const char *start,
                       const char *lines)
{
    static char request[4096];
    size_t first = strcmp(method, "INVITE") == 0 ? 1 : 0;
    bench_receive(b, A, 0, of_caller(method, routes_of(answered, true), cseq));
    snprintf(request, sizeof(request), "%s", bench_expect(b, first, B, method));
    bench_receive(b, B, 1, with_lines(answer(request, start, ""), lines));
    ck_assert_uint_gt(b->sent_count, 0);
    char expected[16];
    snprintf(expected, sizeof(expected), "SIP/2.0 %.3s ", start);
    return bench_expect(b, b->sent_count - 1, A, expected);
}

/* ---- RFC 3262, 3311: requests of an early dialog ------------------------------------------ */

START_TEST(early_dialog_has_prack_and_update)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", "Require: 100rel\r\n"));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    ck_assert_ptr_nonnull(strstr(forwarded, "Require: 100rel\r\n"));
    bench_receive(&b, B, 1,
                  with_lines(answer(forwarded, "183 Session Progress", ";tag=to"),
                             "Require: 100rel\r\nRSeq: 61\r\n"));
    snprintf(answered, sizeof(answered), "%s", bench_expect(&b, 0, A, "SIP/2.0 183 "));
    ck_assert_ptr_nonnull(strstr(answered, "Require: 100rel\r\nRSeq: 61\r\n"));

    bench_receive(
        &b, A, 0,
        with_lines(of_caller("PRACK", routes_of(answered, true), 2), "RAck: 61 1 INVITE\r\n"));
    char prack[4096];
    snprintf(prack, sizeof(prack), "%s", bench_expect(&b, 0, B, "PRACK " CALLEE_URI " SIP/2.0"));
    ck_assert_ptr_nonnull(strstr(prack, "RAck: 61 1 INVITE\r\n"));
    bench_receive(&b, B, 1, answer(prack, "200 OK", ""));
    bench_expect(&b, 0, A, "SIP/2.0 200 ");
    /* The called side speaks, too. */
    bench_receive(&b, B, 1, of_callee("UPDATE", routes_of(forwarded, false), 61));
    bench_expect(&b, 0, A, "UPDATE " CALLER_URI " SIP/2.0");
    /* The call is not answered by any of that. */
    ck_assert_uint_eq(call_table_count(b.calls), 1);
    bench_receive(&b, B, 1, answer(forwarded, "486 Busy Here", ";tag=to"));
    bench_expect(&b, 1, A, "SIP/2.0 486 ");
    ck_assert_uint_eq(call_table_count(b.calls), 0);
    bench_close(&b);
}
END_TEST

/* ---- re-INVITE (RFC 3261 section 14) ------------------------------------------------------ */

/* Both sides at once: each INVITE is a transaction of its own, each 491 goes to its sender. */
START_TEST(glare_is_refused_on_both_sides)
{
    struct bench b;
    char ours[4096], theirs[4096];
    bench_open(&b, site, rules);
    establish(&b);
    bench_receive(&b, A, 0, of_caller("INVITE", routes_of(answered, true), 2));
    bench_expect(&b, 0, A, "SIP/2.0 100 ");
    snprintf(ours, sizeof(ours), "%s", bench_expect(&b, 1, B, "INVITE " CALLEE_URI));
    ck_assert_ptr_null(strstr(ours, "Record-Route:"));
    bench_receive(&b, B, 1, of_callee("INVITE", routes_of(forwarded, false), 2));
    bench_expect(&b, 0, B, "SIP/2.0 100 ");
    snprintf(theirs, sizeof(theirs), "%s", bench_expect(&b, 1, A, "INVITE " CALLER_URI));

    bench_receive(&b, B, 1, answer(ours, "491 Request Pending", ""));
    bench_expect(&b, 0, B, "ACK " CALLEE_URI);
    bench_expect(&b, 1, A, "SIP/2.0 491 ");
    bench_receive(&b, A, 0, answer(theirs, "491 Request Pending", ""));
    bench_expect(&b, 0, A, "ACK " CALLER_URI);
    bench_expect(&b, 1, B, "SIP/2.0 491 ");
    ck_assert_uint_eq(call_table_count(b.calls), 1);
    ck_assert_uint_eq(bench_total(&b, STATS_CALLS), 1);
    bench_close(&b);
}
END_TEST

/* None of them ends a call but 408 and 481 (section 12.2.1.2). */
START_TEST(refusals_within_a_dialog_pass_and_leave_the_call)
{
    static const char *const starts[] = {"401 Unauthorized", "415 Media", "421 Extension",
                                         "422 Too Small",    "488 No",    "504 Time-out"};
    struct bench b;
    bench_open(&b, site, rules);
    establish(&b);
    int cseq = 2;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        ask(&b, "UPDATE", cseq++, starts[i], "Min-SE: 1800\r\n");
        ck_assert_ptr_nonnull(strstr(b.sent[b.sent_count - 1].bytes, "Min-SE: 1800\r\n"));
        ask(&b, "INVITE", cseq++, starts[i], "");
    }
    /* A BYE that was challenged has not ended it either. */
    ask(&b, "BYE", cseq++, "407 Proxy Authentication Required", "");
    ck_assert_uint_eq(call_table_count(b.calls), 1);
    ask(&b, "INFO", cseq, "481 Gone", "");
    ck_assert_uint_eq(call_table_count(b.calls), 0);
    bench_close(&b);
}
END_TEST

/* ---- RFC 3515 ----------------------------------------------------------------------------- */

/* REFER outside a dialog makes one: its NOTIFY comes back by our Record-Route. */
START_TEST(refer_makes_a_dialog)
{
    static const char refer[] =
        "REFER sip:desk@127.0.91.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKr1\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:x@y>;tag=from\r\nTo: <sip:y@z>\r\nCall-ID: c1\r\n"
        "CSeq: 1 REFER\r\nContact: <" CALLER_URI ">\r\nRefer-To: <sip:third@example.net>\r\n"
        "Content-Length: 0\r\n\r\n";
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, refer);
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 0, B, "REFER "));
    ck_assert_ptr_nonnull(strstr(forwarded, "Record-Route: "));
    ck_assert_ptr_nonnull(strstr(forwarded, "Refer-To: <sip:third@example.net>\r\n"));
    bench_receive(&b, B, 1, answer(forwarded, "202 Accepted", ";tag=to"));
    bench_expect(&b, 0, A, "SIP/2.0 202 ");
    bench_receive(&b, B, 1, of_callee("NOTIFY", routes_of(forwarded, false), 1));
    bench_expect(&b, 0, A, "NOTIFY " CALLER_URI " SIP/2.0");
    ck_assert_uint_eq(call_table_count(b.calls), 0);
    bench_close(&b);
}
END_TEST

/* ---- RFC 4028 ----------------------------------------------------------------------------- */

#define TIMED "Require: timer\r\nSession-Expires: 90;refresher=uac\r\n"

static void establish_timed(struct bench *b)
{
    bench_receive(b, A, 0, invite("1", "c1", "Alice", "Session-Expires: 90\r\nMin-SE: 90\r\n"));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(b, 1, B, "INVITE"));
    ck_assert_ptr_nonnull(strstr(forwarded, "Session-Expires: 90\r\nMin-SE: 90\r\n"));
    bench_receive(b, B, 1, with_lines(answer(forwarded, "200 OK", ";tag=to"), TIMED));
    snprintf(answered, sizeof(answered), "%s", bench_expect(b, 0, A, "SIP/2.0 200 "));
    ck_assert_ptr_nonnull(strstr(answered, TIMED));
}

START_TEST(session_that_nobody_refreshes_ends_the_record)
{
    struct bench b;
    bench_open(&b, site, rules);
    establish_timed(&b);
    bench_pass(&b, 89 * BENCH_SECOND);
    ck_assert_uint_eq(call_table_count(b.calls), 1);
    bench_pass(&b, 2 * BENCH_SECOND);
    ck_assert_uint_eq(call_table_count(b.calls), 0);
    bench_close(&b);
}
END_TEST

START_TEST(session_is_refreshed_by_update_and_invite)
{
    struct bench b;
    bench_open(&b, site, rules);
    establish_timed(&b);
    for (int i = 0; i < 4; i++) {
        bench_pass(&b, 60 * BENCH_SECOND);
        ask(&b, i % 2 == 0 ? "UPDATE" : "INVITE", 2 + i, "200 OK", TIMED);
        ck_assert_uint_eq(call_table_count(b.calls), 1);
    }
    /* A refusal refreshes nothing; a 2xx without the header turns the timer off. */
    bench_pass(&b, 60 * BENCH_SECOND);
    ask(&b, "UPDATE", 10, "422 Too Small", TIMED);
    ask(&b, "UPDATE", 11, "200 OK", "");
    bench_pass(&b, 3600 * BENCH_SECOND);
    ck_assert_uint_eq(call_table_count(b.calls), 1);
    bench_close(&b);
}
END_TEST

/* ---- forks behind us ---------------------------------------------------------------------- */

START_TEST(answers_of_a_fork_all_pass)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    static const char *const tags[] = {";tag=x", ";tag=y", ";tag=z"};
    for (int i = 0; i < 3; i++) {
        bench_receive(&b, B, 1, answer(forwarded, "180 Ringing", tags[i]));
        ck_assert_ptr_nonnull(strstr(bench_expect(&b, 0, A, "SIP/2.0 180 "), tags[i]));
    }
    for (int i = 0; i < 3; i++) {
        bench_receive(&b, B, 1, answer(forwarded, "200 OK", tags[i]));
        ck_assert_uint_eq(b.sent_count, 1);
        ck_assert_ptr_nonnull(strstr(bench_expect(&b, 0, A, "SIP/2.0 200 "), tags[i]));
    }
    ck_assert_uint_eq(bench_total(&b, STATS_STRAY_RESPONSES), 0);
    ck_assert_uint_eq(call_table_count(b.calls), 1);
    bench_close(&b);
}
END_TEST

/* ---- Timer C (RFC 3261 section 16.7 item 2) ----------------------------------------------- */

START_TEST(timer_c_starts_anew_with_each_provisional_response)
{
    struct bench b;
    bench_open(&b, site, rules);
    bench_receive(&b, A, 0, invite("1", "c1", "Alice", ""));
    snprintf(forwarded, sizeof(forwarded), "%s", bench_expect(&b, 1, B, "INVITE"));
    bench_receive(&b, B, 1, answer(forwarded, "180 Ringing", ";tag=to"));
    bench_pass(&b, 170 * BENCH_SECOND);
    bench_receive(&b, B, 1, answer(forwarded, "182 Queued", ";tag=to"));
    bench_pass(&b, 170 * BENCH_SECOND);
    /* 100 does not count. */
    bench_receive(&b, B, 1, answer(forwarded, "100 Trying", ""));
    ck_assert_uint_eq(b.sent_count, 0);
    bench_pass(&b, 9 * BENCH_SECOND);
    ck_assert_uint_eq(b.sent_count, 0);
    bench_pass(&b, 2 * BENCH_SECOND);
    bench_expect(&b, 0, B, "CANCEL ");
    bench_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proxy/extensions");
    TCase *tests = tcase_create("extensions");
    tcase_add_test(tests, early_dialog_has_prack_and_update);
    tcase_add_test(tests, glare_is_refused_on_both_sides);
    tcase_add_test(tests, refusals_within_a_dialog_pass_and_leave_the_call);
    tcase_add_test(tests, refer_makes_a_dialog);
    tcase_add_test(tests, session_that_nobody_refreshes_ends_the_record);
    tcase_add_test(tests, session_is_refreshed_by_update_and_invite);
    tcase_add_test(tests, answers_of_a_fork_all_pass);
    tcase_add_test(tests, timer_c_starts_anew_with_each_provisional_response);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
