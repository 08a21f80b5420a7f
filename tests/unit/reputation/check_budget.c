/* SPDX-License-Identifier: Apache-2.0 */
/* How much may change before an operator is asked. */
#include "../../../src/reputation/budget_int.h"

#include <check.h>

static struct rep_budget budget;

static void setup(void)
{
    rep_budget_init(&budget, 20, 1000);
}

/* Spends one by one until it is refused. */
static uint64_t spend_all(uint64_t entries, uint64_t now_us)
{
    uint64_t count = 0;
    while (count < 1000000 && rep_budget_spend(&budget, entries, now_us, 1))
        count++;
    return count;
}

START_TEST(a_share_may_change)
{
    ck_assert_uint_eq(rep_budget_left(&budget, 100000, 1), 20000);
    ck_assert(!rep_budget_spend(&budget, 100000, 1, 20001));
    ck_assert(rep_budget_spend(&budget, 100000, 1, 20000));
    ck_assert(!rep_budget_spend(&budget, 100000, 1, 1));
}
END_TEST

START_TEST(a_minimum_may_change_of_few)
{
    ck_assert_uint_eq(spend_all(30, 1), 1000);
}
END_TEST

START_TEST(deleting_does_not_lower_it_nor_inserting_raise_it)
{
    for (uint64_t i = 0; i < 20000; i++)
        ck_assert(rep_budget_spend(&budget, 100000 - i, 1, 1));
    ck_assert(!rep_budget_spend(&budget, 80000, 1, 1));
    setup();
    for (uint64_t i = 0; i < 20000; i++)
        ck_assert(rep_budget_spend(&budget, 100000 + i, 1, 1));
    ck_assert(!rep_budget_spend(&budget, 120000, 1, 1));
}
END_TEST

START_TEST(it_comes_back_within_the_hour)
{
    ck_assert_uint_eq(spend_all(100000, 1), 20000);
    ck_assert_uint_eq(spend_all(100000, 1 + REP_BUDGET_WINDOW_US / 10), 2000);
    uint64_t left = rep_budget_left(&budget, 100000, 1 + REP_BUDGET_WINDOW_US);
    ck_assert(left >= 17999 && left <= 18001);
    ck_assert_uint_eq(rep_budget_left(&budget, 200000, 2 + 2 * REP_BUDGET_WINDOW_US), 40000);
}
END_TEST

START_TEST(time_that_goes_back_gives_nothing)
{
    ck_assert_uint_eq(spend_all(100000, REP_BUDGET_WINDOW_US), 20000);
    ck_assert_uint_eq(rep_budget_left(&budget, 100000, 1), 0);
}
END_TEST

START_TEST(filling_is_free_until_it_was_quiet)
{
    uint64_t now_us = 1;
    for (uint64_t i = 0; i < 50000; i++, now_us += 10000)
        ck_assert(rep_budget_spend(&budget, i, now_us, 1));
    now_us += REP_BUDGET_QUIET_US;
    ck_assert_uint_eq(spend_all(50000, now_us), 10000);
}
END_TEST

START_TEST(filling_does_not_last_for_ever)
{
    uint64_t now_us = 1;
    for (; now_us < REP_BUDGET_WINDOW_US; now_us += REP_BUDGET_QUIET_US / 2)
        ck_assert(rep_budget_spend(&budget, now_us > 1 ? 2000 : 0, now_us, 2000));
    ck_assert(!rep_budget_spend(&budget, 2000, now_us + 1, 2000));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("budget");
    TCase *tests = tcase_create("budget");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_share_may_change);
    tcase_add_test(tests, a_minimum_may_change_of_few);
    tcase_add_test(tests, deleting_does_not_lower_it_nor_inserting_raise_it);
    tcase_add_test(tests, it_comes_back_within_the_hour);
    tcase_add_test(tests, time_that_goes_back_gives_nothing);
    tcase_add_test(tests, filling_is_free_until_it_was_quiet);
    tcase_add_test(tests, filling_does_not_last_for_ever);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
