/* SPDX-License-Identifier: Apache-2.0 */
#include <json-c/json.h>
#include <stdlib.h>

#include "cli_int.h"
#include "control/json.h"
#include "daemon/check.h"

enum { REPORT_BYTES = 4 << 20, RELOAD_TIMEOUT_MS = 300000 };

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

void cli_print_summary(const struct cli_output *output, const char *file,
                       const struct conf_report *report, const char *note)
{
    size_t errors = conf_report_count(report, CONF_ERROR);
    size_t warnings = conf_report_count(report, CONF_WARNING);
    char text[128];
    cli_print(output, CLI_BOLD, slice_of_text(file));
    fputs(": ", output->stream);
    if (errors > 0)
        snprintf(text, sizeof(text), "%zu error%s, %zu warning%s", errors, plural(errors), warnings,
                 plural(warnings));
    else if (warnings > 0)
        snprintf(text, sizeof(text), "good, %zu warning%s", warnings, plural(warnings));
    else
        snprintf(text, sizeof(text), "good");
    cli_print(output,
              errors > 0     ? CLI_RED
              : warnings > 0 ? CLI_YELLOW
                             : CLI_GREEN,
              slice_of_text(text));
    fprintf(output->stream, "%s\n", note);
}

/* ---- check -------------------------------------------------------------------------------- */

static void print_json(const struct cli *cli, const struct conf_report *report)
{
    char *memory = malloc(REPORT_BYTES);
    if (memory == NULL) {
        cli_complain(cli, "out of memory");
        return;
    }
    struct buffer buffer = buffer_over(memory, REPORT_BYTES);
    conf_report_json(report, &buffer);
    fprintf(cli->out.stream, "%.*s\n", SLICE_ARGS(buffer_slice(&buffer)));
    free(memory);
}

int cli_run_check(struct cli *cli, char **arguments, size_t count)
{
    const char *path = count > 0 ? arguments[0] : cli->config;
    struct conf_report *report;
    struct daemon_check_result result = {0};
    char note[128] = "";
    if (conf_report_create(&report) != 0) {
        cli_complain(cli, "out of memory");
        return CLI_EXIT_NO;
    }
    int error = daemon_check(path, report, &result);
    if (error == 0 || result.rules > 0)
        snprintf(note, sizeof(note), " (%zu rule%s; tests: %zu passed, %zu failed)", result.rules,
                 plural(result.rules), result.tests_passed, result.tests_failed);
    if (cli->json) {
        print_json(cli, report);
    } else {
        conf_report_print(report, cli->out.stream, cli->out.colour);
        cli_print_summary(&cli->out, path, report, note);
    }
    if (error != 0 && conf_report_count(report, CONF_ERROR) == 0)
        cli_complain(cli, "%s: %s", path, error_text(error));
    conf_report_destroy(report);
    return error == 0 ? CLI_EXIT_OK : CLI_EXIT_NO;
}

/* ---- reload ------------------------------------------------------------------------------- */

/* One of the problems that conf_report_json() wrote, put back into a report. */
static void take_problem(struct conf_report *report, struct json_object *problem)
{
    const char *severity = ctl_json_text(problem, "severity");
    const char *message = ctl_json_text(problem, "message");
    const char *expected = ctl_json_text(problem, "expected");
    const char *hint = ctl_json_text(problem, "hint");
    const struct conf_place place = {
        .file = slice_of_text(ctl_json_text(problem, "file")),
        .line = (uint32_t)ctl_json_integer(problem, "line", 0),
        .column = (uint32_t)ctl_json_integer(problem, "column", 0),
        .width = (uint32_t)ctl_json_integer(problem, "width", 0),
        .source = slice_of_text(ctl_json_text(problem, "source")),
    };
    bool warning = severity != NULL && slice_equal(slice_of_text(severity), SLICE("warning"));
    conf_report_add(report, warning ? CONF_WARNING : CONF_ERROR,
                    place.file.data != NULL ? &place : NULL, "%s", message != NULL ? message : "?");
    if (expected != NULL)
        conf_report_expect(report, "%s", expected);
    if (hint != NULL)
        conf_report_hint(report, "%s", hint);
}

static int take_report(void *argument, struct slice line, struct json_object *object)
{
    struct json_object *problems;
    (void)line;
    if (!json_object_object_get_ex(object, "problems", &problems) ||
        !json_object_is_type(problems, json_type_array))
        return 0;
    for (size_t i = 0; i < json_object_array_length(problems); i++)
        take_problem(argument, json_object_array_get_idx(problems, i));
    return 0;
}

int cli_run_reload(struct cli *cli, char **arguments, size_t count)
{
    struct conf_report *report;
    struct ctl_answer answer;
    (void)arguments;
    (void)count;
    if (conf_report_create(&report) != 0) {
        cli_complain(cli, "out of memory");
        return CLI_EXIT_NO;
    }
    int status =
        cli->json ? cli_ask(cli, "reload", NULL, RELOAD_TIMEOUT_MS, cli_print_line, cli, &answer)
                  : cli_ask(cli, "reload", NULL, RELOAD_TIMEOUT_MS, take_report, report, &answer);
    if (status == CLI_EXIT_OK && !cli->json)
        conf_report_print(report, cli->out.stream, cli->out.colour);
    if (status == CLI_EXIT_OK)
        status = cli_exit_of(cli, &answer);
    if (status == CLI_EXIT_OK && !cli->json) {
        cli_print(&cli->out, CLI_GREEN, SLICE("reloaded"));
        fputs(answer.message[0] != '\0' ? ": " : "", cli->out.stream);
        cli_print(&cli->out, CLI_PLAIN, slice_of_text(answer.message));
        fputc('\n', cli->out.stream);
    }
    conf_report_destroy(report);
    return status;
}
