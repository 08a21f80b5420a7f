/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-c-d after Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). */
#include "base/hash.h"

#include <string.h>

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void sip_rounds(struct sip_state *s, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static inline uint64_t load_little_endian(const unsigned char *bytes, size_t length)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (length == 8) {
        uint64_t word;
        memcpy(&word, bytes, sizeof(word));
        return word;
    }
#endif
    uint64_t word = 0;
    for (size_t i = 0; i < length; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

/* Inlined into both public functions, so that the numbers of rounds are constants. */
static inline uint64_t sip_hash(const struct hash_key *key, const void *bytes, size_t length,
                                int compression, int finalisation)
{
    struct sip_state s = {
        key->word[0] ^ 0x736f6d6570736575U,
        key->word[1] ^ 0x646f72616e646f6dU,
        key->word[0] ^ 0x6c7967656e657261U,
        key->word[1] ^ 0x7465646279746573U,
    };
    const unsigned char *at = bytes;

    for (size_t left = length / 8; left > 0; left--, at += 8) {
        uint64_t word = load_little_endian(at, 8);
        s.v3 ^= word;
        sip_rounds(&s, compression);
        s.v0 ^= word;
    }

    uint64_t last = (uint64_t)length << 56 | load_little_endian(at, length % 8);
    s.v3 ^= last;
    sip_rounds(&s, compression);
    s.v0 ^= last;

    s.v2 ^= 0xff;
    sip_rounds(&s, finalisation);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t hash_siphash13(const struct hash_key *key, const void *bytes, size_t length)
{
    return sip_hash(key, bytes, length, 1, 3);
}

uint64_t hash_siphash24(const struct hash_key *key, const void *bytes, size_t length)
{
    return sip_hash(key, bytes, length, 2, 4);
}
