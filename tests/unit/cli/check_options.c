/* SPDX-License-Identifier: Apache-2.0 */
/* The command is a program, not an archive: what is tested is compiled in. */
#include "../../../src/cli/options.c"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

struct object {
    bool flag;
    const char *text;
    const char *choice;
    int64_t number;
    uint64_t time;
};

static const struct cli_option rows[] = {
    {.name = "flag",
     .letter = 'f',
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct object, flag)},
    {.name = "text",
     .letter = 't',
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct object, text)},
    {.name = "choice",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct object, choice),
     .choices = "one|two"},
    {.name = "number",
     .kind = CLI_OPTION_INTEGER,
     .offset = offsetof(struct object, number),
     .min = 0,
     .max = 100},
    {.name = "time",
     .kind = CLI_OPTION_DURATION,
     .offset = offsetof(struct object, time),
     .min = 1000,
     .max = 3600000000},
    {.name = NULL},
};

static struct object object;
static char problem[256];

/* Splits the line at blanks and parses it; what is left over is joined again into it. */
static int parse(char *line)
{
    char *words[16];
    size_t count = 0;
    struct buffer buffer = buffer_over(problem, sizeof(problem) - 1);
    const struct cli_option_set set = {rows, &object};
    object = (struct object){0};
    for (char *word; (word = strsep(&line, " ")) != NULL;)
        words[count++] = word;
    int error = cli_options_parse(words, &count, &set, 1, &buffer);
    problem[buffer.length] = '\0';
    if (error != 0)
        return error;
    problem[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        strcat(problem, i > 0 ? " " : "");
        strcat(problem, words[i]);
    }
    return 0;
}

START_TEST(options_stand_anywhere)
{
    static char line[] = "a --flag b --text x c --number=42 --time 1m30s - d";
    ck_assert_int_eq(parse(line), 0);
    ck_assert_str_eq(problem, "a b c - d");
    ck_assert(object.flag);
    ck_assert_str_eq(object.text, "x");
    ck_assert_int_eq(object.number, 42);
    ck_assert_uint_eq(object.time, 90000000);
}
END_TEST

START_TEST(letters_and_joined_values)
{
    static char line[] = "-f -t x";
    ck_assert_int_eq(parse(line), 0);
    ck_assert(object.flag);
    ck_assert_str_eq(object.text, "x");
    static char joined[] = "-tx --choice=two";
    ck_assert_int_eq(parse(joined), 0);
    ck_assert_str_eq(object.text, "x");
    ck_assert_str_eq(object.choice, "two");
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
    static char line[] = "-f -- --text -t";
    ck_assert_int_eq(parse(line), 0);
    ck_assert_str_eq(problem, "--text -t");
}
END_TEST

static const struct {
    const char *line;
    const char *reason;
} bad_lines[] = {
    {"--flagg", "unknown option \"--flagg\"; did you mean --flag?"},
    {"-x", "unknown option \"-x\""},
    {"--text", "--text needs a value"},
    {"--flag=1", "--flag takes no value"},
    {"--choice three", "--choice: \"three\" is not one of one|two"},
    {"--choice tw", "--choice: \"tw\" is not one of one|two"},
    {"--number 101", "--number: \"101\" is not 0 to 100"},
    {"--number=", "--number: \"\" is not 0 to 100"},
    {"--time 2h", "--time: \"2h\" is not a duration from 1ms to 1h"},
};

START_TEST(mistakes_are_explained)
{
    char line[64];
    snprintf(line, sizeof(line), "%s", bad_lines[_i].line);
    ck_assert_int_eq(parse(line), -EINVAL);
    ck_assert_str_eq(problem, bad_lines[_i].reason);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/options");
    TCase *parsing = tcase_create("parsing");
    tcase_add_test(parsing, options_stand_anywhere);
    tcase_add_test(parsing, letters_and_joined_values);
    tcase_add_test(parsing, two_dashes_end_the_options);
    tcase_add_loop_test(parsing, mistakes_are_explained, 0,
                        sizeof(bad_lines) / sizeof(bad_lines[0]));
    suite_add_tcase(suite, parsing);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
