/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter: rates of the action `limit`, shared by all workers.
 *
 * A caller's calls spread over the workers by Call-ID, so a rate must be kept in one place: a fixed
 * table of (key, theoretical arrival time) pairs, claimed and advanced by compare-and-swap. Only
 * calls under a `limit` verdict touch it. A full neighbourhood gives up its idlest key, which errs
 * on the side of letting a call pass.
 */
#ifndef RINGFENCE_SCREENING_LIMITER_H
#define RINGFENCE_SCREENING_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct screen_limiter;

/* keys: rounded up to a power of two; 16 bytes each. */
int screen_limiter_create(uint32_t keys, struct screen_limiter **limiter) MUST_CHECK;

/*
 * True while the key stays within `count` events per `period_us` (GCRA with a burst of `count`).
 * key: a keyed 64-bit hash of what is limited. Any thread.
 */
bool screen_limiter_pass(struct screen_limiter *limiter, uint64_t key, uint32_t count,
                         uint64_t period_us, uint64_t now_us);

/* NULL is allowed. */
void screen_limiter_destroy(struct screen_limiter *limiter);

#endif
