/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network: many IP networks, asked "is this address in one of them?".
 *
 * Gathered first, sealed once into ranges that neither touch nor overlap; a look-up is a binary
 * search. IPv4 lives among IPv6 as ::ffff:a.b.c.d, so both are one case.
 */
#ifndef RINGFENCE_RULES_NETWORK_INT_H
#define RINGFENCE_RULES_NETWORK_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "config/address.h"
#include "rules/value.h"
#include "vector_int.h"

/* Both ends belong to it. */
struct rule_range {
    struct rule_address first;
    struct rule_address last;
};

struct rule_networks {
    const struct rule_range *ranges;
    size_t count;
};

/* The first address of a network. */
struct rule_address rule_network_first(const struct conf_network *network);

/* Adds a range to a vector of struct rule_range. */
int rule_network_add(struct rule_vector *ranges, const struct conf_network *network) MUST_CHECK;

/* Whether one of the ranges holds the whole of the network. */
bool rule_network_covers(const struct rule_vector *ranges, const struct conf_network *network);

/* Sorts and merges; the result lives in the arena. The vector is cleared, also on -ENOMEM. */
int rule_networks_seal(struct rule_vector *ranges, struct arena *arena,
                       struct rule_networks **networks) MUST_CHECK;

bool rule_networks_have(const struct rule_networks *networks, const struct rule_address *address);

#endif
