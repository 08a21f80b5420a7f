/* SPDX-License-Identifier: Apache-2.0 */
#include "catalogue_int.h"

#include "base/buffer.h"

bool rule_catalogue_find(const struct rule_catalogue *catalogue, struct slice name,
                         uint16_t *feature)
{
    for (size_t i = 0; i < catalogue->count; i++) {
        if (slice_equal(slice_of_text(catalogue->features[i].name), name)) {
            *feature = (uint16_t)i;
            return true;
        }
    }
    return false;
}

const char *rule_catalogue_suggest(const struct rule_catalogue *catalogue, struct slice name)
{
    struct conf_suggestion suggestion = conf_suggestion_for(name);
    for (size_t i = 0; i < catalogue->count; i++)
        conf_suggestion_offer(&suggestion, slice_of_text(catalogue->features[i].name));
    return suggestion.best.data;
}

bool rule_feature_can_be(const struct rule_feature *feature, struct slice text,
                         struct conf_suggestion *suggestion)
{
    struct slice rest = slice_of_text(feature->choices);
    if (rest.length == 0)
        return true;
    while (rest.length > 0) {
        struct slice choice = slice_first(rest, slice_find(rest, ' '));
        if (slice_equal(choice, text))
            return true;
        conf_suggestion_offer(suggestion, choice);
        rest = slice_from(rest, choice.length + 1);
    }
    return false;
}

const char *rule_feature_choices(const struct rule_feature *feature, struct rule_choices *memory)
{
    struct buffer buffer = buffer_over(memory->text, sizeof(memory->text) - 1);
    buffer_append_literal(&buffer, "one of ");
    for (const char *at = feature->choices; *at != '\0'; at++) {
        if (*at == ' ')
            buffer_append_char(&buffer, ',');
        buffer_append_char(&buffer, *at);
    }
    memory->text[buffer.length] = '\0';
    return memory->text;
}
