/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/budget.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SECOND  UINT64_C(1000000)
#define MINUTE  (60 * SECOND)
#define WALL_US (UINT64_C(30000000) * MINUTE) /* a minute begins */

static const struct rule_budget three_a_minute = {3, MINUTE};
static struct screen_ledger *ledger;
static struct screen_budget *budget;

static struct screen_budget *open_written(enum screen_budget_kind kind, const char *name,
                                          uint64_t written)
{
    struct screen_budget *opened = NULL;
    const struct screen_budget_key key = {kind, slice_of_text(name), written};
    ck_assert_int_eq(screen_budget_open(ledger, &key, &three_a_minute, &opened), 0);
    return opened;
}

static void setup(void)
{
    ck_assert_int_eq(screen_ledger_create(&ledger), 0);
    budget = open_written(SCREEN_BUDGET_RULE, "r", 1);
}

static void teardown(void)
{
    screen_budget_close(budget);
    screen_ledger_destroy(ledger);
}

/* How many of so many calls get something. */
static unsigned take(unsigned calls, uint64_t wall_us)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < calls; i++)
        taken += screen_budget_take(budget, wall_us);
    return taken;
}

START_TEST(a_period_has_so_many_calls)
{
    ck_assert_uint_eq(take(2, WALL_US), 2);
    ck_assert_uint_eq(screen_budget_used(budget, WALL_US), 2);
    ck_assert_uint_eq(take(5, WALL_US + MINUTE - 1), 1);
    ck_assert_uint_eq(screen_budget_used(budget, WALL_US), 3);
    ck_assert_uint_eq(screen_budget_used(budget, WALL_US + MINUTE), 0);
    ck_assert_uint_eq(take(5, WALL_US + MINUTE), 3);
    ck_assert_uint_eq(take(5, WALL_US + 100 * MINUTE), 3);
}
END_TEST

START_TEST(a_clock_that_lags_gains_nothing)
{
    ck_assert_uint_eq(take(2, WALL_US + MINUTE), 2);
    ck_assert_uint_eq(take(5, WALL_US + MINUTE - 1), 1);
    ck_assert_uint_eq(take(5, WALL_US + MINUTE), 0);
}
END_TEST

START_TEST(a_clock_that_was_set_back_begins_anew)
{
    ck_assert_uint_eq(take(5, WALL_US + 100 * MINUTE), 3);
    ck_assert_uint_eq(take(5, WALL_US), 3);
}
END_TEST

START_TEST(what_was_not_needed_is_given_back)
{
    ck_assert_uint_eq(take(3, WALL_US), 3);
    screen_budget_give_back(budget, WALL_US);
    ck_assert_uint_eq(take(3, WALL_US), 1);
    /* Not into another period. */
    screen_budget_give_back(budget, WALL_US + MINUTE);
    ck_assert_uint_eq(screen_budget_used(budget, WALL_US + MINUTE), 0);
    ck_assert_uint_eq(take(1, WALL_US), 0);
}
END_TEST

START_TEST(it_is_told_once_a_period)
{
    ck_assert_uint_eq(take(4, WALL_US), 3);
    ck_assert(screen_budget_tells(budget, WALL_US));
    ck_assert(!screen_budget_tells(budget, WALL_US + 1));
    ck_assert_uint_eq(take(4, WALL_US + MINUTE), 3);
    ck_assert(screen_budget_tells(budget, WALL_US + MINUTE));
    ck_assert(!screen_budget_tells(budget, WALL_US + MINUTE));
}
END_TEST

START_TEST(a_demotion_lasts_until_it_is_armed)
{
    ck_assert_uint_eq(take(1, WALL_US), 1);
    screen_budget_demote(budget);
    ck_assert(screen_budget_is_demoted(budget));
    ck_assert(screen_budget_tells(budget, WALL_US));
    ck_assert_uint_eq(take(5, WALL_US + MINUTE), 0);
    ck_assert(!screen_budget_tells(budget, WALL_US + MINUTE));
    screen_budget_rearm(budget);
    ck_assert(!screen_budget_is_demoted(budget));
    ck_assert_uint_eq(take(5, WALL_US), 3);
    screen_budget_demote(budget);
    ck_assert(screen_budget_tells(budget, WALL_US));
}
END_TEST

START_TEST(it_lives_as_long_as_it_is_open)
{
    ck_assert_uint_eq(take(2, WALL_US), 2);
    struct screen_budget *again = open_written(SCREEN_BUDGET_RULE, "r", 1);
    ck_assert_ptr_eq(again, budget);
    screen_budget_close(budget);
    ck_assert_uint_eq(screen_budget_used(again, WALL_US), 2);
    screen_budget_close(again);
    budget = open_written(SCREEN_BUDGET_RULE, "r", 1);
    ck_assert_uint_eq(screen_budget_used(budget, WALL_US), 0);
}
END_TEST

START_TEST(another_key_is_another_budget)
{
    struct screen_budget *others[] = {open_written(SCREEN_BUDGET_RULE, "r", 2),
                                      open_written(SCREEN_BUDGET_RULE, "q", 1),
                                      open_written(SCREEN_BUDGET_TRUNK, "r", 1)};
    ck_assert_uint_eq(take(5, WALL_US), 3);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ck_assert_uint_eq(screen_budget_used(others[i], WALL_US), 0);
        screen_budget_close(others[i]);
    }
    screen_budget_close(NULL);
}
END_TEST

static void *contend(void *argument)
{
    atomic_uint *taken = argument;
    for (unsigned i = 0; i < 10000; i++)
        atomic_fetch_add(taken, take(1, WALL_US + i));
    return NULL;
}

START_TEST(workers_share_one_budget)
{
    pthread_t threads[2];
    atomic_uint taken = 0;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, contend, &taken), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&taken), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screening/budget");
    TCase *tests = tcase_create("budget");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_period_has_so_many_calls);
    tcase_add_test(tests, a_clock_that_lags_gains_nothing);
    tcase_add_test(tests, a_clock_that_was_set_back_begins_anew);
    tcase_add_test(tests, what_was_not_needed_is_given_back);
    tcase_add_test(tests, it_is_told_once_a_period);
    tcase_add_test(tests, a_demotion_lasts_until_it_is_armed);
    tcase_add_test(tests, it_lives_as_long_as_it_is_open);
    tcase_add_test(tests, another_key_is_another_budget);
    tcase_add_test(tests, workers_share_one_budget);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
