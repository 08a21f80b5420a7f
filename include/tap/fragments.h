/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fragments: IPv4 and IPv6 datagrams put together from their fragments (RFC 791, RFC 8200 4.5).
 *
 * Bounded in datagrams, fragments of one, bytes and time, whatever comes. A fragment that overlaps
 * another with anything but the same bytes at the same place gives the datagram up (RFC 5722, for
 * IPv4 alike), and what comes of it later is dropped with it: no reader may see two datagrams. The
 * same fragment twice, as from two interfaces, is taken once, also behind the last one. When there
 * is no room the datagram that began first goes. The clock is the packets' own. One owner thread.
 */
#ifndef RINGFENCE_TAP_FRAGMENTS_H
#define RINGFENCE_TAP_FRAGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "tap/walk.h"

/* Of 1280 bytes each, the smallest that IPv6 allows, 52 make the largest datagram. */
enum { TAP_FRAGMENTS_MAX = 64, TAP_DATAGRAM_MAX = 65535 };

struct tap_fragments_limits {
    uint32_t datagrams;
    size_t bytes;
    uint64_t timeout_us;   /* from the first fragment that came */
    uint64_t duplicate_us; /* behind the last one: what comes as late is a copy */
    struct hash_key key;
};

/* A whole datagram; valid until the next call. */
struct tap_joined {
    struct slice bytes;
    const uint64_t *packets; /* numbers of those that it was in, in the order of the fragments */
    uint32_t packet_count;
};

struct tap_fragments;

int tap_fragments_create(const struct tap_fragments_limits *limits, struct tap_counts *counts,
                         struct tap_fragments **fragments) MUST_CHECK;

/* walk: after TAP_STEP_FRAGMENT. True when that was the last one missing. */
bool tap_fragments_add(struct tap_fragments *fragments, const struct tap_walk *walk,
                       uint64_t wall_us, uint64_t packet, struct tap_joined *joined) MUST_CHECK;

/* Bytes of memory that are held now. */
size_t tap_fragments_held(const struct tap_fragments *fragments);

/* NULL is allowed. */
void tap_fragments_destroy(struct tap_fragments *fragments);

#endif
