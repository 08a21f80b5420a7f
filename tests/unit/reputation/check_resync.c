/* SPDX-License-Identifier: Apache-2.0 */
/* What must not open a gap between the replica and Redis, and what must not be followed blindly. */

#include "redis_server.h"
#include "reputation/store.h"
#include "unit/sanitized.h"

enum { CROWD = UNLESS_SLOW(300000, 20000), LOAD = UNLESS_SLOW(100000, 20000) };

static struct redis_server server;
static struct rep_store *store;
static char saved_path[128];

static void start_with(unsigned hold_percent, bool saved)
{
    char message[256];
    struct rep_settings settings;
    rep_settings_default(&settings);
    settings.unix_socket = server.socket;
    settings.connect_timeout_ms = 500;
    /* Scripts over all keys keep the server busy for as long. */
    settings.reply_timeout_ms = 5000;
    settings.hold_percent = hold_percent;
    settings.saved_path = saved ? saved_path : NULL;
    ck_assert_msg(rep_store_create(&settings, message, sizeof(message), &store) == 0, "%s",
                  message);
    ck_assert_int_eq(rep_store_start(store), 0);
}

static struct rep_status status_now(void)
{
    struct rep_status status;
    rep_store_status(store, &status);
    return status;
}

static bool state_is(enum rep_state state)
{
    return status_now().state == state;
}

static uint64_t numbers(void)
{
    return status_now().replica.entries[REP_KIND_NUMBER];
}

static uint64_t wall_s(void)
{
    return clock_wall_us() / 1000000;
}

static struct rep_finding find(unsigned i)
{
    struct rep_finding finding;
    rep_replica_find(rep_store_replica(store), UINT64_C(18613800000000) + i, wall_s(), &finding);
    return finding;
}

/* Numbers first..last: one command each, in one script. */
static void script(const char *command, unsigned first, unsigned last)
{
    char text[512];
    snprintf(text, sizeof(text),
             "for i=%u,%u do local key = string.format('rf:num:+8613800%%06d', i) %s end", first,
             last, command);
    redis_do(&server, "EVAL %s 0", text);
}

static void fill(unsigned first, unsigned last)
{
    script("redis.call('HSET', key, 'score', i % 101, 'list', 'block')", first, last);
}

static void setup(void)
{
    redis_create(&server);
    snprintf(saved_path, sizeof(saved_path), "%s/saved", server.folder);
}

static void teardown(void)
{
    rep_store_destroy(store);
    store = NULL;
    redis_destroy(&server);
}

/* ---- what must just happen ----------------------------------------------------------------- */

START_TEST(a_crowd_that_expires_at_once_just_expires)
{
    fill(0, CROWD + 1000);
    start_with(20, false);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    ck_assert_uint_eq(numbers(), CROWD + 1001);
    rep_store_destroy(store);
    /* Loaded with their expiry: a set whose end was known all along. */
    script("redis.call('PEXPIREAT', key, redis.call('TIME')[1] * 1000 + 6000)", 0, CROWD - 1);
    start_with(20, false);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    WAIT_FOR(find(5).match == REP_MATCH_NONE);
    WAIT_FOR(numbers() == 1001);
    WAIT_FOR(status_now().queued == 0);
    ck_assert(state_is(REP_STATE_FOLLOWING));
    ck_assert_str_eq(status_now().hold, "");
}
END_TEST

START_TEST(a_crowd_that_expired_while_away_is_not_held)
{
    fill(0, 9999);
    script("redis.call('PEXPIREAT', key, redis.call('TIME')[1] * 1000 + 3000)", 0, 7999);
    start_with(20, true);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    redis_do(&server, "CONFIG SET maxclients 1");
    redis_do(&server, "CLIENT KILL TYPE pubsub");
    redis_do(&server, "CLIENT KILL TYPE normal SKIPME yes");
    WAIT_FOR(!status_now().connected);
    WAIT_FOR(redis_do(&server, "DBSIZE") == 2000);
    redis_do(&server, "CONFIG SET maxclients 100");
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    ck_assert_uint_eq(numbers(), 2000);
    ck_assert_str_eq(status_now().hold, "");
}
END_TEST

START_TEST(expiries_put_off_are_not_held)
{
    fill(0, 9999);
    script("redis.call('EXPIRE', key, 1000)", 0, 9999);
    start_with(20, false);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    script("redis.call('EXPIRE', key, 5000)", 0, 9999);
    struct rep_key key = {.kind = REP_KIND_NUMBER, .packed = UINT64_C(18613800009999)};
    struct rep_entry entry;
    WAIT_FOR(rep_replica_get(rep_store_replica(store), &key, 0, &entry) &&
             entry.expires_s > wall_s() + 4000);
    WAIT_FOR(status_now().queued == 0);
    ck_assert(state_is(REP_STATE_FOLLOWING));
    ck_assert_str_eq(status_now().hold, "");
}
END_TEST

/* ---- what must not ------------------------------------------------------------------------- */

/* About so many: a little of what is spent comes back each second. */
static bool about(uint64_t value, uint64_t expected)
{
    return value + 20 >= expected && value <= expected + 20;
}

static void expect_share_kept(uint64_t count)
{
    WAIT_FOR(state_is(REP_STATE_HELD));
    WAIT_FOR(status_now().queued == 0);
    ck_assert(about(numbers(), count));
    ck_assert_ptr_nonnull(strstr(status_now().hold, "ringfence replica accept"));
}

START_TEST(a_crowd_deleted_by_a_client_is_held)
{
    fill(0, 9999);
    start_with(20, false);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    script("redis.call('DEL', key)", 0, 7999);
    expect_share_kept(8000);
    /* Nor does a shorter life get round it, nor a comparison. */
    script("redis.call('PEXPIRE', key, 1)", 8000, 8999);
    ck_assert_int_eq(rep_store_reload(store, (char[8]){0}, 8), 0);
    WAIT_FOR(strstr(status_now().hold, "gone") != NULL);
    expect_share_kept(8000);
    ck_assert_int_eq(rep_store_accept(store), 0);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    ck_assert_uint_eq(numbers(), 1000);
    ck_assert_str_eq(status_now().hold, "");
    /* And the account is open again. */
    script("redis.call('DEL', key)", 9000, 9500);
    WAIT_FOR(numbers() == 499);
}
END_TEST

START_TEST(a_crowd_blocked_by_a_client_is_held)
{
    fill(0, 4999);
    start_with(20, false);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    script("redis.call('HSET', key, 'list', 'block', 'score', 100)", 100000, 120000);
    expect_share_kept(6000);
    /* What comes and goes meanwhile is not followed, and found by the comparison all the same. */
    script("redis.call('DEL', key)", 100000, 120000);
    script("redis.call('HSET', key, 'score', 33)", 4000, 4099);
    ck_assert_int_eq(rep_store_reload(store, (char[8]){0}, 8), 0);
    /* Some of them pass with what comes back of the budget. */
    WAIT_FOR(strstr(status_now().hold, " new or changed") != NULL);
    ck_assert_int_eq(rep_store_accept(store), 0);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    ck_assert_uint_eq(numbers(), 5000);
    for (unsigned i = 4000; i < 4100; i++)
        ck_assert_int_eq(find(i).entry.score, 33);
}
END_TEST

START_TEST(what_is_taken_back_ends_the_hold)
{
    fill(0, 9999);
    start_with(20, false);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    script("redis.call('HSET', key, 'list', 'allow')", 0, 4999);
    WAIT_FOR(state_is(REP_STATE_HELD));
    WAIT_FOR(status_now().queued == 0);
    unsigned applied = 0;
    for (unsigned i = 0; i < 5000; i++)
        applied += find(i).entry.list == REP_LIST_ALLOW;
    ck_assert(about(applied, 2000));
    for (unsigned i = 0; i < 5000; i++)
        if (find(i).entry.list != REP_LIST_ALLOW)
            redis_do(&server, "HSET rf:num:+8613800%06u list block", i);
    ck_assert_int_eq(rep_store_reload(store, (char[8]){0}, 8), 0);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    ck_assert_str_eq(status_now().hold, "");
    redis_do(&server, "HSET rf:num:+8613800009999 list block score 1 type x");
}
END_TEST

START_TEST(a_large_flush_is_held)
{
    fill(0, CROWD);
    start_with(20, false);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    redis_do(&server, "FLUSHALL");
    WAIT_FOR(state_is(REP_STATE_HELD));
    ck_assert_uint_eq(numbers(), CROWD + 1);
    ck_assert_int_eq(find(9).match, REP_MATCH_NUMBER);
    ck_assert_int_eq(rep_store_accept(store), 0);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    ck_assert_uint_eq(numbers(), 0);
}
END_TEST

/* ---- what must leave no gap ---------------------------------------------------------------- */

static void expect_equal(unsigned first, unsigned last)
{
    for (unsigned i = first; i <= last; i++) {
        redisReply *reply = redisCommand(server.context, "HGET rf:num:+8613800%06u score", i);
        int score = reply->type == REDIS_REPLY_STRING ? (int)strtol(reply->str, NULL, 10)
                                                      : REP_SCORE_UNKNOWN;
        freeReplyObject(reply);
        ck_assert_msg(find(i).entry.score == score, "number %u: %d, Redis has %d", i,
                      find(i).entry.score, score);
    }
}

START_TEST(changes_race_with_the_first_load)
{
    fill(0, LOAD - 1);
    start_with(20, false);
    WAIT_FOR(status_now().scanned > 0);
    unsigned rounds = 0;
    for (; state_is(REP_STATE_LOADING) || rounds < 3; rounds++)
        for (unsigned i = 0; i < 100; i++) {
            redis_do(&server, "HSET rf:num:+8613800%06u score %u", i * 997 % LOAD, rounds % 100);
            redis_do(&server, "DEL rf:num:+8613800%06u", i * 499 % LOAD);
        }
    WAIT_FOR(state_is(REP_STATE_FOLLOWING) && status_now().queued == 0);
    WAIT_FOR(numbers() == (uint64_t)redis_do(&server, "DBSIZE"));
    expect_equal(0, 3000);
    for (unsigned i = 0; i < 100; i++) {
        expect_equal(i * 997 % LOAD, i * 997 % LOAD);
        expect_equal(i * 499 % LOAD, i * 499 % LOAD);
    }
}
END_TEST

START_TEST(cut_at_the_output_limit_it_recovers)
{
    fill(0, LOAD - 1);
    redis_do(&server, "CONFIG SET client-output-buffer-limit %s", "pubsub 65536 0 0");
    start_with(100, false);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    /* One turn of the server names more keys than the limit has room for. */
    script("redis.call('HSET', key, 'score', 7)", LOAD / 2, LOAD * 3 / 2 - 1);
    redis_do(&server, "DEL rf:num:+8613800000001");
    WAIT_FOR(status_now().reconnects >= 1);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING) && numbers() == LOAD * 3 / 2 - 1);
    expect_equal(0, 500);
    expect_equal(LOAD - 1000, LOAD + 500);
    redis_do(&server, "HSET rf:num:+8613800000001 score 12");
    WAIT_FOR(find(1).entry.score == 12);
}
END_TEST

/* The other server takes the place of the first. */
static void take_over(struct redis_server *standby)
{
    redis_kill(&server);
    ck_assert_int_eq(rename(standby->socket, server.socket), 0);
    server.process = standby->process;
    server.context = standby->context;
    standby->process = 0;
    standby->context = NULL;
}

START_TEST(a_failover_to_one_that_lags_is_followed)
{
    struct redis_server standby;
    redis_create(&standby);
    fill(0, 4999);
    start_with(20, false);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    /* What a replica has that saw nothing of the last moments. */
    struct redis_server first = server;
    server = standby;
    fill(0, 4999);
    standby = server;
    server = first;
    redis_do(&server, "HSET rf:num:+8613800000001 score 11");
    redis_do(&server, "DEL rf:num:+8613800000002");
    redis_do(&server, "HSET rf:num:+8613800700000 score 22");
    WAIT_FOR(find(700000).entry.score == 22 && find(1).entry.score == 11 && numbers() == 5000);
    take_over(&standby);
    WAIT_FOR(status_now().reconnects >= 1 && state_is(REP_STATE_FOLLOWING));
    ck_assert_uint_eq(numbers(), 5000);
    ck_assert_int_eq(find(1).entry.score, 1);
    ck_assert_int_eq(find(2).match, REP_MATCH_NUMBER);
    ck_assert_int_eq(find(700000).match, REP_MATCH_NONE);
    redis_do(&server, "HSET rf:num:+8613800000003 score 33");
    WAIT_FOR(find(3).entry.score == 33);
    rep_store_destroy(store);
    store = NULL;
    redis_destroy(&standby);
}
END_TEST

int main(void)
{
    if (!redis_is_installed()) {
        puts("skipped: redis-server is not installed");
        return 77;
    }
    Suite *suite = suite_create("resync");
    TCase *tests = tcase_create("redis");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_crowd_that_expires_at_once_just_expires);
    tcase_add_test(tests, a_crowd_that_expired_while_away_is_not_held);
    tcase_add_test(tests, expiries_put_off_are_not_held);
    tcase_add_test(tests, a_crowd_deleted_by_a_client_is_held);
    tcase_add_test(tests, a_crowd_blocked_by_a_client_is_held);
    tcase_add_test(tests, what_is_taken_back_ends_the_hold);
    tcase_add_test(tests, a_large_flush_is_held);
    tcase_add_test(tests, changes_race_with_the_first_load);
    tcase_add_test(tests, cut_at_the_output_limit_it_recovers);
    tcase_add_test(tests, a_failover_to_one_that_lags_is_followed);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
