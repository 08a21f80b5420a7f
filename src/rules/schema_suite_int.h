/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_suite: drafts of a file of tests for whole calls.
 */
#ifndef RINGFENCE_RULES_SCHEMA_SUITE_INT_H
#define RINGFENCE_RULES_SCHEMA_SUITE_INT_H

#include "schema_int.h"

/* Lists of ids that a test for a whole call may expect. */
enum rule_expect_ids {
    RULE_EXPECT_FIRED,
    RULE_EXPECT_SHADOW,
    RULE_EXPECT_UNKNOWN,
    RULE_EXPECT_IDS_COUNT
};

struct rule_expect_draft {
    int action; /* enum rule_action_kind */
    int64_t score;
    struct slice type;
    struct conf_text_list ids[RULE_EXPECT_IDS_COUNT];
    const struct conf_node *node; /* tells what is written; NULL when it is wrong */
};

struct rule_case_draft {
    struct slice name;
    struct rule_kept given;
    struct rule_expect_draft expect;
};

struct rule_suite_draft {
    struct conf_object_list cases; /* of struct rule_case_draft */
};

#endif
