/* SPDX-License-Identifier: Apache-2.0 */
/*
 * siphash: the rounds of SipHash, and hashing of a list of parts without joining them first.
 *
 * A list is absorbed as: for each part its length, then its bytes in words of 8, the last one
 * filled with zeros. So no two different lists absorb the same words. It is not the SipHash of any
 * byte string; hash_siphash13() and hash_siphash24() of base/hash.h are.
 *
 * Everything is inline: the state stays in registers from the first part to the last, which halves
 * the cost of the short keys that a message needs.
 */
#ifndef RINGFENCE_BASE_SIPHASH_H
#define RINGFENCE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

struct hash_key {
    uint64_t word[2];
};

/* The number of rounds for each word: tables need less than marks that a peer can study. */
enum siphash_rounds { SIPHASH_TABLE = 1, SIPHASH_MARK = 2 };

struct siphash {
    uint64_t v0, v1, v2, v3;
};

/* Two hashes from one pass: 128 bits, as many as identify a key without keeping it. */
struct siphash_pair {
    uint64_t first, second;
};

static inline uint64_t siphash_rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void siphash_round(struct siphash *s)
{
    s->v0 += s->v1;
    s->v1 = siphash_rotate(s->v1, 13) ^ s->v0;
    s->v0 = siphash_rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = siphash_rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = siphash_rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = siphash_rotate(s->v1, 17) ^ s->v2;
    s->v2 = siphash_rotate(s->v2, 32);
}

static inline struct siphash siphash_begin(const struct hash_key *key)
{
    return (struct siphash){
        key->word[0] ^ 0x736f6d6570736575U,
        key->word[1] ^ 0x646f72616e646f6dU,
        key->word[0] ^ 0x6c7967656e657261U,
        key->word[1] ^ 0x7465646279746573U,
    };
}

static inline void siphash_word(struct siphash *s, enum siphash_rounds rounds, uint64_t word)
{
    s->v3 ^= word;
    siphash_round(s);
    if (rounds == SIPHASH_MARK)
        siphash_round(s);
    s->v0 ^= word;
}

/* Little-endian whatever the machine is, so that the nodes of a site agree on marks. */
static inline uint64_t siphash_load(const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The last 0 to 7 bytes as a word; reads nothing beside them. */
static inline uint64_t siphash_load_rest(const unsigned char *bytes, size_t length)
{
    uint64_t word = 0;
    size_t at = 0;
    if (length & 4) {
        word = (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
               (uint64_t)bytes[3] << 24;
        at = 4;
    }
    if (length & 2) {
        word |= ((uint64_t)bytes[at] | (uint64_t)bytes[at + 1] << 8) << (8 * at);
        at += 2;
    }
    if (length & 1)
        word |= (uint64_t)bytes[at] << (8 * at);
    return word;
}

static inline void siphash_part(struct siphash *s, enum siphash_rounds rounds, struct slice part)
{
    const unsigned char *at = (const unsigned char *)part.data;
    siphash_word(s, rounds, part.length);
    for (size_t left = part.length / 8; left > 0; left--, at += 8)
        siphash_word(s, rounds, siphash_load(at));
    if (part.length % 8 != 0)
        siphash_word(s, rounds, siphash_load_rest(at, part.length % 8));
}

/* The upper-case ASCII letters of a word made lower-case; bytes above 127 stay. */
static inline uint64_t siphash_lower(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101U;
    uint64_t low = word & (0x7f * ones);
    uint64_t from_a = low + (0x80 - 'A') * ones;
    uint64_t beyond_z = low + (0x80 - 'Z' - 1) * ones;
    uint64_t is_upper = from_a & ~beyond_z & ~word & (0x80 * ones);
    return word | is_upper >> 2;
}

/* As siphash_part(), with upper and lower case alike. */
static inline void siphash_part_nocase(struct siphash *s, enum siphash_rounds rounds,
                                       struct slice part)
{
    const unsigned char *at = (const unsigned char *)part.data;
    siphash_word(s, rounds, part.length);
    for (size_t left = part.length / 8; left > 0; left--, at += 8)
        siphash_word(s, rounds, siphash_lower(siphash_load(at)));
    if (part.length % 8 != 0)
        siphash_word(s, rounds, siphash_lower(siphash_load_rest(at, part.length % 8)));
}

static inline uint64_t siphash_finish(struct siphash *s, enum siphash_rounds rounds, uint8_t flip)
{
    s->v2 ^= flip;
    for (int i = 0; i < 2 + (int)rounds; i++)
        siphash_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t siphash_end(struct siphash *s, enum siphash_rounds rounds)
{
    return siphash_finish(s, rounds, 0xff);
}

static inline struct siphash_pair siphash_end_pair(struct siphash *s, enum siphash_rounds rounds)
{
    struct siphash_pair pair;
    pair.first = siphash_finish(s, rounds, 0xee);
    s->v1 ^= 0xdd;
    for (int i = 0; i < 2 + (int)rounds; i++)
        siphash_round(s);
    pair.second = s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
    return pair;
}

#endif
