/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "catalogue_int.h"
#include "literal_int.h"
#include "load_int.h"

/* header.X-Name, or header("X-Name") as in a condition; absent when it is neither. */
static struct slice header_name(struct slice key)
{
    static const struct slice dotted = SLICE_LITERAL("header.");
    static const struct slice called = SLICE_LITERAL("header(\"");
    static const struct slice end = SLICE_LITERAL("\")");
    if (slice_starts_with(key, dotted) && key.length > dotted.length)
        return slice_from(key, dotted.length);
    if (!slice_starts_with(key, called) || key.length <= called.length + end.length ||
        !slice_equal(slice_from(key, key.length - end.length), end))
        return (struct slice){0};
    return slice_first(slice_from(key, called.length), key.length - called.length - end.length);
}

static void report_feature(struct rule_loader *loader, const struct conf_node *node)
{
    struct conf_quote quote;
    struct conf_place place = conf_node_key_place(loader->document, node);
    const char *near = rule_catalogue_suggest(loader->set->catalogue, node->key);
    conf_report_add(loader->report, CONF_ERROR, &place, "there is no feature %s",
                    conf_quote(&quote, node->key));
    if (node->kind == CONF_NODE_MAPPING && node->first != NULL)
        conf_report_hint(loader->report, "a feature is one word: %.*s.%.*s", SLICE_ARGS(node->key),
                         SLICE_ARGS(node->first->key));
    else if (near != NULL)
        conf_report_hint(loader->report, "did you mean %s?", near);
}

/* The value of a single text; *value is unknown when it was wrong. */
static void read_scalar(struct rule_loader *loader, const struct conf_node *node,
                        const struct rule_feature *feature, struct rule_value *value)
{
    struct conf_quote quote;
    int error = node->kind == CONF_NODE_SCALAR
                    ? rule_literal_of_type(feature->type, node->text, value)
                    : -EBADMSG;
    if (error != 0) {
        *value = rule_unknown(feature->type);
        rule_loader_error(loader, node, "%s is %s, which %s is not", feature->name,
                          rule_type_with_article(feature->type),
                          node->kind == CONF_NODE_SCALAR ? conf_quote(&quote, node->text)
                                                         : conf_node_kind_name(node));
        conf_report_expect(loader->report, "something like %s", feature->example);
        return;
    }
    struct conf_suggestion near = conf_suggestion_for(node->text);
    if (value->type == RULE_TEXT && !rule_feature_can_be(feature, value->text, &near)) {
        rule_loader_error(loader, node, "%s is never %s", feature->name,
                          conf_quote(&quote, node->text));
        struct rule_choices choices;
        conf_report_expect(loader->report, "%s", rule_feature_choices(feature, &choices));
        if (near.best.data != NULL)
            conf_report_hint(loader->report, "did you mean %.*s?", SLICE_ARGS(near.best));
    }
}

static int read_set(struct rule_loader *loader, const struct conf_node *node,
                    struct rule_value *value)
{
    struct slice *texts = arena_alloc(loader->set->arena, (node->count + 1) * sizeof(*texts));
    size_t count = 0;
    if (texts == NULL)
        return -ENOMEM;
    for (const struct conf_node *item = node->first; item != NULL; item = item->next) {
        if (item->kind != CONF_NODE_SCALAR) {
            rule_loader_error(loader, item, "an item is a %s", conf_node_kind_name(item));
            continue;
        }
        texts[count] = arena_copy(loader->set->arena, item->text);
        if (texts[count++].data == NULL)
            return -ENOMEM;
    }
    *value = rule_text_values(texts, count);
    return 0;
}

static int read_value(struct rule_loader *loader, const struct conf_node *node,
                      const struct rule_feature *feature, struct rule_value *value)
{
    *value = rule_unknown(feature->type);
    if (conf_node_is_null(node))
        return 0;
    if (feature->type == RULE_SET && node->kind == CONF_NODE_SEQUENCE)
        return read_set(loader, node, value);
    read_scalar(loader, node, feature, value);
    if (!value->known || (value->type != RULE_TEXT && value->type != RULE_NUMBER))
        return 0;
    value->text = arena_copy(loader->set->arena, value->text);
    return value->text.data != NULL ? 0 : -ENOMEM;
}

static int read_header(struct rule_loader *loader, const struct conf_node *node, struct slice name,
                       struct rule_test *test)
{
    struct rule_given_header *header = &test->headers[test->header_count];
    *header =
        (struct rule_given_header){arena_copy(loader->set->arena, name), rule_unknown(RULE_TEXT)};
    if (header->name.data == NULL)
        return -ENOMEM;
    if (conf_node_is_null(node))
        return 0;
    if (node->kind != CONF_NODE_SCALAR) {
        rule_loader_error(loader, node, "a header's value is a %s", conf_node_kind_name(node));
        return 0;
    }
    header->value = rule_text(arena_copy(loader->set->arena, node->text));
    test->header_count++;
    return header->value.text.data != NULL ? 0 : -ENOMEM;
}

static int read_given(struct rule_loader *loader, const struct conf_node *given,
                      struct rule_test *test)
{
    const struct rule_catalogue *catalogue = loader->set->catalogue;
    for (const struct conf_node *node = given->first; node != NULL; node = node->next) {
        struct slice header = header_name(node->key);
        struct rule_given *value = &test->given[test->given_count];
        int error = 0;
        if (header.data != NULL) {
            error = read_header(loader, node, header, test);
        } else if (rule_catalogue_find(catalogue, node->key, &value->feature)) {
            error = read_value(loader, node, &catalogue->features[value->feature], &value->value);
            test->given_count++;
        } else {
            report_feature(loader, node);
        }
        if (error != 0)
            return error;
    }
    return 0;
}

int rule_load_given(struct rule_loader *loader, const struct conf_node *given,
                    struct rule_test *test)
{
    struct arena *arena = loader->set->arena;
    size_t room = given->count + 1;
    struct conf_place place = conf_node_place(loader->document, given);
    *test = (struct rule_test){.place = rule_loader_place(loader, given)};
    test->source = arena_copy(arena, place.source);
    test->given = arena_alloc(arena, room * sizeof(*test->given));
    test->headers = arena_alloc(arena, room * sizeof(*test->headers));
    if (test->source.data == NULL || test->given == NULL || test->headers == NULL)
        return -ENOMEM;
    return read_given(loader, given, test);
}

int rule_load_test(struct rule_loader *loader, const struct conf_node *given,
                   enum rule_result expected, int points, const struct rule_record *rule)
{
    struct rule_test *test = arena_alloc(loader->set->arena, sizeof(*test));
    if (test == NULL)
        return -ENOMEM;
    int error = rule_load_given(loader, given, test);
    test->rule = rule->index;
    test->expected = expected;
    test->points = points;
    *loader->last_test = test;
    loader->last_test = &test->next;
    return error;
}

int rule_load_tests(struct rule_loader *loader, const struct conf_object_list *tests,
                    const struct rule_record *rule)
{
    const struct rule_test_draft *drafts = tests->items;
    for (size_t i = 0; i < tests->count; i++) {
        if (drafts[i].given.node == NULL)
            continue;
        int error = rule_load_test(loader, drafts[i].given.node,
                                   (enum rule_result)drafts[i].expected, 0, rule);
        if (error != 0)
            return error;
    }
    return 0;
}
