/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction_int: the layer as the files of this folder see it.
 *
 * One hash table finds everything that a message can match: live servers, live clients and
 * lingering records, which all begin with a txn_entry. layer.c holds limits and copies, key.c
 * computes keys, reply.c where responses go, server.c and client.c the state machines, cancel.c how
 * clients end early, linger.c what only absorbs or repeats.
 *
 * Live objects are what still has a user or a timer of its own: a server until its final response
 * (for a non-2xx to INVITE: until the ACK), a client until the final response came in.
 */
#ifndef RINGFENCE_TRANSACTION_TRANSACTION_INT_H
#define RINGFENCE_TRANSACTION_TRANSACTION_INT_H

#include "base/pool.h"
#include "base/slab.h"
#include "entry_int.h"
#include "transaction/transaction.h"

enum { TXN_NO_CALL_SLOT = UINT32_MAX };

struct txn_linger {
    struct txn_entry entry;
    uint64_t due_us;
    struct txn_linger *next;     /* in its queue */
    struct txn_message *message; /* repeated on a match; NULL: only absorbed */
};

/* All records of one kind stay equally long, so they expire in the order in which they came. */
struct txn_queue {
    struct txn_layer *layer;
    struct rt_timer timer; /* of the first record */
    struct txn_linger *first;
    struct txn_linger *last;
    uint64_t duration_us;
    bool also_when_reliable;
};

enum txn_server_state {
    TXN_SERVER_TRYING,     /* not INVITE: no response yet */
    TXN_SERVER_PROCEEDING, /* provisional responses at most */
    TXN_SERVER_COMPLETED   /* INVITE: a non-2xx was sent; the user is gone */
};

struct txn_server {
    struct txn_entry entry;
    struct txn_layer *layer;
    void *user;
    struct txn_message *request; /* NULL once completed */
    struct txn_message *response;
    struct rt_timer timer; /* Timer G, at last Timer H */
    uint64_t interval_us;
    uint64_t end_us;
    uint64_t created_us;
    struct tp_address source;
    uint64_t connection; /* that the request came by; 0: a datagram */
    struct txn_reply reply;
    uint32_t call_slot;
    uint16_t source_slot;
    uint16_t listener;
    uint8_t state; /* enum txn_server_state */
    bool is_invite;
    bool reliable;
    bool with_cookie;
};

enum txn_client_state {
    TXN_CLIENT_TRYING,     /* "Calling" for INVITE */
    TXN_CLIENT_PROCEEDING, /* a provisional response came */
    TXN_CLIENT_OVER        /* during the last event */
};

struct txn_client {
    struct txn_entry entry;
    struct txn_layer *layer;
    const struct txn_client_events *events; /* NULL: abandoned, or our own CANCEL */
    void *user;
    struct txn_message *request;
    struct txn_message *cancel_extra; /* header lines for a CANCEL that waits */
    struct rt_timer timer;            /* the earlier of retransmission and end */
    uint64_t interval_us;
    uint64_t end_us; /* UINT64_MAX: none */
    uint64_t created_us;
    uint32_t call_slot;
    uint32_t serial; /* tells the users of one place in the pool apart, for cookies */
    uint16_t method; /* enum smsg_method */
    uint8_t state;   /* enum txn_client_state */
    bool reliable;
    bool cancel_waits; /* for the first provisional response */
    bool cancel_sent;
};

struct txn_handed;

struct txn_layer {
    struct txn_settings settings;
    struct rt_wheel *wheel;
    struct stats_shard *stats;
    struct txn_output output;
    struct hash_table *table;
    struct pool *servers;
    struct pool *clients;
    struct pool *lingering;
    struct slab *slab;
    struct txn_queue queues[TXN_LINGER_COUNT];
    struct hash_table *elsewhere; /* of txn_handed; NULL: there are none */
    struct txn_handed *handed;    /* of transaction/elsewhere.h */
    uint32_t next_serial;
    uint32_t source_counts[TXN_SOURCE_SLOTS];
    uint16_t *call_counts; /* by a hash of the Call-ID */
    uint32_t call_mask;
    char *composed;      /* TP_DATAGRAM_LIMIT bytes, for an ACK or CANCEL on its way out */
    struct smsg scanned; /* a message of our own, while an ACK or CANCEL is made from it */
};

/* ---- layer.c ----------------------------------------------------------------------------- */

/* NULL when memory is short even after lingering records have made way. */
struct txn_message *txn_message_keep(struct txn_layer *layer, uint16_t listener,
                                     const struct tp_address *to, struct slice bytes);
void txn_message_free(struct txn_layer *layer, struct txn_message *message);
void txn_message_send(struct txn_layer *layer, const struct txn_message *message, uint64_t cookie);

bool txn_layer_is_reliable(const struct txn_layer *layer, uint16_t listener);
bool txn_layer_is_full(const struct txn_layer *layer);
/* False: the limit is reached. The slot is to be given back by txn_layer_leave_call(). */
bool txn_layer_enter_call(struct txn_layer *layer, struct slice call_id, uint32_t *slot);
void txn_layer_leave_call(struct txn_layer *layer, uint32_t slot);
void txn_layer_report_gauges(struct txn_layer *layer);

/* ---- linger.c ---------------------------------------------------------------------------- */

int txn_linger_create(struct txn_layer *layer) MUST_CHECK;
/* Takes the message. The key must not be in the table (any more). */
void txn_linger_add(struct txn_layer *layer, enum txn_kind kind, const struct txn_entry *key,
                    struct txn_message *message, bool reliable, uint64_t now_us);
/* Ends the oldest record; false when there is none. */
bool txn_linger_evict(struct txn_layer *layer);

/* ---- client.c ---------------------------------------------------------------------------- */

struct txn_client_start {
    enum smsg_method method;
    struct slice bytes;
    struct slice branch;
    const struct tp_address *to;
    const struct txn_client_events *events;
    void *user;
    uint32_t call_slot;
    uint16_t listener;
};

int txn_client_start(struct txn_layer *layer, const struct txn_client_start *start, uint64_t now_us,
                     struct txn_client **client) MUST_CHECK;
/* To the earlier of the next retransmission and the end. */
void txn_client_set_timer(struct txn_client *client, uint64_t now_us);
/* Takes it out of the table and frees it. */
void client_free(struct txn_client *client);

/* ---- cancel.c ---------------------------------------------------------------------------- */

/* The first provisional response to an INVITE is here: a CANCEL that waited may go. */
void txn_cancel_provisional(struct txn_client *client, uint64_t now_us);

#endif
