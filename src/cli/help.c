/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli_int.h"

struct help_request {
    bool markdown;
    bool completion;
};

const struct cli_option cli_help_options[] = {
    {.name = "markdown",
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct help_request, markdown),
     .help = "print the manual as Markdown"},
    {.name = "bash-completion",
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct help_request, completion),
     .help = "print a completion script for bash"},
    {.name = NULL},
};

static const struct {
    int value;
    const char *meaning;
} exit_rows[] = {
#define EXIT_ROW(name, value, meaning) {(value), (meaning)},
    CLI_EXIT_TABLE(EXIT_ROW)
#undef EXIT_ROW
};

enum { OPTION_COLUMNS = 28 };

enum { EXIT_ROWS = sizeof(exit_rows) / sizeof(exit_rows[0]) };

/* "-c, --config FILE" */
static void format_option(const struct cli_option *option, char *text, size_t capacity)
{
    char letter[8] = "";
    if (option->letter != 0)
        snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    snprintf(text, capacity, "%s--%s%s%s", letter, option->name, option->value != NULL ? " " : "",
             option->value != NULL ? option->value : "");
}

static void print_options(const struct cli_output *output, const struct cli_option *options)
{
    char text[64];
    for (const struct cli_option *option = options; option->name != NULL; option++) {
        if (option->help == NULL)
            continue;
        format_option(option, text, sizeof(text));
        fprintf(output->stream, "  ");
        cli_print_left(output, CLI_CYAN, slice_of_text(text), OPTION_COLUMNS - 2);
        /* One that is too long for its column has the line for itself. */
        if (strlen(text) > OPTION_COLUMNS - 4)
            fprintf(output->stream, "\n%*s", OPTION_COLUMNS, "");
        cli_print_wrapped(output, CLI_PLAIN, OPTION_COLUMNS, slice_of_text(option->help));
    }
}

static void print_heading(const struct cli_output *output, const char *heading)
{
    fputc('\n', output->stream);
    cli_print(output, CLI_BOLD, slice_of_text(heading));
    fputc('\n', output->stream);
}

void cli_help_all(const struct cli_output *output)
{
    FILE *stream = output->stream;
    fprintf(stream, "usage: ringfence [OPTION...] COMMAND [ARGUMENT...]\n");
    print_heading(output, "Commands");
    for (size_t i = 0; i < cli_command_count; i++) {
        char text[64];
        snprintf(text, sizeof(text), "%s %s", cli_commands[i].name, cli_commands[i].arguments);
        fprintf(stream, "  ");
        cli_print_left(output, CLI_CYAN, slice_of_text(text), 26);
        fprintf(stream, "%s\n", cli_commands[i].summary);
    }
    print_heading(output, "Options");
    print_options(output, cli_global_options);
    print_heading(output, "Exit status");
    for (size_t i = 0; i < EXIT_ROWS; i++)
        fprintf(stream, "  %d  %s\n", exit_rows[i].value, exit_rows[i].meaning);
    fprintf(stream, "\n`ringfence help COMMAND` says more about each.\n");
}

static void print_usage(FILE *stream, const struct cli_command *command)
{
    fprintf(stream, "ringfence %s%s%s%s", command->name,
            command->options != NULL ? " [OPTION...]" : "",
            command->arguments[0] != '\0' ? " " : "", command->arguments);
}

void cli_help_command(const struct cli_output *output, const struct cli_command *command)
{
    FILE *stream = output->stream;
    fprintf(stream, "usage: ");
    print_usage(stream, command);
    fprintf(stream, "\n\n%c%s.\n", command->summary[0] - 'a' + 'A', command->summary + 1);
    if (command->help[0] != '\0')
        fprintf(stream, "\n%s", command->help);
    if (command->right == CTL_CHANGE)
        fprintf(stream, "\nChanges something: over the control socket it takes the right to "
                        "change.\n");
    if (command->options != NULL) {
        print_heading(output, "Options");
        print_options(output, command->options);
    }
    print_heading(output, "Options of every command");
    print_options(output, cli_global_options);
}

/* ---- for other readers -------------------------------------------------------------------- */

static void markdown_options(FILE *stream, const struct cli_option *options)
{
    char text[64];
    fprintf(stream, "| option | meaning |\n|---|---|\n");
    for (const struct cli_option *option = options; option->name != NULL; option++) {
        if (option->help == NULL)
            continue;
        format_option(option, text, sizeof(text));
        fprintf(stream, "| `%s` | %s |\n", text, option->help);
    }
    fputc('\n', stream);
}

void cli_help_markdown(FILE *stream)
{
    fprintf(stream, "# The command `ringfence`\n\n"
                    "Printed by `ringfence help --markdown` from the table of commands.\n\n"
                    "    ringfence [OPTION...] COMMAND [ARGUMENT...]\n\n"
                    "## Options of every command\n\n");
    markdown_options(stream, cli_global_options);
    fprintf(stream, "## Exit status\n\n| status | meaning |\n|---|---|\n");
    for (size_t i = 0; i < EXIT_ROWS; i++)
        fprintf(stream, "| %d | %s |\n", exit_rows[i].value, exit_rows[i].meaning);
    fputc('\n', stream);
    for (size_t i = 0; i < cli_command_count; i++) {
        const struct cli_command *command = &cli_commands[i];
        fprintf(stream, "## %s\n\n%c%s.%s\n\n    ", command->name, command->summary[0] - 'a' + 'A',
                command->summary + 1,
                command->right == CTL_CHANGE ? " Takes the right to change." : "");
        print_usage(stream, command);
        fprintf(stream, "\n\n%s%s", command->help, command->help[0] != '\0' ? "\n" : "");
        if (command->options != NULL)
            markdown_options(stream, command->options);
    }
}

static void completion_options(FILE *stream, const struct cli_option *options)
{
    for (const struct cli_option *option = options; option != NULL && option->name != NULL;
         option++)
        if (option->help != NULL)
            fprintf(stream, " --%s", option->name);
}

/* The words that may follow the first word of names with two. */
static void completion_second_words(FILE *stream, const char *name, size_t length)
{
    for (size_t i = 0; i < cli_command_count; i++)
        if (strncmp(cli_commands[i].name, name, length) == 0 && cli_commands[i].name[length] == ' ')
            fprintf(stream, " %s", cli_commands[i].name + length + 1);
}

/* A first word alone: what may follow it, and the options that it takes if it is a command too. */
static void completion_first_words(FILE *stream)
{
    const char *last = "";
    for (size_t i = 0; i < cli_command_count; i++) {
        const char *name = cli_commands[i].name;
        size_t length = strcspn(name, " ");
        if (name[length] == '\0' || strncmp(last, name, length + 1) == 0)
            continue;
        last = name;
        fprintf(stream, "    '%.*s') words+=\"", (int)length, name);
        completion_second_words(stream, name, length);
        for (size_t k = 0; k < cli_command_count; k++)
            if (strlen(cli_commands[k].name) == length &&
                strncmp(cli_commands[k].name, name, length) == 0)
                completion_options(stream, cli_commands[k].options);
        fprintf(stream, "\" ;;\n");
    }
}

/* Names of two words have to come first: the first match counts. */
static void completion_commands(FILE *stream, bool two_words)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        if ((strchr(cli_commands[i].name, ' ') != NULL) != two_words)
            continue;
        fprintf(stream, "    '%s'*) words+=\"", cli_commands[i].name);
        completion_options(stream, cli_commands[i].options);
        fprintf(stream, "\" ;;\n");
    }
}

void cli_help_completion(FILE *stream)
{
    const char *last = "";
    fprintf(stream,
            "# Printed by `ringfence help --bash-completion`.\n"
            "_ringfence() {\n"
            "    local word=${COMP_WORDS[COMP_CWORD]} command= i\n"
            "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
            "        [[ ${COMP_WORDS[i]} == -* ]] || command+=${command:+ }${COMP_WORDS[i]}\n"
            "    done\n"
            "    local words=\"");
    completion_options(stream, cli_global_options);
    fprintf(stream, "\"\n    case $command in\n    '') words+=\"");
    for (size_t i = 0; i < cli_command_count; i++) {
        size_t length = strcspn(cli_commands[i].name, " ");
        if (strncmp(last, cli_commands[i].name, length + 1) != 0 &&
            (strlen(last) < length || strncmp(last, cli_commands[i].name, length) != 0))
            fprintf(stream, " %.*s", (int)length, cli_commands[i].name);
        last = cli_commands[i].name;
    }
    fprintf(stream, "\" ;;\n");
    completion_first_words(stream);
    completion_commands(stream, true);
    completion_commands(stream, false);
    fprintf(stream, "    esac\n"
                    "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
                    "    [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default\n"
                    "}\n"
                    "complete -F _ringfence ringfence\n");
}

int cli_run_help(struct cli *cli, char **arguments, size_t count)
{
    struct help_request request = {false, false};
    size_t used;
    if (!cli_take_options(cli, cli_help_options, &request, arguments, &count))
        return CLI_EXIT_USAGE;
    if (request.markdown) {
        cli_help_markdown(cli->out.stream);
    } else if (request.completion) {
        cli_help_completion(cli->out.stream);
    } else if (count == 0) {
        cli_help_all(&cli->out);
    } else {
        const struct cli_command *command = cli_find_command(arguments, count, &used);
        if (command == NULL) {
            cli_complain(cli, "no command \"%s\"; `ringfence help` lists them", arguments[0]);
            return CLI_EXIT_USAGE;
        }
        cli_help_command(&cli->out, command);
    }
    return CLI_EXIT_OK;
}

int cli_run_version(struct cli *cli, char **arguments, size_t count)
{
    (void)arguments;
    (void)count;
    fprintf(cli->out.stream, cli->json ? "{\"version\":\"%s\"}\n" : "ringfence %s\n",
            RINGFENCE_VERSION);
    return CLI_EXIT_OK;
}
