/* SPDX-License-Identifier: Apache-2.0 */
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
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

struct check_options {
    bool strict;
};

const struct cli_option cli_check_options[] = {
    {.name = "strict",
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct check_options, strict),
     .help = "warnings give status 1 too"},
    {.name = NULL},
};

/* What is to be checked, by kind; the paths are the arguments'. */
struct check_files {
    struct daemon_check_request request;
    const char **paths; /* those of rules, then those of tests */
};

/* False after a complaint. */
static bool sort_files(const struct cli *cli, char *const *arguments, size_t count,
                       struct check_files *files)
{
    struct daemon_check_request *request = &files->request;
    files->paths = calloc(2 * count + 1, sizeof(*files->paths));
    if (files->paths == NULL) {
        cli_complain(cli, "out of memory");
        return false;
    }
    const char **rules = files->paths;
    const char **tests = files->paths + count;
    bool second = false;
    for (size_t i = 0; i < count; i++) {
        enum daemon_file kind = daemon_file_kind(arguments[i]);
        if (kind == DAEMON_FILE_RULES)
            rules[request->rule_count++] = arguments[i];
        else if (kind == DAEMON_FILE_TESTS)
            tests[request->test_count++] = arguments[i];
        else if (request->configuration == NULL)
            request->configuration = arguments[i];
        else
            second = true;
    }
    request->rules = rules;
    request->tests = tests;
    if (second || (request->configuration != NULL && request->rule_count > 0)) {
        cli_complain(cli, "one configuration, or rule files by themselves; a configuration names "
                          "its rule files itself");
        free(files->paths);
        return false;
    }
    if (request->configuration == NULL && request->rule_count == 0)
        request->configuration = cli->config;
    return true;
}

static void name_files(const struct check_files *files, char *const *arguments, size_t count,
                       char *text, size_t capacity)
{
    if (count > 1)
        snprintf(text, capacity, "%zu files", count);
    else
        snprintf(text, capacity, "%s", count == 1 ? arguments[0] : files->request.configuration);
}

static void print_json(const struct cli *cli, const struct conf_report *report,
                       const struct daemon_check_result *result)
{
    char *memory = malloc(REPORT_BYTES);
    if (memory == NULL) {
        cli_complain(cli, "out of memory");
        return;
    }
    struct buffer buffer = buffer_over(memory, REPORT_BYTES);
    conf_report_json(report, &buffer);
    fprintf(cli->out.stream, "{\"rules\":%zu,\"tests_passed\":%zu,\"tests_failed\":%zu,%.*s\n",
            result->rules, result->tests_passed, result->tests_failed,
            SLICE_ARGS(slice_from(buffer_slice(&buffer), 1)));
    free(memory);
}

static int show_result(struct cli *cli, const struct conf_report *report, int error,
                       const struct daemon_check_result *result, const char *name)
{
    char note[128] = "";
    if (cli->json) {
        print_json(cli, report, result);
    } else {
        if (error == 0 || result->rules > 0)
            snprintf(note, sizeof(note), " (%zu rule%s; tests: %zu passed, %zu failed)",
                     result->rules, plural(result->rules), result->tests_passed,
                     result->tests_failed);
        conf_report_print(report, cli->out.stream, cli->out.colour);
        cli_print_summary(&cli->out, name, report, note);
    }
    if (error != 0 && conf_report_count(report, CONF_ERROR) == 0)
        cli_complain(cli, "%s: %s", name, error_text(error));
    return error == 0 ? CLI_EXIT_OK : CLI_EXIT_NO;
}

int cli_run_check(struct cli *cli, char **arguments, size_t count)
{
    struct check_options options = {false};
    struct check_files files = {.request = {.wall_us = clock_wall_us()}};
    struct daemon_check_result result = {0};
    struct conf_report *report;
    char name[PATH_MAX];
    if (!cli_take_options(cli, cli_check_options, &options, arguments, &count) ||
        !sort_files(cli, arguments, count, &files))
        return CLI_EXIT_USAGE;
    if (conf_report_create(&report) != 0) {
        cli_complain(cli, "out of memory");
        free(files.paths);
        return CLI_EXIT_NO;
    }
    int error = daemon_check(&files.request, report, &result);
    name_files(&files, arguments, count, name, sizeof(name));
    int status = show_result(cli, report, error, &result, name);
    if (options.strict && conf_report_count(report, CONF_WARNING) > 0)
        status = CLI_EXIT_NO;
    conf_report_destroy(report);
    free(files.paths);
    return status;
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
