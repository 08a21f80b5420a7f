/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link: a worker of one process and the worker with the same calls of the process before or after
 * it. Messages go back to the process whose transactions they are part of, calls go forward.
 *
 * What the socket has no room for waits in memory, in order; beyond that it is lost like a
 * datagram, and counted. One owner thread at each end.
 */
#ifndef RINGFENCE_DAEMON_LINK_INT_H
#define RINGFENCE_DAEMON_LINK_INT_H

#include <stdbool.h>

#include "call/call.h"
#include "runtime/loop.h"
#include "transport/transport.h"

struct daemon_link;

/* Callbacks may destroy nothing of the link. */
struct daemon_link_events {
    void (*packet)(void *argument, const struct tp_packet *packet);
    void (*call)(void *argument, const struct call_handed *call, bool ended);
    void (*leave)(void *argument);  /* the other end asks for no more */
    void (*closed)(void *argument); /* nothing comes any more, the last event */
};

/* The descriptor becomes the link's, also on failure. */
int daemon_link_create(struct rt_loop *loop, int descriptor, struct stats_shard *stats,
                       const struct daemon_link_events *events, void *argument,
                       struct daemon_link **link) MUST_CHECK;

/* False: the other end is gone, or this one has finished. */
bool daemon_link_pass(struct daemon_link *link, const struct tp_packet *packet);
void daemon_link_tell(struct daemon_link *link, const struct call_handed *call, bool ended);
void daemon_link_ask_to_leave(struct daemon_link *link);

/* Handles what has come, at once. */
void daemon_link_hear(struct daemon_link *link);

/* Nothing is sent any more behind what waits; the other end learns that by `closed`. */
void daemon_link_finish(struct daemon_link *link);

/* NULL is allowed. */
void daemon_link_destroy(struct daemon_link *link);

#endif
