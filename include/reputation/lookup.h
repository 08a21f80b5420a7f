/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup: mode lookup, a worker's own way to Redis.
 *
 * One object per worker, on its loop and wheel; a pipelined connection that it opens, watches and
 * reopens by itself. Nothing here blocks or, once warm, allocates. One breaker for the process:
 * after many answers in a row that came too late it refuses at once for a second, then lets one
 * through to try. Prefixes shorter than min_block_prefix are not asked for.
 */
#ifndef RINGFENCE_REPUTATION_LOOKUP_H
#define RINGFENCE_REPUTATION_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "reputation/entry.h"
#include "reputation/store.h"
#include "runtime/loop.h"
#include "runtime/wheel.h"

struct rep_lookup;

/*
 * result: 0 with the finding (which may be "nothing known"), or ERROR_UNAVAILABLE when the
 * connection was lost. Never called from within rep_lookup_start() or _cancel().
 */
typedef void rep_lookup_fn(void *cookie, int result, const struct rep_finding *finding);

/* The store must outlive it, the wheel must be advanced by the loop's owner. */
int rep_lookup_create(struct rep_store *store, struct rt_loop *loop, struct rt_wheel *wheel,
                      struct rep_lookup **lookup) MUST_CHECK;

/*
 * number: E.164 with its plus, or empty when it did not normalise; raw: asked for when number is
 * empty.
 * Returns 0 and *ticket == 0: *finding is the answer (from the cache).
 * Returns 0 and *ticket != 0: done() will be called once, unless it is cancelled.
 * ERROR_UNAVAILABLE: not connected or breaker open; ERROR_LIMIT: too many in flight.
 */
int rep_lookup_start(struct rep_lookup *lookup, struct slice number, struct slice raw,
                     rep_lookup_fn *done, void *cookie, struct rep_finding *finding,
                     uint64_t *ticket) MUST_CHECK;

/* done() will not be called. late: the deadline passed, which counts towards the breaker.
 * Harmless for a ticket that is over. */
void rep_lookup_cancel(struct rep_lookup *lookup, uint64_t ticket, bool late);

/* Waiting for an answer, the cancelled ones included. */
unsigned rep_lookup_in_flight(const struct rep_lookup *lookup);
bool rep_lookup_connected(const struct rep_lookup *lookup);

/* Pending lookups are cancelled. On the loop's thread. NULL is allowed. */
void rep_lookup_destroy(struct rep_lookup *lookup);

#endif
