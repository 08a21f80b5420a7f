/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap/hep.h"
#include "tap_int.h"

/* AT_ONCE: packets of one socket before others have their turn. */
enum { CONNECTIONS_MAX = 64, AT_ONCE = 64, BACKLOG = 16, RECEIVE_BUFFER = 8 << 20 };

struct hep_connection {
    struct tap_hep_input *input;
    int descriptor; /* -1: free */
    struct rt_watch *watch;
    size_t length;
    char *bytes; /* TAP_HEP_MAX */
};

struct hep_socket {
    struct tap_hep_input *input;
    int descriptor;
    struct rt_watch *watch;
};

struct tap_hep_input {
    struct daemon_tap *tap;
    size_t socket_count;
    struct hep_socket sockets[2 * TAP_HEP_LISTENERS_MAX];
    struct hep_connection connections[CONNECTIONS_MAX];
    char datagram[TAP_HEP_MAX + 1];
};

/* ---- packets ------------------------------------------------------------------------------- */

static void refuse(struct daemon_tap *tap)
{
    stats_count(tap->stats, STATS_TAP_HEP_REFUSED);
}

static void take_packet(struct daemon_tap *tap, struct slice bytes)
{
    enum { PROTOCOL_TCP = 6 };
    static const uint64_t number = 0;
    struct tap_hep hep;
    if (tap_hep_parse(bytes, &hep) != 0 || hep.packed) {
        refuse(tap);
        return;
    }
    stats_count(tap->stats, STATS_TAP_HEP);
    if (hep.kind != TAP_HEP_SIP)
        return;
    const struct tap_message origin = {
        .source = hep.source,
        .destination = hep.destination,
        .wall_us = hep.wall_us != 0 ? hep.wall_us : clock_wall_us(),
        .transport = hep.protocol == PROTOCOL_TCP ? TAP_OVER_TCP : TAP_OVER_UDP,
        .packets = &number,
        .packet_count = 1,
    };
    tap_path_datagram(tap->path, hep.payload, &origin);
}

static bool is_agent(const struct daemon_tap *tap, const struct sockaddr_storage *from)
{
    return conf_network_list_contains(&tap->hep_sources, (const struct sockaddr *)from);
}

static void datagrams_ready(void *argument, int descriptor, unsigned ready)
{
    struct hep_socket *socket = argument;
    struct tap_hep_input *input = socket->input;
    (void)ready;
    for (unsigned i = 0; i < AT_ONCE; i++) {
        struct sockaddr_storage from;
        socklen_t from_length = sizeof(from);
        ssize_t length = recvfrom(descriptor, input->datagram, sizeof(input->datagram),
                                  MSG_DONTWAIT, (struct sockaddr *)&from, &from_length);
        if (length < 0)
            return;
        if (is_agent(input->tap, &from))
            take_packet(input->tap, slice_make(input->datagram, (size_t)length));
        else
            refuse(input->tap);
    }
}

/* ---- connections --------------------------------------------------------------------------- */

static void disconnect(struct hep_connection *connection)
{
    if (connection->watch != NULL)
        rt_watch_destroy(connection->watch);
    if (connection->descriptor >= 0)
        close(connection->descriptor);
    free(connection->bytes);
    *connection = (struct hep_connection){.input = connection->input, .descriptor = -1};
}

/* Packets stand one behind another. False: what comes is no HEP, and no end of it can be found. */
static bool take_packets(struct hep_connection *connection)
{
    struct slice rest = slice_make(connection->bytes, connection->length);
    for (;;) {
        uint32_t length;
        int error = tap_hep_length(rest, &length);
        if (error == ERROR_MALFORMED)
            return false;
        if (error != 0 || length > rest.length)
            break;
        take_packet(connection->input->tap, slice_first(rest, length));
        rest = slice_from(rest, length);
    }
    memmove(connection->bytes, rest.data, rest.length);
    connection->length = rest.length;
    return true;
}

static void stream_ready(void *argument, int descriptor, unsigned ready)
{
    struct hep_connection *connection = argument;
    (void)ready;
    ssize_t length = recv(descriptor, connection->bytes + connection->length,
                          TAP_HEP_MAX - connection->length, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) {
        disconnect(connection);
        return;
    }
    connection->length += (size_t)length;
    if (!take_packets(connection)) {
        refuse(connection->input->tap);
        disconnect(connection);
    }
}

static struct hep_connection *free_connection(struct tap_hep_input *input)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (input->connections[i].descriptor < 0)
            return &input->connections[i];
    return NULL;
}

static void connection_ready(void *argument, int descriptor, unsigned ready)
{
    struct hep_socket *socket = argument;
    struct tap_hep_input *input = socket->input;
    struct sockaddr_storage from;
    socklen_t from_length = sizeof(from);
    (void)ready;
    int accepted =
        accept4(descriptor, (struct sockaddr *)&from, &from_length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0)
        return;
    struct hep_connection *connection = is_agent(input->tap, &from) ? free_connection(input) : NULL;
    char *bytes = connection != NULL ? malloc(TAP_HEP_MAX) : NULL;
    if (bytes == NULL) {
        refuse(input->tap);
        close(accepted);
        return;
    }
    connection->descriptor = accepted;
    connection->bytes = bytes;
    connection->length = 0;
    if (rt_watch_create(input->tap->loop, accepted, RT_READABLE, stream_ready, connection,
                        &connection->watch) != 0)
        disconnect(connection);
}

/* ---- opening ------------------------------------------------------------------------------- */

static int open_socket(const struct conf_address *address, int type)
{
    const int on = 1, room = RECEIVE_BUFFER;
    int descriptor = socket(address->socket.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;
    if (type == SOCK_STREAM)
        (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    else
        (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (bind(descriptor, &address->socket.any, address->length) == 0 &&
        (type == SOCK_DGRAM || listen(descriptor, BACKLOG) == 0))
        return descriptor;
    int error = -errno;
    close(descriptor);
    return error;
}

static int add_socket(struct tap_hep_input *input, const struct conf_address *address, int type,
                      rt_ready_fn *ready)
{
    struct hep_socket *socket = &input->sockets[input->socket_count];
    int descriptor = open_socket(address, type);
    if (descriptor < 0)
        return descriptor;
    socket->input = input;
    socket->descriptor = descriptor;
    input->socket_count++;
    return rt_watch_create(input->tap->loop, descriptor, RT_READABLE, ready, socket,
                           &socket->watch);
}

int tap_hep_open(struct daemon_tap *tap, const struct conf_address_list *addresses,
                 struct tap_hep_input **input)
{
    struct tap_hep_input *created = calloc(1, sizeof(*created));
    int error = 0;
    if (created == NULL)
        return -ENOMEM;
    created->tap = tap;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        created->connections[i] = (struct hep_connection){.input = created, .descriptor = -1};
    for (size_t i = 0; error == 0 && i < addresses->count; i++) {
        char text[TP_ADDRESS_TEXT];
        struct buffer shown = buffer_over(text, sizeof(text));
        error = add_socket(created, &addresses->items[i], SOCK_DGRAM, datagrams_ready);
        if (error == 0)
            error = add_socket(created, &addresses->items[i], SOCK_STREAM, connection_ready);
        conf_address_append(&shown, &addresses->items[i]);
        if (error != 0)
            log_error("tap", "cannot receive HEP on %.*s: %s", SLICE_ARGS(buffer_slice(&shown)),
                      error_text(error));
    }
    if (error != 0) {
        tap_hep_close(created);
        return error;
    }
    *input = created;
    return 0;
}

void tap_hep_close(struct tap_hep_input *input)
{
    if (input == NULL)
        return;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        disconnect(&input->connections[i]);
    for (size_t i = 0; i < input->socket_count; i++) {
        if (input->sockets[i].watch != NULL)
            rt_watch_destroy(input->sockets[i].watch);
        close(input->sockets[i].descriptor);
    }
    free(input);
}
