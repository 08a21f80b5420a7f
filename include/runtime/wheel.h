/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wheel: timers on a hierarchical wheel, O(1) to set and cancel, no allocation.
 *
 * Ticks of 1 ms, four levels of 256 slots: up to 49 days. A timer is embedded in its owner, fires
 * once, never early, and is out of the wheel when its callback runs, so the callback may set it
 * again or free its owner. One owner thread. Time is a parameter.
 */
#ifndef RINGFENCE_RUNTIME_WHEEL_H
#define RINGFENCE_RUNTIME_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"

struct rt_wheel;
struct rt_timer;

typedef void rt_timer_fn(struct rt_timer *timer, uint64_t now_us);

struct rt_timer {
    struct list_link link;
    rt_timer_fn *fire;
    uint64_t due_ms; /* on the clock of now_us / 1000 */
};

int rt_wheel_create(uint64_t now_us, struct rt_wheel **wheel) MUST_CHECK;

/* Before the first rt_timer_set(). */
void rt_timer_init(struct rt_timer *timer, rt_timer_fn *fire);

/* Sets or moves it to now_us + delay_us, rounded up to a tick. */
void rt_timer_set(struct rt_wheel *wheel, struct rt_timer *timer, uint64_t now_us,
                  uint64_t delay_us);
/* Harmless when it is not set. */
void rt_timer_cancel(struct rt_wheel *wheel, struct rt_timer *timer);
bool rt_timer_is_set(const struct rt_timer *timer);

/* Fires all that is due at now_us; returns how many fired. */
uint64_t rt_wheel_advance(struct rt_wheel *wheel, uint64_t now_us);

/* Microseconds until the wheel must be advanced next (never later than the earliest timer),
 * UINT64_MAX when it is empty. */
uint64_t rt_wheel_wait(const struct rt_wheel *wheel, uint64_t now_us);

uint64_t rt_wheel_count(const struct rt_wheel *wheel);

/* Timers that are still set are neither fired nor touched, so their owners may be gone before or
 * after; but they may not be set or cancelled any more. NULL is allowed. */
void rt_wheel_destroy(struct rt_wheel *wheel);

#endif
