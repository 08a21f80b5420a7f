/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "cli_int.h"
#include "control/json.h"

enum { TIMEOUT_MS = 10000, VALUE_BYTES = 512 };

/* X(member, option and argument, value, help); an argument's name has _ for -. */
#define EXPLAIN_TABLE(X)                                                                \
    X(caller, "caller", "NUMBER", "calling number, as it would stand in From (needed)") \
    X(callee, "callee", "NUMBER", "called number, as in the Request-URI (needed)")      \
    X(trunk, "trunk", "NAME", "trunk that the call comes from")                         \
    X(display, "display", "TEXT", "display name")                                       \
    X(asserted, "asserted", "NUMBER", "number of P-Asserted-Identity")                  \
    X(diverting, "diverting", "NUMBER", "number of Diversion")                          \
    X(user_agent, "user-agent", "TEXT", "User-Agent")

struct explain_options {
#define EXPLAIN_MEMBER(member, name, value, help) const char *member;
    EXPLAIN_TABLE(EXPLAIN_MEMBER)
#undef EXPLAIN_MEMBER
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
        {.name = NULL},
};

static struct json_object *explain_arguments(const struct explain_options *options)
{
    struct json_object *object = json_object_new_object();
    const struct {
        const char *name;
        const char *text;
    } rows[] = {
#define EXPLAIN_ARGUMENT(member, option, value, help) {#member, options->member},
        EXPLAIN_TABLE(EXPLAIN_ARGUMENT)
#undef EXPLAIN_ARGUMENT
    };
    for (size_t i = 0; object != NULL && i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].text != NULL)
            json_object_object_add(object, rows[i].name, json_object_new_string(rows[i].text));
    return object;
}

/* ---- rules -------------------------------------------------------------------------------- */

/* Which rules are shown, in this order; the others did not fire and are only counted. */
static const struct {
    const char *result;
    const char *heading;
    enum cli_style style;
} result_rows[] = {
    {"fires", "Rules that fire", CLI_YELLOW},
    {"unknown", "Rules that cannot be decided", CLI_DIM},
};

static bool has_result(struct json_object *rule, const char *result)
{
    const char *text = ctl_json_text(rule, "result");
    return text != NULL && strcmp(text, result) == 0;
}

static void print_place(const struct cli_output *output, struct json_object *rule)
{
    const char *file = ctl_json_text(rule, "file");
    if (file == NULL)
        return;
    char place[VALUE_BYTES];
    snprintf(place, sizeof(place), "  %s:%" PRId64, file, ctl_json_integer(rule, "line", 0));
    cli_print(output, CLI_DIM, slice_of_text(place));
}

static struct slice feature_value(struct json_object *feature, char *memory, size_t capacity)
{
    struct json_object *value = json_object_object_get(feature, "value");
    if (!ctl_json_boolean(feature, "known", true))
        return SLICE("unknown");
    return cli_value_text(value, memory, capacity);
}

/* How a scorecard came to its points: "+20 message.size = 1400". */
static void print_parts(const struct cli_output *output, struct json_object *rule)
{
    struct json_object *parts = json_object_object_get(rule, "parts");
    char memory[VALUE_BYTES];
    size_t count =
        json_object_is_type(parts, json_type_array) ? json_object_array_length(parts) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *part = json_object_array_get_idx(parts, i);
        const char *name = ctl_json_text(part, "feature");
        fprintf(output->stream, "        %+4" PRId64 "  ", ctl_json_integer(part, "points", 0));
        cli_print(output, CLI_PLAIN, slice_of_text(name != NULL ? name : "?"));
        if (json_object_object_get_ex(part, "known", NULL)) {
            fputs(" = ", output->stream);
            cli_print(output, CLI_DIM, feature_value(part, memory, sizeof(memory)));
        }
        fputc('\n', output->stream);
    }
}

static void print_rule(const struct cli_output *output, struct json_object *rule,
                       enum cli_style style, size_t widest)
{
    const char *mode = ctl_json_text(rule, "mode");
    const char *english = ctl_json_text(rule, "title_en");
    const char *chinese = ctl_json_text(rule, "title_zh");
    bool shadow = mode != NULL && strcmp(mode, "shadow") == 0;
    fprintf(output->stream, "  %+4" PRId64 "  ", ctl_json_integer(rule, "points", 0));
    cli_print_left(output, style, slice_of_text(ctl_json_text(rule, "id")), widest);
    if (english != NULL) {
        fputs("  ", output->stream);
        cli_print(output, CLI_PLAIN, slice_of_text(english));
    }
    if (chinese != NULL) {
        fputs("  ", output->stream);
        cli_print(output, CLI_PLAIN, slice_of_text(chinese));
    }
    if (shadow)
        cli_print(output, CLI_DIM, SLICE("  (shadow: not counted)"));
    print_place(output, rule);
    fputc('\n', output->stream);
    print_parts(output, rule);
}

static void print_rules_with(const struct cli_output *output, struct json_object *rules, size_t row)
{
    size_t widest = 0;
    size_t found = 0;
    for (size_t i = 0; i < json_object_array_length(rules); i++) {
        struct json_object *rule = json_object_array_get_idx(rules, i);
        if (!has_result(rule, result_rows[row].result))
            continue;
        size_t width = cli_shown_width(slice_of_text(ctl_json_text(rule, "id")));
        widest = width > widest ? width : widest;
        found++;
    }
    if (found == 0)
        return;
    cli_print(output, CLI_BOLD, slice_of_text(result_rows[row].heading));
    fputc('\n', output->stream);
    for (size_t i = 0; i < json_object_array_length(rules); i++) {
        struct json_object *rule = json_object_array_get_idx(rules, i);
        if (has_result(rule, result_rows[row].result))
            print_rule(output, rule, result_rows[row].style, widest);
    }
    fputc('\n', output->stream);
}

static void print_rules(const struct cli_output *output, struct json_object *rules)
{
    size_t shown = 0;
    if (!json_object_is_type(rules, json_type_array))
        return;
    size_t count = json_object_array_length(rules);
    for (size_t row = 0; row < sizeof(result_rows) / sizeof(result_rows[0]); row++) {
        print_rules_with(output, rules, row);
        for (size_t i = 0; i < count; i++)
            shown += has_result(json_object_array_get_idx(rules, i), result_rows[row].result);
    }
    if (count > shown)
        fprintf(output->stream, "%zu other rule%s: not true of this call, or off\n\n",
                count - shown, count - shown == 1 ? "" : "s");
}

/* ---- verdict ------------------------------------------------------------------------------ */

static enum cli_style action_style(const char *action)
{
    static const struct {
        const char *action;
        enum cli_style style;
    } rows[] = {{"allow", CLI_GREEN}, {"block", CLI_RED}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].action, action) == 0)
            return rows[i].style;
    return CLI_YELLOW;
}

static void print_part(const struct cli_output *output, const char *before, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    fputs(before, output->stream);
    cli_print(output, CLI_PLAIN, slice_of_text(text));
}

static void print_unknown(const struct cli_output *output, struct json_object *unknown)
{
    size_t count =
        json_object_is_type(unknown, json_type_array) ? json_object_array_length(unknown) : 0;
    for (size_t i = 0; i < count; i++)
        print_part(output, i == 0 ? "         not known but asked for: " : ", ",
                   json_object_get_string(json_object_array_get_idx(unknown, i)));
    if (count > 0)
        fputc('\n', output->stream);
}

static void print_verdict(const struct cli_output *output, struct json_object *object)
{
    const char *action = ctl_json_text(object, "action");
    const char *with = ctl_json_text(object, "with");
    int64_t code = ctl_json_integer(object, "code", 0);
    cli_print(output, CLI_BOLD, SLICE("Verdict  "));
    action = action != NULL ? action : "?";
    cli_print(output, action_style(action), slice_of_text(action));
    print_part(output, " with ", with);
    if (code != 0 && with == NULL)
        fprintf(output->stream, " with %" PRId64, code);
    print_part(output, " to ", ctl_json_text(object, "to"));
    fprintf(output->stream, ", score %" PRId64, ctl_json_integer(object, "score", 0));
    print_part(output, ", decided by ", ctl_json_text(object, "authority"));
    print_part(output, ", type ", ctl_json_text(object, "type"));
    print_part(output, " ", ctl_json_text(object, "type_zh"));
    if (ctl_json_boolean(object, "degraded", false))
        cli_print(output, CLI_RED, SLICE(", degraded: an input is missing by fault"));
    fputc('\n', output->stream);
    print_unknown(output, json_object_object_get(object, "unknown"));
    fprintf(output->stream, "         rules %s, %" PRId64 ".%" PRId64 " us\n\n",
            ctl_json_text(object, "rules_version") != NULL ? ctl_json_text(object, "rules_version")
                                                           : "?",
            ctl_json_integer(object, "screening_ns", 0) / 1000,
            ctl_json_integer(object, "screening_ns", 0) % 1000 / 100);
}

/* ---- features ----------------------------------------------------------------------------- */

static void print_features(const struct cli_output *output, struct json_object *features)
{
    char memory[VALUE_BYTES];
    size_t name_width = 0;
    size_t value_width = 0;
    if (!json_object_is_type(features, json_type_array))
        return;
    size_t count = json_object_array_length(features);
    for (size_t i = 0; i < count; i++) {
        struct json_object *feature = json_object_array_get_idx(features, i);
        size_t name = cli_shown_width(slice_of_text(ctl_json_text(feature, "name")));
        size_t value = cli_shown_width(feature_value(feature, memory, sizeof(memory)));
        name_width = name > name_width ? name : name_width;
        value_width = value > value_width ? value : value_width;
    }
    /* One long text must not push the last column off the screen. */
    value_width = value_width > 32 ? 32 : value_width;
    cli_print(output, CLI_BOLD, SLICE("Features"));
    fputc('\n', output->stream);
    for (size_t i = 0; i < count; i++) {
        struct json_object *feature = json_object_array_get_idx(features, i);
        bool known = ctl_json_boolean(feature, "known", true);
        fputs("  ", output->stream);
        cli_print_left(output, CLI_CYAN, slice_of_text(ctl_json_text(feature, "name")),
                       name_width + 2);
        cli_print_left(output, known ? CLI_PLAIN : CLI_DIM,
                       feature_value(feature, memory, sizeof(memory)), value_width + 2);
        const char *why = known ? ctl_json_text(feature, "type") : ctl_json_text(feature, "why");
        cli_print(output, CLI_DIM, slice_of_text(why));
        fputc('\n', output->stream);
    }
}

static int show_line(void *argument, struct slice line, struct json_object *object)
{
    struct cli *cli = argument;
    if (cli->json)
        return cli_print_line(cli, line, object);
    print_rules(&cli->out, json_object_object_get(object, "rules"));
    print_verdict(&cli->out, object);
    print_features(&cli->out, json_object_object_get(object, "features"));
    return 0;
}

int cli_run_explain(struct cli *cli, char **arguments, size_t count)
{
    struct explain_options options = {0};
    struct ctl_answer answer;
    if (!cli_take_options(cli, cli_explain_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    if (options.caller == NULL || options.callee == NULL) {
        cli_complain(cli, "--caller and --callee are needed; see `ringfence help explain`");
        return CLI_EXIT_USAGE;
    }
    struct json_object *request = explain_arguments(&options);
    int status = cli_ask(cli, "explain", request, TIMEOUT_MS, show_line, cli, &answer);
    json_object_put(request);
    return status != CLI_EXIT_OK ? status : cli_exit_of(cli, &answer);
}
