/* SPDX-License-Identifier: Apache-2.0 */
/* Links over connections, plain or with TLS: one to the proxy, or those that it opens to us. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "generator.h"

#define CONNECTIONS  64
#define INPUT_BYTES  (1 << 18)
#define OUTPUT_BYTES (1 << 20)
#define LONGEST_SEND 16384

struct connection {
    int descriptor;
    SSL *ssl;
    size_t in_length;
    size_t out_start;
    size_t out_length;
    char in[INPUT_BYTES];
    char out[OUTPUT_BYTES];
};

struct generator_stream {
    int listener;  /* -1: none */
    bool connects; /* the first connection is ours */
    const struct generator_settings *settings;
    struct sockaddr_in own;
    struct sockaddr_in to;
    int poller;
    SSL_CTX *context; /* NULL: plain */
    unsigned ours;    /* of those that connect: its place */
    unsigned current; /* what is pushed goes there: who spoke last; if it is gone, nowhere */
    struct connection *connections[CONNECTIONS];
    char room[GENERATOR_MESSAGE];
};

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "generator: %s: %s\n", what, strerror(errno));
    exit(1);
}

static SSL_CTX *make_context(const struct generator_settings *settings)
{
    if (!settings->tls)
        return NULL;
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (context == NULL ||
        SSL_CTX_use_certificate_chain_file(context, settings->certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, settings->key, SSL_FILETYPE_PEM) != 1)
        give_up("certificate");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    return context;
}

static void release(struct connection *connection)
{
    SSL_free(connection->ssl);
    close(connection->descriptor);
    free(connection);
}

/* The handshake is the only thing that blocks. */
static unsigned add(struct generator_stream *stream, int descriptor, bool accepted)
{
    const int on = 1;
    struct connection *connection = generator_zeroed(1, sizeof(*connection));
    unsigned place = 0;
    while (place < CONNECTIONS && stream->connections[place] != NULL)
        place++;
    if (place == CONNECTIONS)
        give_up("connections");
    connection->descriptor = descriptor;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (stream->context != NULL) {
        connection->ssl = SSL_new(stream->context);
        SSL_set_fd(connection->ssl, descriptor);
        if ((accepted ? SSL_accept(connection->ssl) : SSL_connect(connection->ssl)) != 1) {
            if (!stream->settings->steer)
                give_up("handshake");
            release(connection);
            return CONNECTIONS;
        }
    }
    (void)fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = place};
    if (epoll_ctl(stream->poller, EPOLL_CTL_ADD, descriptor, &event) != 0)
        give_up("epoll");
    stream->current = place;
    stream->connections[place] = connection;
    return place;
}

static bool place_is_empty(const struct generator_stream *stream, unsigned place)
{
    return place >= CONNECTIONS || stream->connections[place] == NULL;
}

static int open_socket(const struct sockaddr_in *own)
{
    const int on = 1;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        give_up("socket");
    (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(descriptor, (const struct sockaddr *)own, sizeof(*own)) != 0)
        give_up("bind");
    return descriptor;
}

/* Ours, to the proxy. */
static void connect_to(struct generator_stream *stream)
{
    int descriptor = open_socket(&stream->own);
    if (connect(descriptor, (const struct sockaddr *)&stream->to, sizeof(stream->to)) == 0) {
        stream->ours = add(stream, descriptor, false);
        return;
    }
    if (!stream->settings->steer)
        give_up("connect");
    close(descriptor);
}

struct generator_stream *stream_open(const struct generator_settings *settings,
                                     const struct sockaddr_in *own, const struct sockaddr_in *to)
{
    struct generator_stream *stream = generator_zeroed(1, sizeof(*stream));
    stream->settings = settings;
    stream->ours = CONNECTIONS;
    stream->listener = -1;
    stream->own = *own;
    stream->poller = epoll_create1(EPOLL_CLOEXEC);
    stream->context = make_context(settings);
    stream->connects = to != NULL;
    if (to != NULL) {
        stream->to = *to;
        connect_to(stream);
    }
    if (to != NULL && !settings->steer)
        return stream;
    /* RFC 3261 section 18.2.2: when a connection has gone, answers come by another. */
    int descriptor = open_socket(own);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = CONNECTIONS};
    if (listen(descriptor, CONNECTIONS) != 0 ||
        epoll_ctl(stream->poller, EPOLL_CTL_ADD, descriptor, &event) != 0)
        give_up("listen");
    stream->listener = descriptor;
    return stream;
}

int stream_descriptor(const struct generator_stream *stream)
{
    return stream->poller;
}

char *stream_room(struct generator_stream *stream)
{
    return stream->room;
}

/* Requests go by our own connection, answers back to who spoke last or, when that one is gone, by
 * any. NULL: there is none. */
static struct connection *way_out(struct generator_stream *stream)
{
    unsigned place = stream->connects ? stream->ours : stream->current;
    for (unsigned i = 0; i < CONNECTIONS && !stream->connects && place_is_empty(stream, place); i++)
        place = i;
    return place_is_empty(stream, place) ? NULL : stream->connections[place];
}

void stream_push(struct generator_stream *stream, size_t length)
{
    struct connection *connection = way_out(stream);
    if (connection == NULL)
        return;
    if (connection->out_start + connection->out_length + length > OUTPUT_BYTES) {
        memmove(connection->out, connection->out + connection->out_start, connection->out_length);
        connection->out_start = 0;
        if (connection->out_length + length > OUTPUT_BYTES)
            give_up("the proxy does not read");
    }
    memcpy(connection->out + connection->out_start + connection->out_length, stream->room, length);
    connection->out_length += length;
}

static ssize_t put(const struct connection *connection, const char *bytes, size_t length)
{
    if (connection->ssl == NULL)
        return send(connection->descriptor, bytes, length, MSG_NOSIGNAL);
    size_t done = 0;
    return SSL_write_ex(connection->ssl, bytes, length, &done) == 1 ? (ssize_t)done : -1;
}

/* 0: the connection is over; -1: there is nothing yet. */
static ssize_t get(const struct connection *connection, char *memory, size_t size)
{
    size_t done = 0;
    if (connection->ssl == NULL) {
        ssize_t got = recv(connection->descriptor, memory, size, 0);
        return got < 0 && errno != EAGAIN ? 0 : got;
    }
    int result = SSL_read_ex(connection->ssl, memory, size, &done);
    if (result == 1)
        return (ssize_t)done;
    int error = SSL_get_error(connection->ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

void stream_flush(struct generator_stream *stream)
{
    if (stream->connects && place_is_empty(stream, stream->ours))
        connect_to(stream);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = stream->connections[i];
        while (connection != NULL && connection->out_length > 0) {
            size_t length =
                connection->out_length < LONGEST_SEND ? connection->out_length : LONGEST_SEND;
            ssize_t done = put(connection, connection->out + connection->out_start, length);
            if (done <= 0)
                break;
            connection->out_start += (size_t)done;
            connection->out_length -= (size_t)done;
        }
        if (connection != NULL && connection->out_length == 0)
            connection->out_start = 0;
    }
}

/* Whoever connects is there again at once. */
static void drop(struct generator_stream *stream, unsigned place)
{
    release(stream->connections[place]);
    stream->connections[place] = NULL;
    if (stream->connects && stream->ours == place)
        connect_to(stream);
}

void stream_reset(struct generator_stream *stream)
{
    static const char part[] = "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/TCP 127.0";
    const struct linger at_once = {.l_onoff = 1};
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = stream->connections[i];
        if (connection == NULL)
            continue;
        (void)put(connection, part, strlen(part));
        (void)setsockopt(connection->descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        drop(stream, i);
    }
}

/* The length of the first message; 0: it is not whole. */
static size_t whole(const char *bytes, size_t length)
{
    static const char header[] = "\r\nContent-Length: ";
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    size_t head = (size_t)(end - bytes) + 4;
    const char *body = memmem(bytes, head, header, sizeof(header) - 1);
    size_t total = head + (body != NULL ? strtoul(body + sizeof(header) - 1, NULL, 10) : 0);
    return total <= length ? total : 0;
}

static int hand_over(struct connection *connection, generator_receive_fn *receive, void *argument)
{
    uint64_t now = generator_now();
    size_t at = 0, length;
    int count = 0;
    while ((length = whole(connection->in + at, connection->in_length - at)) > 0) {
        receive(argument, connection->in + at, length, now);
        at += length;
        count++;
    }
    connection->in_length -= at;
    memmove(connection->in, connection->in + at, connection->in_length);
    return count;
}

static int read_from(struct generator_stream *stream, unsigned place, generator_receive_fn *receive,
                     void *argument)
{
    struct connection *connection = stream->connections[place];
    int count = 0;
    ssize_t got;
    if (connection == NULL)
        return 0;
    stream->current = place;
    do {
        got = get(connection, connection->in + connection->in_length,
                  INPUT_BYTES - connection->in_length);
        if (got > 0) {
            connection->in_length += (size_t)got;
            count += hand_over(connection, receive, argument);
        }
    } while (got > 0 && connection->ssl != NULL && SSL_has_pending(connection->ssl));
    if (got == 0 && !stream->settings->steer)
        give_up("the proxy has closed a connection");
    if (got == 0)
        drop(stream, place);
    return count;
}

int stream_receive(struct generator_stream *stream, generator_receive_fn *receive, void *argument)
{
    struct epoll_event ready[CONNECTIONS];
    int count = 0;
    int found = epoll_wait(stream->poller, ready, CONNECTIONS, 0);
    for (int i = 0; i < found; i++) {
        if (ready[i].data.u32 == CONNECTIONS) {
            int accepted = accept4(stream->listener, NULL, NULL, SOCK_CLOEXEC);
            if (accepted >= 0)
                (void)add(stream, accepted, true);
            continue;
        }
        count += read_from(stream, ready[i].data.u32, receive, argument);
    }
    return count;
}

void stream_close(struct generator_stream *stream)
{
    for (unsigned i = 0; i < CONNECTIONS; i++)
        if (stream->connections[i] != NULL)
            release(stream->connections[i]);
    if (stream->listener >= 0)
        close(stream->listener);
    close(stream->poller);
    SSL_CTX_free(stream->context);
    free(stream);
}
