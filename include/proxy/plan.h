/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: trunks, sources and routes, compiled; immutable, part of a snapshot.
 */
#ifndef RINGFENCE_PROXY_PLAN_H
#define RINGFENCE_PROXY_PLAN_H

#include "identity/mark.h"
#include "proxy/health.h"
#include "proxy/settings.h"
#include "screening/policy.h"
#include "stats/counters.h"
#include "transport/resolver.h"
#include "transport/transport.h"

#define PROXY_TRUNK_LIMIT 1000

/* Where requests to a trunk go: an address, or a name whose addresses come and go. */
struct proxy_target {
    struct tp_target fixed;      /* of an address */
    struct tp_destination *name; /* NULL: an address, or a check only */
    struct slice host;           /* what a Request-URI shows of a name; data == NULL: an address */
    uint64_t identity;
    uint32_t weight;
    uint16_t priority;
};

/* One target for one request; valid until the next quiescent point. */
struct proxy_choice {
    const struct tp_target *target;
    struct slice host; /* see proxy_target */
};

/* Targets that a call may choose among; further ones have a chance at the next call. A branch tells
 * that many apart. */
#define PROXY_CHOICES (IDENT_ATTEMPT_MAX + 1)

/* What one request looks for in a trunk. */
struct proxy_wish {
    struct slice call_id;
    uint32_t tried;    /* mask of places that are not wanted any more */
    bool only_serving; /* nothing rather than a target that is down */
    bool only_tls;
    bool yields; /* nothing rather than a target that has asked for fewer such requests */
    uint64_t now_us;
};

/* A target found for it. */
struct proxy_chosen {
    struct proxy_choice choice;
    struct proxy_pulse *pulse; /* NULL: nothing is known of it */
    uint8_t place;             /* in the order of the call, whatever serves */
    uint8_t others;            /* beside it, that the wish leaves */
    bool passed_over;          /* one before it had asked for fewer requests */
};

struct proxy_trunk {
    struct screen_trunk screen;
    uint32_t mark;     /* as in Record-Route: survives restarts and reloads */
    uint32_t label_in; /* of STATS_FAMILY_TRUNK_CALLS_IN, and so on */
    uint32_t label_out;
    uint32_t label_blocked;
    uint32_t label_answered;
    uint32_t label_over_budget;
    uint32_t label_failovers;
    uint32_t label_limited;
    uint32_t label_throttled;
    uint32_t label_told;
    uint32_t label_ended; /* of the families of quality.c, from here on */
    uint32_t label_effective;
    uint32_t label_heard;
    uint32_t label_delay_ms;
    uint32_t label_talked;
    uint32_t label_talk_ms;
    bool open_targets;
    struct proxy_boundary boundary;
    const struct proxy_redirect_settings *redirect; /* its peer only asks; NULL: calls pass */
    /* That requests to this trunk leave from, by enum tp_protocol, for IPv4 and IPv6; -1: none. */
    int16_t listeners[TP_PROTOCOL_COUNT][2];
    int8_t only_protocol; /* of all of these; -1: there are several */
    uint8_t udp_size;     /* enum proxy_udp_size */
    uint8_t sips;         /* enum proxy_sips */
    uint32_t label_connections;
    uint32_t connections; /* at most; 0: no limit of its own */
    struct tp_tls *tls;   /* NULL: as the listener has it */
    struct slice network;
    struct tp_network *sources;
    size_t source_count;
    struct proxy_target *targets;
    size_t target_count;
    struct proxy_health_settings health;
    struct proxy_failover_settings failover;
    struct proxy_trunk_limits limits;
    struct proxy_overload_settings overload;
    struct num_trie *routes; /* from the user part of a Request-URI to an index of a trunk */
    struct num_trie *originates;
    struct num_rule *number_rules;
};

struct proxy_plan;

/*
 * Settings are borrowed. Listener indices are those of the group that was made of the same `listen`
 * entries. ledger: of the trunks' budgets; NULL: they have none (a check only). resolver: of the
 * targets that are names, which the plan holds open; NULL: they resolve to nothing (a check only).
 * Problems that concern several sections (unknown trunk of a route, a source in two trunks, no
 * listen address in a trunk's network) go to the report: ERROR_CONFIG.
 */
int proxy_plan_create(const struct proxy_settings *settings, const struct rule_set *rules,
                      struct stats_registry *registry, struct screen_ledger *ledger,
                      struct tp_resolver *resolver, struct conf_report *report,
                      struct proxy_plan **plan) MUST_CHECK;

size_t proxy_plan_trunk_count(const struct proxy_plan *plan);
const struct proxy_trunk *proxy_plan_trunk(const struct proxy_plan *plan, size_t index);

/* NULL when there is none. */
const struct proxy_trunk *proxy_plan_find_trunk(const struct proxy_plan *plan, struct slice name);
const struct proxy_trunk *proxy_plan_trunk_by_mark(const struct proxy_plan *plan, uint32_t mark);

/* The trunk that a source belongs to, on the network of the listener that heard it; the longest
 * prefix decides. NULL: an unknown source. */
const struct proxy_trunk *proxy_plan_source(const struct proxy_plan *plan, uint16_t listener,
                                            const struct tp_address *source);
/* The same on whatever network: for addresses in Via. */
const struct proxy_trunk *proxy_plan_neighbour(const struct proxy_plan *plan,
                                               const struct tp_address *address);

/* The trunk that a request goes to, by the user part of its Request-URI. NULL: no route. */
const struct proxy_trunk *proxy_plan_route(const struct proxy_plan *plan,
                                           const struct proxy_trunk *from, struct slice user);

/* Whether an address is one of the trunk's: in its sources, or the host of a target, now or, of a
 * name, a while ago. */
bool proxy_trunk_owns(const struct proxy_trunk *trunk, const struct tp_address *address,
                      uint64_t now_us);

/*
 * The targets for a Call-ID in the order in which they are to be tried (RFC 3263 section 4.3), as
 * far as they fit: by priority, then drawn by weight, a name's own in the order of DNS. The same
 * after a restart and on every node that sees the same DNS. 0: the trunk has no targets, or none of
 * their names resolves to an address that the trunk's network reaches.
 */
size_t proxy_trunk_order(const struct proxy_trunk *trunk, const struct hash_key *key,
                         struct slice call_id, struct proxy_choice *choices, size_t capacity);

/*
 * The target to try: of those that serve the first in the order of the call, what is just coming
 * back passed over for the most part; when none serves, the first of all, unless the wish or the
 * trunk's `all_down` refuses that. What must yield passes over targets that have asked for fewer.
 * 0, ERROR_NOT_FOUND when there are no targets (left), -EPROTONOSUPPORT when none of these has TLS,
 * as is wished, ERROR_UNAVAILABLE when none serves, or ERROR_LIMIT when all that are left have
 * asked for fewer. health may be NULL.
 */
int proxy_trunk_choose(const struct proxy_trunk *trunk, const struct proxy_health *health,
                       const struct hash_key *key, const struct proxy_wish *wish,
                       struct proxy_chosen *chosen) MUST_CHECK;

/* The target at a place of the call's order, whether it serves or not; the first when there are not
 * that many. False: there are none. only_tls: the first from there on that has TLS, if any has. */
bool proxy_trunk_place(const struct proxy_trunk *trunk, const struct proxy_health *health,
                       const struct hash_key *key, struct slice call_id, uint8_t place,
                       bool only_tls, struct proxy_chosen *chosen);

/* The listener from which an address of this trunk is reached; -1: none of that family and
 * protocol. */
int proxy_trunk_listener(const struct proxy_trunk *trunk, const struct tp_address *address,
                         int protocol);

/* What the trunk speaks at an address that says nothing of it: as the target there, else as its
 * first target. */
int proxy_trunk_protocol(const struct proxy_trunk *trunk, const struct tp_address *address);

/* The trunk that a connection to an address is for, and the name by which the peer is known there;
 * the address itself (written to memory) where it has none. NULL: no trunk's. */
const struct proxy_trunk *proxy_plan_target(const struct proxy_plan *plan, uint16_t listener,
                                            const struct tp_address *address,
                                            char memory[TP_ADDRESS_TEXT], struct slice *host);
uint8_t proxy_plan_protocol(const struct proxy_plan *plan, uint16_t listener);
/* The certificates of a listener; NULL: it has none. */
struct tp_tls *proxy_plan_tls(const struct proxy_plan *plan, uint16_t listener);

/* NULL is allowed. */
void proxy_plan_destroy(struct proxy_plan *plan);

#endif
