/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_rows_int.h"

#include "rules/action.h"
#include "rules/evaluate.h"
#include "rules/ruleset.h"

enum { URI_MAX = 256 };

static const struct conf_choice action_choices[] = {
#define ACTION_CHOICE(name, word) {(word), (name), NULL},
    RULE_ACTION_TABLE(ACTION_CHOICE)
#undef ACTION_CHOICE
        {0},
};

static const struct conf_choice profile_choices[] = {
#define PROFILE_CHOICE(name, word, status) {(word), (name), NULL},
    RULE_PROFILE_TABLE(PROFILE_CHOICE)
#undef PROFILE_CHOICE
        {0},
};

static const struct conf_choice per_choices[] = {
#define PER_CHOICE(name, word) {(word), (name), NULL},
    RULE_RATE_PER_TABLE(PER_CHOICE)
#undef PER_CHOICE
        {0},
};

/* The first row is not for the action of a rule. */
static const struct conf_row step_rows[] = {
    {.key = "at",
     .type = CONF_INTEGER,
     .flags = CONF_REQUIRED,
     .min = 0,
     .max = RULE_SCORE_MAX,
     .unit = "points",
     CONF_FIELD(struct rule_step_draft, at),
     .help = "The score from which on this step holds, up to the next higher step."},
    {.key = "do",
     .type = CONF_CHOICE,
     .flags = CONF_REQUIRED,
     .choices = action_choices,
     CONF_FIELD(struct rule_step_draft, kind),
     .help = "What happens to the call."},
    {.key = "with",
     .type = CONF_CUSTOM,
     .format = &rule_format_profile,
     .choices = profile_choices,
     .fallback = "603",
     CONF_FIELD(struct rule_step_draft, profile),
     .help = "block: how the call is answered. 603+ is the ATIS-1000099 form of 603."},
    {.key = "to",
     .type = CONF_CUSTOM,
     .format = &rule_format_target,
     .argument = RULE_KEEP_SCALAR,
     CONF_FIELD(struct rule_step_draft, target),
     .help = "divert: the trunk or the sip:, sips: or tel: URI that gets the call."},
    {.key = "rate",
     .type = CONF_CUSTOM,
     .format = &rule_format_rate,
     CONF_FIELD(struct rule_step_draft, rate),
     .help = "limit: calls that pass in a time; further ones get the code under else."},
    {.key = "per",
     .type = CONF_CHOICE,
     .choices = per_choices,
     .fallback = "caller",
     CONF_FIELD(struct rule_step_draft, per),
     .help = "limit: whose calls share one rate."},
    {.key = "else",
     .type = CONF_INTEGER,
     .min = 400,
     .max = 699,
     .fallback = "603",
     CONF_FIELD(struct rule_step_draft, code),
     .help = "limit: the response code of calls beyond the rate."},
};

/* Which keys belong to which action. */
static const struct {
    const char *key;
    enum rule_action_kind kind;
    bool required;
} step_keys[] = {
    {"with", RULE_BLOCK, false}, {"to", RULE_DIVERT, true},   {"rate", RULE_LIMIT, true},
    {"per", RULE_LIMIT, false},  {"else", RULE_LIMIT, false},
};

static int check_target(struct conf_load *load, const struct conf_node *target)
{
    struct conf_quote quote;
    bool is_uri = slice_find(target->text, ':') < target->text.length;
    bool bad = target->text.length == 0 || target->text.length > URI_MAX;
    for (size_t i = 0; !bad && i < target->text.length; i++) {
        unsigned char byte = (unsigned char)target->text.data[i];
        bad = byte <= ' ' || byte == 0x7f || strchr("<>\"", byte) != NULL;
    }
    if (is_uri)
        bad = bad || !(slice_starts_with_nocase(target->text, SLICE("sip:")) ||
                       slice_starts_with_nocase(target->text, SLICE("sips:")) ||
                       slice_starts_with_nocase(target->text, SLICE("tel:")));
    if (!bad)
        return 0;
    conf_load_error(load, target, "to: %s is neither a trunk's name nor a URI",
                    conf_load_quote(load, target, &quote));
    conf_report_expect(load->report, "%s", rule_format_target.example);
    return ERROR_CONFIG;
}

static int check_step(struct conf_load *load, const struct conf_node *node, void *object)
{
    struct rule_step_draft *step = object;
    if (node == NULL)
        return 0;
    for (size_t i = 0; i < sizeof(step_keys) / sizeof(step_keys[0]); i++) {
        const struct conf_node *value = conf_node_get(node, step_keys[i].key);
        bool belongs = (int)step_keys[i].kind == step->kind;
        if (belongs && step_keys[i].required && value == NULL) {
            conf_load_error(load, node, "%s needs \"%s\"", rule_action_name(step_keys[i].kind),
                            step_keys[i].key);
            return ERROR_CONFIG;
        }
        if (!belongs && value != NULL) {
            conf_load_error(load, value, "\"%s\" means nothing to %s", step_keys[i].key,
                            rule_action_name((enum rule_action_kind)step->kind));
            conf_report_expect(load->report, "it belongs to do: %s",
                               rule_action_name(step_keys[i].kind));
            return ERROR_CONFIG;
        }
    }
    if (step->target.node != NULL && check_target(load, step->target.node) != 0)
        return ERROR_CONFIG;
    step->node = node;
    return 0;
}

const struct conf_section rule_step_section = {
    .name = "step",
    .help = "The highest threshold that the score reaches decides.",
    CONF_ROWS(step_rows),
    CONF_OBJECT(struct rule_step_draft),
    .check = check_step,
};

const struct conf_section rule_action_section = {
    .name = "action",
    .help = "What a rule demands by itself, whatever the score.",
    .rows = step_rows + 1,
    .row_count = sizeof(step_rows) / sizeof(step_rows[0]) - 1,
    CONF_OBJECT(struct rule_step_draft),
    .check = check_step,
};

/* ---- lists, rules, tests, files ------------------------------------------------------------- */

static const struct conf_row list_rows[] = {
    {.key = "numbers",
     .type = CONF_CUSTOM,
     .format = &rule_format_entries,
     .argument = RULE_KEEP_SEQUENCE,
     CONF_FIELD(struct rule_list_draft, numbers),
     .help = "Telephone numbers in E.164; one that ends in * is a prefix."},
    {.key = "prefixes",
     .type = CONF_CUSTOM,
     .format = &rule_format_entries,
     .argument = RULE_KEEP_SEQUENCE,
     CONF_FIELD(struct rule_list_draft, prefixes),
     .help = "What telephone numbers begin with."},
    {.key = "texts",
     .type = CONF_CUSTOM,
     .format = &rule_format_entries,
     .argument = RULE_KEEP_SEQUENCE,
     CONF_FIELD(struct rule_list_draft, texts),
     .help = "Texts, compared byte by byte; one that ends in * is a prefix."},
    {.key = "networks",
     .type = CONF_CUSTOM,
     .format = &rule_format_entries,
     .argument = RULE_KEEP_SEQUENCE,
     CONF_FIELD(struct rule_list_draft, networks),
     .help = "IP addresses and networks (10.0.0.0/8, 2001:db8::/32), for features that are "
             "addresses."},
    {.key = "file",
     .type = CONF_CUSTOM,
     .format = &rule_format_path,
     .argument = RULE_KEEP_SCALAR,
     CONF_FIELD(struct rule_list_draft, file),
     .help =
         "A file with one entry a line, beside the rule file. # begins a comment. Entries are "
         "numbers and prefixes (86138*), or texts if the list has texts:, or networks if it has "
         "networks:."},
};
const struct conf_section rule_list_section = {
    .name = "list", CONF_ROWS(list_rows), CONF_OBJECT(struct rule_list_draft)};

/* Rows that hold for the life of a rule, of all rules of a group, or of a scorecard. */
const struct conf_choice rule_mode_choices[] = {
    {"enforce", RULE_ENFORCE, "its points and action count"},
    {"shadow", RULE_SHADOW, "it is evaluated and reported, but changes no call"},
    {"off", RULE_OFF, "it is checked, but not evaluated"},
    {0},
};

static const struct conf_choice expect_choices[] = {
    {"fires", RULE_TRUE, NULL},
    {"no", RULE_FALSE, NULL},
    {"unknown", RULE_UNKNOWN, NULL},
    {0},
};

static const struct conf_row test_rows[] = {
    {.key = "given",
     .type = CONF_CUSTOM,
     .flags = CONF_REQUIRED,
     .format = &rule_format_given,
     .argument = RULE_KEEP_MAPPING,
     CONF_FIELD(struct rule_test_draft, given),
     .help = "Features with values; null is unknown, and so is what is left out. A header is "
             "written header.X-Name."},
    {.key = "expect",
     .type = CONF_CHOICE,
     .flags = CONF_REQUIRED,
     .choices = expect_choices,
     CONF_FIELD(struct rule_test_draft, expected),
     .help = "What the condition comes to."},
};
const struct conf_section rule_test_section = {
    .name = "test", CONF_ROWS(test_rows), CONF_OBJECT(struct rule_test_draft)};

static const struct conf_row rule_rows[] = {
    RULE_ID_ROW(struct rule_draft, "Names the rule in verdicts, counts and events; unique across "
                                   "files, scorecards included."),
    RULE_TITLE_ROW(struct rule_draft),
    {.key = "when",
     .type = CONF_CUSTOM,
     .flags = CONF_REQUIRED,
     .format = &rule_format_condition,
     .argument = RULE_KEEP_SCALAR,
     CONF_FIELD(struct rule_draft, when),
     .help = "The condition. The rule fires when it is true, not when it is unknown."},
    RULE_UNLESS_ROW(struct rule_draft, "The exemption: the rule fires only when this is false."),
    {.key = "score",
     .type = CONF_INTEGER,
     .min = -RULE_SCORE_MAX,
     .max = RULE_SCORE_MAX,
     .fallback = "0",
     .unit = "points",
     CONF_FIELD(struct rule_draft, score),
     .help = "Points that are added when it fires; the sum is clipped to 0..100."},
    RULE_LIFE_ROWS(struct rule_draft),
    RULE_LIMIT_ROWS(struct rule_draft),
    {.key = "action",
     .type = CONF_SECTION,
     .section = &rule_action_section,
     CONF_FIELD(struct rule_draft, action),
     .help = "What it demands by itself when it fires, whatever the score."},
    {.key = "tests",
     .type = CONF_SECTION_LIST,
     .section = &rule_test_section,
     CONF_FIELD(struct rule_draft, tests),
     .help = "Examples that must come out as stated."},
};

int rule_check_life(struct conf_load *load, const struct conf_node *node,
                    const struct rule_life_draft *life)
{
    const struct conf_node *expires = conf_node_get(node, "expires");
    if (expires != NULL && conf_node_get(node, "starts") != NULL &&
        life->expires_us <= life->starts_us) {
        conf_load_error(load, expires, "it expires before it starts");
        return ERROR_CONFIG;
    }
    return 0;
}

static int check_rule(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct rule_draft *rule = object;
    if (conf_node_get(node, "score") == NULL && rule->action.node == NULL) {
        conf_load_error(load, node, "it has neither \"score\" nor \"action\"");
        conf_report_hint(load->report, "give it points: score: 40");
        return ERROR_CONFIG;
    }
    return rule_check_life(load, node, &rule->life);
}

const struct conf_section rule_rule_section = {
    .name = "rule",
    .identity = "id",
    CONF_ROWS(rule_rows),
    CONF_OBJECT(struct rule_draft),
    .check = check_rule,
};

static const struct conf_row group_rows[] = {
    RULE_ID_ROW(struct rule_group_draft, "Names the group in messages and in `explain`."),
    RULE_WHEN_ROW(struct rule_group_draft, "What all its rules require besides their own."),
    RULE_UNLESS_ROW(struct rule_group_draft, "An exemption from all its rules."),
    RULE_LIFE_ROWS(struct rule_group_draft),
    {.key = "rules",
     .type = CONF_SECTION_LIST,
     .flags = CONF_REQUIRED,
     .section = &rule_rule_section,
     CONF_FIELD(struct rule_group_draft, rules),
     .help = "The rules. What one of them writes itself takes the place of the group's type, mode, "
             "dates, owner and ticket."},
};

static int check_group(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct rule_group_draft *group = object;
    return rule_check_life(load, node, &group->life);
}

const struct conf_section rule_group_section = {
    .name = "group",
    .identity = "id",
    .help = "Rules that share conditions and what is said of their life.",
    CONF_ROWS(group_rows),
    CONF_OBJECT(struct rule_group_draft),
    .check = check_group,
};

static const struct conf_row file_rows[] = {
    {.key = "lists",
     .type = CONF_CUSTOM,
     .format = &rule_format_lists,
     .argument = RULE_KEEP_MAPPING,
     .section = &rule_list_section,
     CONF_FIELD(struct rule_file_draft, lists),
     .help = "Lists, for use behind in, by name."},
    {.key = "tables",
     .type = CONF_CUSTOM,
     .format = &rule_format_lists,
     .argument = RULE_KEEP_MAPPING,
     .section = &rule_table_section,
     CONF_FIELD(struct rule_file_draft, tables),
     .help = "Lists whose entries carry a value, for lookup(), by name."},
    {.key = "conditions",
     .type = CONF_CUSTOM,
     .format = &rule_format_named,
     .argument = RULE_KEEP_MAPPING,
     CONF_FIELD(struct rule_file_draft, conditions),
     .help = "Conditions by name, for use in others and in rules of any file."},
    {.key = "rules",
     .type = CONF_SECTION_LIST,
     .section = &rule_rule_section,
     CONF_FIELD(struct rule_file_draft, rules),
     .help = "The rules."},
    {.key = "groups",
     .type = CONF_SECTION_LIST,
     .section = &rule_group_section,
     CONF_FIELD(struct rule_file_draft, groups),
     .help = "Rules that share conditions; they come behind those of rules:."},
    {.key = "scorecards",
     .type = CONF_SECTION_LIST,
     .section = &rule_card_section,
     CONF_FIELD(struct rule_file_draft, cards),
     .help = "Points from several features at once."},
    {.key = "budgets",
     .type = CONF_SECTION_LIST,
     .section = &rule_budget_section,
     CONF_FIELD(struct rule_file_draft, budgets),
     .help = "How many calls of a trunk may be blocked by lists and reputation."},
    {.key = "policy",
     .type = CONF_SECTION_LIST,
     .section = &rule_step_section,
     CONF_FIELD(struct rule_file_draft, steps),
     .help = "What a score comes to. One file of all may have it."},
};
const struct conf_section rule_file_section = {
    .name = "rules", CONF_ROWS(file_rows), CONF_OBJECT(struct rule_file_draft)};
