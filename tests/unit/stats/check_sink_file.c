/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/sink_file.h"

#include <check.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR_US UINT64_C(3600000000)

static char root[64], path[96];
static void *outlet;
static uint64_t wall_us;
static struct stats_sink_file_settings settings;

static uint64_t wall(void)
{
    return wall_us;
}

static void setup(void)
{
    snprintf(root, sizeof(root), "/tmp/ringfence-check-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    snprintf(path, sizeof(path), "%s/events.jsonl", root);
    wall_us = 1795465060000000;
    settings = (struct stats_sink_file_settings){
        .path = path, .fsync_us = STATS_SINK_NEVER, .wall_us = wall};
    ck_assert_int_eq(stats_sink_file_create(&settings, &outlet), 0);
}

static void again(void)
{
    stats_sink_file_actions.destroy(outlet);
    ck_assert_int_eq(stats_sink_file_create(&settings, &outlet), 0);
}

static void teardown(void)
{
    char command[128];
    stats_sink_file_actions.destroy(outlet);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

/* Ten bytes a line. */
static int write_lines(size_t count, size_t *accepted)
{
    struct stats_spool_record records[100];
    char reason[160];
    struct buffer problem = buffer_over(reason, sizeof(reason));
    for (size_t i = 0; i < count; i++)
        records[i] = (struct stats_spool_record){i, SLICE("123456789\n")};
    *accepted = 0;
    int error = stats_sink_file_actions.deliver(outlet, records, count, accepted, &problem);
    ck_assert(error == 0 || problem.length > 0);
    return error;
}

static void expect_lines(size_t count)
{
    size_t accepted;
    ck_assert_int_eq(write_lines(count, &accepted), 0);
    ck_assert_uint_eq(accepted, count);
}

static off_t size_of(const char *name)
{
    struct stat status;
    return stat(name, &status) == 0 ? status.st_size : -1;
}

static size_t files_aside(void)
{
    char pattern[128];
    glob_t found;
    snprintf(pattern, sizeof(pattern), "%s.*", path);
    size_t count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return count;
}

START_TEST(lines_are_appended)
{
    expect_lines(3);
    again();
    expect_lines(2);
    ck_assert_int_eq(size_of(path), 50);
}
END_TEST

START_TEST(a_torn_line_is_cut_off)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("123456789\n12345", file);
    fclose(file);
    expect_lines(1);
    ck_assert_int_eq(size_of(path), 20);
}
END_TEST

START_TEST(a_file_that_would_be_too_large_is_put_aside)
{
    settings.rotate_bytes = 100;
    settings.keep = 2;
    again();
    for (int i = 0; i < 8; i++)
        expect_lines(5);
    ck_assert_int_eq(size_of(path), 100);
    ck_assert_uint_eq(files_aside(), 2);
    char aside[128];
    snprintf(aside, sizeof(aside), "%s.20261123T201740Z", path);
    ck_assert_int_eq(size_of(aside), -1); /* the oldest has gone */
    snprintf(aside, sizeof(aside), "%s.20261123T201740Z-002", path);
    ck_assert_int_eq(size_of(aside), 100);
}
END_TEST

/* Within one second too the oldest goes, not the one that took a name that had become free. */
START_TEST(many_in_one_second_keep_their_order)
{
    char aside[128];
    settings.rotate_bytes = 10;
    settings.keep = 2;
    again();
    for (int i = 0; i < 8; i++)
        expect_lines(1);
    for (int i = 5; i <= 6; i++) {
        snprintf(aside, sizeof(aside), "%s.20261123T201740Z-%03d", path, i);
        ck_assert_int_eq(size_of(aside), 10);
    }
    ck_assert_uint_eq(files_aside(), 2);
}
END_TEST

START_TEST(a_batch_is_cut_to_what_a_file_holds)
{
    size_t accepted;
    settings.rotate_bytes = 35;
    again();
    ck_assert_int_eq(write_lines(10, &accepted), 0);
    ck_assert_uint_eq(accepted, 3);
    settings.rotate_bytes = 5;
    again();
    ck_assert_int_eq(write_lines(10, &accepted), 0);
    ck_assert_uint_eq(accepted, 1);
}
END_TEST

START_TEST(each_period_has_its_file)
{
    settings.rotate_us = HOUR_US;
    again();
    expect_lines(1);
    wall_us += HOUR_US / 10; /* 20:23 */
    expect_lines(1);
    ck_assert_uint_eq(files_aside(), 0);
    wall_us += HOUR_US;
    expect_lines(1);
    ck_assert_uint_eq(files_aside(), 1);
    ck_assert_int_eq(size_of(path), 10);
}
END_TEST

START_TEST(a_path_that_was_taken_away_gets_a_new_file)
{
    char moved[128];
    expect_lines(2);
    snprintf(moved, sizeof(moved), "%s/moved", root);
    ck_assert_int_eq(rename(path, moved), 0);
    expect_lines(3);
    ck_assert_int_eq(size_of(moved), 20);
    ck_assert_int_eq(size_of(path), 30);
    ck_assert_int_eq(unlink(path), 0);
    expect_lines(1);
    ck_assert_int_eq(size_of(path), 10);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_an_outage)
{
    size_t accepted;
    char elsewhere[128];
    snprintf(elsewhere, sizeof(elsewhere), "%s/none/events.jsonl", root);
    settings.path = elsewhere;
    again();
    ck_assert_int_eq(write_lines(1, &accepted), -ENOENT);
    ck_assert_uint_eq(accepted, 0);
    char made[128];
    snprintf(made, sizeof(made), "%s/none", root);
    ck_assert_int_eq(mkdir(made, 0700), 0);
    expect_lines(1);
}
END_TEST

START_TEST(a_full_device_is_an_outage)
{
    size_t accepted;
    settings.path = "/dev/full";
    again();
    ck_assert_int_eq(write_lines(1, &accepted), -ENOSPC);
    ck_assert_uint_eq(accepted, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats/sink_file");
    TCase *lines = tcase_create("lines");
    tcase_add_checked_fixture(lines, setup, teardown);
    tcase_add_test(lines, lines_are_appended);
    tcase_add_test(lines, a_torn_line_is_cut_off);
    tcase_add_test(lines, a_file_that_would_be_too_large_is_put_aside);
    tcase_add_test(lines, many_in_one_second_keep_their_order);
    tcase_add_test(lines, a_batch_is_cut_to_what_a_file_holds);
    tcase_add_test(lines, each_period_has_its_file);
    tcase_add_test(lines, a_path_that_was_taken_away_gets_a_new_file);
    tcase_add_test(lines, a_folder_that_is_not_there_is_an_outage);
    tcase_add_test(lines, a_full_device_is_an_outage);
    suite_add_tcase(suite, lines);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
