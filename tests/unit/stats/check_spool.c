/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/spool.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"

enum { BATCH = 64 };
#define BYTES ((uint64_t)1 << 20)

static char root[64], folder[96];
static struct stats_spool *spool;
static struct stats_spool_reader *reader;

static void open_spool(void)
{
    ck_assert_int_eq(stats_spool_open(folder, BYTES, &spool), 0);
}

static void open_reader(void)
{
    ck_assert_int_eq(stats_spool_reader_open(spool, "one", &reader), 0);
}

static void close_all(void)
{
    stats_spool_reader_close(reader);
    stats_spool_close(spool);
    reader = NULL;
    spool = NULL;
}

static void setup(void)
{
    snprintf(root, sizeof(root), "/tmp/ringfence-check-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    snprintf(folder, sizeof(folder), "%s/spool", root);
    open_spool();
    open_reader();
}

static void teardown(void)
{
    char command[128];
    close_all();
    snprintf(command, sizeof(command), "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

/* A line that says its number and is as long as an event's. */
static void append(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        char line[801];
        uint64_t seq = stats_spool_next(spool);
        snprintf(line, sizeof(line), "{\"seq\":%llu,\"text\":\"%0760d\"}\n",
                 (unsigned long long)seq, 1);
        stats_spool_append(spool, seq, slice_of_text(line));
    }
}

static void put(uint64_t count)
{
    append(count);
    stats_spool_flush(spool);
}

/* Reads all there is, acknowledged; returns the first and the last number and how many. */
struct got {
    uint64_t first, last, count;
};

static struct got read_all(bool acknowledge)
{
    struct stats_spool_record records[BATCH];
    struct got got = {0};
    size_t count;
    while ((count = stats_spool_read(reader, records, BATCH, 0)) > 0) {
        for (size_t i = 0; i < count; i++) {
            char begin[64];
            snprintf(begin, sizeof(begin), "{\"seq\":%llu,", (unsigned long long)records[i].seq);
            ck_assert(strncmp(records[i].line.data, begin, strlen(begin)) == 0);
            ck_assert_int_eq(records[i].line.data[records[i].line.length - 1], '\n');
            ck_assert_uint_gt(records[i].seq, got.last);
            got.first = got.first == 0 ? records[i].seq : got.first;
            got.last = records[i].seq;
            got.count++;
        }
        if (acknowledge)
            stats_spool_acknowledge(reader, got.last);
    }
    return got;
}

static void expect(uint64_t first, uint64_t last)
{
    struct got got = read_all(true);
    ck_assert_uint_eq(got.first, first);
    ck_assert_uint_eq(got.last, last);
    ck_assert_uint_eq(got.count, last - first + 1);
}

/* The name of the last segment. */
static void last_segment(char *path, size_t capacity)
{
    char name[64] = "";
    DIR *list = opendir(folder);
    ck_assert_ptr_nonnull(list);
    for (struct dirent *entry; (entry = readdir(list)) != NULL;)
        if (strstr(entry->d_name, ".spool") != NULL && strcmp(entry->d_name, name) > 0)
            snprintf(name, sizeof(name), "%.60s", entry->d_name);
    closedir(list);
    snprintf(path, capacity, "%s/%s", folder, name);
}

static uint64_t bytes_on_disk(void)
{
    uint64_t bytes = 0;
    DIR *list = opendir(folder);
    ck_assert_ptr_nonnull(list);
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        char path[512];
        struct stat status;
        snprintf(path, sizeof(path), "%s/%.200s", folder, entry->d_name);
        if (strstr(path, ".spool") != NULL && stat(path, &status) == 0 && S_ISREG(status.st_mode))
            bytes += (uint64_t)status.st_size;
    }
    closedir(list);
    return bytes;
}

START_TEST(lines_come_out_as_they_went_in)
{
    put(1);
    expect(1, 1);
    put(300);
    expect(2, 301);
    ck_assert_uint_eq(read_all(true).count, 0);
    ck_assert_uint_eq(stats_spool_waiting(reader), 0);
    ck_assert_uint_eq(stats_spool_lost(reader), 0);
}
END_TEST

START_TEST(segments_follow_each_other_and_go_when_they_are_done)
{
    for (int i = 0; i < 40; i++)
        put(25); /* 800 kB */
    expect(1, 1000);
    put(1);
    ck_assert_uint_lt(bytes_on_disk(), 200000);
    expect(1001, 1001);
}
END_TEST

START_TEST(what_is_not_acknowledged_comes_again_after_a_restart)
{
    put(100);
    expect(1, 100);
    put(50);
    ck_assert_uint_eq(read_all(false).count, 50);
    close_all();
    open_spool();
    ck_assert_uint_eq(stats_spool_next(spool), 151);
    open_reader();
    ck_assert_uint_eq(stats_spool_waiting(reader), 50);
    put(10);
    expect(101, 160);
}
END_TEST

START_TEST(a_new_reader_begins_with_what_comes)
{
    struct stats_spool_reader *second;
    struct stats_spool_record record;
    put(10);
    ck_assert_int_eq(stats_spool_reader_open(spool, "two", &second), 0);
    ck_assert_uint_eq(stats_spool_read(second, &record, 1, 0), 0);
    put(1);
    ck_assert_uint_eq(stats_spool_read(second, &record, 1, 0), 1);
    ck_assert_uint_eq(record.seq, 11);
    stats_spool_reader_close(second);
    expect(1, 11);
}
END_TEST

/* Cut off all over the last record: what was whole stays, and writing goes on. */
START_TEST(a_torn_end_is_cut_off)
{
    char path[256];
    struct stat status;
    put(20);
    last_segment(path, sizeof(path));
    ck_assert_int_eq(stat(path, &status), 0);
    close_all();
    ck_assert_int_eq(truncate(path, status.st_size - (off_t)_i * 20), 0);
    open_spool();
    ck_assert_uint_eq(stats_spool_next(spool), _i == 0 ? 21 : 20);
    open_reader();
    put(5);
    expect(1, _i == 0 ? 25 : 24);
    ck_assert_uint_eq(stats_spool_lost(reader), 0);
}
END_TEST

/* One bit of one of twenty records: it is passed over and counted, the others come. */
START_TEST(a_damaged_record_is_passed_over)
{
    char path[256];
    unsigned char byte;
    put(20);
    last_segment(path, sizeof(path));
    int descriptor = open(path, O_RDWR);
    ck_assert_int_ge(descriptor, 0);
    off_t at = 5 * 820 + _i;
    ck_assert_int_eq(pread(descriptor, &byte, 1, at), 1);
    byte ^= (unsigned char)(1 << (_i % 8));
    ck_assert_int_eq(pwrite(descriptor, &byte, 1, at), 1);
    close(descriptor);
    struct got got = read_all(true);
    ck_assert_uint_eq(got.first, 1);
    ck_assert_uint_eq(got.last, 20);
    ck_assert_uint_eq(got.count, 19);
    ck_assert_uint_eq(stats_spool_lost(reader), 1);
}
END_TEST

START_TEST(beyond_the_bound_the_oldest_go_and_are_counted)
{
    for (int i = 0; i < 100; i++)
        put(25); /* 2 MB */
    ck_assert_uint_le(bytes_on_disk(), BYTES + 200000);
    struct got got = read_all(true);
    ck_assert_uint_eq(got.last, 2500);
    ck_assert_uint_gt(got.first, 1);
    ck_assert_uint_eq(got.count, 2500 - got.first + 1);
    ck_assert_uint_eq(stats_spool_lost(reader), got.first - 1);
}
END_TEST

START_TEST(a_folder_that_cannot_be_written_is_served_from_memory)
{
    char command[256], aside[128];
    put(10);
    snprintf(aside, sizeof(aside), "%s/aside", root);
    snprintf(command, sizeof(command), "rm -rf %s && touch %s", folder, folder);
    ck_assert_int_eq(system(command), 0);
    put(10);
    /* The ten that nobody had read went with the folder. */
    expect(11, 20);
    ck_assert_uint_eq(stats_spool_lost(reader), 10);
    put(10);
    expect(21, 30);
    ck_assert_int_eq(unlink(folder), 0);
    append(10);
    stats_spool_flush(spool);
    expect(31, 40);
    put(10);
    expect(41, 50);
    ck_assert_uint_gt(bytes_on_disk(), 0);
    ck_assert_uint_eq(stats_spool_lost(reader), 10);
}
END_TEST

START_TEST(memory_alone_is_bounded)
{
    stats_spool_reader_close(reader);
    stats_spool_close(spool);
    ck_assert_int_eq(stats_spool_open(NULL, 0, &spool), 0);
    open_reader();
    put(100);
    expect(1, 100);
    for (int i = 0; i < 100; i++)
        put(100); /* 8 MB into 4 */
    struct got got = read_all(true);
    ck_assert_uint_eq(got.last, 10100);
    ck_assert_uint_eq(got.count + stats_spool_lost(reader), 10000);
}
END_TEST

START_TEST(a_folder_has_one_owner)
{
    struct stats_spool *second;
    ck_assert_int_eq(stats_spool_open(folder, BYTES, &second), -EWOULDBLOCK);
}
END_TEST

START_TEST(a_position_that_says_nothing_repeats)
{
    char path[256];
    put(20);
    expect(1, 20);
    close_all();
    snprintf(path, sizeof(path), "%s/one.position", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("rubbish\n", file);
    fclose(file);
    open_spool();
    open_reader();
    expect(1, 20);
}
END_TEST

START_TEST(an_interrupted_read_returns)
{
    struct stats_spool_record record;
    stats_spool_interrupt(spool);
    ck_assert_uint_eq(stats_spool_read(reader, &record, 1, 1000000000), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats/spool");
    TCase *lines = tcase_create("lines");
    tcase_add_checked_fixture(lines, setup, teardown);
    tcase_set_timeout(lines, 60);
    tcase_add_test(lines, lines_come_out_as_they_went_in);
    tcase_add_test(lines, segments_follow_each_other_and_go_when_they_are_done);
    tcase_add_test(lines, what_is_not_acknowledged_comes_again_after_a_restart);
    tcase_add_test(lines, a_new_reader_begins_with_what_comes);
    tcase_add_loop_test(lines, a_torn_end_is_cut_off, 0, 40);
    tcase_add_loop_test(lines, a_damaged_record_is_passed_over, 0, 40);
    tcase_add_test(lines, beyond_the_bound_the_oldest_go_and_are_counted);
    tcase_add_test(lines, a_folder_that_cannot_be_written_is_served_from_memory);
    tcase_add_test(lines, memory_alone_is_bounded);
    tcase_add_test(lines, a_folder_has_one_owner);
    tcase_add_test(lines, a_position_that_says_nothing_repeats);
    tcase_add_test(lines, an_interrupted_read_returns);
    suite_add_tcase(suite, lines);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
