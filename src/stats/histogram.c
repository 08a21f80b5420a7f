/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "stats/catalogue.h"
#include "stats/counters.h"

/*
 * Log-linear buckets: values below 16 have one each; above, every octave (2^e .. 2^(e+1)-1, e >= 4)
 * is cut into 16 of equal width. So a bucket is never wider than 1/16 of its lowest value.
 */
enum { STEPS = 16, STEP_BITS = 4 };

_Static_assert((63 - STEP_BITS + 2) * STEPS <= STATS_HISTOGRAM_BUCKETS,
               "the octave of 2^63 has its buckets");

uint32_t stats_bucket(uint64_t value)
{
    if (value < STEPS)
        return (uint32_t)value;
    unsigned exponent = 63U - (unsigned)__builtin_clzll(value);
    unsigned step = (unsigned)(value >> (exponent - STEP_BITS)) & (STEPS - 1);
    return (exponent - STEP_BITS + 1) * STEPS + step;
}

uint64_t stats_bucket_highest(uint32_t bucket)
{
    if (bucket < STEPS)
        return bucket;
    unsigned shift = bucket / STEPS - 1;
    if (shift > 63 - STEP_BITS)
        return UINT64_MAX; /* no value falls there */
    uint64_t lowest = (uint64_t)(STEPS + bucket % STEPS) << shift;
    return lowest + ((UINT64_C(1) << shift) - 1);
}

void stats_record(struct stats_shard *shard, enum stats_histogram histogram, uint64_t nanoseconds)
{
    stats_cell_add(&shard->histograms[histogram][stats_bucket(nanoseconds)], 1);
    stats_cell_add(&shard->histogram_sums[histogram], nanoseconds);
}

uint64_t stats_buckets_quantile(const uint64_t buckets[STATS_HISTOGRAM_BUCKETS], double quantile)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < STATS_HISTOGRAM_BUCKETS; i++)
        total += buckets[i];
    if (total == 0)
        return 0;

    /* The rank counts from 1; the smallest value is the quantile 0. */
    double wanted = ceil(fmin(fmax(quantile, 0.0), 1.0) * (double)total);
    uint64_t rank = wanted < 1.0 ? 1 : wanted >= (double)total ? total : (uint64_t)wanted;
    uint64_t seen = 0;
    uint32_t bucket = 0;
    while ((seen += buckets[bucket]) < rank)
        bucket++;
    return stats_bucket_highest(bucket);
}
