/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction: RFC 3261 section 17 with RFC 6026; nothing of policy.
 *
 * A txn_layer belongs to one worker. A txn_server or txn_client pointer is live until the final
 * response has passed (sent, or reported), until a timeout or transport error was reported, or
 * until it was abandoned; what then only has to absorb or repeat (Accepted, Completed, Confirmed:
 * timers D, I, J, K, L, M) is a compact record without user that the layer keeps by itself.
 *
 * Keys are 128 bits of SipHash over branch, sent-by and method (section 17.2.3), or, without the
 * magic cookie, over Request-URI, tags, Call-ID, CSeq number and top Via; a match never compares
 * texts. All copies of messages come from one bounded slab.
 */
#ifndef RINGFENCE_TRANSACTION_TRANSACTION_H
#define RINGFENCE_TRANSACTION_TRANSACTION_H

#include "base/hash.h"
#include "message/scan.h"
#include "runtime/wheel.h"
#include "stats/counters.h"
#include "transport/transport.h"

struct txn_layer;
struct txn_server;
struct txn_client;

struct txn_settings {
    uint64_t t1_us;            /* 500 ms */
    uint64_t t2_us;            /* 4 s */
    uint64_t t4_us;            /* 5 s */
    uint32_t limit;            /* live transactions */
    uint32_t lingering_limit;  /* compact records; beyond, the oldest goes early */
    uint32_t per_call_limit;   /* live ones of one Call-ID (approximate, never too low) */
    uint32_t per_source_limit; /* live server ones of one source slot */
    size_t memory_limit;       /* bytes of message copies */
    struct hash_key key;
};

/* How the layer sends: the transport in the daemon, a recorder in tests. Only requests have a
 * cookie: a response that could not be sent is repeated by its timer or its retransmitted request.
 */
struct txn_output {
    void (*send)(void *argument, uint16_t listener, const struct tp_address *to, struct slice bytes,
                 uint64_t cookie);
    void *argument;
    /* Whether what leaves from this listener arrives in order or not at all (section 17: no
     * retransmissions, timers D, I, J and K of zero). NULL: none is. */
    bool (*reliable)(void *argument, uint16_t listener);
    /* A response, over the connection that its request came by (section 18.2.2). NULL: by send. */
    void (*respond)(void *argument, uint16_t listener, uint64_t connection,
                    const struct tp_address *to, struct slice bytes);
};

#define TXN_SOURCE_SLOTS 1024

int txn_layer_create(const struct txn_settings *settings, struct rt_wheel *wheel,
                     struct stats_shard *stats, const struct txn_output *output,
                     struct txn_layer **layer) MUST_CHECK;

/* Live transactions and lingering records. A refused INVITE stays live until its ACK or Timer H. */
uint32_t txn_layer_live(const struct txn_layer *layer);
uint32_t txn_layer_lingering(const struct txn_layer *layer);
size_t txn_layer_bytes(const struct txn_layer *layer);

/* The transport's send_failed: finds the transaction by cookie. -EAGAIN and -ENOBUFS count as a
 * datagram lost on the way. */
void txn_layer_send_failed(struct txn_layer *layer, uint64_t cookie, int error, uint64_t now_us);

/* ---- requests ---------------------------------------------------------------------------- */

enum txn_request_result {
    TXN_REQUEST_NEW,      /* none matches: create a server transaction, or handle it statelessly */
    TXN_REQUEST_ABSORBED, /* a retransmission (answered again) or an ACK to our non-2xx */
    TXN_REQUEST_ACK       /* an ACK that ends at no transaction of ours: it travels on */
};

/*
 * Where responses to a request go, and what its top Via gets (section 18.2.1 and 18.2.2, RFC 3581);
 * for answers without a transaction. `received` points into `memory`.
 */
struct txn_reply {
    struct tp_address to;
    struct slice received; /* data == NULL: not added */
    uint16_t rport;        /* 0: not added */
    char memory[TP_ADDRESS_TEXT];
};

void txn_reply_to(const struct smsg *request, const struct tp_packet *packet,
                  struct txn_reply *reply);
void txn_respond(const struct txn_output *output, uint16_t listener, uint64_t connection,
                 const struct tp_address *to, struct slice bytes);

enum txn_request_result txn_receive_request(struct txn_layer *layer, const struct smsg *request,
                                            const struct tp_packet *packet);

/*
 * A server transaction for a new request; keeps a copy of the request and where responses go
 * (section 18.2.2 with rport). source_slot < TXN_SOURCE_SLOTS counts against per_source_limit.
 * ERROR_LIMIT when a limit is reached (the caller answers statelessly or is silent).
 */
int txn_server_create(struct txn_layer *layer, const struct smsg *request,
                      const struct tp_packet *packet, uint32_t source_slot, void *user,
                      struct txn_server **server) MUST_CHECK;

void *txn_server_user(const struct txn_server *server);
/* What its responses go by; 0: datagrams. */
uint64_t txn_server_connection(const struct txn_server *server);
/* The copy of the request, valid as long as the server. */
struct slice txn_server_request(const struct txn_server *server);
/* What compose needs for the top Via; data == NULL / 0 when received is not to be added. The text
 * is inside the server. */
struct slice txn_server_received(const struct txn_server *server);
uint16_t txn_server_rport(const struct txn_server *server);
uint16_t txn_server_listener(const struct txn_server *server);
struct tp_address txn_server_source(const struct txn_server *server);

/*
 * Sends a response (whole bytes, Via of the request on top). A provisional one is kept to answer
 * retransmissions. A final one ends the server: the pointer is dead afterwards; a 2xx to INVITE
 * goes to Accepted (Timer L), other finals are repeated until ACK (G, H, I) or for Timer J.
 */
void txn_server_respond(struct txn_server *server, uint16_t status, struct slice bytes,
                        uint64_t now_us);

/* Frees it without a response (an upstream that must see silence). */
void txn_server_abandon(struct txn_server *server);

enum txn_invite_state {
    TXN_INVITE_NONE, /* no such INVITE here */
    TXN_INVITE_LIVE, /* *server is set */
    TXN_INVITE_OVER  /* it has had its final response */
};

/* The INVITE that a CANCEL aims at (section 9.2: same branch, sent-by, Request-URI aside), or that
 * a response, from which our Via was taken, answers. */
enum txn_invite_state txn_find_cancelled(struct txn_layer *layer, const struct smsg *cancel,
                                         const struct tp_packet *packet,
                                         struct txn_server **server);

/* ---- responses --------------------------------------------------------------------------- */

/* Callbacks may create and respond to other transactions, never destroy the layer. After timeout,
 * failed, and response with a final status, the client is over: its pointer is dead on return. */
struct txn_client_events {
    /* Each provisional and each final; an ACK to a non-2xx has been sent already. */
    void (*response)(void *user, struct txn_client *client, const struct smsg *response,
                     const struct tp_packet *packet);
    void (*timeout)(void *user, struct txn_client *client, uint64_t now_us); /* timers B, F */
    void (*failed)(void *user, struct txn_client *client, int error, uint64_t now_us);
};

enum txn_response_result {
    TXN_RESPONSE_HANDLED,  /* passed to its client's events, or absorbed */
    TXN_RESPONSE_REPEATED, /* a 2xx to an INVITE that is in Accepted: forward it by its next Via */
    TXN_RESPONSE_STRAY     /* nothing matches */
};

enum txn_response_result txn_receive_response(struct txn_layer *layer, const struct smsg *response,
                                              const struct tp_packet *packet);

/*
 * Sends a request (copied; its top Via carries our branch) and runs timers A/B or E/F. `branch` is
 * that branch. Two copies of one send with the same branch and method are refused with -EEXIST.
 * Timer C is the proxy's own affair.
 */
int txn_client_create(struct txn_layer *layer, enum smsg_method method, struct slice bytes,
                      struct slice branch, struct slice call_id, uint16_t listener,
                      const struct tp_address *to, const struct txn_client_events *events,
                      void *user, uint64_t now_us, struct txn_client **client) MUST_CHECK;

/*
 * Cancels an INVITE (section 9.1): at once when a provisional response was seen, else with the
 * first one. `extra`: header lines such as Reason. If no final response comes within 64*T1 of the
 * CANCEL, events->timeout is called. Harmless when repeated.
 */
void txn_client_cancel(struct txn_client *client, struct slice extra, uint64_t now_us);

/* Forgets the user: no event comes any more, responses are absorbed, a late 2xx is
 * TXN_RESPONSE_REPEATED. */
void txn_client_abandon(struct txn_client *client, uint64_t now_us);

/* The request goes to somebody else: it is sent no more, an INVITE is cancelled (section 9.1: with
 * the first provisional response, if none was seen), and what txn_client_abandon() does. */
void txn_client_give_up(struct txn_client *client, uint64_t now_us);

/* The request as it was sent; valid as long as the client, the callback of its end included. */
struct slice txn_client_request(const struct txn_client *client);

/* Writes one line per live transaction, for `status` and debugging. */
void txn_layer_each(const struct txn_layer *layer,
                    void (*visit)(void *argument, const char *kind, const char *state,
                                  uint64_t age_us),
                    void *argument, uint64_t now_us);

/* Frees everything silently. NULL is allowed. */
void txn_layer_destroy(struct txn_layer *layer);

#endif
