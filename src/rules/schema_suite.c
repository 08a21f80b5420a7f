/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/action.h"
#include "rules/ruleset.h"
#include "schema_suite_int.h"

enum { SUITE_NAME_MAX = 200 };

static const struct conf_choice action_choices[] = {
#define ACTION_CHOICE(name, word) {(word), (name), NULL},
    RULE_ACTION_TABLE(ACTION_CHOICE)
#undef ACTION_CHOICE
        {0},
};

static const struct conf_row expect_rows[] = {
    {.key = "action",
     .type = CONF_CHOICE,
     .choices = action_choices,
     CONF_FIELD(struct rule_expect_draft, action),
     .help = "What happens to the call; allow also when nothing is demanded."},
    {.key = "score",
     .type = CONF_INTEGER,
     .max = RULE_SCORE_MAX,
     .unit = "points",
     CONF_FIELD(struct rule_expect_draft, score),
     .help = "The sum of the points, clipped to 0..100."},
    {.key = "type",
     .type = CONF_TEXT,
     .max = RULE_SCAM_TYPE_MAX,
     CONF_FIELD(struct rule_expect_draft, type),
     .help = "The scam type; \"\" for none."},
    {.key = "fired",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct rule_expect_draft, ids[RULE_EXPECT_FIRED]),
     .help = "The ids of all rules and scorecards that fire and are enforced, in any order."},
    {.key = "shadow",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct rule_expect_draft, ids[RULE_EXPECT_SHADOW]),
     .help = "The ids of all that fire in shadow."},
    {.key = "unknown",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct rule_expect_draft, ids[RULE_EXPECT_UNKNOWN]),
     .help = "The ids of all that cannot be decided."},
};

static int check_expect(struct conf_load *load, const struct conf_node *node, void *object)
{
    if (node == NULL || node->count > 0) {
        ((struct rule_expect_draft *)object)->node = node;
        return 0;
    }
    conf_load_error(load, node, "nothing is expected");
    conf_report_expect(load->report, "at least one of action, score, type, fired, shadow and "
                                     "unknown");
    return ERROR_CONFIG;
}

static const struct conf_section expect_section = {
    .name = "expect",
    .help = "What the call comes to; what is left out does not matter.",
    CONF_ROWS(expect_rows),
    CONF_OBJECT(struct rule_expect_draft),
    .check = check_expect,
};

static const struct conf_row case_rows[] = {
    {.key = "name",
     .type = CONF_TEXT,
     .max = SUITE_NAME_MAX,
     CONF_FIELD(struct rule_case_draft, name),
     .help = "What it shows, for people."},
    {.key = "given",
     .type = CONF_CUSTOM,
     .flags = CONF_REQUIRED,
     .format = &rule_format_given,
     .argument = RULE_KEEP_MAPPING,
     CONF_FIELD(struct rule_case_draft, given),
     .help = "The call: features with values, as in the tests of a rule. Dates of rules and list "
             "entries are judged by time.now, which is now unless it is given."},
    {.key = "expect",
     .type = CONF_SECTION,
     .flags = CONF_REQUIRED,
     .section = &expect_section,
     CONF_FIELD(struct rule_case_draft, expect),
     .help = "What all rules together come to."},
};

static const struct conf_section case_section = {
    .name = "test", CONF_ROWS(case_rows), CONF_OBJECT(struct rule_case_draft)};

static const struct conf_row suite_rows[] = {
    {.key = "tests",
     .type = CONF_SECTION_LIST,
     .flags = CONF_REQUIRED,
     .min = 1,
     .section = &case_section,
     CONF_FIELD(struct rule_suite_draft, cases),
     .help = "Calls with what they must come to."},
};

const struct conf_section rule_suite_section = {
    .name = "tests",
    .help = "A file of tests for whole calls.",
    CONF_ROWS(suite_rows),
    CONF_OBJECT(struct rule_suite_draft),
};
