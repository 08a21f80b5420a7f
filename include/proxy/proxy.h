/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy: one worker's stateful proxy (RFC 3261 section 16) that enforces verdicts.
 *
 * Gets every message that its worker owns, finds the trunk, the transaction and the next hop, has
 * initial INVITEs judged, and sends. Holds stable ids of trunks and calls, never pointers into a
 * snapshot, so a new snapshot can be adopted between any two messages.
 */
#ifndef RINGFENCE_PROXY_PROXY_H
#define RINGFENCE_PROXY_PROXY_H

#include "call/call.h"
#include "identity/mark.h"
#include "proxy/admission.h"
#include "proxy/load.h"
#include "proxy/plan.h"
#include "reputation/lookup.h"
#include "runtime/wheel.h"
#include "screening/engine.h"
#include "screening/limiter.h"
#include "screening/recent.h"
#include "screening/tally.h"
#include "stats/event.h"
#include "transaction/transaction.h"

/* What a reload replaces as one. */
struct proxy_snapshot {
    const struct proxy_plan *plan;
    const struct screen_policy *policy;
    const struct proxy_limits *limits;
};

/* Labels that code (not configuration) counts by; registered once a process. */
struct proxy_labels {
    uint32_t actions[RULE_ACTION_COUNT];
    uint32_t authorities[SCREEN_AUTHORITY_COUNT];
    uint32_t malformed[SMSG_BAD_COUNT];
    uint32_t boundary[PROXY_BOUNDARY_COUNT];
    uint32_t refused[700]; /* by status */
    uint32_t limits[PROXY_LIMIT_COUNT];
    struct screen_tally tally;
};

void proxy_labels_register(struct proxy_labels *labels, struct stats_registry *registry);

/* Everything is borrowed and outlives the proxy. health, admission, load, lookup, limiter, recent
 * and events may be NULL. */
struct proxy_parts {
    size_t worker;
    const struct ident_marks *marks;
    const struct proxy_labels *labels;
    struct stats_registry *registry; /* for scam types that Redis names */
    const struct tp_group *group;
    struct proxy_health *health;
    struct proxy_admission *admission;
    struct proxy_load *load; /* NULL: no peer is told of ours */
    struct txn_layer *transactions;
    struct txn_output output; /* for what is sent without a transaction */
    struct call_table *calls;
    struct rt_wheel *wheel;
    struct screen_engine *screening;
    struct screen_limiter *limiter;
    struct rep_lookup *lookup;
    struct screen_recent *recent; /* keeps what is judged */
    struct stats_shard *stats;
    struct stats_event_queue *events;
};

struct proxy;

int proxy_create(const struct proxy_parts *parts, const struct proxy_snapshot *snapshot,
                 struct proxy **proxy) MUST_CHECK;

/* Between two messages. The old snapshot is not looked at: while the worker slept it may have been
 * freed. Calls that wait for Redis are decided now, by the new one. */
void proxy_adopt(struct proxy *proxy, const struct proxy_snapshot *snapshot);

/* wall minus monotonic time, in microseconds; set at start and once a second. */
void proxy_set_wall_offset(struct proxy *proxy, int64_t offset_us);

/* New calls get 503 from now on; calls under way go on. */
void proxy_drain(struct proxy *proxy);
/* And are served again. */
void proxy_undrain(struct proxy *proxy);

void proxy_receive(struct proxy *proxy, const struct tp_packet *packet);

/* Who is at the other end of a connection that begins, as tp_events.identify wants it. */
bool proxy_identify(const struct proxy *proxy, uint16_t listener, const struct tp_address *address,
                    bool accepted, struct tp_peer *peer);

/* What the call table reports. */
void proxy_call_ended(struct proxy *proxy, const struct call_summary *summary, uint64_t now_us);

/* Makes this one the prober of targets; once, on the worker's thread. seed: of what spreads
 * probes in time and of their Call-IDs. */
int proxy_start_probing(struct proxy *proxy, uint64_t seed, uint64_t now_us) MUST_CHECK;

/* Another process probes from now on; nothing of a probe under way is awaited. */
void proxy_stop_probing(struct proxy *proxy, uint64_t now_us);

/* ICMP says that nobody is reached at an address that we sent to. */
void proxy_unreachable(struct proxy *proxy, const struct tp_address *to, uint64_t now_us);

/*
 * The process that had our sockets before, as long as it has transactions: what is part of them is
 * passed to it (transaction/elsewhere.h, and the generation of our branch in responses). `pass`
 * says false when it takes nothing any more. NULL: there is none.
 */
struct proxy_predecessor {
    bool (*pass)(void *argument, const struct tp_packet *packet);
    void *argument;
    uint8_t generation;
};

void proxy_set_predecessor(struct proxy *proxy, const struct proxy_predecessor *predecessor);

/* The keyed hash by which roll-outs and `explain` know a call. */
uint64_t proxy_call_hash(const struct ident_marks *marks, struct slice call_id);

/* Calls waiting for a pending input. */
uint32_t proxy_parked(const struct proxy *proxy);

/* Parked and relayed requests are forgotten without a response. NULL is allowed. */
void proxy_destroy(struct proxy *proxy);

#endif
