/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH         64
#define KERNEL_BUFFER (16 << 20)
#define SEND_ATTEMPTS 1000

struct generator_link {
    struct generator_stream *stream;  /* NULL: datagrams */
    struct generator_network *inward; /* NULL: a good one */
    struct generator_network *outward;
    int descriptor;
    unsigned queued;
    uint64_t unsent;
    struct sockaddr_in to;
    struct mmsghdr out[BATCH];
    struct iovec out_vector[BATCH];
    char out_bytes[BATCH][GENERATOR_MESSAGE];
};

/* What arrives is used up before the next batch, so all links share one. */
static struct mmsghdr in[BATCH];
static struct iovec in_vector[BATCH];
static char in_bytes[BATCH][GENERATOR_MESSAGE];

uint64_t generator_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * GENERATOR_SECOND + (uint64_t)now.tv_nsec;
}

static void prepare(struct generator_link *link)
{
    for (unsigned i = 0; i < BATCH; i++) {
        link->out_vector[i].iov_base = link->out_bytes[i];
        link->out[i].msg_hdr = (struct msghdr){.msg_iov = &link->out_vector[i],
                                               .msg_iovlen = 1,
                                               .msg_name = &link->to,
                                               .msg_namelen = sizeof(link->to)};
        in_vector[i] = (struct iovec){in_bytes[i], GENERATOR_MESSAGE};
        in[i].msg_hdr = (struct msghdr){.msg_iov = &in_vector[i], .msg_iovlen = 1};
    }
}

struct generator_link *link_open(const struct generator_settings *settings,
                                 const struct sockaddr_in *own, const struct sockaddr_in *to,
                                 bool called)
{
    struct generator_link *link = generator_zeroed(1, sizeof(*link));
    link->to = *to;
    if (settings->tcp || settings->tls) {
        link->stream = stream_open(settings, own, called ? NULL : to);
        return link;
    }
    link->descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* Without the privilege the kernel's limit holds, and a burst may be lost. */
    int size = KERNEL_BUFFER;
    (void)setsockopt(link->descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    (void)setsockopt(link->descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    if (bind(link->descriptor, (const struct sockaddr *)own, sizeof(*own)) != 0) {
        char text[INET_ADDRSTRLEN];
        fprintf(stderr, "generator: cannot bind %s:%d: %s\n",
                inet_ntop(AF_INET, &own->sin_addr, text, sizeof(text)), ntohs(own->sin_port),
                strerror(errno));
        exit(1);
    }
    prepare(link);
    link->inward = network_create(settings);
    link->outward = network_create(settings);
    return link;
}

int link_descriptor(const struct generator_link *link)
{
    return link->stream != NULL ? stream_descriptor(link->stream) : link->descriptor;
}

char *link_room(struct generator_link *link)
{
    if (link->stream != NULL)
        return stream_room(link->stream);
    if (link->queued == BATCH)
        link_flush(link);
    return link->out_bytes[link->queued];
}

void link_push(struct generator_link *link, size_t length)
{
    if (link->stream != NULL) {
        stream_push(link->stream, length);
        return;
    }
    enum network_fate fate = link->outward != NULL ? network_draw(link->outward) : NETWORK_PASSES;
    char *room = link->out_bytes[link->queued];
    if (fate == NETWORK_LATE)
        network_keep(link->outward, room, length, generator_now());
    if (fate == NETWORK_LATE || fate == NETWORK_LOST)
        return;
    link->out_vector[link->queued++].iov_len = length;
    if (fate == NETWORK_DOUBLED) {
        memcpy(link_room(link), room, length);
        link->out_vector[link->queued++].iov_len = length;
    }
}

static void send_queued(struct generator_link *link)
{
    unsigned sent = 0;
    unsigned attempts = 0;
    while (sent < link->queued) {
        int done = sendmmsg(link->descriptor, link->out + sent, link->queued - sent, 0);
        if (done > 0) {
            sent += (unsigned)done;
        } else if (attempts++ >= SEND_ATTEMPTS) {
            link->unsent++;
            sent++;
        }
    }
    link->queued = 0;
}

void link_flush(struct generator_link *link)
{
    const char *bytes;
    size_t length;
    if (link->stream != NULL) {
        stream_flush(link->stream);
        return;
    }
    while (link->outward != NULL &&
           (length = network_due(link->outward, generator_now(), &bytes)) > 0) {
        memcpy(link_room(link), bytes, length);
        link->out_vector[link->queued++].iov_len = length;
    }
    send_queued(link);
}

/* Through a bad network; returns how many have come out of it. */
static int hand_over_some(struct generator_link *link, int count, uint64_t now,
                          generator_receive_fn *receive, void *argument)
{
    const char *bytes;
    size_t length;
    int handed = 0;
    for (int i = 0; i < count; i++) {
        enum network_fate fate = network_draw(link->inward);
        if (fate == NETWORK_LATE)
            network_keep(link->inward, in_bytes[i], in[i].msg_len, now);
        for (int times = fate == NETWORK_DOUBLED ? 2 : fate == NETWORK_PASSES; times > 0; times--) {
            receive(argument, in_bytes[i], in[i].msg_len, now);
            handed++;
        }
    }
    for (; (length = network_due(link->inward, now, &bytes)) > 0; handed++)
        receive(argument, bytes, length, now);
    return handed;
}

int link_receive(struct generator_link *link, generator_receive_fn *receive, void *argument)
{
    if (link->stream != NULL)
        return stream_receive(link->stream, receive, argument);
    int count = recvmmsg(link->descriptor, in, BATCH, MSG_DONTWAIT, NULL);
    if (link->inward != NULL)
        return hand_over_some(link, count, generator_now(), receive, argument);
    if (count <= 0)
        return 0;
    uint64_t now = generator_now();
    for (int i = 0; i < count; i++)
        receive(argument, in_bytes[i], in[i].msg_len, now);
    return count;
}

uint64_t link_unsent(const struct generator_link *link)
{
    return link->unsent;
}

void link_slow_down(struct generator_link *link, uint64_t delay)
{
    if (link->inward != NULL)
        network_slow_down(link->inward, delay);
}

void link_reset(struct generator_link *link)
{
    if (link->stream != NULL)
        stream_reset(link->stream);
}

void link_close(struct generator_link *link)
{
    network_destroy(link->inward);
    network_destroy(link->outward);
    if (link->stream != NULL)
        stream_close(link->stream);
    else
        close(link->descriptor);
    free(link);
}
