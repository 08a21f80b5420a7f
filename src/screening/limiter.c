/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/limiter.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define WAYS 8

struct limit_slot {
    _Atomic uint64_t key; /* 0: free */
    /* Theoretical arrival time of the next event, GCRA (the virtual scheduling of a leaky
     * bucket). Relaxed: a slot stands alone, nothing is published through it. */
    _Atomic uint64_t arrival_us;
};

struct screen_limiter {
    uint64_t mask;
    struct limit_slot slots[];
};

int screen_limiter_create(uint32_t keys, struct screen_limiter **limiter)
{
    uint64_t size = WAYS;
    while (size < keys)
        size *= 2;
    struct screen_limiter *created = calloc(1, sizeof(*created) + size * sizeof(created->slots[0]));
    if (created == NULL)
        return -ENOMEM;
    created->mask = size - 1;
    *limiter = created;
    return 0;
}

/* The slot of the key, claimed if need be: a free one, else the one that has been idle longest. */
static struct limit_slot *claim(struct screen_limiter *limiter, uint64_t key)
{
    struct limit_slot *first = &limiter->slots[key & limiter->mask & ~(uint64_t)(WAYS - 1)];
    struct limit_slot *idlest = first;
    uint64_t oldest = UINT64_MAX;
    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t present = atomic_load_explicit(&first[i].key, memory_order_relaxed);
        if (present == key)
            return &first[i];
        uint64_t arrival = atomic_load_explicit(&first[i].arrival_us, memory_order_relaxed);
        if (arrival < oldest) {
            oldest = arrival;
            idlest = &first[i];
        }
    }
    uint64_t evicted = atomic_load_explicit(&idlest->key, memory_order_relaxed);
    if (atomic_compare_exchange_strong_explicit(&idlest->key, &evicted, key, memory_order_relaxed,
                                                memory_order_relaxed))
        atomic_store_explicit(&idlest->arrival_us, 0, memory_order_relaxed);
    return idlest;
}

bool screen_limiter_pass(struct screen_limiter *limiter, uint64_t key, uint32_t count,
                         uint64_t period_us, uint64_t now_us)
{
    if (count == 0)
        return false;
    uint64_t spacing = period_us / count;
    struct limit_slot *slot = claim(limiter, key == 0 ? 1 : key);
    uint64_t arrival = atomic_load_explicit(&slot->arrival_us, memory_order_relaxed);
    for (;;) {
        uint64_t due = arrival > now_us ? arrival : now_us;
        if (due - now_us > period_us - spacing)
            return false;
        if (atomic_compare_exchange_weak_explicit(&slot->arrival_us, &arrival, due + spacing,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
}

void screen_limiter_destroy(struct screen_limiter *limiter)
{
    free(limiter);
}
