/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/wheel.h"

#include <check.h>
#include <stdlib.h>

#include "base/random.h"

#define MS(milliseconds) ((uint64_t)(milliseconds)*1000)

struct probe {
    struct rt_timer timer;
    struct rt_wheel *wheel;
    unsigned fired;
    uint64_t fired_us;
    uint64_t again_us; /* set anew with this delay when it fires; 0: not */
    struct probe *cancels;
};

static void fire(struct rt_timer *timer, uint64_t now_us)
{
    struct probe *probe = LIST_ENTRY(timer, struct probe, timer);
    ck_assert(!rt_timer_is_set(timer));
    probe->fired++;
    probe->fired_us = now_us;
    if (probe->again_us > 0)
        rt_timer_set(probe->wheel, timer, now_us, probe->again_us);
    if (probe->cancels != NULL)
        rt_timer_cancel(probe->wheel, &probe->cancels->timer);
}

static struct rt_wheel *made(uint64_t now_us)
{
    struct rt_wheel *wheel = NULL;
    ck_assert_int_eq(rt_wheel_create(now_us, &wheel), 0);
    return wheel;
}

static void init(struct probe *probe, struct rt_wheel *wheel)
{
    *probe = (struct probe){.wheel = wheel};
    rt_timer_init(&probe->timer, fire);
}

START_TEST(an_empty_wheel_has_nothing_to_wait_for)
{
    struct rt_wheel *wheel = made(MS(77));
    ck_assert(rt_wheel_wait(wheel, MS(77)) == UINT64_MAX);
    ck_assert_uint_eq(rt_wheel_advance(wheel, MS(1000000)), 0);
    ck_assert_uint_eq(rt_wheel_count(wheel), 0);
    rt_wheel_destroy(wheel);
    rt_wheel_destroy(NULL);
}
END_TEST

/* Around every border between levels, from a start that is on none. */
START_TEST(a_timer_fires_once_on_its_tick_and_never_early)
{
    static const uint64_t delays_ms[] = {1,     2,     254,      255,      256,      257,
                                         65279, 65535, 65536,    65537,    16777215, 16777216,
                                         20000, 500,   16777217, 99999999, 86400000};
    const uint64_t start_us = MS(123456789);
    for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++) {
        struct rt_wheel *wheel = made(start_us);
        struct probe probe;
        init(&probe, wheel);
        rt_timer_set(wheel, &probe.timer, start_us, MS(delays_ms[i]));
        ck_assert(rt_timer_is_set(&probe.timer));
        ck_assert_uint_eq(rt_wheel_advance(wheel, start_us + MS(delays_ms[i]) - 1), 0);
        ck_assert_uint_eq(rt_wheel_advance(wheel, start_us + MS(delays_ms[i])), 1);
        ck_assert_uint_eq(probe.fired, 1);
        ck_assert_uint_eq(rt_wheel_advance(wheel, start_us + MS(200000000)), 0);
        rt_wheel_destroy(wheel);
    }
}
END_TEST

START_TEST(fractions_of_a_tick_are_rounded_up)
{
    struct rt_wheel *wheel = made(1500);
    struct probe probe;
    init(&probe, wheel);
    rt_timer_set(wheel, &probe.timer, 1500, 1);
    ck_assert_uint_eq(rt_wheel_advance(wheel, 1999), 0);
    ck_assert_uint_eq(rt_wheel_advance(wheel, 2000), 1);
    rt_wheel_destroy(wheel);
}
END_TEST

START_TEST(no_delay_is_due_within_a_tick)
{
    struct rt_wheel *wheel = made(MS(5));
    struct probe probe;
    init(&probe, wheel);
    rt_timer_set(wheel, &probe.timer, MS(5), 0);
    ck_assert_uint_le(rt_wheel_wait(wheel, MS(5)), 1000);
    ck_assert_uint_eq(rt_wheel_advance(wheel, MS(6)), 1);
    rt_wheel_destroy(wheel);
}
END_TEST

START_TEST(a_delay_beyond_the_horizon_is_kept)
{
    const uint64_t delay_us = MS(UINT64_C(60) * 86400 * 1000); /* the wheel spans 49 days */
    struct rt_wheel *wheel = made(MS(1000));
    struct probe probe;
    init(&probe, wheel);
    rt_timer_set(wheel, &probe.timer, MS(1000), delay_us);
    ck_assert_uint_eq(rt_wheel_advance(wheel, MS(1000) + delay_us - 1), 0);
    ck_assert_uint_eq(rt_wheel_advance(wheel, MS(1000) + delay_us), 1);
    rt_wheel_destroy(wheel);
}
END_TEST

START_TEST(forever_does_not_overflow)
{
    struct rt_wheel *wheel = made(MS(1000));
    struct probe probe;
    init(&probe, wheel);
    rt_timer_set(wheel, &probe.timer, MS(1000), UINT64_MAX);
    ck_assert_uint_eq(rt_wheel_advance(wheel, MS(100000)), 0);
    rt_timer_set(wheel, &probe.timer, MS(100000), UINT64_MAX - MS(100000));
    ck_assert_uint_eq(rt_wheel_advance(wheel, MS(200000)), 0);
    ck_assert(rt_timer_is_set(&probe.timer));
    rt_wheel_destroy(wheel);
}
END_TEST

START_TEST(setting_again_moves_and_cancelling_twice_is_harmless)
{
    struct rt_wheel *wheel = made(0);
    struct probe probe;
    init(&probe, wheel);
    rt_timer_cancel(wheel, &probe.timer);
    rt_timer_set(wheel, &probe.timer, 0, MS(10));
    rt_timer_set(wheel, &probe.timer, 0, MS(700));
    ck_assert_uint_eq(rt_wheel_count(wheel), 1);
    ck_assert_uint_eq(rt_wheel_advance(wheel, MS(699)), 0);
    rt_timer_cancel(wheel, &probe.timer);
    rt_timer_cancel(wheel, &probe.timer);
    ck_assert_uint_eq(rt_wheel_count(wheel), 0);
    ck_assert_uint_eq(rt_wheel_advance(wheel, MS(10000)), 0);
    rt_wheel_destroy(wheel);
}
END_TEST

/* A bit left by a cancelled timer would wake a sleeper for nothing. */
START_TEST(a_cancelled_timer_leaves_no_wait_behind)
{
    static const uint64_t delays_ms[] = {5, 3000, 100000, 20000000};
    for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++) {
        struct rt_wheel *wheel = made(0);
        struct probe early;
        struct probe late;
        init(&early, wheel);
        init(&late, wheel);
        rt_timer_set(wheel, &late.timer, 0, MS(40000000));
        uint64_t wait_us = rt_wheel_wait(wheel, 0);
        rt_timer_set(wheel, &early.timer, 0, MS(delays_ms[i]));
        rt_timer_cancel(wheel, &early.timer);
        ck_assert_uint_eq(rt_wheel_wait(wheel, 0), wait_us);
        rt_timer_cancel(wheel, &late.timer);
        ck_assert(rt_wheel_wait(wheel, 0) == UINT64_MAX);
        rt_wheel_destroy(wheel);
    }
}
END_TEST

/* Two in one slot: the bit stays while one of them is left. */
START_TEST(cancelling_one_of_two_keeps_the_other)
{
    struct rt_wheel *wheel = made(0);
    struct probe a;
    struct probe b;
    init(&a, wheel);
    init(&b, wheel);
    rt_timer_set(wheel, &a.timer, 0, MS(9));
    rt_timer_set(wheel, &b.timer, 0, MS(9));
    rt_timer_cancel(wheel, &a.timer);
    ck_assert_uint_eq(rt_wheel_wait(wheel, 0), MS(9));
    ck_assert_uint_eq(rt_wheel_advance(wheel, MS(9)), 1);
    ck_assert_uint_eq(b.fired, 1);
    rt_wheel_destroy(wheel);
}
END_TEST

START_TEST(a_callback_may_cancel_one_that_is_about_to_fire)
{
    struct rt_wheel *wheel = made(0);
    struct probe a;
    struct probe b;
    init(&a, wheel);
    init(&b, wheel);
    a.cancels = &b;
    b.cancels = &a;
    rt_timer_set(wheel, &a.timer, 0, MS(3));
    rt_timer_set(wheel, &b.timer, 0, MS(3));
    ck_assert_uint_eq(rt_wheel_advance(wheel, MS(3)), 1);
    ck_assert_uint_eq(a.fired + b.fired, 1);
    ck_assert_uint_eq(rt_wheel_count(wheel), 0);
    rt_wheel_destroy(wheel);
}
END_TEST

START_TEST(a_callback_may_set_its_timer_again)
{
    struct rt_wheel *wheel = made(0);
    struct probe probe;
    init(&probe, wheel);
    probe.again_us = MS(10);
    rt_timer_set(wheel, &probe.timer, 0, MS(10));
    for (unsigned turn = 1; turn <= 100; turn++) {
        rt_wheel_advance(wheel, MS(10 * turn));
        ck_assert_uint_eq(probe.fired, turn);
    }
    /* However late: the next one counts from now. */
    ck_assert_uint_eq(rt_wheel_advance(wheel, MS(60000)), 1);
    rt_wheel_destroy(wheel);
}
END_TEST

static void free_owner(struct rt_timer *timer, uint64_t now_us)
{
    (void)now_us;
    free(LIST_ENTRY(timer, struct probe, timer));
}

START_TEST(a_callback_may_free_its_owner)
{
    struct rt_wheel *wheel = made(0);
    for (unsigned i = 0; i < 10; i++) {
        struct probe *probe = calloc(1, sizeof(*probe));
        rt_timer_init(&probe->timer, free_owner);
        rt_timer_set(wheel, &probe->timer, 0, MS(1 + i / 2));
    }
    ck_assert_uint_eq(rt_wheel_advance(wheel, MS(50)), 10);
    rt_wheel_destroy(wheel);
}
END_TEST

/* Owners that are torn down before the wheel need not cancel first. */
START_TEST(a_wheel_ends_after_its_owners)
{
    struct rt_wheel *wheel = made(0);
    struct probe *probe = calloc(1, sizeof(*probe));
    init(probe, wheel);
    rt_timer_set(wheel, &probe->timer, 0, MS(100));
    free(probe);
    rt_wheel_destroy(wheel);
}
END_TEST

/* Against the plain model: each timer fires in the first advance at or after its tick. */
static void run_model(uint64_t seed, uint64_t step_ms)
{
    enum { TIMERS = 200, STEPS = 3000 };
    static struct probe probes[TIMERS];
    static uint64_t due_ms[TIMERS]; /* 0: not set */
    struct random_state random;
    uint64_t now_us = MS(UINT64_C(0xfffff000));
    struct rt_wheel *wheel = made(now_us);
    random_seed(&random, seed);
    for (size_t i = 0; i < TIMERS; i++) {
        init(&probes[i], wheel);
        due_ms[i] = 0;
    }
    for (int step = 0; step < STEPS; step++) {
        size_t i = random_below(&random, TIMERS);
        uint64_t delay_us = random_below(&random, MS(1) << random_below(&random, 20));
        if (random_below(&random, 4) == 0) {
            rt_timer_cancel(wheel, &probes[i].timer);
            due_ms[i] = 0;
        } else {
            rt_timer_set(wheel, &probes[i].timer, now_us, delay_us + 1000);
            due_ms[i] = (now_us + delay_us + 1999) / 1000;
        }
        uint64_t wait_us = rt_wheel_wait(wheel, now_us);
        now_us += random_below(&random, MS(step_ms));
        rt_wheel_advance(wheel, now_us);
        for (size_t j = 0; j < TIMERS; j++) {
            bool due = due_ms[j] != 0 && due_ms[j] <= now_us / 1000;
            if (probes[j].fired != (due ? 1U : 0U))
                ck_abort_msg("step %d: timer %zu fired %u times", step, j, probes[j].fired);
            probes[j].fired = 0;
            due_ms[j] = due ? 0 : due_ms[j];
            /* It asked to be advanced no later than this one. */
            if (due_ms[j] != 0 && wait_us == UINT64_MAX)
                ck_abort_msg("step %d: no wait while timer %zu is set", step, j);
        }
    }
    rt_wheel_destroy(wheel);
}

START_TEST(random_use_follows_the_model)
{
    static const uint64_t steps_ms[] = {2, 40, 700, 100000};
    for (uint64_t seed = 0; seed < 8; seed++)
        run_model(seed, steps_ms[seed % 4]);
}
END_TEST

/* Sleeping exactly as told, each timer fires in its own tick. */
START_TEST(the_wait_is_never_too_long)
{
    enum { TIMERS = 300 };
    static struct probe probes[TIMERS];
    struct rt_wheel *wheel = made(0);
    struct random_state random;
    random_seed(&random, 4);
    for (size_t i = 0; i < TIMERS; i++) {
        init(&probes[i], wheel);
        rt_timer_set(wheel, &probes[i].timer, 0,
                     1 + random_below(&random, MS(1) << random_below(&random, 25)));
    }
    uint64_t now_us = 0;
    uint64_t wait_us;
    while ((wait_us = rt_wheel_wait(wheel, now_us)) != UINT64_MAX) {
        ck_assert_uint_gt(wait_us, 0);
        now_us += wait_us;
        rt_wheel_advance(wheel, now_us);
    }
    for (size_t i = 0; i < TIMERS; i++) {
        ck_assert_uint_eq(probes[i].fired, 1);
        ck_assert_uint_eq(probes[i].fired_us, MS(probes[i].timer.due_ms));
    }
    rt_wheel_destroy(wheel);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wheel");
    TCase *tests = tcase_create("wheel");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, an_empty_wheel_has_nothing_to_wait_for);
    tcase_add_test(tests, a_timer_fires_once_on_its_tick_and_never_early);
    tcase_add_test(tests, fractions_of_a_tick_are_rounded_up);
    tcase_add_test(tests, no_delay_is_due_within_a_tick);
    tcase_add_test(tests, a_delay_beyond_the_horizon_is_kept);
    tcase_add_test(tests, forever_does_not_overflow);
    tcase_add_test(tests, setting_again_moves_and_cancelling_twice_is_harmless);
    tcase_add_test(tests, a_cancelled_timer_leaves_no_wait_behind);
    tcase_add_test(tests, cancelling_one_of_two_keeps_the_other);
    tcase_add_test(tests, a_callback_may_cancel_one_that_is_about_to_fire);
    tcase_add_test(tests, a_callback_may_set_its_timer_again);
    tcase_add_test(tests, a_callback_may_free_its_owner);
    tcase_add_test(tests, a_wheel_ends_after_its_owners);
    tcase_add_test(tests, random_use_follows_the_model);
    tcase_add_test(tests, the_wait_is_never_too_long);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
