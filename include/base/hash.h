/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash: keyed hashing and a flat table.
 *
 * Keys that a peer can choose (Call-ID, branch, numbers) are hashed by SipHash with a secret key,
 * so nobody can aim at one bucket. SipHash-1-3 for tables, SipHash-2-4 for marks on the wire.
 */
#ifndef RINGFENCE_BASE_HASH_H
#define RINGFENCE_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/siphash.h"
#include "base/slice.h"

uint64_t hash_siphash13(const struct hash_key *key, const void *bytes, size_t length);
uint64_t hash_siphash24(const struct hash_key *key, const void *bytes, size_t length);

/*
 * Two words into one by a 128-bit product. Far cheaper than SipHash, and good enough for tables
 * that only the operator fills: a peer can look up what it likes but adds nothing, so it cannot
 * make a chain longer. Not for keys that peers insert.
 */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product =
        (unsigned __int128)(a ^ 0x9e3779b97f4a7c15U) * (b ^ 0xe7037ed1a0b428dbU);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_slice(const struct hash_key *key, struct slice slice)
{
    return hash_siphash13(key, slice.data, slice.length);
}

/*
 * Open addressing over (64-bit hash, object pointer) pairs with linear probing and backward-shift
 * deletion. Growth moves a bounded number of slots per operation, so no insert ever stalls for the
 * size of the table. The table owns none of the objects. One owner thread.
 */
struct hash_table;

/* True when the object is the one looked for; the full 64-bit hash is already equal. */
typedef bool hash_match_fn(const void *object, const void *key);

int hash_table_create(size_t initial, struct hash_table **table) MUST_CHECK;

/* -ENOMEM is the only failure. The same object may not be inserted twice. */
int hash_table_insert(struct hash_table *table, uint64_t hash, void *object) MUST_CHECK;

/* match == NULL takes the first entry of that hash. NULL when there is none. */
void *hash_table_find(const struct hash_table *table, uint64_t hash, hash_match_fn *match,
                      const void *key);

/* Asks the memory system for the slot ahead of a find in the same batch. */
void hash_table_prefetch(const struct hash_table *table, uint64_t hash);

/* By identity of the object; false when it was not there. */
bool hash_table_remove(struct hash_table *table, uint64_t hash, const void *object);

size_t hash_table_count(const struct hash_table *table);

/* Calls visit for each object; the table must not change meanwhile. */
void hash_table_each(const struct hash_table *table, void (*visit)(void *object, void *argument),
                     void *argument);
void hash_table_destroy(struct hash_table *table);

#endif
