/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check: would the daemon start with this configuration, and are these rule files right?
 */
#ifndef RINGFENCE_DAEMON_CHECK_H
#define RINGFENCE_DAEMON_CHECK_H

#include <stdint.h>

#include "config/report.h"

struct daemon_check_result {
    size_t rules;
    size_t tests_passed;
    size_t tests_failed;
};

/* X(name, word) */
#define DAEMON_FILE_TABLE(X)                      \
    X(DAEMON_FILE_CONFIGURATION, "configuration") \
    X(DAEMON_FILE_RULES, "rules")                 \
    X(DAEMON_FILE_TESTS, "tests")

enum daemon_file {
#define DAEMON_FILE_ROW(name, word) name,
    DAEMON_FILE_TABLE(DAEMON_FILE_ROW)
#undef DAEMON_FILE_ROW
        DAEMON_FILE_COUNT
};

/* What a file is, told by the keys at its left margin, however broken the rest may be. A
 * configuration, when nothing tells. */
enum daemon_file daemon_file_kind(const char *path);

/* A configuration, or else rule files by themselves; and files of tests for whole calls. */
struct daemon_check_request {
    const char *configuration; /* NULL: the rule files are checked */
    const char *const *rules;
    size_t rule_count;
    const char *const *tests;
    size_t test_count;
    uint64_t wall_us; /* what has expired at this time is warned of */
};

/*
 * Loads the files exactly as the daemon does and runs the tests, those in the rules first. 0, or
 * ERROR_CONFIG with errors in the report; -ENOMEM. result may be NULL.
 */
int daemon_check(const struct daemon_check_request *request, struct conf_report *report,
                 struct daemon_check_result *result) MUST_CHECK;

#endif
