/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
/* Wants struct timespec to be known. */
#include <linux/errqueue.h>

#include "transport_int.h"

enum {
    /* A UDP payload is at most 65527 bytes (16 bits of length, 8 of header), so with buffers of
     * this size the kernel never cuts one. */
    BUFFER_BYTES = 65536,
    /* Buffers that all start at one page offset would fight over the same few cache sets; 17 lines
     * more spread the first kilobyte of a batch over all of them. */
    BUFFER_STRIDE = BUFFER_BYTES + 17 * 64,
    /* For each turn of the loop: then the other sockets, rings and timers have theirs. */
    BATCHES_PER_TURN = 4,
    QUEUED_DATAGRAM_BYTES = 1792, /* of kernel memory, on average */
    ERRORS_PER_TURN = 64
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

/*
 * A full batch says that more may be waiting. The kernel tells the memory that its queue takes,
 * which for SIP's few hundred to 1500 bytes is 1280 or 2304 a datagram: the estimate is off by a
 * third at most, in exchange for one system call in 32 datagrams and none at ordinary load.
 */
static void estimate_backlog(struct endpoint *endpoint, int descriptor, bool full,
                             uint64_t spent_us)
{
    struct tp_worker *worker = endpoint->worker;
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof(memory);
    uint64_t waiting = 0;
    if (full && getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, memory, &length) == 0)
        waiting = memory[SK_MEMINFO_RMEM_ALLOC] / QUEUED_DATAGRAM_BYTES;
    endpoint->backlog = waiting;
    if (spent_us > 0) {
        uint64_t each_ns = spent_us * 1000 / worker->receiver->batch;
        worker->datagram_ns =
            worker->datagram_ns == 0 ? each_ns : (worker->datagram_ns * 7 + each_ns) / 8;
    }
    uint64_t total = 0;
    for (size_t i = 0; i < worker->group->settings.listener_count; i++)
        total += worker->endpoints[i].backlog;
    worker->backlog_us = total * worker->datagram_ns / 1000;
}

static void deliver(struct endpoint *endpoint, size_t place, uint64_t now_us)
{
    struct tp_worker *worker = endpoint->worker;
    const struct mmsghdr *header = &worker->receiver->headers[place];
    struct tp_packet packet = {
        .bytes = slice_make(header->msg_hdr.msg_iov->iov_base, header->msg_len),
        .listener = endpoint->listener,
        .protocol = TP_PROTOCOL_UDP,
        .received_us = now_us,
        .backlog_us = worker->backlog_us,
    };
    if (tp_address_from_sockaddr(header->msg_hdr.msg_name, &packet.source) == 0)
        (void)tp_steering_deliver(worker, &packet);
}

/* The kernel's report on one datagram: whether it could not be delivered at all. */
static bool is_unreachable(struct msghdr *header)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL;
         part = CMSG_NXTHDR(header, part)) {
        bool v4 = part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR;
        bool v6 = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR;
        struct sock_extended_err report;
        if (!v4 && !v6)
            continue;
        memcpy(&report, CMSG_DATA(part), sizeof(report));
        return (report.ee_origin == SO_EE_ORIGIN_ICMP || report.ee_origin == SO_EE_ORIGIN_ICMP6) &&
               (report.ee_errno == ECONNREFUSED || report.ee_errno == EHOSTUNREACH ||
                report.ee_errno == ENETUNREACH);
    }
    return false;
}

/*
 * Takes what ICMP has said about earlier datagrams off the socket, which stays readable until then.
 * The datagram that is quoted does not matter, only where it was sent to.
 */
static void take_errors(struct endpoint *endpoint, int descriptor)
{
    struct tp_worker *worker = endpoint->worker;
    for (unsigned i = 0; i < ERRORS_PER_TURN; i++) {
        struct sockaddr_storage to;
        _Alignas(struct cmsghdr) char control[512];
        char byte;
        struct iovec vector = {&byte, sizeof(byte)};
        struct msghdr header = {
            .msg_name = &to,
            .msg_namelen = sizeof(to),
            .msg_iov = &vector,
            .msg_iovlen = 1,
            .msg_control = control,
            .msg_controllen = sizeof(control),
        };
        struct tp_address address;
        if (recvmsg(descriptor, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            return;
        stats_count(worker->stats, STATS_ICMP_ERRORS);
        if (worker->events.unreachable != NULL && header.msg_namelen > 0 &&
            is_unreachable(&header) &&
            tp_address_from_sockaddr((struct sockaddr *)&to, &address) == 0)
            worker->events.unreachable(worker->argument, &address);
    }
}

void tp_udp_ready(void *argument, int descriptor, unsigned ready)
{
    (void)ready;
    struct endpoint *endpoint = argument;
    struct tp_worker *worker = endpoint->worker;
    uint64_t before_us = 0; /* when the full batch before was taken */
    for (unsigned batch = 0; batch < BATCHES_PER_TURN; batch++) {
        int count = receive_batch(worker->receiver, descriptor);
        /* Ready without a datagram: ICMP has something to say about an earlier one. Any other error
         * is the same and gone once read. */
        if (count <= 0) {
            if (batch == 0)
                take_errors(endpoint, descriptor);
            if (count == -EAGAIN)
                return;
            continue;
        }

        /* The turn began when the first batch was found. */
        uint64_t now_us = batch == 0 ? rt_loop_now(worker->loop) : rt_loop_refresh(worker->loop);
        bool full = (size_t)count == worker->receiver->batch;
        if (full || endpoint->backlog > 0)
            estimate_backlog(endpoint, descriptor, full, before_us != 0 ? now_us - before_us : 0);
        before_us = full ? now_us : 0;
        stats_add(worker->stats, STATS_DATAGRAMS_RECEIVED, (uint64_t)count);
        for (size_t i = 0; i < (size_t)count; i++)
            deliver(endpoint, i, now_us);
        tp_worker_finish_batch(worker);
        bool paused = endpoint->watch == NULL;
        if (paused || !full)
            return;
    }
}
