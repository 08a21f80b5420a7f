/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/loop.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop_int.h"

struct rt_loop {
    struct event_base *base;
    struct event *alarm; /* bounds the wait of a turn */
    int alarm_descriptor;
    uint64_t alarm_us; /* when it goes off; 0: it is not set */
    struct event *stop_event;
    int stop_descriptor;
    atomic_bool stopping;
    uint64_t now_us;
    struct list_link resting; /* destroyed watches: an event already due may still name them */
    void (*before_wait)(void *argument, uint64_t *wait_us);
    rt_turn_fn *after_wait;
    void *hook_argument;
    bool woken; /* after_wait has run in this turn */

    /* Busy polling; all zero: none. */
    uint64_t poll_limit_us;
    uint64_t poll_us;  /* what is tried now: grows when it pays, shrinks when it does not */
    uint64_t quiet_us; /* since when nothing has come; 0: something came in the last turn */
    bool had_event;    /* a watch was ready in this turn */
};

/* What is left of busy polling on a loop where it does not pay: enough to see that it would. */
#define POLL_SHARE_MINIMUM 16

/* A year: what is longer needs no alarm. */
#define LONGEST_WAIT_US (UINT64_C(1000000) * 86400 * 365)

static void wake_up(struct rt_loop *loop)
{
    if (loop->woken)
        return;
    loop->woken = true;
    loop->now_us = clock_monotonic_us();
    if (loop->after_wait != NULL)
        loop->after_wait(loop->hook_argument);
}

/* Edge-triggered, so nothing needs to be read: each setting goes off once. */
static void alarm_fired(evutil_socket_t descriptor, short events, void *argument)
{
    struct rt_loop *loop = argument;
    (void)descriptor;
    (void)events;
    loop->alarm_us = 0;
    wake_up(loop);
}

/*
 * One that goes off earlier is left as it is: the turn that it ends for nothing sets it anew. Under
 * load turns are far shorter than waits, so this saves a system call in almost every turn.
 */
static int set_alarm(struct rt_loop *loop, uint64_t at_us)
{
    if (loop->alarm_us > loop->now_us && loop->alarm_us <= at_us)
        return 0;
    const struct itimerspec at = {
        .it_value = {(time_t)(at_us / 1000000), (long)(at_us % 1000000) * 1000},
    };
    if (timerfd_settime(loop->alarm_descriptor, TFD_TIMER_ABSTIME, &at, NULL) != 0)
        return -errno;
    loop->alarm_us = at_us;
    return 0;
}

static void stop_ready(evutil_socket_t descriptor, short events, void *argument)
{
    uint64_t value;
    (void)events;
    if (read(descriptor, &value, sizeof(value)) < 0) {
        /* Another turn emptied it; the flag is what counts. */
    }
    wake_up(argument);
}

static void log_of_libevent(int severity, const char *text)
{
    if (severity >= EVENT_LOG_WARN)
        log_warning("loop", "%s", text);
}

/* Or libevent would write its own lines to stderr. */
static void route_libevent_log(void)
{
    event_set_log_callback(log_of_libevent);
}

int rt_loop_create(struct rt_loop **loop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int error = -ENOMEM;
    pthread_once(&once, route_libevent_log);
    struct rt_loop *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    list_init(&created->resting);
    created->now_us = clock_monotonic_us();
    created->stop_descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    created->alarm_descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (created->stop_descriptor < 0 || created->alarm_descriptor < 0) {
        error = -errno;
        goto out;
    }
    struct event_config *config = event_config_new();
    if (config == NULL)
        goto out;
    /* The alarm is ours, since libevent would set its timer in each turn. */
    int set = event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME);
    created->base = set == 0 ? event_base_new_with_config(config) : NULL;
    event_config_free(config);
    if (created->base == NULL)
        goto out;
    created->alarm = event_new(created->base, created->alarm_descriptor,
                               EV_READ | EV_PERSIST | EV_ET, alarm_fired, created);
    created->stop_event = event_new(created->base, created->stop_descriptor, EV_READ | EV_PERSIST,
                                    stop_ready, created);
    if (created->alarm == NULL || created->stop_event == NULL ||
        event_add(created->stop_event, NULL) != 0 || event_add(created->alarm, NULL) != 0)
        goto out;
    *loop = created;
    created = NULL;
    error = 0;
out:
    rt_loop_destroy(created);
    return error;
}

struct event_base *rt_loop_base(struct rt_loop *loop)
{
    return loop->base;
}

uint64_t rt_loop_now(const struct rt_loop *loop)
{
    return loop->now_us;
}

uint64_t rt_loop_refresh(struct rt_loop *loop)
{
    loop->now_us = clock_monotonic_us();
    return loop->now_us;
}

static void watch_ready(evutil_socket_t descriptor, short events, void *argument)
{
    struct rt_watch *watch = argument;
    unsigned ready = (events & EV_READ ? RT_READABLE : 0U) | (events & EV_WRITE ? RT_WRITABLE : 0U);
    wake_up(watch->loop);
    watch->loop->had_event = true;
    if (!watch->destroyed && (ready & watch->interest) != 0)
        watch->ready(watch->argument, descriptor, ready & watch->interest);
}

static int arm_event(struct rt_watch *watch, unsigned interest)
{
    short events = (short)((interest & RT_READABLE ? EV_READ : 0) |
                           (interest & RT_WRITABLE ? EV_WRITE : 0) | EV_PERSIST);
    event_del(watch->event);
    if (interest == 0)
        return 0;
    if (event_assign(watch->event, watch->loop->base, watch->descriptor, events, watch_ready,
                     watch) != 0)
        return -EINVAL;
    errno = 0;
    if (event_add(watch->event, NULL) != 0)
        return errno != 0 ? -errno : -ENOMEM;
    return 0;
}

static int arm_watch(struct rt_watch *watch, unsigned interest)
{
    int error = watch->lobby != NULL ? rt_lobby_arm(watch, interest) : arm_event(watch, interest);
    watch->interest = error == 0 ? interest : 0;
    return error;
}

int rt_watch_create(struct rt_loop *loop, int descriptor, unsigned interest, rt_ready_fn *ready,
                    void *argument, struct rt_watch **watch)
{
    struct rt_watch *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->loop = loop;
    created->descriptor = descriptor;
    created->ready = ready;
    created->argument = argument;
    list_init(&created->rest);
    created->event = event_new(loop->base, descriptor, EV_READ | EV_PERSIST, watch_ready, created);
    int error = created->event == NULL ? -ENOMEM : arm_watch(created, interest);
    if (error != 0) {
        if (created->event != NULL)
            event_free(created->event);
        free(created);
        return error;
    }
    *watch = created;
    return 0;
}

int rt_watch_set(struct rt_watch *watch, unsigned interest)
{
    return interest == watch->interest ? 0 : arm_watch(watch, interest);
}

int rt_watch_move(struct rt_watch *watch, struct rt_lobby *lobby)
{
    unsigned interest = watch->interest;
    if (watch->lobby == lobby)
        return 0;
    int error = rt_watch_set(watch, 0);
    watch->lobby = lobby;
    return error == 0 ? rt_watch_set(watch, interest) : error;
}

void rt_watch_destroy(struct rt_watch *watch)
{
    if (watch == NULL || watch->destroyed)
        return;
    /* An error means that the descriptor is not watched, which is what is wanted. */
    (void)arm_watch(watch, 0);
    watch->destroyed = true;
    list_append(&watch->loop->resting, &watch->rest);
}

static void free_resting(struct rt_loop *loop)
{
    struct list_link *link;
    while ((link = list_first(&loop->resting)) != NULL) {
        struct rt_watch *watch = LIST_ENTRY(link, struct rt_watch, rest);
        list_remove(link);
        event_free(watch->event);
        free(watch);
    }
}

void rt_loop_set_hooks(struct rt_loop *loop, void (*before_wait)(void *argument, uint64_t *wait_us),
                       rt_turn_fn *after_wait, void *argument)
{
    loop->before_wait = before_wait;
    loop->after_wait = after_wait;
    loop->hook_argument = argument;
}

void rt_loop_set_busy_poll(struct rt_loop *loop, uint64_t limit_us)
{
    loop->poll_limit_us = limit_us;
    loop->poll_us = limit_us / POLL_SHARE_MINIMUM;
}

/*
 * True while the loop looks again instead of going to sleep. What it is willing to spend doubles
 * each time that something came while it looked, and halves each time that nothing did: so a quiet
 * daemon sleeps, and a busy one is never woken.
 */
static bool polls(struct rt_loop *loop)
{
    if (loop->poll_limit_us == 0)
        return false;
    if (loop->had_event) {
        bool looked = loop->quiet_us != 0;
        if (looked && loop->poll_us < loop->poll_limit_us)
            loop->poll_us = 2 * loop->poll_us + 1;
        loop->quiet_us = loop->now_us;
        return true;
    }
    if (loop->quiet_us == 0)
        return false; /* asleep since it gave up */
    if (loop->now_us - loop->quiet_us < loop->poll_us)
        return true;
    loop->quiet_us = 0;
    if (loop->poll_us / 2 >= loop->poll_limit_us / POLL_SHARE_MINIMUM)
        loop->poll_us /= 2;
    return false;
}

int rt_loop_turn(struct rt_loop *loop, uint64_t wait_us)
{
    int flags = EVLOOP_ONCE;
    rt_loop_refresh(loop);
    if (loop->before_wait != NULL) {
        uint64_t shorter_us = wait_us;
        loop->before_wait(loop->hook_argument, &shorter_us);
        if (shorter_us < wait_us)
            wait_us = shorter_us;
    }
    if (wait_us == 0 || polls(loop)) {
        /* Without ONCE it would go round as long as anything keeps being ready. */
        flags = EVLOOP_ONCE | EVLOOP_NONBLOCK;
    } else if (wait_us < LONGEST_WAIT_US) {
        int error = set_alarm(loop, loop->now_us + wait_us);
        if (error != 0)
            return error;
    }
    loop->woken = loop->had_event = false;
    int result = event_base_loop(loop->base, flags);
    wake_up(loop);
    free_resting(loop);
    return result < 0 ? -EIO : 0;
}

int rt_loop_run(struct rt_loop *loop)
{
    int error = 0;
    while (error == 0 && !atomic_load_explicit(&loop->stopping, memory_order_acquire))
        error = rt_loop_turn(loop, UINT64_MAX);
    return error;
}

void rt_loop_stop(struct rt_loop *loop)
{
    const uint64_t one = 1;
    int saved_errno = errno; /* for whom a signal handler interrupts */
    atomic_store_explicit(&loop->stopping, true, memory_order_release);
    if (write(loop->stop_descriptor, &one, sizeof(one)) < 0) {
        /* EAGAIN only: it is rung already. */
    }
    errno = saved_errno;
}

void rt_loop_destroy(struct rt_loop *loop)
{
    if (loop == NULL)
        return;
    free_resting(loop);
    if (loop->alarm != NULL)
        event_free(loop->alarm);
    if (loop->stop_event != NULL)
        event_free(loop->stop_event);
    if (loop->base != NULL)
        event_base_free(loop->base);
    if (loop->stop_descriptor >= 0)
        close(loop->stop_descriptor);
    if (loop->alarm_descriptor >= 0)
        close(loop->alarm_descriptor);
    free(loop);
}
