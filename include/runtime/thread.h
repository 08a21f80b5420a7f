/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread: named threads, pinned where asked.
 */
#ifndef RINGFENCE_RUNTIME_THREAD_H
#define RINGFENCE_RUNTIME_THREAD_H

#include "base/error.h"

struct rt_thread;

/* name: at most 15 bytes, shown by ps and top. processor: -1 for anywhere. All signals are blocked
 * in the new thread. */
int rt_thread_start(const char *name, int processor, void (*run)(void *argument), void *argument,
                    struct rt_thread **thread) MUST_CHECK;
/* For the calling thread: it gives way to those that take calls where they share a processor, and
 * still gets a tenth of it when they need all. */
void rt_thread_give_way(void);

/* Joins and frees. NULL is allowed. */
void rt_thread_join(struct rt_thread *thread);

#endif
