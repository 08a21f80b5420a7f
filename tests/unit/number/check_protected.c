/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "number/protected.h"

/* Lines by country are in tests/tables/number/protected.tsv. */

static const struct slice china[] = {SLICE_LITERAL("CN")};

START_TEST(lines_are_sorted_and_known_to_the_plan)
{
    const struct slice countries[] = {SLICE_LITERAL("CN"), SLICE_LITERAL("hk"), SLICE_LITERAL("US"),
                                      SLICE_LITERAL("TW"), SLICE_LITERAL("CN")};
    struct num_protected *set;
    ck_assert_int_eq(num_protected_create(countries, 5, NULL, 0, NULL, &set), 0);
    ck_assert_uint_gt(num_protected_count(set), 80);
    uint64_t last = 0;
    for (size_t i = 0; i < num_protected_count(set); i++) {
        const struct num_protected_line *line = num_protected_at(set, i);
        char text[NUM_PACKED_TEXT];
        struct num_range range;
        ck_assert_uint_gt(line->packed, last);
        last = line->packed;
        ck_assert_uint_gt(num_unpack(line->packed, text), 0);
        ck_assert_msg(num_plan_find(slice_of_text(text + 1), &range) && range.service, "%s", text);
        ck_assert_ptr_eq(num_protected_find_packed(set, line->packed), line);
    }
    num_protected_destroy(set);
}
END_TEST

START_TEST(an_extra_line_renames_a_built_in_one)
{
    const struct num_protected_extra extra[] = {
        {SLICE_LITERAL("+86 95588"), SLICE_LITERAL("ours")}};
    struct num_protected *set;
    ck_assert_int_eq(num_protected_create(china, 1, extra, 1, NULL, &set), 0);
    const struct num_protected_line *line = num_protected_find_packed(set, 18695588);
    ck_assert_str_eq(line->name, "ours");
    ck_assert_str_eq(line->kind, "configured");
    num_protected_destroy(set);
}
END_TEST

START_TEST(a_bad_extra_line_is_named)
{
    const char *const bad_numbers[] = {"", "95588", "+", "+86x", "+1234567890123456789", "++86"};
    for (size_t i = 0; i < sizeof(bad_numbers) / sizeof(bad_numbers[0]); i++) {
        const struct num_protected_extra extra[] = {
            {SLICE_LITERAL("+8695588"), SLICE_LITERAL("a")},
            {slice_of_text(bad_numbers[i]), SLICE_LITERAL("b")},
        };
        struct num_protected *set = NULL;
        size_t bad = 99;
        ck_assert_int_eq(num_protected_create(china, 1, extra, 2, &bad, &set), -EINVAL);
        ck_assert_uint_eq(bad, 1);
        ck_assert_ptr_null(set);
    }
}
END_TEST

START_TEST(a_bad_country_is_named)
{
    const struct slice countries[] = {SLICE_LITERAL("CN"), SLICE_LITERAL("QQ")};
    struct num_protected *set = NULL;
    size_t bad = 99;
    ck_assert_int_eq(num_protected_create(countries, 2, NULL, 0, &bad, &set), ERROR_NOT_FOUND);
    ck_assert_uint_eq(bad, 1);
}
END_TEST

START_TEST(an_empty_set_protects_nobody)
{
    struct num_protected *set;
    ck_assert_int_eq(num_protected_create(NULL, 0, NULL, 0, NULL, &set), 0);
    ck_assert_uint_eq(num_protected_count(set), 0);
    ck_assert_ptr_null(num_protected_find_packed(set, 0));
    ck_assert_ptr_null(num_protected_find_packed(set, 18695588));
    num_protected_destroy(set);
    num_protected_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protected");
    TCase *tests = tcase_create("protected");
    tcase_add_test(tests, lines_are_sorted_and_known_to_the_plan);
    tcase_add_test(tests, an_extra_line_renames_a_built_in_one);
    tcase_add_test(tests, a_bad_extra_line_is_named);
    tcase_add_test(tests, a_bad_country_is_named);
    tcase_add_test(tests, an_empty_set_protects_nobody);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
