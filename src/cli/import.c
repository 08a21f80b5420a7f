/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/encode.h"
#include "number_int.h"

/* Rejects that are named; beyond it they are only counted. */
enum { REJECTS_NAMED = 100, AUDIT_BYTES = 1024, CHANGE_BYTES = 8192, NO_SCORE = REP_SCORE_UNKNOWN };

const struct cli_option cli_number_import_options[] = {
    {.name = "dry-run",
     .letter = 'n',
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct cli_number_options, dry_run),
     .help = "say what would change, change nothing"},
    {.name = "replace-source",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, replace_source),
     .value = "NAME",
     .help = "the file is all that this source says: take back what it does not have any more"},
    {.name = "format",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, format),
     .value = "FORMAT",
     .choices = "auto|csv|json|list",
     .help = "csv, json (lines) or list (numbers only); auto (default) looks at the first line"},
    {.name = "rejects",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, rejects),
     .value = "FILE",
     .help = "write every line that is not taken there, with number and reason"},
    {.name = "changes",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, changes),
     .value = "FILE",
     .help = "write every number that is (or would be) changed there, from what to what"},
    {.name = "source",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, source),
     .value = "NAME",
     .help = "source of rows that state none"},
    {.name = "score",
     .kind = CLI_OPTION_INTEGER,
     .offset = offsetof(struct cli_number_options, score),
     .min = 0,
     .max = REP_SCORE_MAXIMUM,
     .value = "N",
     .help = "score of rows that state neither score nor list"},
    {.name = "list",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, list),
     .value = "LIST",
     .choices = "block|allow|watch|none",
     .help = "list of rows that state neither score nor list"},
    {.name = "type",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, type),
     .value = "TYPE",
     .help = "kind of scam of rows that state none"},
    {.name = "expires",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, expires),
     .value = "WHEN",
     .help = "30d or 2027-06-30, for rows that state none"},
    CLI_NUMBER_STORE_OPTIONS,
    {.name = NULL},
};

struct import {
    struct cli *cli;
    const struct cli_number_options *options;
    const char *path;
    struct cli_reader reader;
    struct cli_store store;
    struct rep_import request;
    FILE *rejects, *changes;
    uint64_t rows;
    uint64_t rejected;
    bool header_wrong;
    struct cli_progress progress;
};

/* ---- what is told -------------------------------------------------------------------------- */

static void reject(struct import *import, uint64_t line_number, struct slice number,
                   const char *reason)
{
    const struct cli_output *err = &import->cli->err;
    char shown[256];
    struct buffer text = buffer_over(shown, sizeof(shown));
    encode_terminal(&text, slice_first(number, 64));
    if (import->rejects != NULL) {
        /* What Redis refuses is told a batch later: then there is only the number. */
        const char *line = import->reader.original;
        bool present = line != NULL && line_number == import->reader.line_number;
        fprintf(import->rejects, "%" PRIu64 "\t%s\t%.*s\n", line_number, reason,
                SLICE_ARGS(present ? slice_of_text(line) : number));
    }
    if (import->rejected++ >= REJECTS_NAMED)
        return;
    cli_progress_clear(&import->progress);
    cli_print(err, CLI_BOLD, slice_of_text(import->path));
    fprintf(err->stream, ":%" PRIu64 ": %s", line_number, reason);
    if (text.length > 0)
        fprintf(err->stream, " (%.*s)", SLICE_ARGS(buffer_slice(&text)));
    fputc('\n', err->stream);
}

static void refused(void *argument, uint64_t place, struct slice number, const char *reason)
{
    reject(argument, place, number, reason);
}

static void show_progress(void *argument, uint64_t done)
{
    struct import *import = argument;
    cli_progress_show(&import->progress, import->reader.bytes, done, clock_monotonic_us());
}

static void write_change(void *argument, const struct rep_change *change)
{
    struct import *import = argument;
    char memory[CHANGE_BYTES];
    struct buffer line = buffer_over(memory, sizeof(memory));
    const struct {
        const char *key;
        struct slice text;
    } members[] = {{"{\"change\":", slice_of_text(rep_outcome_text(change->outcome))},
                   {",\"number\":", change->number},
                   {",\"source\":", change->source},
                   {",\"from\":", change->from},
                   {",\"to\":", change->to}};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        buffer_append_text(&line, members[i].key);
        encode_json(&line, members[i].text);
    }
    buffer_append_literal(&line, "}\n");
    fwrite(memory, 1, line.length, import->changes);
}

/* ---- the rows ------------------------------------------------------------------------------ */

static int next_row(void *argument, struct rep_row *row)
{
    struct import *import = argument;
    for (;;) {
        const char *reason;
        int error = cli_reader_next(&import->reader, row, &reason);
        import->request.place = import->reader.line_number;
        if (error == 0)
            import->rows++;
        import->header_wrong = error == ERROR_MALFORMED;
        if (error != -EBADMSG)
            return error;
        if (import->store.admin != NULL)
            rep_admin_import_keep(import->store.admin, row->number);
        reject(import, import->reader.line_number, row->number, reason);
    }
}

static int import_nothing(struct import *import)
{
    struct rep_row row;
    int error;
    while ((error = next_row(import, &row)) == 0)
        if (import->rows % 1024 == 0)
            show_progress(import, import->rows);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* One at a time: the daemon audits each. An answer of "no" rejects the line. */
static int import_to_daemon(struct import *import, int *status)
{
    uint64_t *written = &import->request.count[REP_OUTCOME_CHANGED];
    struct rep_row row;
    int error;
    if (import->options->dry_run)
        return import_nothing(import);
    while ((error = next_row(import, &row)) == 0) {
        struct ctl_answer answer;
        *status = cli_store_set(&import->store, &row, &answer);
        if (*status != CLI_EXIT_OK)
            return 0;
        if (answer.status == CTL_STATUS_DENIED) {
            *status = cli_exit_of(import->cli, &answer);
            return 0;
        }
        if (answer.status != CTL_STATUS_OK)
            reject(import, import->reader.line_number, row.number, answer.message);
        else
            (*written)++;
        show_progress(import, *written);
    }
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int import_to_redis(struct import *import)
{
    const char *replace = import->options->replace_source;
    import->request.next = next_row;
    import->request.progress = show_progress;
    import->request.changed = import->changes != NULL ? write_change : NULL;
    import->request.rejected = refused;
    import->request.argument = import;
    import->request.replace = slice_of_text(replace != NULL ? replace : "");
    import->request.dry_run = import->options->dry_run;
    return rep_admin_import(import->store.admin, &import->request, clock_wall_us() / 1000000);
}

/* ---- the end ------------------------------------------------------------------------------- */

static uint64_t written(const struct import *import)
{
    return import->request.count[REP_OUTCOME_ADDED] + import->request.count[REP_OUTCOME_CHANGED];
}

static void audit_import(struct import *import)
{
    char memory[AUDIT_BYTES];
    const struct cli_number_options *options = import->options;
    const uint64_t *count = import->request.count;
    if (import->store.admin == NULL || options->dry_run ||
        written(import) + count[REP_OUTCOME_REMOVED] == 0)
        return;
    snprintf(memory, sizeof(memory),
             "number import %.300s%s%.100s: %" PRIu64 " added, %" PRIu64 " changed, %" PRIu64
             " removed, %" PRIu64 " rejected%s%.300s",
             import->path, options->replace_source != NULL ? " replacing " : "",
             options->replace_source != NULL ? options->replace_source : "",
             count[REP_OUTCOME_ADDED], count[REP_OUTCOME_CHANGED], count[REP_OUTCOME_REMOVED],
             import->rejected, options->changes != NULL ? ", each in " : "",
             options->changes != NULL ? options->changes : "");
    cli_audit(import->cli, memory);
}

static void print_counts(const struct import *import, bool known)
{
    FILE *out = import->cli->out.stream;
    char counted[32];
    const char *would = import->options->dry_run ? "would be " : "";
    if (!known) {
        cli_format_count(import->options->dry_run ? import->rows : written(import), counted,
                         sizeof(counted));
        fprintf(out, "%s %sset", counted, would);
    } else {
        for (unsigned i = REP_OUTCOME_ADDED; i < REP_OUTCOME_COUNT; i++) {
            cli_format_count(import->request.count[i], counted, sizeof(counted));
            fprintf(out, "%s%s %s%s", i > REP_OUTCOME_ADDED ? ", " : "", counted, would,
                    rep_outcome_text(i));
        }
        cli_format_count(import->request.count[REP_OUTCOME_UNCHANGED], counted, sizeof(counted));
        fprintf(out, ", %s unchanged", counted);
    }
    cli_format_count(import->rejected, counted, sizeof(counted));
    fprintf(out, ", %s rejected\n", counted);
}

static void print_result(const struct import *import)
{
    const struct cli *cli = import->cli;
    const uint64_t *count = import->request.count;
    bool known = import->store.admin != NULL;
    if (!cli->json) {
        if (import->rejected > REJECTS_NAMED)
            fprintf(cli->err.stream, "... and %" PRIu64 " more\n",
                    import->rejected - REJECTS_NAMED);
        print_counts(import, known);
        return;
    }
    fprintf(cli->out.stream, "{\"lines\":%" PRIu64 ",\"rows\":%" PRIu64 ",\"written\":%" PRIu64,
            import->reader.line_number, import->rows,
            import->options->dry_run && known ? 0 : written(import));
    for (unsigned i = 0; known && i < REP_OUTCOME_COUNT; i++)
        fprintf(cli->out.stream, ",\"%s\":%" PRIu64, rep_outcome_text(i), count[i]);
    fprintf(cli->out.stream, ",\"rejected\":%" PRIu64 ",\"dry_run\":%s}\n", import->rejected,
            import->options->dry_run ? "true" : "false");
}

static void explain_end(const struct import *import, int error)
{
    const struct rep_admin *admin = import->store.admin;
    const char *text = admin != NULL && error != -EIO && rep_admin_error(admin)[0] != '\0'
                           ? rep_admin_error(admin)
                           : error_text(error);
    if (import->header_wrong) {
        cli_complain(import->cli, "%s:1: the columns are to be %s", import->path,
                     CLI_NUMBER_COLUMNS);
        return;
    }
    cli_complain(import->cli, "%s: stopped at line %" PRIu64 ": %s", import->path,
                 import->reader.line_number, text);
    if (admin != NULL && import->options->replace_source != NULL)
        cli_complain(import->cli, "%s",
                     !import->request.rows_done
                         ? "nothing was taken back: every number of the feed has its old or its "
                           "new statement; import it again"
                         : "all rows are in force, not everything that left the feed was taken "
                           "back; import it again");
}

static int run_import(struct import *import)
{
    int error = 0;
    int status = cli_store_open(import->cli, import->options, &import->store);
    const char *replace = import->options->replace_source;
    if (status != CLI_EXIT_OK)
        return status;
    if (replace != NULL && import->store.admin == NULL) {
        cli_complain(import->cli, "--replace-source needs store: redis");
        return CLI_EXIT_USAGE;
    }
    if (replace != NULL && !rep_admin_is_source(import->store.admin, slice_of_text(replace))) {
        cli_complain(import->cli,
                     "\"%s\" is none of reputation.sources; add {name: %s} there, so that it has "
                     "a field of its own",
                     replace, replace);
        return CLI_EXIT_USAGE;
    }
    error =
        import->store.admin != NULL ? import_to_redis(import) : import_to_daemon(import, &status);
    cli_progress_clear(&import->progress);
    audit_import(import);
    print_result(import);
    if (error != 0)
        explain_end(import, error);
    if (error == ERROR_UNAVAILABLE)
        return CLI_EXIT_UNREACHABLE;
    return status == CLI_EXIT_OK && (error != 0 || import->rejected > 0) ? CLI_EXIT_NO : status;
}

/* ---- the command line ---------------------------------------------------------------------- */

static int take_defaults(struct import *import)
{
    const struct cli_number_options *options = import->options;
    struct rep_row *defaults = &import->reader.defaults;
    const char *source =
        options->replace_source != NULL ? options->replace_source : options->source;
    *defaults = (struct rep_row){
        .score = (int)options->score,
        .type = slice_of_text(options->type != NULL ? options->type : ""),
        .source = slice_of_text(source != NULL ? source : ""),
    };
    if (options->list != NULL && rep_list_parse(slice_of_text(options->list), &defaults->list) != 0)
        return CLI_EXIT_USAGE; /* the option's choices are those of the list */
    if (options->expires == NULL ||
        cli_parse_expires(options->expires, clock_wall_us() / 1000000, &defaults->expires_s) == 0)
        return CLI_EXIT_OK;
    cli_complain(import->cli, "--expires: \"%s\" is no time to come; write 30d or 2027-06-30",
                 options->expires);
    return CLI_EXIT_USAGE;
}

static bool open_output(const struct import *import, const char *path, FILE **file)
{
    if (path == NULL)
        return true;
    *file = fopen(path, "we");
    if (*file == NULL)
        cli_complain(import->cli, "%s: %s", path, error_text(-errno));
    return *file != NULL;
}

static bool close_output(const struct import *import, const char *path, FILE *file)
{
    if (file == NULL)
        return true;
    bool good = !ferror(file);
    good = fclose(file) == 0 && good;
    if (!good)
        cli_complain(import->cli, "%s: it could not be written whole", path);
    return good;
}

static int open_and_run(struct import *import, const char *path)
{
    struct stat status;
    const struct cli_number_options *options = import->options;
    bool from_input = strcmp(path, "-") == 0;
    int result = take_defaults(import);
    if (result != CLI_EXIT_OK)
        return result;
    import->path = from_input ? "standard input" : path;
    import->reader.file = from_input ? stdin : fopen(path, "re");
    if (import->reader.file == NULL) {
        cli_complain(import->cli, "%s: %s", path, error_text(-errno));
        return CLI_EXIT_NO;
    }
    if (fstat(fileno(import->reader.file), &status) == 0 && S_ISREG(status.st_mode))
        import->progress.total = (uint64_t)status.st_size;
    import->progress.started_us = clock_monotonic_us();
    result = CLI_EXIT_NO;
    if (open_output(import, options->rejects, &import->rejects) &&
        open_output(import, options->changes, &import->changes))
        result = run_import(import);
    bool good = close_output(import, options->rejects, import->rejects);
    good = close_output(import, options->changes, import->changes) && good;
    if (result == CLI_EXIT_OK && !good)
        result = CLI_EXIT_NO;
    if (!from_input)
        fclose(import->reader.file);
    return result;
}

int cli_run_number_import(struct cli *cli, char **arguments, size_t count)
{
    struct cli_number_options options = {.score = NO_SCORE};
    if (!cli_take_options(cli, cli_number_import_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    struct import import = {
        .cli = cli,
        .options = &options,
        .store = {.cli = cli},
        .reader = {.format = cli_format_of(options.format),
                   .keeps_original = options.rejects != NULL},
        .progress = {.output = &cli->err, .what = "numbers"},
    };
    int result = open_and_run(&import, arguments[0]);
    cli_store_close(&import.store);
    cli_reader_close(&import.reader);
    return result;
}
