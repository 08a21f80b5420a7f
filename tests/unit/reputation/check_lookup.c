/* SPDX-License-Identifier: Apache-2.0 */
/* Mode lookup against a real redis-server; the test's thread is the worker. */
#include "reputation/lookup.h"

#include "redis_server.h"

static struct redis_server server;
static struct rep_store *store;
static struct rt_loop *loop;
static struct rt_wheel *wheel;
static struct rep_lookup *lookup;

struct answer {
    unsigned calls;
    int result;
    struct rep_finding finding;
};

static void turn(void)
{
    ck_assert_int_eq(rt_loop_turn(loop, 2000), 0);
    rt_wheel_advance(wheel, rt_loop_refresh(loop));
}

#define TURN_UNTIL(condition)                                                                \
    do {                                                                                     \
        uint64_t turn_until_us = clock_monotonic_us() + SERVER_PATIENCE_MS * UINT64_C(1000); \
        while (!(condition)) {                                                               \
            ck_assert_msg(clock_monotonic_us() < turn_until_us, "waited in vain for: %s",    \
                          #condition);                                                       \
            turn();                                                                          \
        }                                                                                    \
    } while (0)

static void begin_with(unsigned in_flight, unsigned cache_ms)
{
    struct rep_settings settings;
    char message[128];
    rep_settings_default(&settings);
    settings.mode = REP_MODE_LOOKUP;
    settings.unix_socket = server.socket;
    settings.reply_timeout_ms = 400;
    settings.lookup_in_flight = in_flight;
    settings.lookup_cache_ms = cache_ms;
    ck_assert_int_eq(rep_store_create(&settings, message, sizeof(message), &store), 0);
    ck_assert_int_eq(rep_store_start(store), 0);
    ck_assert_int_eq(rt_loop_create(&loop), 0);
    ck_assert_int_eq(rt_wheel_create(rt_loop_refresh(loop), &wheel), 0);
    ck_assert_int_eq(rep_lookup_create(store, loop, wheel, &lookup), 0);
    TURN_UNTIL(rep_lookup_connected(lookup));
}

static void setup(void)
{
    redis_create(&server);
    redis_do(&server, "HSET rf:num:+8613800138000 score 90 list block type bank");
    redis_do(&server, "HSET rf:pfx:8613800 score 50 list watch");
    redis_do(&server, "HSET rf:pfx:86138001 score 60 list watch");
    redis_do(&server, "HSET rf:pfx:861380 score 99 list block");
    redis_do(&server, "HSET rf:raw:anonymous score 20");
}

static void teardown(void)
{
    rep_lookup_destroy(lookup);
    rt_wheel_destroy(wheel);
    rt_loop_destroy(loop);
    rep_store_destroy(store);
    lookup = NULL;
    store = NULL;
    redis_destroy(&server);
}

static void answered(void *cookie, int result, const struct rep_finding *finding)
{
    struct answer *answer = cookie;
    answer->calls++;
    answer->result = result;
    answer->finding = *finding;
}

static uint64_t ask(const char *number, const char *raw, struct answer *answer)
{
    uint64_t ticket;
    *answer = (struct answer){0};
    ck_assert_int_eq(rep_lookup_start(lookup, slice_of_text(number), slice_of_text(raw), answered,
                                      answer, &answer->finding, &ticket),
                     0);
    ck_assert_uint_eq(answer->calls, 0);
    return ticket;
}

static struct rep_finding find(const char *number, const char *raw)
{
    struct answer answer;
    if (ask(number, raw, &answer) != 0) {
        TURN_UNTIL(answer.calls > 0);
        ck_assert_uint_eq(answer.calls, 1);
        ck_assert_int_eq(answer.result, 0);
    }
    return answer.finding;
}

START_TEST(finds_number_prefix_and_raw)
{
    begin_with(16, 1);
    struct rep_finding finding = find("+8613800138000", "");
    ck_assert_int_eq(finding.match, REP_MATCH_NUMBER);
    ck_assert_int_eq(finding.entry.score, 90);
    ck_assert_int_eq(finding.entry.list, REP_LIST_BLOCK);
    ck_assert_str_eq(rep_names_text(rep_store_types(store), finding.entry.type), "bank");
    finding = find("+8613800138001", "");
    ck_assert_int_eq(finding.match, REP_MATCH_PREFIX);
    ck_assert_int_eq(finding.prefix_length, 8);
    ck_assert_int_eq(finding.entry.score, 60);
    ck_assert_int_eq(find("+8613800238001", "").prefix_length, 7);
    ck_assert_int_eq(find("+8613809238001", "").match, REP_MATCH_NONE);
    ck_assert_int_eq(find("", "anonymous").match, REP_MATCH_RAW);
    ck_assert_int_eq(find("", "").match, REP_MATCH_NONE);
    ck_assert_uint_eq(rep_lookup_in_flight(lookup), 0);
}
END_TEST

START_TEST(bad_entries_count_as_absent)
{
    redis_do(&server, "SET rf:num:+8613800138002 text");
    redis_do(&server, "HSET rf:num:+8613800138003 score 1000");
    begin_with(16, 1);
    ck_assert_int_eq(find("+8613800138002", "").match, REP_MATCH_PREFIX);
    ck_assert_int_eq(find("+8613800138003", "").match, REP_MATCH_PREFIX);
}
END_TEST

START_TEST(an_answer_is_reused_for_a_while)
{
    begin_with(16, 60000);
    find("+8613800138000", "");
    struct answer answer;
    ck_assert_uint_eq(ask("+8613800138000", "", &answer), 0);
    ck_assert_int_eq(answer.finding.entry.score, 90);
    find("", "nobody");
    ck_assert_uint_eq(ask("", "nobody", &answer), 0);
    ck_assert_int_eq(answer.finding.match, REP_MATCH_NONE);
    struct rep_status status;
    rep_store_status(store, &status);
    ck_assert_uint_eq(status.lookups, 4);
    ck_assert_uint_eq(status.lookup_hits, 2);
    ck_assert(status.connected);
}
END_TEST

START_TEST(too_many_at_once_are_refused)
{
    struct answer answer[5];
    struct rep_finding finding;
    uint64_t ticket;
    begin_with(4, 1);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_ne(ask("+8613800138000", "", &answer[i]), 0);
    ck_assert_int_eq(rep_lookup_start(lookup, SLICE("+8613800138000"), SLICE(""), answered,
                                      &answer[4], &finding, &ticket),
                     ERROR_LIMIT);
    TURN_UNTIL(rep_lookup_in_flight(lookup) == 0);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(answer[i].calls, 1);
}
END_TEST

START_TEST(a_cancelled_question_is_not_answered)
{
    struct answer answer, other;
    begin_with(4, 1);
    uint64_t ticket = ask("+8613800138000", "", &answer);
    ask("+8613800138000", "", &other);
    rep_lookup_cancel(lookup, ticket, false);
    rep_lookup_cancel(lookup, ticket, false);
    TURN_UNTIL(rep_lookup_in_flight(lookup) == 0);
    ck_assert_uint_eq(answer.calls, 0);
    ck_assert_uint_eq(other.calls, 1);
    rep_lookup_cancel(lookup, ticket, true);
    rep_lookup_cancel(lookup, 0, true);
}
END_TEST

START_TEST(a_stopped_server_opens_the_breaker)
{
    struct answer answer;
    struct rep_finding finding;
    uint64_t ticket;
    begin_with(128, 1);
    kill(server.process, SIGSTOP);
    for (unsigned i = 0; i < 50; i++)
        rep_lookup_cancel(lookup, ask("+8613800138000", "", &answer), true);
    ck_assert_int_eq(rep_lookup_start(lookup, SLICE("+8613800138000"), SLICE(""), answered, &answer,
                                      &finding, &ticket),
                     ERROR_UNAVAILABLE);
    struct rep_status status;
    rep_store_status(store, &status);
    ck_assert(status.breaker_open);
    /* The connection is given up, and comes back with the server. */
    TURN_UNTIL(!rep_lookup_connected(lookup));
    ck_assert_uint_eq(rep_lookup_in_flight(lookup), 0);
    kill(server.process, SIGCONT);
    TURN_UNTIL(rep_lookup_connected(lookup));
    /* After its second the breaker lets one try, and that closes it. */
    TURN_UNTIL(rep_lookup_start(lookup, SLICE("+8613800138000"), SLICE(""), answered, &answer,
                                &finding, &ticket) == 0);
    TURN_UNTIL(answer.calls == 1);
    rep_store_status(store, &status);
    ck_assert(!status.breaker_open);
    ck_assert_uint_eq(status.lookup_failures >= 51, 1);
}
END_TEST

START_TEST(a_lost_server_fails_at_once_and_returns)
{
    struct answer answer;
    begin_with(16, 1);
    kill(server.process, SIGSTOP);
    ask("+8613800138000", "", &answer);
    redis_kill(&server);
    TURN_UNTIL(answer.calls == 1);
    ck_assert_int_eq(answer.result, ERROR_UNAVAILABLE);
    ck_assert(!rep_lookup_connected(lookup));
    uint64_t ticket;
    ck_assert_int_eq(rep_lookup_start(lookup, SLICE("+8613800138000"), SLICE(""), answered, &answer,
                                      &answer.finding, &ticket),
                     ERROR_UNAVAILABLE);
    redis_start(&server);
    TURN_UNTIL(rep_lookup_connected(lookup));
    ck_assert_int_eq(find("+8613800138000", "").match, REP_MATCH_NONE);
}
END_TEST

START_TEST(destroying_with_questions_under_way_tells_nobody)
{
    struct answer answer;
    begin_with(16, 1);
    kill(server.process, SIGSTOP);
    ask("+8613800138000", "", &answer);
    rep_lookup_destroy(lookup);
    lookup = NULL;
    ck_assert_uint_eq(answer.calls, 0);
}
END_TEST

int main(void)
{
    if (!redis_is_installed()) {
        puts("skipped: redis-server is not installed");
        return 77;
    }
    Suite *suite = suite_create("lookup");
    TCase *tests = tcase_create("redis");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, finds_number_prefix_and_raw);
    tcase_add_test(tests, bad_entries_count_as_absent);
    tcase_add_test(tests, an_answer_is_reused_for_a_while);
    tcase_add_test(tests, too_many_at_once_are_refused);
    tcase_add_test(tests, a_cancelled_question_is_not_answered);
    tcase_add_test(tests, a_stopped_server_opens_the_breaker);
    tcase_add_test(tests, a_lost_server_fails_at_once_and_returns);
    tcase_add_test(tests, destroying_with_questions_under_way_tells_nobody);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
