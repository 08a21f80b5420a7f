/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "list_table_int.h"

/*
 * BUCKET keys share a cache line. At three keys in five slots (PLAIN_LOAD) a look-up that finds
 * nothing leaves its line once in nine, at three in four (DETAIL_LOAD) once in four; the next line
 * is the one that the processor fetches along.
 */
enum {
    BUCKET = 8,
    LINE_BYTES = 64,
    PLAIN_LOAD = 60,
    DETAIL_LOAD = 75,
    AHEAD = 16, /* keys whose lines are asked for before their turn */
    HUGE_PAGE = 2 * 1024 * 1024
};

static uint64_t number_hash(uint64_t key)
{
    key ^= key >> 32;
    key *= UINT64_C(0xd6e8feb86659fd93);
    key ^= key >> 32;
    key *= UINT64_C(0xd6e8feb86659fd93);
    key ^= key >> 32;
    return key;
}

static size_t bucket_of(const struct rule_number_table *table, uint64_t key)
{
    return rule_list_slot(number_hash(key), table->buckets);
}

/* The slot that holds the key, or the empty one where it belongs. */
static size_t slot_of(const struct rule_number_table *table, uint64_t key)
{
    size_t bucket = bucket_of(table, key);
    for (;;) {
        const uint64_t *keys = table->slots + bucket * BUCKET;
        for (size_t i = 0; i < BUCKET; i++)
            if (keys[i] == key || keys[i] == 0)
                return bucket * BUCKET + i;
        bucket = bucket + 1 < table->buckets ? bucket + 1 : 0;
    }
}

/* Zeroed. A large table in huge pages spares each look-up the walk through the page tables. */
static void *table_memory(size_t bytes)
{
    bool is_large = bytes >= (size_t)4 * HUGE_PAGE;
    size_t alignment = is_large ? (size_t)HUGE_PAGE : (size_t)LINE_BYTES;
    size_t rounded = (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, rounded) != 0)
        return NULL;
    if (is_large)
        (void)madvise(memory, rounded, MADV_HUGEPAGE);
    memset(memory, 0, rounded);
    return memory;
}

static int allocate(struct rule_number_table *table)
{
    size_t load = table->has_details ? DETAIL_LOAD : PLAIN_LOAD;
    table->buckets = table->drafts.count * 100 / (load * BUCKET) + 1;
    size_t slots = table->buckets * BUCKET;
    table->slots = table_memory(slots * sizeof(*table->slots));
    table->lines = malloc(slots * sizeof(*table->lines));
    if (table->has_details)
        table->details = table_memory(slots * sizeof(*table->details));
    bool done = table->slots != NULL && table->lines != NULL &&
                (!table->has_details || table->details != NULL);
    return done ? 0 : -ENOMEM;
}

int rule_number_table_seal(struct rule_number_table *table, struct rule_list_flaw *repeated)
{
    const struct rule_list_number *drafts = table->drafts.items;
    size_t total = table->drafts.count;
    if (total == 0)
        return 0;
    int error = allocate(table);
    if (error != 0)
        return error;
    for (size_t i = 0; i < total; i++) {
        if (i + AHEAD < total)
            __builtin_prefetch(table->slots + bucket_of(table, drafts[i + AHEAD].key) * BUCKET, 1);
        size_t slot = slot_of(table, drafts[i].key);
        if (table->slots[slot] != 0)
            rule_list_flaw_add(repeated, drafts[i].line, table->lines[slot]);
        else
            table->count++;
        table->slots[slot] = drafts[i].key;
        table->lines[slot] = drafts[i].line;
        if (table->details != NULL)
            table->details[slot] = drafts[i].detail;
    }
    rule_vector_clear(&table->drafts);
    return 0;
}

size_t rule_number_table_find(const struct rule_number_table *table, uint64_t key)
{
    if (table->count == 0)
        return SIZE_MAX;
    size_t slot = slot_of(table, key);
    return table->slots[slot] == key ? slot : SIZE_MAX;
}

size_t rule_number_table_bytes(const struct rule_number_table *table)
{
    size_t slots = table->buckets * BUCKET;
    return slots * (sizeof(*table->slots) + (table->details != NULL ? sizeof(*table->details) : 0));
}

void rule_number_table_clear(struct rule_number_table *table)
{
    rule_vector_clear(&table->drafts);
    free(table->slots);
    free(table->details);
    free(table->lines);
    table->slots = NULL;
    table->details = NULL;
    table->lines = NULL;
}
