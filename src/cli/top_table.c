/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "top_table_int.h"

/* Within so many seconds a rate has gone most of the way to a new one. */
#define SMOOTHING_S 5.0

static double rate_of(const struct top_row *row)
{
    double rate = 0;
    for (size_t i = 0; i < TOP_MEASURES; i++)
        rate += row->measures[i].rate;
    return rate;
}

static uint64_t total_of(const struct top_row *row)
{
    uint64_t total = 0;
    for (size_t i = 0; i < TOP_MEASURES; i++)
        total += row->measures[i].total;
    return total;
}

static bool is_quieter(const struct top_row *a, const struct top_row *b)
{
    double rate_a = rate_of(a), rate_b = rate_of(b);
    return rate_a < rate_b || (rate_a <= rate_b && total_of(a) < total_of(b));
}

struct top_row *top_table_row(struct top_table *table, const char *name)
{
    struct top_row *quietest = &table->rows[0];
    for (size_t i = 0; i < table->count; i++) {
        struct top_row *row = &table->rows[i];
        if (strncmp(row->name, name, TOP_NAME - 1) == 0)
            return row;
        if (is_quieter(row, quietest))
            quietest = row;
    }
    struct top_row *row = table->count < TOP_ROWS ? &table->rows[table->count++] : quietest;
    *row = (struct top_row){0};
    snprintf(row->name, sizeof(row->name), "%s", name);
    return row;
}

void top_table_settle(struct top_table *table, double seconds)
{
    if (seconds <= 0)
        return;
    /* There is no rate yet that the first one could be smoothed with. */
    const double keep = table->settled ? exp(-seconds / SMOOTHING_S) : 0;
    table->settled = true;
    for (size_t i = 0; i < table->count; i++)
        for (size_t j = 0; j < TOP_MEASURES; j++) {
            struct top_measure *measure = &table->rows[i].measures[j];
            double now = (double)measure->added / seconds;
            measure->rate = measure->rate * keep + now * (1 - keep);
            if (measure->rate < 0.001)
                measure->rate = 0;
            measure->added = 0;
        }
}

static int by_name(const void *a, const void *b)
{
    const struct top_row *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static int by_total(const void *a, const void *b)
{
    const struct top_row *const *left = a, *const *right = b;
    uint64_t more = total_of(*left), less = total_of(*right);
    return more != less ? (more < less ? 1 : -1) : by_name(a, b);
}

static int by_rate(const void *a, const void *b)
{
    const struct top_row *const *left = a, *const *right = b;
    double more = rate_of(*left), less = rate_of(*right);
    return more < less ? 1 : more > less ? -1 : by_total(a, b);
}

size_t top_table_select(const struct top_table *table, enum top_sort sort, const char *filter,
                        const struct top_row *rows[TOP_ROWS])
{
    static int (*const orders[TOP_SORTS])(const void *, const void *) = {
        [TOP_BY_RATE] = by_rate, [TOP_BY_TOTAL] = by_total, [TOP_BY_NAME] = by_name};
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++)
        if (filter[0] == '\0' || strcasestr(table->rows[i].name, filter) != NULL)
            rows[count++] = &table->rows[i];
    qsort(rows, count, sizeof(struct top_row *), orders[sort]);
    return count;
}
