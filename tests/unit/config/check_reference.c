/* SPDX-License-Identifier: Apache-2.0 */
#include "config/describe.h"

#include "config/json_schema.h"
#include "harness.h"
#include "sample.h"

static char *described(enum conf_reference style)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);

    ck_assert_ptr_nonnull(stream);
    conf_section_describe(&sample_section, style, stream);
    fclose(stream);
    return text;
}

/* Removes the first "#" of every line. */
static void uncomment(char *text)
{
    char *to = text;
    bool at_start = true;

    for (const char *from = text; *from != '\0'; from++) {
        if (!at_start || *from != '#')
            *to++ = *from;
        at_start = *from == '\n';
    }
    *to = '\0';
}

static void mention(const char *path, void *argument)
{
    char *paths = argument;

    strcat(paths, path);
    strcat(paths, " ");
}

START_TEST(the_yaml_reference_loads_as_the_defaults)
{
    struct harness harness;
    struct sample_settings settings;
    struct sample_settings defaults;
    char paths[200] = "";
    char *text = described(CONF_REFERENCE_YAML);

    uncomment(text);
    harness_open(&harness);
    ck_assert_int_eq(harness_load(&harness, "", &sample_section, &defaults), 0);
    int error = harness_load(&harness, text, &sample_section, &settings);
    char *printed = harness_printed(&harness);

    ck_assert_msg(error == 0, "%s\n%s", printed, text);
    ck_assert_uint_eq(conf_section_differs(&sample_section, &defaults, &settings, mention, paths),
                      0);
    ck_assert_uint_eq(settings.workers, defaults.workers);
    ck_assert_uint_eq(settings.trunks.count, 1);
    ck_assert_uint_eq(((struct sample_trunk *)settings.trunks.items)->health.failures, 3);
    free(printed);
    free(text);
    harness_close(&harness);
}
END_TEST

START_TEST(the_yaml_reference_shows_facts)
{
    char *text = described(CONF_REFERENCE_YAML);

    ck_assert_ptr_nonnull(strstr(text, "## Worker threads; one per core is best.\n"
                                       "## integer, 1 to 255 threads; needs a restart\n"
                                       "#workers: 4\n"));
    ck_assert_ptr_nonnull(strstr(text, "#  -\n"));
    ck_assert_ptr_nonnull(strstr(text, "#    name: \"name\"\n"));
    ck_assert_ptr_nonnull(strstr(text, "## node:\n"));
    free(text);
}
END_TEST

START_TEST(the_markdown_reference_has_a_table_per_section)
{
    char *text = described(CONF_REFERENCE_MARKDOWN);

    ck_assert_ptr_nonnull(strstr(text, "\n## `trunks[].health`\n"));
    ck_assert_ptr_nonnull(strstr(text, "| `deadline` | duration, 1ms to 5s | `20ms` | Longest"));
    ck_assert_ptr_nonnull(strstr(text, "12.5% \\| more"));
    ck_assert_ptr_nonnull(strstr(text, "`inline`: calls pass through"));
    free(text);
}
END_TEST

START_TEST(the_mdoc_reference_is_one_list)
{
    char *text = described(CONF_REFERENCE_MDOC);

    ck_assert_ptr_nonnull(strstr(text, ".It Cm trunks[].health.interval\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n.El\n"));
    free(text);
}
END_TEST

static void assert_differs(const char *before, const char *after, const char *expected)
{
    struct harness first;
    struct harness second;
    struct sample_settings old_settings;
    struct sample_settings new_settings;
    char paths[400] = "";

    harness_open(&first);
    harness_open(&second);
    ck_assert_int_eq(harness_load(&first, before, &sample_section, &old_settings), 0);
    ck_assert_int_eq(harness_load(&second, after, &sample_section, &new_settings), 0);
    conf_section_differs(&sample_section, &old_settings, &new_settings, mention, paths);
    ck_assert_str_eq(paths, expected);
    harness_close(&second);
    harness_close(&first);
}

START_TEST(only_changes_that_need_a_restart_are_named)
{
    assert_differs("workers: 3\n", "workers: 3\n", "");
    assert_differs("workers: 3\n", "workers: 4\n", "workers ");
    assert_differs("buffer: 64k\n", "buffer: 32k\n", "");
    assert_differs("listen: '0.0.0.0:1'\n", "listen: ['0.0.0.0:1', '[::]:1']\nsecret: a\n",
                   "listen secret ");
    assert_differs("trunks: [{name: a, source: 10.9.9.1}]\n",
                   "trunks: [{name: b, source: 10.9.9.2}]\n", "");
}
END_TEST

/* The same rows below a list that as a whole needs a restart. */
static const struct conf_row fixed_rows[] = {
    {.key = "trunks",
     .type = CONF_SECTION_LIST,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct sample_settings, trunks),
     .section = &sample_trunk_section,
     .help = "x"},
};
static const struct conf_section fixed_section = {
    .name = "fixed", CONF_ROWS(fixed_rows), CONF_OBJECT(struct sample_settings)};

START_TEST(items_are_matched_by_identity)
{
    struct harness first;
    struct harness second;
    struct sample_settings old_settings;
    struct sample_settings new_settings;
    char paths[400] = "";

    harness_open(&first);
    harness_open(&second);
    ck_assert_int_eq(harness_load(&first,
                                  "trunks:\n- {name: gone, source: 10.9.9.1}\n"
                                  "- {name: a, source: 10.9.9.1}\n- {name: b, source: 10.9.9.1}\n",
                                  &fixed_section, &old_settings),
                     0);
    ck_assert_int_eq(
        harness_load(&second,
                     "trunks:\n- {name: b, source: 10.9.9.1, health: {failures: 9}}\n"
                     "- {name: new, source: 10.9.9.1}\n- {name: a, source: 10.9.9.2}\n",
                     &fixed_section, &new_settings),
        0);
    conf_section_differs(&fixed_section, &old_settings, &new_settings, mention, paths);
    ck_assert_str_eq(paths, "trunks[gone] trunks[new] trunks[b].health.failures "
                            "trunks[a].source ");
    harness_close(&second);
    harness_close(&first);
}
END_TEST

START_TEST(the_sample_is_sound)
{
    struct harness harness;

    harness_open(&harness);
    ck_assert_int_eq(conf_section_verify(&sample_section, harness.report), 0);
    ck_assert_uint_eq(conf_report_count(harness.report, CONF_ERROR), 0);
    harness_close(&harness);
}
END_TEST

struct unsound {
    int32_t number;
    uint64_t time;
    struct slice text;
};

START_TEST(unsound_rows_are_found)
{
    static const struct conf_row rows[] = {
        {.key = "a",
         .type = CONF_INTEGER,
         CONF_FIELD(struct unsound, number),
         .fallback = "x",
         .help = "x"},
        {.key = "a", .type = CONF_INTEGER, CONF_FIELD(struct unsound, number), .help = "x"},
        {.key = "b", .type = CONF_DURATION, CONF_FIELD(struct unsound, number), .help = "x"},
        {.key = "c",
         .type = CONF_DURATION,
         CONF_FIELD(struct unsound, time),
         .fallback = "1s",
         .max = CONF_MS(1),
         .help = "x"},
        {.key = "d",
         .type = CONF_TEXT,
         .flags = CONF_REQUIRED,
         .fallback = "x",
         CONF_FIELD(struct unsound, text)},
        {.key = "e", .type = CONF_CHOICE, CONF_FIELD(struct unsound, number), .help = "x"},
        {.key = "f",
         .type = CONF_INTEGER,
         CONF_FIELD(struct unsound, number),
         .help = "x",
         .max = INT64_MAX},
        {.key = "g", .type = CONF_SECTION, CONF_FIELD(struct unsound, number), .help = "x"},
    };
    static const char *const faults[] = {
        "a: the default is not valid",
        "a: stands in two rows",
        "b: the field does not have",
        "c: the default is not valid",
        "d: has no help",
        "d: is required and has a default",
        "e: has no choices",
        "f: the field cannot hold min..max",
        "g: has no section",
        "(section): the identity is not",
    };
    const struct conf_section section = {
        .name = "unsound", .identity = "z", CONF_ROWS(rows), CONF_OBJECT(struct unsound)};
    struct harness harness;

    harness_open(&harness);
    ck_assert_int_eq(conf_section_verify(&section, harness.report), ERROR_CONFIG);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        harness_assert_mentions(&harness, faults[i]);
    harness_close(&harness);
}
END_TEST

/* Each stands in the schema as it is here. */
static const char *const schema_parts[] = {
    "\"$schema\": \"http://json-schema.org/draft-07/schema#\",\n  \"title\": \"Sample\",",
    "\"additionalProperties\": false",
    "\"description\": \"Probes without answer after which a peer counts as down. (integer, 1 to "
    "100 "
    "probes)\",\n          \"type\": [\"integer\", \"string\"],\n"
    "          \"pattern\": \"^[+-]?[0-9]+(_[0-9]+)*$\",\n          \"minimum\": 1,\n"
    "          \"maximum\": 100,\n          \"default\": 3\n",
    "\"enum\": [\"inline\", \"redirect\", \"tap\"]",
    "\"default\": \"30s\"",
    "\"required\": [\"name\", \"source\"]",
    "\"allOf\": [{\"$ref\": \"#/definitions/trunks.health\"}]",
    "\"items\": {\"$ref\": \"#/definitions/trunks\"}",
    "\"extra\": {\"type\": \"null\"}",
};

START_TEST(the_schema_has_what_rows_say)
{
    static const struct conf_definition definitions[] = {{"extra", "{\"type\": \"null\"}"}, {0}};
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);

    ck_assert_ptr_nonnull(stream);
    conf_section_json_schema(&sample_section, "Sample", definitions, stream);
    fclose(stream);
    ck_assert_msg(strstr(text, schema_parts[_i]) != NULL, "%s\nis not in\n%s", schema_parts[_i],
                  text);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config/reference");
    TCase *group = tcase_create("reference");

    tcase_add_test(group, the_yaml_reference_loads_as_the_defaults);
    tcase_add_test(group, the_yaml_reference_shows_facts);
    tcase_add_test(group, the_markdown_reference_has_a_table_per_section);
    tcase_add_test(group, the_mdoc_reference_is_one_list);
    tcase_add_test(group, only_changes_that_need_a_restart_are_named);
    tcase_add_test(group, items_are_matched_by_identity);
    tcase_add_test(group, the_sample_is_sound);
    tcase_add_test(group, unsound_rows_are_found);
    tcase_add_loop_test(group, the_schema_has_what_rows_say, 0,
                        sizeof(schema_parts) / sizeof(schema_parts[0]));
    suite_add_tcase(suite, group);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
