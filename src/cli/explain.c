/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explain_int.h"

enum { TIMEOUT_MS = 10000, EVENT_BYTES_MAX = 60 << 10 };

/* X(member, option and argument, value, help); an argument's name has _ for -. */
#define EXPLAIN_TABLE(X)                                                         \
    X(caller, "caller", "NUMBER", "calling number, as it would stand in From")   \
    X(callee, "callee", "NUMBER", "called number, as in the Request-URI")        \
    X(trunk, "trunk", "NAME", "trunk that the call comes from")                  \
    X(display, "display", "TEXT", "display name")                                \
    X(asserted, "asserted", "NUMBER", "number of P-Asserted-Identity")           \
    X(diverting, "diverting", "NUMBER", "number of Diversion")                   \
    X(user_agent, "user-agent", "TEXT", "User-Agent")                            \
    X(time, "time", "TIME", "when it comes, as 2027-06-30T08:15:00+08:00")       \
    X(source, "source", "ADDRESS", "IP address that it comes from")              \
    X(score, "score", "0-100", "score of the caller, instead of what Redis has") \
    X(list, "list", "LIST", "list that the caller is on: block, allow, watch or none, instead")

struct explain_options {
#define EXPLAIN_MEMBER(member, name, value, help) const char *member;
    EXPLAIN_TABLE(EXPLAIN_MEMBER)
#undef EXPLAIN_MEMBER
    struct cli_option_list features;
    const char *event;
    const char *language;
    bool all;
};

const struct cli_option cli_explain_options[] = {
#define EXPLAIN_OPTION(member, option, placeholder, text) \
    {.name = (option),                                    \
     .kind = CLI_OPTION_TEXT,                             \
     .offset = offsetof(struct explain_options, member),  \
     .value = (placeholder),                              \
     .help = (text)},
    EXPLAIN_TABLE(EXPLAIN_OPTION)
#undef EXPLAIN_OPTION
        {.name = "feature",
         .kind = CLI_OPTION_LIST,
         .offset = offsetof(struct explain_options, features),
         .value = "NAME=VALUE",
         .help = "value of any feature, or \"unknown\"; may be given several times"},
    {.name = "event",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct explain_options, event),
     .value = "FILE",
     .help = "explain a recorded event: a line of the stats socket; - for standard input"},
    {.name = "lang",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct explain_options, language),
     .value = "LANGUAGE",
     .choices = "en|zh",
     .help = "language of the titles of rules: en or zh (default en)"},
    {.name = "all",
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct explain_options, all),
     .help = "show every change that was found, not only the first ones"},
    {.name = NULL},
};

/* ---- the request ---------------------------------------------------------------------------- */

static bool add_features(struct cli *cli, const struct cli_option_list *list,
                         struct json_object *request)
{
    struct json_object *features = json_object_new_object();
    json_object_object_add(request, "features", features);
    for (size_t i = 0; i < list->count; i++) {
        struct slice text = slice_of_text(list->values[i]);
        size_t length = slice_find(text, '=');
        char name[64];
        if (length == 0 || length == text.length || length >= sizeof(name)) {
            cli_complain(cli, "--feature \"%s\" is not NAME=VALUE, as in caller.valid=false",
                         list->values[i]);
            return false;
        }
        memcpy(name, text.data, length);
        name[length] = '\0';
        json_object_object_add(features, name,
                               json_object_new_string(list->values[i] + length + 1));
    }
    return true;
}

static struct json_object *hypothetical(struct cli *cli, const struct explain_options *options)
{
    const struct {
        const char *name;
        const char *text;
    } rows[] = {
#define EXPLAIN_ARGUMENT(member, option, value, help) {#member, options->member},
        EXPLAIN_TABLE(EXPLAIN_ARGUMENT)
#undef EXPLAIN_ARGUMENT
    };
    if (options->caller == NULL || options->callee == NULL) {
        cli_complain(cli, "a CALL-ID, --event, or --caller and --callee are needed; see `ringfence "
                          "help explain`");
        return NULL;
    }
    struct json_object *request = json_object_new_object();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].text != NULL)
            json_object_object_add(request, rows[i].name, json_object_new_string(rows[i].text));
    if (add_features(cli, &options->features, request))
        return request;
    json_object_put(request);
    return NULL;
}

/* One line of a stream; nothing else may stand in the file. */
static struct json_object *read_event(struct cli *cli, const char *path)
{
    char *memory = malloc(EVENT_BYTES_MAX);
    char why[256] = "";
    struct buffer problem = buffer_over(why, sizeof(why) - 1);
    struct json_object *event = NULL;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (memory == NULL || file == NULL) {
        cli_complain(cli, "%s: %s", path, strerror(errno));
        goto out;
    }
    size_t length = fread(memory, 1, EVENT_BYTES_MAX, file);
    struct slice text = slice_trim(slice_make(memory, length));
    if (length == EVENT_BYTES_MAX) {
        cli_complain(cli, "%s: too long for an event; give one line of the stats socket", path);
        goto out;
    }
    if (ctl_json_parse_object(text, &event, &problem) != 0) {
        cli_complain(cli, "%s: this is no event, one JSON object on one line: %s", path, why);
        event = NULL;
    }
out:
    if (file != NULL && file != stdin)
        fclose(file);
    free(memory);
    return event;
}

static struct json_object *with_member(const char *name, struct json_object *value)
{
    struct json_object *request = value != NULL ? json_object_new_object() : NULL;
    if (request != NULL)
        json_object_object_add(request, name, value);
    return request;
}

/* ---- the answer ----------------------------------------------------------------------------- */

struct shown {
    struct cli *cli;
    struct explain_view view;
};

static int show_line(void *argument, struct slice line, struct json_object *object)
{
    struct shown *shown = argument;
    if (shown->cli->json)
        return cli_print_line(shown->cli, line, object);
    explain_show(&shown->view, object);
    return 0;
}

int cli_run_explain(struct cli *cli, char **arguments, size_t count)
{
    struct explain_options options = {.language = "en"};
    struct ctl_answer answer;
    struct json_object *request;
    if (!cli_take_options(cli, cli_explain_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    if ((count > 0) + (options.event != NULL) + (options.caller != NULL) > 1) {
        cli_complain(cli, "a CALL-ID, --event and --caller exclude each other");
        return CLI_EXIT_USAGE;
    }
    if (count > 0)
        request = with_member("call_id", json_object_new_string(arguments[0]));
    else if (options.event != NULL)
        request = with_member("event", read_event(cli, options.event));
    else
        request = hypothetical(cli, &options);
    if (request == NULL)
        return CLI_EXIT_USAGE;
    struct shown shown = {cli, {&cli->out, strcmp(options.language, "zh") == 0, options.all}};
    int status = cli_ask(cli, "explain", request, TIMEOUT_MS, show_line, &shown, &answer);
    json_object_put(request);
    return status != CLI_EXIT_OK ? status : cli_exit_of(cli, &answer);
}
