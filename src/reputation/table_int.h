/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: 51-bit keys to entries in 12 bytes each, one writer, lock-free readers.
 *
 *   key --permutation--> | partition | remainder (at most 40 bits) |
 *
 *   directory[partition] (64 bit)        pages of the partition         line (64 bytes)
 *   | version | number of pages |  --->  ids[version & 1][0..15]  --->  | header | 5 entries |
 *
 * The permutation is keyed and one-to-one, so partition and remainder identify a key exactly. The
 * remainder, scaled to the partition's lines, names the entry's home line; when that is full the
 * entry goes to one of eight other lines and the home's header says which of them to look at.
 * A partition grows by building its next version out of fresh pages and switching one word.
 *
 * Memory order. A header counts versions and has one bit per slot in use. The writer fills a slot
 * that is not in use, then stores the header (release); it clears a slot's bit before the slot is
 * used again. Each store into a page is a release store and each load an acquire load, so a reader
 * that saw any word of a later state sees that state's header too when it looks at the header
 * again, and starts over. (Loads and stores instead of fences: free on x86, and visible to the
 * thread sanitizer.) A change to an entry outside its home line also counts the home's version,
 * between making the new place visible and clearing the old, so moving an entry never hides it.
 * Nobody waits for a writer that was interrupted: there is no state in between. A version repeats
 * after 2^19 changes of one line (a reader would have to sleep between two loads for exactly as
 * many).
 */
#ifndef RINGFENCE_REPUTATION_TABLE_INT_H
#define RINGFENCE_REPUTATION_TABLE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "reputation/entry.h"

enum { REP_TABLE_KEY_BITS = 51, REP_TABLE_BITS_MINIMUM = 11, REP_TABLE_BITS_MAXIMUM = 20 };

struct rep_table;

/* Told on the writer's thread of each entry that rep_table_remove(), _sweep() or _drop_stale() took
 * out. */
typedef void rep_table_removed_fn(void *argument, uint64_t key, const struct rep_entry *entry);

struct rep_table_options {
    unsigned partition_bits; /* room for about 4400 keys in each of 2^bits partitions */
    uint64_t seed[2];
    rep_table_removed_fn *removed;
    void *argument;
};

struct rep_table_figures {
    uint64_t entries, bytes, rebuilds;
};

int rep_table_create(const struct rep_table_options *options, struct rep_table **table) MUST_CHECK;
void rep_table_destroy(struct rep_table *table);

/* Readers. Keys below 2^51. */
bool rep_table_find(const struct rep_table *table, uint64_t key, struct rep_entry *entry);

/* For batches: a key is mixed once, then its home line is fetched; when that has arrived, the lines
 * that its overflow went to. */
uint64_t rep_table_mix(const struct rep_table *table, uint64_t key);
void rep_table_prefetch(const struct rep_table *table, uint64_t mixed);
void rep_table_prefetch_overflow(const struct rep_table *table, uint64_t mixed);
bool rep_table_find_mixed(const struct rep_table *table, uint64_t mixed, struct rep_entry *entry);

void rep_table_figures(const struct rep_table *table, struct rep_table_figures *figures);

/* The writer. *existed tells whether `old` was filled. */
int rep_table_set(struct rep_table *table, uint64_t key, const struct rep_entry *entry,
                  struct rep_entry *old, bool *existed) MUST_CHECK;
/* Another value, of the generation that the entry had. ERROR_NOT_FOUND. */
int rep_table_renew(struct rep_table *table, uint64_t key, const struct rep_entry *entry,
                    struct rep_entry *old) MUST_CHECK;
bool rep_table_remove(struct rep_table *table, uint64_t key);
bool rep_table_touch(struct rep_table *table, uint64_t key, const struct rep_entry *entry,
                     uint64_t tolerance_s);

void rep_table_begin(struct rep_table *table);
uint64_t rep_table_stale(const struct rep_table *table);
/* Below: of the partitions [first, first + count) of rep_table_partitions(). Settling brings stale
 * entries to the current generation. until_s > 0: of the stale ones only those that expire by then.
 */
uint32_t rep_table_partitions(const struct rep_table *table);
void rep_table_seed(const struct rep_table *table, uint64_t seed[2]);
void rep_table_settle(struct rep_table *table, uint32_t first, uint32_t count);
void rep_table_drop_stale(struct rep_table *table, uint32_t first, uint32_t count,
                          uint64_t until_s);
uint64_t rep_table_sweep(struct rep_table *table, uint64_t now_s, uint32_t first, uint32_t count);

typedef void rep_table_visit_fn(void *argument, uint64_t key, const struct rep_entry *entry);
void rep_table_each(const struct rep_table *table, uint32_t first, uint32_t count,
                    rep_table_visit_fn *visit, void *argument);

#endif
