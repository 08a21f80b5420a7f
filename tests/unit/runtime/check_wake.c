/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/wake.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>

static struct rt_wake *made(void)
{
    struct rt_wake *wake = NULL;
    ck_assert_int_eq(rt_wake_create(&wake), 0);
    return wake;
}

static bool is_readable(const struct rt_wake *wake, int wait_ms)
{
    struct pollfd entry = {.fd = rt_wake_descriptor(wake), .events = POLLIN};
    return poll(&entry, 1, wait_ms) == 1;
}

START_TEST(only_an_armed_sleeper_is_rung)
{
    struct rt_wake *wake = made();
    rt_wake_ring(wake);
    ck_assert(!is_readable(wake, 0));
    rt_wake_arm(wake);
    ck_assert(!is_readable(wake, 0));
    rt_wake_ring(wake);
    ck_assert(is_readable(wake, 0));
    rt_wake_disarm(wake);
    ck_assert(!is_readable(wake, 0));
    rt_wake_destroy(wake);
    rt_wake_destroy(NULL);
}
END_TEST

START_TEST(many_rings_are_one)
{
    struct rt_wake *wake = made();
    rt_wake_arm(wake);
    for (int i = 0; i < 10; i++)
        rt_wake_ring(wake);
    rt_wake_disarm(wake);
    ck_assert(!is_readable(wake, 0));
    rt_wake_ring(wake);
    ck_assert(!is_readable(wake, 0));
    rt_wake_destroy(wake);
}
END_TEST

START_TEST(a_sleeper_that_was_not_rung_can_disarm)
{
    struct rt_wake *wake = made();
    rt_wake_disarm(wake);
    rt_wake_arm(wake);
    rt_wake_disarm(wake);
    rt_wake_arm(wake);
    rt_wake_ring(wake);
    ck_assert(is_readable(wake, 0));
    rt_wake_destroy(wake);
}
END_TEST

/* The producer says that it rings and is interrupted before it writes. Taking its write away and
 * giving it back later stands for that. */
START_TEST(a_ring_that_comes_late_is_emptied_all_the_same)
{
    struct rt_wake *wake = made();
    eventfd_t value;
    rt_wake_arm(wake);
    rt_wake_ring(wake);
    ck_assert_int_eq(eventfd_read(rt_wake_descriptor(wake), &value), 0);
    rt_wake_disarm(wake);
    ck_assert_int_eq(eventfd_write(rt_wake_descriptor(wake), value), 0);
    rt_wake_arm(wake);
    ck_assert(is_readable(wake, 0)); /* one turn for nothing */
    rt_wake_disarm(wake);
    rt_wake_arm(wake);
    ck_assert(!is_readable(wake, 0));
    rt_wake_ring(wake);
    ck_assert(is_readable(wake, 0));
    rt_wake_destroy(wake);
}
END_TEST

/* A counter in place of the queues: the sleeper must see each step without any timeout. */
enum { STEPS = 20000, LOST_MS = 5000 };

struct race {
    struct rt_wake *there;
    struct rt_wake *back;
    atomic_int posted;
    atomic_int answered;
};

static bool wait_for(struct rt_wake *wake, atomic_int *counter, int value)
{
    while (atomic_load_explicit(counter, memory_order_acquire) < value) {
        rt_wake_arm(wake);
        bool rung = atomic_load_explicit(counter, memory_order_acquire) >= value ||
                    is_readable(wake, LOST_MS);
        rt_wake_disarm(wake);
        if (!rung)
            return false;
    }
    return true;
}

static void *answerer(void *argument)
{
    struct race *race = argument;
    for (int i = 1; i <= STEPS; i++) {
        if (!wait_for(race->there, &race->posted, i))
            return argument;
        atomic_store_explicit(&race->answered, i, memory_order_release);
        rt_wake_ring(race->back);
    }
    return NULL;
}

START_TEST(no_ring_is_lost_between_two_threads)
{
    struct race race = {.there = made(), .back = made()};
    pthread_t thread;
    void *lost = NULL;
    bool answered = true;
    ck_assert_int_eq(pthread_create(&thread, NULL, answerer, &race), 0);
    for (int i = 1; i <= STEPS && answered; i++) {
        atomic_store_explicit(&race.posted, i, memory_order_release);
        rt_wake_ring(race.there);
        answered = wait_for(race.back, &race.answered, i);
    }
    pthread_join(thread, &lost);
    ck_assert_ptr_null(lost);
    ck_assert(answered);
    rt_wake_destroy(race.there);
    rt_wake_destroy(race.back);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wake");
    TCase *tests = tcase_create("wake");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, only_an_armed_sleeper_is_rung);
    tcase_add_test(tests, many_rings_are_one);
    tcase_add_test(tests, a_sleeper_that_was_not_rung_can_disarm);
    tcase_add_test(tests, a_ring_that_comes_late_is_emptied_all_the_same);
    tcase_add_test(tests, no_ring_is_lost_between_two_threads);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
