/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot: an entry and the remainder of its key in three words.
 *
 *   word 0   expiry (31 bits: seconds since 2020-01-01, 0 never) | generation (1)
 *   word 1   remainder, low 32 bits
 *   word 2   remainder, high 8 bits | score + 1 (7) | list (2) | type (8) | source (7)
 */
#ifndef RINGFENCE_REPUTATION_SLOT_INT_H
#define RINGFENCE_REPUTATION_SLOT_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "reputation/entry.h"
#include "reputation/names.h"

enum { REP_SLOT_WORDS = 3 };

/* 2020-01-01T00:00:00Z; 31 bits from there reach the year 2088. */
#define REP_SLOT_EPOCH_S 1577836800u

_Static_assert(REP_TYPE_LIMIT < 256 && REP_SOURCE_LIMIT < 128 && REP_LIST_COUNT <= 4 &&
                   REP_SCORE_MAXIMUM + 1 < 128,
               "the fields of a slot");

struct rep_slot {
    uint32_t word[REP_SLOT_WORDS];
};

static inline uint32_t rep_slot_expiry(uint64_t expires_s)
{
    if (expires_s == 0)
        return 0;
    if (expires_s <= REP_SLOT_EPOCH_S)
        return 1;
    uint64_t since = expires_s - REP_SLOT_EPOCH_S;
    return since > INT32_MAX ? INT32_MAX : (uint32_t)since;
}

static inline struct rep_slot rep_slot_make(uint64_t remainder, const struct rep_entry *entry,
                                            unsigned generation)
{
    return (struct rep_slot){
        .word = {rep_slot_expiry(entry->expires_s) << 1 | (generation & 1), (uint32_t)remainder,
                 (uint32_t)(remainder >> 32) << 24 | (uint32_t)(entry->score + 1) << 17 |
                     (uint32_t)entry->list << 15 | (uint32_t)entry->type << 7 |
                     (uint32_t)(entry->source & 0x7f)}};
}

static inline struct rep_entry rep_slot_entry(const struct rep_slot *slot)
{
    uint32_t expiry = slot->word[0] >> 1;
    uint32_t rest = slot->word[2];
    return (struct rep_entry){
        .expires_s = expiry == 0 ? 0 : (uint64_t)REP_SLOT_EPOCH_S + expiry,
        .score = (int8_t)((int)(rest >> 17 & 0x7f) - 1),
        .list = (uint8_t)(rest >> 15 & 3),
        .type = (uint8_t)(rest >> 7),
        .source = (uint8_t)(rest & 0x7f),
    };
}

static inline uint64_t rep_slot_remainder(const struct rep_slot *slot)
{
    return (uint64_t)(slot->word[2] >> 24) << 32 | slot->word[1];
}

static inline unsigned rep_slot_generation(const struct rep_slot *slot)
{
    return slot->word[0] & 1;
}

#endif
