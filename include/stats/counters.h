/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters: the counts of stats/rows.h; cheap for the thread that counts.
 *
 * Every thread that counts has a shard of its own (no atomic read-modify-write: a relaxed load and
 * store by the only writer). Readers add the shards up, so totals are exact and monotonic. A
 * labelled family has one cell per label; labels are registered once and keep their id for the life
 * of the process, so a reload never moves or resets a count.
 */
#ifndef RINGFENCE_STATS_COUNTERS_H
#define RINGFENCE_STATS_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "stats/rows.h"

#define STATS_HISTOGRAM_BUCKETS (64 * 16)

/* The inside is public only for the inline counting functions below. */
struct stats_shard {
    _Atomic uint64_t counters[STATS_COUNTER_COUNT];
    _Atomic uint64_t gauges[STATS_GAUGE_COUNT];
    _Atomic uint64_t *families[STATS_FAMILY_COUNT];
    _Atomic uint32_t *moments[STATS_MOMENT_COUNT];
    _Atomic uint64_t (*histograms)[STATS_HISTOGRAM_BUCKETS];
    _Atomic uint64_t histogram_sums[STATS_HISTOGRAM_COUNT];
    struct stats_shard *next; /* the registry's */
};

static inline void stats_cell_add(_Atomic uint64_t *cell, uint64_t amount)
{
    /* One writer: no lock prefix is needed, only that a reader never sees a torn value. */
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

static inline void stats_add(struct stats_shard *shard, enum stats_counter counter, uint64_t amount)
{
    stats_cell_add(&shard->counters[counter], amount);
}

static inline void stats_count(struct stats_shard *shard, enum stats_counter counter)
{
    stats_add(shard, counter, 1);
}

/* label: from stats_label(); 0 is "other". */
static inline void stats_add_label(struct stats_shard *shard, enum stats_family family,
                                   uint32_t label, uint64_t amount)
{
    stats_cell_add(&shard->families[family][label], amount);
}

static inline void stats_count_label(struct stats_shard *shard, enum stats_family family,
                                     uint32_t label)
{
    stats_add_label(shard, family, label, 1);
}

/* label: of the moment's family. */
static inline void stats_moment_set(struct stats_shard *shard, enum stats_moment moment,
                                    uint32_t label, uint64_t wall_s)
{
    atomic_store_explicit(&shard->moments[moment][label], (uint32_t)wall_s, memory_order_relaxed);
}

static inline void stats_gauge_set(struct stats_shard *shard, enum stats_gauge gauge,
                                   uint64_t value)
{
    atomic_store_explicit(&shard->gauges[gauge], value, memory_order_relaxed);
}

void stats_record(struct stats_shard *shard, enum stats_histogram histogram, uint64_t nanoseconds);

struct stats_registry;

int stats_registry_create(struct stats_registry **registry) MUST_CHECK;

/* A zeroed shard, owned by the registry until it is destroyed. Any thread. */
int stats_shard_create(struct stats_registry *registry, struct stats_shard **shard) MUST_CHECK;

/* The id of a label, registered at first use; 0 ("other") when the family is full. Any thread
 * (a mutex inside): for load and reload, not for calls. */
uint32_t stats_label(struct stats_registry *registry, enum stats_family family, struct slice name);

/* Sums over all shards. */
uint64_t stats_total(const struct stats_registry *registry, enum stats_counter counter);
uint64_t stats_gauge_total(const struct stats_registry *registry, enum stats_gauge gauge);
uint64_t stats_label_total(const struct stats_registry *registry, enum stats_family family,
                           uint32_t label);
/* The latest of all shards; 0: never. */
uint64_t stats_moment_latest(const struct stats_registry *registry, enum stats_moment moment,
                             uint32_t label);
/* How many labels a family has, "other" included; and the name of one, valid for good. */
uint32_t stats_label_count(const struct stats_registry *registry, enum stats_family family);
struct slice stats_label_name(const struct stats_registry *registry, enum stats_family family,
                              uint32_t label);
/* The value below which `quantile` (0..1) of all recorded ones lie; 0 when there is none. */
uint64_t stats_quantile(const struct stats_registry *registry, enum stats_histogram histogram,
                        double quantile);

/* No shard may be in use any more. NULL is allowed. */
void stats_registry_destroy(struct stats_registry *registry);

#endif
