/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "cli_int.h"
#include "config/suggest.h"

void cli_complain(const struct cli *cli, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof(text), format, arguments) < 0)
        text[0] = '\0';
    va_end(arguments);
    fflush(cli->out.stream);
    cli_print(&cli->err, CLI_BOLD, SLICE("ringfence: "));
    cli_print(&cli->err, CLI_PLAIN, slice_of_text(text));
    fputc('\n', cli->err.stream);
}

static bool parse(struct cli *cli, const struct cli_option_set *sets, size_t set_count,
                  char **arguments, size_t *count)
{
    char memory[512];
    struct buffer problem = buffer_over(memory, sizeof(memory));
    if (cli_options_parse(arguments, count, sets, set_count, &problem) == 0)
        return true;
    cli_complain(cli, "%.*s; see `ringfence help%s%s`", SLICE_ARGS(buffer_slice(&problem)),
                 cli->command != NULL ? " " : "", cli->command != NULL ? cli->command->name : "");
    return false;
}

static void set_colours(struct cli *cli)
{
    bool always = strcmp(cli->colour, "always") == 0;
    const char *refused = getenv("NO_COLOR");
    bool automatic = strcmp(cli->colour, "auto") == 0 && (refused == NULL || refused[0] == '\0');
    const char *kind = getenv("TERM");
    if (kind != NULL && strcmp(kind, "dumb") == 0)
        automatic = false;
    cli->out.terminal = isatty(fileno(cli->out.stream)) == 1;
    cli->err.terminal = isatty(fileno(cli->err.stream)) == 1;
    cli->out.colour = always || (automatic && cli->out.terminal);
    cli->err.colour = always || (automatic && cli->err.terminal);
}

bool cli_take_options(struct cli *cli, const struct cli_option *options, void *object,
                      char **arguments, size_t *count)
{
    const struct cli_option_set sets[] = {{options, object}, {cli_global_options, cli}};
    if (!parse(cli, sets, 2, arguments, count))
        return false;
    set_colours(cli);
    if (*count >= cli->command->least && *count <= cli->command->most)
        return true;
    cli_complain(cli, "usage: ringfence %s%s %s; see `ringfence help %s`", cli->command->name,
                 cli->command->options != NULL ? " [OPTION...]" : "", cli->command->arguments,
                 cli->command->name);
    return false;
}

static void complain_unknown(const struct cli *cli, char *const *arguments)
{
    struct conf_suggestion suggestion = conf_suggestion_for(slice_of_text(arguments[0]));
    for (size_t i = 0; i < cli_command_count; i++) {
        const char *name = cli_commands[i].name;
        conf_suggestion_offer(&suggestion, slice_make(name, strcspn(name, " ")));
    }
    if (slice_equal(suggestion.best, slice_of_text(arguments[0])))
        cli_complain(cli, "\"%s\" needs a second word; `ringfence help` lists the commands",
                     arguments[0]);
    else if (suggestion.best.data != NULL)
        cli_complain(cli, "no command \"%s\"; did you mean \"%.*s\"?", arguments[0],
                     SLICE_ARGS(suggestion.best));
    else
        cli_complain(cli, "no command \"%s\"; `ringfence help` lists them", arguments[0]);
}

/* Global options may stand before the command too; the first word that is none starts it. */
static size_t leading_options(char **arguments, size_t count)
{
    size_t i = 0;
    while (i < count && arguments[i][0] == '-') {
        bool takes_next = false;
        for (const struct cli_option *option = cli_global_options; option->name != NULL; option++)
            if (option->kind != CLI_OPTION_FLAG &&
                ((strncmp(arguments[i], "--", 2) == 0 &&
                  strcmp(arguments[i] + 2, option->name) == 0) ||
                 (arguments[i][1] == option->letter && option->letter != 0 &&
                  arguments[i][2] == '\0')))
                takes_next = true;
        i += takes_next && i + 1 < count ? 2 : 1;
    }
    return i;
}

static bool wants_help(char *const *arguments, size_t count)
{
    for (size_t i = 0; i < count && strcmp(arguments[i], "--") != 0; i++)
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0)
            return true;
    return false;
}

static int run_command(struct cli *cli, char **arguments, size_t count)
{
    size_t used;
    cli->command = cli_find_command(arguments, count, &used);
    if (cli->command == NULL) {
        complain_unknown(cli, arguments);
        return CLI_EXIT_USAGE;
    }
    arguments += used;
    count -= used;
    if (wants_help(arguments, count)) {
        cli_help_command(&cli->out, cli->command);
        return CLI_EXIT_OK;
    }
    /* A command with options of its own parses all of them itself. */
    static const struct cli_option none[] = {{.name = NULL}};
    if (cli->command->options == NULL && !cli_take_options(cli, none, NULL, arguments, &count))
        return CLI_EXIT_USAGE;
    return cli->command->run(cli, arguments, count);
}

int cli_main(int count, char **arguments, FILE *out, FILE *err)
{
    struct cli cli = {.config = CLI_DEFAULT_CONFIG,
                      .colour = "auto",
                      .out = {.stream = out},
                      .err = {.stream = err}};
    char **rest = arguments + (count > 0 ? 1 : 0);
    size_t left = count > 0 ? (size_t)count - 1 : 0;
    size_t leading = leading_options(rest, left);
    const struct cli_option_set sets[] = {{cli_global_options, &cli}};
    size_t words = leading;
    set_colours(&cli);
    if (!parse(&cli, sets, 1, rest, &words))
        return CLI_EXIT_USAGE;
    set_colours(&cli);
    int status;
    if (cli.help) {
        cli_help_all(&cli.out);
        status = CLI_EXIT_OK;
    } else if (leading == left) {
        cli_help_all(&cli.err);
        status = CLI_EXIT_USAGE;
    } else {
        status = run_command(&cli, rest + leading, left - leading);
    }
    /* A full disk or a closed pipe must not look like success. */
    if (fflush(out) != 0 || ferror(out))
        return status == CLI_EXIT_OK ? CLI_EXIT_NO : status;
    return status;
}
