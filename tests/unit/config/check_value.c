/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct number_case {
    const char *text;
    int error;
    uint64_t value;
};

START_TEST(integers)
{
    static const struct {
        const char *text;
        int error;
        int64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"-17", 0, -17},
        {"+5", 0, 5},
        {"1_000_000", 0, 1000000},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", -ERANGE, 0},
        {"-9223372036854775809", -ERANGE, 0},
        {"", -EBADMSG, 0},
        {"-", -EBADMSG, 0},
        {"_1", -EBADMSG, 0},
        {"1_", -EBADMSG, 0},
        {"1__0", -EBADMSG, 0},
        {"0x10", -EBADMSG, 0},
        {"1.0", -EBADMSG, 0},
        {" 1", -EBADMSG, 0},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t value = 0;

        ck_assert_int_eq(conf_value_integer(slice_of_text(cases[i].text), &value), cases[i].error);
        ck_assert_int_eq(value, cases[i].value);
    }
}
END_TEST

START_TEST(durations)
{
    static const struct number_case cases[] = {
        {"0", 0, 0},
        {"0s", 0, 0},
        {"20ms", 0, 20000},
        {"1.5s", 0, 1500000},
        {"1h30m", 0, 5400000000},
        {"4h", 0, 14400000000},
        {"7d", 0, 604800000000},
        {"1w", 0, 604800000000},
        {"1w1d1h1m1s1ms1us", 0, 694861001001},
        {"0.000001s", 0, 1},
        {"5", -EBADMSG, 0},
        {"", -EBADMSG, 0},
        {"ms", -EBADMSG, 0},
        {"30m1h", -EBADMSG, 0},
        {"1s1s", -EBADMSG, 0},
        {"1 s", -EBADMSG, 0},
        {"1S", -EBADMSG, 0},
        {"1x", -EBADMSG, 0},
        {"-1s", -EBADMSG, 0},
        {"0.5us", -EBADMSG, 0},
        {"1.s", -EBADMSG, 0},
        {"1.0000000s", -EBADMSG, 0},
        {"99999999999d", -ERANGE, 0},
        {"99999999999999999999s", -ERANGE, 0},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t value = 0;

        ck_assert_int_eq(conf_value_duration(slice_of_text(cases[i].text), &value), cases[i].error);
        ck_assert_uint_eq(value, cases[i].value);
    }
}
END_TEST

START_TEST(sizes)
{
    static const struct number_case cases[] = {
        {"512", 0, 512},
        {"64k", 0, 65536},
        {"64K", 0, 65536},
        {"16M", 0, 16777216},
        {"16MB", 0, 16777216},
        {"16MiB", 0, 16777216},
        {"1.5G", 0, 1610612736},
        {"2T", 0, 2199023255552},
        {"10b", 0, 10},
        {"0", 0, 0},
        {"", -EBADMSG, 0},
        {"k", -EBADMSG, 0},
        {"1kk", -EBADMSG, 0},
        {"1P", -EBADMSG, 0},
        {"0.3", -EBADMSG, 0},
        {"-1", -EBADMSG, 0},
        {"9999999999T", -ERANGE, 0},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t value = 0;

        ck_assert_int_eq(conf_value_size(slice_of_text(cases[i].text), &value), cases[i].error);
        ck_assert_uint_eq(value, cases[i].value);
    }
}
END_TEST

START_TEST(percentages)
{
    double value = 0;

    ck_assert_int_eq(conf_value_percent(SLICE("20%"), &value), 0);
    ck_assert_double_eq(value, 20.0);
    ck_assert_int_eq(conf_value_percent(SLICE("12.5"), &value), 0);
    ck_assert_double_eq(value, 12.5);
    ck_assert_int_eq(conf_value_percent(SLICE("%"), &value), -EBADMSG);
    ck_assert_int_eq(conf_value_percent(SLICE("20%%"), &value), -EBADMSG);
    ck_assert_int_eq(conf_value_percent(SLICE("20%5"), &value), -EBADMSG);
}
END_TEST

START_TEST(booleans)
{
    static const char *const yes[] = {"true", "yes", "on", "True", "ON"};
    static const char *const no[] = {"false", "no", "off", "No"};
    bool value;

    for (size_t i = 0; i < COUNT(yes); i++) {
        value = false;
        ck_assert_int_eq(conf_value_boolean(slice_of_text(yes[i]), &value), 0);
        ck_assert(value);
    }
    for (size_t i = 0; i < COUNT(no); i++) {
        value = true;
        ck_assert_int_eq(conf_value_boolean(slice_of_text(no[i]), &value), 0);
        ck_assert(!value);
    }
    ck_assert_int_eq(conf_value_boolean(SLICE("1"), &value), -EBADMSG);
    ck_assert_int_eq(conf_value_boolean(SLICE(""), &value), -EBADMSG);
}
END_TEST

START_TEST(durations_read_back)
{
    static const uint64_t values[] = {0,        1,          20000,        1500000,
                                      60000000, 5400000000, 604800000000, 694861001001};
    static const char *const texts[] = {"0s", "1us",   "20ms", "1s500ms",
                                        "1m", "1h30m", "7d",   "8d1h1m1s1ms1us"};

    for (size_t i = 0; i < COUNT(values); i++) {
        char memory[64];
        struct buffer buffer = buffer_over(memory, sizeof(memory));
        uint64_t value = 0;

        conf_value_append_duration(&buffer, values[i]);
        ck_assert(slice_equal(buffer_slice(&buffer), slice_of_text(texts[i])));
        ck_assert_int_eq(conf_value_duration(buffer_slice(&buffer), &value), 0);
        ck_assert_uint_eq(value, values[i]);
    }
}
END_TEST

START_TEST(sizes_and_percentages_as_text)
{
    char memory[64];
    struct buffer buffer = buffer_over(memory, sizeof(memory));

    conf_value_append_size(&buffer, 65536);
    buffer_append_char(&buffer, ' ');
    conf_value_append_size(&buffer, 0);
    buffer_append_char(&buffer, ' ');
    conf_value_append_size(&buffer, 1000);
    buffer_append_char(&buffer, ' ');
    conf_value_append_percent(&buffer, 12.5);
    buffer_append_char(&buffer, ' ');
    conf_value_append_percent(&buffer, 100);
    buffer_append_char(&buffer, ' ');
    conf_value_append_percent(&buffer, 0.05);
    ck_assert(slice_equal(buffer_slice(&buffer), SLICE("64k 0 1000 12.5% 100% 0.05%")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config/value");
    TCase *group = tcase_create("value");

    tcase_add_test(group, integers);
    tcase_add_test(group, durations);
    tcase_add_test(group, sizes);
    tcase_add_test(group, percentages);
    tcase_add_test(group, booleans);
    tcase_add_test(group, durations_read_back);
    tcase_add_test(group, sizes_and_percentages_as_text);
    suite_add_tcase(suite, group);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
