/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema: how the parts of a rule file fill drafts, from which the loader builds a set.
 *
 * Drafts keep nodes where the loader needs the place of what was written. A draft whose loading
 * failed has zeros for what was wrong, so that the rest can still be checked.
 */
#ifndef RINGFENCE_RULES_SCHEMA_INT_H
#define RINGFENCE_RULES_SCHEMA_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "config/document.h"
#include "config/schema.h"
#include "rules/schema.h"

enum { RULE_ID_MAX = 64 };

/* A value as it stands in the file, for what only the loader can judge. */
struct rule_kept {
    const struct conf_node *node; /* NULL when it was not written, or is wrong */
};

struct rule_list_draft {
    struct rule_kept numbers;
    struct rule_kept prefixes;
    struct rule_kept texts;
    struct rule_kept file;
};

struct rule_title_draft {
    struct slice en;
    struct slice zh;
};

struct rule_rate {
    uint32_t count;
    uint64_t period_us;
};

/* A policy step, or the action of a rule, which has no `at`. */
struct rule_step_draft {
    int64_t at;
    int kind;    /* enum rule_action_kind */
    int profile; /* enum rule_profile */
    struct rule_kept target;
    struct rule_rate rate;
    int per; /* enum rule_rate_per */
    int64_t code;
    const struct conf_node *node; /* of the whole; NULL when it is absent or wrong */
};

struct rule_test_draft {
    struct rule_kept given;
    int expected; /* enum rule_result */
};

struct rule_draft {
    struct slice id;
    struct rule_title_draft title;
    struct rule_kept when;
    int64_t score;
    struct slice type;
    int mode; /* enum rule_mode */
    int64_t starts_us;
    int64_t expires_us;
    struct slice owner;
    struct slice ticket;
    struct rule_step_draft action;
    struct conf_object_list tests; /* of struct rule_test_draft */
};

struct rule_file_draft {
    struct rule_kept lists;
    struct conf_object_list rules; /* of struct rule_draft */
    struct conf_object_list steps; /* of struct rule_step_draft */
};

/* Whether the text is 1..max bytes of a-z, 0-9, "." "_" "-", beginning with a letter or digit. */
bool rule_is_token(struct slice text, size_t max);

#endif
