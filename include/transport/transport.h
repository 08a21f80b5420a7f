/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport: messages in and out, and each to the worker that owns its call.
 *
 * A tp_group holds what the process shares: listeners, sockets (one per listener and worker,
 * SO_REUSEPORT) and the rings between workers. A tp_worker is one worker's side of it. A listener
 * has one transport: datagrams come and go in batches, a stream's messages over connections. The
 * owner of a message is a keyed hash of its Call-ID; a message that came to another worker crosses
 * once over a ring, and so does the answer to it where a connection has to carry it. Replies leave
 * from the listener that received.
 *
 * A connection belongs to one worker. Others know it by an id that is never given twice; what is
 * sent to one that is gone opens another (RFC 3261 section 18.2.2). A worker opens connections of
 * its own to where its calls go, and keeps them.
 */
#ifndef RINGFENCE_TRANSPORT_TRANSPORT_H
#define RINGFENCE_TRANSPORT_TRANSPORT_H

#include "base/hash.h"
#include "runtime/loop.h"
#include "runtime/wheel.h"
#include "stats/counters.h"
#include "transport/target.h"
#include "transport/tls.h"

#define TP_LISTENER_LIMIT 64
#define TP_DATAGRAM_LIMIT 65535

/* One `listen` entry of the configuration; texts live as long as the group. */
struct tp_listener_settings {
    struct tp_address address;   /* no wildcard: replies must leave from a known address */
    uint8_t protocol;            /* enum tp_protocol */
    struct slice advertise;      /* "host" or "host:port" put into Via and Record-Route */
    struct slice network;        /* the name of the network that it stands in */
    const struct slice *aliases; /* other "host[:port]" texts that mean this listener (NAT, VIP) */
    size_t alias_count;
};

/* Of connections. A limit of 0 means none. */
struct tp_stream_settings {
    uint32_t connections; /* of the process */
    uint32_t per_source;  /* accepted from one address (approximate, never too many) */
    uint64_t memory;      /* bytes of messages that are coming in or waiting, per worker */
    uint64_t send_queue;  /* bytes that wait for one connection */
    uint64_t connect_us;  /* to be established, the handshake included */
    uint64_t message_us;  /* from the first byte of a message to its last, out as in */
    uint64_t idle_us;     /* without anything in or out */
    uint64_t ping_us;     /* between pings on what we opened; 0: none are sent */
    uint32_t listen_backlog;
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
    struct tp_stream_settings streams;
    struct stats_registry *registry; /* of labels; NULL: all count as "other" */
};

struct tp_group;
struct tp_worker;

/* A received message; valid during the callback only. */
struct tp_packet {
    struct slice bytes;
    struct tp_address source;
    uint16_t listener;
    uint8_t protocol;     /* the listener's */
    uint64_t connection;  /* that it came over; 0: a datagram */
    uint64_t received_us; /* the clock of the batch */
    /* How long datagrams are waiting for this worker by now, as estimated from how many are queued
     * and how fast it goes; 0 unless they queue. */
    uint64_t backlog_us;
};

/* What the transport is told about a peer when a connection begins. */
struct tp_peer {
    uint32_t label;     /* of STATS_FAMILY_TRUNK_CONNECTIONS */
    uint32_t limit;     /* connections with this label in the process; 0: no limit of its own */
    struct tp_tls *tls; /* borrowed, for a listener of TLS; NULL: the connection is refused */
    struct slice host;  /* that its certificate must be for unless `tls` names others */
};

struct tp_events {
    void (*received)(void *argument, const struct tp_packet *packet);
    /* A message with a non-zero cookie could not be sent. Called from tp_worker_flush(), never
     * from within tp_worker_send(). */
    void (*send_failed)(void *argument, uint64_t cookie, int error);
    /* Who is at the other end of a connection that begins. False: nobody that we know, and an
     * accepted one is closed without a word. NULL: everybody is welcome, without TLS. */
    bool (*identify)(void *argument, uint16_t listener, const struct tp_address *address,
                     bool accepted, struct tp_peer *peer);
    /* ICMP says that an earlier datagram to this address did not arrive. Which worker hears of it
     * is the kernel's choice, and anybody can forge it: a hint, no more. May be NULL. */
    void (*unreachable)(void *argument, const struct tp_address *to);
};

/* Binds everything (before privileges are dropped). On failure *bad is the index of the listener
 * that could not be opened or named (ERROR_MALFORMED), listener_count when it is none's fault.
 * -EADDRINUSE also when the address is shared by SO_REUSEPORT with another process; sockets that
 * the process before left (runtime/heritage.h) are taken instead. A listener with
 * port 0 takes a free one, to be seen in tp_group_listener(). */
int tp_group_create(const struct tp_settings *settings, struct tp_group **group,
                    size_t *bad) MUST_CHECK;
size_t tp_group_listener_count(const struct tp_group *group);
const struct tp_listener_settings *tp_group_listener(const struct tp_group *group, size_t index);

/* The listener that a "host" and port (0: the default, 5060) of a URI or Via names: its address,
 * advertise or an alias. -1 when it is none of ours. */
int tp_group_find_listener(const struct tp_group *group, struct slice host, uint16_t port);

/* Connections that are open now: of a listener, of a label. Any thread. */
uint32_t tp_group_listener_connections(const struct tp_group *group, size_t listener);
uint32_t tp_group_peer_connections(const struct tp_group *group, uint32_t label);

/* The worker that owns a Call-ID. */
size_t tp_group_owner(const struct tp_group *group, struct slice call_id);
void tp_group_destroy(struct tp_group *group);

/* On the worker's own thread. wheel: advanced by the owner of the loop; may be NULL where no
 * listener is a stream's. */
int tp_worker_create(struct tp_group *group, size_t index, struct rt_loop *loop,
                     struct rt_wheel *wheel, struct stats_shard *stats,
                     const struct tp_events *events, void *argument,
                     struct tp_worker **worker) MUST_CHECK;

/*
 * Queues a copy of the bytes to leave from a listener: as a datagram, or over a connection to that
 * address, which is opened where there is none. Never fails visibly: what does not go out is
 * counted and, when cookie != 0, reported by send_failed. Longer than a datagram: -EMSGSIZE at the
 * next flush. -EAGAIN and -ENOBUFS mean that the way out was full: the datagram is lost like one
 * lost further on, the address is not at fault. Of a connection: ERROR_LIMIT when too much waits
 * for it already, or what the attempt to open it, or it itself, ended with; the latter also for
 * what went out and may or may not have arrived.
 */
void tp_worker_send(struct tp_worker *worker, uint16_t listener, const struct tp_address *to,
                    struct slice bytes, uint64_t cookie);

/* The same for a response to what came over a connection: over that one, as long as it is open. 0:
 * as tp_worker_send(). */
void tp_worker_respond(struct tp_worker *worker, uint16_t listener, uint64_t connection,
                       const struct tp_address *to, struct slice bytes);

/* Sends what is queued now (sendmmsg); one bad datagram fails alone. Called by the transport at
 * the end of each batch, and by the worker's hook after timers. */
void tp_worker_flush(struct tp_worker *worker);

/* Handles what other workers handed over; for the worker's hooks around sleep. True when there was
 * something. */
bool tp_worker_take_handed_over(struct tp_worker *worker);

/* Around sleeping: while armed, other workers ring the bell. */
void tp_worker_before_sleep(struct tp_worker *worker);
void tp_worker_after_sleep(struct tp_worker *worker);

/* Stops reading and accepting; sends are still possible. */
void tp_worker_pause(struct tp_worker *worker);
/* Whether datagrams are read and connections accepted; connections that there are go on either way.
 * For a process that hands its sockets to another. */
int tp_worker_listen(struct tp_worker *worker, bool listens) MUST_CHECK;
/* Says goodbye on each connection as soon as what is queued is written. Nothing more is sent over
 * them; what peers sent before they have read the goodbye is received until they close. */
void tp_worker_end_streams(struct tp_worker *worker);
void tp_worker_destroy(struct tp_worker *worker);

#endif
