/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_int: the group and the worker as the files of this folder see them.
 *
 * group.c opens sockets, names.c knows which texts mean us, steering.c moves messages between
 * workers. Datagrams: udp.c receives, send.c sends. Streams: see stream_int.h.
 */
#ifndef RINGFENCE_TRANSPORT_TRANSPORT_INT_H
#define RINGFENCE_TRANSPORT_TRANSPORT_INT_H

#include <stdatomic.h>

#include "base/ring.h"
#include "runtime/wake.h"
#include "transport/transport.h"

struct names; /* "host" and port to listener */

int tp_names_create(const struct hash_key *key, struct names **names) MUST_CHECK;
/* text: "host" or "host:port"; it must outlive the names. The first of equal entries counts. */
int tp_names_add(struct names *names, struct slice text, uint16_t listener) MUST_CHECK;
int tp_names_add_address(struct names *names, const struct tp_address *address,
                         uint16_t listener) MUST_CHECK;
int tp_names_find(const struct names *names, struct slice host, uint16_t port);
void tp_names_destroy(struct names *names);

struct directory; /* of accepted connections, by address */
struct streams;   /* one worker's connections */

/* Sources share a count with some others when there are more of them. */
#define TP_SOURCE_SLOTS 16384
#define TP_PEER_LABELS  1024 /* as STATS_FAMILY_TRUNK_CONNECTIONS has */

struct tp_group {
    struct tp_settings settings; /* .listeners is the group's own array */
    struct directory *directory;
    uint32_t *close_labels; /* of STATS_FAMILY_CONNECTIONS_CLOSED, by enum tp_close */
    /* Connections of the process; relaxed, since each is but a number. */
    _Atomic uint32_t connections;
    _Atomic uint32_t listener_connections[TP_LISTENER_LIMIT];
    _Atomic uint32_t peer_connections[TP_PEER_LABELS];
    _Atomic uint32_t source_connections[TP_SOURCE_SLOTS];
    struct names *names;
    int *sockets;           /* [listener * workers + worker]; -1: not open */
    struct ring **rings;    /* [from * workers + to]; NULL where from == to */
    struct rt_wake **wakes; /* [worker] */
};

static inline int group_socket(const struct tp_group *group, size_t listener, size_t worker)
{
    return group->sockets[listener * group->settings.workers + worker];
}

static inline struct ring *group_ring(const struct tp_group *group, size_t from, size_t to)
{
    return group->rings[from * group->settings.workers + to];
}

static inline bool group_is_stream(const struct tp_group *group, size_t listener)
{
    return tp_protocol_rows[group->settings.listeners[listener].protocol].stream;
}

/* What a label of a peer stands for; valid for good. */
struct slice tp_group_peer_name(const struct tp_group *group, uint32_t label);

int tp_steering_create(struct tp_group *group) MUST_CHECK;
void tp_steering_destroy(struct tp_group *group);

struct receiver; /* memory that recvmmsg() fills */

int tp_receiver_create(size_t batch, struct receiver **receiver) MUST_CHECK;
void tp_receiver_destroy(struct receiver *receiver);

struct sender; /* datagrams queued to be sent */

int tp_sender_create(const struct tp_group *group, size_t worker, struct stats_shard *stats,
                     struct sender **sender) MUST_CHECK;
void tp_sender_queue(struct sender *sender, uint16_t listener, const struct tp_address *to,
                     struct slice bytes, uint64_t cookie);
/* Counts a message that was not sent, and reports it with the next flush. */
void tp_sender_fail(struct sender *sender, uint64_t cookie, int error);
void tp_sender_flush(struct sender *sender, const struct tp_events *events, void *argument);
void tp_sender_destroy(struct sender *sender);

/* One socket of a worker. */
struct endpoint {
    struct tp_worker *worker;
    struct rt_watch *watch;
    uint16_t listener;
    uint64_t backlog; /* datagrams that wait in the kernel, estimated */
};

struct tp_worker {
    struct tp_group *group;
    struct rt_loop *loop;
    struct stats_shard *stats;
    struct tp_events events;
    void *argument;
    size_t index;
    struct receiver *receiver;
    struct sender *sender;
    struct streams *streams; /* NULL: no listener is a stream's */
    struct rt_watch *wake_watch;
    uint64_t datagram_ns; /* what one costs while they queue, as a moving average; 0: not known */
    uint64_t backlog_us;  /* see tp_packet */
    uint64_t rung;        /* bit i: worker i (mod 64) was given something in this batch */
    struct endpoint endpoints[TP_LISTENER_LIMIT];
};

/* Ready to read: takes some batches. */
void tp_udp_ready(void *argument, int descriptor, unsigned ready);

/* A message on its way to a connection. */
struct tp_outgoing {
    struct slice bytes;
    const struct tp_address *to;
    uint64_t connection; /* that it should go over; 0: any to that address */
    uint64_t cookie;
    uint32_t worker; /* that sends it, and is told when it fails */
    uint16_t listener;
};

/* To the packet's owner: this worker's events, or the ring to another worker. False: that is full,
 * and the packet is lost, unless it can be kept. */
bool tp_steering_deliver(struct tp_worker *worker, const struct tp_packet *packet);
/* To the worker that has the connection. */
void tp_steering_pass(struct tp_worker *worker, uint32_t owner, const struct tp_outgoing *message);
/* Tells another worker that a message of its did not get out. */
void tp_steering_fail(struct tp_worker *worker, uint32_t owner, uint64_t cookie, int error);
/* Rings those that were given something by tp_steering_deliver(). */
void tp_steering_wake_others(struct tp_worker *worker);
void tp_steering_rung(void *argument, int descriptor, unsigned ready);

/* After a batch: events, and what they sent. */
void tp_worker_finish_batch(struct tp_worker *worker);

int tp_streams_create(struct tp_worker *worker, struct rt_wheel *wheel,
                      struct streams **streams) MUST_CHECK;
void tp_streams_send(struct streams *streams, const struct tp_outgoing *message);
/* Writes what was queued since the last; true when there was something. */
bool tp_streams_flush(struct streams *streams);
void tp_streams_pause(struct streams *streams);
/* See tp_worker_end_streams(). */
void tp_streams_end(struct streams *streams);
/* Whether connections are accepted. */
int tp_streams_listen(struct streams *streams, bool listens) MUST_CHECK;
/* Closes all connections. NULL is allowed. */
void tp_streams_destroy(struct streams *streams);

#endif
