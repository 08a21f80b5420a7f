/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "number_int.h"

/* Rejects that are named; beyond it they are only counted. */
enum { REJECTS_NAMED = 100, AUDIT_BYTES = 1024 };

static const char *const columns = "number,score,list,type,source,expires,note";

const struct cli_option cli_number_import_options[] = {
    {.name = "dry-run",
     .letter = 'n',
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct cli_number_options, dry_run),
     .help = "read and check the file, change nothing"},
    CLI_NUMBER_STORE_OPTIONS,
    {.name = NULL},
};

struct import {
    struct cli *cli;
    const char *path;
    FILE *file;
    char *line;
    size_t capacity;
    uint64_t line_number;
    uint64_t bytes; /* read so far */
    uint64_t rows;
    uint64_t rejected;
    struct cli_progress progress;
};

static void reject(struct import *import, const char *reason)
{
    const struct cli_output *err = &import->cli->err;
    if (import->rejected++ >= REJECTS_NAMED)
        return;
    cli_progress_clear(&import->progress);
    cli_print(err, CLI_BOLD, slice_of_text(import->path));
    fprintf(err->stream, ":%" PRIu64 ": %s\n", import->line_number, reason);
}

/* The header is optional, but one with other columns means another order of columns. */
static bool header_is_wrong(const struct import *import, struct slice line)
{
    struct slice known = slice_of_text(columns);
    line = slice_trim(line);
    if (import->line_number != 1 || !slice_starts_with(line, SLICE("number")))
        return false;
    return !slice_starts_with(known, line) ||
           (line.length < known.length && known.data[line.length] != ',');
}

/* What rep_admin_import() calls for the next row. */
static int next_row(void *argument, struct rep_row *row)
{
    struct import *import = argument;
    for (;;) {
        enum rep_skip reason;
        ssize_t length = getline(&import->line, &import->capacity, import->file);
        if (length < 0)
            return ferror(import->file) ? -EIO : ERROR_NOT_FOUND;
        import->line_number++;
        import->bytes += (uint64_t)length;
        while (length > 0 && (import->line[length - 1] == '\n' || import->line[length - 1] == '\r'))
            length--;
        import->line[length] = '\0';
        if (header_is_wrong(import, slice_make(import->line, (size_t)length)))
            return -EBADMSG;
        int error = rep_row_parse_csv(import->line, (size_t)length, row, &reason);
        if (error == ERROR_NOT_FOUND)
            continue;
        const char *refusal = error != 0 ? rep_skip_text(reason) : rep_admin_check(row);
        if (refusal == NULL) {
            import->rows++;
            return 0;
        }
        reject(import, refusal);
    }
}

static void show_progress(void *argument, uint64_t written)
{
    struct import *import = argument;
    cli_progress_show(&import->progress, import->bytes, written, clock_monotonic_us());
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
static int import_to_daemon(struct import *import, struct cli_store *store, uint64_t *written,
                            int *status)
{
    struct rep_row row;
    int error;
    *written = 0;
    while ((error = next_row(import, &row)) == 0) {
        struct ctl_answer answer;
        *status = cli_store_set(store, &row, &answer);
        if (*status != CLI_EXIT_OK)
            return 0;
        if (answer.status == CTL_STATUS_DENIED) {
            *status = cli_exit_of(import->cli, &answer);
            return 0;
        }
        if (answer.status != CTL_STATUS_OK)
            reject(import, answer.message);
        else
            (*written)++;
        show_progress(import, *written);
    }
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int import_to_redis(struct import *import, struct cli_store *store, uint64_t *written)
{
    struct rep_import request = {.next = next_row, .progress = show_progress, .argument = import};
    int error = rep_admin_import(store->admin, &request, clock_wall_us() / 1000000);
    *written = request.written;
    import->rejected += request.rejected;
    if (request.rejected > 0) {
        cli_progress_clear(&import->progress);
        cli_complain(import->cli, "Redis refused %" PRIu64 ", the first: %s", request.rejected,
                     request.reject);
    }
    return error;
}

static void audit_import(struct import *import, uint64_t written)
{
    char memory[AUDIT_BYTES];
    snprintf(memory, sizeof(memory), "number import %s: %" PRIu64 " set, %" PRIu64 " rejected",
             import->path, written, import->rejected);
    cli_audit(import->cli, memory);
}

static void print_result(const struct import *import, uint64_t written, bool dry_run)
{
    const struct cli *cli = import->cli;
    char counted[32];
    if (cli->json) {
        fprintf(cli->out.stream,
                "{\"lines\":%" PRIu64 ",\"written\":%" PRIu64 ",\"rejected\":%" PRIu64
                ",\"dry_run\":%s}\n",
                import->line_number, written, import->rejected, dry_run ? "true" : "false");
        return;
    }
    if (import->rejected > REJECTS_NAMED)
        fprintf(cli->err.stream, "... and %" PRIu64 " more\n", import->rejected - REJECTS_NAMED);
    cli_format_count(dry_run ? import->rows : written, counted, sizeof(counted));
    fprintf(cli->out.stream, "%s %s", counted, dry_run ? "would be set" : "set");
    cli_format_count(import->rejected, counted, sizeof(counted));
    fprintf(cli->out.stream, ", %s rejected\n", counted);
}

static int run_import(struct import *import, const struct cli_number_options *options)
{
    struct cli_store store = {.cli = import->cli};
    uint64_t written = 0;
    int error = 0;
    int status = options->dry_run ? CLI_EXIT_OK : cli_store_open(import->cli, options, &store);
    if (status != CLI_EXIT_OK)
        goto out;
    if (options->dry_run)
        error = import_nothing(import);
    else if (store.admin != NULL)
        error = import_to_redis(import, &store, &written);
    else
        error = import_to_daemon(import, &store, &written, &status);
    cli_progress_clear(&import->progress);
    if (written > 0 && store.admin != NULL)
        audit_import(import, written);
    print_result(import, written, options->dry_run);
    if (error == -EBADMSG && import->line_number == 1)
        cli_complain(import->cli, "%s:1: the columns are to be %s", import->path, columns);
    else if (error != 0)
        cli_complain(
            import->cli, "%s: stopped at line %" PRIu64 ": %s", import->path, import->line_number,
            error == ERROR_UNAVAILABLE && store.admin != NULL ? rep_admin_error(store.admin)
                                                              : error_text(error));
    if (error == ERROR_UNAVAILABLE)
        status = CLI_EXIT_UNREACHABLE;
    else if (status == CLI_EXIT_OK && (error != 0 || import->rejected > 0))
        status = CLI_EXIT_NO;
out:
    cli_store_close(&store);
    return status;
}

int cli_run_number_import(struct cli *cli, char **arguments, size_t count)
{
    struct cli_number_options options = {0};
    struct stat status;
    if (!cli_take_options(cli, cli_number_import_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    bool from_input = strcmp(arguments[0], "-") == 0;
    struct import import = {
        .cli = cli,
        .path = from_input ? "standard input" : arguments[0],
        .file = from_input ? stdin : fopen(arguments[0], "re"),
        .progress = {.output = &cli->err, .what = "numbers"},
    };
    if (import.file == NULL) {
        cli_complain(cli, "%s: %s", arguments[0], error_text(-errno));
        return CLI_EXIT_NO;
    }
    if (fstat(fileno(import.file), &status) == 0 && S_ISREG(status.st_mode))
        import.progress.total = (uint64_t)status.st_size;
    import.progress.started_us = clock_monotonic_us();
    int result = run_import(&import, &options);
    free(import.line);
    if (!from_input)
        fclose(import.file);
    return result;
}
