/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message_test: what the tests of this folder share.
 */
#ifndef RINGFENCE_MESSAGE_TEST_H
#define RINGFENCE_MESSAGE_TEST_H

#include <check.h>
#include <stdlib.h>

#include "message/scan.h"

/* A copy of exactly the size, so that a sanitizer sees any byte read beyond it. */
static inline struct slice test_exact(struct slice text)
{
    char *bytes = malloc(text.length > 0 ? text.length : 1);

    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, text.data, text.length);
    return slice_make(bytes, text.length);
}

static inline void test_release(struct slice exact)
{
    free((void *)(uintptr_t)exact.data);
}

/* The slice holds exactly this text. */
#define ck_assert_slice(seen, text)                                                  \
    do {                                                                             \
        struct slice seen_ = (seen);                                                 \
        ck_assert_msg(seen_.data != NULL && slice_equal(seen_, slice_of_text(text)), \
                      "%s is \"%.*s\", not \"%s\"", #seen, SLICE_ARGS(seen_), text); \
    } while (0)

#define ck_assert_absent(seen) ck_assert_ptr_null((seen).data)

static inline int test_run(const char *name, void (*add)(TCase *))
{
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);
    SRunner *runner;
    int failed;

    add(tests);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
