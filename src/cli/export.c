/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "number_int.h"
#include "stats/json.h"

enum { LINE_BYTES = 16 << 10, NO_SCORE = REP_SCORE_UNKNOWN };

const struct cli_option cli_number_export_options[] = {
    {.name = "format",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, format),
     .value = "FORMAT",
     .choices = "csv|json|list",
     .help = "csv (default), json (lines) or list (numbers only)"},
    {.name = "source",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, source),
     .value = "NAME",
     .help = "what this source says"},
    {.name = "list",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, list),
     .value = "LIST",
     .choices = "block|allow|watch|none",
     .help = "what is on this list"},
    {.name = "type",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, type),
     .value = "TYPE",
     .help = "this kind of scam"},
    {.name = "min-score",
     .kind = CLI_OPTION_INTEGER,
     .offset = offsetof(struct cli_number_options, min_score),
     .min = 0,
     .max = REP_SCORE_MAXIMUM,
     .value = "N",
     .help = "scores from N on"},
    {.name = "max-score",
     .kind = CLI_OPTION_INTEGER,
     .offset = offsetof(struct cli_number_options, max_score),
     .min = 0,
     .max = REP_SCORE_MAXIMUM,
     .value = "N",
     .help = "scores up to N"},
    {.name = "prefix",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, prefix),
     .value = "DIGITS",
     .help = "numbers and prefixes that begin so: +86138"},
    {.name = "since",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, since),
     .value = "WHEN",
     .help = "said since then: 2026-11-28, or 3d for three days ago"},
    CLI_NUMBER_STORE_OPTIONS,
    {.name = NULL},
};

struct export
{
    struct cli *cli;
    const struct cli_number_options *options;
    enum cli_format format;
    enum rep_list list;
    uint64_t since_s;
    struct slice prefix; /* without its plus */
    FILE *file;
    uint64_t rows;
    struct cli_progress progress;
};

static bool is_wanted(const struct export *export, const struct rep_row *row)
{
    const struct cli_number_options *options = export->options;
    size_t plus = row->number.length > 0 && row->number.data[0] == '+';
    return (options->source == NULL || slice_equal(row->source, slice_of_text(options->source))) &&
           (options->list == NULL || row->list == export->list) &&
           (options->type == NULL || slice_equal(row->type, slice_of_text(options->type))) &&
           (options->min_score == NO_SCORE || row->score >= options->min_score) &&
           (options->max_score == NO_SCORE ||
            (row->score >= 0 && row->score <= options->max_score)) &&
           (export->since_s == 0 || row->since_s >= export->since_s) &&
           slice_starts_with(slice_from(row->number, plus), export->prefix);
}

/* Quoted where needed, and otherwise as it is: what is read back must be the same. */
static void append_csv(struct buffer *line, struct slice text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.length; i++)
        quoted = quoted || strchr(",\"\r\n #", text.data[i]) != NULL;
    if (!quoted) {
        buffer_append(line, text);
        return;
    }
    buffer_append_char(line, '"');
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"')
            buffer_append_char(line, '"');
        /* A field has no line break (docs/redis.md). */
        bool breaks = text.data[i] == '\n' || text.data[i] == '\r' || text.data[i] == '\0';
        buffer_append_char(line, breaks ? ' ' : text.data[i]);
    }
    buffer_append_char(line, '"');
}

static void append_time(struct buffer *line, uint64_t wall_s)
{
    if (wall_s != 0)
        rep_time_append(line, wall_s);
}

static void write_csv(struct buffer *line, const struct rep_row *row)
{
    append_csv(line, row->number);
    buffer_append_char(line, ',');
    if (row->score != REP_SCORE_UNKNOWN)
        buffer_append_int(line, row->score);
    buffer_append_char(line, ',');
    if (row->list != REP_LIST_NONE)
        buffer_append_text(line, rep_list_text(row->list));
    buffer_append_char(line, ',');
    append_csv(line, row->type);
    buffer_append_char(line, ',');
    append_csv(line, row->source);
    buffer_append_char(line, ',');
    append_time(line, row->expires_s);
    buffer_append_char(line, ',');
    append_csv(line, row->note);
    buffer_append_char(line, ',');
    append_time(line, row->since_s);
    buffer_append_char(line, ',');
    append_csv(line, row->reference);
}

static void write_json(struct buffer *line, const struct rep_row *row)
{
    char memory[2][40];
    struct buffer expires = buffer_over(memory[0], sizeof(memory[0]));
    struct buffer since = buffer_over(memory[1], sizeof(memory[1]));
    append_time(&expires, row->expires_s);
    append_time(&since, row->since_s);
    struct stats_json json = stats_json_into(line);
    const struct {
        const char *key;
        struct slice text;
    } texts[] = {
        {"type", row->type}, {"source", row->source},         {"expires", buffer_slice(&expires)},
        {"note", row->note}, {"since", buffer_slice(&since)}, {"case", row->reference}};
    stats_json_begin_object(&json, NULL);
    stats_json_slice(&json, "number", row->number);
    if (row->score != REP_SCORE_UNKNOWN)
        stats_json_int(&json, "score", row->score);
    if (row->list != REP_LIST_NONE)
        stats_json_text(&json, "list", rep_list_text(row->list));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].text.length > 0)
            stats_json_slice(&json, texts[i].key, texts[i].text);
    stats_json_end_object(&json);
}

static int write_row(void *argument, const struct rep_row *row)
{
    struct export *export = argument;
    char memory[LINE_BYTES];
    struct buffer line = buffer_over(memory, sizeof(memory));
    if (!is_wanted(export, row))
        return 0;
    if (export->format == CLI_FORMAT_JSON)
        write_json(&line, row);
    else if (export->format == CLI_FORMAT_LIST)
        buffer_append(&line, row->number);
    else
        write_csv(&line, row);
    buffer_append_char(&line, '\n');
    if (line.overflow)
        return -EMSGSIZE;
    if (fwrite(memory, 1, line.length, export->file) != line.length)
        return -EIO;
    export->rows++;
    return 0;
}

static void show_progress(void *argument, uint64_t done)
{
    struct export *export = argument;
    cli_progress_show(&export->progress, done, done, clock_monotonic_us());
}

static int run_export(struct export *export, const char *path)
{
    struct cli *cli = export->cli;
    struct cli_store store;
    struct rep_export request = {.row = write_row, .progress = show_progress, .argument = export};
    int status = cli_store_open(cli, export->options, &store);
    if (status == CLI_EXIT_OK && store.admin == NULL) {
        cli_complain(cli, "export needs store: redis; a memory store is its CSV file");
        status = CLI_EXIT_USAGE;
    }
    if (status != CLI_EXIT_OK)
        goto out;
    if (export->format == CLI_FORMAT_CSV)
        fputs(CLI_NUMBER_COLUMNS "\n", export->file);
    int error = rep_admin_export(store.admin, &request, clock_wall_us() / 1000000);
    cli_progress_clear(&export->progress);
    if (error == 0 && fflush(export->file) != 0)
        error = -errno;
    if (error != 0) {
        const char *reason = rep_admin_error(store.admin);
        cli_complain(cli, "%s: %s", path,
                     error == ERROR_UNAVAILABLE && reason[0] != '\0' ? reason : error_text(error));
    }
    if (request.skipped > 0)
        cli_complain(cli, "%" PRIu64 " keys or statements are none and were left out",
                     request.skipped);
    status = error == ERROR_UNAVAILABLE ? CLI_EXIT_UNREACHABLE
             : error != 0               ? CLI_EXIT_NO
                                        : CLI_EXIT_OK;
out:
    cli_store_close(&store);
    return status;
}

static int take_filters(struct export *export)
{
    const struct cli_number_options *options = export->options;
    struct slice prefix = slice_of_text(options->prefix != NULL ? options->prefix : "");
    export->prefix = slice_from(prefix, prefix.length > 0 && prefix.data[0] == '+');
    if (options->list != NULL && rep_list_parse(slice_of_text(options->list), &export->list) != 0)
        return CLI_EXIT_USAGE; /* the option's choices are those of the list */
    if (options->since == NULL ||
        cli_parse_since(options->since, clock_wall_us() / 1000000, &export->since_s) == 0)
        return CLI_EXIT_OK;
    cli_complain(export->cli, "--since: \"%s\" is no time; write 2026-11-28 or 3d", options->since);
    return CLI_EXIT_USAGE;
}

int cli_run_number_export(struct cli *cli, char **arguments, size_t count)
{
    struct cli_number_options options = {.min_score = NO_SCORE, .max_score = NO_SCORE};
    if (!cli_take_options(cli, cli_number_export_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    struct export export = {
        .cli = cli,
        .options = &options,
        .format = options.format != NULL ? cli_format_of(options.format) : CLI_FORMAT_CSV,
        .progress = {.output = &cli->err, .what = "keys"},
    };
    bool to_output = count == 0 || strcmp(arguments[0], "-") == 0;
    int status = take_filters(&export);
    if (status != CLI_EXIT_OK)
        return status;
    export.progress.started_us = clock_monotonic_us();
    export.file = to_output ? cli->out.stream : fopen(arguments[0], "we");
    if (export.file == NULL) {
        cli_complain(cli, "%s: %s", arguments[0], error_text(-errno));
        return CLI_EXIT_NO;
    }
    status = run_export(&export, to_output ? "standard output" : arguments[0]);
    if (!to_output && fclose(export.file) != 0 && status == CLI_EXIT_OK) {
        cli_complain(cli, "%s: %s", arguments[0], error_text(-errno));
        status = CLI_EXIT_NO;
    }
    return status;
}
