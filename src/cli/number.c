/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "number_int.h"

enum { TIMEOUT_MS = 10000, AUDIT_BYTES = 1024 };

enum { NO_SCORE = REP_SCORE_UNKNOWN };

const struct cli_option cli_number_options[] = {
    CLI_NUMBER_STORE_OPTIONS,
    {.name = NULL},
};

const struct cli_option cli_number_set_options[] = {
    {.name = "score",
     .kind = CLI_OPTION_INTEGER,
     .offset = offsetof(struct cli_number_options, score),
     .min = 0,
     .max = REP_SCORE_MAXIMUM,
     .value = "N",
     .help = "how bad: 0 to 100"},
    {.name = "list",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, list),
     .value = "LIST",
     .choices = "block|allow|watch|none",
     .help = "block, allow, watch or none"},
    {.name = "type",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, type),
     .value = "TYPE",
     .help = "kind of scam"},
    {.name = "source",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, source),
     .value = "NAME",
     .help = "where it is known from"},
    {.name = "note",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, note),
     .value = "TEXT",
     .help = "for people"},
    {.name = "expires",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, expires),
     .value = "WHEN",
     .help = "30d, 2027-06-30 or never (default)"},
    {.name = "since",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, since),
     .value = "WHEN",
     .help = "when it was said: 2026-11-28, or 3d for three days ago (default: now)"},
    {.name = "case",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, reference),
     .value = "TEXT",
     .help = "the source's reference"},
    CLI_NUMBER_STORE_OPTIONS,
    {.name = NULL},
};

const struct cli_option cli_number_del_options[] = {
    {.name = "source",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct cli_number_options, source),
     .value = "NAME",
     .help = "take back only what this source says"},
    CLI_NUMBER_STORE_OPTIONS,
    {.name = NULL},
};

/* ---- asking the daemon -------------------------------------------------------------------- */

static int show_line(void *argument, struct slice line, struct json_object *object)
{
    struct cli *cli = argument;
    if (cli->json)
        return cli_print_line(cli, line, object);
    cli_show_object(&cli->out, object);
    return 0;
}

static struct json_object *number_arguments(const char *number)
{
    struct json_object *object = json_object_new_object();
    if (object != NULL)
        json_object_object_add(object, "number", json_object_new_string(number));
    return object;
}

int cli_ask_number(struct cli *cli, const char *command, const char *number)
{
    struct ctl_answer answer;
    struct json_object *arguments = number_arguments(number);
    int status = cli_ask(cli, command, arguments, TIMEOUT_MS, show_line, cli, &answer);
    json_object_put(arguments);
    return status != CLI_EXIT_OK ? status : cli_exit_of(cli, &answer);
}

/* ---- changing it -------------------------------------------------------------------------- */

static void append_statement(struct buffer *text, struct slice statement)
{
    if (statement.length > 0)
        buffer_append(text, slice_first(statement, AUDIT_BYTES / 3));
    else
        buffer_append_literal(text, "nothing");
}

/* What is done over the control socket is audited by the daemon, which knows what was before. */
static void audit_change(const struct cli_store *store, const char *what, struct slice number,
                         struct slice source)
{
    char memory[AUDIT_BYTES];
    struct buffer text = buffer_over(memory, sizeof(memory) - 1);
    buffer_append_text(&text, what);
    buffer_append(&text, number);
    if (source.length > 0) {
        buffer_append_literal(&text, " source ");
        buffer_append(&text, source);
    }
    buffer_append_literal(&text, " from \"");
    append_statement(&text, rep_admin_before(store->admin));
    buffer_append_literal(&text, "\" to \"");
    append_statement(&text, rep_admin_after(store->admin));
    buffer_append_char(&text, '"');
    memory[text.length] = '\0';
    cli_audit(store->cli, memory);
}

static int set_number(struct cli_store *store, const struct rep_row *row)
{
    struct ctl_answer answer;
    int status = cli_store_set(store, row, &answer);
    if (status != CLI_EXIT_OK || store->admin == NULL)
        return status != CLI_EXIT_OK ? status : cli_exit_of(store->cli, &answer);
    audit_change(store, "number set ", row->number, row->source);
    return CLI_EXIT_OK;
}

static int make_row(struct cli *cli, const struct cli_number_options *options, const char *number,
                    struct rep_row *row)
{
    *row = (struct rep_row){
        .number = slice_of_text(number),
        .score = (int)options->score,
        .type = slice_of_text(options->type),
        .source = slice_of_text(options->source),
        .note = slice_of_text(options->note),
        .reference = slice_of_text(options->reference),
    };
    if (options->score == NO_SCORE && options->list == NULL) {
        cli_complain(cli, "say what is known: --score or --list is needed");
        return CLI_EXIT_USAGE;
    }
    if (options->list != NULL && rep_list_parse(slice_of_text(options->list), &row->list) != 0)
        return CLI_EXIT_USAGE; /* the option's choices are those of the list */
    int error =
        options->expires != NULL
            ? cli_parse_expires(options->expires, clock_wall_us() / 1000000, &row->expires_s)
            : 0;
    if (error != 0) {
        cli_complain(cli, "--expires: \"%s\" is %s; write 30d, 2027-06-30 or never",
                     options->expires, error == -ERANGE ? "past" : "no time");
        return CLI_EXIT_USAGE;
    }
    if (options->since != NULL &&
        cli_parse_since(options->since, clock_wall_us() / 1000000, &row->since_s) != 0) {
        cli_complain(cli, "--since: \"%s\" is no time; write 2026-11-28 or 3d (ago)",
                     options->since);
        return CLI_EXIT_USAGE;
    }
    const char *reason = rep_admin_check(row);
    if (reason == NULL)
        return CLI_EXIT_OK;
    cli_complain(cli, "%s: %s", number, reason);
    return CLI_EXIT_USAGE;
}

int cli_run_number_set(struct cli *cli, char **arguments, size_t count)
{
    struct cli_number_options options = {.score = NO_SCORE};
    struct cli_store store;
    struct rep_row row;
    if (!cli_take_options(cli, cli_number_set_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    int status = make_row(cli, &options, arguments[0], &row);
    if (status != CLI_EXIT_OK)
        return status;
    status = cli_store_open(cli, &options, &store);
    if (status == CLI_EXIT_OK)
        status = set_number(&store, &row);
    cli_store_close(&store);
    return status;
}

/* A key's statements in words, for the audit. */
static void append_record(struct buffer *text, const struct rep_record *record)
{
    if (record->score[0] != '\0' || record->list[0] != '\0')
        buffer_format(text, " score %s list %s type %s source %s;",
                      record->score[0] != '\0' ? record->score : "-",
                      record->list[0] != '\0' ? record->list : "none",
                      record->type[0] != '\0' ? record->type : "-",
                      record->source[0] != '\0' ? record->source : "-");
    for (unsigned i = 0; i < record->parts; i++)
        buffer_format(text, " %s \"%.200s\";", record->part[i].source, record->part[i].text);
}

/* The whole key, with everybody's statements. reassign: and a mark in its place. */
static int wipe(struct cli_store *store, struct slice number, bool reassign)
{
    char memory[AUDIT_BYTES], told[AUDIT_BYTES - 128];
    struct buffer text = buffer_over(memory, sizeof(memory) - 1);
    struct buffer before = buffer_over(told, sizeof(told));
    uint64_t now_s = clock_wall_us() / 1000000;
    struct rep_record *record = malloc(sizeof(*record));
    bool known;
    if (record == NULL)
        return cli_store_failed(store, number, -ENOMEM);
    if (rep_admin_get(store->admin, number, now_s, record) == 0)
        append_record(&before, record);
    free(record);
    int error = reassign ? rep_admin_reassign(store->admin, number, now_s, &known)
                         : rep_admin_delete(store->admin, number);
    if (error != 0)
        return cli_store_failed(store, number, error);
    buffer_append_text(&text, reassign ? "number reassign " : "number del ");
    buffer_append(&text, number);
    buffer_append_literal(&text, " from");
    if (before.length > 0)
        buffer_append(&text, buffer_slice(&before));
    else
        buffer_append_literal(&text, " nothing;");
    buffer_append_literal(&text, " to nothing");
    memory[text.length] = '\0';
    cli_audit(store->cli, memory);
    return CLI_EXIT_OK;
}

static int delete_in_redis(struct cli_store *store, struct slice number, const char *source)
{
    if (source == NULL)
        return wipe(store, number, false);
    int error =
        rep_admin_drop(store->admin, number, slice_of_text(source), clock_wall_us() / 1000000);
    if (error == ERROR_NOT_FOUND) {
        cli_complain(store->cli, "%s says nothing of %.*s", source, SLICE_ARGS(number));
        return CLI_EXIT_NO;
    }
    if (error != 0)
        return cli_store_failed(store, number, error);
    audit_change(store, "number del ", number, slice_of_text(source));
    return CLI_EXIT_OK;
}

int cli_run_number_del(struct cli *cli, char **arguments, size_t count)
{
    struct cli_number_options options = {0};
    struct cli_store store;
    if (!cli_take_options(cli, cli_number_del_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    int status = cli_store_open(cli, &options, &store);
    if (status == CLI_EXIT_OK && store.admin != NULL) {
        status = delete_in_redis(&store, slice_of_text(arguments[0]), options.source);
    } else if (status == CLI_EXIT_OK && options.source != NULL) {
        cli_complain(cli, "--source needs store: redis");
        status = CLI_EXIT_USAGE;
    } else if (status == CLI_EXIT_OK) {
        status = cli_ask_number(cli, "number del", arguments[0]);
    }
    cli_store_close(&store);
    return status;
}

int cli_run_number_reassign(struct cli *cli, char **arguments, size_t count)
{
    struct cli_number_options options = {0};
    struct cli_store store;
    if (!cli_take_options(cli, cli_number_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    int status = cli_store_open(cli, &options, &store);
    if (status == CLI_EXIT_OK && store.admin == NULL) {
        cli_complain(cli, "reassign needs store: redis; in a CSV file delete the number's lines");
        status = CLI_EXIT_USAGE;
    } else if (status == CLI_EXIT_OK) {
        status = wipe(&store, slice_of_text(arguments[0]), true);
    }
    cli_store_close(&store);
    return status;
}
