/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command: the subcommands of `ringfence` as rows; dispatch, help, documentation and completion
 * derive from them.
 */
#ifndef RINGFENCE_CLI_COMMAND_H
#define RINGFENCE_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/options.h"
#include "cli/terminal.h"
#include "control/control_server.h"

/* X(name, value, meaning): the exit statuses. */
#define CLI_EXIT_TABLE(X)                                                  \
    X(CLI_EXIT_OK, 0, "done, or the answer is yes")                        \
    X(CLI_EXIT_NO, 1, "the answer is no, errors were found, or it failed") \
    X(CLI_EXIT_USAGE, 2, "the command line is wrong")                      \
    X(CLI_EXIT_UNREACHABLE, 3, "the daemon or Redis cannot be reached")

enum cli_exit {
#define CLI_EXIT_ROW(name, value, meaning) name = (value),
    CLI_EXIT_TABLE(CLI_EXIT_ROW)
#undef CLI_EXIT_ROW
};

#define CLI_DEFAULT_CONFIG "/etc/ringfence/ringfence.yaml"

struct cli_command;

struct cli {
    const char *config;
    const char *control; /* path of the control socket; NULL: as configured */
    const char *colour;  /* auto, always or never */
    bool json;
    bool help;
    struct cli_output out;
    struct cli_output err;
    const struct cli_command *command; /* that runs */
};

struct cli_command {
    const char *name;      /* one or two words */
    const char *arguments; /* "NUMBER", "[FILE]"; "" for none */
    size_t least, most;    /* how many arguments */
    const char *summary;
    enum ctl_right right; /* what it takes on the control socket */
    const struct cli_option *options;
    int (*run)(struct cli *cli, char **arguments, size_t count); /* an enum cli_exit */
    const char *help;                                            /* paragraphs */
};

/* Every command in the order of help. */
extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;

/* For every command. */
extern const struct cli_option cli_global_options[];

/* The rows whose words the arguments begin with; *used is how many of them. NULL: none. */
const struct cli_command *cli_find_command(char *const *arguments, size_t count, size_t *used);

/* Where a person looks for it: all commands, or one. */
void cli_help_all(const struct cli_output *output);
void cli_help_command(const struct cli_output *output, const struct cli_command *command);

/* docs/ringfence.md and the completion for bash. */
void cli_help_markdown(FILE *stream);
void cli_help_completion(FILE *stream);

/* "ringfence: " and a line on the error output. */
void cli_complain(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The whole program. */
int cli_main(int count, char **arguments, FILE *out, FILE *err);

#endif
