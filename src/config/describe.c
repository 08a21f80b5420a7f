/* SPDX-License-Identifier: Apache-2.0 */
#include "config/describe.h"

#include <inttypes.h>

#include "base/encode.h"
#include "config/value.h"
#include "schema_int.h"

#define WRAP_COLUMN 96

/* Where the writing stands. */
struct pen {
    FILE *stream;
    unsigned indent;    /* of YAML, in spaces */
    struct buffer path; /* "trunks[].health" */
    char memory[256];
};

static void describe_yaml(struct pen *pen, const struct conf_section *section);

static bool is_nested(const struct conf_row *row)
{
    return row->type == CONF_SECTION || row->type == CONF_SECTION_LIST;
}

void conf_row_append_facts(struct buffer *buffer, const struct conf_row *row)
{
    size_t before;

    buffer_append_text(buffer, conf_row_type_name(row));
    if (row->type == CONF_CHOICE) {
        buffer_append_literal(buffer, ": ");
        conf_row_append_choices(buffer, row);
    }
    buffer_append_literal(buffer, ", ");
    before = buffer->length;
    conf_row_append_range(buffer, row);
    if (buffer->length == before)
        buffer->length -= sizeof(", ") - 1;
    if ((row->flags & CONF_REQUIRED) != 0)
        buffer_append_literal(buffer, "; required");
    if ((row->flags & CONF_NEEDS_RESTART) != 0)
        buffer_append_literal(buffer, "; needs a restart");
}

static void append_list(struct buffer *buffer, struct slice items)
{
    buffer_append_char(buffer, '[');
    for (bool first = true; items.length > 0; first = false) {
        size_t length = slice_find(items, ',');

        if (!first)
            buffer_append_literal(buffer, ", ");
        encode_json(buffer, slice_trim(slice_first(items, length)));
        items = slice_from(items, length + 1);
    }
    buffer_append_char(buffer, ']');
}

/* A value that YAML reads back as the default; false where there is none and none can be shown. */
static bool append_default(struct buffer *buffer, const struct conf_row *row)
{
    const struct slice fallback = slice_of_text(row->fallback);

    if (row->type == CONF_TEXT_LIST) {
        append_list(buffer, fallback);
        return true;
    }
    if (row->fallback == NULL)
        return false;
    if (row->type == CONF_CUSTOM && slice_find(fallback, ',') < fallback.length)
        append_list(buffer, fallback);
    else if (row->type == CONF_TEXT || row->type == CONF_CUSTOM)
        encode_json(buffer, fallback);
    else
        buffer_append(buffer, fallback);
    return true;
}

/* What a required value may look like. */
static void append_example(struct buffer *buffer, const struct conf_row *row)
{
    switch (row->type) {
    case CONF_INTEGER:
        buffer_append_int(buffer, row->min);
        break;
    case CONF_BOOLEAN:
        buffer_append_literal(buffer, "false");
        break;
    case CONF_DURATION:
        conf_value_append_duration(buffer, (uint64_t)row->min);
        break;
    case CONF_SIZE:
        conf_value_append_size(buffer, (uint64_t)row->min);
        break;
    case CONF_PERCENT:
        conf_value_append_percent(buffer, (double)row->min);
        break;
    case CONF_CHOICE:
        buffer_append_text(buffer, row->choices[0].name);
        break;
    case CONF_CUSTOM:
        buffer_append_text(buffer, row->format->example);
        break;
    default:
        encode_json(buffer, slice_of_text(row->key));
        break;
    }
}

/* ---- YAML ----------------------------------------------------------------------------------- */

/*
 * Every line begins with "#", and behind it stands YAML in which prose is a comment again. So
 * removing the first "#" of a few lines, or of all of them, gives a valid file.
 */
static void yaml_margin(const struct pen *pen)
{
    fprintf(pen->stream, "#%*s", (int)pen->indent, "");
}

static void yaml_prose(const struct pen *pen, const char *text)
{
    struct slice rest = slice_of_text(text);
    size_t column = WRAP_COLUMN;

    while (rest.length > 0) {
        size_t length = slice_find(rest, ' ');

        if (column + length + 1 > WRAP_COLUMN) {
            fputs(column == WRAP_COLUMN ? "" : "\n", pen->stream);
            yaml_margin(pen);
            fputc('#', pen->stream);
            column = pen->indent + 2;
        }
        fprintf(pen->stream, " %.*s", SLICE_ARGS(slice_first(rest, length)));
        column += length + 1;
        rest = slice_from(rest, length + 1);
    }
    fputc('\n', pen->stream);
}

static void yaml_setting(const struct pen *pen, const struct conf_row *row)
{
    char memory[512];
    struct buffer buffer = buffer_over(memory, sizeof(memory));

    yaml_margin(pen);
    if ((row->flags & CONF_REQUIRED) != 0) {
        append_example(&buffer, row);
    } else if (!append_default(&buffer, row)) {
        fprintf(pen->stream, "# %s:\n", row->key);
        return;
    }
    fprintf(pen->stream, "%s: %.*s\n", row->key, SLICE_ARGS(buffer_slice(&buffer)));
}

static void yaml_nested(struct pen *pen, const struct conf_row *row)
{
    const unsigned indent = pen->indent;

    yaml_margin(pen);
    fprintf(pen->stream, "%s:\n", row->key);
    pen->indent += 2;
    if (row->type == CONF_SECTION_LIST) {
        yaml_margin(pen);
        fputs("-\n", pen->stream);
        pen->indent += 2;
    }
    describe_yaml(pen, row->section);
    pen->indent = indent;
}

static void describe_yaml(struct pen *pen, const struct conf_section *section)
{
    for (size_t i = 0; i < section->row_count; i++) {
        const struct conf_row *row = &section->rows[i];
        char memory[512];
        struct buffer facts = buffer_over(memory, sizeof(memory) - 1);

        conf_row_append_facts(&facts, row);
        memory[facts.length] = '\0';
        if (i > 0)
            fputs("#\n", pen->stream);
        yaml_prose(pen, row->help);
        yaml_prose(pen, memory);
        if (is_nested(row))
            yaml_nested(pen, row);
        else
            yaml_setting(pen, row);
    }
}

/* ---- Markdown and mdoc ---------------------------------------------------------------------- */

/* A cell of a table: "|" would end it. */
static void markdown_cell(FILE *stream, struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '|')
            fputc('\\', stream);
        fputc(text.data[i], stream);
    }
}

static void markdown_row(const struct pen *pen, const struct conf_row *row)
{
    char memory[512];
    struct buffer buffer = buffer_over(memory, sizeof(memory));

    fprintf(pen->stream, "| `%s` | ", row->key);
    conf_row_append_facts(&buffer, row);
    markdown_cell(pen->stream, buffer_slice(&buffer));
    buffer.length = 0;
    fputs(" | ", pen->stream);
    if (append_default(&buffer, row)) {
        fputc('`', pen->stream);
        markdown_cell(pen->stream, buffer_slice(&buffer));
        fputc('`', pen->stream);
    }
    fputs(" | ", pen->stream);
    markdown_cell(pen->stream, slice_of_text(row->help));
    for (const struct conf_choice *choice = row->choices; choice != NULL && choice->name != NULL;
         choice++) {
        if (choice->help == NULL)
            continue;
        fprintf(pen->stream, " `%s`: ", choice->name);
        markdown_cell(pen->stream, slice_of_text(choice->help));
    }
    fputs(" |\n", pen->stream);
}

static void markdown_section(struct pen *pen, const struct conf_section *section)
{
    if (pen->path.length > 0)
        fprintf(pen->stream, "\n## `%.*s`\n", SLICE_ARGS(buffer_slice(&pen->path)));
    if (section->help != NULL)
        fprintf(pen->stream, "\n%s\n", section->help);
    fputs("\n| key | value | default | meaning |\n|---|---|---|---|\n", pen->stream);
    for (size_t i = 0; i < section->row_count; i++)
        markdown_row(pen, &section->rows[i]);
}

/* A text line of mdoc: a leading control character and backslashes are escaped, and the sentence
 * starts on a line of its own. */
static void mdoc_text(FILE *stream, struct slice text)
{
    if (text.length > 0 && (text.data[0] == '.' || text.data[0] == '\''))
        fputs("\\&", stream);
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\\')
            fputs("\\e", stream);
        else
            fputc(text.data[i], stream);
    }
    fputc('\n', stream);
}

static void mdoc_section(struct pen *pen, const struct conf_section *section)
{
    for (size_t i = 0; i < section->row_count; i++) {
        const struct conf_row *row = &section->rows[i];
        char memory[512];
        struct buffer buffer = buffer_over(memory, sizeof(memory));

        fprintf(pen->stream, ".It Cm %.*s%s%s\n", SLICE_ARGS(buffer_slice(&pen->path)),
                pen->path.length > 0 ? "." : "", row->key);
        conf_row_append_facts(&buffer, row);
        buffer_append_char(&buffer, '.');
        mdoc_text(pen->stream, buffer_slice(&buffer));
        buffer.length = 0;
        if (append_default(&buffer, row)) {
            fputs("Default:\n", pen->stream);
            mdoc_text(pen->stream, buffer_slice(&buffer));
        }
        fputs(".br\n", pen->stream);
        mdoc_text(pen->stream, slice_of_text(row->help));
    }
}

/* The section itself, then what is nested in it, each under its path. */
static void describe_flat(struct pen *pen, const struct conf_section *section,
                          void (*describe)(struct pen *pen, const struct conf_section *section))
{
    const size_t length = pen->path.length;

    describe(pen, section);
    for (size_t i = 0; i < section->row_count; i++) {
        const struct conf_row *row = &section->rows[i];

        if (!is_nested(row))
            continue;
        if (length > 0)
            buffer_append_char(&pen->path, '.');
        buffer_append_text(&pen->path, row->key);
        if (row->type == CONF_SECTION_LIST)
            buffer_append_literal(&pen->path, "[]");
        describe_flat(pen, row->section, describe);
        pen->path.length = length;
        pen->path.overflow = false;
    }
}

void conf_section_describe(const struct conf_section *section, enum conf_reference style,
                           FILE *stream)
{
    struct pen pen = {.stream = stream};

    pen.path = buffer_over(pen.memory, sizeof(pen.memory));
    switch (style) {
    case CONF_REFERENCE_YAML:
        describe_yaml(&pen, section);
        break;
    case CONF_REFERENCE_MARKDOWN:
        describe_flat(&pen, section, markdown_section);
        break;
    case CONF_REFERENCE_MDOC:
        fputs(".Bl -tag -width Ds\n", stream);
        describe_flat(&pen, section, mdoc_section);
        fputs(".El\n", stream);
        break;
    }
}
