/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/loop.h"

#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static struct rt_loop *loop;
static int ends[2]; /* of a pipe */

static void set_up(void)
{
    ck_assert_int_eq(rt_loop_create(&loop), 0);
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
}

static void tear_down(void)
{
    rt_loop_destroy(loop);
    close(ends[0]);
    close(ends[1]);
}

struct probe {
    struct rt_watch *watch;
    struct rt_watch *victim; /* destroyed when it is called */
    unsigned calls;
    unsigned ready;
    int descriptor;
};

static void count_call(void *argument, int descriptor, unsigned ready)
{
    struct probe *probe = argument;
    probe->calls++;
    probe->ready = ready;
    probe->descriptor = descriptor;
    rt_watch_destroy(probe->victim);
    probe->victim = NULL;
}

static void watch(struct probe *probe, int descriptor, unsigned interest)
{
    *probe = (struct probe){.descriptor = -1};
    ck_assert_int_eq(rt_watch_create(loop, descriptor, interest, count_call, probe, &probe->watch),
                     0);
}

static void turn(void)
{
    ck_assert_int_eq(rt_loop_turn(loop, 0), 0);
}

START_TEST(a_readable_descriptor_is_reported_until_read)
{
    struct probe probe;
    char byte;
    watch(&probe, ends[0], RT_READABLE);
    turn();
    ck_assert_uint_eq(probe.calls, 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    turn();
    turn();
    ck_assert_uint_eq(probe.calls, 2);
    ck_assert_uint_eq(probe.ready, RT_READABLE);
    ck_assert_int_eq(probe.descriptor, ends[0]);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    turn();
    ck_assert_uint_eq(probe.calls, 2);
    rt_watch_destroy(probe.watch);
}
END_TEST

START_TEST(interest_can_change_pause_and_come_back)
{
    struct probe probe;
    watch(&probe, ends[1], 0);
    turn();
    ck_assert_uint_eq(probe.calls, 0);
    ck_assert_int_eq(rt_watch_set(probe.watch, RT_WRITABLE), 0);
    ck_assert_int_eq(rt_watch_set(probe.watch, RT_WRITABLE), 0);
    turn();
    ck_assert_uint_eq(probe.calls, 1);
    ck_assert_uint_eq(probe.ready, RT_WRITABLE);
    ck_assert_int_eq(rt_watch_set(probe.watch, RT_READABLE), 0);
    turn();
    ck_assert_int_eq(rt_watch_set(probe.watch, 0), 0);
    turn();
    ck_assert_uint_eq(probe.calls, 1);
    ck_assert_int_eq(rt_watch_set(probe.watch, RT_READABLE | RT_WRITABLE), 0);
    turn();
    ck_assert_uint_eq(probe.calls, 2);
    rt_watch_destroy(probe.watch);
}
END_TEST

START_TEST(a_watch_may_destroy_itself)
{
    struct probe probe;
    watch(&probe, ends[1], RT_WRITABLE);
    probe.victim = probe.watch;
    turn();
    turn();
    ck_assert_uint_eq(probe.calls, 1);
}
END_TEST

enum { IN_LOBBY = 8, PER_TURN = 3 };

static unsigned calls_of(const struct probe *probes, size_t count)
{
    unsigned calls = 0;
    for (size_t i = 0; i < count; i++)
        calls += probes[i].calls;
    return calls;
}

START_TEST(lobby_has_its_share_of_a_turn_and_goes_round)
{
    struct probe outside, probes[IN_LOBBY];
    struct rt_lobby *lobby;
    int copies[IN_LOBBY];
    ck_assert_int_eq(rt_lobby_create(loop, PER_TURN, &lobby), 0);
    watch(&outside, ends[1], RT_WRITABLE);
    for (size_t i = 0; i < IN_LOBBY; i++) {
        copies[i] = dup(ends[1]);
        watch(&probes[i], copies[i], RT_WRITABLE);
        ck_assert_int_eq(rt_watch_move(probes[i].watch, lobby), 0);
    }
    for (unsigned i = 1; i <= IN_LOBBY; i++) {
        turn();
        ck_assert_uint_eq(outside.calls, i);
        ck_assert_uint_eq(calls_of(probes, IN_LOBBY), i * PER_TURN);
    }
    for (size_t i = 0; i < IN_LOBBY; i++)
        ck_assert_uint_eq(probes[i].calls, PER_TURN);
    rt_watch_destroy(outside.watch);
    for (size_t i = 0; i < IN_LOBBY; i++) {
        rt_watch_destroy(probes[i].watch);
        close(copies[i]);
    }
    rt_lobby_destroy(lobby);
}
END_TEST

START_TEST(interest_goes_into_a_lobby_changes_there_and_comes_out)
{
    struct probe probe;
    struct rt_lobby *lobby;
    ck_assert_int_eq(rt_lobby_create(loop, PER_TURN, &lobby), 0);
    watch(&probe, ends[1], RT_READABLE | RT_WRITABLE);
    ck_assert_int_eq(rt_watch_move(probe.watch, lobby), 0);
    turn();
    ck_assert_uint_eq(probe.ready, RT_WRITABLE);
    ck_assert_int_eq(rt_watch_set(probe.watch, RT_READABLE), 0);
    turn();
    ck_assert_int_eq(rt_watch_set(probe.watch, 0), 0);
    turn();
    ck_assert_uint_eq(probe.calls, 1);
    ck_assert_int_eq(rt_watch_set(probe.watch, RT_WRITABLE), 0);
    turn();
    ck_assert_uint_eq(probe.calls, 2);
    ck_assert_int_eq(rt_watch_move(probe.watch, NULL), 0);
    turn();
    ck_assert_uint_eq(probe.calls, 3);
    rt_watch_destroy(probe.watch);
    rt_lobby_destroy(lobby);
}
END_TEST

START_TEST(watch_of_a_lobby_may_destroy_itself_and_another)
{
    struct probe a, b;
    struct rt_lobby *lobby;
    int copy = dup(ends[1]);
    ck_assert_int_eq(rt_lobby_create(loop, PER_TURN, &lobby), 0);
    watch(&a, ends[1], RT_WRITABLE);
    watch(&b, copy, RT_WRITABLE);
    ck_assert_int_eq(rt_watch_move(a.watch, lobby), 0);
    ck_assert_int_eq(rt_watch_move(b.watch, lobby), 0);
    a.victim = b.watch;
    b.victim = a.watch;
    turn();
    ck_assert_uint_eq(a.calls + b.calls, 1);
    rt_watch_destroy(a.calls == 1 ? a.watch : b.watch);
    turn();
    ck_assert_uint_eq(a.calls + b.calls, 1);
    close(copy);
    rt_lobby_destroy(lobby);
}
END_TEST

START_TEST(a_watch_destroyed_by_another_is_not_called_any_more)
{
    struct probe a;
    struct probe b;
    int copy = dup(ends[1]);
    watch(&a, ends[1], RT_WRITABLE);
    watch(&b, copy, RT_WRITABLE);
    a.victim = b.watch;
    b.victim = a.watch;
    turn();
    turn();
    turn();
    ck_assert_uint_eq(a.calls == 0 ? b.calls : a.calls, 3);
    ck_assert(a.calls == 0 || b.calls == 0);
    rt_watch_destroy(a.calls > 0 ? a.watch : b.watch);
    close(copy);
}
END_TEST

START_TEST(a_descriptor_that_cannot_be_watched_is_an_error)
{
    struct rt_watch *made = NULL;
    struct probe probe;
    log_set_level(LOG_LEVEL_ERROR);
    int plain = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(rt_watch_create(loop, plain, RT_READABLE, count_call, &probe, &made), -EPERM);
    close(plain);
    ck_assert_int_eq(rt_watch_create(loop, plain, RT_READABLE, count_call, &probe, &made), -EBADF);
    ck_assert_ptr_null(made);
}
END_TEST

/* It must not believe that it watches when the kernel has refused. */
START_TEST(a_failed_change_can_be_tried_again)
{
    struct probe probe;
    log_set_level(LOG_LEVEL_ERROR);
    int copy = dup(ends[1]);
    watch(&probe, copy, 0);
    close(copy);
    ck_assert_int_eq(rt_watch_set(probe.watch, RT_WRITABLE), -EBADF);
    ck_assert_int_eq(dup2(ends[1], copy), copy);
    ck_assert_int_eq(rt_watch_set(probe.watch, RT_WRITABLE), 0);
    turn();
    ck_assert_uint_eq(probe.calls, 1);
    rt_watch_destroy(probe.watch);
    close(copy);
}
END_TEST

struct hooks {
    unsigned before;
    unsigned after;
    uint64_t wait_us;
    uint64_t seen_us;
    struct probe *probe;
    unsigned calls_before_after;
};

static void before_wait(void *argument, uint64_t *wait_us)
{
    struct hooks *hooks = argument;
    hooks->before++;
    hooks->seen_us = *wait_us;
    *wait_us = hooks->wait_us;
}

static void after_wait(void *argument)
{
    struct hooks *hooks = argument;
    hooks->after++;
    if (hooks->probe != NULL)
        hooks->calls_before_after = hooks->probe->calls;
}

START_TEST(hooks_stand_around_the_wait)
{
    struct probe probe;
    struct hooks hooks = {.probe = &probe, .calls_before_after = 99};
    watch(&probe, ends[1], RT_WRITABLE);
    rt_loop_set_hooks(loop, before_wait, after_wait, &hooks);
    ck_assert_int_eq(rt_loop_turn(loop, 1234), 0);
    ck_assert_uint_eq(hooks.before, 1);
    ck_assert_uint_eq(hooks.after, 1);
    ck_assert_uint_eq(hooks.seen_us, 1234);
    ck_assert_uint_eq(probe.calls, 1);
    ck_assert_uint_eq(hooks.calls_before_after, 0);
    rt_watch_destroy(probe.watch);
}
END_TEST

START_TEST(the_hook_after_runs_without_any_event_too)
{
    struct hooks hooks = {.wait_us = 100};
    rt_loop_set_hooks(loop, before_wait, after_wait, &hooks);
    ck_assert_int_eq(rt_loop_turn(loop, UINT64_MAX), 0);
    ck_assert_uint_eq(hooks.after, 1);
    hooks.wait_us = 0;
    ck_assert_int_eq(rt_loop_turn(loop, UINT64_MAX), 0);
    ck_assert_uint_eq(hooks.after, 2);
}
END_TEST

/* After an event it looks again without sleeping, and gives up when nothing comes. */
START_TEST(busy_polling_looks_before_it_sleeps)
{
    struct probe probe;
    char byte;
    watch(&probe, ends[0], RT_READABLE);
    rt_loop_set_busy_poll(loop, 16000);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(rt_loop_turn(loop, UINT64_MAX), 0);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ck_assert_int_eq(rt_loop_turn(loop, UINT64_MAX), 0); /* would wait for ever */
    ck_assert_uint_eq(probe.calls, 1);

    uint64_t slept_us = 0;
    for (unsigned i = 0; i < 1000000 && slept_us < 20000; i++) {
        uint64_t before_us = clock_monotonic_us();
        ck_assert_int_eq(rt_loop_turn(loop, 20000), 0);
        slept_us = clock_monotonic_us() - before_us;
    }
    ck_assert_uint_ge(slept_us, 20000);
    rt_watch_destroy(probe.watch);
}
END_TEST

START_TEST(a_hook_cannot_lengthen_the_wait)
{
    struct hooks hooks = {.wait_us = UINT64_MAX};
    rt_loop_set_hooks(loop, before_wait, after_wait, &hooks);
    ck_assert_int_eq(rt_loop_turn(loop, 0), 0);
    ck_assert_int_eq(rt_loop_turn(loop, 1000), 0);
    ck_assert_uint_eq(hooks.after, 2);
}
END_TEST

START_TEST(a_turn_waits_as_long_as_told_and_moves_the_time)
{
    uint64_t start_us = rt_loop_refresh(loop);
    ck_assert_int_eq(rt_loop_turn(loop, 3000), 0);
    ck_assert_uint_ge(rt_loop_now(loop), start_us + 3000);
    ck_assert_uint_le(rt_loop_now(loop), clock_monotonic_us());
    uint64_t now_us = rt_loop_now(loop);
    ck_assert_uint_eq(rt_loop_now(loop), now_us);
    ck_assert_uint_ge(rt_loop_refresh(loop), now_us);
}
END_TEST

static void stop_loop(void *argument, int descriptor, unsigned ready)
{
    (void)descriptor;
    (void)ready;
    rt_loop_stop(argument);
}

START_TEST(a_callback_stops_the_loop)
{
    struct rt_watch *made = NULL;
    ck_assert_int_eq(rt_watch_create(loop, ends[1], RT_WRITABLE, stop_loop, loop, &made), 0);
    errno = EDOM;
    ck_assert_int_eq(rt_loop_run(loop), 0);
    rt_watch_destroy(made);
}
END_TEST

static void *stop_from_outside(void *argument)
{
    rt_loop_stop(argument);
    return NULL;
}

START_TEST(another_thread_stops_a_sleeping_loop)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_from_outside, loop), 0);
    ck_assert_int_eq(rt_loop_run(loop), 0);
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(stopping_leaves_errno_alone)
{
    errno = EDOM;
    for (int i = 0; i < 3; i++)
        rt_loop_stop(loop);
    ck_assert_int_eq(errno, EDOM);
}
END_TEST

static void foreign(evutil_socket_t descriptor, short what, void *count)
{
    (void)descriptor;
    (void)what;
    ++*(int *)count;
}

START_TEST(events_of_others_run_on_the_same_base)
{
    int count = 0;
    struct event *event =
        event_new(rt_loop_base(loop), ends[1], EV_WRITE | EV_PERSIST, foreign, &count);
    ck_assert_int_eq(event_add(event, NULL), 0);
    turn();
    ck_assert_int_eq(count, 1);
    event_free(event);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *tests = tcase_create("loop");
    tcase_set_timeout(tests, 20);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_readable_descriptor_is_reported_until_read);
    tcase_add_test(tests, interest_can_change_pause_and_come_back);
    tcase_add_test(tests, a_watch_may_destroy_itself);
    tcase_add_test(tests, lobby_has_its_share_of_a_turn_and_goes_round);
    tcase_add_test(tests, interest_goes_into_a_lobby_changes_there_and_comes_out);
    tcase_add_test(tests, watch_of_a_lobby_may_destroy_itself_and_another);
    tcase_add_test(tests, a_watch_destroyed_by_another_is_not_called_any_more);
    tcase_add_test(tests, a_descriptor_that_cannot_be_watched_is_an_error);
    tcase_add_test(tests, a_failed_change_can_be_tried_again);
    tcase_add_test(tests, hooks_stand_around_the_wait);
    tcase_add_test(tests, the_hook_after_runs_without_any_event_too);
    tcase_add_test(tests, busy_polling_looks_before_it_sleeps);
    tcase_add_test(tests, a_hook_cannot_lengthen_the_wait);
    tcase_add_test(tests, a_turn_waits_as_long_as_told_and_moves_the_time);
    tcase_add_test(tests, a_callback_stops_the_loop);
    tcase_add_test(tests, another_thread_stops_a_sleeping_loop);
    tcase_add_test(tests, stopping_leaves_errno_alone);
    tcase_add_test(tests, events_of_others_run_on_the_same_base);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
