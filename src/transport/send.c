/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending: copies queue up in one slab and leave by listener, in the order in which they were
 * queued for it, with as few system calls as possible.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "transport_int.h"

enum {
    /* When either is full, what is queued leaves before the flush: so the slab stays within the
     * cache when a burst of timers sends thousands. */
    SLAB_BYTES = 256 * 1024,
    QUEUED_LIMIT = 512,
    FAILURES_INITIAL = 512,
    BURST = 64, /* datagrams in one sendmmsg() */
    /* An error may stem from an earlier datagram (ICMP), and a full socket buffer may drain: only
     * a datagram that fails each time has failed. */
    ATTEMPTS = 5,
    /* What only ICMP brings is never about this datagram. With several workers on one address the
     * kernel tells any of them of what another has sent, so a peer with a closed port, asked by
     * one, may spoil many attempts of another in a row. */
    FOREIGN_ERRORS = 1000,
    /* Failures reported in one flush may queue more; what is left waits for the next flush. */
    ROUNDS = 8,
    UNFRAGMENTED_BYTES = 1472, /* an Ethernet frame of 1500 without IPv4 and UDP headers */
    NONE = -1                  /* no index */
};

struct queued {
    uint64_t cookie;
    struct tp_address to;
    uint32_t offset; /* in the slab */
    uint32_t length;
    int32_t next; /* of the same listener, or NONE */
};

struct failure {
    uint64_t cookie;
    int error;
};

struct line {
    int descriptor;
    uint8_t family;
    int32_t first; /* NONE: nothing is queued */
    int32_t last;
};

struct sender {
    struct stats_shard *stats;
    bool reporting;

    char *slab;
    size_t slab_used;
    int32_t queued_count;
    struct queued queued[QUEUED_LIMIT];
    struct failure *failures;
    uint32_t failure_size;
    uint32_t failure_count;

    struct mmsghdr headers[BURST];
    struct iovec vectors[BURST];
    struct sockaddr_storage addresses[BURST];

    size_t line_count;
    struct line lines[TP_LISTENER_LIMIT];
};

int tp_sender_create(const struct tp_group *group, size_t worker, struct stats_shard *stats,
                     struct sender **sender)
{
    struct sender *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->stats = stats;
    made->slab = malloc(SLAB_BYTES);
    made->failure_size = FAILURES_INITIAL;
    made->failures = malloc(made->failure_size * sizeof(made->failures[0]));
    made->line_count = group->settings.listener_count;
    if (made->slab == NULL || made->failures == NULL) {
        tp_sender_destroy(made);
        return -ENOMEM;
    }
    for (size_t i = 0; i < made->line_count; i++)
        made->lines[i] = (struct line){group_socket(group, i, worker),
                                       group->settings.listeners[i].address.family, NONE, NONE};
    *sender = made;
    return 0;
}

void tp_sender_destroy(struct sender *sender)
{
    if (sender == NULL)
        return;
    free(sender->slab);
    free(sender->failures);
    free(sender);
}

void tp_sender_fail(struct sender *sender, uint64_t cookie, int error)
{
    stats_count(sender->stats, STATS_SEND_FAILED);
    if (cookie == 0)
        return;
    if (sender->failure_count == sender->failure_size) {
        uint32_t size = sender->failure_size * 2;
        struct failure *larger = realloc(sender->failures, size * sizeof(*larger));
        /* Unreported, it is like a datagram lost on the way: timers take care. */
        if (larger == NULL)
            return;
        sender->failures = larger;
        sender->failure_size = size;
    }
    sender->failures[sender->failure_count++] = (struct failure){cookie, error};
}

static int32_t fill_burst(struct sender *sender, int32_t index, unsigned *count)
{
    *count = 0;
    while (index != NONE && *count < BURST) {
        const struct queued *queued = &sender->queued[index];
        unsigned place = (*count)++;
        sender->vectors[place] = (struct iovec){sender->slab + queued->offset, queued->length};
        socklen_t length = tp_address_to_sockaddr(&queued->to, &sender->addresses[place]);
        sender->headers[place].msg_hdr = (struct msghdr){
            .msg_name = &sender->addresses[place],
            .msg_namelen = length,
            .msg_iov = &sender->vectors[place],
            .msg_iovlen = 1,
        };
        index = queued->next;
    }
    return index;
}

static void count_sent(struct sender *sender, unsigned first, unsigned count)
{
    stats_add(sender->stats, STATS_DATAGRAMS_SENT, count);
    for (unsigned i = first; i < first + count; i++)
        if (sender->vectors[i].iov_len > UNFRAGMENTED_BYTES)
            stats_count(sender->stats, STATS_DATAGRAMS_FRAGMENTED);
}

/* One datagram alone is cheaper by sendto(): the kernel has no header of a message to copy in. */
static int send_some(int descriptor, struct mmsghdr *headers, unsigned count)
{
    const struct msghdr *first = &headers->msg_hdr;
    if (count > 1)
        return sendmmsg(descriptor, headers, count, MSG_DONTWAIT);
    ssize_t sent = sendto(descriptor, first->msg_iov->iov_base, first->msg_iov->iov_len,
                          MSG_DONTWAIT, first->msg_name, first->msg_namelen);
    return sent >= 0 ? 1 : -1;
}

/* sendto(2) knows no such error of an unconnected socket itself. */
static bool is_foreign(int error)
{
    return error == -ECONNREFUSED || error == -EPROTO || error == -ENOPROTOOPT;
}

/* `index` is the first datagram of the burst that is already in headers[0..count). */
static void send_burst(struct sender *sender, int descriptor, int32_t index, unsigned count)
{
    unsigned attempts = 0, foreign = 0;
    for (unsigned done = 0; done < count;) {
        int sent = send_some(descriptor, sender->headers + done, count - done);
        int error = sent < 0 ? -errno : 0;
        unsigned passed = sent > 0 ? (unsigned)sent : 0;
        count_sent(sender, done, passed);
        if (passed > 0) {
            attempts = foreign = 0;
        } else if (is_foreign(error) && ++foreign < FOREIGN_ERRORS) {
            continue;
        } else if (error != -EINTR && ++attempts == ATTEMPTS) {
            tp_sender_fail(sender, sender->queued[index].cookie, error);
            attempts = foreign = 0;
            passed = 1;
        }
        done += passed;
        while (passed-- > 0)
            index = sender->queued[index].next;
    }
}

/* No callback is made here, so it may run from within tp_worker_send(). */
static void transmit(struct sender *sender)
{
    if (sender->queued_count == 0)
        return;
    for (size_t i = 0; i < sender->line_count; i++) {
        struct line *line = &sender->lines[i];
        for (int32_t index = line->first; index != NONE;) {
            unsigned count;
            int32_t next = fill_burst(sender, index, &count);
            send_burst(sender, line->descriptor, index, count);
            index = next;
        }
        line->first = line->last = NONE;
    }
    sender->queued_count = 0;
    sender->slab_used = 0;
}

/* Datagrams are at most TP_DATAGRAM_LIMIT long, so an empty slab takes any. */
static void make_room(struct sender *sender, size_t length)
{
    if (sender->queued_count == QUEUED_LIMIT || sender->slab_used + length > SLAB_BYTES)
        transmit(sender);
}

void tp_sender_queue(struct sender *sender, uint16_t listener, const struct tp_address *to,
                     struct slice bytes, uint64_t cookie)
{
    assert(listener < sender->line_count);
    struct line *line = &sender->lines[listener];
    if (bytes.length > TP_DATAGRAM_LIMIT || to->family != line->family) {
        tp_sender_fail(sender, cookie, to->family != line->family ? -EAFNOSUPPORT : -EMSGSIZE);
        return;
    }
    make_room(sender, bytes.length);

    int32_t index = sender->queued_count++;
    sender->queued[index] =
        (struct queued){cookie, *to, (uint32_t)sender->slab_used, (uint32_t)bytes.length, NONE};
    if (bytes.length > 0)
        memcpy(sender->slab + sender->slab_used, bytes.data, bytes.length);
    sender->slab_used += bytes.length;
    if (line->first == NONE)
        line->first = index;
    else
        sender->queued[line->last].next = index;
    line->last = index;
}

static void report(struct sender *sender, const struct tp_events *events, void *argument)
{
    uint32_t count = sender->failure_count;
    for (uint32_t i = 0; i < count; i++) {
        /* A copy: the callback may send, and so move the array. */
        struct failure failure = sender->failures[i];
        events->send_failed(argument, failure.cookie, failure.error);
    }
    sender->failure_count -= count;
    memmove(sender->failures, sender->failures + count,
            sender->failure_count * sizeof(sender->failures[0]));
}

void tp_sender_flush(struct sender *sender, const struct tp_events *events, void *argument)
{
    if (sender->reporting)
        return;
    sender->reporting = true;
    for (unsigned round = 0; round < ROUNDS; round++) {
        transmit(sender);
        if (sender->failure_count == 0)
            break;
        report(sender, events, argument);
    }
    sender->reporting = false;
}
