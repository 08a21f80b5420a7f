/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_int.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    WRITE_BATCH = 32, /* lines for one call of the kernel */
    WRITE_ROUNDS = 8, /* calls per turn of the loop: one greedy reader does not hold up the rest */
    QUEUE_FIRST = 16,
    INPUT_FIRST = 512,
};

struct ctl_line {
    unsigned references;
    size_t length;
    char text[];
};

struct ctl_connection {
    int descriptor;
    struct rt_watch *watch;
    struct ctl_connection_limits limits;
    const struct ctl_connection_events *events;
    void *owner;

    /* Queue: `queued` lines from `first` on, around the end; the first may be partly sent. */
    struct ctl_line **queue;
    size_t queue_capacity;
    size_t queue_first;
    size_t queued;
    size_t queued_bytes;
    size_t first_sent;
    uint64_t sent;

    /* Bytes [input_first, input_length) are still to be handed out. */
    char *input;
    size_t input_capacity;
    size_t input_first;
    size_t input_length;
    size_t input_searched; /* no line break before this position */

    bool at_end;   /* the peer sends no more */
    bool told_end; /* and the owner knows */
    bool deaf;     /* a line was too long, or the owner wants no more */
    bool paused;
    bool finishing;
    bool *destroyed; /* set while a callback may destroy us */
};

/* ---- lines -------------------------------------------------------------------------------- */

int ctl_line_create(struct slice text, struct ctl_line **line)
{
    struct ctl_line *made = malloc(sizeof(*made) + text.length);
    if (made == NULL)
        return -ENOMEM;
    made->references = 1;
    made->length = text.length;
    if (text.length > 0)
        memcpy(made->text, text.data, text.length);
    *line = made;
    return 0;
}

void ctl_line_release(struct ctl_line *line)
{
    if (line == NULL)
        return;
    assert(line->references > 0);
    if (--line->references == 0)
        free(line);
}

size_t ctl_line_length(const struct ctl_line *line)
{
    return line->length;
}

/* ---- queue -------------------------------------------------------------------------------- */

static struct ctl_line **queue_at(const struct ctl_connection *connection, size_t index)
{
    return &connection->queue[(connection->queue_first + index) % connection->queue_capacity];
}

static void drop_first(struct ctl_connection *connection)
{
    struct ctl_line *line = *queue_at(connection, 0);
    connection->queued_bytes -= line->length;
    connection->queue_first = (connection->queue_first + 1) % connection->queue_capacity;
    connection->queued--;
    connection->first_sent = 0;
    ctl_line_release(line);
}

static int grow_queue(struct ctl_connection *connection)
{
    size_t capacity = connection->queue_capacity > 0 ? connection->queue_capacity * 2 : QUEUE_FIRST;
    struct ctl_line **larger = calloc(capacity, sizeof(struct ctl_line *));
    if (larger == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < connection->queued; i++)
        larger[i] = *queue_at(connection, i);
    free(connection->queue);
    connection->queue = larger;
    connection->queue_capacity = capacity;
    connection->queue_first = 0;
    return 0;
}

static unsigned wanted_interest(const struct ctl_connection *connection)
{
    unsigned interest = 0;
    if (!connection->at_end && !connection->deaf && !connection->paused)
        interest |= RT_READABLE;
    if (connection->queued > 0 || connection->finishing)
        interest |= RT_WRITABLE;
    return interest;
}

/* The watch of a live descriptor cannot refuse a change of interest but for lack of memory; then
 * the next change sets it right. */
static void renew_interest(struct ctl_connection *connection)
{
    int error = rt_watch_set(connection->watch, wanted_interest(connection));
    (void)error;
}

bool ctl_connection_has_room(const struct ctl_connection *connection, size_t bytes,
                             unsigned divisor)
{
    return connection->queued == 0 ||
           connection->queued_bytes + bytes <= connection->limits.queue / divisor;
}

int ctl_connection_send(struct ctl_connection *connection, struct ctl_line *line)
{
    if (!ctl_connection_has_room(connection, line->length, 1))
        return -ENOBUFS;
    if (connection->queued == connection->queue_capacity && grow_queue(connection) != 0)
        return -ENOMEM;
    *queue_at(connection, connection->queued) = line;
    line->references++;
    connection->queued++;
    connection->queued_bytes += line->length;
    if (connection->queued == 1)
        renew_interest(connection);
    return 0;
}

static size_t gather(const struct ctl_connection *connection, struct iovec *parts)
{
    size_t count = connection->queued < WRITE_BATCH ? connection->queued : WRITE_BATCH;
    for (size_t i = 0; i < count; i++) {
        struct ctl_line *line = *queue_at(connection, i);
        size_t skip = i == 0 ? connection->first_sent : 0;
        parts[i] = (struct iovec){line->text + skip, line->length - skip};
    }
    return count;
}

static void mark_sent(struct ctl_connection *connection, size_t bytes)
{
    connection->sent += bytes;
    while (connection->queued > 0) {
        size_t left = (*queue_at(connection, 0))->length - connection->first_sent;
        if (bytes < left) {
            connection->first_sent += bytes;
            return;
        }
        bytes -= left;
        drop_first(connection);
    }
}

/* -EAGAIN when the peer takes no more for now; other codes: it is gone. */
static int write_queue(struct ctl_connection *connection)
{
    for (int round = 0; round < WRITE_ROUNDS && connection->queued > 0; round++) {
        struct iovec parts[WRITE_BATCH];
        struct msghdr message = {.msg_iov = parts};
        message.msg_iovlen = gather(connection, parts);
        ssize_t put = sendmsg(connection->descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
        mark_sent(connection, (size_t)put);
    }
    return 0;
}

/* ---- input -------------------------------------------------------------------------------- */

static int make_room(struct ctl_connection *connection)
{
    if (connection->input_first > 0) {
        connection->input_length -= connection->input_first;
        connection->input_searched -= connection->input_first;
        memmove(connection->input, connection->input + connection->input_first,
                connection->input_length);
        connection->input_first = 0;
    }
    if (connection->input_length < connection->input_capacity)
        return 0;
    size_t capacity = connection->input_capacity > 0 ? connection->input_capacity * 2 : INPUT_FIRST;
    if (capacity > connection->limits.line + 1)
        capacity = connection->limits.line + 1; /* one more for the line break */
    if (capacity <= connection->input_length)
        return -EMSGSIZE;
    char *larger = realloc(connection->input, capacity);
    if (larger == NULL)
        return -ENOMEM;
    connection->input = larger;
    connection->input_capacity = capacity;
    return 0;
}

/* One read per turn. -EMSGSIZE: a line is too long. */
static int read_input(struct ctl_connection *connection)
{
    int error = make_room(connection);
    if (error != 0)
        return error;
    ssize_t got = recv(connection->descriptor, connection->input + connection->input_length,
                       connection->input_capacity - connection->input_length, MSG_DONTWAIT);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    connection->input_length += (size_t)got;
    connection->at_end = got == 0;
    return 0;
}

/* Takes the next whole line out; after the end of input also one without a line break. */
static bool take_line(struct ctl_connection *connection, struct slice *line)
{
    if (connection->input_length == connection->input_first)
        return false;
    struct slice input = slice_make(connection->input, connection->input_length);
    struct slice rest = slice_from(input, connection->input_searched);
    size_t past = connection->input_searched + slice_find(rest, '\n');
    if (past == input.length && !connection->at_end) {
        connection->input_searched = past;
        return false;
    }
    *line = slice_between(input.data + connection->input_first, input.data + past);
    connection->input_first = past < input.length ? past + 1 : past;
    connection->input_searched = connection->input_first;
    if (line->length > 0 && line->data[line->length - 1] == '\r')
        line->length--;
    return true;
}

/* Hands out whole lines until one pauses us. False when a callback destroyed the connection. */
static bool deliver_lines(struct ctl_connection *connection, const bool *destroyed)
{
    struct slice line;
    while (!connection->paused && !connection->finishing && take_line(connection, &line)) {
        connection->events->line(connection->owner, line);
        if (*destroyed)
            return false;
    }
    return true;
}

static void tell_end(struct ctl_connection *connection)
{
    if (!connection->at_end || connection->told_end || connection->paused)
        return;
    connection->told_end = true;
    if (connection->events->ended != NULL)
        connection->events->ended(connection->owner);
}

/* ---- readiness ---------------------------------------------------------------------------- */

static bool peer_is_gone(const struct ctl_connection *connection)
{
    struct pollfd state = {.fd = connection->descriptor};
    return poll(&state, 1, 0) == 1 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

/* Each step may end with the connection destroyed (`*destroyed`) or closed; false stops. */
static bool handle_writable(struct ctl_connection *connection, const bool *destroyed)
{
    bool had_lines = connection->queued > 0;
    int error = write_queue(connection);
    if ((error != 0 && error != -EAGAIN) || (connection->queued == 0 && connection->finishing)) {
        connection->events->closed(connection->owner);
        return false;
    }
    if (had_lines && connection->queued == 0 && connection->events->drained != NULL)
        connection->events->drained(connection->owner);
    return !*destroyed;
}

static bool handle_readable(struct ctl_connection *connection, const bool *destroyed)
{
    int error = read_input(connection);
    if (error == -EMSGSIZE) {
        connection->deaf = true;
        connection->events->line_too_long(connection->owner);
        return !*destroyed;
    }
    if (error != 0 || (connection->at_end && peer_is_gone(connection))) {
        connection->events->closed(connection->owner);
        return false;
    }
    return true;
}

static void on_ready(void *argument, int descriptor, unsigned ready)
{
    struct ctl_connection *connection = argument;
    bool destroyed = false;
    (void)descriptor;
    connection->destroyed = &destroyed;
    if ((ready & RT_WRITABLE) != 0 && !handle_writable(connection, &destroyed))
        goto out;
    if ((ready & RT_READABLE) != 0 && !handle_readable(connection, &destroyed))
        goto out;
    if (deliver_lines(connection, &destroyed))
        tell_end(connection);
out:
    if (destroyed)
        return;
    connection->destroyed = NULL;
    renew_interest(connection);
}

/* ---- life --------------------------------------------------------------------------------- */

int ctl_connection_create(struct rt_loop *loop, int descriptor,
                          const struct ctl_connection_limits *limits,
                          const struct ctl_connection_events *events, void *owner,
                          struct ctl_connection **connection)
{
    struct ctl_connection *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        close(descriptor);
        return -ENOMEM;
    }
    made->descriptor = descriptor;
    made->limits = *limits;
    made->events = events;
    made->owner = owner;
    int error = rt_watch_create(loop, descriptor, RT_READABLE, on_ready, made, &made->watch);
    if (error != 0) {
        ctl_connection_destroy(made);
        return error;
    }
    *connection = made;
    return 0;
}

int ctl_connection_descriptor(const struct ctl_connection *connection)
{
    return connection->descriptor;
}

uint64_t ctl_connection_sent(const struct ctl_connection *connection)
{
    return connection->sent;
}

bool ctl_connection_is_idle(const struct ctl_connection *connection)
{
    return connection->queued == 0;
}

void ctl_connection_pause(struct ctl_connection *connection, bool paused)
{
    connection->paused = paused;
    if (connection->destroyed == NULL)
        renew_interest(connection);
}

void ctl_connection_finish(struct ctl_connection *connection)
{
    connection->finishing = true;
    connection->deaf = true;
    if (connection->destroyed == NULL)
        renew_interest(connection);
}

void ctl_connection_destroy(struct ctl_connection *connection)
{
    if (connection == NULL)
        return;
    if (connection->destroyed != NULL)
        *connection->destroyed = true;
    if (connection->watch != NULL)
        rt_watch_destroy(connection->watch);
    close(connection->descriptor);
    while (connection->queued > 0)
        drop_first(connection);
    free(connection->queue);
    free(connection->input);
    free(connection);
}
