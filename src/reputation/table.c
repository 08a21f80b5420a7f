/* SPDX-License-Identifier: Apache-2.0 */
/* The readers' half, creation and figures. */
#include "table_layout_int.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int rep_table_create(const struct rep_table_options *options, struct rep_table **table)
{
    assert(options->partition_bits >= REP_TABLE_BITS_MINIMUM);
    assert(options->partition_bits <= REP_TABLE_BITS_MAXIMUM);

    int code = -ENOMEM;
    struct rep_table *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return code;
    created->partitions = UINT32_C(1) << options->partition_bits;
    created->remainder_bits = REP_TABLE_KEY_BITS - options->partition_bits;
    created->removed = options->removed;
    created->argument = options->argument;
    memcpy(created->seed, options->seed, sizeof(created->seed));
    rep_permutation_init(&created->permutation, options->seed);

    created->directory = calloc(created->partitions, sizeof(created->directory[0]));
    created->count = calloc(created->partitions, sizeof(created->count[0]));
    /* Aligned so that one version's ids are one cache line. */
    size_t ids_bytes = created->partitions * sizeof(created->ids[0]);
    created->ids = aligned_alloc(64, ids_bytes);
    if (created->directory == NULL || created->count == NULL || created->ids == NULL)
        goto out;
    memset(created->ids, 0, ids_bytes);
    code = rep_pages_open(&created->pages, created->partitions * PARTITION_PAGES);
out:
    if (code != 0)
        rep_table_destroy(created);
    else
        *table = created;
    return code;
}

void rep_table_destroy(struct rep_table *table)
{
    if (table == NULL)
        return;
    rep_pages_close(&table->pages);
    free(table->directory);
    free(table->count);
    free(table->ids);
    free(table);
}

enum outcome { OUTCOME_ABSENT, OUTCOME_FOUND, OUTCOME_CHANGED };

static enum outcome span_search(const struct rep_table *table, struct span span, uint64_t remainder,
                                struct rep_slot *slot)
{
    uint32_t home = span_home(table, span, remainder);
    rep_word *line = span_line(table, span, home);
    uint32_t header = word_load(line);
    if (line_search(line, header, remainder, slot) >= 0)
        return word_load(line) == header ? OUTCOME_FOUND : OUTCOME_CHANGED;

    for (unsigned overflow = header_overflow(header); overflow != 0; overflow &= overflow - 1) {
        uint32_t alternative = 1 + (uint32_t)__builtin_ctz(overflow);
        rep_word *other = span_line(table, span, span_alternative(span, home, alternative));
        uint32_t other_header = word_load(other);
        int found = line_search(other, other_header, remainder, slot);
        if (word_load(other) != other_header)
            return OUTCOME_CHANGED;
        if (found >= 0)
            return OUTCOME_FOUND;
    }
    return word_load(line) == header ? OUTCOME_ABSENT : OUTCOME_CHANGED;
}

uint64_t rep_table_mix(const struct rep_table *table, uint64_t key)
{
    return rep_permutation_forward(&table->permutation, key);
}

bool rep_table_find_mixed(const struct rep_table *table, uint64_t mixed, struct rep_entry *entry)
{
    uint32_t partition = (uint32_t)(mixed >> table->remainder_bits);
    uint64_t remainder = mixed & ((UINT64_C(1) << table->remainder_bits) - 1);
    _Atomic uint64_t *place = &table->directory[partition];

    /* Each further turn means that the writer completed a change of this partition meanwhile. */
    for (;;) {
        uint64_t directory = atomic_load_explicit(place, memory_order_acquire);
        if (directory_pages(directory) == 0)
            return false;
        struct rep_slot slot;
        enum outcome outcome =
            span_search(table, span_of(table, partition, directory), remainder, &slot);
        if (outcome == OUTCOME_CHANGED ||
            atomic_load_explicit(place, memory_order_acquire) != directory)
            continue;
        if (outcome == OUTCOME_FOUND)
            *entry = rep_slot_entry(&slot);
        return outcome == OUTCOME_FOUND;
    }
}

bool rep_table_find(const struct rep_table *table, uint64_t key, struct rep_entry *entry)
{
    return rep_table_find_mixed(table, rep_table_mix(table, key), entry);
}

/* A key's place in the version of its partition that is current now; false when that is empty. */
static bool current_place(const struct rep_table *table, uint64_t mixed, struct span *span,
                          uint64_t *remainder)
{
    uint32_t partition = (uint32_t)(mixed >> table->remainder_bits);
    uint64_t directory = atomic_load_explicit(&table->directory[partition], memory_order_acquire);
    *remainder = mixed & ((UINT64_C(1) << table->remainder_bits) - 1);
    *span = span_of(table, partition, directory);
    return span->lines > 0;
}

void rep_table_prefetch(const struct rep_table *table, uint64_t mixed)
{
    struct span span;
    uint64_t remainder;
    if (!current_place(table, mixed, &span, &remainder))
        return;
    rep_word *line = span_line(table, span, span_home(table, span, remainder));
    __builtin_prefetch((const void *)line);
    __builtin_prefetch((const void *)((uintptr_t)line ^ LINE_WORDS * sizeof(*line)));
}

void rep_table_prefetch_overflow(const struct rep_table *table, uint64_t mixed)
{
    struct span span;
    uint64_t remainder;
    struct rep_slot slot;
    if (!current_place(table, mixed, &span, &remainder))
        return;
    uint32_t home = span_home(table, span, remainder);
    rep_word *line = span_line(table, span, home);
    uint32_t header = word_load(line);
    /* Bit 0 is the partner, which is there already. */
    unsigned overflow = header_overflow(header) & ~1u;
    if (overflow == 0 || line_search(line, header, remainder, &slot) >= 0)
        return;
    for (; overflow != 0; overflow &= overflow - 1) {
        uint32_t alternative = 1 + (uint32_t)__builtin_ctz(overflow);
        uint32_t other = span_alternative(span, home, alternative);
        __builtin_prefetch((const void *)span_line(table, span, other));
    }
}

void rep_table_figures(const struct rep_table *table, struct rep_table_figures *figures)
{
    uint64_t touched = atomic_load_explicit(&table->pages.touched, memory_order_relaxed);
    *figures = (struct rep_table_figures){
        .entries = atomic_load_explicit(&table->entries, memory_order_relaxed),
        .rebuilds = atomic_load_explicit(&table->rebuilds, memory_order_relaxed),
        .bytes = touched * REP_PAGE_BYTES +
                 table->partitions * (sizeof(table->ids[0]) + sizeof(table->directory[0]) +
                                      sizeof(table->count[0])),
    };
}

uint32_t rep_table_partitions(const struct rep_table *table)
{
    return table->partitions;
}

void rep_table_seed(const struct rep_table *table, uint64_t seed[2])
{
    memcpy(seed, table->seed, sizeof(table->seed));
}
