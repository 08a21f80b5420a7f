/* SPDX-License-Identifier: Apache-2.0 */
#include "config/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/encode.h"
#include "utf8_int.h"

/* A line of a list file may be megabytes long; this much of it, in characters, is kept. */
#define SOURCE_LIMIT  160
#define SOURCE_BEFORE 60
#define MESSAGE_LIMIT 1024

struct conf_report {
    struct arena *arena;
    struct conf_problem problems[CONF_REPORT_LIMIT];
    size_t kept;
    size_t count[2];  /* by enum conf_severity */
    bool latest_kept; /* whether the latest problem is the last one in `problems` */
};

static const char *const severity_names[] = {[CONF_ERROR] = "error", [CONF_WARNING] = "warning"};
static const char *const severity_colours[] = {
    [CONF_ERROR] = "\033[1;31m", [CONF_WARNING] = "\033[1;35m"};

const char *conf_quote(struct conf_quote *quote, struct slice value)
{
    struct slice shown = conf_utf8_first(value, sizeof(quote->text) - sizeof("\"...\""));
    struct buffer buffer = buffer_over(quote->text, sizeof(quote->text));

    buffer_append_char(&buffer, '"');
    buffer_append(&buffer, shown);
    if (shown.length < value.length)
        buffer_append_literal(&buffer, "...");
    buffer_append_bytes(&buffer, "\"", 2);
    return quote->text;
}

int conf_report_create(struct conf_report **report)
{
    struct conf_report *made = calloc(1, sizeof(*made));

    if (made == NULL)
        return -ENOMEM;

    int error = arena_create(8192, 0, &made->arena);

    if (error) {
        free(made);
        return error;
    }
    *report = made;
    return 0;
}

/* NULL when memory is out. */
__attribute__((format(printf, 2, 0))) static const char *
keep_text(struct conf_report *report, const char *format, va_list arguments)
{
    char text[MESSAGE_LIMIT];
    int length = vsnprintf(text, sizeof(text), format, arguments);

    if (length < 0)
        return NULL;

    struct slice whole =
        slice_make(text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);

    if (whole.length < (size_t)length)
        whole = conf_utf8_first(whole, whole.length - 1);
    return arena_text(report->arena, whole);
}

/* Keeps the part of a source line that surrounds the column. */
static void keep_source(struct conf_report *report, const struct conf_place *place,
                        struct conf_problem *problem)
{
    struct slice line = place->source;
    uint32_t skip = place->column > SOURCE_LIMIT ? place->column - SOURCE_BEFORE : 0;
    size_t length = 0;
    uint32_t code;

    if (line.data == NULL)
        return;
    for (uint32_t i = 0; i < skip && line.length > 0; i++)
        line = slice_from(line, conf_utf8_step(line, &code));
    for (uint32_t i = 0; i < SOURCE_LIMIT && length < line.length; i++)
        length += conf_utf8_step(slice_from(line, length), &code);
    problem->source = arena_text(report->arena, slice_first(line, length));
    problem->caret = place->column - skip;
}

void conf_report_add(struct conf_report *report, enum conf_severity severity,
                     const struct conf_place *place, const char *format, ...)
{
    report->count[severity]++;
    report->latest_kept = report->kept < CONF_REPORT_LIMIT;
    if (!report->latest_kept)
        return;

    struct conf_problem *problem = &report->problems[report->kept++];
    va_list arguments;

    *problem = (struct conf_problem){.severity = severity};
    va_start(arguments, format);
    problem->message = keep_text(report, format, arguments);
    va_end(arguments);
    if (problem->message == NULL)
        problem->message = "memory ran out while this problem was described";
    if (place == NULL)
        return;
    if (place->file.data != NULL)
        problem->file = arena_text(report->arena, place->file);
    problem->line = place->line;
    problem->column = place->column;
    problem->width = place->width;
    keep_source(report, place, problem);
}

void conf_report_expect(struct conf_report *report, const char *format, ...)
{
    if (!report->latest_kept)
        return;

    va_list arguments;

    va_start(arguments, format);
    report->problems[report->kept - 1].expected = keep_text(report, format, arguments);
    va_end(arguments);
}

void conf_report_hint(struct conf_report *report, const char *format, ...)
{
    if (!report->latest_kept)
        return;

    va_list arguments;

    va_start(arguments, format);
    report->problems[report->kept - 1].hint = keep_text(report, format, arguments);
    va_end(arguments);
}

size_t conf_report_count(const struct conf_report *report, enum conf_severity severity)
{
    return report->count[severity];
}

void conf_report_each(const struct conf_report *report,
                      void (*visit)(const struct conf_problem *problem, void *argument),
                      void *argument)
{
    for (size_t i = 0; i < report->kept; i++)
        visit(&report->problems[i], argument);
}

/* Writes one character of a user's text and returns the columns it takes. A backslash stays single
 * (regular expressions are full of them), which no terminal minds; a tab takes one column. */
static unsigned print_character(FILE *stream, struct slice character, uint32_t code)
{
    char memory[32];
    struct buffer buffer = buffer_over(memory, sizeof(memory));

    if (code == '\\' || code == '\t') {
        fputc(code == '\t' ? ' ' : '\\', stream);
        return 1;
    }
    encode_terminal(&buffer, character);
    fwrite(memory, 1, buffer.length, stream);
    if (slice_equal(buffer_slice(&buffer), character))
        return conf_utf8_width(code);
    return conf_utf8_count(buffer_slice(&buffer), UINT32_MAX);
}

static void print_text(FILE *stream, const char *text)
{
    struct slice rest = slice_of_text(text);
    uint32_t code;

    while (rest.length > 0) {
        size_t length = conf_utf8_step(rest, &code);

        print_character(stream, slice_first(rest, length), code);
        rest = slice_from(rest, length);
    }
}

static void print_repeated(FILE *stream, char byte, unsigned count)
{
    while (count-- > 0)
        fputc(byte, stream);
}

/* The source line, and below it a caret with tildes as far as the problem reaches. */
static void print_source(FILE *stream, const struct conf_problem *problem, bool colour)
{
    struct slice rest = slice_of_text(problem->source);
    uint32_t past = problem->caret + (problem->width > 1 ? problem->width : 1);
    unsigned before = 0;
    unsigned under = 0;
    uint32_t code;

    fprintf(stream, "%5" PRIu32 " | ", problem->line);
    for (uint32_t at = 1; rest.length > 0; at++) {
        size_t length = conf_utf8_step(rest, &code);
        unsigned columns = print_character(stream, slice_first(rest, length), code);

        if (at < problem->caret)
            before += columns;
        else if (at < past)
            under += columns;
        rest = slice_from(rest, length);
    }
    fputs("\n      | ", stream);
    print_repeated(stream, ' ', before);
    fputs(colour ? "\033[1;32m^" : "^", stream);
    print_repeated(stream, '~', under > 1 ? under - 1 : 0);
    fputs(colour ? "\033[0m\n" : "\n", stream);
}

static void print_problem(FILE *stream, const struct conf_problem *problem, bool colour)
{
    fputs(colour ? "\033[1m" : "", stream);
    if (problem->file != NULL) {
        print_text(stream, problem->file);
        if (problem->line > 0)
            fprintf(stream, ":%" PRIu32 ":%" PRIu32, problem->line, problem->column);
        fputs(": ", stream);
    }
    if (colour)
        fputs(severity_colours[problem->severity], stream);
    fprintf(stream, "%s: %s", severity_names[problem->severity], colour ? "\033[0m" : "");
    print_text(stream, problem->message);
    fputc('\n', stream);
    if (problem->source != NULL && problem->line > 0)
        print_source(stream, problem, colour);
    if (problem->expected != NULL) {
        fputs("      = expected: ", stream);
        print_text(stream, problem->expected);
        fputc('\n', stream);
    }
    if (problem->hint != NULL) {
        fputs("      = hint: ", stream);
        print_text(stream, problem->hint);
        fputc('\n', stream);
    }
}

void conf_report_print(const struct conf_report *report, FILE *stream, bool colour)
{
    size_t total = report->count[CONF_ERROR] + report->count[CONF_WARNING];

    for (size_t i = 0; i < report->kept; i++)
        print_problem(stream, &report->problems[i], colour);
    if (total > report->kept)
        fprintf(stream, "%zu more %s not shown\n", total - report->kept,
                total - report->kept == 1 ? "problem is" : "problems are");
}

/* name is a literal of ours. Absent texts are left out. */
static void json_text(struct buffer *buffer, const char *name, const char *text)
{
    if (text == NULL)
        return;
    buffer_format(buffer, ",\"%s\":", name);
    encode_json(buffer, slice_of_text(text));
}

static void json_problem(struct buffer *buffer, const struct conf_problem *problem)
{
    buffer_format(buffer, "{\"severity\":\"%s\"", severity_names[problem->severity]);
    json_text(buffer, "file", problem->file);
    if (problem->line > 0)
        buffer_format(buffer, ",\"line\":%" PRIu32 ",\"column\":%" PRIu32 ",\"width\":%" PRIu32,
                      problem->line, problem->column, problem->width);
    json_text(buffer, "message", problem->message);
    json_text(buffer, "expected", problem->expected);
    json_text(buffer, "hint", problem->hint);
    json_text(buffer, "source", problem->source);
    if (problem->source != NULL)
        buffer_format(buffer, ",\"caret\":%" PRIu32, problem->caret);
    buffer_append_char(buffer, '}');
}

void conf_report_json(const struct conf_report *report, struct buffer *buffer)
{
    /* Room for the end of the text, with the largest number it can hold. */
    const size_t tail = sizeof("],\"omitted\":18446744073709551615}");
    size_t capacity = buffer->capacity;
    size_t written = 0;

    buffer_format(buffer, "{\"errors\":%zu,\"warnings\":%zu,\"problems\":[",
                  report->count[CONF_ERROR], report->count[CONF_WARNING]);
    if (buffer->overflow)
        return;
    buffer->capacity = capacity > tail ? capacity - tail : 0;
    if (buffer->capacity < buffer->length)
        buffer->capacity = buffer->length;
    for (; written < report->kept; written++) {
        size_t before = buffer->length;

        if (written > 0)
            buffer_append_char(buffer, ',');
        json_problem(buffer, &report->problems[written]);
        if (buffer->overflow) {
            buffer->length = before;
            buffer->overflow = false;
            break;
        }
    }
    buffer->capacity = capacity;
    buffer_format(buffer, "],\"omitted\":%zu}",
                  report->count[CONF_ERROR] + report->count[CONF_WARNING] - written);
}

void conf_report_destroy(struct conf_report *report)
{
    if (report == NULL)
        return;
    arena_destroy(report->arena);
    free(report);
}
