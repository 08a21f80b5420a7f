/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "number/packed.h"

START_TEST(packs_digits_behind_a_one)
{
    uint64_t packed;
    ck_assert(num_pack(SLICE("+8613800138000"), &packed));
    ck_assert_uint_eq(packed, 18613800138000U);
    ck_assert(num_pack(SLICE("8613800138000"), &packed));
    ck_assert_uint_eq(packed, 18613800138000U);
}
END_TEST

START_TEST(leading_zeros_count)
{
    uint64_t with;
    uint64_t without;
    ck_assert(num_pack(SLICE("0110"), &with));
    ck_assert(num_pack(SLICE("110"), &without));
    ck_assert_uint_ne(with, without);
}
END_TEST

START_TEST(unpacks_what_was_packed)
{
    static const char *const numbers[] = {"+0", "+000", "+999999999999999999", "+8695588", "+1"};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uint64_t packed;
        char text[NUM_PACKED_TEXT];
        ck_assert(num_pack(slice_of_text(numbers[i]), &packed));
        ck_assert_uint_eq(num_unpack(packed, text), strlen(numbers[i]));
        ck_assert_str_eq(text, numbers[i]);
    }
}
END_TEST

START_TEST(refuses_what_is_no_number)
{
    static const char *const texts[] = {"", "+", "++1", "1+", "12a", "1 2", "1234567890123456789"};
    uint64_t packed;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_msg(!num_pack(slice_of_text(texts[i]), &packed), "\"%s\"", texts[i]);
}
END_TEST

START_TEST(unpacks_nothing_from_no_number)
{
    static const uint64_t values[] = {0, 1, 2, 9, 20, 2999, UINT64_MAX};
    char text[NUM_PACKED_TEXT];
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        ck_assert_uint_eq(num_unpack(values[i], text), 0);
        ck_assert_str_eq(text, "");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("packed");
    TCase *tests = tcase_create("packed");
    tcase_add_test(tests, packs_digits_behind_a_one);
    tcase_add_test(tests, leading_zeros_count);
    tcase_add_test(tests, unpacks_what_was_packed);
    tcase_add_test(tests, refuses_what_is_no_number);
    tcase_add_test(tests, unpacks_nothing_from_no_number);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
