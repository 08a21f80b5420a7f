/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

#include <check.h>
#include <errno.h>

START_TEST(equal_compares_bytes_and_length)
{
    ck_assert(slice_equal(SLICE("abc"), SLICE("abc")));
    ck_assert(!slice_equal(SLICE("abc"), SLICE("abd")));
    ck_assert(!slice_equal(SLICE("abc"), SLICE("ab")));
    ck_assert(slice_equal(SLICE(""), slice_make(NULL, 0)));
    ck_assert(!slice_equal(SLICE("a\0b"), SLICE("a\0c")));
}
END_TEST

START_TEST(nocase_folds_ascii_letters_only)
{
    ck_assert(slice_equal_nocase(SLICE("Call-ID"), SLICE("cALL-id")));
    ck_assert(!slice_equal_nocase(SLICE("[x"), SLICE("{x")));
    ck_assert(!slice_equal_nocase(SLICE("\xc4"), SLICE("\xe4")));
    ck_assert(!slice_equal_nocase(SLICE("a\0B"), SLICE("a\0C")));
    ck_assert(slice_equal_nocase(slice_make(NULL, 0), SLICE("")));
}
END_TEST

START_TEST(starts_with_needs_the_whole_prefix)
{
    ck_assert(slice_starts_with(SLICE("z9hG4bKx"), SLICE("z9hG4bK")));
    ck_assert(!slice_starts_with(SLICE("z9hG4b"), SLICE("z9hG4bK")));
    ck_assert(slice_starts_with(SLICE(""), slice_make(NULL, 0)));
    ck_assert(slice_starts_with_nocase(SLICE("SIP:a"), SLICE("sip:")));
    ck_assert(!slice_starts_with_nocase(SLICE("SI"), SLICE("sip:")));
}
END_TEST

START_TEST(cuts_are_clipped)
{
    ck_assert(slice_equal(slice_from(SLICE("abc"), 1), SLICE("bc")));
    ck_assert(slice_equal(slice_from(SLICE("abc"), 9), SLICE("")));
    ck_assert(slice_equal(slice_first(SLICE("abc"), 2), SLICE("ab")));
    ck_assert(slice_equal(slice_first(SLICE("abc"), 9), SLICE("abc")));
}
END_TEST

START_TEST(trim_takes_blanks_at_both_ends)
{
    ck_assert(slice_equal(slice_trim(SLICE(" \t\r\n a b \r\n")), SLICE("a b")));
    ck_assert(slice_is_empty(slice_trim(SLICE(" \t "))));
    ck_assert(slice_is_empty(slice_trim(slice_make(NULL, 0))));
}
END_TEST

START_TEST(find_gives_the_length_when_absent)
{
    ck_assert_uint_eq(slice_find(SLICE("a:b"), ':'), 1);
    ck_assert_uint_eq(slice_find(SLICE("ab"), ':'), 2);
    ck_assert_uint_eq(slice_find(slice_make(NULL, 0), ':'), 0);
}
END_TEST

static int parsed(const char *text, uint64_t maximum, uint64_t *value)
{
    return slice_to_uint64(slice_of_text(text), maximum, value);
}

START_TEST(numbers_are_read_up_to_the_maximum)
{
    uint64_t value = 0;
    ck_assert_int_eq(parsed("0", 0, &value), 0);
    ck_assert_uint_eq(value, 0);
    ck_assert_int_eq(parsed("000255", 255, &value), 0);
    ck_assert_uint_eq(value, 255);
    ck_assert_int_eq(parsed("18446744073709551615", UINT64_MAX, &value), 0);
    ck_assert(value == UINT64_MAX);
}
END_TEST

START_TEST(numbers_beyond_the_maximum_are_refused)
{
    uint64_t value = 77;
    ck_assert_int_eq(parsed("256", 255, &value), -ERANGE);
    ck_assert_int_eq(parsed("5", 3, &value), -ERANGE);
    ck_assert_int_eq(parsed("1", 0, &value), -ERANGE);
    ck_assert_int_eq(parsed("18446744073709551616", UINT64_MAX, &value), -ERANGE);
    ck_assert_int_eq(parsed("99999999999999999999999999", UINT64_MAX, &value), -ERANGE);
    ck_assert_uint_eq(value, 77);
}
END_TEST

START_TEST(what_is_no_number_is_malformed_however_long)
{
    uint64_t value = 77;
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x1", "99999999999999999999a"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(parsed(bad[i], UINT64_MAX, &value), -EBADMSG);
    ck_assert_uint_eq(value, 77);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slice");
    TCase *tests = tcase_create("slice");
    tcase_add_test(tests, equal_compares_bytes_and_length);
    tcase_add_test(tests, nocase_folds_ascii_letters_only);
    tcase_add_test(tests, starts_with_needs_the_whole_prefix);
    tcase_add_test(tests, cuts_are_clipped);
    tcase_add_test(tests, trim_takes_blanks_at_both_ends);
    tcase_add_test(tests, find_gives_the_length_when_absent);
    tcase_add_test(tests, numbers_are_read_up_to_the_maximum);
    tcase_add_test(tests, numbers_beyond_the_maximum_are_refused);
    tcase_add_test(tests, what_is_no_number_is_malformed_however_long);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
