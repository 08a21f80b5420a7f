/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/admission.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define WAYS       8
#define COUNT_BITS 20
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

/* A tag, the upper bits of the hash, and below it how many; a word whose count is zero is free.
 * Relaxed: each word stands alone, nothing is published through it. */
struct proxy_admission {
    uint64_t mask;
    _Atomic uint64_t places[];
};

static const struct {
    const char *key;
    bool is_rate;
} limit_rows[PROXY_LIMIT_COUNT] = {
#define LIMIT_ROW(identifier, key, is_rate) {key, is_rate},
    PROXY_LIMIT_TABLE(LIMIT_ROW)
#undef LIMIT_ROW
};

const char *proxy_limit_key(enum proxy_limit limit)
{
    return limit_rows[limit].key;
}

bool proxy_limit_is_rate(enum proxy_limit limit)
{
    return limit_rows[limit].is_rate;
}

uint32_t proxy_limit_of(const struct proxy_trunk_limits *limits, enum proxy_limit limit)
{
    const uint32_t values[PROXY_LIMIT_COUNT] = {
        [PROXY_LIMIT_RATE] = limits->rate,
        [PROXY_LIMIT_SOURCE_RATE] = limits->source_rate,
        [PROXY_LIMIT_CALLER_RATE] = limits->caller_rate,
        [PROXY_LIMIT_RATE_OUT] = limits->rate_out,
        [PROXY_LIMIT_CALLS] = limits->calls,
        [PROXY_LIMIT_SOURCE_CALLS] = limits->source_calls,
        [PROXY_LIMIT_CALLER_CALLS] = limits->caller_calls,
        [PROXY_LIMIT_CALLS_OUT] = limits->calls_out,
    };
    return values[limit];
}

uint64_t proxy_limit_hash(enum proxy_limit limit, uint32_t trunk, uint64_t who)
{
    return hash_mix((uint64_t)trunk << 8 | (uint64_t)limit, who);
}

int proxy_admission_create(uint32_t places, struct proxy_admission **admission)
{
    uint64_t size = WAYS;
    while (size < places)
        size *= 2;
    struct proxy_admission *made = calloc(1, sizeof(*made) + size * sizeof(made->places[0]));
    if (made == NULL)
        return -ENOMEM;
    made->mask = size - 1;
    *admission = made;
    return 0;
}

static uint64_t first_place(const struct proxy_admission *admission, uint64_t hash)
{
    return hash & admission->mask & ~(uint64_t)(WAYS - 1);
}

static uint64_t tag_of(uint64_t hash)
{
    return hash & ~COUNT_MASK;
}

/* The place that counts for the hash, else a free one, else none: false. */
static bool find(const struct proxy_admission *admission, uint64_t hash, uint64_t *place,
                 uint64_t *word)
{
    uint64_t first = first_place(admission, hash);
    bool found = false;
    for (uint64_t i = first; i < first + WAYS; i++) {
        uint64_t present = atomic_load_explicit(&admission->places[i], memory_order_relaxed);
        bool is_free = (present & COUNT_MASK) == 0;
        bool is_own = !is_free && tag_of(present) == tag_of(hash);
        if (!is_own && (!is_free || found))
            continue;
        *place = i;
        *word = present;
        found = true;
        if (is_own)
            return true;
    }
    return found;
}

bool proxy_admission_enter(struct proxy_admission *admission, uint64_t hash, uint32_t limit,
                           uint32_t *place)
{
    uint64_t at, word;
    *place = 0;
    while (find(admission, hash, &at, &word)) {
        uint64_t count = word & COUNT_MASK;
        if (count >= limit || count == COUNT_MASK)
            return false;
        if (!atomic_compare_exchange_weak_explicit(&admission->places[at], &word,
                                                   tag_of(hash) | (count + 1), memory_order_relaxed,
                                                   memory_order_relaxed))
            continue;
        *place = (uint32_t)at + 1;
        return true;
    }
    return true;
}

void proxy_admission_leave(struct proxy_admission *admission, uint32_t place)
{
    if (place == 0)
        return;
    _Atomic uint64_t *counted = &admission->places[place - 1];
    uint64_t word = atomic_load_explicit(counted, memory_order_relaxed);
    while ((word & COUNT_MASK) > 0 &&
           !atomic_compare_exchange_weak_explicit(counted, &word, word - 1, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

/* The tag has the hash's upper bits, and the place as many of the lower ones as choose it. */
uint64_t proxy_admission_hash(const struct proxy_admission *admission, uint32_t place)
{
    if (place == 0)
        return 0;
    uint64_t word = atomic_load_explicit(&admission->places[place - 1], memory_order_relaxed);
    return tag_of(word) | first_place(admission, place - 1);
}

uint32_t proxy_admission_count(const struct proxy_admission *admission, uint64_t hash)
{
    uint64_t at, word;
    if (admission == NULL || !find(admission, hash, &at, &word) || tag_of(word) != tag_of(hash))
        return 0;
    return (uint32_t)(word & COUNT_MASK);
}

void proxy_admission_destroy(struct proxy_admission *admission)
{
    free(admission);
}
