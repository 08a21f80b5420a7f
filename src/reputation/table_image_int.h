/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_image: a table's partitions as bytes, out of a living table and into a new one.
 *
 * An image is the pages of a partition as they lie in memory, one after the other, with every
 * generation bit 0. It names places by position only, so it means the same at any address; what it
 * depends on is the seed, the number of partitions and rep_table_layout().
 *
 * Copying is done by any thread, as a reader. The copy is a state that the partition was in: all
 * its lines' headers are read again after the copy, and while one of them has changed, or the
 * partition was rebuilt, it starts over. The writer moves an entry by showing the new place before
 * it clears the old, so a copy may hold one twice; then too it starts over.
 */
#ifndef RINGFENCE_REPUTATION_TABLE_IMAGE_INT_H
#define RINGFENCE_REPUTATION_TABLE_IMAGE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "pages_int.h"
#include "table_int.h"

enum { REP_IMAGE_PAGES = 16, REP_IMAGE_WORDS = REP_IMAGE_PAGES * REP_PAGE_WORDS };

/* What an image's meaning depends on besides seed and number of partitions. */
uint64_t rep_table_layout(void);

/* Any thread. words: room for REP_IMAGE_WORDS. Returns how many pages they fill. */
uint32_t rep_table_copy(const struct rep_table *table, uint32_t partition, rep_word *words,
                        uint32_t *entries);

/* ---- into an empty table that has no reader yet ---- */

/* Lays out partitions of so many pages each, one after the other; -EINVAL for more than
 * REP_IMAGE_PAGES. Then the images are put at rep_table_image() and checked. page: counted over all
 * partitions. */
int rep_table_adopt(struct rep_table *table, const uint8_t *pages) MUST_CHECK;
rep_word *rep_table_image(struct rep_table *table, uint32_t page);

struct rep_image_limits {
    unsigned types, sources; /* highest ids in use, beside the one that stands for all others */
    uint64_t now_s;
};

struct rep_image_figures {
    uint64_t entries, expired;
};

/*
 * Whether each entry of a partition stands where a reader looks for it, once, with values in range:
 * after that nothing in the image can mislead reader or writer, whoever made it. Adds to figures.
 * Partitions may be checked by several threads at once.
 */
bool rep_table_image_check(struct rep_table *table, uint32_t partition,
                           const struct rep_image_limits *limits,
                           struct rep_image_figures *figures);

/* After the last check: its entries count. */
void rep_table_adopted(struct rep_table *table);

#endif
