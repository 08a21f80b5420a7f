/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli_int.h"
#include "config/value.h"

enum { COLUMNS_MAXIMUM = 32, TEXT_MAXIMUM = 512 };

/* Keys say their unit by how they end. */
static const struct {
    const char *suffix;
    uint64_t per_second; /* 0: bytes */
} unit_rows[] = {{"_s", 1}, {"_ms", 1000}, {"_us", 1000000}, {"_bytes", 0}};

enum { UNIT_ROWS = sizeof(unit_rows) / sizeof(unit_rows[0]) };

static size_t find_unit(const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 0; i < UNIT_ROWS; i++) {
        size_t suffix = strlen(unit_rows[i].suffix);
        if (length > suffix && strcmp(key + length - suffix, unit_rows[i].suffix) == 0)
            return i;
    }
    return UNIT_ROWS;
}

/* "calls_held" becomes "calls held", "uptime_s" "uptime", since the value brings its unit; "bytes"
 * are part of what is counted. */
static void name_of(const char *key, char *name, size_t capacity)
{
    size_t unit = find_unit(key);
    snprintf(name, capacity, "%s", key);
    if (unit < UNIT_ROWS && unit_rows[unit].per_second != 0 && strlen(key) < capacity)
        name[strlen(key) - strlen(unit_rows[unit].suffix)] = '\0';
    for (char *at = name; *at != '\0'; at++)
        if (*at == '_')
            *at = ' ';
}

static struct slice integer_text(const char *key, int64_t value, char *memory, size_t capacity)
{
    size_t unit = key != NULL && value >= 0 ? find_unit(key) : UNIT_ROWS;
    struct buffer buffer = buffer_over(memory, capacity);
    if (unit == UNIT_ROWS) {
        buffer_append_int(&buffer, value);
    } else if (unit_rows[unit].per_second == 0) {
        conf_value_append_size(&buffer, (uint64_t)value);
    } else if ((uint64_t)value >= unit_rows[unit].per_second * 60) {
        cli_format_duration((uint64_t)value / unit_rows[unit].per_second, memory, capacity);
        return slice_of_text(memory);
    } else {
        conf_value_append_duration(&buffer,
                                   (uint64_t)value * (1000000 / unit_rows[unit].per_second));
    }
    return buffer_slice(&buffer);
}

struct slice cli_value_text(struct json_object *value, char *memory, size_t capacity)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return SLICE("-");
    case json_type_boolean:
        return json_object_get_boolean(value) ? SLICE("yes") : SLICE("no");
    case json_type_int:
        return integer_text(NULL, json_object_get_int64(value), memory, capacity);
    case json_type_string:
        return slice_make(json_object_get_string(value), (size_t)json_object_get_string_len(value));
    default:
        return slice_of_text(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
    }
}

static struct slice member_text(const char *key, struct json_object *value, char *memory,
                                size_t capacity)
{
    if (json_object_is_type(value, json_type_int))
        return integer_text(key, json_object_get_int64(value), memory, capacity);
    return cli_value_text(value, memory, capacity);
}

static bool is_list_of_objects(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) == 0)
        return false;
    for (size_t i = 0; i < json_object_array_length(value); i++)
        if (!json_object_is_type(json_object_array_get_idx(value, i), json_type_object))
            return false;
    return true;
}

static bool is_section(struct json_object *value)
{
    return json_object_is_type(value, json_type_object) || is_list_of_objects(value);
}

/* ---- tables ------------------------------------------------------------------------------- */

struct table {
    struct json_object *rows;
    const char *keys[COLUMNS_MAXIMUM];
    size_t widths[COLUMNS_MAXIMUM];
    bool numbers[COLUMNS_MAXIMUM]; /* aligned to the right */
    size_t count;
    bool truncated; /* rows have more keys than there is room for */
};

static size_t find_column(struct table *table, const char *key)
{
    char name[64];
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->keys[i], key) == 0)
            return i;
    if (table->count == COLUMNS_MAXIMUM) {
        table->truncated = true;
        return COLUMNS_MAXIMUM;
    }
    name_of(key, name, sizeof(name));
    table->keys[table->count] = key;
    table->widths[table->count] = cli_shown_width(slice_of_text(name));
    table->numbers[table->count] = true;
    return table->count++;
}

/* Columns are the keys of all rows, in the order met. */
static void measure(struct table *table)
{
    char memory[TEXT_MAXIMUM];
    for (size_t i = 0; i < json_object_array_length(table->rows); i++) {
        json_object_object_foreach(json_object_array_get_idx(table->rows, i), key, value)
        {
            size_t column = find_column(table, key);
            if (column == COLUMNS_MAXIMUM)
                continue;
            size_t width = cli_shown_width(member_text(key, value, memory, sizeof(memory)));
            if (width > table->widths[column])
                table->widths[column] = width;
            if (!json_object_is_type(value, json_type_int))
                table->numbers[column] = false;
        }
    }
}

static void print_cell(const struct cli_output *output, const struct table *table, size_t column,
                       enum cli_style style, struct slice text)
{
    fputs("  ", output->stream);
    if (table->numbers[column])
        cli_print_right(output, style, text, table->widths[column]);
    else if (column + 1 == table->count)
        cli_print(output, style, text);
    else
        cli_print_left(output, style, text, table->widths[column]);
}

static void show_table(const struct cli_output *output, struct json_object *rows)
{
    struct table table = {.rows = rows};
    char memory[TEXT_MAXIMUM];
    measure(&table);
    for (size_t i = 0; i < table.count; i++) {
        name_of(table.keys[i], memory, sizeof(memory));
        print_cell(output, &table, i, CLI_DIM, slice_of_text(memory));
    }
    fputc('\n', output->stream);
    for (size_t row = 0; row < json_object_array_length(rows); row++) {
        for (size_t i = 0; i < table.count; i++) {
            struct json_object *value =
                json_object_object_get(json_object_array_get_idx(rows, row), table.keys[i]);
            print_cell(output, &table, i, CLI_PLAIN,
                       member_text(table.keys[i], value, memory, sizeof(memory)));
        }
        fputc('\n', output->stream);
    }
    if (table.truncated)
        fprintf(output->stream, "  (there is more: --json shows all)\n");
}

/* ---- objects ------------------------------------------------------------------------------ */

static void show_list(const struct cli_output *output, struct json_object *list)
{
    char memory[TEXT_MAXIMUM];
    size_t count = json_object_array_length(list);
    if (count == 0)
        cli_print(output, CLI_DIM, SLICE("none"));
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            fputs(", ", output->stream);
        cli_print(output, CLI_PLAIN,
                  cli_value_text(json_object_array_get_idx(list, i), memory, sizeof(memory)));
    }
}

static void show_members(const struct cli_output *output, struct json_object *object)
{
    char memory[TEXT_MAXIMUM];
    char name[64];
    size_t widest = 0;
    json_object_object_foreach(object, measured, ignored)
    {
        name_of(measured, name, sizeof(name));
        size_t width = is_section(ignored) ? 0 : cli_shown_width(slice_of_text(name));
        widest = width > widest ? width : widest;
    }
    json_object_object_foreach(object, key, value)
    {
        if (is_section(value))
            continue;
        name_of(key, name, sizeof(name));
        fputs("  ", output->stream);
        cli_print_left(output, CLI_DIM, slice_of_text(name), widest + 2);
        if (json_object_is_type(value, json_type_array))
            show_list(output, value);
        else
            cli_print(output, CLI_PLAIN, member_text(key, value, memory, sizeof(memory)));
        fputc('\n', output->stream);
    }
}

/* A title above nothing but further titles would say nothing. */
static bool has_members(struct json_object *object)
{
    json_object_object_foreach(object, key, value)
    {
        (void)key;
        if (!is_section(value))
            return true;
    }
    return false;
}

static void show_title(const struct cli_output *output, const char *title)
{
    fputc('\n', output->stream);
    cli_print(output, CLI_BOLD, slice_of_text(title));
    fputc('\n', output->stream);
}

/* Depth is bounded by the JSON parser's limit. */
static void show_sections(const struct cli_output *output, struct json_object *object,
                          const char *above)
{
    char title[128];
    char name[64];
    json_object_object_foreach(object, key, value)
    {
        if (!is_section(value))
            continue;
        name_of(key, name, sizeof(name));
        snprintf(title, sizeof(title), "%s%s%s", above, above[0] != '\0' ? " / " : "", name);
        if (json_object_is_type(value, json_type_array)) {
            show_title(output, title);
            show_table(output, value);
            continue;
        }
        if (has_members(value)) {
            show_title(output, title);
            show_members(output, value);
        }
        show_sections(output, value, title);
    }
}

void cli_show_object(const struct cli_output *output, struct json_object *object)
{
    show_members(output, object);
    show_sections(output, object, "");
}

int64_t cli_number_at(struct json_object *object, const char *path)
{
    char copy[128];
    snprintf(copy, sizeof(copy), "%s", path);
    char *rest = copy;
    for (char *key; object != NULL && (key = strsep(&rest, "/")) != NULL;)
        object = json_object_is_type(object, json_type_object) ? json_object_object_get(object, key)
                                                               : NULL;
    return json_object_get_int64(object);
}
