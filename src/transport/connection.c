/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <unistd.h>

#include "stream_int.h"

enum {
    CLOSED_LINES_PER_SECOND = 5,
    PONG_US = 10 * 1000000 /* RFC 5626 section 4.4.1 */
};

struct tp_close_row tp_close_row(enum tp_close reason)
{
    static const struct tp_close_row rows[] = {
#define TP_CLOSE_ROW(identifier, key, text, warn) {key, text, warn},
        TP_CLOSE_TABLE(TP_CLOSE_ROW)
#undef TP_CLOSE_ROW
    };
    if (reason < TP_CLOSE_FRAME)
        return rows[reason];
    const struct smsg_frame_fault_row *fault = &smsg_frame_faults[reason - TP_CLOSE_FRAME];
    return (struct tp_close_row){fault->key, fault->text, true};
}

static struct tp_group *group_of(const struct connection *connection)
{
    return connection->streams->worker->group;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void log_closed(const struct connection *connection, enum tp_close reason, int error)
{
    struct streams *streams = connection->streams;
    const struct tp_group *group = group_of(connection);
    struct tp_close_row row = tp_close_row(reason);
    char peer[TP_ADDRESS_TEXT];
    uint32_t held_back = 0;
    if (!row.warn && !log_enabled(LOG_LEVEL_INFO))
        return;
    if (!log_limit_pass(&streams->log_closed, CLOSED_LINES_PER_SECOND,
                        rt_loop_now(streams->worker->loop), &held_back))
        return;
    struct slice name = tp_group_peer_name(group, connection->label);
    const char *verb = connection->state == CONNECTION_OPEN ? "closed" : "not established";
    const char *detail = connection->note[0] != '\0' ? connection->note
                         : reason == TP_CLOSE_RESET || reason == TP_CLOSE_UNREACHABLE
                             ? error_text(error)
                             : "";
    log_write(row.warn ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "transport",
              "trunk %.*s: %s connection %s %s %s: %s%s%s (%u similar lines held back)",
              SLICE_ARGS(name),
              tp_protocol_rows[group->settings.listeners[connection->listener].protocol].word,
              connection->accepted ? "from" : "to", tp_address_text(&connection->peer, peer), verb,
              row.text, detail[0] != '\0' ? ": " : "", detail, held_back);
}

void tp_connection_close(struct connection *connection, enum tp_close reason, int error)
{
    struct streams *streams = connection->streams;
    struct stats_shard *stats = streams->worker->stats;
    log_closed(connection, reason, error);
    /* What was good before still gets its answer. */
    if (reason >= TP_CLOSE_FRAME)
        tp_connection_write_last(connection);
    stats_count_label(stats, STATS_FAMILY_CONNECTIONS_CLOSED,
                      group_of(connection)->close_labels[reason]);
    bool orderly = reason == TP_CLOSE_PEER || reason == TP_CLOSE_IDLE;
    tp_connection_fail_unsure(connection, !orderly, error != 0 ? error : -ECONNRESET);
    connection->io->close(connection);
    if (connection->watch != NULL)
        rt_watch_destroy(connection->watch);
    rt_timer_cancel(streams->wheel, &connection->timer);
    list_remove(&connection->dirty);
    tp_streams_forget(connection);
    close(connection->descriptor);
    tp_connection_free_input(connection);
    tp_connection_free_output(connection);
    connection->id = 0;
    pool_put(streams->connections, connection);
    tp_streams_report_gauges(streams);
}

bool tp_connection_move(struct connection *connection, bool to_lobby)
{
    if (connection->in_lobby == to_lobby)
        return true;
    connection->in_lobby = to_lobby;
    if (rt_watch_move(connection->watch, to_lobby ? connection->streams->lobby : NULL) == 0)
        return true;
    tp_connection_close(connection, TP_CLOSE_RESET, -EIO);
    return false;
}

/* ---- deadlines ------------------------------------------------------------------------------ */

void tp_connection_due(struct connection *connection, uint64_t now_us, uint64_t due_us)
{
    uint64_t due_ms = (due_us + 999) / 1000;
    if (due_us == UINT64_MAX ||
        (rt_timer_is_set(&connection->timer) && connection->timer.due_ms <= due_ms))
        return;
    rt_timer_set(connection->streams->wheel, &connection->timer, now_us,
                 due_us > now_us ? due_us - now_us : 0);
}

/* What it is over with at now_us. */
static enum tp_close overdue(const struct connection *connection, uint64_t now_us)
{
    const struct tp_stream_settings *settings = &group_of(connection)->settings.streams;
    if (connection->state != CONNECTION_OPEN)
        return now_us >= connection->begun_us + settings->connect_us ? TP_CLOSE_CONNECT_TIMEOUT
                                                                     : TP_CLOSE_NONE;
    if (connection->blocked_us != 0 && now_us >= connection->blocked_us + settings->message_us)
        return TP_CLOSE_STALLED;
    if (connection->pinged_us != 0 && connection->has_ponged &&
        now_us >= connection->pinged_us + PONG_US)
        return TP_CLOSE_NO_PONG;
    return now_us >= connection->active_us + settings->idle_us ? TP_CLOSE_IDLE : TP_CLOSE_NONE;
}

/* RFC 5626 section 4.4.1: by whom the connection was opened, since the other side may know better
 * when it is of no use any more. */
static void ping(struct connection *connection, uint64_t now_us)
{
    const struct tp_stream_settings *settings = &group_of(connection)->settings.streams;
    bool waits = connection->pinged_us != 0 && connection->has_ponged;
    if (settings->ping_us == 0 || connection->accepted || waits || connection->is_ending)
        return;
    if (now_us < connection->active_us + settings->ping_us || connection->queued > 0)
        return;
    connection->pinged_us = now_us;
    stats_count(connection->streams->worker->stats, STATS_PINGS_SENT);
    tp_connection_queue(connection, SLICE("\r\n\r\n"), 0, 0);
}

static void set_due(struct connection *connection, uint64_t now_us)
{
    const struct tp_stream_settings *settings = &group_of(connection)->settings.streams;
    if (connection->state != CONNECTION_OPEN) {
        tp_connection_due(connection, now_us, connection->begun_us + settings->connect_us);
        return;
    }
    tp_connection_due(connection, now_us, connection->active_us + settings->idle_us);
    tp_connection_due(connection, now_us, smsg_frame_due(&connection->frame));
    if (connection->blocked_us != 0)
        tp_connection_due(connection, now_us, connection->blocked_us + settings->message_us);
    if (connection->pinged_us != 0 && connection->has_ponged)
        tp_connection_due(connection, now_us, connection->pinged_us + PONG_US);
    else if (settings->ping_us != 0 && !connection->accepted)
        tp_connection_due(connection, now_us, connection->active_us + settings->ping_us);
}

/* Looks after everything at once, since it is seldom that something is due: a message that is in
 * time costs no timer. */
static void look(struct rt_timer *timer, uint64_t now_us)
{
    struct connection *connection = LIST_ENTRY(timer, struct connection, timer);
    enum tp_close reason = overdue(connection, now_us);
    if (reason != TP_CLOSE_NONE) {
        tp_connection_close(connection, reason, -ETIMEDOUT);
        return;
    }
    if (connection->state == CONNECTION_OPEN)
        ping(connection, now_us);
    set_due(connection, now_us);
    /* Last, since it may be gone afterwards. */
    if (connection->state == CONNECTION_OPEN)
        tp_connection_check_input(connection, now_us);
}

/* ---- the beginning -------------------------------------------------------------------------- */

static bool finish_connect(struct connection *connection)
{
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(connection->descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error != 0) {
        tp_connection_close(connection, TP_CLOSE_UNREACHABLE, -error);
        return false;
    }
    connection->state = CONNECTION_ESTABLISHING;
    return true;
}

static bool establish(struct connection *connection)
{
    struct streams *streams = connection->streams;
    /* The socket stays ready: the next turn comes back here. */
    if (connection->io == &tp_tls_io && !tp_streams_may_handshake(streams))
        return false;
    int error = connection->io->establish(connection);
    if (error == -EAGAIN)
        return false;
    if (error != 0) {
        tp_connection_close(connection,
                            connection->reason != TP_CLOSE_NONE ? (enum tp_close)connection->reason
                                                                : TP_CLOSE_RESET,
                            error);
        return false;
    }
    connection->state = CONNECTION_OPEN;
    connection->active_us = rt_loop_now(streams->worker->loop);
    set_due(connection, connection->active_us);
    if (rt_watch_set(connection->watch, RT_READABLE) != 0) {
        tp_connection_close(connection, TP_CLOSE_RESET, -EIO);
        return false;
    }
    tp_connection_end_if_written(connection);
    return true;
}

static void ready(void *argument, int descriptor, unsigned readiness)
{
    struct connection *connection = argument;
    (void)descriptor;
    if (connection->state == CONNECTION_CONNECTING && !finish_connect(connection))
        return;
    bool begins = connection->state == CONNECTION_ESTABLISHING;
    if (begins && !establish(connection))
        return;
    bool may_write = begins || (readiness & RT_WRITABLE) != 0 || connection->blocked_us != 0;
    if (may_write && connection->first != NULL && !tp_connection_write(connection))
        return;
    /* Of what came with the last of a handshake the socket says nothing. */
    if ((readiness & RT_READABLE) != 0 || begins)
        tp_connection_read(connection);
}

int tp_connection_begin(struct connection *connection)
{
    struct streams *streams = connection->streams;
    uint64_t now_us = rt_loop_now(streams->worker->loop);
    const struct smsg_frame_limits limits = {
        .header_bytes = TP_DATAGRAM_LIMIT,
        .body_bytes = TP_DATAGRAM_LIMIT,
        .message_us = group_of(connection)->settings.streams.message_us,
    };
    smsg_frame_init(&connection->frame, &limits);
    list_init(&connection->dirty);
    rt_timer_init(&connection->timer, look);
    connection->begun_us = connection->active_us = now_us;
    /* There is nothing to be agreed upon. */
    if (connection->accepted && connection->io == &tp_plain_io)
        connection->state = CONNECTION_OPEN;
    set_due(connection, now_us);
    int error = rt_watch_create(streams->worker->loop, connection->descriptor, 0, ready, connection,
                                &connection->watch);
    if (error == 0 && connection->accepted)
        error = rt_watch_move(connection->watch, streams->lobby);
    connection->in_lobby = connection->accepted;
    return error == 0
               ? rt_watch_set(connection->watch, connection->accepted ? RT_READABLE : RT_WRITABLE)
               : error;
}
