/* SPDX-License-Identifier: Apache-2.0 */
/* Growth, lookups, and a full comparison, in memory. */
#include "replica.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"

enum { BATCH = 16, LOOKUPS = 4000000, ROUNDS = 5, PARTITIONS_A_STEP = 64 };

static uint64_t total_entries(const struct rep_replica *replica, uint64_t *bytes)
{
    struct rep_replica_figures figures;
    rep_replica_figures(replica, &figures);
    *bytes = figures.bytes;
    return figures.entries[0] + figures.entries[1] + figures.entries[2];
}

/* ---- growth -------------------------------------------------------------------------------- */

struct reader {
    pthread_t thread;
    const struct rep_replica *replica;
    _Atomic uint64_t filled; /* numbers that can be found */
    atomic_bool stop;
    struct bench_steps steps;
    uint64_t missed;
};

static void *read_all_the_time(void *argument)
{
    struct reader *reader = argument;
    struct random_state random;
    random_seed(&random, 5);
    while (!atomic_load_explicit(&reader->stop, memory_order_relaxed)) {
        uint64_t filled = atomic_load(&reader->filled);
        if (filled == 0)
            continue;
        uint64_t packed = bench_packed(random_below(&random, filled));
        struct rep_finding finding;
        uint64_t began = bench_now_ns();
        reader->missed += !rep_replica_find(reader->replica, packed, BENCH_NOW_S, &finding);
        bench_step(&reader->steps, bench_now_ns() - began);
    }
    return NULL;
}

static void print_steps(const char *name, const struct bench_steps *steps)
{
    printf("\"%s\": {\"count\": %lu, \"mean_ns\": %.1f, \"p99_9_below_ns\": %lu, "
           "\"p99_99_below_ns\": %lu, \"worst_us\": %.1f}",
           name, (unsigned long)steps->count,
           (double)steps->total_ns / (double)(steps->count > 0 ? steps->count : 1),
           (unsigned long)bench_share_ns(steps, 0.999),
           (unsigned long)bench_share_ns(steps, 0.9999), (double)steps->worst_ns / 1e3);
}

void bench_growth(uint64_t numbers)
{
    uint64_t resident = bench_resident();
    struct rep_replica *replica = bench_replica(numbers);
    static struct bench_steps set, removal;
    static struct reader reader, idle;
    reader.replica = idle.replica = replica;
    pthread_create(&reader.thread, NULL, read_all_the_time, &reader);
    for (uint64_t i = 0; i < numbers; i++) {
        struct rep_key key = {.kind = REP_KIND_NUMBER, .packed = bench_packed(i)};
        struct rep_entry entry = bench_entry(i);
        uint64_t began = bench_now_ns();
        if (rep_replica_set(replica, &key, &entry, NULL) != 0)
            bench_fail("the replica is full");
        bench_step(&set, bench_now_ns() - began);
        atomic_store_explicit(&reader.filled, i + 1, memory_order_relaxed);
    }
    atomic_store(&reader.stop, true);
    pthread_join(reader.thread, NULL);

    uint64_t bytes, entries = total_entries(replica, &bytes);
    uint64_t full = bench_resident() - resident, peak = bench_resident_peak() - resident;
    atomic_store(&idle.filled, numbers);
    pthread_create(&idle.thread, NULL, read_all_the_time, &idle);
    for (uint64_t end = bench_now_ns() + 2000000000; bench_now_ns() < end;)
        continue;
    atomic_store(&idle.stop, true);
    pthread_join(idle.thread, NULL);

    /* Compaction: half of them go again. */
    for (uint64_t i = 0; i < numbers / 2; i++) {
        struct rep_key key = {.kind = REP_KIND_NUMBER, .packed = bench_packed(i)};
        uint64_t began = bench_now_ns();
        rep_replica_remove(replica, &key);
        bench_step(&removal, bench_now_ns() - began);
    }
    struct rep_replica_figures figures;
    rep_replica_figures(replica, &figures);
    printf("{\"numbers\": %lu, \"bytes\": %.2f, \"resident_bytes\": %.2f, \"peak_bytes\": %.2f, "
           "\"rebuilds\": %lu, \"missed\": %lu, ",
           (unsigned long)numbers, (double)bytes / (double)entries, (double)full / (double)entries,
           (double)peak / (double)entries, (unsigned long)figures.rebuilds,
           (unsigned long)(reader.missed + idle.missed));
    print_steps("set", &set);
    printf(", ");
    print_steps("remove", &removal);
    printf(", ");
    print_steps("find_beside_growth", &reader.steps);
    printf(", ");
    print_steps("find_alone", &idle.steps);
    printf("}\n");
    rep_replica_destroy(replica);
}

/* ---- lookups ------------------------------------------------------------------------------- */

static double best_of(const struct rep_replica *replica, const uint64_t *packed, size_t batch)
{
    static struct rep_finding findings[BATCH];
    static volatile uint64_t sum;
    double best = 1e9;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t began = bench_busy_ns();
        for (size_t i = 0; i < LOOKUPS; i += batch) {
            if (batch == 1)
                rep_replica_find(replica, packed[i], BENCH_NOW_S, findings);
            else
                rep_replica_find_batch(replica, &packed[i], batch, BENCH_NOW_S, findings);
            sum += (uint64_t)findings[0].entry.score;
        }
        double ns = (double)(bench_busy_ns() - began) / LOOKUPS;
        best = ns < best ? ns : best;
    }
    return best;
}

static void print_lookups(const struct rep_replica *replica, const uint64_t *present,
                          const uint64_t *absent, const char *name)
{
    printf("\"%s\": {\"hit_batch_ns\": %.1f, \"miss_batch_ns\": %.1f, \"hit_single_ns\": %.1f, "
           "\"miss_single_ns\": %.1f}",
           name, best_of(replica, present, BATCH), best_of(replica, absent, BATCH),
           best_of(replica, present, 1), best_of(replica, absent, 1));
}

void bench_lookups(uint64_t numbers)
{
    struct rep_replica *replica = bench_replica(numbers);
    uint64_t *present = malloc(LOOKUPS * sizeof(*present));
    uint64_t *absent = malloc(LOOKUPS * sizeof(*absent));
    struct random_state random;
    if (present == NULL || absent == NULL)
        bench_fail("no memory");
    random_seed(&random, 9);
    for (size_t i = 0; i < LOOKUPS; i++) {
        present[i] = bench_packed(random_below(&random, numbers));
        absent[i] = bench_packed(numbers + random_below(&random, numbers));
    }
    for (uint64_t i = 0; i < numbers; i++) {
        struct rep_key key = {.kind = REP_KIND_NUMBER, .packed = bench_packed(i)};
        struct rep_entry entry = bench_entry(i);
        if (rep_replica_set(replica, &key, &entry, NULL) != 0)
            bench_fail("the replica is full");
    }
    printf("{\"numbers\": %lu, ", (unsigned long)numbers);
    print_lookups(replica, present, absent, "numbers_only");
    bench_fill(replica, numbers);
    printf(", ");
    print_lookups(replica, present, absent, "with_prefixes");
    printf("}\n");
    free(present);
    free(absent);
    rep_replica_destroy(replica);
}

/* ---- a full comparison --------------------------------------------------------------------- */

static void touch_all(struct rep_replica *replica, uint64_t numbers, struct bench_steps *steps)
{
    for (uint64_t i = 0; i < numbers; i++) {
        struct rep_key key = {.kind = REP_KIND_NUMBER, .packed = bench_packed(i)};
        struct rep_entry entry = bench_entry(i);
        uint64_t began = bench_now_ns();
        rep_replica_touch(replica, &key, &entry, 2);
        bench_step(steps, bench_now_ns() - began);
    }
}

static void drop_all_stale(struct rep_replica *replica, struct bench_steps *steps)
{
    for (bool more = true; more;) {
        uint64_t began = bench_busy_ns();
        more = rep_replica_drop_stale(replica, PARTITIONS_A_STEP);
        bench_step(steps, bench_busy_ns() - began);
    }
}

void bench_rescan(uint64_t numbers)
{
    static struct bench_steps touch, drop, sweep, settle;
    struct rep_replica *replica = bench_replica(numbers);
    bench_fill(replica, numbers);
    uint64_t resident = bench_resident();
    rep_replica_begin(replica);
    touch_all(replica, numbers * 9 / 10, &touch);
    /* Given up and begun anew: marks of two generations are brought to one. */
    uint64_t began;
    rep_replica_restart(replica);
    for (bool more = true; more;) {
        began = bench_busy_ns();
        more = rep_replica_settle(replica, PARTITIONS_A_STEP);
        bench_step(&settle, bench_busy_ns() - began);
    }
    rep_replica_begin(replica);
    touch_all(replica, numbers * 9 / 10, &touch);
    drop_all_stale(replica, &drop);
    for (unsigned i = 0; i < 4096; i += 16) {
        began = bench_busy_ns();
        rep_replica_sweep(replica, BENCH_NOW_S + 86400 + 50000, 16);
        bench_step(&sweep, bench_busy_ns() - began);
    }
    printf("{\"numbers\": %lu, \"resident_bytes\": %.2f, \"peak_bytes\": %.2f, ",
           (unsigned long)numbers, (double)resident / (double)numbers,
           (double)bench_resident_peak() / (double)numbers);
    print_steps("touch", &touch);
    printf(", ");
    print_steps("settle_64_partitions", &settle);
    printf(", ");
    print_steps("drop_64_partitions", &drop);
    printf(", ");
    print_steps("sweep_16_partitions", &sweep);
    printf("}\n");
    rep_replica_destroy(replica);
}
