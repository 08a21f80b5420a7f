/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs what docs/rules.md shows, and the example of every feature.
 *
 *     ```yaml           a rule file without any problem, every rule with tests that pass
 *     ```yaml broken    a rule file with an error; the next ```text is what `ringfence check`
 * prints
 *     ```yaml tests     a file of tests for the rule file above it, all of which pass
 *     ```text <path>    a list file, beside the rule files
 *
 * RINGFENCE_TOP names the top of the repository; without it, it is the current folder.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "config/report.h"
#include "rules/suite.h"
#include "screening/feature.h"
#include "screening/policy.h"

#define PAGE     "docs/rules.md"
#define RULES    "mine.yaml"
#define TESTS    "tests.yaml"
#define PAGE_MAX ((size_t)1 << 20)
#define FENCE    SLICE("```")

enum { LIST_FILES = 8, FOLDER_MAX = 64, PATH_BYTES = 512 };

struct block {
    unsigned line;     /* of its opening fence */
    struct slice kind; /* "yaml", "yaml broken", "text lists/roaming.txt" */
    struct slice text;
};

static struct page {
    char *text;
    size_t length;
    int home; /* folder that the test started in */
    char scratch[FOLDER_MAX];
    char files[LIST_FILES][PATH_BYTES];
    size_t file_count;
} page;

struct reader {
    struct slice rest;
    unsigned line;
};

static struct reader reader_of_page(void)
{
    return (struct reader){slice_make(page.text, page.length), 0};
}

static struct slice take_line(struct reader *reader)
{
    struct slice line = slice_first(reader->rest, slice_find(reader->rest, '\n'));
    reader->rest = slice_from(reader->rest, line.length + 1);
    reader->line++;
    return line;
}

/* The next fenced block; false at the end of the page. */
static bool next_block(struct reader *reader, struct block *block)
{
    while (reader->rest.length > 0) {
        struct slice line = take_line(reader);
        if (!slice_starts_with(line, FENCE))
            continue;
        *block = (struct block){reader->line, slice_from(line, FENCE.length), reader->rest};
        block->text.length = 0;
        while (reader->rest.length > 0) {
            line = take_line(reader);
            if (slice_equal(line, FENCE))
                return true;
            block->text.length += line.length + 1;
        }
        ck_abort_msg("%s:%u: this block has no end", PAGE, block->line);
    }
    return false;
}

static void read_page(void)
{
    char path[PATH_BYTES];
    const char *top = getenv("RINGFENCE_TOP");
    (void)snprintf(path, sizeof(path), "%s/%s", top != NULL ? top : ".", PAGE);
    int error = file_read(path, PAGE_MAX, &page.text, &page.length);
    ck_assert_msg(error == 0, "%s: %s", path, error_text(error));
}

/* Conditions name list files beside themselves, so the test runs where these are. */
static void enter_scratch(void)
{
    const char *parent = getenv("TMPDIR");
    page.home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(page.home, 0);
    int length = snprintf(page.scratch, sizeof(page.scratch), "%s/examples.XXXXXX",
                          parent != NULL && strlen(parent) < 40 ? parent : "/tmp");
    ck_assert_int_lt(length, (int)sizeof(page.scratch));
    ck_assert_ptr_nonnull(mkdtemp(page.scratch));
    ck_assert_int_eq(chdir(page.scratch), 0);
}

/* "lists/roaming.txt": one folder deep at most, and nowhere else. */
static void write_list(const struct block *block, struct slice name)
{
    ck_assert_uint_lt(page.file_count, LIST_FILES);
    char *path = page.files[page.file_count++];
    ck_assert_uint_lt(name.length, PATH_BYTES);
    memcpy(path, name.data, name.length);
    path[name.length] = '\0';
    ck_assert_msg(path[0] != '/' && strstr(path, "..") == NULL, "%s:%u: %s leads elsewhere", PAGE,
                  block->line, path);
    char *slash = strchr(path, '/');
    if (slash != NULL) {
        *slash = '\0';
        ck_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    ck_assert_int_eq(file_write_atomic(path, block->text, 0600), 0);
}

static void setup(void)
{
    struct block block;
    memset(&page, 0, sizeof(page));
    read_page();
    enter_scratch();
    struct reader reader = reader_of_page();
    while (next_block(&reader, &block))
        if (slice_starts_with(block.kind, SLICE("text ")))
            write_list(&block, slice_from(block.kind, 5));
}

static void teardown(void)
{
    for (size_t i = 0; i < page.file_count; i++) {
        char *slash = strchr(page.files[i], '/');
        (void)unlink(page.files[i]);
        if (slash != NULL) {
            *slash = '\0';
            (void)rmdir(page.files[i]);
        }
    }
    ck_assert_int_eq(fchdir(page.home), 0);
    (void)close(page.home);
    (void)rmdir(page.scratch);
    free(page.text);
}

/* Loads and tests as `ringfence check` does. *set may stay NULL. */
static int check_rules(struct slice text, struct conf_report *report, struct rule_set **set)
{
    const struct rule_source source = {RULES, text};
    struct screen_derivation derivation;
    struct rule_test_result tests;
    *set = NULL;
    int error = rule_set_parse(&screen_catalogue, &source, 1, report, set);
    if (error != 0)
        return error;
    screen_derivation_init(&derivation);
    return rule_set_run_tests(*set, screen_derive, &derivation, report, &tests);
}

static char *printed(const struct conf_report *report)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(stream);
    conf_report_print(report, stream, false);
    ck_assert_int_eq(fclose(stream), 0);
    return text;
}

static void expect_good(const struct block *block)
{
    struct conf_report *report;
    struct rule_set *set;
    ck_assert_int_eq(conf_report_create(&report), 0);
    int error = check_rules(block->text, report, &set);
    char *problems = printed(report);
    ck_assert_msg(error == 0 && problems[0] == '\0', "%s:%u:\n%s", PAGE, block->line, problems);
    for (size_t i = 0; i < rule_set_count(set); i++) {
        const struct rule_info *rule = rule_set_rule(set, i);
        ck_assert_msg(rule->test_count >= 2, "%s:%u: rule \"%s\" has too few tests", PAGE,
                      block->line, rule->id);
    }
    free(problems);
    rule_set_destroy(set);
    conf_report_destroy(report);
}

static void expect_broken(const struct block *block, struct slice shown)
{
    struct conf_report *report;
    struct rule_set *set;
    ck_assert_int_eq(conf_report_create(&report), 0);
    int error = check_rules(block->text, report, &set);
    char *problems = printed(report);
    ck_assert_msg(error == ERROR_CONFIG, "%s:%u: no error is found", PAGE, block->line);
    ck_assert_msg(slice_equal(slice_of_text(problems), shown),
                  "%s:%u: the page shows\n%.*s\nbut it is\n%s", PAGE, block->line,
                  SLICE_ARGS(shown), problems);
    free(problems);
    rule_set_destroy(set);
    conf_report_destroy(report);
}

START_TEST(good_examples)
{
    struct block block;
    unsigned count = 0;
    struct reader reader = reader_of_page();
    while (next_block(&reader, &block)) {
        if (!slice_equal(block.kind, SLICE("yaml")))
            continue;
        expect_good(&block);
        count++;
    }
    ck_assert_uint_gt(count, 0);
}
END_TEST

START_TEST(broken_examples)
{
    struct block block, shown;
    unsigned count = 0;
    struct reader reader = reader_of_page();
    while (next_block(&reader, &block)) {
        if (!slice_equal(block.kind, SLICE("yaml broken")))
            continue;
        ck_assert_msg(next_block(&reader, &shown) && slice_equal(shown.kind, SLICE("text")),
                      "%s:%u: what is printed does not follow", PAGE, block.line);
        expect_broken(&block, shown.text);
        count++;
    }
    ck_assert_uint_gt(count, 0);
}
END_TEST

static void expect_passed(const struct block *rules, const struct block *tests)
{
    struct conf_report *report;
    struct rule_set *set;
    struct screen_derivation derivation;
    struct rule_test_result result = {0, 0};
    const struct rule_suite_world world = {.derive = screen_derive,
                                           .context = &derivation,
                                           .clock = SCREEN_FEATURE_TIME_NOW,
                                           .wall_us = UINT64_C(1795392000000000)};
    ck_assert_int_eq(conf_report_create(&report), 0);
    ck_assert_int_eq(check_rules(rules->text, report, &set), 0);
    ck_assert_int_eq(file_write_atomic(TESTS, tests->text, 0600), 0);
    screen_derivation_init(&derivation);
    int error = rule_suite_run(set, TESTS, &world, report, &result);
    char *problems = printed(report);
    ck_assert_msg(error == 0 && problems[0] == '\0', "%s:%u:\n%s", PAGE, tests->line, problems);
    ck_assert_uint_gt(result.passed, 0);
    (void)unlink(TESTS);
    free(problems);
    rule_set_destroy(set);
    conf_report_destroy(report);
}

START_TEST(examples_of_test_files)
{
    struct block block;
    struct block rules = {0};
    unsigned count = 0;
    struct reader reader = reader_of_page();
    while (next_block(&reader, &block)) {
        if (slice_equal(block.kind, SLICE("yaml")))
            rules = block;
        if (!slice_equal(block.kind, SLICE("yaml tests")))
            continue;
        expect_passed(&rules, &block);
        count++;
    }
    ck_assert_uint_gt(count, 0);
}
END_TEST

/* A misspelt marker would take an example out of the tests. */
START_TEST(no_block_is_passed_over)
{
    struct block block;
    struct reader reader = reader_of_page();
    while (next_block(&reader, &block))
        ck_assert_msg(slice_equal(block.kind, SLICE("yaml")) ||
                          slice_equal(block.kind, SLICE("yaml broken")) ||
                          slice_equal(block.kind, SLICE("yaml tests")) ||
                          slice_equal(block.kind, SLICE("text")) ||
                          slice_starts_with(block.kind, SLICE("text ")),
                      "%s:%u: \"%.*s\" is no kind of example", PAGE, block.line,
                      SLICE_ARGS(block.kind));
}
END_TEST

/* What docs/features.md shows as an example is a condition that compiles without a warning. */
START_TEST(feature_examples)
{
    const struct rule_feature *feature = &screen_catalogue.features[_i];
    struct conf_report *report;
    struct rule_set *set;
    char memory[1024];
    struct buffer text = buffer_over(memory, sizeof(memory));
    buffer_format(&text, "rules:\n  - id: example\n    score: 1\n    when: >-\n      %s\n",
                  feature->example);
    ck_assert(!text.overflow);
    ck_assert_int_eq(conf_report_create(&report), 0);
    int error = check_rules(buffer_slice(&text), report, &set);
    char *problems = printed(report);
    ck_assert_msg(error == 0 && problems[0] == '\0', "%s:\n%s", feature->name, problems);
    ck_assert_msg(rule_set_uses(set, (uint16_t)_i), "the example of %s is about another feature",
                  feature->name);
    free(problems);
    rule_set_destroy(set);
    conf_report_destroy(report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screening/examples");
    TCase *examples = tcase_create("docs/rules.md");
    tcase_add_checked_fixture(examples, setup, teardown);
    tcase_add_test(examples, good_examples);
    tcase_add_test(examples, broken_examples);
    tcase_add_test(examples, examples_of_test_files);
    tcase_add_test(examples, no_block_is_passed_over);
    suite_add_tcase(suite, examples);
    TCase *features = tcase_create("features");
    tcase_add_loop_test(features, feature_examples, 0, SCREEN_FEATURE_COUNT);
    suite_add_tcase(suite, features);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
