/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <check.h>
#include <time.h>

static void assert_rfc3339(uint64_t wall_us, const char *expected)
{
    char memory[64];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    clock_append_rfc3339(&buffer, wall_us);
    ck_assert_msg(slice_equal(buffer_slice(&buffer), slice_of_text(expected)), "%.*s, not %s",
                  SLICE_ARGS(buffer_slice(&buffer)), expected);
}

START_TEST(clocks_go_forward_and_agree)
{
    uint64_t us = clock_monotonic_us();
    uint64_t ns = clock_monotonic_ns();
    ck_assert(ns / 1000 >= us);
    ck_assert(clock_monotonic_us() >= ns / 1000);
    ck_assert(clock_wall_us() > UINT64_C(1700000000) * 1000000);
}
END_TEST

START_TEST(rfc3339_at_known_moments)
{
    assert_rfc3339(0, "1970-01-01T00:00:00.000Z");
    assert_rfc3339(999999, "1970-01-01T00:00:00.999Z");
    assert_rfc3339(UINT64_C(951782399999000), "2000-02-28T23:59:59.999Z");
    assert_rfc3339(UINT64_C(951782400000000), "2000-02-29T00:00:00.000Z");
    assert_rfc3339(UINT64_C(1814343330123000), "2027-06-30T08:15:30.123Z");
    assert_rfc3339(UINT64_C(253402300800000000), "10000-01-01T00:00:00.000Z");
}
END_TEST

START_TEST(rfc3339_agrees_with_the_c_library_over_centuries)
{
    for (uint64_t day = 0; day < 80000; day += 1) {
        time_t seconds = (time_t)(day * 86400 + day % 86400);
        struct tm parts;
        char expected[64];
        gmtime_r(&seconds, &parts);
        ck_assert_uint_ne(strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000Z", &parts),
                          0);
        assert_rfc3339((uint64_t)seconds * 1000000, expected);
    }
}
END_TEST

START_TEST(any_value_is_printed_somehow)
{
    char memory[64];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    clock_append_rfc3339(&buffer, UINT64_MAX);
    ck_assert(!buffer.overflow);
}
END_TEST

START_TEST(a_full_buffer_gets_no_part_of_it)
{
    char memory[10];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    clock_append_rfc3339(&buffer, 0);
    ck_assert(buffer.overflow);
    ck_assert_uint_eq(buffer.length, 0);
}
END_TEST

START_TEST(days_of_known_dates)
{
    ck_assert_int_eq(clock_days_from_civil(1970, 1, 1), 0);
    ck_assert_int_eq(clock_days_from_civil(1969, 12, 31), -1);
    ck_assert_int_eq(clock_days_from_civil(2000, 3, 1), 11017);
    ck_assert_int_eq(clock_days_from_civil(2027, 6, 30), 20999);
    ck_assert_int_eq(clock_days_from_civil(1600, 1, 1), -135140);
    ck_assert_int_eq(clock_days_from_civil(0, 3, 1), -719468);
    ck_assert_int_eq(clock_days_from_civil(-1, 3, 1), -719468 - 366);
}
END_TEST

START_TEST(days_count_up_one_by_one)
{
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t expected = clock_days_from_civil(1890, 1, 1);
    for (int year = 1890; year < 2310; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (unsigned month = 1; month <= 12; month++) {
            unsigned length = lengths[month - 1] + (month == 2 && leap ? 1 : 0);
            for (unsigned day = 1; day <= length; day++)
                ck_assert_int_eq(clock_days_from_civil(year, month, day), expected++);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tests = tcase_create("clock");
    tcase_add_test(tests, clocks_go_forward_and_agree);
    tcase_add_test(tests, rfc3339_at_known_moments);
    tcase_add_test(tests, rfc3339_agrees_with_the_c_library_over_centuries);
    tcase_add_test(tests, any_value_is_printed_somehow);
    tcase_add_test(tests, a_full_buffer_gets_no_part_of_it);
    tcase_add_test(tests, days_of_known_dates);
    tcase_add_test(tests, days_count_up_one_by_one);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
