/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of a file of numbers: CSV, JSON lines, plain lists. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "control/json.h"
#include "number_int.h"

enum { LINE_LIMIT = 64 << 10 };

enum cli_format cli_format_of(const char *word)
{
    static const struct {
        const char *word;
        enum cli_format format;
    } formats[] = {
#define FORMAT_WORD(name, word, help) {word, name},
        CLI_FORMAT_TABLE(FORMAT_WORD)
#undef FORMAT_WORD
    };
    for (size_t i = 0; word != NULL && i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(word, formats[i].word) == 0)
            return formats[i].format;
    return CLI_FORMAT_AUTO;
}

static bool is_comment(struct slice line)
{
    return line.length == 0 || line.data[0] == '#';
}

static enum cli_format guess(struct slice line)
{
    if (line.data[0] == '{')
        return CLI_FORMAT_JSON;
    return slice_find(line, ',') < line.length ? CLI_FORMAT_CSV : CLI_FORMAT_LIST;
}

/* The header is optional, but one with other columns means another order of columns. */
static bool header_is_wrong(const struct cli_reader *reader, struct slice line)
{
    struct slice known = SLICE(CLI_NUMBER_COLUMNS);
    if (reader->line_number != 1 || !slice_starts_with(line, SLICE("number,")))
        return false;
    return !slice_starts_with(known, line) ||
           (line.length < known.length && known.data[line.length] != ',');
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/* A text, or a number where one is written without quotes. */
static struct slice member(struct json_object *object, const char *key)
{
    struct json_object *value;
    if (!json_object_object_get_ex(object, key, &value) || value == NULL)
        return slice_make(NULL, 0);
    if (json_object_is_type(value, json_type_int))
        return slice_of_text(json_object_to_json_string(value));
    return ctl_json_slice(value);
}

static bool is_scalar(struct json_object *value)
{
    return value == NULL || json_object_is_type(value, json_type_string) ||
           json_object_is_type(value, json_type_int);
}

static const char *check_members(struct json_object *object)
{
    static const char *const known[] = {"number",  "score", "list",  "type", "source",
                                        "expires", "note",  "since", "case"};
    json_object_object_foreach(object, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            found = found || strcmp(key, known[i]) == 0;
        if (!found)
            return "a member that is none of " CLI_NUMBER_COLUMNS;
        if (!is_scalar(value))
            return "a member that is neither text nor whole number";
    }
    return NULL;
}

static int read_json(struct cli_reader *reader, struct slice line, struct rep_row *row,
                     const char **reason)
{
    uint64_t score;
    *row = (struct rep_row){.score = REP_SCORE_UNKNOWN};
    if (ctl_json_parse_object(line, &reader->object, NULL) != 0) {
        reader->object = NULL;
        *reason = "no JSON object";
        return -EBADMSG;
    }
    struct json_object *object = reader->object;
    row->number = member(object, "number");
    row->type = member(object, "type");
    row->source = member(object, "source");
    row->note = member(object, "note");
    row->reference = member(object, "case");
    struct slice points = slice_trim(member(object, "score"));
    *reason = check_members(object);
    if (*reason != NULL)
        return -EBADMSG;
    if (points.length > 0 && slice_to_uint64(points, REP_SCORE_MAXIMUM, &score) != 0)
        *reason = rep_skip_text(REP_SKIP_SCORE);
    else if (points.length > 0)
        row->score = (int)score;
    if (rep_list_parse(member(object, "list"), &row->list) != 0)
        *reason = rep_skip_text(REP_SKIP_LIST);
    if (rep_time_parse(member(object, "expires"), &row->expires_s) != 0)
        *reason = rep_skip_text(REP_SKIP_EXPIRES);
    if (rep_time_parse(member(object, "since"), &row->since_s) != 0)
        *reason = rep_skip_text(REP_SKIP_SINCE);
    return *reason != NULL ? -EBADMSG : 0;
}

/* ---- lines --------------------------------------------------------------------------------- */

static void fill_in(const struct rep_row *defaults, struct rep_row *row)
{
    if (row->score == REP_SCORE_UNKNOWN && row->list == REP_LIST_NONE) {
        row->score = defaults->score;
        row->list = defaults->list;
    }
    if (row->type.length == 0)
        row->type = defaults->type;
    if (row->source.length == 0)
        row->source = defaults->source;
    if (row->note.length == 0)
        row->note = defaults->note;
    if (row->expires_s == 0)
        row->expires_s = defaults->expires_s;
    if (row->since_s == 0)
        row->since_s = defaults->since_s;
}

static int read_csv(struct cli_reader *reader, size_t length, struct rep_row *row,
                    const char **reason)
{
    enum rep_skip skip;
    int code = rep_row_parse_csv(reader->line, length, row, &skip);
    /* A statement that the options complete. */
    if (code == -EBADMSG && skip == REP_SKIP_EMPTY)
        code = 0;
    if (code == -EBADMSG)
        *reason = rep_skip_text(skip);
    return code;
}

static int read_line(struct cli_reader *reader, size_t length, struct rep_row *row,
                     const char **reason)
{
    struct slice line = slice_trim(slice_make(reader->line, length));
    int code = 0;
    if (is_comment(line))
        return ERROR_NOT_FOUND;
    if (reader->format == CLI_FORMAT_AUTO)
        reader->format = guess(line);
    if (reader->format == CLI_FORMAT_CSV && header_is_wrong(reader, line))
        return ERROR_MALFORMED;
    if (reader->format == CLI_FORMAT_JSON)
        code = read_json(reader, line, row, reason);
    else if (reader->format == CLI_FORMAT_CSV)
        code = read_csv(reader, length, row, reason);
    else
        *row = (struct rep_row){.number = line, .score = REP_SCORE_UNKNOWN};
    if (code != 0)
        return code;
    fill_in(&reader->defaults, row);
    *reason = rep_admin_check(row);
    return *reason != NULL ? -EBADMSG : 0;
}

static int keep_original(struct cli_reader *reader)
{
    if (!reader->keeps_original)
        return 0;
    free(reader->original);
    reader->original = strdup(reader->line);
    return reader->original != NULL ? 0 : -ENOMEM;
}

int cli_reader_next(struct cli_reader *reader, struct rep_row *row, const char **reason)
{
    for (;;) {
        json_object_put(reader->object);
        reader->object = NULL;
        *reason = NULL;
        *row = (struct rep_row){0};
        ssize_t length = getline(&reader->line, &reader->capacity, reader->file);
        if (length < 0)
            return ferror(reader->file) ? -EIO : ERROR_NOT_FOUND;
        reader->line_number++;
        reader->bytes += (uint64_t)length;
        while (length > 0 && (reader->line[length - 1] == '\n' || reader->line[length - 1] == '\r'))
            length--;
        reader->line[length] = '\0';
        int code = keep_original(reader);
        if (code == 0 && length > LINE_LIMIT) {
            *reason = "a line of more than 64 kB";
            code = -EBADMSG;
        }
        if (code == 0)
            code = read_line(reader, (size_t)length, row, reason);
        if (code != ERROR_NOT_FOUND)
            return code;
    }
}

void cli_reader_close(struct cli_reader *reader)
{
    json_object_put(reader->object);
    free(reader->line);
    free(reader->original);
}
