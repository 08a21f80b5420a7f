/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's way to Redis, against a real server. */
#include "reputation/admin.h"

#include <errno.h>
#include <pthread.h>

#include "redis_server.h"

enum { NOW_S = 1800000000 };

static const struct rep_source_row source_rows[] = {
    {SLICE_LITERAL("police"), 3, 0, REP_MAY_ALL},
    {SLICE_LITERAL("feed"), 1, 0, REP_MAY_ALL},
    {SLICE_LITERAL("crowd"), 1, 3600, REP_MAY_ALL},
};

static struct redis_server server;
static struct rep_admin *admin;

static void setup(void)
{
    struct rep_settings settings;
    char message[256];
    redis_create(&server);
    rep_settings_default(&settings);
    settings.unix_socket = server.socket;
    settings.sources = (struct rep_source_rows){source_rows, 3};
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

#define NUMBER "+8613800138000"
#define KEY    "rf:num:" NUMBER

/* A field as Redis has it now, "" for none. */
static const char *field(const char *name)
{
    static char text[REP_PART_BYTES];
    redisReply *reply = redisCommand(server.context, "HGET " KEY " %s", name);
    ck_assert_ptr_nonnull(reply);
    snprintf(text, sizeof(text), "%s", reply->type == REDIS_REPLY_STRING ? reply->str : "");
    freeReplyObject(reply);
    return text;
}

static struct rep_row row_of(const char *source, int score, uint64_t expires_s)
{
    return (struct rep_row){.number = SLICE(NUMBER),
                            .score = score,
                            .source = slice_of_text(source),
                            .expires_s = expires_s};
}

static void set(const char *source, int score, uint64_t expires_s)
{
    struct rep_row row = row_of(source, score, expires_s);
    ck_assert_msg(rep_admin_set(admin, &row, NOW_S) == 0, "%s", rep_admin_error(admin));
}

static bool lasts(long long seconds)
{
    long long held = redis_do(&server, "TTL " KEY);
    return held <= seconds && held >= seconds - 5;
}

/* The key ends with the last statement in it; the plain one keeps its own end beside others. */
START_TEST(a_key_lasts_as_long_as_its_last_statement)
{
    set("police", 90, NOW_S + 600);
    ck_assert(lasts(600));
    set("feed", 50, NOW_S + 300);
    ck_assert(lasts(600));
    set("hearsay", 10, NOW_S + 900);
    ck_assert(lasts(900));
    ck_assert_str_eq(field("expires"), "2027-01-15T08:15:00Z");
    set("feed", 50, 0);
    ck_assert_int_eq(redis_do(&server, "TTL " KEY), -1);
    ck_assert_str_eq(field("expires"), "2027-01-15T08:15:00Z");
    ck_assert_int_eq(rep_admin_drop(admin, SLICE(NUMBER), SLICE("feed"), NOW_S), 0);
    ck_assert(lasts(900));
    ck_assert_int_eq(rep_admin_drop(admin, SLICE(NUMBER), SLICE("hearsay"), NOW_S), 0);
    ck_assert(lasts(600));
    ck_assert_str_eq(field("score"), "");
    ck_assert_str_eq(field("expires"), "");
    ck_assert_int_eq(rep_admin_drop(admin, SLICE(NUMBER), SLICE("police"), NOW_S), 0);
    ck_assert_int_eq(redis_do(&server, "EXISTS " KEY), 0);
    ck_assert_int_eq(rep_admin_drop(admin, SLICE(NUMBER), SLICE("police"), NOW_S), ERROR_NOT_FOUND);
}
END_TEST

/* The time of a plain statement that ended with the key goes with it when another comes. */
START_TEST(a_statement_beside_a_plain_one_leaves_that_its_end)
{
    set("", 10, NOW_S + 100);
    ck_assert_str_eq(field("expires"), "");
    set("police", 90, 0);
    ck_assert_int_eq(redis_do(&server, "TTL " KEY), -1);
    ck_assert_msg(strncmp(field("expires"), "2027-01-15T08:01:", 17) == 0, "%s", field("expires"));
    ck_assert_str_eq(field("score"), "10");
}
END_TEST

START_TEST(what_was_and_is_said_is_told)
{
    set("police", 90, 0);
    ck_assert_uint_eq(rep_admin_before(admin).length, 0);
    set("police", 91, 0);
    ck_assert(slice_equal(rep_admin_before(admin), SLICE("score=90;since=2027-01-15T08:00:00Z")));
    ck_assert(slice_equal(rep_admin_after(admin), SLICE("score=91;since=2027-01-15T08:00:00Z")));
    ck_assert_int_eq(rep_admin_drop(admin, SLICE(NUMBER), SLICE("police"), NOW_S), 0);
    ck_assert_uint_eq(rep_admin_after(admin).length, 0);
}
END_TEST

/* A source that is configured later takes its plain statement along. */
START_TEST(a_source_s_plain_statement_moves_to_its_field)
{
    redis_do(&server, "HSET " KEY " score 70 source police note old since yesterday");
    set("police", 90, 0);
    ck_assert_int_eq(redis_do(&server, "HLEN " KEY), 1);
    redis_do(&server, "HSET " KEY " score 70 source police");
    ck_assert_int_eq(rep_admin_drop(admin, SLICE(NUMBER), SLICE("police"), NOW_S), 0);
    ck_assert_int_eq(redis_do(&server, "EXISTS " KEY), 0);
}
END_TEST

static int one_row(void *argument, struct rep_row *row)
{
    struct rep_row *only = argument;
    if (only->number.length == 0)
        return ERROR_NOT_FOUND;
    *row = *only;
    only->number.length = 0;
    return 0;
}

static uint64_t import_one(struct rep_row row, enum rep_outcome outcome)
{
    struct rep_import import = {.next = one_row, .argument = &row};
    ck_assert_int_eq(rep_admin_import(admin, &import, NOW_S), 0);
    return outcome == REP_OUTCOME_COUNT ? import.rejects : import.count[outcome];
}

START_TEST(an_import_writes_what_it_says_and_only_what_differs)
{
    ck_assert_uint_eq(import_one(row_of("feed", 5, 0), REP_OUTCOME_ADDED), 1);
    ck_assert_str_eq(field("from:feed"), "score=5");
    redis_do(&server, "HSET " KEY " from:feed score=5;since=2026-01-01");
    ck_assert_uint_eq(import_one(row_of("feed", 5, 0), REP_OUTCOME_UNCHANGED), 1);
    ck_assert_str_eq(field("from:feed"), "score=5;since=2026-01-01");
    ck_assert_uint_eq(import_one(row_of("feed", 6, 0), REP_OUTCOME_CHANGED), 1);
    /* What fades is of some time. */
    ck_assert_uint_eq(import_one(row_of("crowd", 5, 0), REP_OUTCOME_ADDED), 1);
    ck_assert_str_eq(field("from:crowd"), "score=5;since=2027-01-15T08:00:00Z");
}
END_TEST

START_TEST(a_reassigned_number_takes_only_what_is_newer)
{
    bool known;
    struct rep_record record;
    set("police", 90, 0);
    ck_assert_int_eq(rep_admin_reassign(admin, SLICE(NUMBER), NOW_S, &known), 0);
    ck_assert(known);
    ck_assert_str_eq(field("reassigned"), "2027-01-15T08:00:00Z");
    ck_assert_int_eq(redis_do(&server, "HLEN " KEY), 1);
    struct rep_row row = row_of("feed", 5, 0);
    ck_assert_uint_eq(import_one(row, REP_OUTCOME_COUNT), 1);
    row.since_s = NOW_S - 1;
    ck_assert_uint_eq(import_one(row, REP_OUTCOME_COUNT), 1);
    row.since_s = NOW_S + 1;
    ck_assert_uint_eq(import_one(row, REP_OUTCOME_ADDED), 1);
    ck_assert_int_eq(rep_admin_get(admin, SLICE(NUMBER), NOW_S, &record), 0);
    ck_assert(record.counts);
    ck_assert_int_eq(record.combined.score, 5);
    ck_assert_str_eq(record.combined_source, "feed");
}
END_TEST

START_TEST(what_is_not_written_is_refused)
{
    struct rep_row row = row_of("feed", 5, 0);
    row.note = SLICE("a;b");
    ck_assert_int_eq(rep_admin_set(admin, &row, NOW_S), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(rep_admin_error(admin), "no ;"));
    static char text[2 * REP_PART_BYTES];
    memset(text, 'x', sizeof(text));
    row.note = slice_make(text, sizeof(text));
    ck_assert_int_eq(rep_admin_set(admin, &row, NOW_S), -EBADMSG);
    ck_assert_int_eq(redis_do(&server, "EXISTS " KEY), 0);
    set("feed", 5, 0); /* the connection is still in step */
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

/* ---- two writers --------------------------------------------------------------------------- */

enum { RACED = 2000, ROUNDS = 6 };

/* In each round a source gives every number another end, the two of them alternating which of them
 * is the later one, and now and then none at all. */
struct racer {
    const char *source;
    unsigned turn; /* 0 or 1 */
    struct rep_admin *admin;
    unsigned round, next;
    char number[32];
    uint64_t rejects;
    int code;
    pthread_t thread;
};

static uint64_t raced_end(unsigned turn, unsigned round, unsigned i)
{
    if ((i + round + turn) % 5 == 0)
        return 0;
    return NOW_S + 1000 + (uint64_t)i + 10000 * ((i + round + turn) % 2);
}

static int raced_row(void *argument, struct rep_row *row)
{
    struct racer *racer = argument;
    unsigned i = racer->next++;
    if (i == RACED)
        return ERROR_NOT_FOUND;
    snprintf(racer->number, sizeof(racer->number), "+861390000%04u", i);
    *row = (struct rep_row){.number = slice_of_text(racer->number),
                            .score = 50,
                            .source = slice_of_text(racer->source),
                            .expires_s = raced_end(racer->turn, racer->round, i)};
    return 0;
}

static void *race(void *argument)
{
    struct racer *racer = argument;
    for (racer->round = 0; racer->code == 0 && racer->round < ROUNDS; racer->round++) {
        struct rep_import import = {.next = raced_row, .argument = racer, .batch = 200};
        racer->next = 0;
        racer->code = rep_admin_import(racer->admin, &import, NOW_S);
        racer->rejects += import.rejects;
    }
    return NULL;
}

static void check_raced(unsigned i)
{
    uint64_t a = raced_end(0, ROUNDS - 1, i), b = raced_end(1, ROUNDS - 1, i);
    long long expected = a == 0 || b == 0 ? -1 : (long long)((a > b ? a : b) - NOW_S);
    long long held = redis_do(&server, "TTL rf:num:+861390000%04u", i);
    ck_assert_msg(expected < 0 ? held == -1 : held <= expected && held >= expected - 60,
                  "number %u lasts %lld s instead of %lld", i, held, expected);
}

/* Each key ends with the last statement in it, whoever wrote in the same millisecond. */
static void race_two(struct racer *racers)
{
    struct rep_settings settings;
    char message[256];
    rep_settings_default(&settings);
    settings.unix_socket = server.socket;
    settings.sources = (struct rep_source_rows){source_rows, 3};
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(rep_admin_open(&settings, message, sizeof(message), &racers[i].admin), 0);
        ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(racers[i].thread, NULL);
        ck_assert_int_eq(racers[i].code, 0);
        ck_assert_uint_eq(racers[i].rejects, 0);
        rep_admin_close(racers[i].admin);
    }
    for (unsigned i = 0; i < RACED; i++)
        check_raced(i);
}

START_TEST(two_imports_at_once_leave_every_key_its_end)
{
    struct racer racers[2] = {{.source = "police", .turn = 0}, {.source = "feed", .turn = 1}};
    race_two(racers);
}
END_TEST

/* One of them with plain fields, whose end is the key's own until another speaks beside it. */
START_TEST(an_import_of_plain_fields_races_one_of_a_source)
{
    struct racer racers[2] = {{.source = "hearsay", .turn = 0}, {.source = "feed", .turn = 1}};
    race_two(racers);
    ck_assert_int_eq(redis_do(&server, "DBSIZE"), RACED);
}
END_TEST

START_TEST(an_import_works_without_the_right_to_scripts)
{
    redis_do(&server, "ACL SETUSER default -@scripting");
    struct feed feed = {.count = 300};
    struct rep_import import = {.next = next_row, .argument = &feed};
    ck_assert_int_eq(rep_admin_import(admin, &import, NOW_S), 0);
    ck_assert_uint_eq(import.count[REP_OUTCOME_ADDED], 299);
    ck_assert_uint_eq(import.rejects, 1);
    /* With it again, and a server that has forgotten the script. */
    redis_do(&server, "ACL SETUSER default +@all");
    ck_assert_uint_eq(import_one(row_of("feed", 5, 0), REP_OUTCOME_ADDED), 1);
    redis_do(&server, "SCRIPT FLUSH");
    ck_assert_uint_eq(import_one(row_of("feed", 6, 0), REP_OUTCOME_CHANGED), 1);
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
    tcase_add_test(tests, a_key_lasts_as_long_as_its_last_statement);
    tcase_add_test(tests, a_statement_beside_a_plain_one_leaves_that_its_end);
    tcase_add_test(tests, what_was_and_is_said_is_told);
    tcase_add_test(tests, a_source_s_plain_statement_moves_to_its_field);
    tcase_add_test(tests, an_import_writes_what_it_says_and_only_what_differs);
    tcase_add_test(tests, a_reassigned_number_takes_only_what_is_newer);
    tcase_add_test(tests, what_is_not_written_is_refused);
    tcase_add_test(tests, an_import_writes_all_but_the_rejects);
    tcase_add_test(tests, two_imports_at_once_leave_every_key_its_end);
    tcase_add_test(tests, an_import_of_plain_fields_races_one_of_a_source);
    tcase_add_test(tests, an_import_works_without_the_right_to_scripts);
    tcase_add_test(tests, a_server_that_is_not_there_is_named);
    tcase_add_test(tests, a_server_that_dies_is_an_error_not_a_hang);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
