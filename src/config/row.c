/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_int.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "config/suggest.h"
#include "config/value.h"
#include "utf8_int.h"

static const char *const type_names[] = {
#define TYPE_NAME(name, word, field) [name] = (word),
    CONF_TYPE_TABLE(TYPE_NAME)
#undef TYPE_NAME
};

/* What a value of the type looks like, for "expected:". */
static const char *const type_shapes[] = {
    [CONF_TEXT] = "a text",
    [CONF_INTEGER] = "an integer",
    [CONF_BOOLEAN] = "true or false",
    [CONF_DURATION] = "a duration such as 20ms, 1.5s or 4h",
    [CONF_SIZE] = "a size such as 512, 64k or 16M",
    [CONF_PERCENT] = "a percentage such as 20%",
    [CONF_CHOICE] = "one of the choices",
    [CONF_TEXT_LIST] = "a list of texts",
    [CONF_SECTION] = "a section (lines of key: value)",
    [CONF_SECTION_LIST] = "a list of sections (each begins with \"- \")",
    [CONF_CUSTOM] = "a value",
};

size_t conf_type_size(enum conf_type type)
{
    static const size_t sizes[] = {
        [CONF_TEXT] = sizeof(struct slice),
        [CONF_INTEGER] = 0,
        [CONF_BOOLEAN] = sizeof(bool),
        [CONF_DURATION] = sizeof(uint64_t),
        [CONF_SIZE] = sizeof(uint64_t),
        [CONF_PERCENT] = sizeof(double),
        [CONF_CHOICE] = sizeof(int),
        [CONF_TEXT_LIST] = sizeof(struct conf_text_list),
        [CONF_SECTION] = 0,
        [CONF_SECTION_LIST] = sizeof(struct conf_object_list),
        [CONF_CUSTOM] = 0,
    };

    return sizes[type];
}

const char *conf_row_type_name(const struct conf_row *row)
{
    return row->type == CONF_CUSTOM ? row->format->name : type_names[row->type];
}

struct conf_bounds conf_row_bounds(const struct conf_row *row)
{
    struct conf_bounds bounds = {row->min, row->max, row->min != 0, true};
    bool has_no_max = row->max == 0 && row->min >= 0;

    if (!has_no_max)
        return bounds;
    bounds.has_max = false;
    bounds.max = INT64_MAX;
    if (row->type == CONF_INTEGER && row->size < sizeof(int64_t))
        bounds.max = ((int64_t)1 << (row->size * 8 - 1)) - 1;
    if (row->type == CONF_PERCENT)
        bounds.max = 100;
    return bounds;
}

static void append_number(struct buffer *buffer, const struct conf_row *row, int64_t number)
{
    switch (row->type) {
    case CONF_DURATION:
        conf_value_append_duration(buffer, (uint64_t)number);
        break;
    case CONF_SIZE:
        conf_value_append_size(buffer, (uint64_t)number);
        break;
    case CONF_PERCENT:
        conf_value_append_percent(buffer, (double)number);
        break;
    default:
        buffer_append_int(buffer, number);
        break;
    }
}

void conf_row_append_range(struct buffer *buffer, const struct conf_row *row)
{
    const struct conf_bounds bounds = conf_row_bounds(row);
    const bool is_text = row->type == CONF_TEXT || row->type == CONF_TEXT_LIST;
    const char *unit = row->unit;

    if (is_text)
        unit = row->type == CONF_TEXT ? "bytes" : "bytes each";
    else if (row->type == CONF_SECTION_LIST)
        unit = bounds.has_max || bounds.min > 1 ? "items" : "item";
    if (!bounds.has_min && !bounds.has_max)
        return;
    if (!bounds.has_max) {
        buffer_append_literal(buffer, "at least ");
        append_number(buffer, row, bounds.min);
    } else if (!bounds.has_min && is_text) {
        buffer_append_literal(buffer, "at most ");
        append_number(buffer, row, bounds.max);
    } else {
        append_number(buffer, row, bounds.min);
        buffer_append_literal(buffer, " to ");
        append_number(buffer, row, bounds.max);
    }
    if (unit != NULL) {
        buffer_append_char(buffer, ' ');
        buffer_append_text(buffer, unit);
    }
}

void conf_row_append_choices(struct buffer *buffer, const struct conf_row *row)
{
    for (const struct conf_choice *choice = row->choices; choice->name != NULL; choice++) {
        if (choice != row->choices)
            buffer_append_literal(buffer, ", ");
        buffer_append_text(buffer, choice->name);
    }
}

/* Adds to the error just reported the shape and range of a right value. */
static void expect_row(struct conf_load *load, const struct conf_row *row)
{
    char memory[512];
    struct buffer buffer = buffer_over(memory, sizeof(memory) - 1);

    if (row->type == CONF_CUSTOM) {
        buffer_format(&buffer, "%s such as %s", row->format->name, row->format->example);
    } else if (row->type == CONF_CHOICE) {
        buffer_append_literal(&buffer, "one of ");
        conf_row_append_choices(&buffer, row);
    } else {
        size_t before;

        buffer_append_text(&buffer, type_shapes[row->type]);
        buffer_append_literal(&buffer, ", ");
        before = buffer.length;
        conf_row_append_range(&buffer, row);
        if (buffer.length == before)
            buffer.length -= sizeof(", ") - 1;
    }
    memory[buffer.length] = '\0';
    conf_report_expect(load->report, "%s", memory);
}

static int bad_value(struct conf_load *load, const struct conf_row *row,
                     const struct conf_node *node, const char *problem)
{
    struct conf_quote quote;

    conf_load_error(load, node, "%s %s %s", row->key, conf_load_quote(load, node, &quote), problem);
    expect_row(load, row);
    return ERROR_CONFIG;
}

/* Reports what a conf_value_...() function or a range refused. */
static int bad_number(struct conf_load *load, const struct conf_row *row,
                      const struct conf_node *node, int error)
{
    char problem[64];

    if (error == -ERANGE)
        return bad_value(load, row, node, "is out of range");
    snprintf(problem, sizeof(problem), "is not a valid %s", conf_row_type_name(row));
    return bad_value(load, row, node, problem);
}

static int read_text(struct conf_load *load, const struct conf_row *row,
                     const struct conf_node *node, void *field)
{
    const struct conf_bounds bounds = conf_row_bounds(row);
    const int64_t length = (int64_t)node->text.length;

    if (length < bounds.min || length > bounds.max)
        return bad_value(load, row, node, length < bounds.min ? "is too short" : "is too long");

    struct slice copy = arena_copy(load->arena, node->text);

    if (copy.data == NULL)
        return -ENOMEM;
    memcpy(field, &copy, sizeof(copy));
    return 0;
}

static void store_integer(void *field, size_t size, int64_t value)
{
    const int8_t narrow = (int8_t)value;
    const int16_t half = (int16_t)value;
    const int32_t word = (int32_t)value;

    switch (size) {
    case 1:
        memcpy(field, &narrow, size);
        break;
    case 2:
        memcpy(field, &half, size);
        break;
    case 4:
        memcpy(field, &word, size);
        break;
    default:
        assert(size == sizeof(value));
        memcpy(field, &value, size);
        break;
    }
}

static int read_integer(struct conf_load *load, const struct conf_row *row,
                        const struct conf_node *node, void *field)
{
    const struct conf_bounds bounds = conf_row_bounds(row);
    int64_t value = 0;
    int error = conf_value_integer(node->text, &value);

    if (!error && (value < bounds.min || value > bounds.max))
        error = -ERANGE;
    if (error)
        return bad_number(load, row, node, error);
    store_integer(field, row->size, value);
    return 0;
}

static int read_boolean(struct conf_load *load, const struct conf_row *row,
                        const struct conf_node *node, void *field)
{
    bool value = false;

    if (conf_value_boolean(node->text, &value) != 0)
        return bad_value(load, row, node, "is neither true nor false");
    memcpy(field, &value, sizeof(value));
    return 0;
}

/* Durations and sizes. */
static int read_unsigned(struct conf_load *load, const struct conf_row *row,
                         const struct conf_node *node, void *field)
{
    const struct conf_bounds bounds = conf_row_bounds(row);
    uint64_t value = 0;
    int error = row->type == CONF_SIZE ? conf_value_size(node->text, &value)
                                       : conf_value_duration(node->text, &value);

    if (!error && (value < (uint64_t)bounds.min || value > (uint64_t)bounds.max))
        error = -ERANGE;
    if (error)
        return bad_number(load, row, node, error);
    memcpy(field, &value, sizeof(value));
    return 0;
}

static int read_percent(struct conf_load *load, const struct conf_row *row,
                        const struct conf_node *node, void *field)
{
    const struct conf_bounds bounds = conf_row_bounds(row);
    double value = 0;
    int error = conf_value_percent(node->text, &value);

    if (!error && (value < (double)bounds.min || value > (double)bounds.max))
        error = -ERANGE;
    if (error)
        return bad_number(load, row, node, error);
    memcpy(field, &value, sizeof(value));
    return 0;
}

static int read_choice(struct conf_load *load, const struct conf_row *row,
                       const struct conf_node *node, void *field)
{
    struct conf_suggestion suggestion = conf_suggestion_for(node->text);

    for (const struct conf_choice *choice = row->choices; choice->name != NULL; choice++) {
        struct slice name = slice_of_text(choice->name);

        if (slice_equal(node->text, name)) {
            memcpy(field, &choice->value, sizeof(choice->value));
            return 0;
        }
        conf_suggestion_offer(&suggestion, name);
    }
    (void)bad_value(load, row, node, "is not one of the choices");
    if (suggestion.best.data != NULL)
        conf_report_hint(load->report, "did you mean \"%.*s\"?", SLICE_ARGS(suggestion.best));
    return ERROR_CONFIG;
}

static int read_text_list(struct conf_load *load, const struct conf_row *row,
                          const struct conf_node *node, void *field)
{
    const struct conf_node *item;
    struct conf_text_list list = {0};
    bool failed = false;
    int error = conf_load_items(load, row, node, &item, &list.count);

    if (error)
        return error;
    list.items = arena_zalloc(load->arena, (list.count + 1) * sizeof(list.items[0]));
    if (list.items == NULL)
        return -ENOMEM;
    for (size_t i = 0; item != NULL; item = item->next, i++) {
        error = read_text(load, row, item, &list.items[i]);
        if (error == -ENOMEM)
            return error;
        failed = failed || error;
    }
    memcpy(field, &list, sizeof(list));
    return failed ? ERROR_CONFIG : 0;
}

static int (*const readers[])(struct conf_load *load, const struct conf_row *row,
                              const struct conf_node *node, void *field) = {
    [CONF_TEXT] = read_text,       [CONF_INTEGER] = read_integer,
    [CONF_BOOLEAN] = read_boolean, [CONF_DURATION] = read_unsigned,
    [CONF_SIZE] = read_unsigned,   [CONF_PERCENT] = read_percent,
    [CONF_CHOICE] = read_choice,   [CONF_TEXT_LIST] = read_text_list,
};

int conf_row_read(struct conf_load *load, const struct conf_row *row, const struct conf_node *node,
                  void *field)
{
    if (row->type == CONF_CUSTOM)
        return row->format->parse(load, row, node, field);
    assert(row->type != CONF_SECTION && row->type != CONF_SECTION_LIST);
    if (node->kind != CONF_NODE_SCALAR && row->type != CONF_TEXT_LIST) {
        conf_load_error(load, node, "%s is a %s", row->key, conf_node_kind_name(node));
        expect_row(load, row);
        return ERROR_CONFIG;
    }
    return readers[row->type](load, row, node, field);
}

int conf_row_read_fallback(struct conf_load *load, const struct conf_row *row, void *field)
{
    if (row->fallback == NULL)
        return 0;

    const struct conf_document *document = load->document;
    const struct conf_node node = {.text = slice_of_text(row->fallback),
                                   .kind = CONF_NODE_SCALAR,
                                   .style = CONF_SCALAR_SINGLE_QUOTED};

    load->document = NULL;

    int error = conf_row_read(load, row, &node, field);

    load->document = document;
    return error;
}

/* A chain of nodes for the parts of a default. */
static int split_fallback(struct conf_load *load, const struct conf_node *node,
                          const struct conf_node **first, size_t *count)
{
    struct slice rest = node->text;
    const struct conf_node **link = first;

    *first = NULL;
    *count = 0;
    while (rest.length > 0) {
        size_t length = slice_find(rest, ',');
        struct conf_node *part = arena_alloc(load->arena, sizeof(*part));

        if (part == NULL)
            return -ENOMEM;
        *part = *node;
        part->text = slice_trim(slice_first(rest, length));
        *link = part;
        link = &part->next;
        (*count)++;
        rest = slice_from(rest, length + 1);
    }
    return 0;
}

int conf_load_items(struct conf_load *load, const struct conf_row *row,
                    const struct conf_node *node, const struct conf_node **first, size_t *count)
{
    int error = 0;

    if (load->document == NULL)
        return split_fallback(load, node, first, count);
    if (node->kind == CONF_NODE_MAPPING) {
        conf_load_error(load, node, "%s is a section", row->key);
        expect_row(load, row);
        return ERROR_CONFIG;
    }
    if (node->kind == CONF_NODE_SCALAR) {
        struct conf_node *alone = arena_alloc(load->arena, sizeof(*alone));

        if (alone == NULL)
            return -ENOMEM;
        *alone = *node;
        alone->next = NULL;
        *first = alone;
        *count = 1;
        return 0;
    }
    for (const struct conf_node *item = node->first; item != NULL; item = item->next) {
        if (item->kind == CONF_NODE_SCALAR && !conf_node_is_null(item))
            continue;
        conf_load_error(load, item, "an item of %s is %s", row->key,
                        item->kind == CONF_NODE_SCALAR ? "empty" : "not a text");
        expect_row(load, row);
        error = ERROR_CONFIG;
    }
    *first = node->first;
    *count = node->count;
    return error;
}

const char *conf_load_quote(const struct conf_load *load, const struct conf_node *node,
                            struct conf_quote *quote)
{
    const struct conf_row *row = load->scope->row;

    if (row == NULL || (row->flags & CONF_SECRET) == 0)
        return conf_quote(quote, node->text);
    memcpy(quote->text, "(hidden)", sizeof("(hidden)"));
    return quote->text;
}
