/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link: one pipelined connection to Redis on a loop.
 *
 * hiredis gives the protocol parser; socket, queue and timers are ours, because hiredis 0.14's
 * asynchronous half has no timeouts, asserts on replies it does not expect, allocates per command
 * and loses the answer to a PING on a subscribed connection.
 *
 * A link is opened once per connection; it reports `up` after login, then answers come in order.
 * When it is lost, whatever the reason, every waiting command is answered with NULL and then `down`
 * is called once; the owner may open it again, from there or later. A callback may close its link,
 * not destroy it.
 */
#ifndef RINGFENCE_REPUTATION_LINK_INT_H
#define RINGFENCE_REPUTATION_LINK_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "reply_int.h"
#include "runtime/loop.h"
#include "runtime/wheel.h"
#include "server_int.h"

struct rep_link;

/* reply == NULL: the connection was lost before the answer. */
typedef void rep_link_reply_fn(void *argument, uint64_t tag, const struct rep_reply *reply);

struct rep_link_events {
    void (*up)(void *argument);
    /* reason: in words, valid in the call. */
    void (*down)(void *argument, const char *reason);
    /* A message on a subscribed channel or pattern ("message", "pmessage"): an array of at least
     * 3. May be NULL. */
    void (*message)(void *argument, const struct rep_reply *reply);
    void *argument;
};

struct rep_link_options {
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    const struct rep_settings *settings; /* must outlive the link */
    uint32_t pipeline;                   /* commands under way at most; rounded up to 2^n */
    size_t reply_limit;                  /* bytes of one reply */
};

int rep_link_create(const struct rep_link_options *options, const struct rep_link_events *events,
                    struct rep_link **link) MUST_CHECK;

/* Begins to connect; the result comes by `up` or `down`. A negative code: nothing was begun. */
int rep_link_open(struct rep_link *link, const struct rep_address *address) MUST_CHECK;

/* Waiting commands are answered with NULL; `down` is not called. Harmless when closed. */
void rep_link_close(struct rep_link *link);

/* Queues a command: ERROR_UNAVAILABLE when not up, ERROR_LIMIT when the pipeline is full. It leaves
 * by rep_link_flush(), or in the loop's next turn. */
int rep_link_command(struct rep_link *link, const struct slice *words, unsigned count,
                     rep_link_reply_fn *reply, void *argument, uint64_t tag) MUST_CHECK;
void rep_link_flush(struct rep_link *link);

/* From now on what no command waits for is a message. Call it in the reply to SUBSCRIBE. */
void rep_link_subscribed(struct rep_link *link);

bool rep_link_is_up(const struct rep_link *link);
bool rep_link_is_closed(const struct rep_link *link);
/* How many more commands may be queued. */
uint32_t rep_link_room(const struct rep_link *link);

void rep_link_destroy(struct rep_link *link);

/* Delay before the next attempt: 100 ms doubling to 5 s, half of it random so that nodes that lost
 * the same Redis do not return together. */
uint64_t rep_backoff_us(unsigned attempt, uint64_t random);

#endif
