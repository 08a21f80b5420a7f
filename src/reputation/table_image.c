/* SPDX-License-Identifier: Apache-2.0 */
#include "table_image_int.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "table_layout_int.h"

_Static_assert((int)REP_IMAGE_PAGES == (int)PARTITION_PAGES, "an image is a whole partition");

/* Pages one after the other, named by position: makes a flat copy look like a partition. */
static const rep_word flat_ids[PARTITION_PAGES] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                   8, 9, 10, 11, 12, 13, 14, 15};

uint64_t rep_table_layout(void)
{
    return (uint64_t)REP_TABLE_KEY_BITS | (uint64_t)REP_SLOT_WORDS << 8 |
           (uint64_t)LINE_SLOTS << 16 | (uint64_t)LINE_ALTERNATIVES << 24 |
           (uint64_t)PARTITION_PAGES << 32 | (uint64_t)REP_PAGE_BYTES << 40;
}

/* ---- out ----------------------------------------------------------------------------------- */

/* Each slot in use is the one that a search for its key finds. Counts them; false when not. */
static bool is_sound(const struct rep_table *table, struct span span, uint32_t *entries)
{
    *entries = 0;
    for (uint32_t i = 0; i < span.lines; i++) {
        rep_word *line = span_line(table, span, i);
        uint32_t in_use = word_load(line) & LINE_FULL;
        for (; in_use != 0; in_use &= in_use - 1) {
            unsigned j = (unsigned)__builtin_ctz(in_use);
            struct rep_slot slot = line_load(line, j), found;
            uint64_t remainder = rep_slot_remainder(&slot);
            struct position position;
            if (remainder >> table->remainder_bits != 0 ||
                !locate(table, span, remainder, &position, &found) || position.slot != j ||
                span_alternative(span, position.home, position.alternative) != i)
                return false;
            ++*entries;
        }
    }
    return true;
}

/* False when a line changed while it was copied. */
static bool copy_once(const struct rep_table *table, uint32_t partition, uint64_t directory,
                      rep_word *words)
{
    struct span span = span_of(table, partition, directory);
    for (uint32_t i = 0; i < span.lines; i++) {
        rep_word *from = span_line(table, span, i), *to = words + (size_t)i * LINE_WORDS;
        for (unsigned j = 0; j < LINE_WORDS; j++)
            atomic_store_explicit(&to[j], word_load(&from[j]), memory_order_relaxed);
    }
    /* All headers after all words: between the two the partition stood as it was copied. */
    for (uint32_t i = 0; i < span.lines; i++)
        if (word_load(span_line(table, span, i)) != word_load(&words[(size_t)i * LINE_WORDS]))
            return false;
    return atomic_load_explicit(&table->directory[partition], memory_order_acquire) == directory;
}

static void clear_generations(rep_word *words, uint32_t lines)
{
    for (uint32_t i = 0; i < lines; i++)
        for (unsigned j = 0; j < LINE_SLOTS; j++) {
            rep_word *word = line_slot(words + (size_t)i * LINE_WORDS, j);
            word_store(word, word_load(word) & ~UINT32_C(1));
        }
}

uint32_t rep_table_copy(const struct rep_table *table, uint32_t partition, rep_word *words,
                        uint32_t *entries)
{
    const struct rep_table flat = {.remainder_bits = table->remainder_bits,
                                   .pages = {.base = words}};
    for (;; sched_yield()) {
        uint64_t directory =
            atomic_load_explicit(&table->directory[partition], memory_order_acquire);
        uint32_t pages = directory_pages(directory);
        if (copy_once(table, partition, directory, words) &&
            is_sound(&flat, (struct span){flat_ids, pages * PAGE_LINES}, entries)) {
            clear_generations(words, pages * PAGE_LINES);
            return pages;
        }
    }
}

/* ---- in ------------------------------------------------------------------------------------ */

int rep_table_adopt(struct rep_table *table, const uint8_t *pages)
{
    assert(table->pages.next == 0);
    uint32_t next = 0;
    for (uint32_t i = 0; i < table->partitions; i++) {
        if (pages[i] > PARTITION_PAGES)
            return -EINVAL;
        for (unsigned j = 0; j < pages[i]; j++)
            word_store(&table->ids[i][0][j], next++);
        atomic_store_explicit(&table->directory[i], pages[i], memory_order_release);
    }
    table->pages.next = next;
    atomic_store_explicit(&table->pages.touched, next, memory_order_relaxed);
    atomic_store_explicit(&table->pages.used, next, memory_order_relaxed);
    return 0;
}

rep_word *rep_table_image(struct rep_table *table, uint32_t page)
{
    return rep_pages_at(&table->pages, page);
}

static bool values_in_range(const struct rep_slot *slot, const struct rep_image_limits *limits)
{
    struct rep_entry entry = rep_slot_entry(slot);
    return rep_slot_generation(slot) == 0 && entry.score <= REP_SCORE_MAXIMUM &&
           (entry.type <= limits->types || entry.type == REP_TYPE_LIMIT) &&
           (entry.source <= limits->sources || entry.source == REP_SOURCE_LIMIT);
}

bool rep_table_image_check(struct rep_table *table, uint32_t partition,
                           const struct rep_image_limits *limits, struct rep_image_figures *figures)
{
    struct span span = span_of(table, partition, table->directory[partition]);
    const uint32_t now = rep_slot_expiry(limits->now_s);
    uint32_t entries, expired = 0;
    if (!is_sound(table, span, &entries))
        return false;
    for (uint32_t i = 0; i < span.lines; i++) {
        rep_word *line = span_line(table, span, i);
        uint32_t in_use = word_load(line) & LINE_FULL;
        for (; in_use != 0; in_use &= in_use - 1) {
            struct rep_slot slot = line_load(line, (unsigned)__builtin_ctz(in_use));
            uint32_t expiry = slot.word[0] >> 1;
            if (!values_in_range(&slot, limits))
                return false;
            expired += expiry != 0 && expiry <= now;
        }
    }
    table->count[partition] = (uint16_t)entries;
    figures->entries += entries;
    figures->expired += expired;
    return true;
}

void rep_table_adopted(struct rep_table *table)
{
    uint64_t entries = 0;
    for (uint32_t i = 0; i < table->partitions; i++)
        entries += table->count[i];
    table->seen = entries;
    atomic_store_explicit(&table->entries, entries, memory_order_relaxed);
}
