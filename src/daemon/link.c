/* SPDX-License-Identifier: Apache-2.0 */
#include "link_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ring.h"
#include "runtime/channel.h"

enum {
    WAITING_BYTES = 4 << 20,
    MESSAGES_PER_TURN = 128 /* then sockets and timers have their turn */
};

enum kind { KIND_PACKET = 1, KIND_CALL, KIND_CALL_ENDED, KIND_LEAVE };

/* Before the bytes of a packet or call. */
struct head {
    uint32_t kind;
    uint16_t listener;
    uint8_t protocol;
    uint64_t received_us;
    uint64_t backlog_us;
    struct tp_address source;
};

struct daemon_link {
    struct daemon_link_events events;
    void *argument;
    struct stats_shard *stats;
    struct rt_watch *watch;
    struct ring *waiting; /* whole messages that the socket had no room for */
    int descriptor;
    bool finished; /* nothing more is sent */
    bool gone;     /* the other end */
    bool closed;   /* and it has been told */
    char memory[sizeof(struct head) + TP_DATAGRAM_LIMIT];
};

/* ---- sending ------------------------------------------------------------------------------ */

static void set_interest(struct daemon_link *link, bool writable)
{
    unsigned interest = (link->closed ? 0U : RT_READABLE) | (writable ? RT_WRITABLE : 0U);
    if (rt_watch_set(link->watch, interest) != 0)
        link->gone = true;
}

static void shut_when_done(struct daemon_link *link)
{
    size_t length;
    if (link->finished && ring_peek(link->waiting, &length) == NULL)
        (void)shutdown(link->descriptor, SHUT_WR);
}

/* What waits, as far as there is room. */
static void flush(struct daemon_link *link)
{
    size_t length;
    const void *message;
    while ((message = ring_peek(link->waiting, &length)) != NULL) {
        int error = link->gone ? ERROR_NOT_FOUND
                               : rt_channel_send(link->descriptor, slice_make(message, length),
                                                 SLICE(""), NULL, 0);
        if (error == -EAGAIN)
            return;
        if (error != 0)
            link->gone = true;
        ring_release(link->waiting);
    }
    set_interest(link, false);
    shut_when_done(link);
}

static void keep_waiting(struct daemon_link *link, const struct head *head, struct slice bytes)
{
    size_t size = sizeof(*head) + bytes.length;
    char *place = ring_reserve(link->waiting, size);
    if (place == NULL) {
        stats_count(link->stats, STATS_RING_FULL);
        return;
    }
    memcpy(place, head, sizeof(*head));
    if (bytes.length > 0)
        memcpy(place + sizeof(*head), bytes.data, bytes.length);
    ring_commit(link->waiting, size);
    set_interest(link, true);
}

static bool send_message(struct daemon_link *link, const struct head *head, struct slice bytes)
{
    size_t length;
    if (link->finished || link->gone)
        return false;
    int error = -EAGAIN;
    if (ring_peek(link->waiting, &length) == NULL)
        error = rt_channel_send(link->descriptor, slice_make((const char *)head, sizeof(*head)),
                                bytes, NULL, 0);
    if (error == -EAGAIN || error == -ENOBUFS)
        keep_waiting(link, head, bytes);
    else if (error != 0)
        link->gone = true;
    return !link->gone;
}

static struct head head_of(enum kind kind)
{
    struct head head;
    memset(&head, 0, sizeof(head));
    head.kind = (uint32_t)kind;
    return head;
}

bool daemon_link_pass(struct daemon_link *link, const struct tp_packet *packet)
{
    struct head head = head_of(KIND_PACKET);
    head.listener = packet->listener;
    head.protocol = packet->protocol;
    head.received_us = packet->received_us;
    head.backlog_us = packet->backlog_us;
    head.source = packet->source;
    return send_message(link, &head, packet->bytes);
}

void daemon_link_tell(struct daemon_link *link, const struct call_handed *call, bool ended)
{
    const struct head head = head_of(ended ? KIND_CALL_ENDED : KIND_CALL);
    (void)send_message(link, &head, slice_make((const char *)call, sizeof(*call)));
}

void daemon_link_ask_to_leave(struct daemon_link *link)
{
    const struct head head = head_of(KIND_LEAVE);
    (void)send_message(link, &head, SLICE(""));
}

void daemon_link_finish(struct daemon_link *link)
{
    link->finished = true;
    shut_when_done(link);
}

/* ---- receiving ---------------------------------------------------------------------------- */

/* Without the connection that it may have come by: that is the other process's. */
static void deliver_packet(struct daemon_link *link, const struct head *head, struct slice bytes)
{
    const struct tp_packet packet = {
        .bytes = bytes,
        .source = head->source,
        .listener = head->listener,
        .protocol = head->protocol,
        .received_us = head->received_us,
        .backlog_us = head->backlog_us,
    };
    link->events.packet(link->argument, &packet);
}

static void deliver(struct daemon_link *link, size_t length)
{
    struct head head;
    if (length < sizeof(head))
        return;
    memcpy(&head, link->memory, sizeof(head));
    struct slice bytes = slice_make(link->memory + sizeof(head), length - sizeof(head));
    struct call_handed call;
    switch ((enum kind)head.kind) {
    case KIND_PACKET:
        if (link->events.packet != NULL)
            deliver_packet(link, &head, bytes);
        break;
    case KIND_CALL:
    case KIND_CALL_ENDED:
        if (link->events.call == NULL || bytes.length != sizeof(call))
            break;
        memcpy(&call, bytes.data, sizeof(call));
        link->events.call(link->argument, &call, head.kind == KIND_CALL_ENDED);
        break;
    case KIND_LEAVE:
        if (link->events.leave != NULL)
            link->events.leave(link->argument);
        break;
    }
}

void daemon_link_hear(struct daemon_link *link)
{
    for (unsigned i = 0; i < MESSAGES_PER_TURN && !link->closed; i++) {
        struct rt_channel_message message = {.memory = link->memory,
                                             .capacity = sizeof(link->memory)};
        int error = rt_channel_receive(link->descriptor, &message);
        if (error == -EAGAIN)
            return;
        if (error == 0)
            deliver(link, message.length);
        if (error == 0 || error == -EMSGSIZE)
            continue;
        link->closed = true;
        set_interest(link, false);
        link->events.closed(link->argument);
    }
}

static void on_ready(void *argument, int descriptor, unsigned ready)
{
    struct daemon_link *link = argument;
    (void)descriptor;
    if ((ready & RT_WRITABLE) != 0)
        flush(link);
    daemon_link_hear(link);
}

/* ---- life --------------------------------------------------------------------------------- */

int daemon_link_create(struct rt_loop *loop, int descriptor, struct stats_shard *stats,
                       const struct daemon_link_events *events, void *argument,
                       struct daemon_link **link)
{
    struct daemon_link *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        close(descriptor);
        return -ENOMEM;
    }
    made->events = *events;
    made->argument = argument;
    made->stats = stats;
    made->descriptor = descriptor;
    int error = ring_create(WAITING_BYTES, &made->waiting);
    if (error == 0)
        error = rt_watch_create(loop, descriptor, RT_READABLE, on_ready, made, &made->watch);
    if (error != 0) {
        daemon_link_destroy(made);
        return error;
    }
    *link = made;
    return 0;
}

void daemon_link_destroy(struct daemon_link *link)
{
    if (link == NULL)
        return;
    if (link->watch != NULL)
        rt_watch_destroy(link->watch);
    ring_destroy(link->waiting);
    close(link->descriptor);
    free(link);
}
