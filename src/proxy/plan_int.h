/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a plan, shared by building (plan_build.c) and reading (plan.c).
 */
#ifndef RINGFENCE_PROXY_PLAN_INT_H
#define RINGFENCE_PROXY_PLAN_INT_H

#include "proxy/plan.h"

/* A source network in the table: looked up by masked address, bits and network of the listener. */
struct proxy_source {
    struct tp_network network;
    uint32_t network_id; /* index of the network's name among the listeners' */
    uint32_t trunk;
};

#define PROXY_ANY_NETWORK UINT32_MAX
/* Different prefix lengths in use, of both families. */
#define PROXY_SOURCE_LENGTHS 64

struct proxy_plan {
    struct proxy_trunk *trunks;
    size_t trunk_count;
    struct proxy_source *sources;
    size_t source_count;
    struct hash_table *source_table;
    struct hash_key key;
    struct {
        uint8_t family;
        uint8_t bits;
    } lengths[PROXY_SOURCE_LENGTHS]; /* longest first */
    size_t length_count;
    uint32_t listener_networks[TP_LISTENER_LIMIT];
    uint8_t listener_protocols[TP_LISTENER_LIMIT];  /* enum tp_protocol */
    struct tp_tls *listener_tls[TP_LISTENER_LIMIT]; /* NULL: not of TLS */
};

/* The address with the bits behind the prefix cleared, and without port. */
struct tp_address proxy_source_masked(const struct tp_address *address, unsigned bits);
uint64_t proxy_source_hash(const struct proxy_plan *plan, const struct tp_address *masked,
                           unsigned bits, uint32_t network_id);

struct proxy_source_key {
    const struct tp_address *masked;
    unsigned bits;
    uint32_t network_id;
};
bool proxy_source_match(const void *object, const void *key);

#endif
