/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_int: what mode lookup shares with its store.
 */
#ifndef RINGFENCE_REPUTATION_STORE_INT_H
#define RINGFENCE_REPUTATION_STORE_INT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "breaker_int.h"
#include "reputation/store.h"
#include "route_int.h"

/* Written by all workers; relaxed. */
struct rep_lookup_shared {
    struct rep_breaker breaker;
    _Atomic uint64_t lookups, hits, failures;
    _Atomic uint32_t workers;       /* that ask */
    _Atomic uint32_t connected;     /* ... and have all their connections */
    _Atomic uint32_t route_version; /* counts routes; 0: none yet */
    _Atomic uint64_t redirects;     /* keys that had moved to another node of a cluster */
    _Atomic uint64_t doubted_us;    /* when the service thread was told last */
};

const struct rep_settings *rep_store_settings(const struct rep_store *store);
const struct rep_authority *rep_store_authority(const struct rep_store *store);
struct rep_lookup_shared *rep_store_lookup_shared(struct rep_store *store);

/* Where keys are, as last found on the service thread; false before that. Takes a lock and copies
 * much: only when the version in struct rep_lookup_shared is another. */
bool rep_store_route(struct rep_store *store, struct rep_route *route);

/* A server does not answer or is not the right one: the service thread looks again. Passed on at
 * most ten times a second. */
void rep_store_doubt(struct rep_store *store, uint64_t now_us);

#endif
