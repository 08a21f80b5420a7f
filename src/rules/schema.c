/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_int.h"

#include <errno.h>

#include "config/value.h"
#include "literal_int.h"
#include "rules/action.h"
#include "rules/evaluate.h"
#include "rules/ruleset.h"

enum { TYPE_MAX = 32, TITLE_MAX = 200, NOTE_MAX = 100, URI_MAX = 256 };

#define RATE_COUNT_MAX 1000000U

/* ---- types of this folder ------------------------------------------------------------------- */

/* Keeps the node itself, for what only the loader can judge. */
static int keep_node(struct conf_load *load, const struct conf_row *row,
                     const struct conf_node *node, void *field)
{
    (void)load;
    (void)row;
    ((struct rule_kept *)field)->node = node;
    return 0;
}

/* The row's argument is 1 + the enum conf_node_kind that it must have. */
static int keep_kind(struct conf_load *load, const struct conf_row *row,
                     const struct conf_node *node, void *field)
{
    if (node->kind + 1 == row->argument)
        return keep_node(load, row, node, field);
    conf_load_error(load, node, "%s is a %s", row->key, conf_node_kind_name(node));
    conf_report_expect(load->report, "%s", row->format->example);
    return ERROR_CONFIG;
}

static const struct conf_format condition_format = {
    .name = "condition",
    .example = "a condition such as: caller.country == \"CN\" and not trunk.trusted",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
};
static const struct conf_format lists_format = {
    .name = "lists by name",
    .example = "a section (name: {numbers: [...]})",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
};
static const struct conf_format entries_format = {
    .name = "list of entries",
    .example = "a list such as [\"+8613800138000\"]",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
};
static const struct conf_format given_format = {
    .name = "features with values",
    .example = "a section (feature: value)",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
};
static const struct conf_format path_format = {
    .name = "path",
    .example = "a path such as lists/roaming.txt",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
};
static const struct conf_format target_format = {
    .name = "trunk name or URI",
    .example = "a trunk's name, or a URI such as sip:announcement@10.0.0.9",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
};

enum { KEEP_SCALAR = CONF_NODE_SCALAR + 1, KEEP_SEQUENCE, KEEP_MAPPING };

static bool is_token_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

bool rule_is_token(struct slice text, size_t max)
{
    if (text.length == 0 || text.length > max || !is_token_byte(text.data[0]))
        return false;
    for (size_t i = 1; i < text.length; i++)
        if (!is_token_byte(text.data[i]) && strchr("._-", text.data[i]) == NULL)
            return false;
    return memchr(text.data, '\0', text.length) == NULL;
}

/* The row's argument is the greatest length. */
static int parse_token(struct conf_load *load, const struct conf_row *row,
                       const struct conf_node *node, void *field)
{
    struct conf_quote quote;
    if (node->kind != CONF_NODE_SCALAR || !rule_is_token(node->text, (size_t)row->argument)) {
        conf_load_error(load, node, "%s %s is not a valid name", row->key,
                        node->kind == CONF_NODE_SCALAR ? conf_load_quote(load, node, &quote)
                                                       : conf_node_kind_name(node));
        conf_report_expect(load->report, "1 to %d of a-z, 0-9, \".\", \"_\" and \"-\", such as %s",
                           (int)row->argument, row->format->example);
        return ERROR_CONFIG;
    }
    *(struct slice *)field = node->text;
    return 0;
}

static const struct conf_format token_format = {
    .name = "name",
    .example = "number-spoofing",
    .size = sizeof(struct slice),
    .parse = parse_token,
};

static const struct conf_row title_rows[] = {
    {.key = "en",
     .type = CONF_TEXT,
     .max = TITLE_MAX,
     CONF_FIELD(struct rule_title_draft, en),
     .help = "The title in English."},
    {.key = "zh",
     .type = CONF_TEXT,
     .max = TITLE_MAX,
     CONF_FIELD(struct rule_title_draft, zh),
     .help = "The title in Chinese."},
};
static const struct conf_section title_section = {
    .name = "title", CONF_ROWS(title_rows), CONF_OBJECT(struct rule_title_draft)};

static int parse_title(struct conf_load *load, const struct conf_row *row,
                       const struct conf_node *node, void *field)
{
    struct rule_title_draft *title = field;
    (void)row;
    if (node->kind == CONF_NODE_SCALAR) {
        title->en = node->text;
        return 0;
    }
    return conf_section_load(load->document, node, &title_section, load->arena, load->report,
                             title);
}

static const struct conf_format title_format = {
    .name = "title",
    .example = "{en: Domestic number from abroad, zh: 境外来电冒用境内号码}",
    .size = sizeof(struct rule_title_draft),
    .parse = parse_title,
};

static int parse_time(struct conf_load *load, const struct conf_row *row,
                      const struct conf_node *node, void *field)
{
    struct conf_quote quote;
    int error = node->kind == CONF_NODE_SCALAR ? rule_literal_time(node->text, field) : -EBADMSG;
    if (error == 0)
        return 0;
    conf_load_error(load, node, "%s %s is not a %s", row->key,
                    node->kind == CONF_NODE_SCALAR ? conf_load_quote(load, node, &quote)
                                                   : conf_node_kind_name(node),
                    error == -ERANGE ? "day of the calendar" : "date");
    conf_report_expect(load->report, "%s", row->format->example);
    return ERROR_CONFIG;
}

static const struct conf_format time_format = {
    .name = "date",
    .example = "2027-06-30 (00:00 UTC) or 2027-06-30T08:00:00+08:00",
    .size = sizeof(int64_t),
    .parse = parse_time,
};

static int parse_profile(struct conf_load *load, const struct conf_row *row,
                         const struct conf_node *node, void *field)
{
    struct conf_quote quote;
    struct slice text = node->kind == CONF_NODE_SCALAR ? node->text : (struct slice){0};
    for (int i = 0; i < RULE_PROFILE_COUNT; i++) {
        if (slice_equal(text, slice_of_text(rule_profile_name((enum rule_profile)i)))) {
            *(int *)field = i;
            return 0;
        }
    }
    if (slice_equal(text, SLICE("608")))
        conf_load_error(load, node, "608 needs a signed jCard: not available");
    else
        conf_load_error(load, node, "with: %s is not a way to block",
                        node->kind == CONF_NODE_SCALAR ? conf_load_quote(load, node, &quote)
                                                       : conf_node_kind_name(node));
    conf_report_expect(load->report, "%s", row->format->example);
    return ERROR_CONFIG;
}

static const struct conf_format profile_format = {
    .name = "block profile",
    .example = "403, 603 or 603+",
    .size = sizeof(int),
    .parse = parse_profile,
};

/* "10/m", "3/10s": -EBADMSG or -ERANGE otherwise. */
static int read_rate(struct slice text, struct rule_rate *rate)
{
    size_t slash = slice_find(text, '/');
    struct slice period = slice_trim(slice_from(text, slash + 1));
    uint64_t count = 0;
    if (slash == text.length || period.length == 0)
        return -EBADMSG;
    int error = slice_to_uint64(slice_trim(slice_first(text, slash)), RATE_COUNT_MAX, &count);
    if (error != 0)
        return error;

    /* A bare unit means one of it. */
    char memory[16];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    if (period.data[0] < '0' || period.data[0] > '9')
        buffer_append_char(&buffer, '1');
    buffer_append(&buffer, period);
    error =
        buffer.overflow ? -EBADMSG : conf_value_duration(buffer_slice(&buffer), &rate->period_us);
    if (error != 0)
        return error;
    if (count == 0 || rate->period_us < (uint64_t)CONF_SECONDS(1) ||
        rate->period_us > (uint64_t)CONF_DAYS(1))
        return -ERANGE;
    rate->count = (uint32_t)count;
    return 0;
}

static int parse_rate(struct conf_load *load, const struct conf_row *row,
                      const struct conf_node *node, void *field)
{
    struct conf_quote quote;
    int error = node->kind == CONF_NODE_SCALAR ? read_rate(node->text, field) : -EBADMSG;
    if (error == 0)
        return 0;
    conf_load_error(load, node, "rate %s is %s",
                    node->kind == CONF_NODE_SCALAR ? conf_load_quote(load, node, &quote)
                                                   : conf_node_kind_name(node),
                    error == -ERANGE ? "out of range" : "not a rate");
    conf_report_expect(load->report, "%s", row->format->example);
    return ERROR_CONFIG;
}

static const struct conf_format rate_format = {
    .name = "rate",
    .example = "calls per time such as 10/m or 3/10s: 1 to 1000000 calls per 1s to 1d",
    .size = sizeof(struct rule_rate),
    .parse = parse_rate,
};

/* ---- policy steps and actions --------------------------------------------------------------- */

static const struct conf_choice action_choices[] = {
#define ACTION_CHOICE(name, word) {(word), (name), NULL},
    RULE_ACTION_TABLE(ACTION_CHOICE)
#undef ACTION_CHOICE
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
     .format = &profile_format,
     .fallback = "603",
     CONF_FIELD(struct rule_step_draft, profile),
     .help = "block: how the call is answered. 603+ is the ATIS-1000099 form of 603."},
    {.key = "to",
     .type = CONF_CUSTOM,
     .format = &target_format,
     .argument = KEEP_SCALAR,
     CONF_FIELD(struct rule_step_draft, target),
     .help = "divert: the trunk or the sip:, sips: or tel: URI that gets the call."},
    {.key = "rate",
     .type = CONF_CUSTOM,
     .format = &rate_format,
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
    conf_report_expect(load->report, "%s", target_format.example);
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
     .format = &entries_format,
     .argument = KEEP_SEQUENCE,
     CONF_FIELD(struct rule_list_draft, numbers),
     .help = "Telephone numbers in E.164; one that ends in * is a prefix."},
    {.key = "prefixes",
     .type = CONF_CUSTOM,
     .format = &entries_format,
     .argument = KEEP_SEQUENCE,
     CONF_FIELD(struct rule_list_draft, prefixes),
     .help = "What telephone numbers begin with."},
    {.key = "texts",
     .type = CONF_CUSTOM,
     .format = &entries_format,
     .argument = KEEP_SEQUENCE,
     CONF_FIELD(struct rule_list_draft, texts),
     .help = "Texts, compared byte by byte; one that ends in * is a prefix."},
    {.key = "file",
     .type = CONF_CUSTOM,
     .format = &path_format,
     .argument = KEEP_SCALAR,
     CONF_FIELD(struct rule_list_draft, file),
     .help = "A file with one entry a line, beside the rule file. # begins a comment. Entries are "
             "numbers and prefixes (86138*), or texts if the list has texts:."},
};
const struct conf_section rule_list_section = {
    .name = "list", CONF_ROWS(list_rows), CONF_OBJECT(struct rule_list_draft)};

static const struct conf_choice mode_choices[] = {
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
     .format = &given_format,
     .argument = KEEP_MAPPING,
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
    {.key = "id",
     .type = CONF_TEXT,
     .flags = CONF_REQUIRED,
     .max = RULE_ID_MAX,
     CONF_FIELD(struct rule_draft, id),
     .help = "Names the rule in verdicts, counts and events; unique across files."},
    {.key = "title",
     .type = CONF_CUSTOM,
     .format = &title_format,
     CONF_FIELD(struct rule_draft, title),
     .help = "What people read; a text, or one per language."},
    {.key = "when",
     .type = CONF_CUSTOM,
     .flags = CONF_REQUIRED,
     .format = &condition_format,
     .argument = KEEP_SCALAR,
     CONF_FIELD(struct rule_draft, when),
     .help = "The condition. The rule fires when it is true, not when it is unknown."},
    {.key = "score",
     .type = CONF_INTEGER,
     .min = -RULE_SCORE_MAX,
     .max = RULE_SCORE_MAX,
     .fallback = "0",
     .unit = "points",
     CONF_FIELD(struct rule_draft, score),
     .help = "Points that are added when it fires; the sum is clipped to 0..100."},
    {.key = "type",
     .type = CONF_CUSTOM,
     .format = &token_format,
     .argument = TYPE_MAX,
     CONF_FIELD(struct rule_draft, type),
     .help = "The scam type that it stands for."},
    {.key = "mode",
     .type = CONF_CHOICE,
     .choices = mode_choices,
     .fallback = "enforce",
     CONF_FIELD(struct rule_draft, mode),
     .help = "Whether it counts, is tried, or rests."},
    {.key = "starts",
     .type = CONF_CUSTOM,
     .format = &time_format,
     CONF_FIELD(struct rule_draft, starts_us),
     .help = "When it begins to apply."},
    {.key = "expires",
     .type = CONF_CUSTOM,
     .format = &time_format,
     CONF_FIELD(struct rule_draft, expires_us),
     .help = "From when on it applies no more."},
    {.key = "owner",
     .type = CONF_TEXT,
     .max = NOTE_MAX,
     CONF_FIELD(struct rule_draft, owner),
     .help = "Who answers for it."},
    {.key = "ticket",
     .type = CONF_TEXT,
     .max = NOTE_MAX,
     CONF_FIELD(struct rule_draft, ticket),
     .help = "Where it was decided."},
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

static int check_rule(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct rule_draft *rule = object;
    if (conf_node_get(node, "score") == NULL && rule->action.node == NULL) {
        conf_load_error(load, node, "it has neither \"score\" nor \"action\"");
        conf_report_hint(load->report, "give it points: score: 40");
        return ERROR_CONFIG;
    }
    const struct conf_node *expires = conf_node_get(node, "expires");
    if (expires != NULL && conf_node_get(node, "starts") != NULL &&
        rule->expires_us <= rule->starts_us) {
        conf_load_error(load, expires, "it expires before it starts");
        return ERROR_CONFIG;
    }
    return 0;
}

const struct conf_section rule_rule_section = {
    .name = "rule",
    .identity = "id",
    CONF_ROWS(rule_rows),
    CONF_OBJECT(struct rule_draft),
    .check = check_rule,
};

static const struct conf_row file_rows[] = {
    {.key = "lists",
     .type = CONF_CUSTOM,
     .format = &lists_format,
     .argument = KEEP_MAPPING,
     CONF_FIELD(struct rule_file_draft, lists),
     .help = "Lists, for use behind in, by name."},
    {.key = "rules",
     .type = CONF_SECTION_LIST,
     .section = &rule_rule_section,
     CONF_FIELD(struct rule_file_draft, rules),
     .help = "The rules."},
    {.key = "policy",
     .type = CONF_SECTION_LIST,
     .section = &rule_step_section,
     CONF_FIELD(struct rule_file_draft, steps),
     .help = "What a score comes to. One file of all may have it."},
};
const struct conf_section rule_file_section = {
    .name = "rules", CONF_ROWS(file_rows), CONF_OBJECT(struct rule_file_draft)};
