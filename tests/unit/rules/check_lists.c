/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists as rule files use them: ranges, values, expiry, packed files, what is said about entries
 * that could go, and lists that outlive a reload.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "../../../src/rules/list_int.h"
#include "base/file.h"
#include "base/random.h"
#include "config/report.h"
#include "rules/evaluate.h"
#include "rules/ruleset.h"
#include "unit/rules/fixture.h"

#define NOW_US UINT64_C(1795392000000000) /* 2026-11-23 */

static char folder[64];
static struct conf_report *report;
static struct rule_scratch *scratch;

static void setup(void)
{
    snprintf(folder, sizeof(folder), "/tmp/check_lists.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(conf_report_create(&report), 0);
    ck_assert_int_eq(rule_scratch_create(&scratch), 0);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void teardown(void)
{
    static const char *const names[] = {"rules.yaml", "list.txt"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlink(path_of(names[i]));
    ck_assert_int_eq(rmdir(folder), 0);
    rule_scratch_destroy(scratch);
    conf_report_destroy(report);
}

static void write_bytes(const char *name, struct slice bytes)
{
    ck_assert_int_eq(file_write_atomic(path_of(name), bytes, 0644), 0);
}

/* Rules that ask whether the caller is on the list of the given YAML. */
static int load(const char *list, const struct rule_set *previous, struct rule_set **set)
{
    char yaml[1024];
    const char *path = yaml;
    snprintf(yaml, sizeof(yaml),
             "lists:\n  it: %s\nrules:\n  - {id: r, score: 10, when: caller.number in it}\n", list);
    write_bytes("rules.yaml", slice_of_text(yaml));
    path = path_of("rules.yaml");
    return rule_set_reload(&fixture_catalogue, &path, 1, previous, report, set);
}

static struct rule_set *loaded(const char *list, const struct rule_set *previous)
{
    struct rule_set *set = NULL;
    int error = load(list, previous, &set);
    if (error != 0)
        conf_report_print(report, stderr, false);
    ck_assert_int_eq(error, 0);
    return set;
}

static bool is_listed_at(const struct rule_set *set, const char *number, uint64_t wall_us)
{
    static struct fixture_call call;
    static struct rule_outcome outcome;
    call.values[0] = rule_number(slice_of_text(number));
    const struct rule_inputs inputs = fixture_inputs(&call);
    rule_set_evaluate(set, scratch, &inputs, wall_us, NULL, &outcome);
    ck_assert_uint_eq(outcome.unknown_total, 0);
    return outcome.fired_total == 1;
}

static bool is_listed(const struct rule_set *set, const char *number)
{
    return is_listed_at(set, number, NOW_US);
}

static void keep_message(const struct conf_problem *problem, void *argument)
{
    char *memory = argument;
    size_t used = strlen(memory);
    (void)snprintf(memory + used, 1024 - used, "%u:%u: %s|%s|%s\n", problem->line, problem->column,
                   problem->message, problem->expected != NULL ? problem->expected : "",
                   problem->hint != NULL ? problem->hint : "");
}

static const char *messages(void)
{
    static char memory[1024];
    memory[0] = '\0';
    conf_report_each(report, keep_message, memory);
    return memory;
}

START_TEST(ranges_hold_numbers_of_their_length)
{
    struct rule_set *set =
        loaded("{numbers: [\"+861000..+861999\", \"+8613000..+8613009*\"]}", NULL);
    ck_assert(is_listed(set, "+861000"));
    ck_assert(is_listed(set, "861500"));
    ck_assert(is_listed(set, "+861999"));
    ck_assert(!is_listed(set, "+862000"));
    ck_assert(!is_listed(set, "+860999"));
    ck_assert(!is_listed(set, "+8615001"));
    ck_assert(is_listed(set, "+8613005"));
    ck_assert(is_listed(set, "+86130051234"));
    ck_assert(!is_listed(set, "+86130101234"));
    ck_assert(!is_listed(set, "+861300x"));
    rule_set_destroy(set);
}
END_TEST

START_TEST(ranges_nest_and_overlap)
{
    struct rule_set *set =
        loaded("{numbers: [\"100..900\", \"200..300,2026-01-01\", \"250..260\", \"950..960\", "
               "\"955..970,2026-01-01\"]}",
               NULL);
    static const char *const in[] = {"100", "199", "200", "255", "261",
                                     "300", "301", "900", "950", "960"};
    static const char *const out[] = {"99", "901", "949", "961", "970", "971", "1000"};
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        ck_assert_msg(is_listed(set, in[i]), "%s", in[i]);
    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
        ck_assert_msg(!is_listed(set, out[i]), "%s", out[i]);
    rule_set_destroy(set);
}
END_TEST

START_TEST(entries_expire)
{
    struct rule_set *set =
        loaded("{numbers: [\"+8613800138000,2026-11-24\", \"+86170*,2026-11-24,spam\", "
               "\"+8617012*\", '+8613900139000,\"2020-01-01\"']}",
               NULL);
    ck_assert(is_listed(set, "+8613800138000"));
    ck_assert(!is_listed_at(set, "+8613800138000", NOW_US + UINT64_C(86400000000)));
    ck_assert(!is_listed_at(set, "+8617099", NOW_US + UINT64_C(86400000000)));
    /* A shorter prefix that has expired hides none, and a value in quotes is no time. */
    ck_assert(is_listed_at(set, "+86170123", NOW_US + UINT64_C(86400000000)));
    ck_assert(is_listed(set, "+8613900139000"));
    rule_set_destroy(set);
}
END_TEST

START_TEST(files_have_values_and_comments)
{
    write_bytes("list.txt", SLICE("\xef\xbb\xbf# numbers\r\n+8613800138000 , spam\t# why\r\n"
                                  "\n  +86170* ,35, 2027-01-01\n+861000..+861999 # range\n+1"));
    struct rule_set *set = loaded("{file: list.txt}", NULL);
    ck_assert(is_listed(set, "+8613800138000"));
    ck_assert(is_listed(set, "+8617012"));
    ck_assert(is_listed(set, "+861234"));
    ck_assert(is_listed(set, "+1"));
    ck_assert(!is_listed(set, "+2"));
    rule_set_destroy(set);
}
END_TEST

START_TEST(wrong_lines_are_told)
{
    static const struct {
        const char *line;
        const char *said;
    } rows[] = {
        {"+86 1", "\"+86 1\" is not a number|+ and up to"},
        {"+861999..+861000", "is not a range|two numbers of equally many digits"},
        {"+86100..+861000", "is not a range|two numbers"},
        {"+861..", "is not a number|+ and up to"},
        {"+86138,", "is not a number with a value or a time|behind the number"},
        {"+86138,1,2", "is not a number with a value"},
        {"+86138,1,2027-01-01,3", "is not a number with a value"},
        {"+86138,\"a\"b\"", "is not a number with a value"},
        {"bank", "other texts belong under texts:"},
        {"*", "\"*\" is not a number"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rule_set *set = NULL;
        char text[128];
        conf_report_destroy(report);
        ck_assert_int_eq(conf_report_create(&report), 0);
        snprintf(text, sizeof(text), "+1\n\n%s\n", rows[i].line);
        write_bytes("list.txt", slice_of_text(text));
        ck_assert_int_eq(load("{file: list.txt}", NULL, &set), ERROR_CONFIG);
        ck_assert_msg(strncmp(messages(), "3:1: ", 5) == 0, "%s", messages());
        ck_assert_msg(strstr(messages(), rows[i].said) != NULL, "%s", messages());
    }
}
END_TEST

START_TEST(repeated_and_covered_entries_are_counted)
{
    write_bytes("list.txt", SLICE("+86138\n+86138\n+86139\n+8613*\n+8613*\n100..200\n150..160\n"
                                  "150\n+86138,spam\n+861399*,5\n"));
    struct rule_set *set = loaded("{numbers: [\"+86138\"], file: list.txt}", NULL);
    const char *said = messages();
    ck_assert_uint_eq(conf_report_count(report, CONF_WARNING), 2);
    ck_assert_msg(strstr(said,
                         "list \"it\": 4 entries given more than once; the last one counts||"
                         "the file's line 1 repeats line 2; the file's line 2 repeats the "
                         "file's line 1; the file's line 9 repeats the file's line 2; ...") != NULL,
                  "%s", said);
    ck_assert_msg(strstr(said, "list \"it\": 3 entries within a range or prefix that says the "
                               "same||") != NULL,
                  "%s", said);
    ck_assert_msg(strstr(said, "the file's line 8 lies within the file's line 7") != NULL, "%s",
                  said);
    ck_assert_msg(strstr(said, "the file's line 3 lies within the file's line 5") != NULL, "%s",
                  said);
    ck_assert_msg(strstr(said, "the file's line 7 lies within the file's line 6") != NULL, "%s",
                  said);
    rule_set_destroy(set);
}
END_TEST

START_TEST(packed_files_are_unpacked)
{
    static const char text[] = "+8613800138000\n+86170*\n";
    char packed[512];
    z_stream stream = {.next_in = NULL};
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)text;
    stream.avail_in = sizeof(text) - 1;
    stream.next_out = (Bytef *)packed;
    stream.avail_out = sizeof(packed);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t length = sizeof(packed) - stream.avail_out;
    deflateEnd(&stream);
    write_bytes("list.txt", slice_make(packed, length));
    struct rule_set *set = loaded("{file: list.txt}", NULL);
    ck_assert(is_listed(set, "+8613800138000") && is_listed(set, "+86170123"));
    rule_set_destroy(set);

    length = ZSTD_compress(packed, sizeof(packed), text, sizeof(text) - 1, 3);
    write_bytes("list.txt", slice_make(packed, length));
    set = loaded("{file: list.txt}", NULL);
    ck_assert(is_listed(set, "+8613800138000") && !is_listed(set, "+86171"));
    rule_set_destroy(set);

    write_bytes("list.txt", slice_make(packed, length - 3));
    ck_assert_int_eq(load("{file: list.txt}", NULL, &set), ERROR_CONFIG);
    ck_assert_msg(strstr(messages(), "cannot unpack \"list.txt\" (zstd): damaged or cut short"),
                  "%s", messages());
}
END_TEST

START_TEST(unchanged_list_is_shared)
{
    write_bytes("list.txt", SLICE("+8613800138000\n"));
    struct rule_set *first = loaded("{file: list.txt}", NULL);
    /* The same bytes in another file are the same list. */
    write_bytes("list.txt", SLICE("+8613800138000\n"));
    struct rule_set *second = loaded("{file: list.txt}", first);
    ck_assert_uint_eq(rule_set_list_bytes(second, first), 0);
    ck_assert_uint_gt(rule_set_list_bytes(second, NULL), 0);
    ck_assert_str_eq(rule_set_version(first), rule_set_version(second));
    /* What the rule file says besides is part of it. */
    struct rule_set *third = loaded("{numbers: [\"1\"], file: list.txt}", second);
    ck_assert_uint_gt(rule_set_list_bytes(third, second), 0);
    rule_set_destroy(first);
    ck_assert(is_listed(second, "+8613800138000"));
    write_bytes("list.txt", SLICE("+8613800138001\n"));
    struct rule_set *fourth = loaded("{file: list.txt}", second);
    rule_set_destroy(second);
    ck_assert(is_listed(fourth, "+8613800138001"));
    ck_assert(!is_listed(fourth, "+8613800138000"));
    ck_assert(is_listed(third, "+8613800138000") && is_listed(third, "1"));
    rule_set_destroy(third);
    rule_set_destroy(fourth);
}
END_TEST

/* What the list says of a number, "" when nothing, NULL when it is not there. */
static const char *said_of(const struct rule_list *list, const char *number, int64_t now_us)
{
    static char memory[RULE_LIST_VALUE_MAX + 1];
    const struct rule_list_detail *detail;
    struct rule_list_subject subject;
    struct rule_value value = rule_number(slice_of_text(number));
    rule_list_subject_init(&subject, &value);
    if (!rule_list_lookup(list, &subject, now_us, &detail))
        return NULL;
    memory[0] = '\0';
    if (detail != NULL)
        snprintf(memory, sizeof(memory), "%.*s", SLICE_ARGS(detail->value));
    return memory;
}

START_TEST(closest_entry_has_the_value)
{
    static const char *const entries[] = {
        "+86*,10",
        "+861*,20",
        "+8613..+8619*,30",
        "+86138*,\"2027-01-01\"",
        "+8613800138000,a",
        "+861380013..+861380019,range",
        "+8615*,45,2026-12-01",
        "+8699*",
    };
    struct rule_list *list = NULL;
    ck_assert_int_eq(rule_list_create(&list), 0);
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        ck_assert_int_eq(rule_list_add_entry(list, false, slice_of_text(entries[i]), 1), 0);
    ck_assert_int_eq(rule_list_seal(list), 0);
    ck_assert_str_eq(said_of(list, "+8620", 0), "10");
    ck_assert_str_eq(said_of(list, "+861", 0), "20");
    ck_assert_str_eq(said_of(list, "+86170", 0), "30");
    ck_assert_str_eq(said_of(list, "+861381", 0), "2027-01-01");
    ck_assert_str_eq(said_of(list, "+861380015", 0), "range");
    ck_assert_str_eq(said_of(list, "+8613800138000", 0), "a");
    ck_assert_str_eq(said_of(list, "+86990", 0), "");
    ck_assert_ptr_null(said_of(list, "+85", 0));
    /* Without the entry that has expired, the next closest one speaks. */
    ck_assert_str_eq(said_of(list, "+86150", (int64_t)NOW_US), "45");
    ck_assert_str_eq(said_of(list, "+86150", INT64_C(1796083200000000)), "30");

    const struct rule_list_detail *detail;
    struct rule_list_subject subject;
    struct rule_value value = rule_number(SLICE("+8620"));
    rule_list_subject_init(&subject, &value);
    ck_assert(rule_list_lookup(list, &subject, 0, &detail));
    ck_assert(detail->is_integer && detail->integer == 10);
    rule_list_destroy(list);
}
END_TEST

/* Against a plain search through the entries. */
START_TEST(random_lists_agree_with_a_plain_search)
{
    enum { ENTRIES = 60, DIGITS = 4, PROBES = 400 };
    struct random_state random;
    random_seed(&random, 7);
    for (unsigned round = 0; round < 100; round++) {
        struct {
            unsigned low, high;
            bool prefix;
        } entries[ENTRIES];
        char memory[4096];
        struct buffer text = buffer_over(memory, sizeof(memory));
        for (unsigned i = 0; i < ENTRIES; i++) {
            unsigned length = 1 + (unsigned)random_below(&random, DIGITS);
            unsigned base = length == 1 ? 1 : length == 2 ? 10 : length == 3 ? 100 : 1000;
            unsigned a = base + (unsigned)random_below(&random, 9 * base);
            unsigned b = base + (unsigned)random_below(&random, 9 * base);
            bool range = random_below(&random, 2) == 0;
            entries[i].low = range && b < a ? b : a;
            entries[i].high = !range ? a : b < a ? a : b;
            entries[i].prefix = length > 2 && random_below(&random, 4) == 0;
            buffer_format(&text, range ? "%u..%u" : "%u", entries[i].low, entries[i].high);
            buffer_append_text(&text, entries[i].prefix ? "*\n" : "\n");
        }
        write_bytes("list.txt", buffer_slice(&text));
        struct rule_set *set = loaded("{file: list.txt}", NULL);
        for (unsigned probe = 0; probe < PROBES; probe++) {
            unsigned number = 1 + (unsigned)random_below(&random, 99999);
            bool expected = false;
            char digits[16];
            snprintf(digits, sizeof(digits), "+%u", number);
            for (unsigned i = 0; i < ENTRIES; i++)
                for (unsigned part = number; part > 0; part = entries[i].prefix ? part / 10 : 0)
                    expected = expected || (part >= entries[i].low && part <= entries[i].high &&
                                            snprintf(NULL, 0, "%u", part) ==
                                                snprintf(NULL, 0, "%u", entries[i].low));
            ck_assert_msg(is_listed(set, digits) == expected, "%s in\n%.*s", digits,
                          SLICE_ARGS(buffer_slice(&text)));
        }
        rule_set_destroy(set);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules/lists");
    TCase *tests = tcase_create("lists");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, ranges_hold_numbers_of_their_length);
    tcase_add_test(tests, ranges_nest_and_overlap);
    tcase_add_test(tests, entries_expire);
    tcase_add_test(tests, files_have_values_and_comments);
    tcase_add_test(tests, wrong_lines_are_told);
    tcase_add_test(tests, repeated_and_covered_entries_are_counted);
    tcase_add_test(tests, packed_files_are_unpacked);
    tcase_add_test(tests, unchanged_list_is_shared);
    tcase_add_test(tests, closest_entry_has_the_value);
    tcase_add_test(tests, random_lists_agree_with_a_plain_search);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
