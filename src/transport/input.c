/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input of a connection: bytes are read into the worker's scratch and handed on from there. Only
 * what is no whole message yet is kept, in a block of the slab that the rest is read into.
 */
#include <errno.h>

#include "stream_int.h"

enum {
    INPUT_INITIAL = 2048,
    /* For each turn of the loop: then other connections, sockets and timers have theirs. */
    BYTES_PER_TURN = 4 * TP_SCRATCH_BYTES,
    /* Of a connection in the lobby: all that have their turn together get what one outside gets.
     * A record of TLS is no longer. */
    LOBBY_BYTES_PER_TURN = 16384,
    /* A message that takes more reads is not from a neighbour in a hurry: 65535 bytes in segments
     * of 1448 come in 46, but seldom one by one. */
    PIECES_MAXIMUM = 16,
    HOLD_US = 1000 /* before a full ring is tried again */
};

/* Where the next bytes go: behind those that are kept, or the scratch. */
static char *room(struct connection *connection, size_t *size)
{
    if (connection->input == NULL) {
        *size = TP_SCRATCH_BYTES;
        return connection->streams->scratch;
    }
    *size = connection->input_capacity - connection->input_length;
    return connection->input + connection->input_length;
}

void tp_connection_free_input(struct connection *connection)
{
    slab_free(connection->streams->slab, connection->input, connection->input_capacity);
    connection->input = NULL;
    connection->input_length = connection->input_capacity = 0;
}

/* Room for all of the message under way, as far as its length is known, but no more than twice what
 * came of it: who says that much will come has to send it. */
static uint32_t wanted_capacity(const struct connection *connection, size_t length)
{
    uint32_t extent = smsg_frame_extent(&connection->frame);
    size_t wanted = 2 * length < INPUT_INITIAL ? INPUT_INITIAL : 2 * length;
    if (connection->held_length > 0 || extent < length)
        extent = (uint32_t)length;
    return wanted < extent ? (uint32_t)wanted : extent > length ? extent : (uint32_t)length + 1;
}

/* Keeps what was not taken. False: there is no memory. */
static bool keep(struct connection *connection, struct slice rest)
{
    bool is_own = connection->input != NULL && rest.data >= connection->input &&
                  rest.data <= connection->input + connection->input_capacity;
    if (rest.length == 0) {
        tp_connection_free_input(connection);
        return true;
    }
    if (is_own && rest.length < connection->input_capacity) {
        memmove(connection->input, rest.data, rest.length);
        connection->input_length = (uint32_t)rest.length;
        return true;
    }
    uint32_t capacity = wanted_capacity(connection, rest.length);
    char *larger = slab_alloc(connection->streams->slab, capacity);
    if (larger == NULL)
        return false;
    memcpy(larger, rest.data, rest.length);
    tp_connection_free_input(connection);
    connection->input = larger;
    connection->input_length = (uint32_t)rest.length;
    connection->input_capacity = capacity;
    return true;
}

/* False: the ring to its owner is full. */
static bool deliver(struct connection *connection, struct slice message, uint64_t now_us)
{
    struct tp_worker *worker = connection->streams->worker;
    const struct tp_packet packet = {
        .bytes = message,
        .source = connection->peer,
        .listener = connection->listener,
        .protocol = worker->group->settings.listeners[connection->listener].protocol,
        .connection = connection->id,
        .received_us = now_us,
        .backlog_us = worker->backlog_us,
    };
    if (!tp_steering_deliver(worker, &packet))
        return false;
    stats_count(worker->stats, STATS_STREAM_RECEIVED);
    return true;
}

/* RFC 5626 section 3.5.1. */
static void receive_ping(struct connection *connection)
{
    stats_count(connection->streams->worker->stats, STATS_PINGS_RECEIVED);
    /* A peer that does not read gets no further pongs. */
    if (connection->queued == 0 && !connection->is_ending)
        tp_connection_queue(connection, SLICE("\r\n"), 0, 0);
}

static void receive_pong(struct connection *connection)
{
    if (connection->pinged_us == 0)
        return;
    connection->pinged_us = 0;
    connection->has_ponged = true;
    uint64_t now_us = connection->active_us;
    tp_connection_due(connection, now_us,
                      now_us + connection->streams->worker->group->settings.streams.ping_us);
}

/* The first message is whole, but nobody takes it: it waits, and so does the peer. */
static bool hold(struct connection *connection, struct slice rest, size_t length, uint64_t now_us)
{
    connection->held_length = (uint32_t)length;
    connection->reads_held = true;
    if (!keep(connection, rest) ||
        rt_watch_set(connection->watch, connection->blocked_us != 0 ? RT_WRITABLE : 0U) != 0) {
        tp_connection_close(connection, TP_CLOSE_MEMORY, -ENOMEM);
        return false;
    }
    tp_connection_due(connection, now_us, now_us + HOLD_US);
    return true;
}

/* A message was whole: it is one of those who bring some. False: the connection is gone. */
static bool settle(struct connection *connection)
{
    connection->pieces = 0;
    return tp_connection_move(connection, false);
}

/* What was read was no whole message. False: the connection is gone. */
static bool count_piece(struct connection *connection)
{
    if (connection->input == NULL || connection->in_lobby)
        return true;
    return ++connection->pieces < PIECES_MAXIMUM || tp_connection_move(connection, true);
}

/* Takes whole messages off the front. False: the connection is gone. */
static bool take(struct connection *connection, struct slice bytes, uint64_t now_us)
{
    struct slice piece;
    for (;; bytes = slice_from(bytes, piece.length)) {
        enum smsg_frame_kind kind = smsg_frame_next(&connection->frame, bytes, now_us, &piece);
        if (connection->frame.length > TP_DATAGRAM_LIMIT) {
            connection->frame.fault = SMSG_FRAME_FAULT_BODY_TOO_LONG;
            kind = SMSG_FRAME_BROKEN;
        }
        switch (kind) {
        case SMSG_FRAME_MESSAGE:
            if (!deliver(connection, piece, now_us))
                return hold(connection, bytes, piece.length, now_us);
            if (!settle(connection))
                return false;
            continue;
        case SMSG_FRAME_EMPTY_LINE:
            receive_pong(connection);
            continue;
        case SMSG_FRAME_PING:
            receive_ping(connection);
            continue;
        case SMSG_FRAME_BROKEN:
            tp_connection_close(connection,
                                (enum tp_close)(TP_CLOSE_FRAME + connection->frame.fault), -EPROTO);
            return false;
        case SMSG_FRAME_NOTHING:
            break;
        }
        break;
    }
    if (!keep(connection, bytes)) {
        tp_connection_close(connection, TP_CLOSE_MEMORY, -ENOMEM);
        return false;
    }
    if (bytes.length > 0)
        tp_connection_due(connection, now_us, smsg_frame_due(&connection->frame));
    return true;
}

static void end_reading(struct connection *connection, ssize_t result)
{
    if (connection->reason != TP_CLOSE_NONE)
        tp_connection_close(connection, (enum tp_close)connection->reason, -ECONNRESET);
    else if (result == 0)
        tp_connection_close(connection, TP_CLOSE_PEER, 0);
    else
        tp_connection_close(connection, TP_CLOSE_RESET, (int)result);
}

void tp_connection_read(struct connection *connection)
{
    struct tp_worker *worker = connection->streams->worker;
    const size_t limit = connection->in_lobby ? LOBBY_BYTES_PER_TURN : BYTES_PER_TURN;
    size_t size, total = 0;
    bool more = true;
    while (more && !connection->reads_held) {
        char *memory = room(connection, &size);
        if (size > limit)
            size = limit;
        ssize_t count = connection->io->read(connection, memory, size);
        if (count == -EAGAIN)
            break;
        if (count <= 0) {
            end_reading(connection, count);
            return;
        }
        connection->active_us = rt_loop_now(worker->loop);
        struct slice bytes = slice_make(memory, (size_t)count);
        if (connection->input != NULL) {
            connection->input_length += (uint32_t)count;
            bytes = slice_make(connection->input, connection->input_length);
        }
        if (!take(connection, bytes, connection->active_us) || !count_piece(connection))
            return;
        total += (size_t)count;
        /* A read that was not filled has emptied the socket. */
        more = (size_t)count == size || connection->io->holds(connection);
        if (more && total >= limit) {
            /* Of what it holds the socket does not tell the next turn. */
            if (connection->io->holds(connection))
                tp_connection_due(connection, connection->active_us, connection->active_us);
            break;
        }
    }
    tp_worker_finish_batch(worker);
}

static void resume(struct connection *connection)
{
    uint64_t now_us = rt_loop_now(connection->streams->worker->loop);
    struct slice all = slice_make(connection->input, connection->input_length);
    struct slice message = slice_first(all, connection->held_length);
    if (!deliver(connection, message, now_us)) {
        tp_connection_due(connection, now_us, now_us + HOLD_US);
        return;
    }
    connection->held_length = 0;
    connection->reads_held = false;
    if (!settle(connection) || !take(connection, slice_from(all, message.length), now_us) ||
        connection->reads_held)
        return;
    if (rt_watch_set(connection->watch,
                     connection->blocked_us != 0 ? RT_READABLE | RT_WRITABLE : RT_READABLE) != 0) {
        tp_connection_close(connection, TP_CLOSE_RESET, -EIO);
        return;
    }
    tp_connection_read(connection);
}

void tp_connection_check_input(struct connection *connection, uint64_t now_us)
{
    if (connection->reads_held)
        resume(connection);
    else if (connection->io->holds(connection))
        tp_connection_read(connection);
    else if (connection->input != NULL)
        (void)take(connection, slice_make(connection->input, connection->input_length), now_us);
}
