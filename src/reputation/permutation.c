/* SPDX-License-Identifier: Apache-2.0 */
#include "permutation_int.h"

#include "base/hash.h"

/* Newton's iteration doubles the correct low bits: 3, 6, 12, 24, 48, 96. */
static uint64_t inverse_of_odd(uint64_t odd)
{
    uint64_t inverse = odd;
    for (unsigned i = 0; i < 5; i++)
        inverse *= 2 - odd * inverse;
    return inverse;
}

void rep_permutation_init(struct rep_permutation *permutation, const uint64_t seed[2])
{
    const struct hash_key key = {{seed[0], seed[1]}};
    uint64_t number = 0;
    permutation->add = hash_siphash24(&key, &number, sizeof(number));
    for (unsigned i = 0; i < REP_PERMUTATION_ROUNDS; i++) {
        number++;
        permutation->multiply[i] = hash_siphash24(&key, &number, sizeof(number)) | 1;
        permutation->inverse[i] = inverse_of_odd(permutation->multiply[i]);
    }
}

uint64_t rep_permutation_backward(const struct rep_permutation *permutation, uint64_t mixed)
{
    for (unsigned i = REP_PERMUTATION_ROUNDS; i-- > 0;) {
        mixed ^= mixed >> REP_PERMUTATION_SHIFT;
        mixed = mixed * permutation->inverse[i] & REP_PERMUTATION_MASK;
    }
    return (mixed - permutation->add) & REP_PERMUTATION_MASK;
}
