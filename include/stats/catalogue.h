/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalogue: the rows of counters.h as data, and whole families and histograms at once.
 *
 * For whoever renders counts: the stream, OpenMetrics text, documentation.
 */
#ifndef RINGFENCE_STATS_CATALOGUE_H
#define RINGFENCE_STATS_CATALOGUE_H

#include <stdint.h>

#include "stats/counters.h"

struct stats_row {
    const char *name;
    const char *label; /* of a family: what its labels stand for; otherwise NULL */
    uint32_t capacity; /* of a family: labels with "other"; otherwise 0 */
    const char *help;
    uint8_t first_bound; /* of a histogram: its range, as powers of two; otherwise 0 */
    uint8_t last_bound;
};

const struct stats_row *stats_counter_row(enum stats_counter counter);
const struct stats_row *stats_gauge_row(enum stats_gauge gauge);
const struct stats_row *stats_family_row(enum stats_family family);
const struct stats_row *stats_histogram_row(enum stats_histogram histogram);

/* Adds up all shards into totals[0..count), count at most stats_label_count(). */
void stats_family_totals(const struct stats_registry *registry, enum stats_family family,
                         uint64_t *totals, uint32_t count);

/* Adds up all shards; `sum` (of the values recorded) may be NULL. */
void stats_histogram_totals(const struct stats_registry *registry, enum stats_histogram histogram,
                            uint64_t buckets[STATS_HISTOGRAM_BUCKETS], uint64_t *sum);

/* The bucket of a value, and the highest value of a bucket. */
uint32_t stats_bucket(uint64_t value);
uint64_t stats_bucket_highest(uint32_t bucket);

/*
 * The value below or at which `quantile` (0..1) of what the buckets hold lies: the highest value of
 * its bucket, so never less than the true one and at most 1/16 more. 0 when they are empty.
 */
uint64_t stats_buckets_quantile(const uint64_t buckets[STATS_HISTOGRAM_BUCKETS], double quantile);

#endif
