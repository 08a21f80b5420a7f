/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-c-d after Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). */
#include "base/siphash.h"

#include "base/hash.h"

static inline __attribute__((always_inline)) uint64_t
hash_bytes(const struct hash_key *key, enum siphash_rounds rounds, const void *bytes, size_t length)
{
    struct siphash state = siphash_begin(key);
    const unsigned char *at = bytes;
    for (size_t left = length / 8; left > 0; left--, at += 8)
        siphash_word(&state, rounds, siphash_load(at));
    uint64_t last = (uint64_t)length << 56;
    if (length % 8 != 0)
        last |= siphash_load_rest(at, length % 8);
    siphash_word(&state, rounds, last);
    return siphash_end(&state, rounds);
}

uint64_t hash_siphash13(const struct hash_key *key, const void *bytes, size_t length)
{
    return hash_bytes(key, SIPHASH_TABLE, bytes, length);
}

uint64_t hash_siphash24(const struct hash_key *key, const void *bytes, size_t length)
{
    return hash_bytes(key, SIPHASH_MARK, bytes, length);
}
