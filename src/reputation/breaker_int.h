/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaker: one per process: stops asking a Redis that answers too late.
 *
 * Counts answers in a row that came too late or not at all, over all workers. At the limit it opens
 * for a while, during which nothing is asked; then one caller per period may try, and its success
 * closes it. Relaxed atomics: a few calls more or less do not matter.
 */
#ifndef RINGFENCE_REPUTATION_BREAKER_INT_H
#define RINGFENCE_REPUTATION_BREAKER_INT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { REP_BREAKER_LIMIT = 50, REP_BREAKER_OPEN_US = 1000000 };

struct rep_breaker {
    _Atomic uint32_t failures;
    _Atomic uint64_t open_until_us; /* 0: closed */
};

/* True when a question may be asked now. */
static inline bool rep_breaker_allows(struct rep_breaker *breaker, uint64_t now_us)
{
    uint64_t until = atomic_load_explicit(&breaker->open_until_us, memory_order_relaxed);
    if (until == 0)
        return true;
    /* Whoever moves the end of the period has the trial. */
    return now_us >= until && atomic_compare_exchange_strong_explicit(
                                  &breaker->open_until_us, &until, now_us + REP_BREAKER_OPEN_US,
                                  memory_order_relaxed, memory_order_relaxed);
}

static inline void rep_breaker_failed(struct rep_breaker *breaker, uint64_t now_us)
{
    if (atomic_fetch_add_explicit(&breaker->failures, 1, memory_order_relaxed) + 1 >=
        REP_BREAKER_LIMIT)
        atomic_store_explicit(&breaker->open_until_us, now_us + REP_BREAKER_OPEN_US,
                              memory_order_relaxed);
}

static inline void rep_breaker_succeeded(struct rep_breaker *breaker)
{
    /* Loads first: in good times nobody writes the shared line. */
    if (atomic_load_explicit(&breaker->failures, memory_order_relaxed) != 0)
        atomic_store_explicit(&breaker->failures, 0, memory_order_relaxed);
    if (atomic_load_explicit(&breaker->open_until_us, memory_order_relaxed) != 0)
        atomic_store_explicit(&breaker->open_until_us, 0, memory_order_relaxed);
}

static inline bool rep_breaker_is_open(const struct rep_breaker *breaker)
{
    return atomic_load_explicit(&breaker->open_until_us, memory_order_relaxed) != 0;
}

#endif
