/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static char path[96];

static void set_up(void)
{
    strcpy(folder, "/tmp/check_file.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/data", folder);
}

static void tear_down(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0); /* so no temporary file was left behind */
}

static void assert_read(const char *name, size_t limit, struct slice expected)
{
    char *text = NULL;
    size_t length = 0;
    ck_assert_int_eq(file_read(name, limit, &text, &length), 0);
    ck_assert(slice_equal(slice_make(text, length), expected));
    ck_assert_int_eq(text[length], '\0');
    free(text);
}

START_TEST(what_was_written_is_read)
{
    ck_assert_int_eq(file_write_atomic(path, SLICE("a\0b\n"), 0600), 0);
    assert_read(path, 4, SLICE("a\0b\n"));
    ck_assert_int_eq(file_write_atomic(path, SLICE(""), 0644), 0);
    assert_read(path, 0, SLICE(""));
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0644);
}
END_TEST

START_TEST(large_files_come_whole)
{
    enum { LENGTH = 3000001 };
    char *bytes = malloc(LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = (char)(i % 251);
    ck_assert_int_eq(file_write_atomic(path, slice_make(bytes, LENGTH), 0600), 0);
    assert_read(path, LENGTH, slice_make(bytes, LENGTH));
    free(bytes);
}
END_TEST

START_TEST(the_limit_is_exact)
{
    char *text = NULL;
    size_t length = 0;
    ck_assert_int_eq(file_write_atomic(path, SLICE("12345"), 0600), 0);
    ck_assert_int_eq(file_read(path, 4, &text, &length), -EFBIG);
    ck_assert_int_eq(file_read(path, 0, &text, &length), -EFBIG);
    ck_assert_ptr_null(text);
    assert_read(path, 5, SLICE("12345"));
    assert_read(path, SIZE_MAX, SLICE("12345"));
}
END_TEST

START_TEST(a_file_that_claims_no_size_is_read_all_the_same)
{
    char *text = NULL;
    size_t length = 0;
    ck_assert_int_eq(file_read("/proc/self/status", 1 << 20, &text, &length), 0);
    ck_assert_ptr_nonnull(strstr(text, "VmSize:"));
    free(text);
    ck_assert_int_eq(file_read("/dev/zero", 100000, &text, &length), -EFBIG);
}
END_TEST

START_TEST(errors_of_the_system_pass_through)
{
    char *text = NULL;
    size_t length = 0;
    ck_assert_int_eq(file_read(path, 10, &text, &length), -ENOENT);
    ck_assert_int_eq(file_read(folder, 10, &text, &length), -EISDIR);
    ck_assert_int_eq(file_write_atomic("/nonexistent/x", SLICE("a"), 0600), -ENOENT);
}
END_TEST

/* The fixture sees whether the temporary file is gone. */
START_TEST(a_failed_rename_leaves_nothing_behind)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(file_write_atomic(path, SLICE("a"), 0600), -EISDIR);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(names_are_resolved_beside_a_file)
{
    char out[32];
    ck_assert_int_eq(file_beside("/etc/ringfence/a.yaml", "b.txt", out, sizeof(out)), 0);
    ck_assert_str_eq(out, "/etc/ringfence/b.txt");
    ck_assert_int_eq(file_beside("/etc/a.yaml", "/x/y", out, sizeof(out)), 0);
    ck_assert_str_eq(out, "/x/y");
    ck_assert_int_eq(file_beside("a.yaml", "lists/b", out, sizeof(out)), 0);
    ck_assert_str_eq(out, "lists/b");
    ck_assert_int_eq(file_beside("/a", "b", out, sizeof(out)), 0);
    ck_assert_str_eq(out, "/b");
}
END_TEST

START_TEST(a_path_that_would_be_cut_is_refused)
{
    char out[8];
    ck_assert_int_eq(file_beside("/etc/a", "bc", out, sizeof(out)), 0);
    ck_assert_str_eq(out, "/etc/bc");
    ck_assert_int_eq(file_beside("/etc/a", "bcd", out, sizeof(out)), -ENAMETOOLONG);
    ck_assert_int_eq(file_beside("/etc/a", "", out, sizeof(out)), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file");
    TCase *tests = tcase_create("file");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_was_written_is_read);
    tcase_add_test(tests, large_files_come_whole);
    tcase_add_test(tests, the_limit_is_exact);
    tcase_add_test(tests, a_file_that_claims_no_size_is_read_all_the_same);
    tcase_add_test(tests, errors_of_the_system_pass_through);
    tcase_add_test(tests, a_failed_rename_leaves_nothing_behind);
    tcase_add_test(tests, names_are_resolved_beside_a_file);
    tcase_add_test(tests, a_path_that_would_be_cut_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
