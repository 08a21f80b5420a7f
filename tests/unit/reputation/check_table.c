/* SPDX-License-Identifier: Apache-2.0 */
/* The table's core with all keys in a few partitions, so that lines overflow, entries are moved,
 * partitions grow to their limit and shrink; the replica's own test spreads its keys too thin. */
#include "../../../src/reputation/permutation_int.h"
#include "../../../src/reputation/table_int.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/random.h"
#include "unit/sanitized.h"

enum { BITS = REP_TABLE_BITS_MINIMUM, PARTITIONS = 2, NOW_S = 1800000000 };

static const uint64_t seed[2] = {11, 13};
static struct rep_table *table;
static uint64_t removed_count;

static void count_removed(void *argument, uint64_t key, const struct rep_entry *entry)
{
    (void)argument;
    (void)key;
    (void)entry;
    removed_count++;
}

static void setup(void)
{
    struct rep_table_options options = {BITS, {seed[0], seed[1]}, count_removed, NULL};
    removed_count = 0;
    ck_assert_int_eq(rep_table_create(&options, &table), 0);
}

static void teardown(void)
{
    rep_table_destroy(table);
}

/* The i-th of many keys that all lie in partition i % PARTITIONS, spread by a multiplier. */
static uint64_t crowded_key(unsigned i)
{
    struct rep_permutation permutation;
    rep_permutation_init(&permutation, seed);
    const uint64_t remainders = UINT64_C(1) << (REP_TABLE_KEY_BITS - BITS);
    uint64_t remainder = i * UINT64_C(0x9e3779b97f4a7c15) % remainders;
    return rep_permutation_backward(&permutation, (i % PARTITIONS) * remainders | remainder);
}

static int set(uint64_t key, const struct rep_entry *entry)
{
    struct rep_entry old;
    bool existed;
    return rep_table_set(table, key, entry, &old, &existed);
}

START_TEST(permutation_goes_back)
{
    struct rep_permutation permutation;
    struct random_state random;
    random_seed(&random, 5);
    rep_permutation_init(&permutation, seed);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t key = random_next(&random) & REP_PERMUTATION_MASK;
        uint64_t mixed = rep_permutation_forward(&permutation, key);
        ck_assert_uint_le(mixed, REP_PERMUTATION_MASK);
        ck_assert_uint_eq(rep_permutation_backward(&permutation, mixed), key);
    }
}
END_TEST

/* Equal halves of a seed once made a permutation that mixed nothing. */
START_TEST(permutation_spreads_with_any_seed)
{
    static const uint64_t seeds[][2] = {{0, 0}, {2, 2}, {1, 2}, {UINT64_MAX, UINT64_MAX}};
    for (unsigned i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        struct rep_permutation permutation;
        unsigned count[64] = {0};
        rep_permutation_init(&permutation, seeds[i]);
        for (uint64_t key = 0; key < 64000; key++)
            count[rep_permutation_forward(&permutation, 1861380000000 + key) >>
                  (REP_PERMUTATION_BITS - 6)]++;
        for (unsigned j = 0; j < 64; j++)
            ck_assert(count[j] > 800 && count[j] < 1200);
    }
}
END_TEST

START_TEST(a_full_partition_refuses_and_keeps_the_rest)
{
    struct rep_entry entry = {.score = 5};
    unsigned held = 0;
    while (set(crowded_key(held * PARTITIONS), &entry) == 0)
        held++;
    ck_assert_uint_ge(held, 4400);
    ck_assert_uint_le(held, 16 * 320);
    for (unsigned i = 0; i < held; i++)
        ck_assert(rep_table_find(table, crowded_key(i * PARTITIONS), &entry));
    ck_assert(!rep_table_find(table, crowded_key(held * PARTITIONS), &entry));
    /* The other partition is not concerned. */
    ck_assert_int_eq(set(crowded_key(1), &entry), 0);
    /* And a place that becomes free is used again. */
    ck_assert(rep_table_remove(table, crowded_key(0)));
    ck_assert_int_eq(set(crowded_key(0), &entry), 0);
}
END_TEST

START_TEST(memory_is_given_back_to_the_pool)
{
    struct rep_table_figures figures;
    struct rep_entry entry = {.score = 5};
    uint64_t bytes = 0;
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 8000; i++)
            ck_assert_int_eq(set(crowded_key(i), &entry), 0);
        for (unsigned i = 0; i < 8000; i++)
            ck_assert(rep_table_remove(table, crowded_key(i)));
        rep_table_figures(table, &figures);
        ck_assert_uint_eq(figures.entries, 0);
        if (round == 0)
            bytes = figures.bytes;
        ck_assert_uint_eq(figures.bytes, bytes);
    }
    ck_assert_uint_eq(removed_count, 5 * 8000);
}
END_TEST

enum { MODEL_KEYS = 9000, MODEL_STEPS = 600000, ABSENT = -2 };

static struct rep_entry random_entry(struct random_state *random)
{
    return (struct rep_entry){
        .expires_s = random_below(random, 2) == 0 ? 0 : NOW_S + random_below(random, 4),
        .score = (int8_t)random_below(random, 4),
        .list = (uint8_t)random_below(random, 4),
    };
}

static void compare(const struct rep_entry *model)
{
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        struct rep_entry entry;
        bool found = rep_table_find(table, crowded_key(i), &entry);
        ck_assert_int_eq(found, model[i].score != ABSENT);
        ck_assert(!found || (entry.score == model[i].score && entry.list == model[i].list &&
                             entry.expires_s == model[i].expires_s));
    }
}

START_TEST(crowded_partitions_agree_with_a_model)
{
    struct rep_entry *model = malloc(MODEL_KEYS * sizeof(model[0]));
    struct random_state random;
    random_seed(&random, 31);
    for (unsigned i = 0; i < MODEL_KEYS; i++)
        model[i].score = ABSENT;
    for (unsigned step = 0; step < MODEL_STEPS; step++) {
        unsigned i = (unsigned)random_below(&random, MODEL_KEYS);
        bool growing = step / (MODEL_STEPS / 6) % 2 == 0;
        if (random_below(&random, 10) < (growing ? 8u : 2u)) {
            struct rep_entry entry = random_entry(&random);
            if (set(crowded_key(i), &entry) == 0)
                model[i] = entry;
        } else {
            ck_assert_int_eq(rep_table_remove(table, crowded_key(i)), model[i].score != ABSENT);
            model[i].score = ABSENT;
        }
        if (step % (MODEL_STEPS / 20) == 0)
            compare(model);
        if (step % (MODEL_STEPS / 10) == 0)
            rep_table_begin(table);
    }
    compare(model);
    free(model);
}
END_TEST

/* ---- readers beside the writer ------------------------------------------------------------- */

enum { STEADY = 2000, CROWD = 8000, CHURN_STEPS = 150000, READERS = 2 };

static atomic_bool churning;
static atomic_uint_fast64_t missed, torn;
static uint64_t keys[CROWD];

static struct rep_entry woven(unsigned value)
{
    return (struct rep_entry){.score = (int8_t)(value % 101),
                              .type = (uint8_t)(value % 101),
                              .source = (uint8_t)(value % 101),
                              .expires_s = NOW_S + value % 101};
}

static bool is_woven(const struct rep_entry *entry)
{
    struct rep_entry expected = woven((unsigned)entry->score);
    return entry->type == expected.type && entry->source == expected.source &&
           entry->expires_s == expected.expires_s;
}

static void *read_steadily(void *argument)
{
    struct random_state random;
    random_seed(&random, (uint64_t)(uintptr_t)argument);
    while (atomic_load(&churning)) {
        unsigned i = (unsigned)random_below(&random, CROWD);
        struct rep_entry entry;
        bool found = rep_table_find(table, keys[i], &entry);
        if (!found && i < STEADY)
            atomic_fetch_add(&missed, 1);
        if (found && !is_woven(&entry))
            atomic_fetch_add(&torn, 1);
    }
    return NULL;
}

static void churn(void)
{
    struct random_state random;
    random_seed(&random, 99);
    for (unsigned step = 0; step < CHURN_STEPS; step++) {
        unsigned i = (unsigned)random_below(&random, CROWD);
        struct rep_entry entry = woven((unsigned)random_next(&random));
        if (i < STEADY || step / 30000 % 2 == 0)
            ck_assert_int_eq(set(keys[i], &entry), 0);
        else
            rep_table_remove(table, keys[i]);
    }
}

START_TEST(readers_never_miss_an_entry_that_moves)
{
    pthread_t reader[READERS];
    for (unsigned i = 0; i < CROWD; i++)
        keys[i] = crowded_key(i);
    for (unsigned i = 0; i < STEADY; i++) {
        struct rep_entry entry = woven(i);
        ck_assert_int_eq(set(keys[i], &entry), 0);
    }
    atomic_store(&churning, true);
    for (uintptr_t i = 0; i < READERS; i++)
        pthread_create(&reader[i], NULL, read_steadily, (void *)(i + 1));
    churn();
    atomic_store(&churning, false);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(reader[i], NULL);
    ck_assert_uint_eq(atomic_load(&missed), 0);
    ck_assert_uint_eq(atomic_load(&torn), 0);
    struct rep_table_figures figures;
    rep_table_figures(table, &figures);
    ck_assert_uint_gt(figures.rebuilds, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *tests = tcase_create("crowded");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, permutation_goes_back);
    tcase_add_test(tests, permutation_spreads_with_any_seed);
    tcase_add_test(tests, a_full_partition_refuses_and_keeps_the_rest);
    tcase_add_test(tests, memory_is_given_back_to_the_pool);
    add_on_one_thread(tests, crowded_partitions_agree_with_a_model);
    tcase_add_test(tests, readers_never_miss_an_entry_that_moves);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
