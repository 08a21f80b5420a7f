/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/sink.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stats/history.h"
#include "stats/sink_log.h"

static struct stats_registry *registry;
static struct stats_spool *spool;
static struct stats_sink *sink;

/* What a fake outlet does, and what it got. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int failures;   /* so many deliveries fail first */
    size_t at_once; /* so many lines are accepted of a delivery */
    uint64_t last;  /* seq of the last line accepted */
    uint64_t count;
    int reopened;
    bool destroyed;
} outlet = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int deliver(void *argument, const struct stats_spool_record *records, size_t count,
                   size_t *accepted, struct buffer *problem)
{
    (void)argument;
    pthread_mutex_lock(&outlet.lock);
    int error = 0;
    size_t taken = count < outlet.at_once ? count : outlet.at_once;
    if (outlet.failures > 0) {
        outlet.failures--;
        buffer_append_literal(problem, "the other end is gone");
        error = -ECONNREFUSED;
        taken = 0;
    }
    for (size_t i = 0; i < taken; i++) {
        ck_assert_uint_eq(records[i].seq, outlet.last + 1);
        outlet.last = records[i].seq;
        outlet.count++;
    }
    *accepted = taken;
    pthread_cond_broadcast(&outlet.changed);
    pthread_mutex_unlock(&outlet.lock);
    return error;
}

static void reopen(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&outlet.lock);
    outlet.reopened++;
    pthread_cond_broadcast(&outlet.changed);
    pthread_mutex_unlock(&outlet.lock);
}

static void destroy(void *argument)
{
    (void)argument;
    outlet.destroyed = true;
}

static const struct stats_sink_actions actions = {
    .deliver = deliver, .reopen = reopen, .destroy = destroy};

static void setup(void)
{
    outlet.failures = 0;
    outlet.at_once = 1000;
    outlet.last = outlet.count = 0;
    outlet.reopened = 0;
    outlet.destroyed = false;
    ck_assert_int_eq(stats_registry_create(&registry), 0);
    ck_assert_int_eq(stats_spool_open(NULL, 0, &spool), 0);
    const struct stats_sink_options options = {
        .name = "fake", .actions = &actions, .spool = spool, .registry = registry};
    ck_assert_int_eq(stats_sink_create(&options, &sink), 0);
}

static void end(void)
{
    stats_spool_interrupt(spool);
    stats_sink_destroy(sink);
    sink = NULL;
    ck_assert(outlet.destroyed);
}

static void teardown(void)
{
    if (sink != NULL)
        end();
    stats_spool_close(spool);
    stats_registry_destroy(registry);
}

static void put(int count)
{
    for (int i = 0; i < count; i++)
        stats_spool_append(spool, stats_spool_next(spool), SLICE("{\"kind\":\"event\"}\n"));
    stats_spool_flush(spool);
}

static void wait_for_count(uint64_t count)
{
    pthread_mutex_lock(&outlet.lock);
    while (outlet.count < count)
        pthread_cond_wait(&outlet.changed, &outlet.lock);
    pthread_mutex_unlock(&outlet.lock);
}

static uint64_t total(enum stats_family family)
{
    return stats_label_total(registry, family, stats_label(registry, family, SLICE("fake")));
}

START_TEST(lines_are_delivered_in_order)
{
    ck_assert_int_eq(stats_sink_start(sink), 0);
    put(1000);
    wait_for_count(1000);
    end();
    ck_assert_uint_eq(outlet.last, 1000);
    ck_assert_uint_eq(total(STATS_FAMILY_SINK_DELIVERED), 1000);
    ck_assert_uint_eq(total(STATS_FAMILY_SINK_FAILURES), 0);
}
END_TEST

START_TEST(what_fails_is_offered_again)
{
    outlet.failures = 2;
    outlet.at_once = 7;
    put(100);
    ck_assert_int_eq(stats_sink_start(sink), 0);
    wait_for_count(100);
    end();
    ck_assert_uint_eq(outlet.count, 100);
    ck_assert_uint_eq(total(STATS_FAMILY_SINK_FAILURES), 2);
}
END_TEST

START_TEST(an_outage_is_told)
{
    struct stats_sink_status status;
    outlet.failures = 1000000;
    put(10);
    ck_assert_int_eq(stats_sink_start(sink), 0);
    do
        stats_sink_status(sink, &status);
    while (status.problem[0] == '\0');
    ck_assert_str_eq(status.problem, "the other end is gone");
    ck_assert_uint_eq(status.waiting, 10);
    ck_assert_uint_eq(status.delivered, 0);
}
END_TEST

/* A thread that pauses after a failure ends at once all the same. */
START_TEST(a_sink_that_fails_ends)
{
    outlet.failures = 1000000;
    put(10);
    ck_assert_int_eq(stats_sink_start(sink), 0);
    end();
    ck_assert_uint_eq(outlet.count, 0);
}
END_TEST

START_TEST(what_is_left_goes_out_at_the_end)
{
    put(2000);
    ck_assert_int_eq(stats_sink_start(sink), 0);
    end();
    ck_assert_uint_eq(outlet.count, 2000);
}
END_TEST

START_TEST(reopening_is_passed_on)
{
    ck_assert_int_eq(stats_sink_start(sink), 0);
    stats_sink_reopen(sink);
    put(1);
    wait_for_count(1);
    end();
    ck_assert_int_eq(outlet.reopened, 1);
}
END_TEST

START_TEST(texts_of_a_line_are_found)
{
    struct slice line = SLICE("{\"kind\":\"event\",\"action\":\"block\",\"alert\":null,"
                              "\"call_id\":\"a\\\",\\\"type\\\":\\\"x\\\\\",\"caller\":{}}\n");
    ck_assert(slice_equal(stats_event_line_text(line, "action"), SLICE("block")));
    ck_assert_ptr_null(stats_event_line_text(line, "alert").data);
    ck_assert_ptr_null(stats_event_line_text(line, "type").data);
    ck_assert(
        slice_equal(stats_event_line_text(line, "call_id"), SLICE("a\\\",\\\"type\\\":\\\"x\\\\")));
    ck_assert_uint_eq(stats_event_line_text(SLICE("{\"id\":\"abc"), "id").length, 3);
}
END_TEST

/* ---- history ------------------------------------------------------------------------------- */

START_TEST(a_history_keeps_the_latest)
{
    static struct stats_history_entry entry;
    struct stats_history *history;
    const struct stats_event_tags tags = {0};
    char line[1000];
    ck_assert_int_eq(stats_history_create(1, &history), 0); /* the least: 32 KiB */
    stats_history_begin(history, 101);
    ck_assert_int_eq(stats_history_next(history, 0, &entry), ERROR_NOT_FOUND);
    for (uint64_t seq = 101; seq <= 1100; seq++) {
        size_t length = 100 + seq % 800;
        memset(line, (int)('a' + seq % 26), length);
        stats_history_append(history, seq, &tags, slice_make(line, length));
        if (seq == 1100)
            ck_assert_uint_eq(stats_history_span(history).newest, 1099); /* not shown yet */
        stats_history_publish(history);
    }
    struct stats_history_span span = stats_history_span(history);
    ck_assert_uint_eq(span.newest, 1100);
    ck_assert_uint_gt(span.newest - span.oldest, 30);
    uint64_t after = 0;
    while (stats_history_next(history, after, &entry) == 0) {
        ck_assert_uint_eq(entry.seq, after == 0 ? span.oldest : after + 1);
        ck_assert_uint_eq(entry.length, 100 + entry.seq % 800);
        for (size_t i = 0; i < entry.length; i++)
            ck_assert_int_eq(entry.line[i], (int)('a' + entry.seq % 26));
        after = entry.seq;
    }
    ck_assert_uint_eq(after, 1100);
    stats_history_destroy(history);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats/sink");
    TCase *lines = tcase_create("lines");
    tcase_add_checked_fixture(lines, setup, teardown);
    tcase_set_timeout(lines, 60);
    tcase_add_test(lines, lines_are_delivered_in_order);
    tcase_add_test(lines, what_fails_is_offered_again);
    tcase_add_test(lines, an_outage_is_told);
    tcase_add_test(lines, a_sink_that_fails_ends);
    tcase_add_test(lines, what_is_left_goes_out_at_the_end);
    tcase_add_test(lines, reopening_is_passed_on);
    tcase_add_test(lines, texts_of_a_line_are_found);
    tcase_add_test(lines, a_history_keeps_the_latest);
    suite_add_tcase(suite, lines);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
