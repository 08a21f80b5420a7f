/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox: calls from any thread into a loop's thread. For control traffic, not for calls.
 *
 * Posted functions run in order of posting on the loop's thread; one eventfd wakes it.
 */
#ifndef RINGFENCE_RUNTIME_MAILBOX_H
#define RINGFENCE_RUNTIME_MAILBOX_H

#include "base/error.h"
#include "runtime/loop.h"

struct rt_mailbox;

typedef void rt_message_fn(void *target, void *argument);

int rt_mailbox_create(struct rt_loop *loop, void *target, struct rt_mailbox **mailbox) MUST_CHECK;

/* -ENOMEM, or ERROR_UNAVAILABLE after rt_mailbox_close(); then the argument stays the caller's. */
int rt_mailbox_post(struct rt_mailbox *mailbox, rt_message_fn *run, void *argument) MUST_CHECK;

/* Owner thread: runs what is pending, refuses what comes later. */
void rt_mailbox_close(struct rt_mailbox *mailbox);
void rt_mailbox_destroy(struct rt_mailbox *mailbox);

#endif
