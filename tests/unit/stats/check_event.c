/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/event.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct stats_event_queue *queue;

static void setup(void)
{
    ck_assert_int_eq(stats_event_queue_create(16, &queue), 0);
}

static void teardown(void)
{
    stats_event_queue_destroy(queue);
}

static uint64_t push_until_full(void)
{
    uint64_t pushed = 0;
    struct stats_event *event;
    while ((event = stats_event_begin(queue)) != NULL) {
        event->sequence = pushed++;
        stats_event_commit(queue);
    }
    return pushed;
}

START_TEST(an_empty_queue_has_nothing)
{
    ck_assert_ptr_null(stats_event_peek(queue));
}
END_TEST

START_TEST(it_holds_what_it_promises_in_order)
{
    uint64_t pushed = push_until_full();
    ck_assert_uint_ge(pushed, 16);
    for (uint64_t i = 0; i < pushed; i++) {
        ck_assert_uint_eq(stats_event_peek(queue)->sequence, i);
        stats_event_release(queue);
    }
    ck_assert_ptr_null(stats_event_peek(queue));
}
END_TEST

START_TEST(it_holds_as_much_wherever_it_wraps)
{
    for (int turn = 0; turn < 50; turn++) {
        struct stats_event *event = stats_event_begin(queue);
        ck_assert_ptr_nonnull(event);
        stats_event_commit(queue);
        ck_assert_ptr_nonnull(stats_event_peek(queue));
        stats_event_release(queue); /* moves the start by one record */
        ck_assert_ptr_null(stats_event_peek(queue));
        uint64_t pushed = push_until_full();
        ck_assert_uint_ge(pushed, 16);
        while (stats_event_peek(queue) != NULL)
            stats_event_release(queue);
    }
}
END_TEST

START_TEST(a_record_starts_zeroed)
{
    static const struct stats_event zero;
    for (int i = 0; i < 100; i++) {
        struct stats_event *event = stats_event_begin(queue);
        ck_assert_mem_eq(event, &zero, sizeof(zero));
        memset(event, 0xff, sizeof(*event));
        stats_event_commit(queue);
        ck_assert_ptr_nonnull(stats_event_peek(queue));
        stats_event_release(queue);
    }
}
END_TEST

START_TEST(texts_are_cut_between_characters)
{
    char array[8];
    stats_event_text(array, sizeof(array), SLICE("short"));
    ck_assert_str_eq(array, "short");
    stats_event_text(array, sizeof(array), SLICE("1234567"));
    ck_assert_str_eq(array, "1234567");
    stats_event_text(array, sizeof(array), SLICE("12345678"));
    ck_assert_str_eq(array, "1234567");
    stats_event_text(array, sizeof(array), SLICE("诈骗电话")); /* three bytes each */
    ck_assert_str_eq(array, "诈骗");
    stats_event_text(array, sizeof(array), SLICE("12345\xe8\xaf\x88")); /* one byte missing */
    ck_assert_str_eq(array, "12345");
    stats_event_text(array, sizeof(array), SLICE("\x80\x80\x80\x80\x80\x80\x80\x80\x80"));
    ck_assert_uint_eq(strlen(array), 7);
    stats_event_text(array, sizeof(array), slice_make("a\0b", 3));
    ck_assert_str_eq(array, "a b");
    stats_event_text(array, 1, SLICE("x"));
    ck_assert_str_eq(array, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats/event");
    TCase *events = tcase_create("queue");
    tcase_add_checked_fixture(events, setup, teardown);
    tcase_add_test(events, an_empty_queue_has_nothing);
    tcase_add_test(events, it_holds_what_it_promises_in_order);
    tcase_add_test(events, it_holds_as_much_wherever_it_wraps);
    tcase_add_test(events, a_record_starts_zeroed);
    tcase_add_test(events, texts_are_cut_between_characters);
    suite_add_tcase(suite, events);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
