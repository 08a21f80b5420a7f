/* SPDX-License-Identifier: Apache-2.0 */
/* The command is a program, not an archive: what is tested is compiled in. */
#include "../../../src/cli/rules.c"
#include "../../../src/cli/terminal.c"

#include <check.h>

/* What the table is made of asks no daemon. */
int cli_ask(struct cli *cli, const char *command, struct json_object *arguments,
            unsigned timeout_ms, ctl_answer_fn *line, void *argument, struct ctl_answer *answer)
{
    (void)cli, (void)command, (void)arguments, (void)timeout_ms;
    (void)line, (void)argument, (void)answer;
    return CLI_EXIT_UNREACHABLE;
}

int cli_exit_of(const struct cli *cli, const struct ctl_answer *answer)
{
    (void)cli, (void)answer;
    return CLI_EXIT_NO;
}

int cli_print_line(void *argument, struct slice line, struct json_object *object)
{
    (void)argument, (void)line, (void)object;
    return 0;
}

bool cli_take_options(struct cli *cli, const struct cli_option *options, void *object,
                      char **arguments, size_t *count)
{
    (void)cli, (void)options, (void)object, (void)arguments, (void)count;
    return false;
}

void cli_complain(const struct cli *cli, const char *format, ...)
{
    (void)cli, (void)format;
}

static const char answer_lines[] =
    "[{\"id\":\"quiet\",\"title_en\":\"Tried\",\"title_zh\":\"试运行\",\"mode\":\"shadow\","
    "\"points\":95,\"hits\":0,\"hits_shadow\":1200,\"last_hit_ago_s\":65,\"cost_ns\":41},"
    "{\"id\":\"eager\",\"title_en\":\"\\u001b[2J\",\"mode\":\"demoted\",\"points\":0,"
    "\"action\":\"block\",\"hits\":3000,\"hits_shadow\":2,\"last_hit_ago_s\":5,\"cost_ns\":9,"
    "\"budget\":\"100/1m\",\"budget_used\":100},"
    "{\"id\":\"card\",\"title_zh\":\"评分卡\",\"mode\":\"enforce\",\"rollout\":\"20%\",\"hits\":0,"
    "\"hits_shadow\":0}]";

/* malloc()ed. */
static char *table(const char *sort, const char *language)
{
    char *text;
    size_t length;
    struct cli_output output = {.stream = open_memstream(&text, &length)};
    struct rules_view view = {{sort, language}, json_tokener_parse(answer_lines)};
    ck_assert_ptr_nonnull(view.rules);
    ck_assert_int_eq(show_rules(&output, &view), 0);
    json_object_put(view.rules);
    fclose(output.stream);
    return text;
}

START_TEST(rules_stand_in_columns)
{
    char *text = table("file", "en");
    ck_assert_str_eq(
        text,
        "rule   mode         points   hits  shadow   last hit   cost  budget         title\n"
        "quiet  shadow           95      0   1,200  1m 5s ago  41 ns  -              Tried\n"
        "eager  demoted       block  3,000       2     5s ago   9 ns  100 of 100/1m  \\x1b[2J\n"
        "card   enforce 20%    card      0       0          -      -  -              评分卡\n");
    free(text);
}
END_TEST

static const struct {
    const char *sort;
    const char *order[3];
} sorts[] = {
    {"file", {"\nquiet", "\neager", "\ncard"}},
    {"hits", {"\neager", "\nquiet", "\ncard"}},
    {"last", {"\neager", "\nquiet", "\ncard"}},
    {"cost", {"\nquiet", "\neager", "\ncard"}},
};

START_TEST(rows_are_sorted)
{
    char *text = table(sorts[_i].sort, "en");
    const char *at = text;
    for (size_t i = 0; i < 3; i++) {
        at = strstr(at, sorts[_i].order[i]);
        ck_assert_msg(at != NULL, "by %s:\n%s", sorts[_i].sort, text);
    }
    free(text);
}
END_TEST

START_TEST(titles_come_in_the_language_asked_for)
{
    char *text = table("file", "zh");
    ck_assert_ptr_nonnull(strstr(text, "试运行"));
    ck_assert_ptr_null(strstr(text, "Tried"));
    ck_assert_ptr_nonnull(strstr(text, "\\x1b[2J")); /* the only one that there is */
    free(text);
}
END_TEST

START_TEST(a_title_is_cut_between_characters)
{
    struct slice title = SLICE("ab试运行");
    ck_assert_uint_eq(cut(title, 8).length, title.length);
    ck_assert_uint_eq(cut(title, 7).length, 8);
    ck_assert_uint_eq(cut(title, 5).length, 5);
    ck_assert_uint_eq(cut(title, 3).length, 2);
    ck_assert_uint_eq(cut(title, 0).length, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/rules");
    TCase *tests = tcase_create("rules");
    tcase_add_test(tests, rules_stand_in_columns);
    tcase_add_loop_test(tests, rows_are_sorted, 0, (int)(sizeof(sorts) / sizeof(sorts[0])));
    tcase_add_test(tests, titles_come_in_the_language_asked_for);
    tcase_add_test(tests, a_title_is_cut_between_characters);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
