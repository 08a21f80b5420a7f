/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list_table: where the entries of a list lie: numbers in a hash table of cache lines, ranges in a
 * sorted array, texts in a hash table.
 *
 * A number is kept as the integer that its digits make behind a leading 1, which keeps leading
 * zeros and lengths apart and makes 0 free to mean an empty slot. Details are numbered from 1; 0
 * means none.
 */
#ifndef RINGFENCE_RULES_LIST_TABLE_INT_H
#define RINGFENCE_RULES_LIST_TABLE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "list_int.h"
#include "vector_int.h"

/* ---- numbers --------------------------------------------------------------------------------- */

struct rule_list_number {
    uint64_t key;
    rule_list_line line;
    uint32_t detail;
};

struct rule_number_table {
    struct rule_vector drafts; /* of rule_list_number, in the order of adding; empty once sealed */
    uint64_t *slots;           /* lines of 8 keys, each 64 bytes */
    uint32_t *details;         /* beside the slots; NULL: no entry has one */
    rule_list_line *lines;     /* beside the slots, while the list is sealed */
    size_t buckets;
    size_t count;
    uint32_t lengths; /* bit n: some number has n digits */
    bool has_details;
};

/* Builds the table and counts what stands twice. */
int rule_number_table_seal(struct rule_number_table *table,
                           struct rule_list_flaw *repeated) MUST_CHECK;
/* The slot's position, or SIZE_MAX. key is not 0. */
size_t rule_number_table_find(const struct rule_number_table *table, uint64_t key);
size_t rule_number_table_bytes(const struct rule_number_table *table);
void rule_number_table_clear(struct rule_number_table *table);

static inline uint32_t rule_number_table_detail(const struct rule_number_table *table, size_t slot)
{
    return table->details != NULL ? table->details[slot] : 0;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

/* Ends belong to it, and have equally many digits. */
struct rule_list_range {
    uint64_t low;
    uint64_t high;
    uint32_t detail;
    uint32_t parent; /* 1 + the nearest earlier range that reaches `low`; 0: none */
};

struct rule_range_table {
    struct rule_vector ranges; /* of rule_list_range; once sealed, by low and then widest first */
    struct rule_vector lines;  /* of rule_list_line, beside them, until the list is sealed */
    uint32_t lengths;          /* bit n: some range has ends of n digits */
};

int rule_range_table_add(struct rule_range_table *table, const struct rule_list_range *range,
                         rule_list_line line) MUST_CHECK;
int rule_range_table_seal(struct rule_range_table *table,
                          struct rule_list_flaw *repeated) MUST_CHECK;
/* 1 + the number of the range that begins last and holds the key; 0: none does. */
uint32_t rule_range_table_find(const struct rule_range_table *table, uint64_t key);
/* The next one that holds the key too, in the same way. */
uint32_t rule_range_table_next(const struct rule_range_table *table, uint32_t found, uint64_t key);
void rule_range_table_clear(struct rule_range_table *table);

/* ---- texts ----------------------------------------------------------------------------------- */

struct rule_text_table {
    struct rule_vector bytes;   /* of char */
    struct rule_vector entries; /* of a private struct */
    uint32_t *slots;            /* 1 + index of the entry; 0: empty */
    size_t capacity;
    size_t count;
    uint64_t lengths; /* bit n: some text has n bytes; used for prefixes only */
};

void rule_text_table_init(struct rule_text_table *table);
int rule_text_table_add(struct rule_text_table *table, struct slice text,
                        rule_list_line line) MUST_CHECK;
int rule_text_table_seal(struct rule_text_table *table, struct rule_list_flaw *repeated) MUST_CHECK;
bool rule_text_table_has(const struct rule_text_table *table, struct slice text);
/* Any of its texts begins the text. */
bool rule_text_table_has_prefix(const struct rule_text_table *table, struct slice text);
size_t rule_text_table_bytes(const struct rule_text_table *table);
void rule_text_table_clear(struct rule_text_table *table);

/* Counts one more, and keeps it among the examples while there is room. */
static inline void rule_list_flaw_add(struct rule_list_flaw *flaw, rule_list_line line,
                                      rule_list_line first)
{
    if (flaw->count < RULE_LIST_EXAMPLES) {
        flaw->examples[flaw->count].line = line;
        flaw->examples[flaw->count].first = first;
    }
    flaw->count++;
}

/* Maps the hash's whole range onto 0..capacity-1. */
static inline size_t rule_list_slot(uint64_t hash, size_t capacity)
{
    return (size_t)(((unsigned __int128)hash * capacity) >> 64);
}

#endif
