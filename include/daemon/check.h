/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check: would the daemon start with this configuration?
 */
#ifndef RINGFENCE_DAEMON_CHECK_H
#define RINGFENCE_DAEMON_CHECK_H

#include "config/report.h"

struct daemon_check_result {
    size_t rules;
    size_t tests_passed;
    size_t tests_failed;
};

/*
 * Loads configuration and rules exactly as the daemon does and runs the tests that stand in the
 * rules. 0, or ERROR_CONFIG with errors in the report; -ENOMEM. result may be NULL.
 */
int daemon_check(const char *path, struct conf_report *report,
                 struct daemon_check_result *result) MUST_CHECK;

#endif
