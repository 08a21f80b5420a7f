/* SPDX-License-Identifier: Apache-2.0 */
/* The command is a program, not an archive: what is tested is compiled in. */
#include "../../../src/cli/terminal.c"

#include <check.h>

static char *text;
static size_t length;
static struct cli_output output;

static void setup(void)
{
    output = (struct cli_output){.stream = open_memstream(&text, &length)};
}

static void teardown(void)
{
    if (output.stream != NULL)
        fclose(output.stream);
    free(text);
}

static const char *written(void)
{
    fclose(output.stream);
    output.stream = NULL;
    return text;
}

START_TEST(wide_characters_take_two_places)
{
    ck_assert_uint_eq(cli_width(SLICE("")), 0);
    ck_assert_uint_eq(cli_width(SLICE("abc")), 3);
    ck_assert_uint_eq(cli_width(SLICE("疑似诈骗")), 8);
    ck_assert_uint_eq(cli_width(SLICE("ｆｕｌｌ")), 8);
    ck_assert_uint_eq(cli_width(SLICE("é")), 1);
    ck_assert_uint_eq(cli_width(SLICE("e\xcc\x81")), 1);
    ck_assert_uint_eq(cli_width(SLICE("한국")), 4);
    ck_assert_uint_eq(cli_width(SLICE("\xf0\x9f\x98\x80")), 2);
}
END_TEST

START_TEST(columns_line_up)
{
    cli_print_left(&output, CLI_PLAIN, SLICE("诈骗"), 6);
    cli_print_right(&output, CLI_PLAIN, SLICE("诈骗"), 6);
    cli_print_left(&output, CLI_PLAIN, SLICE("longer"), 3);
    ck_assert_str_eq(written(), "诈骗    诈骗longer");
}
END_TEST

START_TEST(wrapped_below_where_it_begins)
{
    char words[200] = "";
    for (unsigned i = 0; i < 30; i++)
        strcat(words, i > 0 ? " word" : "word");
    cli_print_wrapped(&output, CLI_PLAIN, 60, slice_of_text(words));
    const char *shown = written();
    ck_assert_int_eq(strncmp(shown, "word word word word\n", 20), 0);
    for (const char *line = strchr(shown, '\n') + 1; *line != '\0'; line = strchr(line, '\n') + 1) {
        ck_assert_uint_eq(strspn(line, " "), 60);
        ck_assert_uint_le((size_t)(strchr(line, '\n') - line), 80);
    }
}
END_TEST

START_TEST(no_end_of_lines_but_on_a_terminal)
{
    ck_assert_uint_eq(cli_columns(&output), SIZE_MAX);
}
END_TEST

START_TEST(colour_only_where_wanted)
{
    cli_print(&output, CLI_RED, SLICE("a"));
    output.colour = true;
    cli_print_left(&output, CLI_RED, SLICE("b"), 3);
    cli_print(&output, CLI_PLAIN, SLICE("c"));
    ck_assert_str_eq(written(), "a\x1b[31mb\x1b[0m  c");
}
END_TEST

START_TEST(no_byte_of_a_peer_moves_the_cursor)
{
    cli_print(&output, CLI_PLAIN, SLICE("a\x1b[2J\r\n\x07\xff\xe2\x80\xae"));
    for (const char *at = written(); *at != '\0'; at++)
        ck_assert_int_ge((unsigned char)*at, 0x20);
    ck_assert_ptr_null(strstr(text, "\xe2\x80\xae"));
}
END_TEST

static const struct {
    uint64_t seconds;
    const char *text;
} durations[] = {
    {0, "0s"},     {59, "59s"},      {60, "1m"},    {61, "1m 1s"},
    {3600, "1h"},  {3660, "1h 1m"},  {3601, "1h"},  {86399, "23h 59m"},
    {86400, "1d"}, {90000, "1d 1h"}, {86460, "1d"}, {864000000, "10000d"},
};

START_TEST(durations_have_two_units)
{
    char memory[32];
    cli_format_duration(durations[_i].seconds, memory, sizeof(memory));
    ck_assert_str_eq(memory, durations[_i].text);
}
END_TEST

START_TEST(counts_are_grouped)
{
    char memory[32];
    cli_format_count(0, memory, sizeof(memory));
    ck_assert_str_eq(memory, "0");
    cli_format_count(999, memory, sizeof(memory));
    ck_assert_str_eq(memory, "999");
    cli_format_count(1234567, memory, sizeof(memory));
    ck_assert_str_eq(memory, "1,234,567");
    cli_format_count(UINT64_MAX, memory, sizeof(memory));
    ck_assert_str_eq(memory, "18,446,744,073,709,551,615");
}
END_TEST

START_TEST(progress_guesses_what_is_left)
{
    char memory[160];
    struct cli_progress progress = {.output = &output, .what = "numbers", .total = 1000};
    cli_progress_format(&progress, 250, 5000, 10000000, memory, sizeof(memory));
    ck_assert_str_eq(memory, " 25% [######------------------] 5,000 numbers  500/s  0:30 left");
    cli_progress_format(&progress, 2000, 5000, 10000000, memory, sizeof(memory));
    ck_assert_ptr_nonnull(strstr(memory, "100% [########################]"));
    cli_progress_format(&progress, 0, 0, 0, memory, sizeof(memory));
    ck_assert_str_eq(memory, "  0% [------------------------] 0 numbers  0/s");
    progress.total = 0;
    cli_progress_format(&progress, 250, 5000, 10000000, memory, sizeof(memory));
    ck_assert_str_eq(memory, "5,000 numbers  500/s");
}
END_TEST

START_TEST(progress_is_for_terminals)
{
    struct cli_progress progress = {.output = &output, .what = "numbers", .total = 10};
    cli_progress_show(&progress, 1, 1, 1000000);
    cli_progress_clear(&progress);
    ck_assert_int_eq(ftell(output.stream), 0);
    output.terminal = true;
    cli_progress_show(&progress, 1, 1, 1000000);
    long shown = ftell(output.stream);
    ck_assert_int_gt(shown, 0);
    cli_progress_show(&progress, 2, 2, 1050000); /* too soon */
    ck_assert_int_eq(ftell(output.stream), shown);
    cli_progress_show(&progress, 2, 2, 1100000);
    ck_assert_int_gt(ftell(output.stream), shown);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/terminal");
    TCase *printing = tcase_create("printing");
    tcase_add_checked_fixture(printing, setup, teardown);
    tcase_add_test(printing, wide_characters_take_two_places);
    tcase_add_test(printing, columns_line_up);
    tcase_add_test(printing, wrapped_below_where_it_begins);
    tcase_add_test(printing, no_end_of_lines_but_on_a_terminal);
    tcase_add_test(printing, colour_only_where_wanted);
    tcase_add_test(printing, no_byte_of_a_peer_moves_the_cursor);
    tcase_add_loop_test(printing, durations_have_two_units, 0,
                        sizeof(durations) / sizeof(durations[0]));
    tcase_add_test(printing, counts_are_grouped);
    tcase_add_test(printing, progress_guesses_what_is_left);
    tcase_add_test(printing, progress_is_for_terminals);
    suite_add_tcase(suite, printing);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
