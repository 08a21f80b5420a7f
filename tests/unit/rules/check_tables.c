/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs tests/tables/rules: rule files beside lines of "given -> score fired action", rule files
 * that must be refused with the message on their first line, and the shipped packs with their own
 * tests.
 *
 *     [@time] [#hash] feature=value header.Name=value ...
 *         -> SCORE FIRED ACTION [shadow:SCORE:ACTION] [unknown:RULES | ?]
 *
 * A hash stands for the call's. The items of a set stand between bars: a|b. FIRED is "-" or ids in
 * order, "~" before one in shadow, ":" and the points behind a scorecard. "?" says that unknown
 * rules do not matter.
 */
#include <arpa/inet.h>
#include <check.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "config/report.h"
#include "config/value.h"
#include "fixture.h"
#include "rules/ruleset.h"

#define TABLES         "tests/tables/rules/"
#define NOW_US         UINT64_C(1795392000000000) /* 2026-11-23 */
#define FILE_MAX_BYTES 65536

enum { LINE_MAX_BYTES = 1024, FAILURES_SHOWN = 10, SET_ITEMS = 8 };

/* One line of an .expect file, as it is taken apart. */
struct row {
    struct fixture_call call;
    uint64_t wall_us;
    uint64_t hash;
    struct slice set[SET_ITEMS];
    struct slice expected;
};

static struct slice take_word(struct slice *rest)
{
    *rest = slice_trim(*rest);
    size_t end = 0;
    bool quoted = false;
    while (end < rest->length && (quoted || rest->data[end] != ' ')) {
        quoted = rest->data[end] == '"' ? !quoted : quoted;
        end++;
    }
    struct slice word = slice_first(*rest, end);
    *rest = slice_from(*rest, end);
    return word;
}

static struct slice unquoted(struct slice text)
{
    if (text.length >= 2 && text.data[0] == '"')
        return slice_make(text.data + 1, text.length - 2);
    return text;
}

/* 2027-06-30T08:15:30Z or with +HH:MM, by the C library: the table must not trust our own reader.
 */
static int64_t time_of(struct slice text)
{
    unsigned year, month, day, hour, minute, second, zone_hour = 0, zone_minute = 0;
    char memory[64], sign = 'Z';
    ck_assert_uint_lt(text.length, sizeof(memory));
    memcpy(memory, text.data, text.length);
    memory[text.length] = '\0';
    int fields = sscanf(memory, "%u-%u-%uT%u:%u:%u%c%u:%u", &year, &month, &day, &hour, &minute,
                        &second, &sign, &zone_hour, &zone_minute);
    ck_assert_msg(fields >= 7, "no time: %s", memory);
    struct tm civil = {.tm_year = (int)year - 1900,
                       .tm_mon = (int)month - 1,
                       .tm_mday = (int)day,
                       .tm_hour = (int)hour,
                       .tm_min = (int)minute,
                       .tm_sec = (int)second};
    int64_t zone = (int64_t)(zone_hour * 60 + zone_minute) * 60 * (sign == '-' ? -1 : 1);
    return ((int64_t)timegm(&civil) - zone) * 1000000;
}

static struct rule_address address_of(struct slice text)
{
    struct rule_address address = {{0}};
    char memory[64];
    ck_assert_uint_lt(text.length, sizeof(memory));
    memcpy(memory, text.data, text.length);
    memory[text.length] = '\0';
    if (inet_pton(AF_INET6, memory, address.bytes) == 1)
        return address;
    address.bytes[10] = 0xff;
    address.bytes[11] = 0xff;
    ck_assert_int_eq(inet_pton(AF_INET, memory, address.bytes + 12), 1);
    return address;
}

static struct rule_value set_of(struct row *row, struct slice text)
{
    size_t count = 0;
    while (text.length > 0) {
        ck_assert_uint_lt(count, SET_ITEMS);
        row->set[count] = slice_first(text, slice_find(text, '|'));
        text = slice_from(text, row->set[count++].length + 1);
    }
    return rule_text_values(row->set, count);
}

static struct rule_value value_of(struct row *row, enum rule_type type, struct slice text)
{
    struct rule_value value = rule_unknown(type);
    uint64_t duration = 0;
    double percent = 0;
    value.known = true;
    switch (type) {
    case RULE_FLAG:
        value.flag = slice_equal(text, SLICE("true"));
        break;
    case RULE_INTEGER:
        ck_assert_int_eq(conf_value_integer(text, &value.integer), 0);
        break;
    case RULE_DURATION:
        ck_assert_int_eq(conf_value_duration(text, &duration), 0);
        value.integer = (int64_t)duration;
        break;
    case RULE_RATIO:
        ck_assert_int_eq(conf_value_percent(text, &percent), 0);
        value.ratio = percent / 100;
        break;
    case RULE_TIME:
        value.integer = time_of(text);
        break;
    case RULE_ADDRESS:
        return rule_address(address_of(text));
    case RULE_SET:
        return set_of(row, text);
    default:
        value.text = text;
        break;
    }
    return value;
}

static void give(struct row *row, struct slice word)
{
    size_t sign = slice_find(word, '=');
    struct slice name = slice_first(word, sign);
    struct slice text = unquoted(slice_from(word, sign + 1));
    struct fixture_call *call = &row->call;
    uint16_t feature = 0;
    if (slice_starts_with(name, SLICE("header."))) {
        ck_assert_uint_lt(call->header_count, FIXTURE_HEADERS);
        call->header_names[call->header_count] = slice_from(name, 7);
        call->header_values[call->header_count++] = rule_text(text);
        return;
    }
    ck_assert_msg(rule_catalogue_find(&fixture_catalogue, name, &feature), "no feature %.*s",
                  SLICE_ARGS(name));
    call->values[feature] = value_of(row, fixture_features[feature].type, text);
}

static void read_row(struct row *row, struct slice line)
{
    memset(row, 0, sizeof(*row));
    row->wall_us = NOW_US;
    for (;;) {
        struct slice word = take_word(&line);
        ck_assert_msg(word.length > 0, "a row without ->");
        if (slice_equal(word, SLICE("->")))
            break;
        if (word.data[0] == '@')
            row->wall_us = (uint64_t)time_of(slice_from(word, 1));
        else if (word.data[0] == '#')
            ck_assert_int_eq(slice_to_uint64(slice_from(word, 1), UINT64_MAX, &row->hash), 0);
        else
            give(row, word);
    }
    row->expected = slice_trim(line);
}

static void append_ids(struct buffer *out, const struct rule_set *set,
                       const struct rule_outcome *outcome)
{
    for (uint32_t i = 0; i < outcome->fired_count; i++) {
        buffer_append_text(out, i > 0 ? "," : "");
        buffer_append_text(out, outcome->fired[i].shadow ? "~" : "");
        const struct rule_info *info = rule_set_rule(set, outcome->fired[i].rule);
        buffer_append_text(out, info->id);
        if (info->is_card)
            buffer_format(out, ":%d", outcome->fired[i].points);
    }
    if (outcome->fired_count == 0)
        buffer_append_char(out, '-');
}

static const char *action_name(const struct rule_decision *decision)
{
    return decision->action != NULL ? rule_action_name(decision->action->kind) : "none";
}

/* The outcome as a row states it. */
static void render(struct buffer *out, const struct rule_set *set,
                   const struct rule_outcome *outcome, bool with_unknown)
{
    buffer_append_int(out, outcome->live.score);
    buffer_append_char(out, ' ');
    append_ids(out, set, outcome);
    buffer_format(out, " %s", action_name(&outcome->live));
    if (outcome->shadow.score != outcome->live.score ||
        outcome->shadow.action != outcome->live.action)
        buffer_format(out, " shadow:%d:%s", outcome->shadow.score, action_name(&outcome->shadow));
    if (!with_unknown) {
        buffer_append_literal(out, " ?");
        return;
    }
    for (uint32_t i = 0; i < outcome->unknown_count; i++)
        buffer_format(out, "%s%s",
                      i > 0 ? "," : " unknown:", rule_set_rule(set, outcome->unknown[i])->id);
}

static void run_rows(const char *path, const struct rule_set *set, struct rule_scratch *scratch)
{
    char *text = NULL;
    size_t length = 0;
    unsigned number = 0, rows = 0;
    static struct row row;
    struct rule_outcome outcome;
    ck_assert_int_eq(file_read(path, FILE_MAX_BYTES, &text, &length), 0);
    struct slice rest = slice_make(text, length);
    while (rest.length > 0) {
        struct slice line = slice_first(rest, slice_find(rest, '\n'));
        rest = slice_from(rest, line.length + 1);
        number++;
        if (slice_trim(line).length == 0 || slice_starts_with(line, SLICE("# ")))
            continue;
        read_row(&row, line);
        struct rule_inputs inputs = fixture_inputs(&row.call);
        inputs.call_hash = row.hash;
        rule_set_evaluate(set, scratch, &inputs, row.wall_us, NULL, &outcome);

        char memory[LINE_MAX_BYTES];
        struct buffer got = buffer_over(memory, sizeof(memory));
        bool loose = row.expected.length > 0 && row.expected.data[row.expected.length - 1] == '?';
        render(&got, set, &outcome, !loose);
        ck_assert_msg(slice_equal(buffer_slice(&got), row.expected),
                      "%s:%u: expected \"%.*s\", got \"%.*s\"", path, number,
                      SLICE_ARGS(row.expected), SLICE_ARGS(buffer_slice(&got)));
        rows++;
    }
    ck_assert_uint_gt(rows, 0);
    free(text);
}

static struct rule_set *load(const char *path)
{
    struct conf_report *report = NULL;
    struct rule_set *set = NULL;
    struct rule_test_result tests = {0, 0};
    ck_assert_int_eq(conf_report_create(&report), 0);
    int error = rule_set_load(&fixture_catalogue, &path, 1, report, &set);
    if (error == 0)
        error = rule_set_run_tests(set, NULL, NULL, report, &tests);
    if (error != 0)
        conf_report_print(report, stderr, false);
    ck_assert_msg(error == 0, "%s does not load", path);
    conf_report_destroy(report);
    return set;
}

START_TEST(tables)
{
    glob_t found;
    struct rule_scratch *scratch = NULL;
    ck_assert_int_eq(rule_scratch_create(&scratch), 0);
    ck_assert_int_eq(glob(TABLES "*.rules", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char path[256];
        struct rule_set *set = load(found.gl_pathv[i]);
        size_t stem = strlen(found.gl_pathv[i]) - strlen(".rules");
        (void)snprintf(path, sizeof(path), "%.*s.expect", (int)stem, found.gl_pathv[i]);
        run_rows(path, set, scratch);
        rule_set_destroy(set);
    }
    globfree(&found);
    rule_scratch_destroy(scratch);
}
END_TEST

START_TEST(shipped_packs)
{
    glob_t found;
    ck_assert_int_eq(glob("conf/rules/*.yaml", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct rule_set *set = load(found.gl_pathv[i]);
        for (size_t rule = 0; rule < rule_set_count(set); rule++) {
            const struct rule_info *info = rule_set_rule(set, rule);
            ck_assert_msg(info->test_count >= 2, "%s has too few tests", info->id);
            ck_assert_msg(info->title_en[0] != '\0' && info->title_zh[0] != '\0',
                          "%s lacks a title", info->id);
        }
        rule_set_destroy(set);
    }
    globfree(&found);
}
END_TEST

struct first_problem {
    unsigned count;
    char text[512];
};

static void keep_problem(const struct conf_problem *problem, void *argument)
{
    struct first_problem *first = argument;
    const char *name = problem->file != NULL ? strrchr(problem->file, '/') : NULL;
    if (first->count++ == 0)
        (void)snprintf(first->text, sizeof(first->text), "%s:%" PRIu32 ":%" PRIu32 ": %s",
                       name != NULL ? name + 1 : "?", problem->line, problem->column,
                       problem->message);
}

/* What the first line states behind "# ", or, of a file that cannot have such a line, what stands
 * beside it in a file of the same name that ends in .message. The text is to be freed. */
static char *read_expected(const char *path, struct slice *expected)
{
    char *text = NULL;
    size_t length = 0;
    ck_assert_int_eq(file_read(path, FILE_MAX_BYTES, &text, &length), 0);
    struct slice line = slice_first(slice_make(text, length), strcspn(text, "\n"));
    if (slice_starts_with(line, SLICE("# "))) {
        *expected = slice_from(line, 2);
        return text;
    }
    char beside[256];
    free(text);
    (void)snprintf(beside, sizeof(beside), "%.*s.message", (int)(strlen(path) - strlen(".yaml")),
                   path);
    ck_assert_int_eq(file_read(beside, FILE_MAX_BYTES, &text, &length), 0);
    *expected = slice_trim(slice_make(text, length));
    return text;
}

/* The file has exactly that problem. */
static bool is_refused(const char *path)
{
    struct conf_report *report = NULL;
    struct rule_set *set = NULL;
    struct rule_test_result tests = {0, 0};
    struct first_problem problem = {0, ""};
    struct slice expected;
    char *text = read_expected(path, &expected);
    ck_assert_int_eq(conf_report_create(&report), 0);
    int error = rule_set_load(&fixture_catalogue, &path, 1, report, &set);
    ck_assert(error == 0 || set == NULL);
    if (error == 0)
        error = rule_set_run_tests(set, NULL, NULL, report, &tests);
    conf_report_each(report, keep_problem, &problem);

    bool good = error == ERROR_CONFIG && problem.count == 1 &&
                slice_equal(slice_of_text(problem.text), expected);
    if (!good)
        fprintf(stderr, "%s: expected one problem\n  %.*s\ngot %u:\n  %s\n", path,
                SLICE_ARGS(expected), problem.count, problem.text);
    rule_set_destroy(set);
    conf_report_destroy(report);
    free(text);
    return good;
}

START_TEST(broken_files)
{
    glob_t found;
    unsigned wrong = 0;
    ck_assert_int_eq(glob(TABLES "broken/*.yaml", 0, NULL, &found), 0);
    ck_assert_uint_ge(found.gl_pathc, 270);
    for (size_t i = 0; i < found.gl_pathc && wrong < FAILURES_SHOWN; i++)
        wrong += is_refused(found.gl_pathv[i]) ? 0 : 1;
    ck_assert_uint_eq(wrong, 0);
    globfree(&found);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules/tables");
    TCase *tests = tcase_create("tables");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, tables);
    tcase_add_test(tests, shipped_packs);
    tcase_add_test(tests, broken_files);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
