/* SPDX-License-Identifier: Apache-2.0 */
#include "config/json_schema.h"

#include <assert.h>
#include <inttypes.h>

#include "base/encode.h"
#include "config/value.h"
#include "schema_int.h"

enum { SECTIONS_MAX = 64, NAME_BYTES = 64, TEXT_BYTES = 2048 };

/* YAML takes some texts for numbers or flags; the loader does not care. Keywords for one kind of
 * value say nothing about others, so a text's pattern and a number's range stand side by side. */
#define SCALARS "[\"string\", \"number\", \"boolean\"]"

#define INTEGER_PATTERN  "^[+-]?[0-9]+(_[0-9]+)*$"
#define DURATION_PATTERN "^(0|([0-9]+(\\.[0-9]{1,6})?(w|d|h|m|s|ms|us))+)$"
#define SIZE_PATTERN     "^[0-9]+(\\.[0-9]{1,6})?([kKmMgGtT]i?)?[bB]?$"
#define PERCENT_PATTERN  "^[0-9]+(\\.[0-9]{1,6})?%?$"

/* Where the writing stands. */
struct pen {
    FILE *stream;
    unsigned depth;
    bool empty; /* nothing stands in the innermost object yet */
    const struct conf_definition *definitions;
    size_t count;
    struct {
        const struct conf_section *section;
        char name[NAME_BYTES]; /* the path at which it was met first: "trunks.health" */
    } sections[SECTIONS_MAX];
};

/* ---- JSON --------------------------------------------------------------------------------- */

static void line(struct pen *pen)
{
    fprintf(pen->stream, "%s\n%*s", pen->empty ? "" : ",", (int)pen->depth * 2, "");
    pen->empty = false;
}

static void text(struct pen *pen, struct slice value)
{
    char memory[TEXT_BYTES];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    encode_json(&buffer, value);
    assert(!buffer.overflow);
    fwrite(memory, 1, buffer.length, pen->stream);
}

/* A member; its value follows. */
static void key(struct pen *pen, const char *name)
{
    line(pen);
    text(pen, slice_of_text(name));
    fputs(": ", pen->stream);
}

static void open(struct pen *pen)
{
    fputc('{', pen->stream);
    pen->depth++;
    pen->empty = true;
}

static void close(struct pen *pen)
{
    pen->depth--;
    if (!pen->empty)
        fprintf(pen->stream, "\n%*s", (int)pen->depth * 2, "");
    fputc('}', pen->stream);
    pen->empty = false;
}

static void text_member(struct pen *pen, const char *name, struct slice value)
{
    key(pen, name);
    text(pen, value);
}

/* The value is JSON already. */
static void member(struct pen *pen, const char *name, const char *json)
{
    key(pen, name);
    fputs(json, pen->stream);
}

static void number_member(struct pen *pen, const char *name, int64_t number)
{
    key(pen, name);
    fprintf(pen->stream, "%" PRId64, number);
}

/* ---- values ------------------------------------------------------------------------------- */

static void range(struct pen *pen, const struct conf_row *row, const char *least, const char *most)
{
    const struct conf_bounds bounds = conf_row_bounds(row);
    if (bounds.has_min || bounds.min == 0)
        number_member(pen, least, bounds.min);
    if (bounds.max != INT64_MAX)
        number_member(pen, most, bounds.max);
}

static void pattern(struct pen *pen, const char *types, const char *expression)
{
    member(pen, "type", types);
    if (expression != NULL)
        text_member(pen, "pattern", slice_of_text(expression));
}

/* Rows count bytes and schemas characters, of which one takes up to four bytes. */
static void text_value(struct pen *pen, const struct conf_row *row)
{
    const struct conf_bounds bounds = conf_row_bounds(row);
    if (bounds.min > 0)
        number_member(pen, "minLength", (bounds.min + 3) / 4);
    if (bounds.has_max)
        number_member(pen, "maxLength", bounds.max);
}

static void text_list(struct pen *pen, const struct conf_row *row)
{
    member(pen, "type", "[\"array\", \"string\", \"number\", \"boolean\"]");
    text_value(pen, row);
    key(pen, "items");
    open(pen);
    member(pen, "type", SCALARS);
    text_value(pen, row);
    close(pen);
}

/* A name of digits may also be written as what YAML takes for a number. */
static void choices(struct pen *pen, const struct conf_row *row)
{
    key(pen, "enum");
    fputc('[', pen->stream);
    for (const struct conf_choice *choice = row->choices; choice->name != NULL; choice++) {
        struct slice name = slice_of_text(choice->name);
        int64_t number;
        fputs(choice != row->choices ? ", " : "", pen->stream);
        text(pen, name);
        if (conf_value_integer(name, &number) == 0)
            fprintf(pen->stream, ", %" PRId64, number);
    }
    fputc(']', pen->stream);
}

static void reference(struct pen *pen, const char *name)
{
    fprintf(pen->stream, "{\"$ref\": \"#/definitions/%s\"}", name);
}

static const char *section_name(const struct pen *pen, const struct conf_section *section)
{
    size_t i = 0;
    while (i < pen->count && pen->sections[i].section != section)
        i++;
    assert(i < pen->count);
    return pen->sections[i].name;
}

static void section_member(struct pen *pen, const char *name, const struct conf_section *section)
{
    key(pen, name);
    reference(pen, section_name(pen, section));
}

static void only(struct pen *pen, const char *name)
{
    key(pen, "allOf");
    fputc('[', pen->stream);
    reference(pen, name);
    fputc(']', pen->stream);
}

static void section_list(struct pen *pen, const struct conf_row *row)
{
    const struct conf_bounds bounds = conf_row_bounds(row);
    member(pen, "type", bounds.min > 0 ? "\"array\"" : "[\"array\", \"null\"]");
    if (bounds.min > 0)
        number_member(pen, "minItems", bounds.min);
    if (bounds.has_max)
        number_member(pen, "maxItems", bounds.max);
    section_member(pen, "items", row->section);
}

static void scalars(struct pen *pen, const char *name, const char *expression)
{
    key(pen, name);
    open(pen);
    pattern(pen, SCALARS, expression);
    close(pen);
}

static void shaped(struct pen *pen, const struct conf_row *row)
{
    const struct conf_format *format = row->format;
    switch (format->shape) {
    case CONF_SHAPE_SCALAR:
        pattern(pen, SCALARS, format->pattern);
        break;
    case CONF_SHAPE_LIST:
        member(pen, "type", "\"array\"");
        scalars(pen, "items", format->pattern);
        break;
    case CONF_SHAPE_SCALAR_OR_LIST:
        pattern(pen, "[\"array\", \"string\", \"number\", \"boolean\"]", format->pattern);
        scalars(pen, "items", format->pattern);
        break;
    case CONF_SHAPE_VALUES:
        member(pen, "type", "\"object\"");
        scalars(pen, "additionalProperties", format->pattern);
        break;
    case CONF_SHAPE_SECTIONS:
        member(pen, "type", "\"object\"");
        section_member(pen, "additionalProperties", row->section);
        break;
    case CONF_SHAPE_SCALAR_OR_SECTION:
        key(pen, "anyOf");
        fprintf(pen->stream, "[{\"type\": " SCALARS "}, ");
        reference(pen, section_name(pen, row->section));
        fputc(']', pen->stream);
        break;
    case CONF_SHAPE_SCALARS_OR_SECTIONS:
        key(pen, "anyOf");
        fprintf(pen->stream, "[{\"type\": " SCALARS "}, ");
        reference(pen, section_name(pen, row->section));
        fprintf(pen->stream,
                ", {\"type\": \"array\", \"items\": {\"anyOf\": [{\"type\": " SCALARS "}, ");
        reference(pen, section_name(pen, row->section));
        fputs("]}}]", pen->stream);
        break;
    }
}

static bool is_defined(const struct pen *pen, const char *name)
{
    for (const struct conf_definition *definition = pen->definitions;
         name != NULL && definition != NULL && definition->name != NULL; definition++)
        if (slice_equal(slice_of_text(definition->name), slice_of_text(name)))
            return true;
    return false;
}

static void value(struct pen *pen, const struct conf_row *row)
{
    switch (row->type) {
    case CONF_TEXT:
        member(pen, "type", SCALARS);
        text_value(pen, row);
        break;
    case CONF_INTEGER:
        pattern(pen, "[\"integer\", \"string\"]", INTEGER_PATTERN);
        range(pen, row, "minimum", "maximum");
        break;
    case CONF_BOOLEAN:
        member(pen, "enum", "[true, false, \"yes\", \"no\", \"on\", \"off\"]");
        break;
    case CONF_DURATION:
        pattern(pen, "[\"string\", \"integer\"]", DURATION_PATTERN);
        member(pen, "maximum", "0");
        break;
    case CONF_SIZE:
        pattern(pen, "[\"string\", \"integer\"]", SIZE_PATTERN);
        range(pen, row, "minimum", "maximum");
        break;
    case CONF_PERCENT:
        pattern(pen, "[\"string\", \"number\"]", PERCENT_PATTERN);
        range(pen, row, "minimum", "maximum");
        break;
    case CONF_CHOICE:
        choices(pen, row);
        break;
    case CONF_TEXT_LIST:
        text_list(pen, row);
        break;
    case CONF_SECTION:
        only(pen, section_name(pen, row->section));
        break;
    case CONF_SECTION_LIST:
        section_list(pen, row);
        break;
    case CONF_CUSTOM:
        if (is_defined(pen, row->format->definition))
            only(pen, row->format->definition);
        else if (row->choices != NULL)
            choices(pen, row);
        else
            shaped(pen, row);
        break;
    }
}

static void fallback(struct pen *pen, const struct conf_row *row)
{
    const struct slice written = slice_of_text(row->fallback);
    int64_t number;
    bool flag;
    if (row->fallback == NULL || row->type == CONF_TEXT_LIST ||
        (row->type == CONF_CUSTOM && row->format->shape != CONF_SHAPE_SCALAR))
        return;
    key(pen, "default");
    if (row->type == CONF_INTEGER && conf_value_integer(written, &number) == 0)
        fprintf(pen->stream, "%" PRId64, number);
    else if (row->type == CONF_BOOLEAN && conf_value_boolean(written, &flag) == 0)
        fputs(flag ? "true" : "false", pen->stream);
    else
        text(pen, written);
}

/* What it means, then what it may be. */
static void description(struct pen *pen, const struct conf_row *row)
{
    char memory[TEXT_BYTES];
    struct buffer words = buffer_over(memory, sizeof(memory));
    buffer_append_text(&words, row->help);
    for (const struct conf_choice *choice = row->choices; choice != NULL && choice->name != NULL;
         choice++)
        if (choice->help != NULL)
            buffer_format(&words, " %s: %s.", choice->name, choice->help);
    buffer_append_literal(&words, " (");
    conf_row_append_facts(&words, row);
    buffer_append_char(&words, ')');
    assert(!words.overflow);
    text_member(pen, "description", buffer_slice(&words));
}

/* ---- sections ----------------------------------------------------------------------------- */

static bool has_required(const struct conf_section *section)
{
    for (size_t i = 0; i < section->row_count; i++)
        if ((section->rows[i].flags & CONF_REQUIRED) != 0)
            return true;
    return false;
}

static void required(struct pen *pen, const struct conf_section *section)
{
    const char *separator = "";
    key(pen, "required");
    fputc('[', pen->stream);
    for (size_t i = 0; i < section->row_count; i++) {
        if ((section->rows[i].flags & CONF_REQUIRED) == 0)
            continue;
        fputs(separator, pen->stream);
        text(pen, slice_of_text(section->rows[i].key));
        separator = ", ";
    }
    fputc(']', pen->stream);
}

static void section_members(struct pen *pen, const struct conf_section *section)
{
    if (section->help != NULL)
        text_member(pen, "description", slice_of_text(section->help));
    member(pen, "type", has_required(section) ? "\"object\"" : "[\"object\", \"null\"]");
    member(pen, "additionalProperties", "false");
    if (has_required(section))
        required(pen, section);
    key(pen, "properties");
    open(pen);
    for (size_t i = 0; i < section->row_count; i++) {
        key(pen, section->rows[i].key);
        open(pen);
        description(pen, &section->rows[i]);
        value(pen, &section->rows[i]);
        fallback(pen, &section->rows[i]);
        close(pen);
    }
    close(pen);
}

static bool is_collected(const struct pen *pen, const struct conf_section *section)
{
    for (size_t i = 0; i < pen->count; i++)
        if (pen->sections[i].section == section)
            return true;
    return false;
}

static void collect(struct pen *pen, const struct conf_section *section, const char *path)
{
    for (size_t i = 0; i < section->row_count; i++) {
        const struct conf_row *row = &section->rows[i];
        if (row->section == NULL || is_collected(pen, row->section))
            continue;
        assert(pen->count < SECTIONS_MAX);
        char *name = pen->sections[pen->count].name;
        int length =
            snprintf(name, NAME_BYTES, "%s%s%s", path, path[0] != '\0' ? "." : "", row->key);
        assert(length > 0 && length < NAME_BYTES);
        (void)length;
        pen->sections[pen->count++].section = row->section;
        collect(pen, row->section, name);
    }
}

void conf_section_json_schema(const struct conf_section *section, const char *title,
                              const struct conf_definition *definitions, FILE *stream)
{
    struct pen pen = {.stream = stream, .definitions = definitions};
    collect(&pen, section, "");
    open(&pen);
    member(&pen, "$schema", "\"http://json-schema.org/draft-07/schema#\"");
    text_member(&pen, "title", slice_of_text(title));
    section_members(&pen, section);
    key(&pen, "definitions");
    open(&pen);
    for (size_t i = 0; i < pen.count; i++) {
        key(&pen, pen.sections[i].name);
        open(&pen);
        section_members(&pen, pen.sections[i].section);
        close(&pen);
    }
    for (; definitions != NULL && definitions->name != NULL; definitions++)
        member(&pen, definitions->name, definitions->json);
    close(&pen);
    close(&pen);
    fputc('\n', stream);
}
