/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "screening/limiter.h"

#define SECOND UINT64_C(1000000)

START_TEST(rate_holds_with_a_burst_of_the_count)
{
    struct screen_limiter *limiter;
    ck_assert_int_eq(screen_limiter_create(64, &limiter), 0);
    uint64_t now = 100 * SECOND;
    for (int i = 0; i < 10; i++)
        ck_assert(screen_limiter_pass(limiter, 7, 10, 60 * SECOND, now));
    ck_assert(!screen_limiter_pass(limiter, 7, 10, 60 * SECOND, now));
    ck_assert(!screen_limiter_pass(limiter, 7, 10, 60 * SECOND, now + 5 * SECOND));
    ck_assert(screen_limiter_pass(limiter, 7, 10, 60 * SECOND, now + 6 * SECOND));
    ck_assert(!screen_limiter_pass(limiter, 7, 10, 60 * SECOND, now + 6 * SECOND));
    /* Another key is not touched by it. */
    ck_assert(screen_limiter_pass(limiter, 8, 10, 60 * SECOND, now + 6 * SECOND));
    screen_limiter_destroy(limiter);
}
END_TEST

START_TEST(full_neighbourhood_gives_up_the_idlest)
{
    struct screen_limiter *limiter;
    ck_assert_int_eq(screen_limiter_create(8, &limiter), 0);
    for (uint64_t key = 1; key <= 8; key++)
        ck_assert(screen_limiter_pass(limiter, key, 1, 60 * SECOND, key * SECOND));
    /* A ninth takes the place of the first, which then starts anew. */
    ck_assert(screen_limiter_pass(limiter, 9, 1, 60 * SECOND, 9 * SECOND));
    ck_assert(!screen_limiter_pass(limiter, 8, 1, 60 * SECOND, 9 * SECOND));
    ck_assert(screen_limiter_pass(limiter, 1, 1, 60 * SECOND, 9 * SECOND));
    screen_limiter_destroy(limiter);
}
END_TEST

struct contest {
    struct screen_limiter *limiter;
    atomic_uint passed;
};

static void *contend(void *argument)
{
    struct contest *contest = argument;
    for (int i = 0; i < 20000; i++)
        if (screen_limiter_pass(contest->limiter, 42, 500, 3600 * SECOND, SECOND))
            atomic_fetch_add(&contest->passed, 1);
    return NULL;
}

START_TEST(workers_share_one_rate)
{
    struct contest contest = {.passed = 0};
    pthread_t threads[2];
    ck_assert_int_eq(screen_limiter_create(64, &contest.limiter), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, contend, &contest), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&contest.passed), 500);
    screen_limiter_destroy(contest.limiter);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screening/limiter");
    TCase *tests = tcase_create("limiter");
    tcase_add_test(tests, rate_holds_with_a_burst_of_the_count);
    tcase_add_test(tests, full_neighbourhood_gives_up_the_idlest);
    tcase_add_test(tests, workers_share_one_rate);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
