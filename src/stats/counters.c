/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/counters.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"
#include "stats/catalogue.h"

enum { CACHE_LINE = 64, CELLS_PER_LINE = CACHE_LINE / sizeof(uint64_t) };

static const struct stats_row counter_rows[] = {
#define COUNTER_ROW(identifier, word, text) {.name = (word), .help = (text)},
    STATS_COUNTER_TABLE(COUNTER_ROW)
#undef COUNTER_ROW
};

static const struct stats_row gauge_rows[] = {
#define GAUGE_ROW(identifier, word, text) {.name = (word), .help = (text)},
    STATS_GAUGE_TABLE(GAUGE_ROW)
#undef GAUGE_ROW
};

static const struct stats_row family_rows[] = {
#define FAMILY_ROW(identifier, word, label_word, cells, text) \
    {.name = (word), .label = (label_word), .capacity = (cells), .help = (text)},
    STATS_FAMILY_TABLE(FAMILY_ROW)
#undef FAMILY_ROW
};

static const struct stats_row histogram_rows[] = {
#define HISTOGRAM_ROW(identifier, word, first, last, text) \
    {.name = (word), .help = (text), .first_bound = (first), .last_bound = (last)},
    STATS_HISTOGRAM_TABLE(HISTOGRAM_ROW)
#undef HISTOGRAM_ROW
};

static const enum stats_family moment_families[] = {
#define MOMENT_ROW(identifier, family) STATS_FAMILY_##family,
    STATS_MOMENT_TABLE(MOMENT_ROW)
#undef MOMENT_ROW
};

struct label {
    uint32_t id;
    char *text;
    size_t length;
};

/*
 * Labels are only ever added. A new one is filled in first and `count` then published with release,
 * so that a reader, who loads it with acquire, finds every label below it complete.
 */
struct family {
    struct label *labels; /* as many as the row's capacity */
    _Atomic uint32_t count;
    struct hash_table *by_name; /* under the registry's lock */
};

struct stats_registry {
    struct family families[STATS_FAMILY_COUNT];
    struct hash_key key;
    pthread_mutex_t lock;
    struct stats_shard *own; /* written under the lock */
    /* Newest first, pushed with release under the lock; a reader that loads it with acquire sees
     * the whole list, because `next` never changes afterwards. */
    struct stats_shard *_Atomic shards;
};

const struct stats_row *stats_counter_row(enum stats_counter counter)
{
    return &counter_rows[counter];
}

const struct stats_row *stats_gauge_row(enum stats_gauge gauge)
{
    return &gauge_rows[gauge];
}

const struct stats_row *stats_family_row(enum stats_family family)
{
    return &family_rows[family];
}

const struct stats_row *stats_histogram_row(enum stats_histogram histogram)
{
    return &histogram_rows[histogram];
}

static const struct stats_shard *first_shard(const struct stats_registry *registry)
{
    return atomic_load_explicit(&registry->shards, memory_order_acquire);
}

static uint64_t cell_value(const _Atomic uint64_t *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

/* ---- labels ------------------------------------------------------------------------------- */

static bool label_matches(const void *object, const void *key)
{
    const struct label *label = object;
    const struct slice *name = key;
    return slice_equal(slice_make(label->text, label->length), *name);
}

/* Under the lock, or before anybody else knows the registry. */
static int label_add(struct stats_registry *registry, struct family *family, struct slice name)
{
    uint32_t id = atomic_load_explicit(&family->count, memory_order_relaxed);
    struct label *label = &family->labels[id];
    char *text = malloc(name.length + 1);
    if (text == NULL)
        return -ENOMEM;
    if (name.length > 0)
        memcpy(text, name.data, name.length);
    text[name.length] = '\0';
    *label = (struct label){id, text, name.length};

    int error = hash_table_insert(family->by_name, hash_slice(&registry->key, name), label);
    if (error != 0) {
        free(text);
        *label = (struct label){0};
        return error;
    }
    atomic_store_explicit(&family->count, id + 1, memory_order_release);
    return 0;
}

uint32_t stats_label(struct stats_registry *registry, enum stats_family family, struct slice name)
{
    struct family *labels = &registry->families[family];
    uint32_t id = 0;
    pthread_mutex_lock(&registry->lock);
    const struct label *known =
        hash_table_find(labels->by_name, hash_slice(&registry->key, name), label_matches, &name);
    uint32_t count = atomic_load_explicit(&labels->count, memory_order_relaxed);
    if (known != NULL)
        id = known->id;
    else if (count < family_rows[family].capacity && label_add(registry, labels, name) == 0)
        id = count;
    else
        stats_count(registry->own, STATS_LABELS_REFUSED);
    pthread_mutex_unlock(&registry->lock);
    return id;
}

uint32_t stats_label_count(const struct stats_registry *registry, enum stats_family family)
{
    return atomic_load_explicit(&registry->families[family].count, memory_order_acquire);
}

struct slice stats_label_name(const struct stats_registry *registry, enum stats_family family,
                              uint32_t label)
{
    if (label >= stats_label_count(registry, family))
        label = 0;
    const struct label *found = &registry->families[family].labels[label];
    return slice_make(found->text, found->length);
}

/* ---- registry and shards ------------------------------------------------------------------ */

static int family_create(struct stats_registry *registry, struct family *family,
                         const struct stats_row *row)
{
    family->labels = calloc(row->capacity, sizeof(family->labels[0]));
    if (family->labels == NULL)
        return -ENOMEM;
    int error = hash_table_create(16, &family->by_name);
    if (error != 0)
        return error;
    return label_add(registry, family, SLICE("other"));
}

int stats_registry_create(struct stats_registry **registry)
{
    struct stats_registry *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    pthread_mutex_init(&made->lock, NULL);
    int error = random_bytes(&made->key, sizeof(made->key));
    for (size_t i = 0; i < STATS_FAMILY_COUNT && error == 0; i++)
        error = family_create(made, &made->families[i], &family_rows[i]);
    if (error == 0)
        error = stats_shard_create(made, &made->own);
    if (error != 0) {
        stats_registry_destroy(made);
        return error;
    }
    *registry = made;
    return 0;
}

/* Families start on lines of their own, so that no two of them share one by accident of size. */
static size_t family_cells(size_t family)
{
    return (family_rows[family].capacity + CELLS_PER_LINE - 1) & ~(size_t)(CELLS_PER_LINE - 1);
}

static void *zeroed_lines(size_t size)
{
    size = (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
    void *memory = aligned_alloc(CACHE_LINE, size);
    if (memory != NULL)
        memset(memory, 0, size);
    return memory;
}

static void shard_destroy(struct stats_shard *shard)
{
    if (shard == NULL)
        return;
    free((void *)shard->families[0]);
    for (size_t i = 0; i < STATS_MOMENT_COUNT; i++)
        free((void *)shard->moments[i]);
    free((void *)shard->histograms);
    free(shard);
}

static bool create_moments(struct stats_shard *shard)
{
    for (size_t i = 0; i < STATS_MOMENT_COUNT; i++) {
        size_t cells = family_rows[moment_families[i]].capacity;
        shard->moments[i] = zeroed_lines(cells * sizeof(*shard->moments[i]));
        if (shard->moments[i] == NULL)
            return false;
    }
    return true;
}

int stats_shard_create(struct stats_registry *registry, struct stats_shard **shard)
{
    size_t cells = 0;
    for (size_t i = 0; i < STATS_FAMILY_COUNT; i++)
        cells += family_cells(i);

    struct stats_shard *made = zeroed_lines(sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    _Atomic uint64_t *cell = zeroed_lines(cells * sizeof(*cell));
    made->families[0] = cell;
    made->histograms = zeroed_lines(STATS_HISTOGRAM_COUNT * sizeof(made->histograms[0]));
    if (cell == NULL || made->histograms == NULL || !create_moments(made)) {
        shard_destroy(made);
        return -ENOMEM;
    }
    for (size_t i = 0; i < STATS_FAMILY_COUNT; i++) {
        made->families[i] = cell;
        cell += family_cells(i);
    }

    pthread_mutex_lock(&registry->lock);
    made->next = atomic_load_explicit(&registry->shards, memory_order_relaxed);
    atomic_store_explicit(&registry->shards, made, memory_order_release);
    pthread_mutex_unlock(&registry->lock);
    *shard = made;
    return 0;
}

void stats_registry_destroy(struct stats_registry *registry)
{
    if (registry == NULL)
        return;
    struct stats_shard *shard = atomic_load_explicit(&registry->shards, memory_order_relaxed);
    while (shard != NULL) {
        struct stats_shard *next = shard->next;
        shard_destroy(shard);
        shard = next;
    }
    for (size_t i = 0; i < STATS_FAMILY_COUNT; i++) {
        struct family *family = &registry->families[i];
        for (uint32_t label = 0; label < stats_label_count(registry, (enum stats_family)i); label++)
            free(family->labels[label].text);
        if (family->by_name != NULL)
            hash_table_destroy(family->by_name);
        free(family->labels);
    }
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

/* ---- sums --------------------------------------------------------------------------------- */

uint64_t stats_total(const struct stats_registry *registry, enum stats_counter counter)
{
    uint64_t total = 0;
    for (const struct stats_shard *shard = first_shard(registry); shard; shard = shard->next)
        total += cell_value(&shard->counters[counter]);
    return total;
}

uint64_t stats_gauge_total(const struct stats_registry *registry, enum stats_gauge gauge)
{
    uint64_t total = 0;
    for (const struct stats_shard *shard = first_shard(registry); shard; shard = shard->next)
        total += cell_value(&shard->gauges[gauge]);
    return total;
}

uint64_t stats_label_total(const struct stats_registry *registry, enum stats_family family,
                           uint32_t label)
{
    uint64_t total = 0;
    if (label >= family_rows[family].capacity)
        return 0;
    for (const struct stats_shard *shard = first_shard(registry); shard; shard = shard->next)
        total += cell_value(&shard->families[family][label]);
    return total;
}

uint64_t stats_moment_latest(const struct stats_registry *registry, enum stats_moment moment,
                             uint32_t label)
{
    uint32_t latest = 0;
    if (label >= family_rows[moment_families[moment]].capacity)
        return 0;
    for (const struct stats_shard *shard = first_shard(registry); shard; shard = shard->next) {
        uint32_t own = atomic_load_explicit(&shard->moments[moment][label], memory_order_relaxed);
        latest = own > latest ? own : latest;
    }
    return latest;
}

void stats_family_totals(const struct stats_registry *registry, enum stats_family family,
                         uint64_t *totals, uint32_t count)
{
    assert(count <= family_rows[family].capacity);
    if (count > 0)
        memset(totals, 0, count * sizeof(totals[0]));
    for (const struct stats_shard *shard = first_shard(registry); shard; shard = shard->next)
        for (uint32_t label = 0; label < count; label++)
            totals[label] += cell_value(&shard->families[family][label]);
}

void stats_histogram_totals(const struct stats_registry *registry, enum stats_histogram histogram,
                            uint64_t buckets[STATS_HISTOGRAM_BUCKETS], uint64_t *sum)
{
    uint64_t added = 0;
    memset(buckets, 0, STATS_HISTOGRAM_BUCKETS * sizeof(buckets[0]));
    for (const struct stats_shard *shard = first_shard(registry); shard; shard = shard->next) {
        for (uint32_t i = 0; i < STATS_HISTOGRAM_BUCKETS; i++)
            buckets[i] += cell_value(&shard->histograms[histogram][i]);
        added += cell_value(&shard->histogram_sums[histogram]);
    }
    if (sum != NULL)
        *sum = added;
}

uint64_t stats_quantile(const struct stats_registry *registry, enum stats_histogram histogram,
                        double quantile)
{
    uint64_t buckets[STATS_HISTOGRAM_BUCKETS];
    stats_histogram_totals(registry, histogram, buckets, NULL);
    return stats_buckets_quantile(buckets, quantile);
}
