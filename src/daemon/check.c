/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/check.h"

#include "base/clock.h"
#include "daemon/snapshot.h"

int daemon_check(const char *path, struct conf_report *report, struct daemon_check_result *result)
{
    struct daemon_snapshot *snapshot = NULL;
    struct daemon_check_result counted = {0, 0, 0};
    int error = daemon_snapshot_load(path, NULL, NULL, report, &snapshot);
    if (error == 0) {
        const struct rule_set *rules = screen_policy_rules(snapshot->policy);
        struct screen_derivation derivation;
        struct rule_test_result tests = {0, 0};
        rule_set_review(rules, clock_wall_us(), report);
        screen_derivation_init(&derivation);
        error = rule_set_run_tests(rules, screen_derive, &derivation, report, &tests);
        counted.rules = rule_set_count(rules);
        counted.tests_passed = tests.passed;
        counted.tests_failed = tests.failed;
    }
    if (result != NULL)
        *result = counted;
    daemon_snapshot_destroy(snapshot);
    return error;
}
