/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_int.h"

enum { STATUS_TIMEOUT_MS = 10000 };

static int show_line(void *argument, struct slice line, struct json_object *object)
{
    struct cli *cli = argument;
    (void)line;
    cli_show_object(&cli->out, object);
    return 0;
}

int cli_run_status(struct cli *cli, char **arguments, size_t count)
{
    struct ctl_answer answer;
    (void)arguments;
    (void)count;
    int status = cli_ask(cli, "status", NULL, STATUS_TIMEOUT_MS,
                         cli->json ? cli_print_line : show_line, cli, &answer);
    return status != CLI_EXIT_OK ? status : cli_exit_of(cli, &answer);
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
