/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli_int.h"
#include "config/schema.h"
#include "control/client.h"
#include "control/json.h"

enum { HEADER_EVERY = 20, FIRST_LINE_MS = 10000, ONCE_INTERVAL_US = 100000 };

struct stats_options {
    uint64_t interval_us;
    int64_t count;
    bool once;
    bool events;
    const char *socket;
};

struct stats_view {
    struct cli *cli;
    struct stats_options options;
    int64_t seen;
};

const struct cli_option cli_stats_options[] = {
    {.name = "interval",
     .letter = 'i',
     .kind = CLI_OPTION_DURATION,
     .offset = offsetof(struct stats_options, interval_us),
     .min = CONF_MS(100),
     .max = CONF_HOURS(1),
     .value = "TIME",
     .help = "time between rows (default 1s)"},
    {.name = "count",
     .letter = 'n',
     .kind = CLI_OPTION_INTEGER,
     .offset = offsetof(struct stats_options, count),
     .min = 1,
     .max = INT64_C(1000000000),
     .value = "N",
     .help = "stop after N rows"},
    {.name = "once",
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct stats_options, once),
     .help = "print all totals once"},
    {.name = "events",
     .letter = 'e',
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct stats_options, events),
     .help = "show each interception and alert too"},
    {.name = "socket",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct stats_options, socket),
     .value = "SOCKET",
     .help = "the daemon's stats socket (default: as configured)"},
    {.name = NULL},
};

/* Where a column's number stands in a line of counts. */
static const struct {
    const char *title;
    const char *path;
    size_t width;
    int64_t divisor;
} column_rows[] = {
    {"calls", "deltas/calls", 8, 1},
    {"allowed", "families/verdicts/deltas/allow", 8, 1},
    {"tagged", "families/verdicts/deltas/tag", 8, 1},
    {"limited", "families/verdicts/deltas/limit", 8, 1},
    {"diverted", "families/verdicts/deltas/divert", 8, 1},
    {"blocked", "families/verdicts/deltas/block", 8, 1},
    {"degraded", "deltas/verdicts_degraded", 8, 1},
    {"answered", "deltas/calls_answered", 8, 1},
    {"tx", "gauges/transactions", 8, 1},
    {"held", "gauges/calls_held", 8, 1},
    {"p50 us", "latency_ns/screening/deltas/p50", 7, 1000},
    {"p99 us", "latency_ns/screening/deltas/p99", 7, 1000},
};

enum { COLUMN_ROWS = sizeof(column_rows) / sizeof(column_rows[0]) };

static void print_header(const struct cli_output *output)
{
    cli_print_left(output, CLI_DIM, SLICE("time (UTC)"), 10);
    for (size_t i = 0; i < COLUMN_ROWS; i++) {
        fputc(' ', output->stream);
        cli_print_right(output, CLI_DIM, slice_of_text(column_rows[i].title), column_rows[i].width);
    }
    fputc('\n', output->stream);
}

/* hh:mm:ss of an RFC 3339 time. */
static struct slice clock_part(struct json_object *line)
{
    const char *time = ctl_json_text(line, "time");
    return time != NULL && strlen(time) >= 19 ? slice_make(time + 11, 8) : SLICE("-");
}

static void print_row(struct stats_view *view, struct json_object *line)
{
    const struct cli_output *output = &view->cli->out;
    if (view->seen % HEADER_EVERY == 0)
        print_header(output);
    cli_print_left(output, CLI_PLAIN, clock_part(line), 10);
    for (size_t i = 0; i < COLUMN_ROWS; i++)
        fprintf(output->stream, " %*" PRId64, (int)column_rows[i].width,
                cli_number_at(line, column_rows[i].path) / column_rows[i].divisor);
    fputc('\n', output->stream);
}

static void print_text(const struct cli_output *output, enum cli_style style, const char *text)
{
    fputc(' ', output->stream);
    cli_print(output, style, slice_of_text(text != NULL ? text : "-"));
}

/* The number where there is one, otherwise what stood in the message. */
static const char *party_text(struct json_object *line, const char *key)
{
    struct json_object *party = json_object_object_get(line, key);
    const char *number = ctl_json_text(party, "number");
    return number != NULL ? number : ctl_json_text(party, "raw");
}

static void print_event(const struct cli_output *output, struct json_object *line)
{
    cli_print_left(output, CLI_PLAIN, clock_part(line), 10);
    const char *alert = ctl_json_text(line, "alert");
    if (alert != NULL) {
        print_text(output, CLI_RED, "alert");
        print_text(output, CLI_PLAIN, alert);
        fputc('\n', output->stream);
        return;
    }
    print_text(output, CLI_YELLOW, ctl_json_text(line, "action"));
    if (ctl_json_boolean(line, "would_have", false))
        print_text(output, CLI_DIM, "(would have)");
    print_text(output, CLI_BOLD, party_text(line, "caller"));
    print_text(output, CLI_DIM, "->");
    print_text(output, CLI_PLAIN, party_text(line, "callee"));
    fprintf(output->stream, " score %" PRId64, ctl_json_integer(line, "score", 0));
    print_text(output, CLI_PLAIN, ctl_json_text(line, "type"));
    struct json_object *rules = json_object_object_get(line, "rules");
    for (size_t i = 0;
         json_object_is_type(rules, json_type_array) && i < json_object_array_length(rules); i++)
        print_text(output, CLI_DIM, ctl_json_text(json_object_array_get_idx(rules, i), "id"));
    fputc('\n', output->stream);
}

/* What was added since some moment, and what never was, say nothing in a single look. */
static void keep_totals(struct json_object *line)
{
    static const char *const parents[] = {"families", "latency_ns"};
    json_object_object_del(line, "deltas");
    json_object_object_del(line, "interval_us");
    json_object_object_del(line, "line");
    for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
        struct json_object *parent = json_object_object_get(line, parents[i]);
        if (!json_object_is_type(parent, json_type_object))
            continue;
        struct json_object *kept = json_object_new_object();
        json_object_object_foreach(parent, key, child)
        {
            struct json_object *totals = json_object_object_get(child, "totals");
            if (kept != NULL && json_object_object_length(totals) > 0)
                json_object_object_add(kept, key, json_object_get(totals));
        }
        json_object_object_add(line, parents[i], kept);
    }
}

/* True when enough was seen. */
static bool show_line(struct stats_view *view, struct slice text, struct json_object *line)
{
    const char *kind = ctl_json_text(line, "kind");
    const struct cli_output *output = &view->cli->out;
    bool is_counts = kind != NULL && strcmp(kind, "counts") == 0;
    const char *message = ctl_json_text(line, "message");
    if (kind != NULL && strcmp(kind, "error") == 0) {
        cli_complain(view->cli, "%s", message != NULL ? message : "refused");
    } else if (view->cli->json) {
        cli_print_line(view->cli, text, line);
    } else if (is_counts && view->options.once) {
        keep_totals(line);
        cli_show_object(output, line);
    } else if (is_counts) {
        print_row(view, line);
    } else if (kind != NULL && strcmp(kind, "event") == 0) {
        print_event(output, line);
    } else if (kind != NULL && strcmp(kind, "gap") == 0) {
        fprintf(output->stream, "-- %" PRId64 " lines missed: this reader is too slow --\n",
                ctl_json_integer(line, "missed", 0));
    }
    view->seen += is_counts ? 1 : 0;
    fflush(output->stream);
    return is_counts && view->options.count > 0 && view->seen >= view->options.count;
}

static int ask_for(struct ctl_client *client, const struct stats_options *options)
{
    char memory[128];
    struct buffer request = buffer_over(memory, sizeof(memory));
    /* Microseconds with a fraction of none: the daemon reads durations. */
    buffer_format(&request, "{\"events\":%s,\"interval\":\"%" PRIu64 "us\"}",
                  options->events ? "true" : "false", options->interval_us);
    return ctl_client_send(client, buffer_slice(&request));
}

static int read_lines(struct stats_view *view, struct ctl_client *client)
{
    for (bool enough = false; !enough;) {
        struct slice text;
        struct json_object *line;
        int error = ctl_client_next(client, &text);
        if (error == 0)
            error = ctl_json_parse_object(text, &line, NULL);
        if (error != 0)
            return error;
        enough = show_line(view, text, line);
        json_object_put(line);
        if (ferror(view->cli->out.stream))
            return -EPIPE;
    }
    return 0;
}

int cli_run_stats(struct cli *cli, char **arguments, size_t count)
{
    struct stats_view view = {.cli = cli, .options = {.interval_us = 1000000}};
    struct ctl_client *client = NULL;
    if (!cli_take_options(cli, cli_stats_options, &view.options, arguments, &count))
        return CLI_EXIT_USAGE;
    if (view.options.once) {
        view.options.count = 1;
        view.options.interval_us = ONCE_INTERVAL_US;
    }
    char *path = view.options.socket != NULL ? strdup(view.options.socket) : cli_stats_path(cli);
    unsigned timeout_ms = (unsigned)(view.options.interval_us / 1000) + FIRST_LINE_MS;
    int error = path != NULL ? ctl_client_open(path, timeout_ms, &client) : -ENOMEM;
    if (error == 0)
        error = ask_for(client, &view.options);
    if (error == 0)
        error = read_lines(&view, client);
    if (error != 0)
        cli_complain(cli, "%s: %s", path != NULL ? path : "?",
                     error == ERROR_NOT_FOUND ? "the daemon hung up"
                     : error == -ENOENT       ? "no such socket; is ringfenced running?"
                                              : error_text(error));
    ctl_client_close(client);
    free(path);
    return error == 0 ? CLI_EXIT_OK : CLI_EXIT_UNREACHABLE;
}
