/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a proxy, shared by the files of this folder.
 */
#ifndef RINGFENCE_PROXY_INT_H
#define RINGFENCE_PROXY_INT_H

#include "base/list.h"
#include "base/log.h"
#include "base/pool.h"
#include "context_int.h"
#include "message/compose.h"
#include "message/edit.h"
#include "message/syntax.h"
#include "proxy/proxy.h"

/* A message and what we add to it; beyond a datagram the transport refuses. */
#define PROXY_OUTPUT_BYTES  (TP_DATAGRAM_LIMIT + 8192)
#define PROXY_SCRATCH_BYTES 8192

/* The texts of one listener, composed once. */
struct proxy_listener {
    char memory[1400];
    struct slice via;          /* "Via: SIP/2.0/UDP host:port;rport;branch=" */
    struct slice via_asking;   /* the same with what a client of overload control puts there */
    struct slice record_route; /* "Record-Route: <sip:host:port;transport=tcp;lr;rf=" */
    struct slice route_start;  /* "<sip:host:port;transport=tcp;lr;rf=" */
    struct slice sips_route;   /* "Record-Route: <sips:host:port;lr;rf="; empty: it has no TLS */
};

struct proxy {
    struct proxy_parts parts;
    struct proxy_snapshot snapshot;
    struct proxy_listener *listeners;
    size_t listener_count;
    struct pool *contexts;
    struct list_link parked_calls;
    uint32_t parked;
    bool draining;
    struct proxy_predecessor predecessor; /* pass == NULL: there is none */
    int64_t wall_offset_us;
    uint64_t emergency_due_us;    /* GCRA of the emergency cap */
    uint64_t overloaded_since_us; /* 0: datagrams do not queue */
    struct proxy_measure measure; /* of how long they wait */
    struct proxy_demands *demands;
    uint64_t event_sequence;
    uint32_t until_measured;     /* judgements by rules before one is measured */
    uint32_t until_timed;        /* messages before one whose stages are timed */
    bool timed;                  /* the stages of the message being handled are */
    struct proxy_prober *prober; /* NULL: another worker probes */
    struct log_limit log_malformed, log_forged, log_sips, log_overload;
    struct smsg message; /* the one being handled */
    struct smsg relayed; /* an answer after its topmost Via was taken off */
    char *output;
    char *resumed;                            /* a parked request while it is judged again */
    uint32_t type_labels[REP_TYPE_LIMIT + 1]; /* of the scam types that Redis names */
    struct buffer scratch;
    char scratch_memory[PROXY_SCRATCH_BYTES];
};

/* A request on its way through the proxy. */
struct proxy_request {
    const struct smsg *message;
    const struct tp_packet *packet;
    const struct proxy_trunk *from;
    uint8_t feedback; /* what its answers tell the peer: enum smsg_overload_algorithm */
    uint8_t place;    /* of what travels without state: in the order of the call */
};

/* Where a request goes, and what is done to it on the way. */
struct proxy_path {
    const struct proxy_trunk *to;
    struct tp_address next_hop;
    struct slice target_host;  /* of a target that is a name; data == NULL: it is an address */
    struct proxy_pulse *pulse; /* of the next hop; NULL: nothing is known of it */
    uint8_t place;             /* of the next hop in the order of the call; in our branch, too */
    uint8_t others;            /* targets beside it that the request may go to */
    bool retargeted;           /* the Request-URI shows the target */
    uint32_t loop;             /* ident_loop() of the request as it arrived */
    uint16_t listener;
    bool sips;      /* Request-URI or next Route are */
    bool in_dialog; /* the Record-Route mark verified */
    bool reversed;  /* from the called side */
    bool record_route;
    bool tagged;              /* `extra` has tag headers of ours; others are taken off */
    unsigned route_pops;      /* values taken off the front of Route */
    bool pop_last_route;      /* strict routing: it became the Request-URI */
    struct slice request_uri; /* data == NULL: as it is */
    struct slice last_route;  /* a line for behind all others: the next hop routes strictly */
    struct slice extra;       /* whole header lines */
    struct slice display;     /* new From display name with quotes and a space behind; or NULL */
};

/* ---- proxy.c ------------------------------------------------------------------------------ */
struct ident_hop proxy_hop(const struct smsg *message);
uint64_t proxy_wall(const struct proxy *proxy, uint64_t now_us);
void proxy_send(struct proxy *proxy, uint16_t listener, const struct tp_address *to,
                struct slice bytes);
/* With its server transaction. NULL: a table is full, and the request has been refused. */
struct proxy_context *proxy_context_create(struct proxy *proxy,
                                           const struct proxy_request *request);
void proxy_context_free(struct proxy_context *context);

/* ---- reply.c ------------------------------------------------------------------------------ */
/* Without a transaction. extra: whole header lines. */
void proxy_reply(struct proxy *proxy, const struct proxy_request *request, uint16_t status,
                 struct slice reason, struct slice extra);
/* Through the server transaction, which is over afterwards when the status is final. `message` is
 * the scanned request. */
void proxy_respond(struct proxy *proxy, struct txn_server *server, const struct smsg *message,
                   uint16_t status, struct slice reason, struct slice extra, uint64_t now_us);
/* The same when only the transaction is left of the request. */
void proxy_respond_late(struct proxy *proxy, struct txn_server *server, uint16_t status,
                        uint64_t now_us);
/* Answers, or drops, what smsg_scan() refused. */
void proxy_refuse_malformed(struct proxy *proxy, const struct proxy_request *request);

/* ---- forward.c ---------------------------------------------------------------------------- */
/* The request as it leaves; `bytes` are in proxy->output. Writes our branch. */
int proxy_compose_forward(struct proxy *proxy, const struct proxy_request *request,
                          const struct proxy_path *path, char branch[IDENT_BRANCH_LENGTH],
                          struct slice *bytes) MUST_CHECK;
/* Relays statefully. The context owns the transactions from then on; on failure the server has been
 * answered and the context is gone. */
void proxy_relay(struct proxy *proxy, const struct proxy_request *request,
                 const struct proxy_path *wanted, struct proxy_context *context);
/* Relays without state: ACK, and CANCEL of an INVITE that is not ours any more. */
void proxy_relay_stateless(struct proxy *proxy, const struct proxy_request *request,
                           const struct proxy_path *path);

/* ---- response.c --------------------------------------------------------------------------- */
extern const struct txn_client_events proxy_client_events;
void proxy_receive_response(struct proxy *proxy, const struct tp_packet *packet);
void proxy_timer_fired(struct rt_timer *timer, uint64_t now_us);
/* No final response came, or the request could not be sent; the context is gone. */
void proxy_give_up(struct proxy_context *context, uint16_t status, uint64_t now_us);

/* ---- invite.c ----------------------------------------------------------------------------- */
void proxy_receive_invite(struct proxy *proxy, const struct proxy_request *request,
                          const struct proxy_path *path);
/* The deadline of a parked context. */
void proxy_invite_deadline(struct proxy_context *context, uint64_t now_us);
/* Drain and reload wait for no input: what is parked is decided with what is known (DESIGN
 * section 2). */
void proxy_invite_decide_parked(struct proxy *proxy, uint64_t now_us);
/* Gives up the pending lookup of a parked context, because a CANCEL came. */
void proxy_invite_unpark(struct proxy_context *context);

/* Whether the call waited so long that regular expressions are left out. */
bool proxy_is_hurried(const struct proxy *proxy, const struct proxy_request *request);
/* From where a request came, IPv4 as rules have it: behind ::ffff:. False when it is not known. */
bool proxy_source_address(const struct tp_address *source, struct rule_address *address);

/* ---- enforce.c ---------------------------------------------------------------------------- */
/* Counts the verdict and writes its events. status: what the call was answered, 0: it goes on. */
void proxy_record_verdict(struct proxy *proxy, const struct proxy_request *request,
                          const struct screen_verdict *verdict, const struct proxy_trunk *to,
                          uint16_t status);
/* Keeps the call for `explain`. */
void proxy_keep_call(struct proxy *proxy, const struct proxy_request *request,
                     const struct screen_verdict *verdict, uint16_t status);
/* How a blocked call is answered; texts are static or in the scratch. */
struct proxy_refusal {
    uint16_t status;
    struct slice reason;
    struct slice extra;
};
struct proxy_refusal proxy_block(struct proxy *proxy, enum rule_profile profile);
/* Header lines and display name of a tagged call. */
void proxy_tag(struct proxy *proxy, const struct screen_verdict *verdict, struct proxy_path *path);
/* Changes the path of a diverted call; a status to refuse with, or 0. */
int proxy_divert(struct proxy *proxy, const struct proxy_request *request,
                 const struct screen_verdict *verdict, struct proxy_path *path) MUST_CHECK;

/* ---- cancel.c ----------------------------------------------------------------------------- */
void proxy_receive_cancel(struct proxy *proxy, const struct proxy_request *request);

#endif
