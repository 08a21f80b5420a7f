/* SPDX-License-Identifier: Apache-2.0 */
#include "source_int.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "utf8_int.h"

static const struct slice byte_order_mark = SLICE_LITERAL("\xef\xbb\xbf");

/* Length of the line break at the start of a text that is not empty; 0 when there is none. */
static size_t break_length(struct slice text)
{
    if (text.data[0] == '\n')
        return 1;
    if (text.data[0] != '\r')
        return 0;
    return text.length > 1 && text.data[1] == '\n' ? 2 : 1;
}

static int index_lines(struct conf_source *source)
{
    uint32_t count = 1;

    for (size_t i = 0; i < source->text.length; i++)
        count += source->text.data[i] == '\n' || source->text.data[i] == '\r';
    source->lines = malloc(count * sizeof(source->lines[0]));
    if (source->lines == NULL)
        return -ENOMEM;
    source->lines[0] = 0;
    source->line_count = 1;
    for (uint32_t i = 0; i < source->text.length;) {
        size_t length = break_length(slice_from(source->text, i));

        i += length > 0 ? (uint32_t)length : 1;
        if (length > 0)
            source->lines[source->line_count++] = i;
    }
    return 0;
}

struct slice conf_source_line(const struct conf_source *source, uint32_t line)
{
    if (line == 0 || line > source->line_count)
        return slice_make(slice_past(source->text), 0);

    struct slice rest = slice_from(source->text, source->lines[line - 1]);
    size_t length = 0;

    while (length < rest.length && rest.data[length] != '\n' && rest.data[length] != '\r')
        length++;
    return slice_first(rest, length);
}

uint32_t conf_source_offset(struct conf_source *source, size_t line, size_t column)
{
    if (line >= source->line_count)
        return (uint32_t)source->text.length;
    if (line != source->at_line || column < source->at_column) {
        source->at_line = (uint32_t)line;
        source->at_column = 0;
        source->at_offset = source->lines[line];
    }
    while (source->at_column < column && source->at_offset < source->text.length) {
        uint32_t code;

        source->at_offset +=
            (uint32_t)conf_utf8_step(slice_from(source->text, source->at_offset), &code);
        source->at_column++;
    }
    return source->at_offset;
}

void conf_source_clamp(const struct conf_source *source, uint32_t *line, uint32_t *column)
{
    if (*line <= source->line_count)
        return;
    *line = source->line_count;
    *column = conf_utf8_count(conf_source_line(source, *line), UINT32_MAX - 1) + 1;
}

struct conf_place conf_source_place(const struct conf_source *source, uint32_t line,
                                    uint32_t column, uint32_t width)
{
    conf_source_clamp(source, &line, &column);
    return (struct conf_place){slice_of_text(source->name), line, column, width,
                               conf_source_line(source, line)};
}

/* What YAML calls printable, less the line breaks that editors do not know. */
static bool is_allowed(uint32_t code)
{
    if (code < 0x20)
        return code == '\t' || code == '\n' || code == '\r';
    if (code >= 0x7f && code < 0xa0)
        return false;
    return code != 0x2028 && code != 0x2029 && code != 0xfeff && code != 0xfffe && code != 0xffff;
}

static bool is_utf16(struct slice text)
{
    return slice_starts_with(text, SLICE("\xff\xfe")) || slice_starts_with(text, SLICE("\xfe\xff"));
}

/* length: of the character at offset, 0 when it is malformed. */
static void report_bad_character(const struct conf_source *source, size_t offset, size_t length,
                                 uint32_t code, struct conf_report *report)
{
    uint32_t line = 1;

    while (line < source->line_count && source->lines[line] <= offset)
        line++;

    struct slice before =
        slice_between(source->text.data + source->lines[line - 1], source->text.data + offset);
    struct conf_place place =
        conf_source_place(source, line, conf_utf8_count(before, UINT32_MAX - 1) + 1, 1);

    if (length == 0 && is_utf16(source->text)) {
        place.source = (struct slice){0};
        conf_report_add(report, CONF_ERROR, &place, "the file is UTF-16, not UTF-8");
        conf_report_hint(report, "save it as UTF-8 (iconv -f UTF-16 -t UTF-8 converts it)");
        return;
    }
    if (length == 0) {
        conf_report_add(report, CONF_ERROR, &place, "byte 0x%02x is not UTF-8",
                        (unsigned)(unsigned char)source->text.data[offset]);
        conf_report_hint(report, "save the file as UTF-8 (iconv -f GB18030 -t UTF-8 converts one, "
                                 "-f ISO-8859-1 one of Western Europe)");
        return;
    }
    conf_report_add(report, CONF_ERROR, &place, "character U+%04" PRIX32 " is not allowed", code);
    if (code == 0)
        conf_report_hint(report, "remove it; a file full of them is UTF-16 and must become UTF-8");
    else
        conf_report_hint(report, "inside double quotes it can be written as \"\\u%04" PRIx32 "\"",
                         code);
}

static int check_characters(const struct conf_source *source, struct conf_report *report)
{
    for (size_t i = 0; i < source->text.length;) {
        uint32_t code = 0;
        size_t length = conf_utf8_read(slice_from(source->text, i), &code);

        if (length == 0 || !is_allowed(code)) {
            report_bad_character(source, i, length, code, report);
            return ERROR_CONFIG;
        }
        i += length;
    }
    return 0;
}

int conf_source_open(const char *name, char *memory, size_t length, struct conf_report *report,
                     struct conf_source *source)
{
    assert(length <= 1U << 30);
    *source = (struct conf_source){.name = name, .memory = memory, .text = {memory, length}};
    if (slice_starts_with(source->text, byte_order_mark))
        source->text = slice_from(source->text, byte_order_mark.length);

    int error = index_lines(source);

    if (!error)
        error = check_characters(source, report);
    if (error)
        conf_source_close(source);
    return error;
}

void conf_source_close(struct conf_source *source)
{
    free(source->lines);
    free(source->memory);
    *source = (struct conf_source){0};
}
