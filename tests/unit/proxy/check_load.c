/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/load.h"

#include <check.h>
#include <stdlib.h>

#define SECOND UINT64_C(1000000)
#define MS     UINT64_C(1000)

static const struct proxy_measure_range range = {5 * MS, 20 * MS};

static struct proxy_measure measure;
static uint64_t now_us;

static void begin(void)
{
    measure = (struct proxy_measure){0};
    now_us = 1000 * SECOND;
}

/* Messages that waited so long, one a millisecond. */
static void pass(uint64_t waited_us, unsigned count)
{
    for (unsigned i = 0; i < count; i++, now_us += MS)
        (void)proxy_measure_note(&measure, &range, waited_us, now_us);
}

START_TEST(short_waits_mean_nothing)
{
    pass(5 * MS, 1000);
    ck_assert_uint_eq(measure.share, 0);
    ck_assert(!proxy_measure_note(&measure, &range, 0, now_us));
}
END_TEST

START_TEST(a_long_wait_is_told_at_once_and_grows)
{
    ck_assert(proxy_measure_note(&measure, &range, 12500, now_us)); /* half of the way */
    ck_assert_uint_eq(measure.share, PROXY_LOAD_ALL / 2 / 4);
    pass(12500, 200);
    ck_assert_uint_ge(measure.share, PROXY_LOAD_ALL * 45 / 100);
    ck_assert_uint_le(measure.share, PROXY_LOAD_ALL / 2);
    pass(SECOND, 1000);
    ck_assert_uint_eq(measure.share, PROXY_LOAD_ALL);
}
END_TEST

START_TEST(it_goes_when_the_wait_does)
{
    pass(SECOND, 1000);
    pass(0, 40);
    ck_assert_uint_lt(measure.share, PROXY_LOAD_ALL);
    pass(0, 1000);
    ck_assert_uint_eq(measure.share, 0);
    /* Nor does it stay when nothing comes in any more. */
    pass(SECOND, 1000);
    now_us += 10 * SECOND;
    ck_assert(proxy_measure_note(&measure, &range, 0, now_us));
    ck_assert_uint_eq(measure.share, 0);
}
END_TEST

START_TEST(the_worker_with_the_most_counts)
{
    struct proxy_load *load;
    ck_assert_int_eq(proxy_load_create(3, 0, &load), 0);
    ck_assert_uint_eq(proxy_load_most(load, now_us), 0);
    proxy_load_report(load, 0, 1000, now_us);
    proxy_load_report(load, 2, PROXY_LOAD_ALL, now_us + 100 * MS);
    ck_assert_uint_eq(proxy_load_most(load, now_us + 100 * MS), PROXY_LOAD_ALL);
    ck_assert(!proxy_load_is_full(load, now_us + 100 * MS));
    proxy_load_report(load, 0, PROXY_LOAD_ALL, now_us + 100 * MS);
    proxy_load_report(load, 1, PROXY_LOAD_ALL, now_us + 200 * MS);
    ck_assert(proxy_load_is_full(load, now_us + 200 * MS));
    /* A worker that says nothing has nothing to do. */
    ck_assert_uint_eq(proxy_load_most(load, now_us + 699 * MS), PROXY_LOAD_ALL);
    ck_assert_uint_eq(proxy_load_most(load, now_us + 700 * MS), 0);
    proxy_load_destroy(load);
}
END_TEST

START_TEST(shares_in_per_cent)
{
    ck_assert_uint_eq(proxy_load_percent(0), 0);
    ck_assert_uint_eq(proxy_load_percent(1), 1);
    ck_assert_uint_eq(proxy_load_percent(PROXY_LOAD_ALL / 5), 20);
    ck_assert_uint_eq(proxy_load_percent(PROXY_LOAD_ALL / 2), 50);
    ck_assert_uint_eq(proxy_load_percent(PROXY_LOAD_ALL), 95);
}
END_TEST

START_TEST(the_sequence_grows_with_time)
{
    struct proxy_load *load;
    ck_assert_int_eq(proxy_load_create(1, 5 * SECOND, &load), 0);
    ck_assert_uint_eq(proxy_load_sequence(load, 7 * SECOND), 1200000);
    ck_assert_uint_gt(proxy_load_sequence(load, 7 * SECOND + 10), 1200000);
    proxy_load_destroy(load);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("load");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, begin, NULL);
    tcase_add_test(tests, short_waits_mean_nothing);
    tcase_add_test(tests, a_long_wait_is_told_at_once_and_grows);
    tcase_add_test(tests, it_goes_when_the_wait_does);
    tcase_add_test(tests, the_worker_with_the_most_counts);
    tcase_add_test(tests, shares_in_per_cent);
    tcase_add_test(tests, the_sequence_grows_with_time);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
