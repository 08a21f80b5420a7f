/* SPDX-License-Identifier: Apache-2.0 */
/*
 * saved_format: the parts of a saved file.
 */
#ifndef RINGFENCE_REPUTATION_SAVED_FORMAT_INT_H
#define RINGFENCE_REPUTATION_SAVED_FORMAT_INT_H

#include <stdint.h>

#include "base/hash.h"

enum { SAVED_VERSION = 1, SAVED_BLOCK = 64 << 10, SAVED_END = 0xff };

#define SAVED_MAGIC "RF-REPL\n"

struct saved_header {
    char magic[8];
    uint32_t version;
    uint32_t byte_order; /* SAVED_BYTE_ORDER */
    uint64_t wall_s;
    uint16_t types, sources; /* names that follow: a length byte and the text each */
    uint8_t unused[4];
};

#define SAVED_BYTE_ORDER 0x01020304u

/* Followed by text_length bytes for a raw key. kind SAVED_END closes the list. */
struct saved_record {
    uint64_t packed;
    uint32_t expires_s; /* 0: never */
    int8_t score;
    uint8_t type, source;
    uint8_t kind_list; /* kind << 4 | list */
};

struct saved_trailer {
    uint64_t records;
    uint64_t digest; /* of everything before this word */
};

/* No secret: it finds accidents. Each block's digest is keyed by the one before and its number. */
static inline uint64_t saved_digest(uint64_t previous, uint64_t number, const void *block,
                                    size_t length)
{
    const struct hash_key key = {{previous ^ UINT64_C(0x52464e4345), number}};
    return hash_siphash13(&key, block, length);
}

#endif
