/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "list_table_int.h"

/* For sorting both arrays as one. */
struct placed {
    struct rule_list_range range;
    rule_list_line line;
    uint32_t order;
};

int rule_range_table_add(struct rule_range_table *table, const struct rule_list_range *range,
                         rule_list_line line)
{
    int error = rule_vector_push(&table->ranges, range);
    return error != 0 ? error : rule_vector_push(&table->lines, &line);
}

/* By low, the widest first, so that a range comes before those that it holds. */
static int compare(const void *first, const void *second)
{
    const struct placed *a = first;
    const struct placed *b = second;
    if (a->range.low != b->range.low)
        return a->range.low < b->range.low ? -1 : 1;
    if (a->range.high != b->range.high)
        return a->range.high > b->range.high ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* Of equal ranges the last one stays; the others are counted. */
static size_t drop_repeated(struct placed *placed, size_t count, struct rule_list_flaw *repeated)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool same = kept > 0 && placed[kept - 1].range.low == placed[i].range.low &&
                    placed[kept - 1].range.high == placed[i].range.high;
        if (same)
            rule_list_flaw_add(repeated, placed[i].line, placed[kept - 1].line);
        else
            kept++;
        placed[kept - 1] = placed[i];
    }
    return kept;
}

/*
 * Each range knows the nearest earlier one that reaches its beginning. Whatever holds a key is on
 * that chain from the last range that begins at or before the key.
 */
static int link_parents(struct rule_range_table *table)
{
    struct rule_list_range *ranges = table->ranges.items;
    size_t count = table->ranges.count;
    uint32_t *open = malloc((count + 1) * sizeof(*open));
    size_t depth = 0;
    if (open == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        while (depth > 0 && ranges[open[depth - 1]].high < ranges[i].low)
            depth--;
        ranges[i].parent = depth > 0 ? open[depth - 1] + 1 : 0;
        open[depth++] = (uint32_t)i;
    }
    free(open);
    return 0;
}

int rule_range_table_seal(struct rule_range_table *table, struct rule_list_flaw *repeated)
{
    struct rule_list_range *ranges = table->ranges.items;
    rule_list_line *lines = table->lines.items;
    size_t count = table->ranges.count;
    if (count == 0)
        return 0;
    struct placed *placed = malloc(count * sizeof(*placed));
    if (placed == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        placed[i] = (struct placed){ranges[i], lines[i], (uint32_t)i};
    qsort(placed, count, sizeof(*placed), compare);
    count = drop_repeated(placed, count, repeated);
    for (size_t i = 0; i < count; i++) {
        ranges[i] = placed[i].range;
        lines[i] = placed[i].line;
    }
    free(placed);
    table->ranges.count = count;
    table->lines.count = count;
    return link_parents(table);
}

static uint32_t first_that_reaches(const struct rule_list_range *ranges, uint32_t at, uint64_t key)
{
    while (at != 0 && ranges[at - 1].high < key)
        at = ranges[at - 1].parent;
    return at;
}

uint32_t rule_range_table_find(const struct rule_range_table *table, uint64_t key)
{
    const struct rule_list_range *ranges = table->ranges.items;
    size_t below = 0, above = table->ranges.count;
    while (below < above) {
        size_t middle = below + (above - below) / 2;
        if (ranges[middle].low <= key)
            below = middle + 1;
        else
            above = middle;
    }
    return first_that_reaches(ranges, (uint32_t)below, key);
}

uint32_t rule_range_table_next(const struct rule_range_table *table, uint32_t found, uint64_t key)
{
    const struct rule_list_range *ranges = table->ranges.items;
    return first_that_reaches(ranges, ranges[found - 1].parent, key);
}

void rule_range_table_clear(struct rule_range_table *table)
{
    rule_vector_clear(&table->ranges);
    rule_vector_clear(&table->lines);
}
