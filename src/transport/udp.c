/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "transport_int.h"

enum {
    /* A UDP payload is at most 65527 bytes (16 bits of length, 8 of header), so with buffers of
     * this size the kernel never cuts one. */
    BUFFER_BYTES = 65536,
    /* Buffers that all start at one page offset would fight over the same few cache sets; 17 lines
     * more spread the first kilobyte of a batch over all of them. */
    BUFFER_STRIDE = BUFFER_BYTES + 17 * 64,
    /* For each turn of the loop: then the other sockets, rings and timers have theirs. */
    BATCHES_PER_TURN = 4
};

struct receiver {
    unsigned char *memory; /* batch * BUFFER_STRIDE, mapped: pages never used cost nothing */
    size_t batch;
    size_t used; /* headers that the last call filled in */
    struct mmsghdr *headers;
    struct iovec *vectors;
    struct sockaddr_storage *sources;
};

static void wire_up(struct receiver *receiver)
{
    for (size_t i = 0; i < receiver->batch; i++) {
        receiver->vectors[i] = (struct iovec){receiver->memory + i * BUFFER_STRIDE, BUFFER_BYTES};
        receiver->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &receiver->sources[i],
            .msg_iov = &receiver->vectors[i],
            .msg_iovlen = 1,
        };
    }
}

int tp_receiver_create(size_t batch, struct receiver **receiver)
{
    struct receiver *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->batch = made->used = batch;
    made->headers = calloc(batch, sizeof(made->headers[0]));
    made->vectors = calloc(batch, sizeof(made->vectors[0]));
    made->sources = calloc(batch, sizeof(made->sources[0]));
    void *memory = mmap(NULL, batch * BUFFER_STRIDE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    made->memory = memory != MAP_FAILED ? memory : NULL;
    if (made->headers == NULL || made->vectors == NULL || made->sources == NULL ||
        made->memory == NULL) {
        tp_receiver_destroy(made);
        return -ENOMEM;
    }
    wire_up(made);
    *receiver = made;
    return 0;
}

void tp_receiver_destroy(struct receiver *receiver)
{
    if (receiver == NULL)
        return;
    if (receiver->memory != NULL)
        munmap(receiver->memory, receiver->batch * BUFFER_STRIDE);
    free(receiver->headers);
    free(receiver->vectors);
    free(receiver->sources);
    free(receiver);
}

static int receive_batch(struct receiver *receiver, int descriptor)
{
    for (size_t i = 0; i < receiver->used; i++)
        receiver->headers[i].msg_hdr.msg_namelen = sizeof(receiver->sources[i]);
    int count =
        recvmmsg(descriptor, receiver->headers, (unsigned)receiver->batch, MSG_DONTWAIT, NULL);
    receiver->used = count > 0 ? (size_t)count : 0;
    return count >= 0 ? count : -errno;
}

static void deliver(struct endpoint *endpoint, size_t place, uint64_t now_us)
{
    struct tp_worker *worker = endpoint->worker;
    const struct mmsghdr *header = &worker->receiver->headers[place];
    struct tp_packet packet = {
        .bytes = slice_make(header->msg_hdr.msg_iov->iov_base, header->msg_len),
        .listener = endpoint->listener,
        .received_us = now_us,
    };
    if (tp_address_from_sockaddr(header->msg_hdr.msg_name, &packet.source) == 0)
        tp_steering_deliver(worker, &packet);
}

void tp_udp_ready(void *argument, int descriptor, unsigned ready)
{
    (void)ready;
    struct endpoint *endpoint = argument;
    struct tp_worker *worker = endpoint->worker;
    for (unsigned batch = 0; batch < BATCHES_PER_TURN; batch++) {
        int count = receive_batch(worker->receiver, descriptor);
        if (count == -EAGAIN)
            return;
        /* Any other error is about an earlier datagram (ICMP) and is gone once read. */
        if (count <= 0)
            continue;

        /* The turn began when the first batch was found. */
        uint64_t now_us = batch == 0 ? rt_loop_now(worker->loop) : rt_loop_refresh(worker->loop);
        stats_add(worker->stats, STATS_DATAGRAMS_RECEIVED, (uint64_t)count);
        for (size_t i = 0; i < (size_t)count; i++)
            deliver(endpoint, i, now_us);
        tp_worker_finish_batch(worker);
        bool paused = endpoint->watch == NULL;
        if (paused || (size_t)count < worker->receiver->batch)
            return;
    }
}
