/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context_int: one request on its way, from its server transaction to its client transactions.
 */
#ifndef RINGFENCE_PROXY_CONTEXT_INT_H
#define RINGFENCE_PROXY_CONTEXT_INT_H

#include "base/list.h"
#include "proxy/health.h"
#include "runtime/wheel.h"
#include "transaction/transaction.h"

struct proxy;

/* RFC 3261 section 16.2 calls this the response context: one request that is being relayed. */
struct proxy_context {
    struct proxy *proxy;
    struct txn_server *server;
    struct txn_client *client; /* NULL while parked */
    struct rt_timer timer;     /* parked: the deadline; on trial: a look; INVITE: Timer C */
    struct list_link waiting;  /* parked: of the proxy's parked_calls */
    uint64_t call;             /* id of the call record; 0: none */
    uint64_t lookup;           /* ticket of the pending lookup */
    uint64_t received_us;
    struct proxy_pulse *pulse; /* of the target; NULL: nothing is known of it */
    uint64_t attempt_us;       /* when the request was sent to this target */
    uint64_t trial_until_us;
    struct tp_address target;
    uint32_t trunk_out; /* mark */
    uint32_t tried;     /* mask of places in the order of the call */
    uint16_t listener;
    uint16_t best_status; /* of targets that were left; 0: none answered */
    uint8_t others;       /* targets not tried yet that it may go to */
    uint8_t method;
    uint8_t feedback; /* as in the request */
    bool initial;     /* an initial INVITE */
    bool parked;
    bool reversed; /* from the called side of a dialog */
    bool trial;    /* others may be tried, and this target has not answered yet */
    bool heard;    /* this target has answered something */
    bool ringing;  /* a provisional response went upstream: no other target any more */
    bool cancelled;
    bool retargeted;   /* as in the path */
    bool record_route; /* as in the path */
    bool sips;         /* as in the path */
    bool only_tls;     /* it may go by nothing else */
    bool grown;        /* it goes by TCP as it is too large for UDP */
};

#endif
