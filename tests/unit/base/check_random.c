/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <check.h>
#include <string.h>

START_TEST(the_kernel_fills_all_bytes)
{
    unsigned char a[1000];
    unsigned char b[1000];
    memset(a, 0, sizeof(a));
    memset(b, 0, sizeof(b));
    ck_assert_int_eq(random_bytes(a, sizeof(a)), 0);
    ck_assert_int_eq(random_bytes(b, sizeof(b)), 0);
    ck_assert(memcmp(a, b, sizeof(a)) != 0);
    ck_assert(memcmp(a + 992, b + 992, 8) != 0);
    ck_assert_int_eq(random_bytes(NULL, 0), 0);
}
END_TEST

/* The first outputs of xoshiro256** from the state {1, 2, 3, 4}, worked out from its definition. */
START_TEST(the_generator_is_xoshiro256)
{
    struct random_state state = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520U, 0U, 1509978240U, 1215971899390074240U};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        ck_assert(random_next(&state) == expected[i]);
}
END_TEST

START_TEST(the_seed_is_spread_by_splitmix64)
{
    struct random_state state;
    random_seed(&state, 0);
    ck_assert(state.word[0] == 0xe220a8397b1dcdafU);
    ck_assert(state.word[1] == 0x6e789e6aa1b965f4U);
}
END_TEST

START_TEST(equal_seeds_repeat_and_others_do_not)
{
    struct random_state a;
    struct random_state b;
    struct random_state c;
    random_seed(&a, 7);
    random_seed(&b, 7);
    random_seed(&c, 8);
    uint64_t value = random_next(&a);
    ck_assert(value == random_next(&b));
    ck_assert(value != random_next(&c));
}
END_TEST

START_TEST(below_stays_below_and_is_even)
{
    enum { BOUND = 7, DRAWS = 70000 };
    unsigned seen[BOUND] = {0};
    struct random_state state;
    random_seed(&state, 11);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t value = random_below(&state, BOUND);
        ck_assert_uint_lt(value, BOUND);
        seen[value]++;
    }
    for (int i = 0; i < BOUND; i++) {
        ck_assert_uint_gt(seen[i], DRAWS / BOUND - 600);
        ck_assert_uint_lt(seen[i], DRAWS / BOUND + 600);
    }
}
END_TEST

START_TEST(extreme_bounds)
{
    struct random_state state;
    random_seed(&state, 12);
    for (int i = 0; i < 100; i++) {
        ck_assert_uint_eq(random_below(&state, 1), 0);
        ck_assert(random_below(&state, UINT64_MAX) < UINT64_MAX);
        ck_assert(random_below(&state, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random");
    TCase *tests = tcase_create("random");
    tcase_add_test(tests, the_kernel_fills_all_bytes);
    tcase_add_test(tests, the_generator_is_xoshiro256);
    tcase_add_test(tests, the_seed_is_spread_by_splitmix64);
    tcase_add_test(tests, equal_seeds_repeat_and_others_do_not);
    tcase_add_test(tests, below_stays_below_and_is_even);
    tcase_add_test(tests, extreme_bounds);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
