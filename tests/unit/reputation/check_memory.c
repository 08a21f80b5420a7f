/* SPDX-License-Identifier: Apache-2.0 */
/* Store memory: a CSV file, live changes, reloads that are refused. */
#include "reputation/store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOW_S = 1800000000 };

static char path[64];
static struct rep_store *store;
static char message[256];

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static int create(const char *text)
{
    struct rep_settings settings;
    rep_settings_default(&settings);
    settings.backend = REP_BACKEND_MEMORY;
    settings.csv_path = path;
    write_file(text);
    return rep_store_create(&settings, message, sizeof(message), &store);
}

static void setup(void)
{
    snprintf(path, sizeof(path), "/tmp/check-memory-XXXXXX");
    int descriptor = mkstemp(path);
    ck_assert_int_ge(descriptor, 0);
    close(descriptor);
}

static void teardown(void)
{
    rep_store_destroy(store);
    store = NULL;
    unlink(path);
}

static struct rep_finding find(const char *digits)
{
    struct rep_finding finding;
    uint64_t packed;
    ck_assert(rep_pack_digits(slice_of_text(digits), &packed));
    rep_replica_find(rep_store_replica(store), packed, NOW_S, &finding);
    return finding;
}

START_TEST(the_file_is_loaded)
{
    ck_assert_int_eq(create("number,score,list,type,source,expires\n"
                            "# known callers\n"
                            "+8613800138000,90,block,bank,desk,\n"
                            "8617012*,40,watch,,,\n"
                            "raw:anonymous,20,,,,\n"
                            "+8613800138001,90,block,,,2020-05-01"),
                     0);
    ck_assert(rep_store_loaded(store));
    ck_assert_int_eq(find("8613800138000").entry.list, REP_LIST_BLOCK);
    ck_assert_int_eq(find("8617012345678").match, REP_MATCH_PREFIX);
    ck_assert_int_eq(find("8613800138001").match, REP_MATCH_NONE);
    struct rep_finding finding;
    ck_assert(rep_replica_find_raw(rep_store_replica(store), SLICE("anonymous"), 1, &finding));
}
END_TEST

START_TEST(a_bad_line_is_named)
{
    ck_assert_int_ne(create("+8613800138000,90,block\n+8613800138001,900,block\n"), 0);
    ck_assert_ptr_nonnull(strstr(message, ":2: score is not 0 to 100"));
    ck_assert_ptr_nonnull(strstr(message, "+8613800138001,900,block"));
    ck_assert_ptr_null(store);
}
END_TEST

START_TEST(a_missing_file_is_named)
{
    struct rep_settings settings;
    rep_settings_default(&settings);
    settings.backend = REP_BACKEND_MEMORY;
    settings.csv_path = "/nonexistent/list.csv";
    ck_assert_int_ne(rep_store_create(&settings, message, sizeof(message), &store), 0);
    ck_assert_ptr_nonnull(strstr(message, "/nonexistent/list.csv"));
}
END_TEST

START_TEST(allow_beats_block_whatever_the_order)
{
    ck_assert_int_eq(create("+8613800138000,1,allow\n+8613800138000,90,block\n"
                            "8617012*,90,block\n8617012*,1,allow\n"),
                     0);
    ck_assert_int_eq(find("8613800138000").entry.list, REP_LIST_ALLOW);
    ck_assert_int_eq(find("8617012345678").entry.list, REP_LIST_ALLOW);
}
END_TEST

/* Two sources, one of which outranks the other, and a line of each replaced by a later one. */
START_TEST(lines_of_several_sources_are_combined)
{
    const struct rep_source_row rows[] = {{SLICE_LITERAL("police"), 3, 0, REP_MAY_ALL}};
    struct rep_settings settings;
    rep_settings_default(&settings);
    settings.backend = REP_BACKEND_MEMORY;
    settings.csv_path = path;
    settings.sources = (struct rep_source_rows){rows, 1};
    write_file("+8613800138000,50,block,bank,police,\n"
               "+8613800138000,20,allow,,desk,\n"
               "+8613800138000,10,,,feed,\n"
               "+8613800138000,90,block,bank,police,,,2026-01-01,4711\n"
               "raw:anonymous,20,,,desk,\nraw:anonymous,30,,,feed,\n"
               "8617012*,90,block,,police,2020-01-01\n8617012*,30,watch,,desk,\n");
    ck_assert_msg(rep_store_create(&settings, message, sizeof(message), &store) == 0, "%s",
                  message);
    struct rep_finding finding = find("8613800138000");
    ck_assert_int_eq(finding.entry.list, REP_LIST_BLOCK);
    ck_assert_int_eq(finding.entry.score, 90);
    ck_assert_int_eq(find("8617012345678").entry.score, 30);
    ck_assert(rep_replica_find_raw(rep_store_replica(store), SLICE("anonymous"), NOW_S, &finding));
    ck_assert_int_eq(finding.entry.score, 30);
}
END_TEST

START_TEST(more_sources_than_can_be_kept_are_refused)
{
    char text[2048] = "";
    for (unsigned i = 0; i <= REP_STATEMENT_LIMIT; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "+861,5,,,source-%u\n", i);
    ck_assert_int_ne(create(text), 0);
    ck_assert_ptr_nonnull(strstr(message, ":18: "));
}
END_TEST

static void change_and_reload(void)
{
    struct rep_row row = {.number = SLICE("+8613800138005"), .score = 70, .list = REP_LIST_WATCH};
    ck_assert_int_eq(rep_store_set(store, &row), 0);
    ck_assert_int_eq(find("8613800138005").entry.score, 70);
    row.number = SLICE("13800138005");
    ck_assert_int_ne(rep_store_set(store, &row), 0);
    row = (struct rep_row){.number = SLICE("+861"), .score = 101};
    ck_assert_int_ne(rep_store_set(store, &row), 0);
    ck_assert_int_eq(rep_store_delete(store, SLICE("+8613800138000")), 0);
    ck_assert_int_eq(rep_store_delete(store, SLICE("+8613800138000")), ERROR_NOT_FOUND);
    ck_assert_int_eq(find("8613800138000").match, REP_MATCH_NONE);

    write_file("+8613800138000,91,block\nrubbish\n");
    ck_assert_int_ne(rep_store_reload(store, message, sizeof(message)), 0);
    ck_assert_ptr_nonnull(strstr(message, ":2: "));
    ck_assert_int_eq(find("8613800138005").entry.score, 70);

    write_file("+8613800138000,91,block\n");
    ck_assert_int_eq(rep_store_reload(store, message, sizeof(message)), 0);
    ck_assert_int_eq(find("8613800138000").entry.score, 91);
    ck_assert_int_eq(find("8613800138005").match, REP_MATCH_NONE);
}

START_TEST(changes_and_reloads_without_the_thread)
{
    ck_assert_int_eq(create("+8613800138000,90,block\n"), 0);
    change_and_reload();
}
END_TEST

START_TEST(changes_and_reloads_on_the_thread)
{
    ck_assert_int_eq(create("+8613800138000,90,block\n"), 0);
    ck_assert_int_eq(rep_store_start(store), 0);
    change_and_reload();
    rep_store_stop(store);
    ck_assert_int_eq(find("8613800138000").entry.score, 91);
}
END_TEST

START_TEST(redis_entries_are_not_changed_here)
{
    struct rep_settings settings;
    rep_settings_default(&settings);
    struct rep_row row = {.number = SLICE("+8613800138005"), .score = 70};
    ck_assert_int_eq(rep_store_create(&settings, message, sizeof(message), &store), 0);
    ck_assert_int_ne(rep_store_set(store, &row), 0);
    ck_assert_int_ne(rep_store_delete(store, row.number), 0);
    ck_assert_int_eq(rep_store_accept(store), ERROR_NOT_FOUND);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("csv");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_file_is_loaded);
    tcase_add_test(tests, a_bad_line_is_named);
    tcase_add_test(tests, a_missing_file_is_named);
    tcase_add_test(tests, allow_beats_block_whatever_the_order);
    tcase_add_test(tests, lines_of_several_sources_are_combined);
    tcase_add_test(tests, more_sources_than_can_be_kept_are_refused);
    tcase_add_test(tests, changes_and_reloads_without_the_thread);
    tcase_add_test(tests, changes_and_reloads_on_the_thread);
    tcase_add_test(tests, redis_entries_are_not_changed_here);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
