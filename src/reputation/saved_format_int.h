/* SPDX-License-Identifier: Apache-2.0 */
/*
 * saved_format: the parts of a saved file.
 *
 *   header   4096 bytes, a digest of itself at its end
 *   pages    of numbers, then of prefixes: each partition's image (table_image_int.h) in order
 *   tail     per table: a byte a partition (its pages), a digest a block of SAVED_BLOCK partitions
 *            names of types and sources: a length byte and the text each
 *            raw texts: a saved_raw and the text each
 *            statements behind entries that change: a saved_said, its rep_statements, a raw text
 *
 * Pages lie at multiples of 4096, so that they can be read where they will stay. All words are of
 * this machine's byte order.
 */
#ifndef RINGFENCE_REPUTATION_SAVED_FORMAT_INT_H
#define RINGFENCE_REPUTATION_SAVED_FORMAT_INT_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "pages_int.h"

enum {
    SAVED_VERSION = 3,
    SAVED_HEADER_BYTES = REP_PAGE_BYTES,
    SAVED_BLOCK = 16, /* partitions: at most 1 MB, read, verified and checked while in the cache */
    SAVED_TABLES = 2, /* REP_KIND_NUMBER, REP_KIND_PREFIX */
};

#define SAVED_MAGIC      "RF-REPL\n"
#define SAVED_BYTE_ORDER 0x01020304u

struct saved_table {
    uint64_t seed[2];
    uint64_t entries;
    uint32_t partition_bits;
    uint32_t pages;
};

struct saved_header {
    char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint64_t layout; /* rep_table_layout() */
    uint64_t wall_s; /* when the replica was last known to equal Redis */
    uint64_t tail_bytes;
    uint64_t tail_digest;
    uint64_t raw_texts;
    uint64_t said; /* entries with statements behind them */
    uint16_t types, sources;
    uint8_t unused[4];
    struct saved_table table[SAVED_TABLES];
    uint8_t rest[3952];
    uint64_t digest; /* of everything before this word */
};

_Static_assert(sizeof(struct saved_header) == SAVED_HEADER_BYTES, "a digest over the whole header");

struct saved_raw {
    uint32_t expires_s; /* 0: never */
    int8_t score;
    uint8_t list, type, source;
    uint8_t length;
    uint8_t unused[3];
};

struct saved_said {
    uint64_t packed;
    uint64_t expires_s;
    uint8_t kind, count, length;
    uint8_t unused[5];
};

/* Which part a digest is of: no part passes for another. */
enum saved_part { SAVED_PART_HEADER, SAVED_PART_TAIL, SAVED_PART_BLOCK };

/* No secret: it finds accidents. Each block's is keyed by its table and number. */
static inline uint64_t saved_digest(enum saved_part part, uint64_t number, const void *bytes,
                                    size_t length)
{
    const struct hash_key key = {{UINT64_C(0x52464e4345) << 8 | (uint64_t)part, number}};
    return hash_siphash13(&key, bytes, length);
}

static inline uint64_t saved_block_number(unsigned table, uint32_t block)
{
    return (uint64_t)table << 32 | block;
}

#endif
