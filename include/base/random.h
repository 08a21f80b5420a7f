/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random: seeds from the kernel, and a fast generator for what needs no secrecy.
 */
#ifndef RINGFENCE_BASE_RANDOM_H
#define RINGFENCE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* getrandom(2); -errno on failure. */
int random_bytes(void *bytes, size_t length) MUST_CHECK;

/* xoshiro256**; the seed is a parameter, so tests repeat. */
struct random_state {
    uint64_t word[4];
};

void random_seed(struct random_state *state, uint64_t seed);
uint64_t random_next(struct random_state *state);
/* Uniform in 0..bound-1; bound > 0. */
uint64_t random_below(struct random_state *state, uint64_t bound);

#endif
