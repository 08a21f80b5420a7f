/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replica_int: what the saved file needs of a replica's inside.
 */
#ifndef RINGFENCE_REPUTATION_REPLICA_INT_H
#define RINGFENCE_REPUTATION_REPLICA_INT_H

#include <stdatomic.h>

#include "base/error.h"
#include "base/hash.h"
#include "reputation/replica.h"
#include "table_int.h"

/* The text behind a raw key; only the writer looks at it. */
struct raw_text {
    uint64_t key;
    size_t length;
    char bytes[];
};

struct rep_replica {
    struct rep_table *table[REP_KIND_COUNT];
    unsigned min_block_prefix;
    struct hash_key raw_seed;
    /* Bit n: there are prefixes of n digits. Set before the first is placed, so a reader that can
     * find one looks for it. */
    _Atomic uint32_t prefix_lengths;
    _Atomic uint64_t short_prefixes;
    _Atomic uint64_t expired;
    /* The writer's own. */
    uint64_t prefixes_of_length[REP_DIGITS_MAXIMUM + 1];
    struct hash_table *raw_texts;
    uint32_t sweep_next;
    uint32_t drop_next;
};

/* An empty table that could be this replica's. */
int rep_replica_table_create(struct rep_replica *replica, enum rep_kind kind, unsigned bits,
                             const uint64_t seed[2], struct rep_table **table) MUST_CHECK;

/* A prefix about to be placed, and one that was: old is what it replaces, or NULL. */
void rep_replica_announce_prefix(struct rep_replica *replica, uint64_t packed);
void rep_replica_count_prefix(struct rep_replica *replica, uint64_t packed,
                              const struct rep_entry *old, const struct rep_entry *entry);

/*
 * Makes a filled table of numbers or prefixes that of a replica which holds none of that kind and
 * has no reader yet. Where it has another number of partitions, the entries are put into the
 * replica's own one by one (some 0.7 us each). Takes the table, whatever becomes of it.
 * -EINVAL for a prefix that is none, ERROR_LIMIT beyond the capacity.
 */
int rep_replica_adopt(struct rep_replica *replica, enum rep_kind kind,
                      struct rep_table *table) MUST_CHECK;

/* The writer's thread: every raw text with its entry. */
void rep_replica_each_raw(const struct rep_replica *replica, rep_replica_visit_fn *visit,
                          void *argument);

#endif
