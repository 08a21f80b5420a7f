/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite: files of tests for whole calls: what all rules together come to.
 */
#ifndef RINGFENCE_RULES_SUITE_H
#define RINGFENCE_RULES_SUITE_H

#include <stdint.h>

#include "base/error.h"
#include "rules/ruleset.h"

/* What tests get besides the values that they give. */
struct rule_suite_world {
    rule_derive_fn *derive; /* NULL is allowed */
    void *context;
    int clock;        /* the feature that tells when the call came in, or RULE_NONE */
    uint64_t wall_us; /* when it comes in, unless a test says otherwise */
};

/*
 * Runs the tests of a file in order. Each is one call; roll-outs count as complete, so that the
 * outcome does not hang on a Call-ID. What is wrong with the file and each failure is an error in
 * the report. *result is added to. 0, ERROR_CONFIG or -ENOMEM.
 */
int rule_suite_run(const struct rule_set *set, const char *path,
                   const struct rule_suite_world *world, struct conf_report *report,
                   struct rule_test_result *result) MUST_CHECK;

/* The same from memory. */
int rule_suite_run_source(const struct rule_set *set, const struct rule_source *source,
                          const struct rule_suite_world *world, struct conf_report *report,
                          struct rule_test_result *result) MUST_CHECK;

#endif
