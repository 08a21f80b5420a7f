/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: one thread's event loop (libevent behind it).
 *
 * A loop belongs to one thread; only rt_mailbox_post() and rt_loop_stop() may be called from
 * others. Callbacks may destroy their own watcher: a destroyed watcher rests until the current turn
 * is over, so an event already due for it is not delivered.
 */
#ifndef RINGFENCE_RUNTIME_LOOP_H
#define RINGFENCE_RUNTIME_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct event_base;
struct rt_lobby;
struct rt_loop;
struct rt_watch;

enum rt_ready { RT_READABLE = 1, RT_WRITABLE = 2 };

typedef void rt_ready_fn(void *argument, int descriptor, unsigned ready);
typedef void rt_turn_fn(void *argument);

int rt_loop_create(struct rt_loop **loop) MUST_CHECK;

/* For evhttp and the like in folders that may include libevent. */
struct event_base *rt_loop_base(struct rt_loop *loop);

/* Microseconds, CLOCK_MONOTONIC, read once per turn; rt_loop_refresh() reads it again. */
uint64_t rt_loop_now(const struct rt_loop *loop);
uint64_t rt_loop_refresh(struct rt_loop *loop);

/* Level-triggered; interest is a set of enum rt_ready and may be changed, 0 pauses. The descriptor
 * stays the caller's. */
int rt_watch_create(struct rt_loop *loop, int descriptor, unsigned interest, rt_ready_fn *ready,
                    void *argument, struct rt_watch **watch) MUST_CHECK;
int rt_watch_set(struct rt_watch *watch, unsigned interest) MUST_CHECK;
void rt_watch_destroy(struct rt_watch *watch);

/*
 * A line apart, for those who may be many and have not earned a place: however many of its watches
 * are ready, in a turn at most per_turn of them are called, whoever has waited longest first, and
 * those outside never wait for more than these.
 */
int rt_lobby_create(struct rt_loop *loop, unsigned per_turn, struct rt_lobby **lobby) MUST_CHECK;
/* Into the lobby, or out of it with NULL; the interest stays. After an error it is watched no more:
 * its interest is 0. */
int rt_watch_move(struct rt_watch *watch, struct rt_lobby *lobby) MUST_CHECK;
/* Its watches must be out of it, or destroyed. NULL is allowed. */
void rt_lobby_destroy(struct rt_lobby *lobby);

/*
 * Hooks around each turn: `before_wait` runs when the loop is about to sleep and may shorten the
 * sleep to *wait_us; `after_wait` runs first thing after waking. One pair a loop.
 */
void rt_loop_set_hooks(struct rt_loop *loop, void (*before_wait)(void *argument, uint64_t *wait_us),
                       rt_turn_fn *after_wait, void *argument);

/*
 * Busy polling: after each event the loop goes on looking for at most limit_us before it sleeps, as
 * far as that pays (it adapts). Saves the time of being woken, for processor time. 0: off.
 */
void rt_loop_set_busy_poll(struct rt_loop *loop, uint64_t limit_us);

/* Until rt_loop_stop(). Returns 0, or a negative code when polling itself fails. */
int rt_loop_run(struct rt_loop *loop) MUST_CHECK;
/* One turn, waiting at most wait_us; for tests. */
int rt_loop_turn(struct rt_loop *loop, uint64_t wait_us) MUST_CHECK;

/* Any thread, and signal handlers. */
void rt_loop_stop(struct rt_loop *loop);

/* Watches must be destroyed before. NULL is allowed. */
void rt_loop_destroy(struct rt_loop *loop);

#endif
