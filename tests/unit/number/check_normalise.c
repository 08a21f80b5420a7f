/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "number/normalise.h"

/* What most numbers look like is in tests/tables/number; here is what a table cannot say. */

static struct num_profile china(const struct num_rule *rules, uint32_t count)
{
    struct num_profile profile;
    ck_assert_int_eq(num_profile_init(&profile, SLICE("CN"), SLICE("010"), rules, count), 0);
    return profile;
}

static struct num_number normalise(const struct num_profile *profile, enum num_role role,
                                   const char *user)
{
    struct num_number number;
    int error = num_normalise(profile, role, SLICE("sip"), slice_of_text(user), SLICE(""), &number);
    ck_assert_int_eq(error, number.valid ? 0 : ERROR_MALFORMED);
    return number;
}

START_TEST(the_first_rule_that_fits_counts)
{
    const struct num_rule rules[] = {
        {.match = "9931#", .strip = 5, .roles = NUM_FOR_CALLEE},
        {.match = "9931", .strip = 4, .prepend = "+86", .roles = NUM_FOR_BOTH},
    };
    struct num_profile profile = china(rules, 2);
    ck_assert_str_eq(normalise(&profile, NUM_CALLEE, "9931#013800138000").text, "+8613800138000");
    ck_assert_str_eq(normalise(&profile, NUM_CALLER, "993113800138000").text, "+8613800138000");
    ck_assert_str_eq(normalise(&profile, NUM_CALLER, "9931#013800138000").text,
                     "9931#013800138000");
}
END_TEST

START_TEST(a_rule_may_hold_any_digit_and_bounds)
{
    const struct num_rule rules[] = {
        {.match = "852xxxxxxxx", .prepend = "+", .max_length = 11, .roles = NUM_FOR_CALLER},
        {.match = "",
         .min_length = 4,
         .max_length = 4,
         .prepend = "0106234",
         .roles = NUM_FOR_BOTH},
    };
    struct num_profile profile = china(rules, 2);
    ck_assert_str_eq(normalise(&profile, NUM_CALLER, "85223456789").iso, "HK");
    ck_assert_str_eq(normalise(&profile, NUM_CALLER, "5678").text, "+861062345678");
    ck_assert(!normalise(&profile, NUM_CALLER, "56789").valid);
    ck_assert(!normalise(&profile, NUM_CALLEE, "85223456789").valid ||
              normalise(&profile, NUM_CALLEE, "85223456789").kind == NUM_INVALID);
}
END_TEST

START_TEST(a_rule_may_leave_nothing)
{
    const struct num_rule rules[] = {{.match = "99", .strip = 2, .roles = NUM_FOR_BOTH}};
    struct num_profile profile = china(rules, 1);
    struct num_number number = normalise(&profile, NUM_CALLER, "99");
    ck_assert(!number.valid);
    ck_assert_str_eq(number.text, "99");
    ck_assert(!number.withheld);
}
END_TEST

START_TEST(unsound_rules_are_refused)
{
    const struct num_rule rules[] = {
        {.match = NULL, .roles = NUM_FOR_BOTH},
        {.match = "12-3", .roles = NUM_FOR_BOTH},
        {.match = "1", .prepend = "x", .roles = NUM_FOR_BOTH},
        {.match = "1", .roles = 0},
        {.match = "1", .roles = 4},
        {.match = "1", .strip = NUM_TEXT + 1, .roles = NUM_FOR_BOTH},
        {.match = "123456789012345678901234567890123", .roles = NUM_FOR_BOTH},
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct num_profile profile;
        ck_assert_msg(!num_rule_is_sound(&rules[i]), "rule %zu", i);
        ck_assert_int_eq(num_profile_init(&profile, SLICE("CN"), SLICE(""), &rules[i], 1), -EINVAL);
    }
}
END_TEST

START_TEST(profiles_know_countries_and_areas)
{
    struct num_profile profile;
    ck_assert_int_eq(num_profile_init(&profile, SLICE("QQ"), SLICE(""), NULL, 0), ERROR_NOT_FOUND);
    ck_assert_int_eq(num_profile_init(&profile, SLICE("ZZ"), SLICE(""), NULL, 0), ERROR_NOT_FOUND);
    ck_assert_int_eq(num_profile_init(&profile, SLICE("CN"), SLICE("0852"), NULL, 0), -EINVAL);
    ck_assert_int_eq(num_profile_init(&profile, SLICE("CN"), SLICE("0"), NULL, 0), -EINVAL);
    ck_assert_int_eq(num_profile_init(&profile, SLICE("CN"), SLICE("10a"), NULL, 0), -EINVAL);
    ck_assert_int_eq(num_profile_init(&profile, SLICE("DE"), SLICE("12345678"), NULL, 0), -EINVAL);
    ck_assert_int_eq(num_profile_init(&profile, SLICE("cn"), SLICE("0755"), NULL, 0), 0);
    ck_assert_int_eq(profile.area_length, 3);
}
END_TEST

START_TEST(a_long_raw_text_is_cut)
{
    struct num_profile profile = china(NULL, 0);
    char user[300];
    memset(user, '7', sizeof(user) - 1);
    user[sizeof(user) - 1] = '\0';
    struct num_number number = normalise(&profile, NUM_CALLER, user);
    ck_assert(!number.valid);
    ck_assert_int_eq(number.length, NUM_TEXT - 1);
    ck_assert_uint_eq(strlen(number.text), NUM_TEXT - 1);
}
END_TEST

START_TEST(control_bytes_do_not_come_through)
{
    struct num_profile profile = china(NULL, 0);
    struct num_number number;
    int error =
        num_normalise(&profile, NUM_CALLER, SLICE("sip"), SLICE("a\0b\nc\x7f"), SLICE(""), &number);
    ck_assert_int_eq(error, ERROR_MALFORMED);
    ck_assert_str_eq(number.text, "a?b?c?");
    ck_assert_str_eq(normalise(&profile, NUM_CALLER, "a%00b%0d").text, "a%00b%0d");
}
END_TEST

START_TEST(an_absent_user_is_withheld)
{
    struct num_profile profile = china(NULL, 0);
    struct num_number number;
    struct slice absent = {NULL, 0};
    ck_assert_int_eq(num_normalise(&profile, NUM_CALLER, absent, absent, absent, &number),
                     ERROR_MALFORMED);
    ck_assert(number.withheld);
    ck_assert_int_eq(number.length, 0);
    ck_assert_str_eq(number.iso, "");
}
END_TEST

START_TEST(every_country_takes_its_own_numbers_back)
{
    static const char *const isos[] = {"CN", "US", "GB", "DE", "IT", "RU", "JP", "SG", "KE", "DK"};
    static const char *const numbers[] = {"+8613800138000", "+8695588",      "+861095588",
                                          "+12125551234",   "+442079460000", "+390612345678",
                                          "+79161234567",   "+254712345678", "+86138001380001",
                                          "+8610110",       "+81312345678",  "+80012345678"};
    for (size_t i = 0; i < sizeof(isos) / sizeof(isos[0]); i++) {
        struct num_profile profile;
        ck_assert_int_eq(num_profile_init(&profile, slice_of_text(isos[i]), SLICE(""), NULL, 0), 0);
        for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++)
            ck_assert_str_eq(normalise(&profile, NUM_CALLER, numbers[n]).text, numbers[n]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("normalise");
    TCase *tests = tcase_create("normalise");
    tcase_add_test(tests, the_first_rule_that_fits_counts);
    tcase_add_test(tests, a_rule_may_hold_any_digit_and_bounds);
    tcase_add_test(tests, a_rule_may_leave_nothing);
    tcase_add_test(tests, unsound_rules_are_refused);
    tcase_add_test(tests, profiles_know_countries_and_areas);
    tcase_add_test(tests, a_long_raw_text_is_cut);
    tcase_add_test(tests, control_bytes_do_not_come_through);
    tcase_add_test(tests, an_absent_user_is_withheld);
    tcase_add_test(tests, every_country_takes_its_own_numbers_back);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
