/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_int: connections as the files of this folder see them.
 *
 * stream.c keeps a worker's connections: accepts, connects, finds. connection.c is the life of one,
 * input.c cuts messages out of what it gets, output.c queues and writes. What TCP and TLS do
 * differently is a stream_io (plain.c, tls_io.c): another stream transport is one more of these and
 * a row of TP_PROTOCOL_TABLE. directory.c tells workers of each other's connections.
 */
#ifndef RINGFENCE_TRANSPORT_STREAM_INT_H
#define RINGFENCE_TRANSPORT_STREAM_INT_H

#include <stdatomic.h>
#include <sys/types.h>

#include "base/list.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/slab.h"
#include "close_int.h"
#include "transport_int.h"

struct connection;

/* How bytes get through a socket. Results below 0: -EAGAIN, to be called again once the socket is
 * ready; -ECONNRESET and the like, with connection->reason set where it is known better. */
struct stream_io {
    /* Once connected or accepted: 0 when data may flow. */
    int (*establish)(struct connection *connection);
    /* Bytes taken; 0: the peer has ended. */
    ssize_t (*read)(struct connection *connection, char *memory, size_t size);
    ssize_t (*write)(struct connection *connection, const char *bytes, size_t length);
    /* Whether read() would give something though the socket is not readable. */
    bool (*holds)(const struct connection *connection);
    /* Says that nothing more will be written; reading goes on. */
    void (*end)(struct connection *connection);
    /* Says goodbye if that is possible at once, and frees what is its own. */
    void (*close)(struct connection *connection);
};

extern const struct stream_io tp_plain_io;
extern const struct stream_io tp_tls_io;

/* A block of the slab with bytes that wait to be written. */
struct segment {
    struct segment *next;
    uint32_t start; /* of what is not written yet */
    uint32_t end;
    uint32_t capacity;
    char bytes[];
};

/* A request whose sender wants to know when it fails. */
struct unsure {
    uint64_t cookie;
    uint64_t end; /* its last byte, counted from the first of the connection */
    uint32_t worker;
};

#define TP_SCRATCH_BYTES    65536
#define TP_CONNECTION_LIMIT 1000000 /* of one worker, where the settings say none */
#define TP_NOTE_BYTES       160

enum connection_state { CONNECTION_CONNECTING, CONNECTION_ESTABLISHING, CONNECTION_OPEN };

struct connection {
    struct streams *streams;
    const struct stream_io *io;
    void *session; /* the io's */
    struct rt_watch *watch;
    struct rt_timer timer;  /* looks after all deadlines */
    struct list_link dirty; /* has something to be written by the next flush */
    struct tp_address peer;
    uint64_t id;
    uint64_t begun_us;
    uint64_t active_us;  /* when something last came or went */
    uint64_t blocked_us; /* since when the socket takes nothing; 0: it does */
    uint64_t pinged_us;  /* when a ping went out that was not answered; 0: none */
    int descriptor;
    uint32_t label;
    uint32_t source_slot;
    uint16_t listener;
    uint8_t state;   /* enum connection_state */
    uint8_t reason;  /* enum tp_close, where it is known before the end */
    bool accepted;   /* the peer opened it */
    bool listed;     /* in the table of the worker, and where accepted, in the directory */
    bool is_ending;  /* nothing more is queued; goodbye behind what is */
    bool has_ended;  /* it was said */
    bool has_ponged; /* the peer answers pings */
    bool reads_held; /* the ring to the owner of the first message was full */
    bool in_lobby;   /* see streams.lobby */
    uint8_t pieces;  /* reads since the last whole message, as far as they matter */

    /* What came in and is no whole message yet; NULL: nothing did. */
    struct smsg_frame frame;
    char *input;
    uint32_t input_length;
    uint32_t input_capacity;
    uint32_t held_length; /* of a whole message in front that nobody took */

    struct segment *first;
    struct segment *last;
    uint32_t queued;       /* bytes in segments */
    uint64_t written;      /* bytes since the beginning */
    struct unsure *unsure; /* a ring, the oldest at unsure_first */
    uint32_t unsure_first;
    uint32_t unsure_count;
    uint32_t unsure_capacity;

    char note[TP_NOTE_BYTES]; /* what the log says about the end beside its reason */
};

/* A socket that is listened on. */
struct acceptor {
    struct streams *streams;
    struct rt_watch *watch;
    uint16_t listener;
};

/* One worker's connections. */
struct streams {
    struct tp_worker *worker;
    struct rt_wheel *wheel;
    struct pool *connections;
    struct slab *slab;
    struct hash_table *table; /* by listener and address */
    struct list_link dirty;
    struct rt_lobby *lobby; /* of those who have sent no message yet, or bring one in crumbs */
    struct rt_timer accept_again;
    bool is_deaf; /* another process accepts */
    bool stopping;
    uint32_t serial;
    uint64_t turn_us; /* of handshakes_left */
    uint32_t handshakes_left;
    struct log_limit log_closed;
    char *scratch; /* what is read goes here unless a message is under way */
    size_t acceptor_count;
    struct acceptor acceptors[TP_LISTENER_LIMIT];
};

/* ---- stream.c ------------------------------------------------------------------------------ */
struct connection *tp_streams_find(const struct streams *streams, uint64_t id);
/* Reports a message that did not get out to the worker that sent it. */
void tp_streams_fail(struct streams *streams, uint32_t worker, uint64_t cookie, int error);
/* Whether this turn has time for one more handshake. */
bool tp_streams_may_handshake(struct streams *streams);
/* A connection that ends: out of the table, the directory and the counts. */
void tp_streams_forget(struct connection *connection);
void tp_streams_report_gauges(struct streams *streams);

/* ---- connection.c -------------------------------------------------------------------------- */
/* Watches its socket and sets its timer. */
int tp_connection_begin(struct connection *connection) MUST_CHECK;
/* Ends it and frees it; error: what senders of requests are told, 0 where only those are told whose
 * request was not written. */
void tp_connection_close(struct connection *connection, enum tp_close reason, int error);
/* Into or out of the line of those who bring no messages. False: the connection is gone. */
bool tp_connection_move(struct connection *connection, bool to_lobby);
/* So that its timer looks at it no later than at that time. */
void tp_connection_due(struct connection *connection, uint64_t now_us, uint64_t due_us);

/* ---- input.c ------------------------------------------------------------------------------- */
/* Reads and hands on; the connection may be gone afterwards. */
void tp_connection_read(struct connection *connection);
/* By the timer: what was held up, what is late. The connection may be gone afterwards. */
void tp_connection_check_input(struct connection *connection, uint64_t now_us);
void tp_connection_free_input(struct connection *connection);

/* ---- output.c ------------------------------------------------------------------------------ */
/* cookie 0: nobody wants to know. */
void tp_connection_queue(struct connection *connection, struct slice bytes, uint32_t worker,
                         uint64_t cookie);
/* Writes what it can. False: the connection is gone. */
bool tp_connection_write(struct connection *connection);
/* Writes what can be written at once, since it is the end. */
void tp_connection_write_last(struct connection *connection);
void tp_connection_end_if_written(struct connection *connection); /* one that is ending */
/* Tells senders, all of them or only those whose request was not written. */
void tp_connection_fail_unsure(struct connection *connection, bool all, int error);
void tp_connection_free_output(struct connection *connection);

/* ---- tls_io.c ------------------------------------------------------------------------------ */
/* Gives the connection its session. */
int tp_tls_begin(struct connection *connection, const struct tp_peer *peer) MUST_CHECK;

/* ---- directory.c --------------------------------------------------------------------------- */
int tp_directory_create(const struct hash_key *key, struct directory **directory) MUST_CHECK;
int tp_directory_add(struct directory *directory, uint16_t listener,
                     const struct tp_address *address, uint64_t id) MUST_CHECK;
void tp_directory_remove(struct directory *directory, uint16_t listener,
                         const struct tp_address *address, uint64_t id);
/* 0: nobody has one. */
uint64_t tp_directory_find(struct directory *directory, uint16_t listener,
                           const struct tp_address *address);
void tp_directory_destroy(struct directory *directory); /* NULL is allowed */

#endif
