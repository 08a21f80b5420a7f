/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/throttle.h"

/* The word: until when in milliseconds, value, algorithm. */
#define ALGORITHM_BITS 2
#define VALUE_BITS     24
#define VALUE_MAX      ((UINT32_C(1) << VALUE_BITS) - 1)

/* Responses are not out of order by more than Timer B. A lower sequence after that is of a server
 * that counts anew (section 4.4). */
#define ORDER_US       UINT64_C(32000000)
#define HEARD_GRAIN_US UINT64_C(1000000)

#define SECOND_NS UINT64_C(1000000000)
/* TAU of RFC 7415 section 3.5.1: what may be in the bucket when one more comes. */
#define TAU_INTERVALS 4
/* What requests that are not refused may take in advance. */
#define ADVANCE_NS SECOND_NS

#define LOAD(field)         atomic_load_explicit(&(field), memory_order_relaxed)
#define STORE(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

static enum smsg_overload_algorithm algorithm_of(uint64_t word)
{
    return (enum smsg_overload_algorithm)(word & ((1u << ALGORITHM_BITS) - 1));
}

static uint32_t value_of(uint64_t word)
{
    return (uint32_t)(word >> ALGORITHM_BITS) & VALUE_MAX;
}

static uint64_t until_us(uint64_t word)
{
    return (word >> (ALGORITHM_BITS + VALUE_BITS)) * 1000;
}

static bool in_force(uint64_t word, uint64_t now_us)
{
    return word != 0 && until_us(word) > now_us;
}

/* 0: it asks for nothing. */
static uint64_t word_of(const struct smsg_overload *said, uint64_t validity_max_us, uint64_t now_us)
{
    uint64_t validity_us = (uint64_t)said->validity_ms * 1000;
    uint32_t value = said->value < VALUE_MAX ? said->value : VALUE_MAX;
    if (validity_us > validity_max_us)
        validity_us = validity_max_us;
    if (validity_us == 0 || (said->algorithms == SMSG_OVERLOAD_LOSS && value == 0))
        return 0;
    uint64_t end_ms = (now_us + validity_us + 999) / 1000;
    return end_ms << (ALGORITHM_BITS + VALUE_BITS) | (uint64_t)value << ALGORITHM_BITS |
           said->algorithms;
}

static bool is_sound(const struct smsg_overload *said)
{
    if (said->validity_ms == 0)
        return true; /* whatever else it says (section 5.7) */
    if (said->algorithm_count != 1)
        return false;
    return said->algorithms == SMSG_OVERLOAD_RATE ||
           (said->algorithms == SMSG_OVERLOAD_LOSS && said->value <= 100);
}

enum order { ORDER_OLDER, ORDER_SAME, ORDER_NEWER };

/* Without a sequence they count as they come. The same one again is of a response that was sent
 * again, and does not prolong anything (section 5.4). */
static enum order order_of(struct proxy_throttle *throttle, const struct smsg_overload *said,
                           uint64_t now_us)
{
    uint64_t heard_us = LOAD(throttle->heard_us);
    uint64_t last = LOAD(throttle->sequence);
    if (!said->sequenced)
        return ORDER_NEWER;
    if (said->sequence <= last && now_us < heard_us + ORDER_US)
        return said->sequence < last ? ORDER_OLDER : ORDER_SAME;
    STORE(throttle->sequence, said->sequence);
    if (now_us >= heard_us + HEARD_GRAIN_US)
        STORE(throttle->heard_us, now_us);
    return ORDER_NEWER;
}

enum proxy_throttle_news proxy_throttle_hear(struct proxy_throttle *throttle,
                                             const struct smsg_overload *said,
                                             uint64_t validity_max_us, uint64_t now_us)
{
    if (!is_sound(said))
        return PROXY_THROTTLE_REFUSED;
    enum order order = order_of(throttle, said, now_us);
    if (order != ORDER_NEWER)
        return order == ORDER_OLDER ? PROXY_THROTTLE_STALE : PROXY_THROTTLE_SAME;
    uint64_t old = LOAD(throttle->word);
    uint64_t word = word_of(said, validity_max_us, now_us);
    if (word == old)
        return PROXY_THROTTLE_SAME;
    /* First: who sees a rate must find a bucket that is not of another one. */
    if (old == 0 || algorithm_of(old) != algorithm_of(word))
        STORE(throttle->due_ns, 0);
    if (old == 0)
        STORE(throttle->begun_us, now_us);
    if (!atomic_compare_exchange_strong_explicit(&throttle->word, &old, word, memory_order_relaxed,
                                                 memory_order_relaxed))
        return PROXY_THROTTLE_SAME; /* another worker was told as much at this moment */
    if (old == 0)
        return PROXY_THROTTLE_BEGUN;
    if (word == 0)
        return PROXY_THROTTLE_ENDED;
    bool same = algorithm_of(old) == algorithm_of(word) && value_of(old) == value_of(word);
    return same ? PROXY_THROTTLE_SAME : PROXY_THROTTLE_CHANGED;
}

bool proxy_throttle_expire(struct proxy_throttle *throttle, uint64_t now_us)
{
    uint64_t word = LOAD(throttle->word);
    return word != 0 && until_us(word) <= now_us &&
           atomic_compare_exchange_strong_explicit(&throttle->word, &word, 0, memory_order_relaxed,
                                                   memory_order_relaxed);
}

bool proxy_throttle_admits(const struct proxy_throttle *throttle, uint32_t lot, uint64_t now_us)
{
    uint64_t word = LOAD(throttle->word);
    uint32_t value = value_of(word);
    if (!in_force(word, now_us))
        return true;
    if (algorithm_of(word) == SMSG_OVERLOAD_LOSS)
        return lot >= (value << 16) / 100;
    return value > 0 &&
           LOAD(throttle->due_ns) <= now_us * 1000 + TAU_INTERVALS * (SECOND_NS / value);
}

void proxy_throttle_spend(struct proxy_throttle *throttle, uint64_t now_us)
{
    uint64_t word = LOAD(throttle->word);
    if (algorithm_of(word) != SMSG_OVERLOAD_RATE || value_of(word) == 0 || !in_force(word, now_us))
        return;
    uint64_t now_ns = now_us * 1000;
    uint64_t due = LOAD(throttle->due_ns);
    uint64_t next;
    do {
        next = (due > now_ns ? due : now_ns) + SECOND_NS / value_of(word);
        if (next > now_ns + ADVANCE_NS)
            next = due > now_ns + ADVANCE_NS ? due : now_ns + ADVANCE_NS;
    } while (!atomic_compare_exchange_weak_explicit(&throttle->due_ns, &due, next,
                                                    memory_order_relaxed, memory_order_relaxed));
}

struct proxy_throttle_view proxy_throttle_view(const struct proxy_throttle *throttle,
                                               uint64_t now_us)
{
    uint64_t word = LOAD(throttle->word);
    struct proxy_throttle_view view = {.algorithm = SMSG_OVERLOAD_NONE};
    if (!in_force(word, now_us))
        return view;
    view.algorithm = algorithm_of(word);
    view.value = value_of(word);
    view.begun_us = LOAD(throttle->begun_us);
    view.until_us = until_us(word);
    return view;
}

void proxy_throttle_clear(struct proxy_throttle *throttle)
{
    STORE(throttle->word, 0);
    STORE(throttle->begun_us, 0);
    STORE(throttle->due_ns, 0);
    STORE(throttle->sequence, 0);
    STORE(throttle->heard_us, 0);
}
