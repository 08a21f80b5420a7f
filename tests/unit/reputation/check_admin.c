/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's way to Redis, against a real server. */
#include "reputation/admin.h"

#include "redis_server.h"

enum { NOW_S = 1800000000 };

static struct redis_server server;
static struct rep_admin *admin;

static void setup(void)
{
    struct rep_settings settings;
    char message[256];
    redis_create(&server);
    rep_settings_default(&settings);
    settings.unix_socket = server.socket;
    ck_assert_int_eq(rep_admin_open(&settings, message, sizeof(message), &admin), 0);
}

static void teardown(void)
{
    rep_admin_close(admin);
    redis_destroy(&server);
}

START_TEST(what_is_set_is_got)
{
    struct rep_row row = {.number = SLICE("+8613800138000"),
                          .score = 90,
                          .list = REP_LIST_BLOCK,
                          .type = SLICE("bank"),
                          .source = SLICE("desk"),
                          .note = SLICE("case 12 \"x\""),
                          .expires_s = NOW_S + 600};
    struct rep_record record;
    ck_assert_int_eq(rep_admin_get(admin, row.number, NOW_S, &record), ERROR_NOT_FOUND);
    ck_assert_int_eq(rep_admin_set(admin, &row, NOW_S), 0);
    ck_assert_int_eq(rep_admin_get(admin, row.number, NOW_S, &record), 0);
    ck_assert_str_eq(record.key, "rf:num:+8613800138000");
    ck_assert_str_eq(record.score, "90");
    ck_assert_str_eq(record.list, "block");
    ck_assert_str_eq(record.type, "bank");
    ck_assert_str_eq(record.source, "desk");
    ck_assert_str_eq(record.note, "case 12 \"x\"");
    ck_assert_str_eq(record.since, "2027-01-15T08:00:00Z");
    ck_assert(record.expires_in_s > 590 && record.expires_in_s <= 600);
}
END_TEST

START_TEST(setting_again_replaces_but_keeps_since)
{
    struct rep_row row = {
        .number = SLICE("8613800*"), .score = 90, .type = SLICE("bank"), .expires_s = NOW_S + 600};
    struct rep_record record;
    ck_assert_int_eq(rep_admin_set(admin, &row, NOW_S), 0);
    row.type = SLICE("");
    row.list = REP_LIST_WATCH;
    row.score = REP_SCORE_UNKNOWN;
    row.expires_s = 0;
    ck_assert_int_eq(rep_admin_set(admin, &row, NOW_S + 60), 0);
    ck_assert_int_eq(rep_admin_get(admin, row.number, NOW_S, &record), 0);
    ck_assert_str_eq(record.key, "rf:pfx:8613800");
    ck_assert_str_eq(record.score, "");
    ck_assert_str_eq(record.type, "");
    ck_assert_str_eq(record.list, "watch");
    ck_assert_str_eq(record.since, "2027-01-15T08:00:00Z");
    ck_assert_int_eq(record.expires_in_s, -1);
}
END_TEST

START_TEST(deleting_tells_whether_there_was_one)
{
    struct rep_row row = {.number = SLICE("raw:anonymous"), .score = 20};
    ck_assert_int_eq(rep_admin_set(admin, &row, NOW_S), 0);
    ck_assert_int_eq(rep_admin_delete(admin, row.number), 0);
    ck_assert_int_eq(rep_admin_delete(admin, row.number), ERROR_NOT_FOUND);
}
END_TEST

START_TEST(bad_rows_are_refused_in_words)
{
    struct rep_row row = {.number = SLICE("13800138000"), .score = 20};
    ck_assert_int_ne(rep_admin_set(admin, &row, NOW_S), 0);
    ck_assert_ptr_nonnull(strstr(rep_admin_error(admin), "13800138000"));
    row = (struct rep_row){.number = SLICE("+8613800138000"), .score = 200};
    ck_assert_int_ne(rep_admin_set(admin, &row, NOW_S), 0);
    ck_assert_ptr_nonnull(strstr(rep_admin_error(admin), "0 to 100"));
    row = (struct rep_row){.number = SLICE("+8613800138000"), .score = 20, .expires_s = NOW_S};
    ck_assert_int_ne(rep_admin_set(admin, &row, NOW_S), 0);
    struct rep_record record;
    ck_assert_int_ne(rep_admin_get(admin, SLICE("x"), NOW_S, &record), 0);
    ck_assert_ptr_nonnull(strstr(rep_admin_error(admin), "\"x\""));
}
END_TEST

START_TEST(a_wrong_type_is_reported)
{
    redis_do(&server, "SET rf:num:+8613800138000 text");
    struct rep_row row = {.number = SLICE("+8613800138000"), .score = 20};
    struct rep_record record;
    ck_assert_int_ne(rep_admin_get(admin, row.number, NOW_S, &record), 0);
    ck_assert_ptr_nonnull(strstr(rep_admin_error(admin), "WRONGTYPE"));
    ck_assert_int_ne(rep_admin_set(admin, &row, NOW_S), 0);
    ck_assert_ptr_nonnull(strstr(rep_admin_error(admin), "WRONGTYPE"));
    /* The connection is still in step. */
    row.number = SLICE("+8613800138001");
    ck_assert_int_eq(rep_admin_set(admin, &row, NOW_S), 0);
}
END_TEST

struct feed {
    unsigned next, count;
    char number[32];
    uint64_t progressed;
    char rejected[32];
};

static int next_row(void *argument, struct rep_row *row)
{
    struct feed *feed = argument;
    if (feed->next == feed->count)
        return ERROR_NOT_FOUND;
    unsigned i = feed->next++;
    snprintf(feed->number, sizeof(feed->number), i == 7 ? "861380000%04u" : "+861380000%04u", i);
    *row = (struct rep_row){.number = slice_of_text(feed->number), .score = (int)(i % 101)};
    return 0;
}

static void rejected(void *argument, uint64_t place, struct slice number, const char *reason)
{
    struct feed *feed = argument;
    (void)place;
    ck_assert_ptr_nonnull(reason);
    if (feed->rejected[0] == '\0')
        snprintf(feed->rejected, sizeof(feed->rejected), "%.*s", SLICE_ARGS(number));
}

static void progressed(void *argument, uint64_t written)
{
    struct feed *feed = argument;
    ck_assert_uint_ge(written, feed->progressed);
    feed->progressed = written;
}

START_TEST(an_import_writes_all_but_the_rejects)
{
    redis_do(&server, "SET rf:num:+8613800000009 text");
    struct feed feed = {.count = 5000};
    struct rep_import import = {.next = next_row,
                                .progress = progressed,
                                .rejected = rejected,
                                .argument = &feed,
                                .batch = 64};
    ck_assert_int_eq(rep_admin_import(admin, &import, NOW_S), 0);
    ck_assert_uint_eq(import.count[REP_OUTCOME_ADDED], 4998);
    ck_assert_uint_eq(import.rejects, 2);
    ck_assert_str_eq(feed.rejected, "8613800000007");
    ck_assert_uint_eq(feed.progressed, 4999);
    ck_assert_int_eq(redis_do(&server, "DBSIZE"), 4999);
    struct rep_record record;
    ck_assert_int_eq(rep_admin_get(admin, SLICE("+8613800004999"), NOW_S, &record), 0);
    ck_assert_str_eq(record.score, "50");
}
END_TEST

START_TEST(a_server_that_is_not_there_is_named)
{
    struct rep_settings settings;
    struct rep_admin *none = NULL;
    char message[256];
    rep_settings_default(&settings);
    settings.unix_socket = "/nonexistent/redis.sock";
    ck_assert_int_eq(rep_admin_open(&settings, message, sizeof(message), &none), ERROR_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(message, "/nonexistent/redis.sock"));
    redis_do(&server, "CONFIG SET requirepass secret");
    settings.unix_socket = server.socket;
    settings.password = "wrong";
    ck_assert_int_eq(rep_admin_open(&settings, message, sizeof(message), &none), ERROR_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(message, "WRONGPASS"));
}
END_TEST

START_TEST(a_server_that_dies_is_an_error_not_a_hang)
{
    redis_kill(&server);
    struct rep_row row = {.number = SLICE("+8613800138000"), .score = 20};
    ck_assert_int_eq(rep_admin_set(admin, &row, NOW_S), ERROR_UNAVAILABLE);
    struct rep_record record;
    ck_assert_int_eq(rep_admin_get(admin, row.number, NOW_S, &record), ERROR_UNAVAILABLE);
}
END_TEST

int main(void)
{
    if (!redis_is_installed()) {
        puts("skipped: redis-server is not installed");
        return 77;
    }
    Suite *suite = suite_create("admin");
    TCase *tests = tcase_create("redis");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_is_set_is_got);
    tcase_add_test(tests, setting_again_replaces_but_keeps_since);
    tcase_add_test(tests, deleting_tells_whether_there_was_one);
    tcase_add_test(tests, bad_rows_are_refused_in_words);
    tcase_add_test(tests, a_wrong_type_is_reported);
    tcase_add_test(tests, an_import_writes_all_but_the_rejects);
    tcase_add_test(tests, a_server_that_is_not_there_is_named);
    tcase_add_test(tests, a_server_that_dies_is_an_error_not_a_hang);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
