/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mapping.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

START_TEST(small_range_is_zero_and_writable)
{
    struct mapping mapping;
    ck_assert_int_eq(mapping_create(5000, &mapping), 0);
    ck_assert_uint_ge(mapping.usable, 5000);
    for (size_t i = 0; i < mapping.usable; i++)
        ck_assert_msg(mapping.start[i] == 0, "byte %zu", i);
    mapping.start[mapping.usable - 1] = 1;
    mapping_destroy(&mapping);
    ck_assert_ptr_null(mapping.start);
    mapping_destroy(&mapping);
}
END_TEST

START_TEST(large_range_is_aligned_for_huge_pages)
{
    struct mapping mapping;
    ck_assert_int_eq(mapping_create(3 * MAPPING_HUGE_BYTES + 1, &mapping), 0);
    ck_assert_uint_eq((uintptr_t)mapping.start % MAPPING_HUGE_BYTES, 0);
    mapping.start[0] = mapping.start[3 * MAPPING_HUGE_BYTES] = 1;
    mapping_destroy(&mapping);
}
END_TEST

START_TEST(range_grows_in_place_and_keeps_what_it_holds)
{
    struct mapping mapping;
    ck_assert_int_eq(mapping_reserve(64 * MAPPING_HUGE_BYTES, &mapping), 0);
    ck_assert_uint_eq(mapping.usable, 0);
    unsigned char *start = mapping.start;
    for (size_t bytes = 1; bytes <= 8 * MAPPING_HUGE_BYTES; bytes *= 2) {
        ck_assert_int_eq(mapping_extend(&mapping, bytes), 0);
        ck_assert_ptr_eq(mapping.start, start);
        ck_assert_uint_ge(mapping.usable, bytes);
        start[bytes - 1] = (unsigned char)(bytes % 251 + 1);
    }
    for (size_t bytes = 1; bytes <= 8 * MAPPING_HUGE_BYTES; bytes *= 2)
        ck_assert_uint_eq(start[bytes - 1], bytes % 251 + 1);
    mapping_destroy(&mapping);
}
END_TEST

START_TEST(discarded_pages_read_as_zero)
{
    struct mapping mapping;
    ck_assert_int_eq(mapping_create(2 * MAPPING_HUGE_BYTES, &mapping), 0);
    mapping.start[0] = mapping.start[MAPPING_HUGE_BYTES] = 7;
    mapping_discard(&mapping, 0, MAPPING_HUGE_BYTES);
    ck_assert_uint_eq(mapping.start[0], 0);
    ck_assert_uint_eq(mapping.start[MAPPING_HUGE_BYTES], 7);
    mapping_destroy(&mapping);
}
END_TEST

START_TEST(too_much_is_refused)
{
    struct mapping mapping;
    ck_assert_int_eq(mapping_reserve(SIZE_MAX, &mapping), -ENOMEM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mapping");
    TCase *tests = tcase_create("mapping");
    tcase_add_test(tests, small_range_is_zero_and_writable);
    tcase_add_test(tests, large_range_is_aligned_for_huge_pages);
    tcase_add_test(tests, range_grows_in_place_and_keeps_what_it_holds);
    tcase_add_test(tests, discarded_pages_read_as_zero);
    tcase_add_test(tests, too_much_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
