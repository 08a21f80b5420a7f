/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of trunks, callers and sources, and the quality that is counted when calls end. */
#include "unit/proxy/proxy_calls.h"

static const char limited[] =
    "listen:\n"
    "  - {address: '127.0.93.1:5060', network: out, aliases: ['127.0.91.1:5060']}\n"
    "  - {address: '127.0.93.2:5060', network: in}\n"
    "trunks:\n"
    "  - name: a\n"
    "    sources: [192.0.2.0/24]\n"
    "    network: out\n"
    "    targets: ['192.0.2.1:5060']\n"
    "    area_code: '10'\n"
    "    limits: {%s}\n"
    "  - {name: b, sources: [198.51.100.0/24], network: in, targets: ['198.51.100.1:5060'],\n"
    "     area_code: '10'}\n"
    "routes:\n"
    "  - {from: a, to: b}\n"
    "  - {from: b, to: a}\n"
    "limits: {max_call: 1m}\n";

static struct bench bench;

static void open_with(const char *limits)
{
    char yaml[sizeof(limited) + 128];
    snprintf(yaml, sizeof(yaml), limited, limits);
    bench_open(&bench, yaml, "");
}

/* A call from a caller at a source: the status that it was refused with, 0 when it went on. */
static unsigned call(const char *id, const char *caller, const char *source, const char *number)
{
    char text[2048], host[32];
    snprintf(host, sizeof(host), "%.*s", (int)strcspn(source, ":"), source);
    snprintf(text, sizeof(text),
             "INVITE sip:%s@127.0.91.1 SIP/2.0\r\n"
             "Via: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\n"
             "From: <sip:%s@192.0.2.1>;tag=from\r\nTo: <sip:%s@127.0.91.1>\r\nCall-ID: %s\r\n"
             "CSeq: 1 INVITE\r\nContact: <sip:x@192.0.2.1>\r\nContent-Length: 0\r\n\r\n",
             number, host, id, caller, number, id);
    bench_receive(&bench, source, 0, text);
    unsigned status = 0;
    ck_assert_uint_ge(bench.sent_count, 1);
    for (size_t i = 0; i < bench.sent_count; i++)
        if (sscanf(bench.sent[i].bytes, "SIP/2.0 %u", &status) == 1 && status >= 200)
            return status;
    return 0;
}

#define ALICE  "13800138000"
#define BOB    "13800138001"
#define CALLEE "01062345678"

/* The call that was the last to go on ends without an answer. */
static void end_last(const char *start)
{
    static char sent[4096];
    snprintf(sent, sizeof(sent), "%s", bench.sent[1].bytes);
    bench_receive(&bench, B, 1, answer(sent, start, ";tag=b"));
}

START_TEST(rates_are_kept)
{
    open_with("rate: 3, code: 486");
    for (int i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof(id), "r%d", i);
        ck_assert_uint_eq(call(id, ALICE, A, CALLEE), 0);
    }
    ck_assert_uint_eq(call("r3", ALICE, A, CALLEE), 486);
    ck_assert_uint_eq(bench_total(&bench, STATS_CALLS), 3); /* before anything is judged */
    ck_assert_ptr_null(strstr(bench.sent[0].bytes, "Retry-After"));
    ck_assert_uint_eq(call("r4", ALICE, A, "110"), 0); /* emergency calls meet no limit */
    bench_pass(&bench, BENCH_SECOND / 3);
    ck_assert_uint_eq(call("r5", ALICE, A, CALLEE), 0);
    ck_assert_uint_eq(call("r6", ALICE, A, CALLEE), 486);
    bench_close(&bench);
}
END_TEST

START_TEST(rates_of_callers_and_sources_are_their_own)
{
    open_with("caller_rate: 1");
    ck_assert_uint_eq(call("1", ALICE, A, CALLEE), 0);
    ck_assert_uint_eq(call("2", ALICE, A, CALLEE), 503);
    ck_assert_uint_eq(call("3", BOB, A, CALLEE), 0);
    bench_close(&bench);
    open_with("source_rate: 1");
    ck_assert_uint_eq(call("1", ALICE, A, CALLEE), 0);
    ck_assert_uint_eq(call("2", BOB, "192.0.2.1:5099", CALLEE), 503); /* another port of it */
    ck_assert_uint_eq(call("3", BOB, "192.0.2.2:5060", CALLEE), 0);
    bench_close(&bench);
}
END_TEST

START_TEST(calls_at_one_time_are_given_back)
{
    open_with("calls: 2");
    ck_assert_uint_eq(call("1", ALICE, A, CALLEE), 0);
    ck_assert_uint_eq(call("2", ALICE, A, CALLEE), 0);
    ck_assert_uint_eq(call("3", ALICE, A, CALLEE), 503);
    ck_assert_uint_eq(call("e", ALICE, A, "110"), 0);
    ck_assert_uint_eq(call("4", BOB, A, CALLEE), 503);
    bench_close(&bench);

    open_with("caller_calls: 1, calls: 10");
    ck_assert_uint_eq(call("1", ALICE, A, CALLEE), 0);
    end_last("486 Busy Here");
    ck_assert_uint_eq(call("2", ALICE, A, CALLEE), 0);
    ck_assert_uint_eq(call("3", ALICE, A, CALLEE), 503);
    ck_assert_uint_eq(call("4", BOB, A, CALLEE), 0);
    /* What refused it has counted nothing. */
    uint64_t hash = proxy_limit_hash(PROXY_LIMIT_CALLS, ident_trunk(SLICE("a")), 0);
    ck_assert_uint_eq(proxy_admission_count(bench.admission, hash), 2);
    bench_close(&bench);
}
END_TEST

START_TEST(a_lost_bye_does_not_leak)
{
    open_with("calls: 1");
    ck_assert_uint_eq(call("1", ALICE, A, CALLEE), 0);
    end_last("200 OK");
    ck_assert_uint_eq(call("2", ALICE, A, CALLEE), 503);
    for (int i = 0; i < 14402; i += 600) /* max_call of the bench is 4 h */
        bench_pass(&bench, 600 * BENCH_SECOND);
    ck_assert_uint_eq(call("3", ALICE, A, CALLEE), 0);
    bench_close(&bench);
}
END_TEST

START_TEST(counts_never_go_below_zero)
{
    struct proxy_admission *table;
    uint32_t place, other;
    ck_assert_int_eq(proxy_admission_create(8, &table), 0);
    ck_assert(proxy_admission_enter(table, UINT64_C(1) << 40, 1, &place));
    ck_assert(!proxy_admission_enter(table, UINT64_C(1) << 40, 1, &other));
    ck_assert_uint_eq(other, 0);
    proxy_admission_leave(table, place);
    proxy_admission_leave(table, place);
    proxy_admission_leave(table, 0);
    ck_assert_uint_eq(proxy_admission_count(table, UINT64_C(1) << 40), 0);
    ck_assert(proxy_admission_enter(table, UINT64_C(1) << 40, 1, &place));

    /* A neighbourhood without room counts no more, and lets pass. */
    for (uint64_t i = 2; i < 9; i++)
        ck_assert(proxy_admission_enter(table, i << 40, 1, &other));
    ck_assert(proxy_admission_enter(table, UINT64_C(99) << 40, 1, &other));
    ck_assert_uint_eq(other, 0);
    proxy_admission_leave(table, place);
    ck_assert(proxy_admission_enter(table, UINT64_C(99) << 40, 1, &other));
    ck_assert_uint_ne(other, 0);
    proxy_admission_destroy(table);
}
END_TEST

static uint64_t of_b(enum stats_family family)
{
    for (uint32_t i = 0; i < stats_label_count(bench.registry, family); i++)
        if (slice_equal(stats_label_name(bench.registry, family, i), SLICE("b")))
            return stats_label_total(bench.registry, family, i);
    return 0;
}

START_TEST(another_table_counts_for_the_same)
{
    struct proxy_admission *old, *new;
    const uint64_t hashes[] = {proxy_limit_hash(PROXY_LIMIT_CALLS, 1, 0),
                               proxy_limit_hash(PROXY_LIMIT_CALLER_CALLS, 1, 77)};
    uint32_t place, other_place;
    ck_assert_int_eq(proxy_admission_create(64, &old), 0);
    ck_assert_int_eq(proxy_admission_create(64, &new), 0);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(proxy_admission_enter(old, hashes[i], 5, &place));
        ck_assert(proxy_admission_enter(new, proxy_admission_hash(old, place), 5, &other_place));
        ck_assert_uint_eq(proxy_admission_count(new, hashes[i]), 1);
        proxy_admission_leave(new, other_place);
        ck_assert_uint_eq(proxy_admission_count(new, hashes[i]), 0);
    }
    ck_assert_uint_eq(proxy_admission_hash(old, 0), 0);
    proxy_admission_destroy(old);
    proxy_admission_destroy(new);
}
END_TEST

START_TEST(quality_is_counted_when_calls_end)
{
    open_with("rate: 0");
    static const char *const ends[] = {"486 Busy Here", "487 Terminated", "404 Not Found",
                                       "503 Unavailable"};
    for (int i = 0; i < 4; i++) {
        char id[8];
        snprintf(id, sizeof(id), "q%d", i);
        call(id, ALICE, A, CALLEE);
        end_last(ends[i]);
    }
    ck_assert_uint_eq(of_b(STATS_FAMILY_TRUNK_ENDED), 4);
    ck_assert_uint_eq(of_b(STATS_FAMILY_TRUNK_EFFECTIVE), 2);
    ck_assert_uint_eq(of_b(STATS_FAMILY_TRUNK_HEARD), 0);

    static char sent[4096];
    call("c1", ALICE, A, CALLEE);
    snprintf(sent, sizeof(sent), "%s", bench.sent[1].bytes);
    bench_pass(&bench, 2 * BENCH_SECOND);
    bench_receive(&bench, B, 1, answer(sent, "180 Ringing", ";tag=to"));
    bench_pass(&bench, 3 * BENCH_SECOND);
    bench_receive(&bench, B, 1, answer(sent, "200 OK", ";tag=to"));
    snprintf(answered, sizeof(answered), "%s", bench.sent[0].bytes);
    bench_pass(&bench, 60 * BENCH_SECOND);
    bench_receive(&bench, A, 0, of_caller("BYE", routes_of(answered, true), 2));
    snprintf(sent, sizeof(sent), "%s", bench.sent[0].bytes);
    bench_receive(&bench, B, 1, answer(sent, "200 OK", ";tag=to"));
    ck_assert_uint_eq(of_b(STATS_FAMILY_TRUNK_ENDED), 5);
    ck_assert_uint_eq(of_b(STATS_FAMILY_TRUNK_EFFECTIVE), 3);
    ck_assert_uint_eq(of_b(STATS_FAMILY_TRUNK_TALKED), 1);
    ck_assert_uint_eq(of_b(STATS_FAMILY_TRUNK_TALK_MS), 60000);
    ck_assert_uint_eq(of_b(STATS_FAMILY_TRUNK_HEARD), 1);
    ck_assert_uint_eq(of_b(STATS_FAMILY_TRUNK_DELAY_MS), 2000);
    bench_close(&bench);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proxy/admission");
    TCase *tests = tcase_create("admission");
    tcase_add_test(tests, rates_are_kept);
    tcase_add_test(tests, rates_of_callers_and_sources_are_their_own);
    tcase_add_test(tests, calls_at_one_time_are_given_back);
    tcase_add_test(tests, a_lost_bye_does_not_leak);
    tcase_add_test(tests, counts_never_go_below_zero);
    tcase_add_test(tests, another_table_counts_for_the_same);
    tcase_add_test(tests, quality_is_counted_when_calls_end);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
