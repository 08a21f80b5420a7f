/* SPDX-License-Identifier: Apache-2.0 */
#include <json-c/json.h>
#include <string.h>

#include "cli_int.h"
#include "screening/feature.h"

enum { NAME_COLUMNS = 28, INDENT = 2, LABEL_COLUMNS = 10 };

struct feature_request {
    bool brief;
};

const struct cli_option cli_features_options[] = {
    {.name = "brief",
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct feature_request, brief),
     .help = "names and types only"},
    {.name = NULL},
};

/* A name, or the beginning of names: "caller", "caller.", "caller.num". */
static bool is_wanted(const struct rule_feature *feature, const char *wanted)
{
    return wanted == NULL || strncmp(feature->name, wanted, strlen(wanted)) == 0;
}

static bool has_choices(const struct rule_feature *feature)
{
    return feature->choices != NULL && feature->choices[0] != '\0';
}

/* ---- for people --------------------------------------------------------------------------- */

static void indent(FILE *stream, size_t columns)
{
    fprintf(stream, "%*s", (int)columns, "");
}

static void print_label(const struct cli_output *output, const char *label, const char *text)
{
    indent(output->stream, INDENT);
    cli_print_left(output, CLI_DIM, slice_of_text(label), LABEL_COLUMNS);
    cli_print_wrapped(output, CLI_PLAIN, INDENT + LABEL_COLUMNS, slice_of_text(text));
}

static void print_feature(const struct cli_output *output, const struct rule_feature *feature,
                          bool brief)
{
    cli_print_left(output, CLI_BOLD, slice_of_text(feature->name), NAME_COLUMNS);
    cli_print(output, CLI_CYAN, slice_of_text(rule_type_name(feature->type)));
    if (feature->unit[0] != '\0')
        fprintf(output->stream, ", %s", feature->unit);
    fputc('\n', output->stream);
    if (brief)
        return;
    indent(output->stream, INDENT);
    cli_print_wrapped(output, CLI_PLAIN, INDENT, slice_of_text(feature->meaning));
    if (has_choices(feature))
        print_label(output, "one of", feature->choices);
    print_label(output, "unknown", feature->unknown_when);
    print_label(output, "example", feature->example);
}

static void print_types(const struct cli_output *output)
{
    fputc('\n', output->stream);
    cli_print(output, CLI_BOLD, SLICE("Types"));
    fputc('\n', output->stream);
    for (int type = 0; type < RULE_TYPE_COUNT; type++)
        print_label(output, rule_type_name((enum rule_type)type),
                    rule_type_description((enum rule_type)type));
}

/* ---- for programs ------------------------------------------------------------------------- */

static void add_text(struct json_object *object, const char *key, const char *text)
{
    if (text[0] != '\0')
        json_object_object_add(object, key, json_object_new_string(text));
}

static struct json_object *choices_of(const struct rule_feature *feature)
{
    struct json_object *list = json_object_new_array();
    struct slice rest = slice_of_text(feature->choices);
    while (rest.length > 0) {
        struct slice word = slice_first(rest, slice_find(rest, ' '));
        json_object_array_add(list, json_object_new_string_len(word.data, (int)word.length));
        rest = slice_from(rest, word.length + 1);
    }
    return list;
}

static struct json_object *feature_object(const struct rule_feature *feature)
{
    struct json_object *object = json_object_new_object();
    add_text(object, "name", feature->name);
    add_text(object, "type", rule_type_name(feature->type));
    add_text(object, "meaning", feature->meaning);
    add_text(object, "unit", feature->unit);
    add_text(object, "unknown_when", feature->unknown_when);
    add_text(object, "example", feature->example);
    if (has_choices(feature))
        json_object_object_add(object, "choices", choices_of(feature));
    return object;
}

static struct json_object *types_object(void)
{
    struct json_object *types = json_object_new_object();
    for (int type = 0; type < RULE_TYPE_COUNT; type++)
        add_text(types, rule_type_name((enum rule_type)type),
                 rule_type_description((enum rule_type)type));
    return types;
}

static void print_json(FILE *stream, const char *wanted)
{
    struct json_object *answer = json_object_new_object();
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < screen_catalogue.count; i++)
        if (is_wanted(&screen_catalogue.features[i], wanted))
            json_object_array_add(list, feature_object(&screen_catalogue.features[i]));
    json_object_object_add(answer, "features", list);
    json_object_object_add(answer, "types", types_object());
    fprintf(stream, "%s\n",
            json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN |
                                                       JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(answer);
}

/* ---- the command -------------------------------------------------------------------------- */

static int complain_unknown(const struct cli *cli, const char *wanted)
{
    const char *near = rule_catalogue_suggest(&screen_catalogue, slice_of_text(wanted));
    if (near != NULL)
        cli_complain(cli, "no feature \"%s\"; did you mean %s?", wanted, near);
    else
        cli_complain(cli, "no feature \"%s\"; `ringfence features` lists them", wanted);
    return CLI_EXIT_NO;
}

int cli_run_features(struct cli *cli, char **arguments, size_t count)
{
    struct feature_request request = {false};
    size_t shown = 0;
    if (!cli_take_options(cli, cli_features_options, &request, arguments, &count))
        return CLI_EXIT_USAGE;
    const char *wanted = count > 0 ? arguments[0] : NULL;
    for (size_t i = 0; i < screen_catalogue.count; i++)
        shown += is_wanted(&screen_catalogue.features[i], wanted) ? 1 : 0;
    if (shown == 0)
        return complain_unknown(cli, wanted);
    if (cli->json) {
        print_json(cli->out.stream, wanted);
        return CLI_EXIT_OK;
    }
    for (size_t i = 0; i < screen_catalogue.count; i++)
        if (is_wanted(&screen_catalogue.features[i], wanted))
            print_feature(&cli->out, &screen_catalogue.features[i], request.brief);
    if (wanted == NULL)
        print_types(&cli->out);
    return CLI_EXIT_OK;
}
