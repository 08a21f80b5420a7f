/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top_table: names with rates, bounded in number.
 */
#ifndef RINGFENCE_CLI_TOP_TABLE_INT_H
#define RINGFENCE_CLI_TOP_TABLE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TOP_NAME = 64,
    TOP_MEASURES = 4, /* of a row */
    TOP_ROWS = 512,   /* of a table: the busiest stay */
};

struct top_measure {
    uint64_t total;
    uint64_t added; /* since the last settling */
    double rate;    /* a second, smoothed */
};

struct top_row {
    char name[TOP_NAME]; /* bytes of peers, cut */
    struct top_measure measures[TOP_MEASURES];
};

struct top_table {
    struct top_row rows[TOP_ROWS];
    size_t count;
    bool settled; /* once at least */
};

enum top_sort { TOP_BY_RATE, TOP_BY_TOTAL, TOP_BY_NAME, TOP_SORTS };

/* The row of that name; in a full table the one with the least rate becomes it. */
struct top_row *top_table_row(struct top_table *table, const char *name);
/* Turns what was added within the time into rates. */
void top_table_settle(struct top_table *table, double seconds);
/* Fills in pointers to the rows whose names hold `filter` (case is ignored; "": all), sorted.
 * Returns how many. */
size_t top_table_select(const struct top_table *table, enum top_sort sort, const char *filter,
                        const struct top_row *rows[TOP_ROWS]);

#endif
