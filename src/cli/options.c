/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <string.h>

#include "base/encode.h"
#include "base/slice.h"
#include "config/suggest.h"
#include "config/value.h"

struct found {
    const struct cli_option *option;
    void *object;
};

static struct found find_option(const struct cli_option_set *sets, size_t set_count,
                                struct slice name)
{
    for (size_t i = 0; i < set_count; i++)
        for (const struct cli_option *option = sets[i].options; option->name != NULL; option++)
            if (slice_equal(slice_of_text(option->name), name))
                return (struct found){option, sets[i].object};
    return (struct found){0};
}

static struct found find_letter(const struct cli_option_set *sets, size_t set_count, char letter)
{
    for (size_t i = 0; i < set_count; i++)
        for (const struct cli_option *option = sets[i].options; option->name != NULL; option++)
            if (option->letter == letter)
                return (struct found){option, sets[i].object};
    return (struct found){0};
}

static void explain_unknown(const struct cli_option_set *sets, size_t set_count, struct slice name,
                            const char *shown, struct buffer *problem)
{
    struct conf_suggestion suggestion = conf_suggestion_for(name);
    for (size_t i = 0; i < set_count; i++)
        for (const struct cli_option *option = sets[i].options; option->name != NULL; option++)
            conf_suggestion_offer(&suggestion, slice_of_text(option->name));
    buffer_append_literal(problem, "unknown option \"");
    encode_terminal(problem, slice_of_text(shown));
    buffer_append_char(problem, '"');
    if (name.length > 1 && suggestion.best.data != NULL) {
        buffer_append_literal(problem, "; did you mean --");
        buffer_append(problem, suggestion.best);
        buffer_append_char(problem, '?');
    }
}

static bool is_choice(const char *choices, struct slice value)
{
    struct slice rest = slice_of_text(choices);
    while (rest.data != NULL) {
        size_t length = slice_find(rest, '|');
        if (slice_equal(slice_first(rest, length), value))
            return true;
        if (length == rest.length)
            return false;
        rest = slice_from(rest, length + 1);
    }
    return false;
}

static int refuse(const struct cli_option *option, const char *value, struct buffer *problem)
{
    buffer_append_literal(problem, "--");
    buffer_append_text(problem, option->name);
    buffer_append_literal(problem, ": \"");
    encode_terminal(problem, slice_of_text(value));
    buffer_append_literal(problem, "\" is not ");
    if (option->choices != NULL) {
        buffer_append_literal(problem, "one of ");
        buffer_append_text(problem, option->choices);
    } else if (option->kind == CLI_OPTION_INTEGER) {
        buffer_append_int(problem, option->min);
        buffer_append_literal(problem, " to ");
        buffer_append_int(problem, option->max);
    } else {
        buffer_append_literal(problem, "a duration from ");
        conf_value_append_duration(problem, (uint64_t)option->min);
        buffer_append_literal(problem, " to ");
        conf_value_append_duration(problem, (uint64_t)option->max);
    }
    return -EINVAL;
}

static int take_value(struct found found, const char *value, struct buffer *problem)
{
    const struct cli_option *option = found.option;
    void *field = (char *)found.object + option->offset;
    struct slice text = slice_of_text(value);
    struct cli_option_list *list;
    int64_t integer;
    uint64_t duration;
    switch (option->kind) {
    case CLI_OPTION_FLAG:
        *(bool *)field = true;
        return 0;
    case CLI_OPTION_TEXT:
        if (option->choices != NULL && !is_choice(option->choices, text))
            return refuse(option, value, problem);
        *(const char **)field = value;
        return 0;
    case CLI_OPTION_INTEGER:
        if (conf_value_integer(text, &integer) != 0 || integer < option->min ||
            integer > option->max)
            return refuse(option, value, problem);
        *(int64_t *)field = integer;
        return 0;
    case CLI_OPTION_DURATION:
        if (conf_value_duration(text, &duration) != 0 || duration < (uint64_t)option->min ||
            duration > (uint64_t)option->max)
            return refuse(option, value, problem);
        *(uint64_t *)field = duration;
        return 0;
    case CLI_OPTION_LIST:
        list = field;
        if (list->count == CLI_OPTION_LIST_MAX) {
            buffer_format(problem, "--%s: at most %d of them", option->name, CLI_OPTION_LIST_MAX);
            return -EINVAL;
        }
        list->values[list->count++] = value;
        return 0;
    }
    return -EINVAL;
}

/* "--name", "--name=value", "-n". Sets *value when it is written in the same word. */
static struct found recognise(const struct cli_option_set *sets, size_t set_count, char *word,
                              const char **value, struct buffer *problem)
{
    struct found found;
    *value = NULL;
    struct slice name = slice_of_text(word + 1);
    if (word[1] != '-') {
        found = find_letter(sets, set_count, word[1]);
        if (found.option != NULL && word[2] != '\0')
            *value = word + 2;
    } else {
        name = slice_of_text(word + 2);
        size_t length = slice_find(name, '=');
        if (length < name.length)
            *value = word + 2 + length + 1;
        name = slice_first(name, length);
        found = find_option(sets, set_count, name);
    }
    if (found.option == NULL)
        explain_unknown(sets, set_count, name, word, problem);
    return found;
}

int cli_options_parse(char **arguments, size_t *count, const struct cli_option_set *sets,
                      size_t set_count, struct buffer *problem)
{
    size_t kept = 0;
    size_t i = 0;
    for (; i < *count; i++) {
        char *word = arguments[i];
        const char *value;
        if (strcmp(word, "--") == 0) {
            i++;
            break;
        }
        if (word[0] != '-' || word[1] == '\0') {
            arguments[kept++] = word;
            continue;
        }
        struct found found = recognise(sets, set_count, word, &value, problem);
        if (found.option == NULL)
            return -EINVAL;
        bool is_flag = found.option->kind == CLI_OPTION_FLAG;
        if (!is_flag && value == NULL && i + 1 < *count)
            value = arguments[++i];
        if (is_flag ? value != NULL : value == NULL) {
            buffer_format(problem, is_flag ? "--%s takes no value" : "--%s needs a value",
                          found.option->name);
            return -EINVAL;
        }
        int error = take_value(found, value, problem);
        if (error != 0)
            return error;
    }
    for (; i < *count; i++)
        arguments[kept++] = arguments[i];
    *count = kept;
    return 0;
}
