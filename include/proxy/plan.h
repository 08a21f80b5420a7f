/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: trunks, sources and routes, compiled; immutable, part of a snapshot.
 */
#ifndef RINGFENCE_PROXY_PLAN_H
#define RINGFENCE_PROXY_PLAN_H

#include "identity/mark.h"
#include "proxy/settings.h"
#include "screening/policy.h"
#include "stats/counters.h"
#include "transport/transport.h"

#define PROXY_TRUNK_LIMIT 1000

struct proxy_trunk {
    struct screen_trunk screen;
    uint32_t mark;     /* as in Record-Route: survives restarts and reloads */
    uint32_t label_in; /* of STATS_FAMILY_TRUNK_CALLS_IN, and so on */
    uint32_t label_out;
    uint32_t label_blocked;
    uint32_t label_answered;
    uint32_t label_over_budget;
    bool open_targets;
    int16_t listener_v4; /* that requests to this trunk leave from; -1: none */
    int16_t listener_v6;
    struct slice network;
    struct tp_network *sources;
    size_t source_count;
    struct tp_address *targets;
    size_t target_count;
    struct num_trie *routes; /* from the user part of a Request-URI to an index of a trunk */
    struct num_trie *originates;
    struct num_rule *number_rules;
};

struct proxy_plan;

/*
 * Settings are borrowed. Listener indices are those of the group that was made of the same `listen`
 * entries. ledger: of the trunks' budgets; NULL: they have none (a check only). Problems that
 * concern several sections (unknown trunk of a route, a source in two trunks, no listen address in
 * a trunk's network) go to the report: ERROR_CONFIG.
 */
int proxy_plan_create(const struct proxy_settings *settings, const struct rule_set *rules,
                      struct stats_registry *registry, struct screen_ledger *ledger,
                      struct conf_report *report, struct proxy_plan **plan) MUST_CHECK;

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

/* Whether an address is one of the trunk's: in its sources, or the host of a target. */
bool proxy_trunk_owns(const struct proxy_trunk *trunk, const struct tp_address *address);

/* The target for a Call-ID: the same after a restart and on every node. NULL: no targets. */
const struct tp_address *proxy_trunk_target(const struct proxy_trunk *trunk,
                                            const struct hash_key *key, struct slice call_id,
                                            unsigned attempt);

/* The listener from which an address of this trunk is reached; -1: none of that family. */
int proxy_trunk_listener(const struct proxy_trunk *trunk, const struct tp_address *address);

/* NULL is allowed. */
void proxy_plan_destroy(struct proxy_plan *plan);

#endif
