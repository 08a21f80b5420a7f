/* SPDX-License-Identifier: Apache-2.0 */
#include "document_int.h"

#include <inttypes.h>

/*
 * libyaml's texts speak of tokens and contexts. Each row: how its problem begins, what we say
 * instead, and what usually helps.
 */
static const struct {
    const char *begins;
    const char *message;
    const char *hint;
} phrases[] = {
    {"found a tab character", "a tab cannot be used to indent", "indent with spaces"},
    {"mapping values are not allowed", "\": \" is not allowed here",
     "put a text that contains \": \" into quotes, or check the indentation"},
    {"mapping keys are not allowed", "a key is not allowed here", "check the indentation"},
    {"block sequence entries are not allowed", "a list item (\"- \") is not allowed here",
     "put the list on lines of its own below its key"},
    {"could not find expected ':'", "the \":\" behind a key is missing",
     "a key is followed by a colon and a space; a text over several lines needs quotes or \"|\""},
    {"did not find expected key", "neither a key nor the end of the section",
     "check the indentation here and above, and that quotes are closed"},
    {"did not find expected '-' indicator", "neither a list item nor the end of the list",
     "check the indentation here and above"},
    {"did not find expected ',' or ']'", "a \",\" or \"]\" is missing", NULL},
    {"did not find expected ',' or '}'", "a \",\" or \"}\" is missing", NULL},
    {"did not find expected node content", "a value is missing here",
     "between [ ] and { } a text with \":\" needs quotes"},
    {"did not find expected <document start>", "text behind the end of the document",
     "check the indentation here and above"},
    {"found unexpected end of stream", "a quote is not closed before the end of the file", NULL},
    {"found unexpected document indicator", "a quote is not closed before the end of the document",
     NULL},
    {"found unexpected ':'", "a \":\" is not allowed here",
     "between [ ] and { } a text with \":\" needs quotes"},
    {"found unknown escape character", "unknown escape in a text in double quotes",
     "use single quotes for texts with backslashes, such as regular expressions"},
    {"found incompatible YAML document", "this version of YAML is not known",
     "remove the line that begins with %YAML"},
    {"found undefined tag handle", "YAML tags are not supported",
     "put a text that begins with \"!\" into quotes"},
};

static void report_bad_start(struct conf_report *report, const struct conf_place *place, char byte)
{
    if (byte == '\t') {
        conf_report_add(report, CONF_ERROR, place, "a tab cannot be used to indent");
        conf_report_hint(report, "indent with spaces");
        return;
    }
    conf_report_add(report, CONF_ERROR, place, "a value cannot begin with \"%c\"", byte);
    conf_report_hint(report, "put it into quotes");
}

void conf_yaml_problem(const struct conf_source *source, const yaml_parser_t *parser,
                       struct conf_report *report)
{
    struct slice problem = slice_of_text(parser->problem);
    struct slice line = conf_source_line(source, (uint32_t)parser->problem_mark.line + 1);
    size_t offset = 0;
    struct conf_place place = conf_source_place(source, (uint32_t)parser->problem_mark.line + 1,
                                                (uint32_t)parser->problem_mark.column + 1, 1);

    /* Columns count characters; a bad start is looked up by walking its line. */
    for (size_t i = 0; i < parser->problem_mark.column && offset < line.length; i++) {
        do
            offset++;
        while (offset < line.length && ((unsigned char)line.data[offset] & 0xc0) == 0x80);
    }
    if (slice_starts_with(problem, SLICE("found character that cannot start")) &&
        offset < line.length) {
        report_bad_start(report, &place, line.data[offset]);
        return;
    }

    size_t row = 0;
    const size_t rows = sizeof(phrases) / sizeof(phrases[0]);

    while (row < rows && !slice_starts_with(problem, slice_of_text(phrases[row].begins)))
        row++;
    conf_report_add(report, CONF_ERROR, &place, "%s",
                    row < rows             ? phrases[row].message
                    : problem.data != NULL ? problem.data
                                           : "the YAML is malformed");
    if (row < rows && phrases[row].hint != NULL)
        conf_report_hint(report, "%s", phrases[row].hint);
    if (parser->context != NULL && parser->context_mark.line < parser->problem_mark.line)
        conf_report_expect(report, "the end of what began on line %zu, column %zu",
                           parser->context_mark.line + 1, parser->context_mark.column + 1);
}
