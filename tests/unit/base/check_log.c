/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

static char folder[64];
static char path[96];

static void set_up(void)
{
    strcpy(folder, "/tmp/check_log.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/log", folder);
    log_set_level(LOG_LEVEL_INFO);
    ck_assert_int_eq(log_set_file(path), 0);
}

static void tear_down(void)
{
    ck_assert_int_eq(log_set_file(NULL), 0);
    unlink(path);
    rmdir(folder);
}

/* The file's text; the caller frees it. */
static char *logged(const char *name)
{
    char *text = NULL;
    size_t length = 0;
    ck_assert_int_eq(file_read(name, 1 << 24, &text, &length), 0);
    ck_assert_uint_eq(strlen(text), length);
    return text;
}

START_TEST(a_line_has_time_level_area_and_text)
{
    log_warning("proxy", "trunk %s is down after %d ms", "east", 500);
    char *text = logged(path);
    ck_assert_int_eq(text[4], '-');
    ck_assert_int_eq(text[10], 'T');
    ck_assert_str_eq(text + 23, "Z warning proxy: trunk east is down after 500 ms\n");
    free(text);
}
END_TEST

START_TEST(levels_beyond_the_set_one_are_silent)
{
    ck_assert(log_enabled(LOG_LEVEL_INFO) && !log_enabled(LOG_LEVEL_DEBUG));
    log_set_level(LOG_LEVEL_WARNING);
    log_error("a", "1");
    log_notice("a", "2");
    log_debug("a", "3");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("a", "4");
    char *text = logged(path);
    ck_assert_ptr_nonnull(strstr(text, "error a: 1\n"));
    ck_assert_ptr_null(strstr(text, "a: 2"));
    ck_assert_ptr_null(strstr(text, "a: 3"));
    ck_assert_ptr_nonnull(strstr(text, "debug a: 4\n"));
    free(text);
}
END_TEST

START_TEST(levels_are_parsed_by_name)
{
    enum log_level level = LOG_LEVEL_ERROR;
    ck_assert_int_eq(log_level_parse(SLICE("notice"), &level), 0);
    ck_assert_int_eq(level, LOG_LEVEL_NOTICE);
    ck_assert_int_eq(log_level_parse(SLICE("debug"), &level), 0);
    ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
    ck_assert_int_eq(log_level_parse(SLICE("Debug"), &level), -EINVAL);
    ck_assert_int_eq(log_level_parse(SLICE(""), &level), -EINVAL);
    ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
}
END_TEST

START_TEST(one_call_is_one_line)
{
    log_info("a", "one\ntwo\rthree\x1b");
    char *text = logged(path);
    ck_assert_ptr_nonnull(strstr(text, "a: one two three \n"));
    free(text);
}
END_TEST

START_TEST(a_long_line_is_cut_and_marked)
{
    log_info("a", "%010000d", 1);
    char *text = logged(path);
    size_t length = strlen(text);
    ck_assert_uint_le(length, 4096);
    ck_assert_uint_gt(length, 4000);
    ck_assert_str_eq(text + length - 5, "0...\n");
    free(text);
}
END_TEST

START_TEST(errno_is_kept_and_can_be_printed)
{
    errno = ENOENT;
    log_error("a", "%m");
    ck_assert_int_eq(errno, ENOENT);
    char *text = logged(path);
    ck_assert_ptr_nonnull(strstr(text, "No such file or directory\n"));
    free(text);
}
END_TEST

START_TEST(reopen_follows_a_rotation)
{
    char rotated[128];
    snprintf(rotated, sizeof(rotated), "%s.1", path);
    log_info("a", "before");
    ck_assert_int_eq(rename(path, rotated), 0);
    log_info("a", "between");
    ck_assert_int_eq(log_reopen(), 0);
    log_info("a", "after");
    char *old = logged(rotated);
    char *new = logged(path);
    ck_assert_ptr_nonnull(strstr(old, "between"));
    ck_assert_ptr_null(strstr(old, "after"));
    ck_assert_ptr_nonnull(strstr(new, "after"));
    ck_assert_ptr_null(strstr(new, "between"));
    free(old);
    free(new);
    unlink(rotated);
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_changes_nothing)
{
    ck_assert_int_eq(log_set_file("/nonexistent/log"), -ENOENT);
    log_info("a", "still here");
    char *text = logged(path);
    ck_assert_ptr_nonnull(strstr(text, "still here"));
    free(text);
}
END_TEST

enum { WRITERS = 3, LINES = 300 };

static void *writer(void *name)
{
    for (int i = 0; i < LINES; i++)
        log_info("thread", "%s%s%s", (char *)name, (char *)name, (char *)name);
    return NULL;
}

START_TEST(lines_of_several_threads_do_not_mix)
{
    static char names[WRITERS][8] = {"aaaaaaa", "bbbbbbb", "ccccccc"};
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, writer, names[i]), 0);
    ck_assert_int_eq(log_reopen(), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);

    char *text = logged(path);
    int lines = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        ck_assert_uint_eq(strlen(line), 24 + strlen(" info thread: ") + 21);
        lines++;
    }
    ck_assert_int_eq(lines, WRITERS * LINES);
    free(text);
}
END_TEST

START_TEST(the_limit_passes_a_burst_per_second)
{
    struct log_limit limit = {0};
    uint32_t held_back = 99;
    uint64_t now_us = 5000000;
    for (int i = 0; i < 3; i++)
        ck_assert(log_limit_pass(&limit, 3, now_us + (uint64_t)i, &held_back));
    ck_assert_uint_eq(held_back, 0);
    for (int i = 0; i < 7; i++)
        ck_assert(!log_limit_pass(&limit, 3, now_us + 999999, &held_back));
    ck_assert(log_limit_pass(&limit, 3, now_us + 1000000, &held_back));
    ck_assert_uint_eq(held_back, 7);
    ck_assert(log_limit_pass(&limit, 3, now_us + 1000000, &held_back));
    ck_assert_uint_eq(held_back, 0);
}
END_TEST

START_TEST(slices_are_encoded_terminated_and_cut)
{
    char memory[12];
    ck_assert_str_eq(log_slice(memory, sizeof(memory), SLICE("a\nb")), "a\\x0ab");
    ck_assert_str_eq(log_slice(memory, sizeof(memory), SLICE("12345678901")), "12345678901");
    ck_assert_str_eq(log_slice(memory, sizeof(memory), SLICE("123456789012")), "12345678...");
    ck_assert_str_eq(log_slice(memory, sizeof(memory), SLICE("123456\n89012")), "123456...");
    ck_assert_str_eq(log_slice(memory, 4, SLICE("12345")), "...");
    ck_assert_str_eq(log_slice(memory, 3, SLICE("12345")), "");
    ck_assert_str_eq(log_slice(memory, 12, slice_make(NULL, 0)), "");
}
END_TEST

/* In a child: which stream stderr is, is looked at once. */
START_TEST(the_journal_gets_priorities_instead_of_times)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct stat status;
        char stream[64];
        if (dup2(ends[1], STDERR_FILENO) < 0 || fstat(STDERR_FILENO, &status) != 0)
            _exit(1);
        snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
                 (unsigned long long)status.st_ino);
        setenv("JOURNAL_STREAM", stream, 1);
        execl("/proc/self/exe", "check_log", "journal", (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    char text[64] = {0};
    ck_assert_int_gt(read(ends[0], text, sizeof(text) - 1), 0);
    ck_assert_str_eq(text, "<4>area: text\n");
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "journal") == 0) {
        log_warning("area", "text");
        return 0;
    }
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_line_has_time_level_area_and_text);
    tcase_add_test(tests, levels_beyond_the_set_one_are_silent);
    tcase_add_test(tests, levels_are_parsed_by_name);
    tcase_add_test(tests, one_call_is_one_line);
    tcase_add_test(tests, a_long_line_is_cut_and_marked);
    tcase_add_test(tests, errno_is_kept_and_can_be_printed);
    tcase_add_test(tests, reopen_follows_a_rotation);
    tcase_add_test(tests, a_file_that_cannot_be_opened_changes_nothing);
    tcase_add_test(tests, lines_of_several_threads_do_not_mix);
    tcase_add_test(tests, the_limit_passes_a_burst_per_second);
    tcase_add_test(tests, slices_are_encoded_terminated_and_cut);
    tcase_add_test(tests, the_journal_gets_priorities_instead_of_times);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
