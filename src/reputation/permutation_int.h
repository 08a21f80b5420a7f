/* SPDX-License-Identifier: Apache-2.0 */
/*
 * permutation: a keyed one-to-one mixing of 51-bit keys, and back.
 *
 * Shift by 26 bits undoes itself within 51; multiplication by an odd number has an inverse. Readers
 * look up what peers send, but only what Redis holds is ever stored, so a peer cannot crowd a line.
 */
#ifndef RINGFENCE_REPUTATION_PERMUTATION_INT_H
#define RINGFENCE_REPUTATION_PERMUTATION_INT_H

#include <stdint.h>

enum { REP_PERMUTATION_BITS = 51, REP_PERMUTATION_SHIFT = 26, REP_PERMUTATION_ROUNDS = 3 };

#define REP_PERMUTATION_MASK ((UINT64_C(1) << REP_PERMUTATION_BITS) - 1)

struct rep_permutation {
    uint64_t add;
    uint64_t multiply[REP_PERMUTATION_ROUNDS];
    uint64_t inverse[REP_PERMUTATION_ROUNDS];
};

void rep_permutation_init(struct rep_permutation *permutation, const uint64_t seed[2]);
uint64_t rep_permutation_backward(const struct rep_permutation *permutation, uint64_t mixed);

static inline uint64_t rep_permutation_forward(const struct rep_permutation *permutation,
                                               uint64_t key)
{
    uint64_t mixed = key + permutation->add;
    for (unsigned i = 0; i < REP_PERMUTATION_ROUNDS; i++) {
        mixed = mixed * permutation->multiply[i] & REP_PERMUTATION_MASK;
        mixed ^= mixed >> REP_PERMUTATION_SHIFT;
    }
    return mixed;
}

#endif
