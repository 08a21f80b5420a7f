/* SPDX-License-Identifier: Apache-2.0 */
/* The store against a real redis-server: loading, following, every way of losing it. */
#include "reputation/store.h"

#include "redis_server.h"

static struct redis_server server;
static struct rep_store *store;
static char saved_path[128];

static struct rep_settings settings_for_server(void)
{
    struct rep_settings settings;
    rep_settings_default(&settings);
    settings.unix_socket = server.socket;
    settings.connect_timeout_ms = 500;
    settings.reply_timeout_ms = 300;
    return settings;
}

static void start_store(const struct rep_settings *settings)
{
    char message[256];
    ck_assert_msg(rep_store_create(settings, message, sizeof(message), &store) == 0, "%s", message);
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

static void follow(void)
{
    struct rep_settings settings = settings_for_server();
    start_store(&settings);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
}

static struct rep_finding find(const char *digits)
{
    struct rep_finding finding;
    uint64_t packed;
    ck_assert(rep_pack_digits(slice_of_text(digits), &packed));
    rep_replica_find(rep_store_replica(store), packed, clock_wall_us() / 1000000, &finding);
    return finding;
}

static uint64_t numbers(void)
{
    return status_now().replica.entries[REP_KIND_NUMBER];
}

/* ---- loading ------------------------------------------------------------------------------- */

START_TEST(loads_what_is_there)
{
    redis_do(&server, "HSET rf:num:+8613800138000 score 90 list block type bank source desk");
    redis_do(&server, "HSET rf:pfx:8617012 score 40 list watch");
    redis_do(&server, "HSET rf:raw:anonymous score 20");
    const char *binary[] = {"HSET", "rf:raw:a\0b \xff", "score", "21"};
    const size_t length[] = {4, 12, 5, 2};
    freeReplyObject(redisCommandArgv(server.context, 4, binary, length));
    redis_do(&server, "XADD rf:events * a b");
    redis_do(&server, "SET other 1");
    follow();
    struct rep_finding finding = find("8613800138000");
    ck_assert_int_eq(finding.match, REP_MATCH_NUMBER);
    ck_assert_int_eq(finding.entry.score, 90);
    ck_assert_int_eq(finding.entry.list, REP_LIST_BLOCK);
    ck_assert_str_eq(rep_names_text(rep_store_types(store), finding.entry.type), "bank");
    ck_assert_str_eq(rep_names_text(rep_store_sources(store), finding.entry.source), "desk");
    ck_assert_int_eq(find("8617012345678").prefix_length, 7);
    ck_assert(
        rep_replica_find_raw(rep_store_replica(store), slice_make("a\0b \xff", 5), 1, &finding));
    ck_assert_int_eq(finding.entry.score, 21);
    struct rep_status status = status_now();
    ck_assert(status.connected && status.loaded && rep_store_loaded(store));
    ck_assert_uint_eq(status.scanned, 4);
    ck_assert_uint_eq(status.replica.entries[REP_KIND_RAW], 2);
    ck_assert_str_ne(status.tracking, "");
}
END_TEST

START_TEST(bad_keys_are_skipped_and_counted)
{
    redis_do(&server, "SET rf:num:+8613800138001 90");
    redis_do(&server, "HSET rf:num:+8613800138002 score 101");
    redis_do(&server, "HSET rf:num:+8613800138003 score -1");
    redis_do(&server, "HSET rf:num:+8613800138004 list blocked");
    redis_do(&server, "HSET rf:num:+8613800138005 note hello");
    redis_do(&server, "HSET rf:num:8613800138006 score 5");
    redis_do(&server, "HSET rf:num:+86138%%20 score 5");
    redis_do(&server, "HSET rf:pfx:+8617012 score 5");
    redis_do(&server, "HSET rf:pfx:12345678901234567 score 5");
    redis_do(&server, "HSET rf:raw:%0200d score 5", 7);
    redis_do(&server, "HSET rf:num:+8613800138009 score 5");
    follow();
    struct rep_status status = status_now();
    ck_assert_uint_eq(status.replica.entries[REP_KIND_NUMBER], 1);
    ck_assert_uint_eq(status.replica.entries[REP_KIND_PREFIX], 0);
    ck_assert_uint_eq(status.replica.entries[REP_KIND_RAW], 0);
    ck_assert_uint_eq(status.skipped[REP_SKIP_TYPE], 1);
    ck_assert_uint_eq(status.skipped[REP_SKIP_SCORE], 2);
    ck_assert_uint_eq(status.skipped[REP_SKIP_LIST], 1);
    ck_assert_uint_eq(status.skipped[REP_SKIP_EMPTY], 1);
    ck_assert_uint_eq(status.skipped[REP_SKIP_NUMBER], 2);
    ck_assert_uint_eq(status.skipped[REP_SKIP_PREFIX], 2);
    ck_assert_uint_eq(status.skipped[REP_SKIP_RAW], 1);
    ck_assert_str_ne(status.skipped_example, "");
}
END_TEST

START_TEST(loads_many_and_expiry_with_them)
{
    redis_fill(&server, 0, 9000);
    redis_do(&server, "EXPIRE rf:num:+8613800000001 1000");
    follow();
    ck_assert_uint_eq(numbers(), 9000);
    uint64_t now_s = clock_wall_us() / 1000000;
    ck_assert_uint_ge(find("8613800000001").entry.expires_s, now_s + 995);
    ck_assert_uint_le(find("8613800000001").entry.expires_s, now_s + 1001);
    ck_assert_uint_eq(find("8613800000002").entry.expires_s, 0);
    ck_assert_int_eq(find("8613800008999").entry.score, 8999 % 101);
}
END_TEST

START_TEST(login_is_used_and_refusal_is_explained)
{
    /* The account that docs/redis.md gives. */
    redis_do(&server, "ACL SETUSER ringfence on >secret resetkeys %%R~rf:* resetchannels "
                      "&__redis__:invalidate -@all +client|id +client|tracking +subscribe +ping "
                      "+select +scan +hmget +pttl +dbsize");
    redis_do(&server, "CONFIG SET requirepass admin");
    redis_do(&server, "HSET rf:num:+8613800138000 score 90");
    struct rep_settings settings = settings_for_server();
    start_store(&settings);
    WAIT_FOR(strstr(status_now().error, "NOAUTH") != NULL);
    ck_assert(!rep_store_loaded(store));
    rep_store_destroy(store);
    settings.username = "ringfence";
    settings.password = "wrong";
    start_store(&settings);
    WAIT_FOR(strstr(status_now().error, "WRONGPASS") != NULL);
    rep_store_destroy(store);
    settings.password = "secret";
    start_store(&settings);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    ck_assert_int_eq(find("8613800138000").entry.score, 90);
    /* Long enough for a few probes of the connection, which need PING. */
    redis_do(&server, "AUTH admin");
    uint64_t until_us = clock_monotonic_us() + 700000;
    WAIT_FOR(clock_monotonic_us() > until_us);
    redis_do(&server, "HSET rf:num:+8613800138000 score 91");
    WAIT_FOR(find("8613800138000").entry.score == 91);
    ck_assert_uint_eq(status_now().reconnects, 0);
}
END_TEST

/* ---- following ----------------------------------------------------------------------------- */

START_TEST(a_change_is_seen_within_a_second)
{
    follow();
    uint64_t began_us = clock_monotonic_us();
    redis_do(&server, "HSET rf:num:+8613800138000 score 90 list block");
    WAIT_FOR(find("8613800138000").entry.score == 90);
    redis_do(&server, "HSET rf:num:+8613800138000 score 10 list allow");
    WAIT_FOR(find("8613800138000").entry.list == REP_LIST_ALLOW);
    redis_do(&server, "DEL rf:num:+8613800138000");
    WAIT_FOR(find("8613800138000").match == REP_MATCH_NONE);
    ck_assert_uint_lt(clock_monotonic_us() - began_us, 1000000);
    ck_assert_uint_ge(status_now().changes, 3);
    ck_assert_uint_ne(status_now().last_change_wall_us, 0);
}
END_TEST

START_TEST(prefixes_and_raw_texts_follow_too)
{
    follow();
    redis_do(&server, "HSET rf:pfx:8617012 score 70 list block");
    WAIT_FOR(find("8617012345678").match == REP_MATCH_PREFIX);
    redis_do(&server, "HSET rf:raw:anonymous list watch");
    struct rep_finding finding;
    WAIT_FOR(rep_replica_find_raw(rep_store_replica(store), SLICE("anonymous"), 1, &finding));
    redis_do(&server, "UNLINK rf:pfx:8617012 rf:raw:anonymous");
    WAIT_FOR(find("8617012345678").match == REP_MATCH_NONE);
    WAIT_FOR(!rep_replica_find_raw(rep_store_replica(store), SLICE("anonymous"), 1, &finding));
}
END_TEST

START_TEST(a_key_that_turns_bad_is_dropped)
{
    redis_do(&server, "HSET rf:num:+8613800138000 score 90");
    follow();
    redis_do(&server, "HSET rf:num:+8613800138000 score 900");
    WAIT_FOR(find("8613800138000").match == REP_MATCH_NONE);
    redis_do(&server, "HSET rf:num:+8613800138000 score 9");
    WAIT_FOR(find("8613800138000").entry.score == 9);
    redis_do(&server, "SET rf:num:+8613800138000 text");
    WAIT_FOR(find("8613800138000").match == REP_MATCH_NONE);
}
END_TEST

START_TEST(expire_persist_and_rename_follow)
{
    redis_do(&server, "HSET rf:num:+8613800138000 score 90");
    follow();
    redis_do(&server, "EXPIRE rf:num:+8613800138000 500");
    WAIT_FOR(find("8613800138000").entry.expires_s != 0);
    redis_do(&server, "PERSIST rf:num:+8613800138000");
    WAIT_FOR(find("8613800138000").entry.expires_s == 0);
    redis_do(&server, "RENAME rf:num:+8613800138000 rf:num:+8613800138001");
    WAIT_FOR(find("8613800138001").entry.score == 90);
    WAIT_FOR(find("8613800138000").match == REP_MATCH_NONE);
    redis_do(&server, "PEXPIRE rf:num:+8613800138001 100");
    WAIT_FOR(find("8613800138001").match == REP_MATCH_NONE);
}
END_TEST

START_TEST(thousands_of_changes_at_once_follow)
{
    follow();
    redis_fill(&server, 0, 9999);
    WAIT_FOR(numbers() == 9999);
    redis_do(&server, "EVAL %s 0",
             "for i=0,9998 do redis.call('PEXPIRE', string.format('rf:num:+861380000%04d', i), 50) "
             "end");
    WAIT_FOR(numbers() == 0);
    WAIT_FOR(status_now().queued == 0);
}
END_TEST

/* ---- losing it ----------------------------------------------------------------------------- */

START_TEST(starts_without_redis_and_catches_up)
{
    redis_do(&server, "HSET rf:num:+8613800138000 score 90");
    redis_do(&server, "SAVE");
    redis_kill(&server);
    struct rep_settings settings = settings_for_server();
    start_store(&settings);
    WAIT_FOR(status_now().error[0] != '\0');
    ck_assert(!rep_store_loaded(store));
    ck_assert_int_eq(find("8613800138000").match, REP_MATCH_NONE);
    redis_start(&server);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    ck_assert_int_eq(find("8613800138000").entry.score, 90);
    ck_assert_str_eq(status_now().error, "");
}
END_TEST

START_TEST(serves_through_a_restart_and_resyncs)
{
    redis_fill(&server, 0, 3000);
    follow();
    redis_do(&server, "DEL rf:num:+8613800000007");
    redis_do(&server, "HSET rf:num:+8613800000008 score 77");
    WAIT_FOR(find("8613800000008").entry.score == 77);
    redis_do(&server, "HSET rf:num:+8613800009999 score 1");
    WAIT_FOR(numbers() == 3000);
    redis_do(&server, "SAVE");
    redis_kill(&server);
    WAIT_FOR(!status_now().connected);
    ck_assert_int_eq(find("8613800000009").entry.score, 9);
    ck_assert(rep_store_loaded(store));
    redis_start(&server);
    redis_do(&server, "DEL rf:num:+8613800000009");
    redis_do(&server, "HSET rf:num:+8613800000010 score 78");
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    WAIT_FOR(numbers() == 2999);
    ck_assert_int_eq(find("8613800000009").match, REP_MATCH_NONE);
    WAIT_FOR(find("8613800000010").entry.score == 78);
    ck_assert_uint_ge(status_now().resyncs, 1);
    ck_assert_uint_ge(status_now().reconnects, 1);
}
END_TEST

START_TEST(restarted_empty_is_held_until_accepted)
{
    redis_fill(&server, 0, 3000);
    follow();
    ck_assert_int_eq(rep_store_accept(store), ERROR_NOT_FOUND);
    redis_kill(&server);
    redis_start(&server);
    WAIT_FOR(state_is(REP_STATE_HELD));
    ck_assert_uint_eq(numbers(), 3000);
    ck_assert_ptr_nonnull(strstr(status_now().hold, "3000 gone"));
    /* Single changes are followed meanwhile. */
    redis_do(&server, "HSET rf:num:+8613800000010 score 78");
    WAIT_FOR(find("8613800000010").entry.score == 78);
    ck_assert_int_eq(rep_store_accept(store), 0);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    ck_assert_uint_eq(numbers(), 1);
    ck_assert_str_eq(status_now().hold, "");
}
END_TEST

START_TEST(a_hold_ends_when_the_entries_return)
{
    redis_fill(&server, 0, 3000);
    follow();
    redis_do(&server, "FLUSHALL");
    WAIT_FOR(state_is(REP_STATE_HELD));
    redis_fill(&server, 0, 3000);
    char message[128];
    ck_assert_int_eq(rep_store_reload(store, message, sizeof(message)), 0);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    ck_assert_uint_eq(numbers(), 3000);
    ck_assert_str_eq(status_now().hold, "");
}
END_TEST

START_TEST(mass_insertion_while_away_is_held)
{
    redis_fill(&server, 0, 2000);
    follow();
    redis_do(&server, "SAVE");
    redis_kill(&server);
    WAIT_FOR(!status_now().connected);
    rep_store_stop(store);
    ck_assert(state_is(REP_STATE_STOPPED));
    /* What a node finds that comes back after its Redis was tampered with. */
    redis_start(&server);
    redis_fill(&server, 2000, 3000);
    redis_do(&server, "SAVE");
    rep_store_destroy(store);

    redis_kill(&server);
    struct rep_settings settings = settings_for_server();
    settings.saved_path = saved_path;
    redis_start(&server);
    redis_do(&server, "FLUSHALL");
    redis_fill(&server, 0, 2000);
    start_store(&settings);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    rep_store_destroy(store);
    redis_fill(&server, 2000, 3000);
    start_store(&settings);
    WAIT_FOR(state_is(REP_STATE_HELD));
    ck_assert_uint_eq(numbers(), 2000);
    ck_assert_ptr_nonnull(strstr(status_now().hold, "new or changed"));
    ck_assert_int_eq(rep_store_accept(store), 0);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    ck_assert_uint_eq(numbers(), 5000);
}
END_TEST

START_TEST(a_small_flush_is_followed)
{
    redis_fill(&server, 0, 300);
    follow();
    redis_do(&server, "FLUSHALL");
    WAIT_FOR(numbers() == 0);
    redis_do(&server, "HSET rf:num:+8613800138000 score 90");
    WAIT_FOR(numbers() == 1);
}
END_TEST

START_TEST(a_stopped_server_is_noticed_and_costs_nothing)
{
    redis_fill(&server, 0, 100);
    follow();
    kill(server.process, SIGSTOP);
    WAIT_FOR(!status_now().connected);
    ck_assert_int_eq(find("8613800000009").entry.score, 9);
    kill(server.process, SIGCONT);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    redis_do(&server, "HSET rf:num:+8613800000010 score 78");
    WAIT_FOR(find("8613800000010").entry.score == 78);
}
END_TEST

START_TEST(an_idle_connection_stays)
{
    follow();
    uint64_t until_us = clock_monotonic_us() + 1200000;
    while (clock_monotonic_us() < until_us) {
        ck_assert(state_is(REP_STATE_FOLLOWING));
        usleep(20000);
    }
    ck_assert_uint_eq(status_now().reconnects, 0);
}
END_TEST

START_TEST(cut_connections_lose_no_change)
{
    redis_fill(&server, 0, 2000);
    follow();
    for (unsigned round = 0; round < 20; round++) {
        redis_do(&server, "CLIENT KILL TYPE %s SKIPME yes", round % 2 ? "pubsub" : "normal");
        for (unsigned i = 0; i < 40; i++) {
            unsigned number = (round * 40 + i) % 2000;
            if (i % 3 == 0)
                redis_do(&server, "DEL rf:num:+861380000%04u", number);
            else
                redis_do(&server, "HSET rf:num:+861380000%04u score %u", number, 100 - round);
        }
    }
    uint64_t expected = (uint64_t)redis_do(&server, "DBSIZE");
    WAIT_FOR(state_is(REP_STATE_FOLLOWING) && status_now().queued == 0 && numbers() == expected);
    for (unsigned n = 0; n < 800; n++) {
        char digits[20];
        snprintf(digits, sizeof(digits), "861380000%04u", n);
        int score = n % 40 % 3 == 0 ? REP_SCORE_UNKNOWN : (int)(100 - n / 40);
        WAIT_FOR(find(digits).entry.score == score);
    }
}
END_TEST

/* ---- saved file ---------------------------------------------------------------------------- */

static void save_and_lose_redis(struct rep_settings *settings)
{
    *settings = settings_for_server();
    settings->saved_path = saved_path;
    redis_fill(&server, 0, 500);
    redis_do(&server, "HSET rf:raw:anonymous score 20 type spam");
    redis_do(&server, "HSET rf:pfx:8617012 score 70 list block");
    redis_do(&server, "EXPIRE rf:num:+8613800000001 1000");
    redis_do(&server, "PEXPIRE rf:num:+8613800000002 1500");
    start_store(settings);
    WAIT_FOR(state_is(REP_STATE_FOLLOWING));
    rep_store_destroy(store);
    store = NULL;
    redis_kill(&server);
}

START_TEST(the_saved_replica_serves_when_redis_is_gone)
{
    struct rep_settings settings;
    save_and_lose_redis(&settings);
    start_store(&settings);
    ck_assert(rep_store_loaded(store));
    ck_assert(status_now().from_saved);
    ck_assert_int_eq(find("8613800000009").entry.score, 9);
    ck_assert_uint_ne(find("8613800000001").entry.expires_s, 0);
    ck_assert_int_eq(find("8617012345678").entry.list, REP_LIST_BLOCK);
    struct rep_finding finding;
    ck_assert(rep_replica_find_raw(rep_store_replica(store), SLICE("anonymous"), 1, &finding));
    ck_assert_str_eq(rep_names_text(rep_store_types(store), finding.entry.type), "spam");
    WAIT_FOR(find("8613800000002").match == REP_MATCH_NONE);
    /* A node that never saw Redis leaves the file as it was. */
    struct stat before, after;
    ck_assert_int_eq(stat(saved_path, &before), 0);
    rep_store_stop(store);
    ck_assert_int_eq(stat(saved_path, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
}
END_TEST

static void expect_refused(const struct rep_settings *settings)
{
    start_store(settings);
    ck_assert(!rep_store_loaded(store));
    ck_assert(!status_now().from_saved);
    rep_store_destroy(store);
    store = NULL;
}

START_TEST(a_damaged_saved_file_is_refused)
{
    struct rep_settings settings;
    save_and_lose_redis(&settings);
    struct stat whole;
    ck_assert_int_eq(stat(saved_path, &whole), 0);
    ck_assert_int_eq(whole.st_mode & 0777, 0600);
    static const long places[] = {3, 9, 200, 4000};
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        FILE *file = fopen(saved_path, "r+");
        ck_assert_ptr_nonnull(file);
        fseek(file, places[i], SEEK_SET);
        int byte = fgetc(file);
        fseek(file, places[i], SEEK_SET);
        fputc(byte ^ 4, file);
        fclose(file);
        expect_refused(&settings);
        file = fopen(saved_path, "r+");
        fseek(file, places[i], SEEK_SET);
        fputc(byte, file);
        fclose(file);
    }
    static const int cuts[] = {1, 8, 9, 100};
    for (unsigned i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        ck_assert_int_eq(truncate(saved_path, whole.st_size - cuts[i]), 0);
        expect_refused(&settings);
    }
    ck_assert_int_eq(truncate(saved_path, 0), 0);
    expect_refused(&settings);
}
END_TEST

int main(void)
{
    if (!redis_is_installed()) {
        puts("skipped: redis-server is not installed");
        return 77;
    }
    Suite *suite = suite_create("sync");
    TCase *tests = tcase_create("redis");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, loads_what_is_there);
    tcase_add_test(tests, bad_keys_are_skipped_and_counted);
    tcase_add_test(tests, loads_many_and_expiry_with_them);
    tcase_add_test(tests, login_is_used_and_refusal_is_explained);
    tcase_add_test(tests, a_change_is_seen_within_a_second);
    tcase_add_test(tests, prefixes_and_raw_texts_follow_too);
    tcase_add_test(tests, a_key_that_turns_bad_is_dropped);
    tcase_add_test(tests, expire_persist_and_rename_follow);
    tcase_add_test(tests, thousands_of_changes_at_once_follow);
    tcase_add_test(tests, starts_without_redis_and_catches_up);
    tcase_add_test(tests, serves_through_a_restart_and_resyncs);
    tcase_add_test(tests, restarted_empty_is_held_until_accepted);
    tcase_add_test(tests, a_hold_ends_when_the_entries_return);
    tcase_add_test(tests, mass_insertion_while_away_is_held);
    tcase_add_test(tests, a_small_flush_is_followed);
    tcase_add_test(tests, a_stopped_server_is_noticed_and_costs_nothing);
    tcase_add_test(tests, an_idle_connection_stays);
    tcase_add_test(tests, cut_connections_lose_no_change);
    tcase_add_test(tests, the_saved_replica_serves_when_redis_is_gone);
    tcase_add_test(tests, a_damaged_saved_file_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
