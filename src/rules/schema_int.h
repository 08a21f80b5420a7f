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

enum { RULE_ID_MAX = 64, RULE_SCAM_TYPE_MAX = 32, RULE_NOTE_MAX = 100, RULE_POINTS_MAX = 1000 };

/* Kinds of nodes that a row with a format of the list below may have, as its argument. */
enum {
    RULE_KEEP_SCALAR = 1 << CONF_NODE_SCALAR,
    RULE_KEEP_SEQUENCE = 1 << CONF_NODE_SEQUENCE,
    RULE_KEEP_MAPPING = 1 << CONF_NODE_MAPPING
};

extern const struct conf_format rule_format_condition;
extern const struct conf_format rule_format_lists;
extern const struct conf_format rule_format_entries;
extern const struct conf_format rule_format_valued;
extern const struct conf_format rule_format_named;
extern const struct conf_format rule_format_feature;
extern const struct conf_format rule_format_value;
extern const struct conf_format rule_format_values;
extern const struct conf_format rule_format_given;
extern const struct conf_format rule_format_path;
extern const struct conf_format rule_format_target;
extern const struct conf_format rule_format_token; /* argument: the greatest length */
extern const struct conf_format rule_format_title;
extern const struct conf_format rule_format_time;
extern const struct conf_format rule_format_profile;
extern const struct conf_format rule_format_rate;
extern const struct conf_choice rule_mode_choices[];
extern const struct conf_section rule_title_section;

/* A value as it stands in the file, for what only the loader can judge. */
struct rule_kept {
    const struct conf_node *node; /* NULL when it was not written, or is wrong */
};

struct rule_list_draft {
    struct rule_kept numbers;
    struct rule_kept prefixes;
    struct rule_kept texts;
    struct rule_kept networks;
    struct rule_kept file;
};

struct rule_table_draft {
    int type; /* enum rule_type */
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

/* What a group says for all its rules. */
struct rule_life_draft {
    struct slice type;
    int mode; /* enum rule_mode */
    int64_t starts_us;
    int64_t expires_us;
    struct slice owner;
    struct slice ticket;
};

struct rule_draft {
    struct slice id;
    struct rule_title_draft title;
    struct rule_kept when;
    struct rule_kept unless;
    int64_t score;
    struct rule_life_draft life;
    double rollout; /* percent */
    struct rule_rate budget;
    struct rule_step_draft action;
    struct conf_object_list tests; /* of struct rule_test_draft */
};

struct rule_group_draft {
    struct slice id;
    struct rule_kept when;
    struct rule_kept unless;
    struct rule_life_draft life;
    struct conf_object_list rules; /* of struct rule_draft */
};

/* One bin of a feature; without a test it is for all other values. */
struct rule_bin_draft {
    struct rule_kept below;
    struct rule_kept is;
    struct rule_kept in;
    int64_t points;
    const struct conf_node *node; /* NULL when it is wrong */
};

struct rule_feature_draft {
    struct rule_kept feature;
    struct conf_object_list bins; /* of struct rule_bin_draft */
    int64_t missing;
};

struct rule_card_test_draft {
    struct rule_kept given;
    int64_t points;
    const struct conf_node *node; /* NULL when it is wrong */
};

/* A scorecard. `rule` stands first, so that the rows of a rule fill it too. */
struct rule_card_draft {
    struct rule_draft rule;
    int64_t intercept;
    struct conf_object_list features; /* of struct rule_feature_draft */
    struct conf_object_list tests;    /* of struct rule_card_test_draft */
};

struct rule_budget_draft {
    struct slice trunk;
    struct rule_rate blocks;
    const struct conf_node *node; /* NULL when it is wrong */
};

struct rule_file_draft {
    struct rule_kept lists;
    struct rule_kept tables;
    struct rule_kept conditions;
    struct conf_object_list rules;   /* of struct rule_draft */
    struct conf_object_list groups;  /* of struct rule_group_draft */
    struct conf_object_list cards;   /* of struct rule_card_draft */
    struct conf_object_list budgets; /* of struct rule_budget_draft */
    struct conf_object_list steps;   /* of struct rule_step_draft */
};

/* Checks what no single row can say. */
int rule_check_life(struct conf_load *load, const struct conf_node *node,
                    const struct rule_life_draft *life) MUST_CHECK;

/* Whether the text is 1..max bytes of a-z, 0-9, "." "_" "-", beginning with a letter or digit. */
bool rule_is_token(struct slice text, size_t max);

#endif
