/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <time.h>

#include "cli_int.h"

enum { STATUS_TIMEOUT_MS = 10000 };

#define CLEAR_SCREEN "\033[H\033[2J"

struct status_options {
    bool watch;
};

const struct cli_option cli_status_options[] = {
    {.name = "watch",
     .letter = 'w',
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct status_options, watch),
     .help = "again each second; on a terminal in place"},
    {.name = NULL},
};

static int show_line(void *argument, struct slice line, struct json_object *object)
{
    struct cli *cli = argument;
    (void)line;
    cli_show_object(&cli->out, object);
    return 0;
}

static int show_again(void *argument, struct slice line, struct json_object *object)
{
    struct cli *cli = argument;
    if (cli->out.terminal)
        fputs(CLEAR_SCREEN, cli->out.stream);
    return show_line(cli, line, object);
}

static int show_once(struct cli *cli, ctl_answer_fn *show)
{
    struct ctl_answer answer;
    int status = cli_ask(cli, "status", NULL, STATUS_TIMEOUT_MS, cli->json ? cli_print_line : show,
                         cli, &answer);
    return status != CLI_EXIT_OK ? status : cli_exit_of(cli, &answer);
}

/* Until it is interrupted, or the daemon or who reads is gone. */
static int watch(struct cli *cli)
{
    static const struct timespec second = {.tv_sec = 1};
    int status;
    while ((status = show_once(cli, show_again)) == CLI_EXIT_OK && fflush(cli->out.stream) == 0)
        nanosleep(&second, NULL);
    return status;
}

int cli_run_status(struct cli *cli, char **arguments, size_t count)
{
    struct status_options options = {.watch = false};
    if (!cli_take_options(cli, cli_status_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    return options.watch ? watch(cli) : show_once(cli, show_line);
}

int cli_run_replica_accept(struct cli *cli, char **arguments, size_t count)
{
    struct ctl_answer answer;
    (void)arguments;
    (void)count;
    int status = cli_ask(cli, "replica accept", NULL, STATUS_TIMEOUT_MS, NULL, NULL, &answer);
    if (status == CLI_EXIT_OK)
        status = cli_exit_of(cli, &answer);
    if (status == CLI_EXIT_OK) {
        cli_print(&cli->out, CLI_PLAIN, slice_of_text(answer.message));
        fputc('\n', cli->out.stream);
    }
    return status;
}
