/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/json.h"
#include "number_int.h"
#include "stats/json.h"

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
    CLI_NUMBER_STORE_OPTIONS,
    {.name = NULL},
};

/* ---- what is known ------------------------------------------------------------------------ */

static void write_record(struct buffer *buffer, const struct rep_record *record)
{
    const struct {
        const char *name;
        const char *text;
    } fields[] = {{"key", record->key},    {"score", record->score},   {"list", record->list},
                  {"type", record->type},  {"source", record->source}, {"note", record->note},
                  {"since", record->since}};
    struct stats_json json = stats_json_into(buffer);
    stats_json_begin_object(&json, NULL);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (fields[i].text[0] != '\0')
            stats_json_text(&json, fields[i].name, fields[i].text);
    if (record->expires_in_s >= 0)
        stats_json_int(&json, "expires_in_s", record->expires_in_s);
    stats_json_end_object(&json);
}

static int show_line(void *argument, struct slice line, struct json_object *object)
{
    struct cli *cli = argument;
    if (cli->json)
        return cli_print_line(cli, line, object);
    cli_show_object(&cli->out, object);
    return 0;
}

static int get_from_redis(struct cli_store *store, struct slice number)
{
    struct rep_record record;
    struct json_object *object;
    char memory[4096];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    int error = rep_admin_get(store->admin, number, &record);
    if (error != 0)
        return cli_store_failed(store, number, error);
    write_record(&buffer, &record);
    error = buffer.overflow ? -ENOMEM : ctl_json_parse_object(buffer_slice(&buffer), &object, NULL);
    if (error != 0)
        return cli_store_failed(store, number, error);
    show_line(store->cli, buffer_slice(&buffer), object);
    json_object_put(object);
    return CLI_EXIT_OK;
}

static struct json_object *number_arguments(const char *number)
{
    struct json_object *object = json_object_new_object();
    if (object != NULL)
        json_object_object_add(object, "number", json_object_new_string(number));
    return object;
}

static int ask_about(struct cli *cli, const char *command, const char *number)
{
    struct ctl_answer answer;
    struct json_object *arguments = number_arguments(number);
    int status = cli_ask(cli, command, arguments, TIMEOUT_MS, show_line, cli, &answer);
    json_object_put(arguments);
    return status != CLI_EXIT_OK ? status : cli_exit_of(cli, &answer);
}

int cli_run_number_get(struct cli *cli, char **arguments, size_t count)
{
    struct cli_number_options options = {0};
    struct cli_store store;
    if (!cli_take_options(cli, cli_number_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    int status = cli_store_open(cli, &options, &store);
    if (status == CLI_EXIT_OK)
        status = store.admin != NULL ? get_from_redis(&store, slice_of_text(arguments[0]))
                                     : ask_about(cli, "number get", arguments[0]);
    cli_store_close(&store);
    return status;
}

/* ---- changing it -------------------------------------------------------------------------- */

/* What the audit says was there before. */
static void append_before(struct cli_store *store, struct slice number, struct buffer *buffer)
{
    struct rep_record record;
    buffer_append_literal(buffer, " (before: ");
    if (rep_admin_get(store->admin, number, &record) != 0)
        buffer_append_literal(buffer, "nothing)");
    else
        buffer_format(buffer, "score %s list %s type %s source %s)",
                      record.score[0] != '\0' ? record.score : "-",
                      record.list[0] != '\0' ? record.list : "none",
                      record.type[0] != '\0' ? record.type : "-",
                      record.source[0] != '\0' ? record.source : "-");
}

static const char *finish_text(struct buffer *buffer, char *memory)
{
    memory[buffer->length] = '\0';
    return memory;
}

/* What is done over the control socket is audited by the daemon, which knows what was before. */
static int set_number(struct cli_store *store, const struct rep_row *row)
{
    char memory[AUDIT_BYTES];
    char before[AUDIT_BYTES / 2];
    struct ctl_answer answer;
    struct buffer text = buffer_over(memory, sizeof(memory) - 1);
    struct buffer old = buffer_over(before, sizeof(before) - 1);
    if (store->admin != NULL)
        append_before(store, row->number, &old);
    int status = cli_store_set(store, row, &answer);
    if (status != CLI_EXIT_OK || store->admin == NULL)
        return status != CLI_EXIT_OK ? status : cli_exit_of(store->cli, &answer);
    buffer_append_literal(&text, "number set ");
    buffer_append(&text, row->number);
    buffer_append_char(&text, ' ');
    cli_append_row(&text, row);
    buffer_append(&text, buffer_slice(&old));
    cli_audit(store->cli, finish_text(&text, memory));
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

static int delete_in_redis(struct cli_store *store, struct slice number)
{
    char memory[AUDIT_BYTES];
    struct buffer text = buffer_over(memory, sizeof(memory) - 1);
    buffer_append_literal(&text, "number del ");
    buffer_append(&text, number);
    append_before(store, number, &text);
    int error = rep_admin_delete(store->admin, number);
    if (error != 0)
        return cli_store_failed(store, number, error);
    cli_audit(store->cli, finish_text(&text, memory));
    return CLI_EXIT_OK;
}

int cli_run_number_del(struct cli *cli, char **arguments, size_t count)
{
    struct cli_number_options options = {0};
    struct cli_store store;
    if (!cli_take_options(cli, cli_number_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    int status = cli_store_open(cli, &options, &store);
    if (status == CLI_EXIT_OK)
        status = store.admin != NULL ? delete_in_redis(&store, slice_of_text(arguments[0]))
                                     : ask_about(cli, "number del", arguments[0]);
    cli_store_close(&store);
    return status;
}
