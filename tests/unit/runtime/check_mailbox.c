/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/mailbox.h"

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

static struct rt_loop *loop;
static struct rt_mailbox *mailbox;

struct inbox {
    unsigned count;
    unsigned values[16];
    int post_error;
};

static struct inbox inbox;

static void set_up(void)
{
    inbox = (struct inbox){0};
    ck_assert_int_eq(rt_loop_create(&loop), 0);
    ck_assert_int_eq(rt_mailbox_create(loop, &inbox, &mailbox), 0);
}

static void tear_down(void)
{
    rt_mailbox_destroy(mailbox);
    rt_loop_destroy(loop);
}

static void note(void *target, void *argument)
{
    struct inbox *to = target;
    to->values[to->count++ % 16] = (unsigned)(uintptr_t)argument;
}

static void *number(unsigned value)
{
    return (void *)(uintptr_t)value;
}

static void post(rt_message_fn *run, unsigned value)
{
    ck_assert_int_eq(rt_mailbox_post(mailbox, run, number(value)), 0);
}

static void turn(uint64_t wait_us)
{
    ck_assert_int_eq(rt_loop_turn(loop, wait_us), 0);
}

static void assert_values(unsigned count)
{
    ck_assert_uint_eq(inbox.count, count);
    for (unsigned i = 0; i < count; i++)
        ck_assert_uint_eq(inbox.values[i], i + 1);
}

START_TEST(messages_run_on_the_loop_in_order)
{
    for (unsigned i = 1; i <= 5; i++)
        post(note, i);
    ck_assert_uint_eq(inbox.count, 0);
    turn(0);
    assert_values(5);
    turn(0);
    assert_values(5);
    post(note, 6);
    turn(0);
    assert_values(6);
}
END_TEST

static void post_next(void *target, void *argument)
{
    note(target, argument);
    post(note, (unsigned)(uintptr_t)argument + 1);
}

START_TEST(a_message_may_post_another)
{
    post(post_next, 1);
    turn(0);
    turn(0);
    assert_values(2);
}
END_TEST

START_TEST(closing_runs_what_is_pending_and_refuses_the_rest)
{
    post(note, 1);
    post(note, 2);
    rt_mailbox_close(mailbox);
    assert_values(2);
    ck_assert_int_eq(rt_mailbox_post(mailbox, note, NULL), ERROR_UNAVAILABLE);
    rt_mailbox_close(mailbox);
    turn(0);
    assert_values(2);
}
END_TEST

static void close_it(void *target, void *argument)
{
    note(target, argument);
    post(note, 5);
    rt_mailbox_close(mailbox);
    inbox.post_error = rt_mailbox_post(mailbox, note, NULL);
}

/* What was posted before runs before the close is over, and still in order. */
START_TEST(a_message_may_close_the_mailbox)
{
    post(note, 1);
    post(close_it, 2);
    post(note, 3);
    post(note, 4);
    turn(0);
    assert_values(5);
    ck_assert_int_eq(inbox.post_error, ERROR_UNAVAILABLE);
}
END_TEST

enum { THREADS = 3, MESSAGES = 3000 };

static unsigned last_of_thread[THREADS];
static unsigned received;
static bool out_of_order;

static void check_order(void *target, void *argument)
{
    unsigned value = (unsigned)(uintptr_t)argument;
    unsigned thread = value / MESSAGES;
    unsigned message = value % MESSAGES + 1;
    (void)target;
    out_of_order = out_of_order || message != last_of_thread[thread] + 1;
    last_of_thread[thread] = message;
    received++;
}

static void *poster(void *argument)
{
    unsigned first = (unsigned)(uintptr_t)argument * MESSAGES;
    for (unsigned i = 0; i < MESSAGES; i++)
        if (rt_mailbox_post(mailbox, check_order, number(first + i)) != 0)
            return argument;
    return NULL;
}

START_TEST(many_threads_post_at_once)
{
    pthread_t threads[THREADS];
    received = 0;
    out_of_order = false;
    for (unsigned i = 0; i < THREADS; i++) {
        last_of_thread[i] = 0;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, poster, number(i)), 0);
    }
    while (received < THREADS * MESSAGES)
        turn(5000000);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert(!out_of_order);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mailbox");
    TCase *tests = tcase_create("mailbox");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, messages_run_on_the_loop_in_order);
    tcase_add_test(tests, a_message_may_post_another);
    tcase_add_test(tests, closing_runs_what_is_pending_and_refuses_the_rest);
    tcase_add_test(tests, a_message_may_close_the_mailbox);
    tcase_add_test(tests, many_threads_post_at_once);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
