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
#include "server_int.h"

/* Written by all workers; relaxed. */
struct rep_lookup_shared {
    struct rep_breaker breaker;
    _Atomic uint64_t lookups, hits, failures;
    _Atomic uint32_t workers;   /* that ask */
    _Atomic uint32_t connected; /* ... and have a connection */
};

const struct rep_settings *rep_store_settings(const struct rep_store *store);
struct rep_lookup_shared *rep_store_lookup_shared(struct rep_store *store);

/* Where Redis is, as last resolved on the service thread; false before that. Takes a lock: only
 * when connecting. */
bool rep_store_addresses(struct rep_store *store, struct rep_addresses *addresses);

#endif
