/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output of a connection: what is sent between two flushes goes together, as one write and, with
 * TLS, one record.
 */
#include <errno.h>

#include "stream_int.h"

enum {
    /* As much as one record of TLS carries (RFC 8446 section 5.1). */
    SEGMENT_BYTES = 16384,
    UNSURE_INITIAL = 64,
    UNSURE_MAXIMUM = 2048 /* must fit a block of the slab */
};

_Static_assert(UNSURE_MAXIMUM * sizeof(struct unsure) <= 72 * 1024, "base/slab.h");

/* ---- who wants to know ---------------------------------------------------------------------- */

static struct unsure *unsure_at(const struct connection *connection, uint32_t place)
{
    /* The capacity is a power of two. */
    return &connection
                ->unsure[(connection->unsure_first + place) & (connection->unsure_capacity - 1)];
}

static bool grow_unsure(struct connection *connection)
{
    uint32_t capacity =
        connection->unsure_capacity > 0 ? 2 * connection->unsure_capacity : UNSURE_INITIAL;
    if (capacity > UNSURE_MAXIMUM)
        return false;
    struct slab *slab = connection->streams->slab;
    struct unsure *larger = slab_alloc(slab, capacity * sizeof(*larger));
    if (larger == NULL)
        return false;
    for (uint32_t i = 0; i < connection->unsure_count; i++)
        larger[i] = *unsure_at(connection, i);
    slab_free(slab, connection->unsure, connection->unsure_capacity * sizeof(*larger));
    connection->unsure = larger;
    connection->unsure_first = 0;
    connection->unsure_capacity = capacity;
    return true;
}

static void forget_oldest(struct connection *connection)
{
    connection->unsure_first = (connection->unsure_first + 1) & (connection->unsure_capacity - 1);
    connection->unsure_count--;
}

/*
 * Those that were written are kept too, as they may be lost when the connection breaks, until newer
 * ones need the room: by then an answer came, or a timer of the transaction will tell.
 */
static void note_unsure(struct connection *connection, uint32_t worker, uint64_t cookie)
{
    const struct unsure entry = {cookie, connection->written + connection->queued, worker};
    if (connection->unsure_count == connection->unsure_capacity) {
        bool oldest_is_written =
            connection->unsure_count > 0 && unsure_at(connection, 0)->end <= connection->written;
        if (!oldest_is_written && !grow_unsure(connection) && connection->unsure_capacity == 0)
            return;
        if (connection->unsure_count == connection->unsure_capacity)
            forget_oldest(connection);
    }
    connection->unsure_count++;
    *unsure_at(connection, connection->unsure_count - 1) = entry;
}

void tp_connection_fail_unsure(struct connection *connection, bool all, int error)
{
    for (uint32_t i = 0; i < connection->unsure_count; i++) {
        const struct unsure *entry = unsure_at(connection, i);
        if (all || entry->end > connection->written)
            tp_streams_fail(connection->streams, entry->worker, entry->cookie, error);
    }
    connection->unsure_count = 0;
}

/* ---- the queue ------------------------------------------------------------------------------ */

static struct segment *add_segment(struct connection *connection, size_t length)
{
    uint32_t capacity = length > SEGMENT_BYTES ? (uint32_t)length : SEGMENT_BYTES;
    struct segment *segment =
        slab_alloc(connection->streams->slab, sizeof(*segment) + (size_t)capacity);
    if (segment == NULL)
        return NULL;
    *segment = (struct segment){.capacity = capacity};
    if (connection->last != NULL)
        connection->last->next = segment;
    else
        connection->first = segment;
    connection->last = segment;
    return segment;
}

static void drop_first_segment(struct connection *connection)
{
    struct segment *segment = connection->first;
    connection->first = segment->next;
    if (connection->first == NULL)
        connection->last = NULL;
    slab_free(connection->streams->slab, segment, sizeof(*segment) + (size_t)segment->capacity);
}

/* A message never spans two segments, so that a record of TLS holds whole ones. */
static bool append(struct connection *connection, struct slice bytes)
{
    struct segment *segment = connection->last;
    if (segment == NULL || segment->capacity - segment->end < bytes.length)
        segment = add_segment(connection, bytes.length);
    if (segment == NULL)
        return false;
    memcpy(segment->bytes + segment->end, bytes.data, bytes.length);
    segment->end += (uint32_t)bytes.length;
    connection->queued += (uint32_t)bytes.length;
    return true;
}

void tp_connection_queue(struct connection *connection, struct slice bytes, uint32_t worker,
                         uint64_t cookie)
{
    struct streams *streams = connection->streams;
    const struct tp_stream_settings *settings = &streams->worker->group->settings.streams;
    if (bytes.length > TP_DATAGRAM_LIMIT || bytes.length == 0) {
        tp_streams_fail(streams, worker, cookie, -EMSGSIZE);
        return;
    }
    if (connection->queued + bytes.length > settings->send_queue || !append(connection, bytes)) {
        stats_count(streams->worker->stats, STATS_CONNECTION_QUEUE_FULL);
        tp_streams_fail(streams, worker, cookie, ERROR_LIMIT);
        return;
    }
    if (cookie != 0)
        note_unsure(connection, worker, cookie);
    if (connection->state == CONNECTION_OPEN && connection->blocked_us == 0 &&
        list_is_empty(&connection->dirty))
        list_append(&streams->dirty, &connection->dirty);
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Nothing is taken until the socket says so; for too long, and the peer has stalled. */
static bool wait_until_writable(struct connection *connection)
{
    const struct tp_worker *worker = connection->streams->worker;
    uint64_t now_us = rt_loop_now(worker->loop);
    if (connection->blocked_us == 0) {
        connection->blocked_us = now_us;
        tp_connection_due(connection, now_us, now_us + worker->group->settings.streams.message_us);
    }
    if (rt_watch_set(connection->watch,
                     connection->reads_held ? RT_WRITABLE : RT_READABLE | RT_WRITABLE) == 0)
        return true;
    tp_connection_close(connection, TP_CLOSE_RESET, -EIO);
    return false;
}

static bool go_on(struct connection *connection)
{
    if (connection->blocked_us == 0)
        return true;
    connection->blocked_us = 0;
    if (rt_watch_set(connection->watch, connection->reads_held ? 0U : RT_READABLE) == 0)
        return true;
    tp_connection_close(connection, TP_CLOSE_RESET, -EIO);
    return false;
}

bool tp_connection_write(struct connection *connection)
{
    list_remove(&connection->dirty);
    while (connection->first != NULL) {
        struct segment *segment = connection->first;
        ssize_t count = connection->io->write(connection, segment->bytes + segment->start,
                                              segment->end - segment->start);
        if (count == -EAGAIN)
            return wait_until_writable(connection);
        if (count < 0) {
            tp_connection_close(connection,
                                connection->reason != TP_CLOSE_NONE
                                    ? (enum tp_close)connection->reason
                                    : TP_CLOSE_RESET,
                                (int)count);
            return false;
        }
        /* What goes on slowly has not stalled. */
        if (connection->blocked_us != 0)
            connection->blocked_us = rt_loop_now(connection->streams->worker->loop);
        segment->start += (uint32_t)count;
        connection->queued -= (uint32_t)count;
        connection->written += (uint64_t)count;
        if (segment->start == segment->end)
            drop_first_segment(connection);
    }
    connection->active_us = rt_loop_now(connection->streams->worker->loop);
    tp_connection_end_if_written(connection);
    return go_on(connection);
}

void tp_connection_end_if_written(struct connection *connection)
{
    if (!connection->is_ending || connection->has_ended || connection->first != NULL ||
        connection->state != CONNECTION_OPEN)
        return;
    connection->has_ended = true;
    connection->io->end(connection);
}

void tp_connection_write_last(struct connection *connection)
{
    const struct segment *segment = connection->first;
    for (; segment != NULL && connection->state == CONNECTION_OPEN; segment = segment->next)
        if (connection->io->write(connection, segment->bytes + segment->start,
                                  segment->end - segment->start) <= 0)
            return;
}

void tp_connection_free_output(struct connection *connection)
{
    while (connection->first != NULL)
        drop_first_segment(connection);
    slab_free(connection->streams->slab, connection->unsure,
              connection->unsure_capacity * sizeof(struct unsure));
    connection->unsure = NULL;
    connection->unsure_count = connection->unsure_capacity = 0;
}
