/* SPDX-License-Identifier: Apache-2.0 */
#include "config/report.h"

#include <stdlib.h>
#include <string.h>

#include "harness.h"

static struct conf_place place_at(uint32_t column, uint32_t width, const char *source)
{
    return (struct conf_place){SLICE("a.yaml"), 3, column, width, slice_of_text(source)};
}

START_TEST(prints_like_a_compiler)
{
    struct harness harness;
    struct conf_place place = place_at(9, 10, "source: 10.0.0.300 # sbc");

    harness_open(&harness);
    conf_report_add(harness.report, CONF_ERROR, &place, "source \"%s\" is not an address",
                    "10.0.0.300");
    conf_report_expect(harness.report, "an address such as %s", "10.0.0.1");
    conf_report_hint(harness.report, "look at the last number");
    harness_assert_printed(&harness, "a.yaml:3:9: error: source \"10.0.0.300\" is not an address\n"
                                     "    3 | source: 10.0.0.300 # sbc\n"
                                     "      |         ^~~~~~~~~~\n"
                                     "      = expected: an address such as 10.0.0.1\n"
                                     "      = hint: look at the last number\n");
    harness_close(&harness);
}
END_TEST

START_TEST(a_place_may_be_missing)
{
    struct harness harness;
    const struct conf_place file = {.file = SLICE_LITERAL("a.yaml")};

    harness_open(&harness);
    conf_report_add(harness.report, CONF_WARNING, NULL, "odd");
    conf_report_add(harness.report, CONF_ERROR, &file, "cannot be read");
    harness_assert_printed(&harness, "warning: odd\na.yaml: error: cannot be read\n");
    ck_assert_uint_eq(conf_report_count(harness.report, CONF_WARNING), 1);
    ck_assert_uint_eq(conf_report_count(harness.report, CONF_ERROR), 1);
    harness_close(&harness);
}
END_TEST

START_TEST(the_caret_stands_below_wide_characters_and_tabs)
{
    struct harness harness;
    struct conf_place place = place_at(5, 2, "\t号码: ab");

    harness_open(&harness);
    conf_report_add(harness.report, CONF_ERROR, &place, "x");
    harness_assert_printed(&harness, "a.yaml:3:5: error: x\n"
                                     "    3 |  号码: ab\n"
                                     "      |       ^~\n");
    harness_close(&harness);
}
END_TEST

START_TEST(control_bytes_never_reach_the_terminal)
{
    struct harness harness;
    struct conf_place place = place_at(2, 1, "\033]0;title\007 \\d");
    char *text;

    harness_open(&harness);
    conf_report_add(harness.report, CONF_ERROR, &place, "bad %s", "\033[2J");
    text = harness_printed(&harness);
    ck_assert_ptr_null(strchr(text, '\033'));
    ck_assert_ptr_null(strchr(text, '\007'));
    ck_assert_ptr_nonnull(strstr(text, " \\d\n"));
    free(text);
    harness_close(&harness);
}
END_TEST

/* Where the byte stands in the first line that begins with `margin`. */
static size_t column_of(const char *text, const char *margin, char byte)
{
    const char *line = strstr(text, margin);

    ck_assert_ptr_nonnull(line);
    return strcspn(line, (const char[]){byte, '\0'});
}

START_TEST(a_long_line_is_cut_around_the_column)
{
    struct harness harness;
    char line[4001];
    struct conf_place place;
    char *text;

    memset(line, 'a', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    line[3000] = 'X';
    place = place_at(3001, 1, line);
    harness_open(&harness);
    conf_report_add(harness.report, CONF_ERROR, &place, "x");
    text = harness_printed(&harness);
    ck_assert_uint_lt(strlen(text), 400);
    ck_assert_uint_eq(column_of(text, "    3 | ", 'X'), column_of(text, "      | ", '^'));
    free(text);
    harness_close(&harness);
}
END_TEST

START_TEST(beyond_the_limit_only_counts_grow)
{
    struct harness harness;
    char *text;

    harness_open(&harness);
    for (int i = 0; i < CONF_REPORT_LIMIT + 5; i++) {
        conf_report_add(harness.report, CONF_ERROR, NULL, "number %d", i);
        conf_report_hint(harness.report, "hint %d", i);
    }
    ck_assert_uint_eq(conf_report_count(harness.report, CONF_ERROR), CONF_REPORT_LIMIT + 5);
    text = harness_printed(&harness);
    ck_assert_ptr_nonnull(strstr(text, "hint 199\n5 more problems are not shown\n"));
    ck_assert_ptr_null(strstr(text, "hint 200"));
    free(text);
    harness_close(&harness);
}
END_TEST

START_TEST(json_holds_every_field)
{
    struct harness harness;
    struct conf_place place = place_at(2, 3, "a\"b");
    char memory[512];
    struct buffer buffer = buffer_over(memory, sizeof(memory));

    harness_open(&harness);
    conf_report_add(harness.report, CONF_ERROR, &place, "bad");
    conf_report_expect(harness.report, "good");
    conf_report_json(harness.report, &buffer);
    memory[buffer.length] = '\0';
    ck_assert_str_eq(memory,
                     "{\"errors\":1,\"warnings\":0,\"problems\":[{\"severity\":\"error\","
                     "\"file\":\"a.yaml\",\"line\":3,\"column\":2,\"width\":3,\"message\":\"bad\","
                     "\"expected\":\"good\",\"source\":\"a\\\"b\",\"caret\":2}],\"omitted\":0}");
    harness_close(&harness);
}
END_TEST

START_TEST(json_stays_whole_in_any_buffer)
{
    struct harness harness;
    char memory[2048];

    harness_open(&harness);
    for (int i = 0; i < 10; i++)
        conf_report_add(harness.report, CONF_ERROR, NULL, "number %d", i);
    for (size_t capacity = 100; capacity < sizeof(memory); capacity++) {
        struct buffer buffer = buffer_over(memory, capacity);

        conf_report_json(harness.report, &buffer);
        ck_assert(!buffer.overflow);
        ck_assert_int_eq(memory[buffer.length - 1], '}');
    }
    harness_close(&harness);
}
END_TEST

START_TEST(quoted_values_are_cut_between_characters)
{
    struct conf_quote quote;
    char value[300];

    ck_assert_str_eq(conf_quote(&quote, SLICE("a")), "\"a\"");
    for (size_t i = 0; i < sizeof(value); i += 3)
        memcpy(value + i, "号", 3);
    conf_quote(&quote, slice_make(value, sizeof(value)));
    ck_assert_uint_lt(strlen(quote.text), sizeof(quote.text));
    ck_assert_ptr_nonnull(strstr(quote.text, "号...\""));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config/report");
    TCase *group = tcase_create("report");

    tcase_add_test(group, prints_like_a_compiler);
    tcase_add_test(group, a_place_may_be_missing);
    tcase_add_test(group, the_caret_stands_below_wide_characters_and_tabs);
    tcase_add_test(group, control_bytes_never_reach_the_terminal);
    tcase_add_test(group, a_long_line_is_cut_around_the_column);
    tcase_add_test(group, beyond_the_limit_only_counts_grow);
    tcase_add_test(group, json_holds_every_field);
    tcase_add_test(group, json_stays_whole_in_any_buffer);
    tcase_add_test(group, quoted_values_are_cut_between_characters);
    suite_add_tcase(suite, group);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
