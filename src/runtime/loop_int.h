/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop_int: a watch as loop.c and lobby.c see it.
 */
#ifndef RINGFENCE_RUNTIME_LOOP_INT_H
#define RINGFENCE_RUNTIME_LOOP_INT_H

#include "base/list.h"
#include "runtime/loop.h"

struct event;

struct rt_watch {
    struct rt_loop *loop;
    struct rt_lobby *lobby; /* NULL: it is watched by the loop itself */
    struct event *event;
    int descriptor;
    unsigned interest;
    bool destroyed;
    rt_ready_fn *ready;
    void *argument;
    struct list_link rest; /* in rt_loop.resting once destroyed */
};

/* From the interest that it has to this one, within its lobby. */
int rt_lobby_arm(struct rt_watch *watch, unsigned interest) MUST_CHECK;

#endif
