/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "number/emergency.h"

/* Numbers by country are in tests/tables/number/emergency.tsv. */

static bool is_emergency(const struct num_profile *profile, const char *user)
{
    return num_is_emergency(profile, SLICE("sip"), slice_of_text(user), SLICE("sip:unused"));
}

START_TEST(a_trunks_prefix_does_not_hide_it)
{
    const struct num_rule rules[] = {
        {.match = "9931#", .strip = 5, .roles = NUM_FOR_CALLEE},
        {.match = "0", .strip = 1, .prepend = "0010", .roles = NUM_FOR_CALLEE},
    };
    struct num_profile profile;
    ck_assert_int_eq(num_profile_init(&profile, SLICE("CN"), SLICE("10"), rules, 2), 0);
    ck_assert(is_emergency(&profile, "9931#110"));
    ck_assert(is_emergency(&profile, "9931#010110"));
    ck_assert(!is_emergency(&profile, "9931#1101"));
    /* A rule that would turn it into something else does not take it away. */
    ck_assert(is_emergency(&profile, "0110"));
}
END_TEST

START_TEST(callers_rules_do_not_matter)
{
    const struct num_rule rules[] = {{.match = "77", .strip = 2, .roles = NUM_FOR_CALLER}};
    struct num_profile profile;
    ck_assert_int_eq(num_profile_init(&profile, SLICE("CN"), SLICE(""), rules, 1), 0);
    ck_assert(!is_emergency(&profile, "77110"));
}
END_TEST

START_TEST(codes_are_never_empty)
{
    ck_assert_str_eq(num_emergency_codes(num_country_by_iso(SLICE("CN"))),
                     "110 112 119 120 122 999");
    ck_assert_str_eq(num_emergency_codes(num_country_by_iso(SLICE("BW"))), "112 911 999");
}
END_TEST

START_TEST(odd_bytes_are_no_emergency)
{
    struct num_profile profile;
    struct slice absent = {NULL, 0};
    ck_assert_int_eq(num_profile_init(&profile, SLICE("CN"), SLICE("10"), NULL, 0), 0);
    ck_assert(!num_is_emergency(&profile, absent, absent, absent));
    ck_assert(!num_is_emergency(&profile, SLICE("sip"), SLICE("110\0"), SLICE("sip:110")));
    ck_assert(!is_emergency(&profile, "%3"));
    ck_assert(!is_emergency(&profile, "#"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emergency");
    TCase *tests = tcase_create("emergency");
    tcase_add_test(tests, a_trunks_prefix_does_not_hide_it);
    tcase_add_test(tests, callers_rules_do_not_matter);
    tcase_add_test(tests, codes_are_never_empty);
    tcase_add_test(tests, odd_bytes_are_no_emergency);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
