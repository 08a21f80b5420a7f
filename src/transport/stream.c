/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's connections: those that it accepts and those that it opens.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream_int.h"

enum {
    /* One costs 20 us: messages of calls have their turn in between. */
    ACCEPTS_PER_TURN = 8,
    /* However many have not shown that they bring messages: one that sent a byte costs 5 us, and
     * 5000 at once would make a turn of 20 ms. */
    LOBBY_PER_TURN = 16,
    /* A signature takes up to a millisecond: messages of calls have their turn in between. */
    HANDSHAKES_PER_TURN = 4,
    ACCEPT_AGAIN_US = 100000,
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_EVERY_S = 10,
    KEEPALIVE_TRIES = 3,
    UNACKNOWLEDGED_MS = 20000
};

/* An id is worker, place in the pool and a serial, so that none is given twice within the life of a
 * transaction. */
enum { PLACE_BITS = 24, SERIAL_BITS = 32 };

static uint32_t worker_of(uint64_t id)
{
    return (uint32_t)(id >> (PLACE_BITS + SERIAL_BITS));
}

struct connection *tp_streams_find(const struct streams *streams, uint64_t id)
{
    uint32_t place = (uint32_t)(id >> SERIAL_BITS) & ((1U << PLACE_BITS) - 1);
    if (place == 0 || place > pool_limit(streams->connections))
        return NULL;
    struct connection *connection = pool_at(streams->connections, place);
    return connection != NULL && connection->id == id ? connection : NULL;
}

void tp_streams_report_gauges(struct streams *streams)
{
    struct stats_shard *stats = streams->worker->stats;
    stats_gauge_set(stats, STATS_GAUGE_CONNECTIONS, pool_used(streams->connections));
    stats_gauge_set(stats, STATS_GAUGE_CONNECTION_BYTES, slab_used(streams->slab));
}

/* ---- the table ------------------------------------------------------------------------------ */

struct table_key {
    const struct tp_address *address;
    uint16_t listener;
};

static bool is_to(const void *object, const void *key)
{
    const struct connection *connection = object;
    const struct table_key *wanted = key;
    return !connection->is_ending && connection->listener == wanted->listener &&
           tp_address_equal(&connection->peer, wanted->address);
}

static uint64_t hash_of(const struct streams *streams, uint16_t listener,
                        const struct tp_address *address)
{
    return tp_address_hash(&streams->worker->group->settings.steering_key, address, listener);
}

static struct connection *find_to(const struct streams *streams, uint16_t listener,
                                  const struct tp_address *address)
{
    const struct table_key key = {address, listener};
    return hash_table_find(streams->table, hash_of(streams, listener, address), is_to, &key);
}

static int list(struct connection *connection)
{
    struct streams *streams = connection->streams;
    struct tp_group *group = streams->worker->group;
    uint64_t hash = hash_of(streams, connection->listener, &connection->peer);
    int error = hash_table_insert(streams->table, hash, connection);
    if (error == 0 && connection->accepted) {
        error = tp_directory_add(group->directory, connection->listener, &connection->peer,
                                 connection->id);
        if (error != 0)
            hash_table_remove(streams->table, hash, connection);
    }
    connection->listed = error == 0;
    return error;
}

/* ---- counts of the process ------------------------------------------------------------------ */

/* Relaxed: each is only a number, and nothing else is read by it. */
static bool take_place(_Atomic uint32_t *count, uint32_t limit)
{
    uint32_t before = atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    if (limit == 0 || before < limit)
        return true;
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
    return false;
}

static void give_place(_Atomic uint32_t *count)
{
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
}

static uint32_t slot_of(const struct streams *streams, const struct tp_address *peer)
{
    struct tp_address host = *peer;
    host.port = 0;
    return (uint32_t)tp_address_hash(&streams->worker->group->settings.steering_key, &host, 0) %
           TP_SOURCE_SLOTS;
}

/* TP_CLOSE_NONE: there is room for one more. */
static enum tp_close enter(struct streams *streams, const struct tp_peer *peer, uint16_t listener,
                           uint32_t source_slot, bool accepted)
{
    struct tp_group *group = streams->worker->group;
    const struct tp_stream_settings *settings = &group->settings.streams;
    if (!take_place(&group->connections, settings->connections))
        return TP_CLOSE_LIMIT;
    if (!take_place(&group->peer_connections[peer->label], peer->limit)) {
        give_place(&group->connections);
        return TP_CLOSE_TRUNK_LIMIT;
    }
    if (!take_place(&group->source_connections[source_slot], accepted ? settings->per_source : 0)) {
        give_place(&group->connections);
        give_place(&group->peer_connections[peer->label]);
        return TP_CLOSE_SOURCE_LIMIT;
    }
    (void)take_place(&group->listener_connections[listener], 0);
    return TP_CLOSE_NONE;
}

static void leave(struct tp_group *group, uint32_t label, uint16_t listener, uint32_t source_slot)
{
    give_place(&group->connections);
    give_place(&group->peer_connections[label]);
    give_place(&group->source_connections[source_slot]);
    give_place(&group->listener_connections[listener]);
}

void tp_streams_forget(struct connection *connection)
{
    struct streams *streams = connection->streams;
    struct tp_group *group = streams->worker->group;
    if (connection->listed) {
        hash_table_remove(streams->table, hash_of(streams, connection->listener, &connection->peer),
                          connection);
        if (connection->accepted && !connection->is_ending)
            tp_directory_remove(group->directory, connection->listener, &connection->peer,
                                connection->id);
    }
    leave(group, connection->label, connection->listener, connection->source_slot);
}

/* ---- a connection begins -------------------------------------------------------------------- */

/* Best effort: a kernel that lacks one of these still has connections. */
static void set_options(int descriptor)
{
    static const struct {
        int level;
        int option;
        int value;
    } rows[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TRIES},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        (void)setsockopt(descriptor, rows[i].level, rows[i].option, &rows[i].value,
                         sizeof(rows[i].value));
}

static bool is_tls(const struct streams *streams, uint16_t listener)
{
    return streams->worker->group->settings.listeners[listener].protocol == TP_PROTOCOL_TLS;
}

struct newcomer {
    int descriptor;
    uint16_t listener;
    const struct tp_address *address;
    bool accepted;
};

/* One that never became a connection. */
static void turn_away(struct streams *streams, const struct newcomer *from,
                      const struct tp_peer *peer, enum tp_close reason)
{
    const struct tp_group *group = streams->worker->group;
    struct tp_close_row row = tp_close_row(reason);
    uint32_t held_back;
    char text[TP_ADDRESS_TEXT];
    if (from->descriptor >= 0)
        close(from->descriptor);
    stats_count_label(streams->worker->stats, STATS_FAMILY_CONNECTIONS_CLOSED,
                      group->close_labels[reason]);
    if (row.warn &&
        log_limit_pass(&streams->log_closed, 5, rt_loop_now(streams->worker->loop), &held_back))
        log_warning("transport", "trunk %.*s: no connection %s %s: %s (%u similar lines held back)",
                    SLICE_ARGS(tp_group_peer_name(group, peer->label)),
                    from->accepted ? "from" : "to", tp_address_text(from->address, text), row.text,
                    held_back);
}

static int start(struct streams *streams, const struct newcomer *from, const struct tp_peer *peer,
                 uint32_t source_slot, struct connection **out)
{
    struct connection *connection = pool_get(streams->connections);
    if (connection == NULL) {
        leave(streams->worker->group, peer->label, from->listener, source_slot);
        turn_away(streams, from, peer, TP_CLOSE_LIMIT);
        return ERROR_LIMIT;
    }
    connection->streams = streams;
    connection->id = (uint64_t)streams->worker->index << (PLACE_BITS + SERIAL_BITS) |
                     (uint64_t)pool_index(streams->connections, connection) << SERIAL_BITS |
                     ++streams->serial;
    connection->descriptor = from->descriptor;
    connection->listener = from->listener;
    connection->peer = *from->address;
    connection->accepted = from->accepted;
    connection->label = peer->label;
    connection->source_slot = source_slot;
    connection->state = from->accepted ? CONNECTION_ESTABLISHING : CONNECTION_CONNECTING;
    connection->io = is_tls(streams, from->listener) ? &tp_tls_io : &tp_plain_io;
    int error = tp_connection_begin(connection);
    if (error == 0)
        error = list(connection);
    if (error == 0 && connection->io == &tp_tls_io)
        error = tp_tls_begin(connection, peer);
    if (error != 0) {
        tp_connection_close(connection, TP_CLOSE_MEMORY, error);
        return error;
    }
    stats_count_label(streams->worker->stats, STATS_FAMILY_TRUNK_CONNECTIONS, peer->label);
    tp_streams_report_gauges(streams);
    *out = connection;
    return 0;
}

static int begin(struct streams *streams, const struct newcomer *from, struct connection **out)
{
    const struct tp_worker *worker = streams->worker;
    struct tp_peer peer = {0};
    bool known = worker->events.identify == NULL ||
                 worker->events.identify(worker->argument, from->listener, from->address,
                                         from->accepted, &peer);
    uint32_t source_slot = slot_of(streams, from->address);
    enum tp_close reason = TP_CLOSE_NONE;
    if (!known)
        reason = TP_CLOSE_UNKNOWN_SOURCE;
    else if (is_tls(streams, from->listener) && peer.tls == NULL)
        reason = TP_CLOSE_TLS_UNCONFIGURED;
    else
        reason = enter(streams, &peer, from->listener, source_slot, from->accepted);
    if (reason != TP_CLOSE_NONE) {
        turn_away(streams, from, &peer, reason);
        return reason == TP_CLOSE_TLS_UNCONFIGURED ? -EPROTONOSUPPORT : ERROR_LIMIT;
    }
    return start(streams, from, &peer, source_slot, out);
}

/* ---- accepting ------------------------------------------------------------------------------ */

static void watch_acceptors(struct streams *streams, unsigned interest)
{
    for (size_t i = 0; i < streams->acceptor_count; i++)
        if (streams->acceptors[i].watch != NULL &&
            rt_watch_set(streams->acceptors[i].watch, interest) != 0)
            log_error("transport", "listening sockets cannot be watched any more");
}

static void accept_again(struct rt_timer *timer, uint64_t now_us)
{
    struct streams *streams = LIST_ENTRY(timer, struct streams, accept_again);
    (void)now_us;
    if (!streams->is_deaf)
        watch_acceptors(streams, RT_READABLE);
}

/* Readable for as long as nobody can be accepted: only a pause keeps the loop from turning. */
static void pause_accepting(struct streams *streams, uint16_t listener)
{
    const struct tp_address nobody = {.family = 4};
    const struct newcomer from = {-1, listener, &nobody, true};
    const struct tp_peer peer = {0};
    turn_away(streams, &from, &peer, TP_CLOSE_DESCRIPTORS);
    watch_acceptors(streams, 0);
    rt_timer_set(streams->wheel, &streams->accept_again, rt_loop_now(streams->worker->loop),
                 ACCEPT_AGAIN_US);
}

static void acceptor_ready(void *argument, int descriptor, unsigned readiness)
{
    struct acceptor *acceptor = argument;
    struct streams *streams = acceptor->streams;
    (void)readiness;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage storage;
        struct tp_address address;
        struct connection *connection = NULL;
        socklen_t length = sizeof(storage);
        int accepted =
            accept4(descriptor, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS))
            pause_accepting(streams, acceptor->listener);
        if (accepted < 0)
            return;
        if (tp_address_from_sockaddr((struct sockaddr *)&storage, &address) != 0) {
            close(accepted);
            continue;
        }
        set_options(accepted);
        const struct newcomer from = {accepted, acceptor->listener, &address, true};
        if (begin(streams, &from, &connection) == 0)
            stats_count(streams->worker->stats, STATS_CONNECTIONS_ACCEPTED);
    }
}

/* ---- connecting ----------------------------------------------------------------------------- */

static int bind_like(int descriptor, const struct tp_address *listener)
{
    const int on = 1;
    struct sockaddr_storage storage;
    struct tp_address own = *listener;
    own.port = 0;
    /* The port is chosen by connect(), so that as many connections are possible as have different
     * addresses at their other end. */
    (void)setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    socklen_t length = tp_address_to_sockaddr(&own, &storage);
    return bind(descriptor, (struct sockaddr *)&storage, length) == 0 ? 0 : -errno;
}

static int dial(const struct tp_address *own, const struct tp_address *to, int *out)
{
    struct sockaddr_storage storage;
    int descriptor =
        socket(to->family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;
    set_options(descriptor);
    int error = bind_like(descriptor, own);
    socklen_t length = tp_address_to_sockaddr(to, &storage);
    if (error == 0 && connect(descriptor, (struct sockaddr *)&storage, length) != 0 &&
        errno != EINPROGRESS)
        error = -errno;
    if (error != 0) {
        close(descriptor);
        return error;
    }
    *out = descriptor;
    return 0;
}

static int open_to(struct streams *streams, uint16_t listener, const struct tp_address *to,
                   struct connection **out)
{
    const struct tp_group *group = streams->worker->group;
    const struct tp_address *own = &group->settings.listeners[listener].address;
    int descriptor = -1;
    if (streams->stopping || to->family != own->family)
        return streams->stopping ? -ESHUTDOWN : -EAFNOSUPPORT;
    int error = dial(own, to, &descriptor);
    if (error != 0) {
        stats_count_label(streams->worker->stats, STATS_FAMILY_CONNECTIONS_CLOSED,
                          group->close_labels[TP_CLOSE_UNREACHABLE]);
        return error;
    }
    const struct newcomer from = {descriptor, listener, to, false};
    error = begin(streams, &from, out);
    if (error == 0)
        stats_count(streams->worker->stats, STATS_CONNECTIONS_OPENED);
    return error;
}

/* ---- sending -------------------------------------------------------------------------------- */

void tp_streams_fail(struct streams *streams, uint32_t worker, uint64_t cookie, int error)
{
    if (worker == streams->worker->index)
        tp_sender_fail(streams->worker->sender, cookie, error);
    else if (cookie != 0)
        tp_steering_fail(streams->worker, worker, cookie, error);
}

/* Over a connection of this worker, which may have to be opened. */
static void send_here(struct streams *streams, const struct tp_outgoing *message)
{
    struct connection *connection =
        message->connection != 0 ? tp_streams_find(streams, message->connection) : NULL;
    int error = 0;
    if (connection == NULL || connection->is_ending)
        connection = find_to(streams, message->listener, message->to);
    if (connection == NULL)
        error = open_to(streams, message->listener, message->to, &connection);
    if (error != 0) {
        tp_streams_fail(streams, message->worker, message->cookie, error);
        return;
    }
    stats_count(streams->worker->stats, STATS_STREAM_SENT);
    tp_connection_queue(connection, message->bytes, message->worker, message->cookie);
}

void tp_streams_send(struct streams *streams, const struct tp_outgoing *message)
{
    struct tp_worker *worker = streams->worker;
    struct tp_outgoing sent = *message;
    bool from_here = message->worker == worker->index;
    if (sent.connection == 0 && from_here && find_to(streams, sent.listener, sent.to) == NULL)
        sent.connection = tp_directory_find(worker->group->directory, sent.listener, sent.to);
    uint32_t owner = worker_of(sent.connection);
    if (sent.connection == 0 || owner == worker->index || !from_here)
        send_here(streams, &sent);
    else
        tp_steering_pass(worker, owner, &sent);
}

bool tp_streams_flush(struct streams *streams)
{
    struct list_link *link;
    bool any = false;
    while ((link = list_first(&streams->dirty)) != NULL) {
        any = true;
        (void)tp_connection_write(LIST_ENTRY(link, struct connection, dirty));
    }
    return any;
}

bool tp_streams_may_handshake(struct streams *streams)
{
    uint64_t now_us = rt_loop_now(streams->worker->loop);
    if (now_us != streams->turn_us) {
        streams->turn_us = now_us;
        streams->handshakes_left = HANDSHAKES_PER_TURN;
    }
    if (streams->handshakes_left == 0)
        return false;
    streams->handshakes_left--;
    return true;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int watch_listener(struct streams *streams, size_t listener)
{
    struct tp_worker *worker = streams->worker;
    struct acceptor *acceptor = &streams->acceptors[streams->acceptor_count++];
    acceptor->streams = streams;
    acceptor->listener = (uint16_t)listener;
    return rt_watch_create(worker->loop, group_socket(worker->group, listener, worker->index),
                           RT_READABLE, acceptor_ready, acceptor, &acceptor->watch);
}

int tp_streams_create(struct tp_worker *worker, struct rt_wheel *wheel, struct streams **streams)
{
    const struct tp_settings *settings = &worker->group->settings;
    uint32_t limit = settings->streams.connections;
    struct streams *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->worker = worker;
    made->wheel = wheel;
    list_init(&made->dirty);
    rt_timer_init(&made->accept_again, accept_again);
    made->scratch = malloc(TP_SCRATCH_BYTES);
    int error = made->scratch == NULL ? -ENOMEM : 0;
    if (error == 0)
        error = hash_table_create(64, &made->table);
    if (error == 0)
        error = pool_create(sizeof(struct connection), limit > 0 ? limit : TP_CONNECTION_LIMIT,
                            &made->connections);
    if (error == 0)
        error = slab_create(settings->streams.memory, &made->slab);
    if (error == 0)
        error = rt_lobby_create(worker->loop, LOBBY_PER_TURN, &made->lobby);
    for (size_t i = 0; error == 0 && i < settings->listener_count; i++)
        if (tp_protocol_rows[settings->listeners[i].protocol].stream)
            error = watch_listener(made, i);
    if (error != 0) {
        tp_streams_destroy(made);
        return error;
    }
    *streams = made;
    return 0;
}

int tp_streams_listen(struct streams *streams, bool listens)
{
    int error = 0;
    streams->is_deaf = !listens;
    for (size_t i = 0; error == 0 && i < streams->acceptor_count; i++)
        if (streams->acceptors[i].watch != NULL)
            error = rt_watch_set(streams->acceptors[i].watch, listens ? RT_READABLE : 0);
    return error;
}

static void end_connection(void *object, void *argument)
{
    struct connection *connection = object;
    (void)argument;
    if (connection->is_ending)
        return;
    if (connection->accepted)
        tp_directory_remove(connection->streams->worker->group->directory, connection->listener,
                            &connection->peer, connection->id);
    connection->is_ending = true;
    tp_connection_end_if_written(connection);
}

void tp_streams_end(struct streams *streams)
{
    hash_table_each(streams->table, end_connection, NULL);
}

static void pause_connection(void *object, void *argument)
{
    struct connection *connection = object;
    (void)argument;
    if (rt_watch_set(connection->watch, 0) != 0)
        log_error("transport", "a connection cannot be paused");
}

void tp_streams_pause(struct streams *streams)
{
    for (size_t i = 0; i < streams->acceptor_count; i++) {
        if (streams->acceptors[i].watch != NULL)
            rt_watch_destroy(streams->acceptors[i].watch);
        streams->acceptors[i].watch = NULL;
    }
    if (streams->table != NULL)
        hash_table_each(streams->table, pause_connection, NULL);
}

static void take_first(void *object, void *argument)
{
    struct connection **first = argument;
    *first = object;
}

void tp_streams_destroy(struct streams *streams)
{
    if (streams == NULL)
        return;
    streams->stopping = true;
    tp_streams_pause(streams);
    rt_timer_cancel(streams->wheel, &streams->accept_again);
    while (streams->table != NULL && hash_table_count(streams->table) > 0) {
        struct connection *connection = NULL;
        hash_table_each(streams->table, take_first, &connection);
        tp_connection_close(connection, TP_CLOSE_STOPPED, -ESHUTDOWN);
    }
    if (streams->table != NULL)
        hash_table_destroy(streams->table);
    rt_lobby_destroy(streams->lobby);
    pool_destroy(streams->connections);
    if (streams->slab != NULL)
        slab_destroy(streams->slab);
    free(streams->scratch);
    free(streams);
}
