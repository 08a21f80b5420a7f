/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "rules/ruleset.h"
#include "schema_rows_int.h"

/* ---- tables ------------------------------------------------------------------------------- */

static const struct conf_choice value_choices[] = {
    {"integer", RULE_INTEGER, NULL},
    {"ratio", RULE_RATIO, NULL},
    {"duration", RULE_DURATION, NULL},
    {"text", RULE_TEXT, NULL},
    {"flag", RULE_FLAG, NULL},
    {"time", RULE_TIME, NULL},
    {0},
};

static const struct conf_row table_rows[] = {
    {.key = "value",
     .type = CONF_CHOICE,
     .flags = CONF_REQUIRED,
     .choices = value_choices,
     CONF_FIELD(struct rule_table_draft, type),
     .help = "The type of the values."},
    {.key = "numbers",
     .type = CONF_CUSTOM,
     .format = &rule_format_valued,
     .argument = RULE_KEEP_MAPPING,
     CONF_FIELD(struct rule_table_draft, numbers),
     .help = "Telephone numbers in E.164, each with its value; one that ends in * is a prefix."},
    {.key = "prefixes",
     .type = CONF_CUSTOM,
     .format = &rule_format_valued,
     .argument = RULE_KEEP_MAPPING,
     CONF_FIELD(struct rule_table_draft, prefixes),
     .help = "What telephone numbers begin with, each with its value."},
    {.key = "texts",
     .type = CONF_CUSTOM,
     .format = &rule_format_valued,
     .argument = RULE_KEEP_MAPPING,
     CONF_FIELD(struct rule_table_draft, texts),
     .help = "Texts, each with its value; one that ends in * is a prefix."},
    {.key = "file",
     .type = CONF_CUSTOM,
     .format = &rule_format_path,
     .argument = RULE_KEEP_SCALAR,
     CONF_FIELD(struct rule_table_draft, file),
     .help = "A file with an entry, blanks and its value on each line, beside the rule file. # "
             "begins a comment. Entries are numbers and prefixes (86138*), or texts if the table "
             "has texts:."},
};
const struct conf_section rule_table_section = {
    .name = "table", CONF_ROWS(table_rows), CONF_OBJECT(struct rule_table_draft)};

/* ---- scorecards --------------------------------------------------------------------------- */

static const struct conf_row bin_rows[] = {
    {.key = "below",
     .type = CONF_CUSTOM,
     .format = &rule_format_value,
     .argument = RULE_KEEP_SCALAR,
     CONF_FIELD(struct rule_bin_draft, below),
     .help = "For values below this one that no bin above has taken."},
    {.key = "is",
     .type = CONF_CUSTOM,
     .format = &rule_format_value,
     .argument = RULE_KEEP_SCALAR,
     CONF_FIELD(struct rule_bin_draft, is),
     .help = "For this value."},
    {.key = "in",
     .type = CONF_CUSTOM,
     .format = &rule_format_values,
     .argument = RULE_KEEP_SEQUENCE,
     CONF_FIELD(struct rule_bin_draft, in),
     .help = "For these values."},
    {.key = "points",
     .type = CONF_INTEGER,
     .flags = CONF_REQUIRED,
     .min = -RULE_POINTS_MAX,
     .max = RULE_POINTS_MAX,
     .unit = "points",
     CONF_FIELD(struct rule_bin_draft, points),
     .help = "What the bin adds."},
};

static int check_bin(struct conf_load *load, const struct conf_node *node, void *object)
{
    struct rule_bin_draft *bin = object;
    int tests = (bin->below.node != NULL) + (bin->is.node != NULL) + (bin->in.node != NULL);
    if (tests > 1) {
        conf_load_error(load, node, "a bin has one of \"below\", \"is\" and \"in\"");
        return ERROR_CONFIG;
    }
    bin->node = node;
    return 0;
}

static const struct conf_section bin_section = {
    .name = "bin",
    .help = "The first bin that a value belongs to gives its points; one without a test is for all "
            "other values and stands last.",
    CONF_ROWS(bin_rows),
    CONF_OBJECT(struct rule_bin_draft),
    .check = check_bin,
};

static const struct conf_row feature_rows[] = {
    {.key = "feature",
     .type = CONF_CUSTOM,
     .flags = CONF_REQUIRED,
     .format = &rule_format_feature,
     .argument = RULE_KEEP_SCALAR,
     CONF_FIELD(struct rule_feature_draft, feature),
     .help = "A feature, or what is reckoned from features: callee.raw, reputation.score + 5."},
    {.key = "bins",
     .type = CONF_SECTION_LIST,
     .flags = CONF_REQUIRED,
     .section = &bin_section,
     CONF_FIELD(struct rule_feature_draft, bins),
     .help = "Its values, cut into bins with points."},
    {.key = "missing",
     .type = CONF_INTEGER,
     .min = -RULE_POINTS_MAX,
     .max = RULE_POINTS_MAX,
     .fallback = "0",
     .unit = "points",
     CONF_FIELD(struct rule_feature_draft, missing),
     .help = "What it adds when it is unknown."},
};

static const struct conf_section feature_section = {
    .name = "feature", CONF_ROWS(feature_rows), CONF_OBJECT(struct rule_feature_draft)};

static const struct conf_row card_test_rows[] = {
    {.key = "given",
     .type = CONF_CUSTOM,
     .flags = CONF_REQUIRED,
     .format = &rule_format_given,
     .argument = RULE_KEEP_MAPPING,
     CONF_FIELD(struct rule_card_test_draft, given),
     .help = "Features with values, as in the tests of a rule."},
    {.key = "points",
     .type = CONF_INTEGER,
     .flags = CONF_REQUIRED,
     .min = -RULE_SCORE_MAX,
     .max = RULE_SCORE_MAX,
     .unit = "points",
     CONF_FIELD(struct rule_card_test_draft, points),
     .help = "What the card comes to; 0 where it does not apply."},
};

static int check_card_test(struct conf_load *load, const struct conf_node *node, void *object)
{
    (void)load;
    ((struct rule_card_test_draft *)object)->node = node;
    return 0;
}

static const struct conf_section card_test_section = {
    .name = "test",
    CONF_ROWS(card_test_rows),
    CONF_OBJECT(struct rule_card_test_draft),
    .check = check_card_test,
};

static_assert(offsetof(struct rule_card_draft, rule) == 0, "the rows of a rule fill a card");

static const struct conf_row card_rows[] = {
    RULE_ID_ROW(struct rule_draft, "Names the card like a rule; unique across files, rules "
                                   "included."),
    RULE_TITLE_ROW(struct rule_draft),
    RULE_WHEN_ROW(struct rule_draft, "Which calls it is for; without it, all."),
    RULE_UNLESS_ROW(struct rule_draft, "The exemption: the card counts only when this is false."),
    {.key = "intercept",
     .type = CONF_INTEGER,
     .min = -RULE_POINTS_MAX,
     .max = RULE_POINTS_MAX,
     .fallback = "0",
     .unit = "points",
     CONF_FIELD(struct rule_card_draft, intercept),
     .help = "Points that every call starts with. The sum is clipped to -100..100."},
    {.key = "features",
     .type = CONF_SECTION_LIST,
     .flags = CONF_REQUIRED,
     .section = &feature_section,
     CONF_FIELD(struct rule_card_draft, features),
     .help = "What points are given for."},
    RULE_LIFE_ROWS(struct rule_draft),
    RULE_LIMIT_ROWS(struct rule_draft),
    {.key = "tests",
     .type = CONF_SECTION_LIST,
     .section = &card_test_section,
     CONF_FIELD(struct rule_card_draft, tests),
     .help = "Examples that must come out as stated."},
};

static int check_card(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct rule_card_draft *card = object;
    return rule_check_life(load, node, &card->rule.life);
}

const struct conf_section rule_card_section = {
    .name = "scorecard",
    .identity = "id",
    .help = "A linear model: points of several features are added up.",
    CONF_ROWS(card_rows),
    CONF_OBJECT(struct rule_card_draft),
    .check = check_card,
};

/* ---- budgets ------------------------------------------------------------------------------ */

static const struct conf_row budget_rows[] = {
    {.key = "trunk",
     .type = CONF_TEXT,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = RULE_NOTE_MAX,
     CONF_FIELD(struct rule_budget_draft, trunk),
     .help = "The trunk's name, or * for each trunk that has no budget of its own."},
    {.key = "blocks",
     .type = CONF_CUSTOM,
     .flags = CONF_REQUIRED,
     .format = &rule_format_rate,
     CONF_FIELD(struct rule_budget_draft, blocks),
     .help = "How many of its calls lists and reputation may block in a time: 100/m."},
};

static int check_budget(struct conf_load *load, const struct conf_node *node, void *object)
{
    (void)load;
    ((struct rule_budget_draft *)object)->node = node;
    return 0;
}

const struct conf_section rule_budget_section = {
    .name = "budget",
    .identity = "trunk",
    CONF_ROWS(budget_rows),
    CONF_OBJECT(struct rule_budget_draft),
    .check = check_budget,
};
