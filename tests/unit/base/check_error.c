/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <check.h>
#include <errno.h>
#include <limits.h>

START_TEST(own_codes_have_their_text)
{
#define ERROR_ROW(name, value, text) ck_assert_str_eq(error_text(name), text);
    ERROR_TABLE(ERROR_ROW)
#undef ERROR_ROW
}
END_TEST

START_TEST(system_codes_pass_through)
{
    ck_assert_str_eq(error_text(-ENOENT), "No such file or directory");
    ck_assert_str_eq(error_text(0), "Success");
}
END_TEST

START_TEST(any_other_code_has_a_text_too)
{
    static const int codes[] = {1, 999, INT_MAX, -999, -1999, INT_MIN};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        ck_assert_str_eq(error_text(codes[i]), "unknown error");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("error");
    TCase *tests = tcase_create("error");
    tcase_add_test(tests, own_codes_have_their_text);
    tcase_add_test(tests, system_codes_pass_through);
    tcase_add_test(tests, any_other_code_has_a_text_too);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
