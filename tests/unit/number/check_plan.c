/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "number/plan.h"

static struct num_range find(const char *digits)
{
    struct num_range range;
    ck_assert_msg(num_plan_find(slice_of_text(digits), &range), "%s: not found", digits);
    return range;
}

START_TEST(knows_country_kind_and_province)
{
    struct num_range range = find("861062345678");
    ck_assert_str_eq(range.country->iso, "CN");
    ck_assert_int_eq(range.kind, NUM_FIXED);
    ck_assert_str_eq(range.region, "Beijing");
    ck_assert_int_eq(range.calling_digits, 2);
    ck_assert_int_eq(range.area_digits, 2);
    ck_assert(!range.service);
}
END_TEST

START_TEST(length_decides_between_rows_of_one_prefix)
{
    ck_assert(find("8695566").service);
    ck_assert_str_eq(find("869556123456").region, "Ningxia");
    ck_assert_int_eq(find("86106123456789").kind, NUM_SERVICE);
    ck_assert_int_eq(find("861061234567").kind, NUM_FIXED);
}
END_TEST

START_TEST(shared_calling_codes_are_split)
{
    ck_assert_str_eq(find("12125551234").country->iso, "US");
    ck_assert_str_eq(find("14165551234").country->iso, "CA");
    ck_assert_str_eq(find("16584561234").country->iso, "JM");
    ck_assert_str_eq(find("77011234567").country->iso, "KZ");
    ck_assert_str_eq(find("74951234567").country->iso, "RU");
    ck_assert_str_eq(find("441534123456").country->iso, "JE");
    ck_assert_str_eq(find("3906698123").country->iso, "VA");
}
END_TEST

START_TEST(an_unallotted_range_is_invalid_and_found)
{
    ck_assert_int_eq(find("8615412345678").kind, NUM_INVALID);
    ck_assert_int_eq(find("861012345678").kind, NUM_INVALID);
    ck_assert_int_eq(find("12120123456").kind, NUM_INVALID);
}
END_TEST

START_TEST(a_country_in_outline_is_unknown)
{
    ck_assert_int_eq(find("254712345678").kind, NUM_UNKNOWN);
    ck_assert_ptr_null(find("254712345678").region);
}
END_TEST

START_TEST(refuses_what_no_country_has)
{
    static const char *const digits[] = {"",     "8",      "86",          "999123456",
                                         "210",  "86123",  "45123456789", "1234567890123456789",
                                         "86 1", "+86138", "1212555123"};
    struct num_range range;
    for (size_t i = 0; i < sizeof(digits) / sizeof(digits[0]); i++)
        ck_assert_msg(!num_plan_find(slice_of_text(digits[i]), &range), "\"%s\"", digits[i]);
}
END_TEST

START_TEST(countries_are_found_by_iso_and_code)
{
    ck_assert_int_eq(num_country_by_iso(SLICE("cn"))->calling_code, 86);
    ck_assert_str_eq(num_country_by_code(1)->iso, "US");
    ck_assert_str_eq(num_country_by_code(7)->iso, "RU");
    ck_assert_ptr_null(num_country_by_iso(SLICE("XX")));
    ck_assert_ptr_null(num_country_by_iso(SLICE("")));
    ck_assert_ptr_null(num_country_by_code(999));
}
END_TEST

START_TEST(calling_and_area_codes_are_measured)
{
    const struct num_country *china = num_country_by_code(86);
    ck_assert_uint_eq(num_calling_code_digits(SLICE("8613800138000")), 2);
    ck_assert_uint_eq(num_calling_code_digits(SLICE("12125551234")), 1);
    ck_assert_uint_eq(num_calling_code_digits(SLICE("85223456789")), 3);
    ck_assert_uint_eq(num_calling_code_digits(SLICE("999")), 0);
    ck_assert_uint_eq(num_calling_code_digits(SLICE("")), 0);
    ck_assert_uint_eq(num_area_code_digits(china, SLICE("1062345678")), 2);
    ck_assert_uint_eq(num_area_code_digits(china, SLICE("755")), 3);
    ck_assert_uint_eq(num_area_code_digits(china, SLICE("75")), 0);
    ck_assert_uint_eq(num_area_code_digits(china, SLICE("852")), 0);
}
END_TEST

START_TEST(kinds_have_texts)
{
    for (unsigned i = 0; i < NUM_KIND_COUNT; i++) {
        enum num_kind kind;
        const char *text = num_kind_text((enum num_kind)i);
        ck_assert_int_eq(num_kind_parse(slice_of_text(text), &kind), 0);
        ck_assert_uint_eq(kind, i);
    }
    enum num_kind kind;
    ck_assert_int_eq(num_kind_parse(SLICE("portable"), &kind), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tests = tcase_create("plan");
    tcase_add_test(tests, knows_country_kind_and_province);
    tcase_add_test(tests, length_decides_between_rows_of_one_prefix);
    tcase_add_test(tests, shared_calling_codes_are_split);
    tcase_add_test(tests, an_unallotted_range_is_invalid_and_found);
    tcase_add_test(tests, a_country_in_outline_is_unknown);
    tcase_add_test(tests, refuses_what_no_country_has);
    tcase_add_test(tests, countries_are_found_by_iso_and_code);
    tcase_add_test(tests, calling_and_area_codes_are_measured);
    tcase_add_test(tests, kinds_have_texts);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
