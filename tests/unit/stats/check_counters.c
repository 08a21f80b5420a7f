/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/counters.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "stats/catalogue.h"

static struct stats_registry *registry;

static void setup(void)
{
    ck_assert_int_eq(stats_registry_create(&registry), 0);
}

static void teardown(void)
{
    stats_registry_destroy(registry);
}

static struct stats_shard *new_shard(void)
{
    struct stats_shard *shard;
    ck_assert_int_eq(stats_shard_create(registry, &shard), 0);
    return shard;
}

START_TEST(totals_add_up_shards)
{
    struct stats_shard *first = new_shard();
    struct stats_shard *second = new_shard();
    stats_count(first, STATS_CALLS);
    stats_add(second, STATS_CALLS, 41);
    ck_assert_uint_eq(stats_total(registry, STATS_CALLS), 42);
    ck_assert_uint_eq(stats_total(registry, STATS_REQUESTS), 0);
}
END_TEST

START_TEST(gauges_add_up_what_each_shard_said_last)
{
    struct stats_shard *first = new_shard();
    struct stats_shard *second = new_shard();
    stats_gauge_set(first, STATS_GAUGE_CALLS_HELD, 7);
    stats_gauge_set(first, STATS_GAUGE_CALLS_HELD, 3);
    stats_gauge_set(second, STATS_GAUGE_CALLS_HELD, 2);
    ck_assert_uint_eq(stats_gauge_total(registry, STATS_GAUGE_CALLS_HELD), 5);
}
END_TEST

START_TEST(a_label_keeps_its_id)
{
    uint32_t block = stats_label(registry, STATS_FAMILY_VERDICTS, SLICE("block"));
    uint32_t allow = stats_label(registry, STATS_FAMILY_VERDICTS, SLICE("allow"));
    ck_assert_uint_eq(block, 1);
    ck_assert_uint_eq(allow, 2);
    ck_assert_uint_eq(stats_label(registry, STATS_FAMILY_VERDICTS, SLICE("block")), block);
    ck_assert_uint_eq(stats_label(registry, STATS_FAMILY_VERDICTS, SLICE("other")), 0);
    ck_assert_uint_eq(stats_label_count(registry, STATS_FAMILY_VERDICTS), 3);
    ck_assert_str_eq(stats_label_name(registry, STATS_FAMILY_VERDICTS, block).data, "block");
}
END_TEST

START_TEST(a_full_family_says_other)
{
    uint32_t capacity = stats_family_row(STATS_FAMILY_VERDICTS)->capacity;
    char name[16];
    for (uint32_t i = 1; i < capacity; i++) {
        snprintf(name, sizeof(name), "label%u", i);
        ck_assert_uint_eq(stats_label(registry, STATS_FAMILY_VERDICTS, slice_of_text(name)), i);
    }
    ck_assert_uint_eq(stats_label(registry, STATS_FAMILY_VERDICTS, SLICE("one more")), 0);
    ck_assert_uint_eq(stats_label_count(registry, STATS_FAMILY_VERDICTS), capacity);
    ck_assert_str_eq(stats_label_name(registry, STATS_FAMILY_VERDICTS, 0).data, "other");
}
END_TEST

START_TEST(a_label_that_is_not_there_reads_as_other)
{
    ck_assert_str_eq(stats_label_name(registry, STATS_FAMILY_RULES, 99).data, "other");
    ck_assert_uint_eq(stats_label_total(registry, STATS_FAMILY_RULES, UINT32_MAX), 0);
}
END_TEST

/* The last cell of each family lies next to the first one of the following: no overlap. */
START_TEST(families_do_not_overlap)
{
    struct stats_shard *shard = new_shard();
    for (int i = 0; i < STATS_FAMILY_COUNT; i++) {
        enum stats_family family = (enum stats_family)i;
        stats_count_label(shard, family, 0);
        stats_count_label(shard, family, stats_family_row(family)->capacity - 1);
    }
    for (int i = 0; i < STATS_FAMILY_COUNT; i++) {
        enum stats_family family = (enum stats_family)i;
        uint32_t last = stats_family_row(family)->capacity - 1;
        ck_assert_uint_eq(stats_label_total(registry, family, 0), 1);
        ck_assert_uint_eq(stats_label_total(registry, family, last), 1);
    }
}
END_TEST

START_TEST(a_family_adds_up_at_once)
{
    uint32_t rule = stats_label(registry, STATS_FAMILY_RULES, SLICE("foreign"));
    stats_count_label(new_shard(), STATS_FAMILY_RULES, rule);
    stats_count_label(new_shard(), STATS_FAMILY_RULES, rule);
    stats_count_label(new_shard(), STATS_FAMILY_RULES, 0);
    uint64_t totals[2];
    stats_family_totals(registry, STATS_FAMILY_RULES, totals, 2);
    ck_assert_uint_eq(totals[0], 1);
    ck_assert_uint_eq(totals[1], 2);
}
END_TEST

START_TEST(a_moment_is_the_latest_of_all_shards)
{
    struct stats_shard *first = new_shard();
    struct stats_shard *second = new_shard();
    uint32_t label = stats_label(registry, STATS_FAMILY_RULES, SLICE("a"));
    ck_assert_uint_eq(stats_moment_latest(registry, STATS_MOMENT_RULE_HIT, label), 0);
    stats_moment_set(first, STATS_MOMENT_RULE_HIT, label, 1800000005);
    stats_moment_set(second, STATS_MOMENT_RULE_HIT, label, 1800000002);
    ck_assert_uint_eq(stats_moment_latest(registry, STATS_MOMENT_RULE_HIT, label), 1800000005);
    ck_assert_uint_eq(stats_moment_latest(registry, STATS_MOMENT_RULE_HIT, UINT32_MAX), 0);
}
END_TEST

START_TEST(names_are_unique)
{
    const char *names[STATS_COUNTER_COUNT + STATS_GAUGE_COUNT + STATS_FAMILY_COUNT];
    size_t count = 0;
    for (int i = 0; i < STATS_COUNTER_COUNT; i++)
        names[count++] = stats_counter_row((enum stats_counter)i)->name;
    for (int i = 0; i < STATS_GAUGE_COUNT; i++)
        names[count++] = stats_gauge_row((enum stats_gauge)i)->name;
    for (int i = 0; i < STATS_FAMILY_COUNT; i++)
        names[count++] = stats_family_row((enum stats_family)i)->name;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(names[i], names[j]);
}
END_TEST

START_TEST(a_bucket_is_at_most_a_sixteenth_wide)
{
    struct random_state random;
    random_seed(&random, 1);
    for (int i = 0; i < 100000; i++) {
        uint64_t value = random_next(&random) >> random_below(&random, 64);
        uint64_t highest = stats_bucket_highest(stats_bucket(value));
        ck_assert_uint_ge(highest, value);
        ck_assert_uint_le(highest - value, value / 16);
        if (highest < UINT64_MAX)
            ck_assert_uint_eq(stats_bucket(highest + 1), stats_bucket(value) + 1);
    }
    ck_assert_uint_lt(stats_bucket(UINT64_MAX), STATS_HISTOGRAM_BUCKETS);
    ck_assert_uint_eq(stats_bucket_highest(stats_bucket(UINT64_MAX)), UINT64_MAX);
}
END_TEST

START_TEST(quantiles_of_nothing_are_zero)
{
    new_shard();
    ck_assert_uint_eq(stats_quantile(registry, STATS_HISTOGRAM_SCREENING, 0.99), 0);
}
END_TEST

START_TEST(quantiles_over_two_shards)
{
    struct stats_shard *first = new_shard();
    struct stats_shard *second = new_shard();
    for (uint64_t i = 1; i <= 1000; i++)
        stats_record(i % 2 ? first : second, STATS_HISTOGRAM_SCREENING, i);
    static const double quantiles[] = {0.0, 0.001, 0.5, 0.99, 0.999, 1.0};
    static const uint64_t exact[] = {1, 1, 500, 990, 999, 1000};
    for (size_t i = 0; i < 6; i++) {
        uint64_t value = stats_quantile(registry, STATS_HISTOGRAM_SCREENING, quantiles[i]);
        ck_assert_uint_ge(value, exact[i]);
        ck_assert_uint_le(value, exact[i] + exact[i] / 16);
    }
    uint64_t buckets[STATS_HISTOGRAM_BUCKETS];
    uint64_t sum;
    stats_histogram_totals(registry, STATS_HISTOGRAM_SCREENING, buckets, &sum);
    ck_assert_uint_eq(sum, 500500);
}
END_TEST

enum { COUNTED = 200000 };

static void *count_many(void *argument)
{
    struct stats_shard *shard = argument;
    for (int i = 0; i < COUNTED; i++)
        stats_count(shard, STATS_CALLS);
    return NULL;
}

START_TEST(readers_see_exact_monotonic_totals)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_many, new_shard()), 0);
    uint64_t seen = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t total = stats_total(registry, STATS_CALLS);
        ck_assert_uint_ge(total, seen);
        seen = total;
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(stats_total(registry, STATS_CALLS), 2 * COUNTED);
}
END_TEST

static void *register_labels(void *argument)
{
    uint32_t *ids = argument;
    char name[16];
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "rule%u", i);
        ids[i] = stats_label(registry, STATS_FAMILY_RULES, slice_of_text(name));
    }
    return NULL;
}

START_TEST(threads_agree_on_labels)
{
    static uint32_t ids[2][1000];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, register_labels, ids[i]), 0);
    while (stats_label_count(registry, STATS_FAMILY_RULES) < 1001) {
        uint32_t last = stats_label_count(registry, STATS_FAMILY_RULES) - 1;
        ck_assert_uint_gt(stats_label_name(registry, STATS_FAMILY_RULES, last).length, 0);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_mem_eq(ids[0], ids[1], sizeof(ids[0]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats/counters");
    TCase *counting = tcase_create("counting");
    tcase_add_checked_fixture(counting, setup, teardown);
    tcase_add_test(counting, totals_add_up_shards);
    tcase_add_test(counting, gauges_add_up_what_each_shard_said_last);
    tcase_add_test(counting, a_label_keeps_its_id);
    tcase_add_test(counting, a_full_family_says_other);
    tcase_add_test(counting, a_label_that_is_not_there_reads_as_other);
    tcase_add_test(counting, families_do_not_overlap);
    tcase_add_test(counting, a_family_adds_up_at_once);
    tcase_add_test(counting, a_moment_is_the_latest_of_all_shards);
    tcase_add_test(counting, names_are_unique);
    tcase_add_test(counting, a_bucket_is_at_most_a_sixteenth_wide);
    tcase_add_test(counting, quantiles_of_nothing_are_zero);
    tcase_add_test(counting, quantiles_over_two_shards);
    tcase_add_test(counting, readers_see_exact_monotonic_totals);
    tcase_add_test(counting, threads_agree_on_labels);
    suite_add_tcase(suite, counting);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
