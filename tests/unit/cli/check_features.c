/* SPDX-License-Identifier: Apache-2.0 */
/* The command is a program, not an archive: what is tested is compiled in. */
#include "../../../src/cli/features.c"
#include "../../../src/cli/terminal.c"

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>

static char complaint[256];
static bool brief;

/* What the rest of the command does, as far as it matters here. */
void cli_complain(const struct cli *cli, const char *format, ...)
{
    va_list arguments;
    (void)cli;
    va_start(arguments, format);
    (void)vsnprintf(complaint, sizeof(complaint), format, arguments);
    va_end(arguments);
}

bool cli_take_options(struct cli *cli, const struct cli_option *options, void *object,
                      char **arguments, size_t *count)
{
    (void)cli;
    (void)options;
    (void)arguments;
    (void)count;
    ((struct feature_request *)object)->brief = brief;
    return true;
}

/* What is printed for a name (NULL: for none); to be freed. */
static char *shown(const char *name, bool json, int expected)
{
    char *text = NULL;
    size_t length = 0;
    char *arguments[] = {(char *)(uintptr_t)name};
    struct cli cli = {.json = json, .out = {.stream = open_memstream(&text, &length)}};
    complaint[0] = '\0';
    ck_assert_int_eq(cli_run_features(&cli, arguments, name != NULL ? 1 : 0), expected);
    fclose(cli.out.stream);
    return text;
}

START_TEST(one_feature)
{
    char *text = shown("caller.kind", false, CLI_EXIT_OK);
    ck_assert_str_eq(text, "caller.kind                 text\n"
                           "  kind of number of the caller\n"
                           "  one of    mobile fixed fixed_or_mobile tollfree premium shared voip "
                           "service\n"
                           "            satellite data unknown invalid\n"
                           "  unknown   the number is not valid\n"
                           "  example   caller.kind == \"voip\"\n");
    free(text);
}
END_TEST

START_TEST(all_features_in_eighty_columns)
{
    char *text = shown(NULL, false, CLI_EXIT_OK);
    for (size_t i = 0; i < screen_catalogue.count; i++)
        ck_assert_ptr_nonnull(strstr(text, screen_catalogue.features[i].name));
    for (struct slice rest = slice_of_text(text); rest.length > 0;) {
        struct slice line = slice_first(rest, slice_find(rest, '\n'));
        ck_assert_msg(line.length <= LINE_COLUMNS, "%.*s", SLICE_ARGS(line));
        rest = slice_from(rest, line.length + 1);
    }
    ck_assert_ptr_nonnull(strstr(text, "\nTypes\n"));
    free(text);
}
END_TEST

START_TEST(names_only)
{
    brief = true;
    char *text = shown("time.h", false, CLI_EXIT_OK);
    brief = false;
    ck_assert_str_eq(text, "time.hour                   integer, 0-23\n");
    free(text);
}
END_TEST

START_TEST(for_programs)
{
    char *text = shown("trunk.origin", true, CLI_EXIT_OK);
    static const char expected[] =
        "{\"features\":[{\"name\":\"trunk.origin\",\"type\":\"text\",\"meaning\":"
        "\"where that trunk's calls come from\",\"unknown_when\":\"never\",\"example\":"
        "\"trunk.origin == \\\"international\\\"\",\"choices\":[\"international\",\"domestic\","
        "\"private\"]}],\"types\":{\"flag\":\"true or false\",";
    ck_assert_msg(strncmp(text, expected, strlen(expected)) == 0, "%s", text);
    free(text);
}
END_TEST

START_TEST(unknown_name)
{
    free(shown("calller.kind", false, CLI_EXIT_NO));
    ck_assert_str_eq(complaint, "no feature \"calller.kind\"; did you mean caller.kind?");
    free(shown("xyzzy", true, CLI_EXIT_NO));
    ck_assert_str_eq(complaint, "no feature \"xyzzy\"; `ringfence features` lists them");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/features");
    TCase *tests = tcase_create("features");
    tcase_add_test(tests, one_feature);
    tcase_add_test(tests, all_features_in_eighty_columns);
    tcase_add_test(tests, names_only);
    tcase_add_test(tests, for_programs);
    tcase_add_test(tests, unknown_name);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
