/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_layout: the words of a line, shared by the readers' and the writer's half of table.
 *
 * Header: slots in use (5 bits) | overflow (8) | version (19). Overflow bit i: some entry whose
 * home is this line sits in its alternative i + 1.
 */
#ifndef RINGFENCE_REPUTATION_TABLE_LAYOUT_INT_H
#define RINGFENCE_REPUTATION_TABLE_LAYOUT_INT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pages_int.h"
#include "permutation_int.h"
#include "slot_int.h"
#include "table_int.h"

enum {
    LINE_WORDS = 16,
    LINE_SLOTS = 5,
    LINE_FULL = (1 << LINE_SLOTS) - 1,
    LINE_ALTERNATIVES = 8,
    LINE_VERSION_SHIFT = LINE_SLOTS + LINE_ALTERNATIVES,
    PAGE_LINES = REP_PAGE_WORDS / LINE_WORDS,
    PAGE_SLOTS = PAGE_LINES * LINE_SLOTS,
    PARTITION_PAGES = 16,
    DIRECTORY_PAGES_BITS = 8,
};

#define LINE_VERSION (UINT32_C(1) << LINE_VERSION_SHIFT)

_Static_assert(LINE_ALTERNATIVES *(LINE_ALTERNATIVES + 1) / 2 < PAGE_LINES - 1 &&
                   PAGE_LINES % 2 == 0,
               "alternatives differ");

struct rep_table {
    struct rep_permutation permutation;
    uint64_t seed[2];
    unsigned remainder_bits;
    uint32_t partitions;
    _Atomic uint64_t *directory;
    rep_word (*ids)[2][PARTITION_PAGES];
    struct rep_pages pages;
    _Atomic uint64_t entries;
    _Atomic uint64_t rebuilds;
    /* The writer's own. */
    uint16_t *count; /* entries of each partition */
    uint64_t seen;   /* entries of the current generation */
    unsigned generation;
    rep_table_removed_fn *removed;
    void *argument;
};

/* One version of a partition. */
struct span {
    const rep_word *ids;
    uint32_t lines;
};

static inline uint32_t directory_pages(uint64_t directory)
{
    return (uint32_t)(directory & ((1u << DIRECTORY_PAGES_BITS) - 1));
}

static inline struct span span_of(const struct rep_table *table, uint32_t partition,
                                  uint64_t directory)
{
    return (struct span){table->ids[partition][directory >> DIRECTORY_PAGES_BITS & 1],
                         directory_pages(directory) * PAGE_LINES};
}

static inline rep_word *span_line(const struct rep_table *table, struct span span, uint32_t line)
{
    uint32_t id = atomic_load_explicit(&span.ids[line / PAGE_LINES], memory_order_acquire);
    return rep_pages_at(&table->pages, id) + line % PAGE_LINES * LINE_WORDS;
}

/* remainder < 2^40, lines <= 2^10 */
static inline uint32_t span_home(const struct rep_table *table, struct span span,
                                 uint64_t remainder)
{
    return (uint32_t)(remainder * span.lines >> table->remainder_bits);
}

/*
 * Alternative 0 is the home itself, 1 its partner in the same 128 bytes (prefetched with it: most
 * entries that are not at home are there), the others lie 3, 6, 10 ... 36 lines on, since
 * neighbours would run full together. A partition has at least PAGE_LINES lines: all differ.
 */
static inline uint32_t span_alternative(struct span span, uint32_t home, uint32_t alternative)
{
    if (alternative < 2)
        return home ^ alternative;
    uint32_t line = home + alternative * (alternative + 1) / 2;
    return line < span.lines ? line : line - span.lines;
}

static inline rep_word *line_slot(rep_word *line, unsigned slot)
{
    return line + 1 + slot * REP_SLOT_WORDS;
}

static inline uint32_t word_load(const rep_word *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static inline void word_store(rep_word *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static inline unsigned header_overflow(uint32_t header)
{
    return header >> LINE_SLOTS & ((1u << LINE_ALTERNATIVES) - 1);
}

/*
 * The slot that holds the remainder, or -1. All five are compared before the first branch: which
 * one it is cannot be predicted, whether it is there mostly can.
 */
static inline int line_search(rep_word *line, uint32_t header, uint64_t remainder,
                              struct rep_slot *found)
{
    const uint32_t low = (uint32_t)remainder, high = (uint32_t)(remainder >> 32);
    uint32_t candidates = 0;
    for (unsigned i = 0; i < LINE_SLOTS; i++)
        candidates |= (uint32_t)(word_load(&line_slot(line, i)[1]) == low) << i;
    for (candidates &= header; candidates != 0; candidates &= candidates - 1) {
        int slot = __builtin_ctz(candidates);
        rep_word *words = line_slot(line, (unsigned)slot);
        uint32_t rest = word_load(&words[2]);
        if (rest >> 24 == high) {
            *found = (struct rep_slot){.word = {word_load(&words[0]), low, rest}};
            return slot;
        }
    }
    return -1;
}

/* Where an entry is. */
struct position {
    uint32_t home;        /* its home line */
    uint32_t alternative; /* 0: it is there */
    unsigned slot;
};

static inline rep_word *line_at(const struct rep_table *table, struct span span,
                                const struct position *position)
{
    return span_line(table, span, span_alternative(span, position->home, position->alternative));
}

static inline struct rep_slot line_load(rep_word *line, unsigned slot)
{
    rep_word *words = line_slot(line, slot);
    return (struct rep_slot){
        .word = {word_load(&words[0]), word_load(&words[1]), word_load(&words[2])}};
}

/* For whoever sees no changes meanwhile: the writer, or a copy's owner. */
static inline bool locate(const struct rep_table *table, struct span span, uint64_t remainder,
                          struct position *position, struct rep_slot *slot)
{
    if (span.lines == 0)
        return false;
    *position = (struct position){.home = span_home(table, span, remainder)};
    uint32_t home_header = word_load(span_line(table, span, position->home));
    uint32_t alternatives = 1 | header_overflow(home_header) << 1;
    for (; alternatives != 0; alternatives &= alternatives - 1) {
        position->alternative = (uint32_t)__builtin_ctz(alternatives);
        rep_word *line = line_at(table, span, position);
        int found = line_search(line, word_load(line), remainder, slot);
        if (found >= 0) {
            position->slot = (unsigned)found;
            return true;
        }
    }
    return false;
}

#endif
