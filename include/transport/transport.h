/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport: datagrams in batches, and every message to the worker that owns its call.
 *
 * A tp_group holds what the process shares: listeners, sockets (one per listener and worker,
 * SO_REUSEPORT) and the rings between workers. A tp_worker is one worker's side of it. The owner of
 * a message is a keyed hash of its Call-ID; a datagram that the kernel gave to another worker
 * crosses once over a ring. Replies leave from the listener that received.
 */
#ifndef RINGFENCE_TRANSPORT_TRANSPORT_H
#define RINGFENCE_TRANSPORT_TRANSPORT_H

#include "base/hash.h"
#include "runtime/loop.h"
#include "stats/counters.h"
#include "transport/address.h"

#define TP_LISTENER_LIMIT 64
#define TP_DATAGRAM_LIMIT 65535

/* One `listen` entry of the configuration; texts live as long as the group. */
struct tp_listener_settings {
    struct tp_address address;   /* no wildcard: replies must leave from a known address */
    struct slice advertise;      /* "host" or "host:port" put into Via and Record-Route */
    struct slice network;        /* the name of the network that it stands in */
    const struct slice *aliases; /* other "host[:port]" texts that mean this listener (NAT, VIP) */
    size_t alias_count;
};

struct tp_settings {
    const struct tp_listener_settings *listeners;
    size_t listener_count;
    size_t workers;
    uint32_t receive_buffer; /* bytes of SO_RCVBUF and SO_SNDBUF per socket */
    uint32_t send_buffer;
    uint32_t ring_bytes; /* per ring; workers * (workers - 1) rings */
    uint32_t batch;      /* datagrams per recvmmsg, 1..128 */
    struct hash_key steering_key;
};

struct tp_group;
struct tp_worker;

/* A received datagram; valid during the callback only. */
struct tp_packet {
    struct slice bytes;
    struct tp_address source;
    uint16_t listener;
    uint64_t received_us; /* the clock of the batch */
    /* How long datagrams are waiting for this worker by now, as estimated from how many are queued
     * and how fast it goes; 0 unless they queue. */
    uint64_t backlog_us;
};

struct tp_events {
    void (*received)(void *argument, const struct tp_packet *packet);
    /* A datagram with a non-zero cookie could not be sent. Called from tp_worker_flush(), never
     * from within tp_worker_send(). */
    void (*send_failed)(void *argument, uint64_t cookie, int error);
};

/* Binds everything (before privileges are dropped). On failure *bad is the index of the listener
 * that could not be opened or named (ERROR_MALFORMED), listener_count when it is none's fault.
 * -EADDRINUSE also when the address is shared by SO_REUSEPORT with another process. A listener with
 * port 0 takes a free one, to be seen in tp_group_listener(). */
int tp_group_create(const struct tp_settings *settings, struct tp_group **group,
                    size_t *bad) MUST_CHECK;
size_t tp_group_listener_count(const struct tp_group *group);
const struct tp_listener_settings *tp_group_listener(const struct tp_group *group, size_t index);

/* The listener that a "host" and port (0: the default, 5060) of a URI or Via names: its address,
 * advertise or an alias. -1 when it is none of ours. */
int tp_group_find_listener(const struct tp_group *group, struct slice host, uint16_t port);

/* The worker that owns a Call-ID. */
size_t tp_group_owner(const struct tp_group *group, struct slice call_id);
void tp_group_destroy(struct tp_group *group);

/* On the worker's own thread. */
int tp_worker_create(struct tp_group *group, size_t index, struct rt_loop *loop,
                     struct stats_shard *stats, const struct tp_events *events, void *argument,
                     struct tp_worker **worker) MUST_CHECK;

/*
 * Queues a copy of the bytes to leave from a listener. Never fails visibly: what does not go out is
 * counted and, when cookie != 0, reported by send_failed. Longer than a datagram: -EMSGSIZE at the
 * next flush. -EAGAIN and -ENOBUFS mean that the way out was full: the datagram is lost like one
 * lost further on, the address is not at fault.
 */
void tp_worker_send(struct tp_worker *worker, uint16_t listener, const struct tp_address *to,
                    struct slice bytes, uint64_t cookie);

/* Sends what is queued now (sendmmsg); one bad datagram fails alone. Called by the transport at
 * the end of each batch, and by the worker's hook after timers. */
void tp_worker_flush(struct tp_worker *worker);

/* Handles what other workers handed over; for the worker's hooks around sleep. True when there was
 * something. */
bool tp_worker_take_handed_over(struct tp_worker *worker);

/* Around sleeping: while armed, other workers ring the bell. */
void tp_worker_before_sleep(struct tp_worker *worker);
void tp_worker_after_sleep(struct tp_worker *worker);

/* Stops reading; sends are still possible. */
void tp_worker_pause(struct tp_worker *worker);
void tp_worker_destroy(struct tp_worker *worker);

#endif
