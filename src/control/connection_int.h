/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection: one client of a Unix socket: lines in, lines out, both bounded.
 *
 * Nothing is written before the loop says that there is room, so sending never calls back. A
 * callback may destroy its own connection.
 */
#ifndef RINGFENCE_CONTROL_CONNECTION_INT_H
#define RINGFENCE_CONTROL_CONNECTION_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "runtime/loop.h"

/* An immutable line, shared by every queue that it waits in. One thread. */
struct ctl_line;

int ctl_line_create(struct slice text, struct ctl_line **line) MUST_CHECK;
/* Gives up the creator's reference; queues keep theirs. NULL is allowed. */
void ctl_line_release(struct ctl_line *line);
size_t ctl_line_length(const struct ctl_line *line);

struct ctl_connection;

struct ctl_connection_events {
    /* A line without its line break, valid during the call. */
    void (*line)(void *owner, struct slice line);
    /* A line exceeded the limit; nothing more is read. */
    void (*line_too_long)(void *owner);
    /* The queue is empty again. May be NULL. */
    void (*drained)(void *owner);
    /* The peer sends no more lines, though it may still read. May be NULL. */
    void (*ended)(void *owner);
    /* The peer is gone: the owner destroys the connection. */
    void (*closed)(void *owner);
};

struct ctl_connection_limits {
    size_t line;  /* bytes of a line that comes in */
    size_t queue; /* bytes waiting to go out; one line is taken even if it is longer */
};

/* The descriptor becomes the connection's, also on failure. */
int ctl_connection_create(struct rt_loop *loop, int descriptor,
                          const struct ctl_connection_limits *limits,
                          const struct ctl_connection_events *events, void *owner,
                          struct ctl_connection **connection) MUST_CHECK;

int ctl_connection_descriptor(const struct ctl_connection *connection);

/* Whether that many bytes may be queued, with a part of 1/divisor of the limit in use at most. */
bool ctl_connection_has_room(const struct ctl_connection *connection, size_t bytes,
                             unsigned divisor);

/* Queues the line (a reference is taken). -ENOBUFS when there is no room, -ENOMEM. */
int ctl_connection_send(struct ctl_connection *connection, struct ctl_line *line) MUST_CHECK;

/* Bytes taken by the peer so far. */
uint64_t ctl_connection_sent(const struct ctl_connection *connection);
bool ctl_connection_is_idle(const struct ctl_connection *connection);

/* No further lines are delivered until it is set free again. */
void ctl_connection_pause(struct ctl_connection *connection, bool paused);

/* Reports `closed` once the queue is empty. */
void ctl_connection_finish(struct ctl_connection *connection);

/* NULL is allowed. */
void ctl_connection_destroy(struct ctl_connection *connection);

#endif
