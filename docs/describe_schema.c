/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe_schema: prints a JSON Schema of configuration, rule files or test files, for `make
 * docs`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "config/json_schema.h"
#include "daemon/settings.h"
#include "rules/schema.h"
#include "screening/feature.h"

enum { GIVEN_BYTES = 64 * 1024 };

/* What a test may write for a value of that type; null is unknown. */
static const char *const type_schemas[] = {
    [RULE_FLAG] = "\"enum\": [true, false, null]",
    [RULE_INTEGER] = "\"type\": [\"integer\", \"string\", \"null\"]",
    [RULE_TEXT] = "\"type\": [\"string\", \"number\", \"boolean\", \"null\"]",
    [RULE_NUMBER] = "\"type\": [\"string\", \"number\", \"null\"]",
    [RULE_SET] = "\"type\": [\"array\", \"string\", \"null\"]",
    [RULE_DURATION] = "\"type\": [\"string\", \"integer\", \"null\"]",
    [RULE_RATIO] = "\"type\": [\"string\", \"number\", \"null\"]",
    [RULE_TIME] = "\"type\": [\"string\", \"null\"]",
    [RULE_ADDRESS] = "\"type\": [\"string\", \"null\"]",
};

static void append_choices(struct buffer *out, const char *choices)
{
    buffer_append_literal(out, "\"enum\": [");
    for (struct slice rest = slice_of_text(choices); rest.length > 0;) {
        struct slice word = slice_first(rest, slice_find(rest, ' '));
        encode_json(out, word);
        buffer_append_literal(out, ", ");
        rest = slice_from(rest, word.length + 1);
    }
    buffer_append_literal(out, "null]");
}

static void append_feature(struct buffer *out, const struct rule_feature *feature)
{
    buffer_append_literal(out, "\n        ");
    encode_json(out, slice_of_text(feature->name));
    buffer_append_literal(out, ": {\"description\": ");
    encode_json(out, slice_of_text(feature->meaning));
    buffer_append_literal(out, ", ");
    if (feature->choices != NULL && feature->choices[0] != '\0')
        append_choices(out, feature->choices);
    else
        buffer_append_text(out, type_schemas[feature->type]);
    buffer_append_char(out, '}');
}

/* The features that a test may give, and headers. */
static void append_given(struct buffer *out)
{
    buffer_append_literal(out, "{\n      \"type\": \"object\",\n"
                               "      \"additionalProperties\": false,\n"
                               "      \"patternProperties\": {\"^header[.(].+\": {\"type\": "
                               "[\"string\", \"number\", \"boolean\", \"null\"]}},\n"
                               "      \"properties\": {");
    for (size_t i = 0; i < screen_catalogue.count; i++) {
        buffer_append_text(out, i > 0 ? "," : "");
        append_feature(out, &screen_catalogue.features[i]);
    }
    buffer_append_literal(out, "\n      }\n    }");
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        const struct conf_section *section;
        const char *title;
    } schemas[] = {
        {"configuration", &daemon_section, "Configuration of ringfenced"},
        {"rules", &rule_file_section, "Rule file of Ringfence"},
        {"tests", &rule_suite_section, "Tests of Ringfence rules"},
    };
    static char memory[GIVEN_BYTES];
    struct buffer given = buffer_over(memory, sizeof(memory) - 1);
    append_given(&given);
    memory[given.length] = '\0';
    const struct conf_definition definitions[] = {{"given", memory}, {0}};

    for (size_t i = 0; count == 2 && i < sizeof(schemas) / sizeof(schemas[0]); i++) {
        if (strcmp(arguments[1], schemas[i].name) != 0)
            continue;
        conf_section_json_schema(schemas[i].section, schemas[i].title,
                                 schemas[i].section != &daemon_section ? definitions : NULL,
                                 stdout);
        return given.overflow ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    fprintf(stderr, "usage: describe-schema configuration|rules|tests\n");
    return EXIT_FAILURE;
}
