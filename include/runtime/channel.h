/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel: messages between two processes of this machine, and descriptors with them.
 *
 * A pair of Unix sockets (SOCK_SEQPACKET), non-blocking. Messages arrive whole, in order, or not at
 * all because the other end is gone.
 */
#ifndef RINGFENCE_RUNTIME_CHANNEL_H
#define RINGFENCE_RUNTIME_CHANNEL_H

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

#define RT_CHANNEL_DESCRIPTORS 64

/* Two ends with as much room between them as the system gives. */
int rt_channel_create(int ends[2]) MUST_CHECK;

/* -EAGAIN: there is no room now. ERROR_NOT_FOUND: the other end is gone. The descriptors (at most
 * RT_CHANNEL_DESCRIPTORS) stay the caller's. `more`: what follows `head` in the message. */
int rt_channel_send(int end, struct slice head, struct slice more, const int *descriptors,
                    size_t count) MUST_CHECK;

struct rt_channel_message {
    void *memory; /* the caller's */
    size_t capacity;
    size_t length;
    int descriptors[RT_CHANNEL_DESCRIPTORS]; /* the receiver's from now on */
    size_t count;
};

/* -EAGAIN: nothing is there. ERROR_NOT_FOUND: nothing comes any more. -EMSGSIZE: longer than the
 * memory; it is gone then. */
int rt_channel_receive(int end, struct rt_channel_message *message) MUST_CHECK;

/* Waits until there is something to receive. -ETIMEDOUT. */
int rt_channel_wait(int end, unsigned timeout_ms) MUST_CHECK;

#endif
