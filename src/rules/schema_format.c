/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "config/value.h"
#include "literal_int.h"
#include "rules/action.h"
#include "schema_int.h"

enum { TITLE_MAX = 200 };

#define RATE_COUNT_MAX 1000000U

/* Keeps the node itself, for what only the loader can judge. */
static int keep_node(struct conf_load *load, const struct conf_row *row,
                     const struct conf_node *node, void *field)
{
    (void)load;
    (void)row;
    ((struct rule_kept *)field)->node = node;
    return 0;
}

/* The row's argument names the kinds that it may have. */
static int keep_kind(struct conf_load *load, const struct conf_row *row,
                     const struct conf_node *node, void *field)
{
    if ((row->argument >> node->kind & 1) != 0)
        return keep_node(load, row, node, field);
    conf_load_error(load, node, "%s is a %s", row->key, conf_node_kind_name(node));
    conf_report_expect(load->report, "%s", row->format->example);
    return ERROR_CONFIG;
}

const struct conf_format rule_format_condition = {
    .name = "condition",
    .example = "a condition such as: caller.country == \"CN\" and not trunk.trusted",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
};
const struct conf_format rule_format_lists = {
    .name = "lists by name",
    .example = "a section (name: {numbers: [...]})",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
    .shape = CONF_SHAPE_SECTIONS,
};
const struct conf_format rule_format_entries = {
    .name = "list of entries",
    .example = "a list such as [\"+8613800138000\"]",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
    .shape = CONF_SHAPE_LIST,
};
const struct conf_format rule_format_given = {
    .name = "features with values",
    .example = "a section (feature: value)",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
    .shape = CONF_SHAPE_VALUES,
    .definition = "given",
};
const struct conf_format rule_format_valued = {
    .name = "entries with values",
    .example = "a section (\"+86138\": value)",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
    .shape = CONF_SHAPE_VALUES,
};
const struct conf_format rule_format_named = {
    .name = "conditions by name",
    .example = "a section (name: condition)",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
    .shape = CONF_SHAPE_VALUES,
};
const struct conf_format rule_format_feature = {
    .name = "feature",
    .example = "a feature, or what is reckoned from features: reputation.score",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
};
const struct conf_format rule_format_value = {
    .name = "value",
    .example = "a value of the feature's type",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
};
const struct conf_format rule_format_values = {
    .name = "list of values",
    .example = "a list of values such as [voip, premium]",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
    .shape = CONF_SHAPE_LIST,
};
const struct conf_format rule_format_path = {
    .name = "path",
    .example = "a path such as lists/roaming.txt",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
};
const struct conf_format rule_format_target = {
    .name = "trunk name or URI",
    .example = "a trunk's name, or a URI such as sip:announcement@10.0.0.9",
    .size = sizeof(struct rule_kept),
    .parse = keep_kind,
};

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

const struct conf_format rule_format_token = {
    .name = "name",
    .example = "number-spoofing",
    .size = sizeof(struct slice),
    .parse = parse_token,
    .pattern = "^[a-z0-9][a-z0-9._-]*$",
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
const struct conf_section rule_title_section = {
    .name = "title", CONF_ROWS(title_rows), CONF_OBJECT(struct rule_title_draft)};

static int parse_title(struct conf_load *load, const struct conf_row *row,
                       const struct conf_node *node, void *field)
{
    struct rule_title_draft *title = field;
    if (node->kind == CONF_NODE_SCALAR && node->text.length > TITLE_MAX) {
        struct conf_quote quote;
        conf_load_error(load, node, "%s %s is too long", row->key,
                        conf_load_quote(load, node, &quote));
        conf_report_expect(load->report, "a text, at most %d bytes", TITLE_MAX);
        return ERROR_CONFIG;
    }
    if (node->kind == CONF_NODE_SCALAR) {
        title->en = node->text;
        return 0;
    }
    return conf_section_load(load->document, node, &rule_title_section, load->arena, load->report,
                             title);
}

const struct conf_format rule_format_title = {
    .name = "title",
    .example = "{en: Domestic number from abroad, zh: 境外来电冒用境内号码}",
    .size = sizeof(struct rule_title_draft),
    .parse = parse_title,
    .shape = CONF_SHAPE_SCALAR_OR_SECTION,
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

const struct conf_format rule_format_time = {
    .name = "date",
    .example = "2027-06-30 (00:00 UTC) or 2027-06-30T08:00:00+08:00",
    .size = sizeof(int64_t),
    .parse = parse_time,
    .pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T.*)?$",
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

const struct conf_format rule_format_profile = {
    .name = "block profile",
    .example = "403, 603 or 603+",
    .size = sizeof(int),
    .parse = parse_profile,
};

/* The unit as durations have it, where a rate may have it otherwise: 100/min. */
static struct slice unit_of(struct slice period)
{
    static const struct {
        struct slice word;
        struct slice unit;
    } words[] = {
        {SLICE_LITERAL("sec"), SLICE_LITERAL("s")},
        {SLICE_LITERAL("min"), SLICE_LITERAL("m")},
        {SLICE_LITERAL("hour"), SLICE_LITERAL("h")},
        {SLICE_LITERAL("day"), SLICE_LITERAL("d")},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_equal(words[i].word, period))
            return words[i].unit;
    return period;
}

/* "10/m", "3/10s": -EBADMSG or -ERANGE otherwise. */
static int read_rate(struct slice text, struct rule_rate *rate)
{
    size_t slash = slice_find(text, '/');
    struct slice period = unit_of(slice_trim(slice_from(text, slash + 1)));
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
    conf_load_error(load, node, "%s %s is %s", row->key,
                    node->kind == CONF_NODE_SCALAR ? conf_load_quote(load, node, &quote)
                                                   : conf_node_kind_name(node),
                    error == -ERANGE ? "out of range" : "not a rate");
    conf_report_expect(load->report, "%s", row->format->example);
    return ERROR_CONFIG;
}

const struct conf_format rule_format_rate = {
    .name = "rate",
    .example = "calls per time such as 10/m or 3/10s: 1 to 1000000 calls per 1s to 1d",
    .size = sizeof(struct rule_rate),
    .parse = parse_rate,
    .pattern = "^ *[0-9]+ */ *([0-9]+[0-9.a-z]*|sec|min|hour|day|w|d|h|m|s|ms|us) *$",
};
