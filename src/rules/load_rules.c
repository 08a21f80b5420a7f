/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "config/suggest.h"
#include "expression_int.h"
#include "ruleset_int.h"

static const struct rule_list *find_list(void *context, struct slice name)
{
    const struct rule_named_list *list = rule_set_list(context, name);
    return list != NULL ? list->list : NULL;
}

static struct slice suggest_list(void *context, struct slice name)
{
    const struct rule_set *set = context;
    const struct rule_named_list *lists = set->lists.items;
    struct conf_suggestion suggestion = conf_suggestion_for(name);
    for (size_t i = 0; i < set->lists.count; i++)
        conf_suggestion_offer(&suggestion, lists[i].name);
    return suggestion.best;
}

static void report_fault(struct rule_loader *loader, const struct rule_draft *draft,
                         enum conf_severity severity, const struct rule_fault *fault)
{
    struct conf_quote quote;
    struct conf_place place =
        conf_node_place_within(loader->document, draft->when.node, fault->offset, fault->length);
    if (draft->id.length > 0)
        conf_report_add(loader->report, severity, &place, "rule %s: %s",
                        conf_quote(&quote, draft->id), fault->message);
    else
        conf_report_add(loader->report, severity, &place, "%s", fault->message);
    if (fault->expected[0] != '\0')
        conf_report_expect(loader->report, "%s", fault->expected);
    if (fault->hint[0] != '\0')
        conf_report_hint(loader->report, "%s", fault->hint);
}

/* A condition that is wrong leaves the span empty, and the report knows. */
static int compile(struct rule_loader *loader, const struct rule_draft *draft,
                   struct rule_span *span)
{
    struct rule_set *set = loader->set;
    const struct rule_names names = {set->catalogue, set, find_list, suggest_list};
    struct slice text = draft->when.node->text;
    struct rule_fault fault = {.set = false};
    struct rule_fault warning = {.set = false};
    struct rule_node *root = NULL;

    *span = (struct rule_span){0, 0};
    int error = rule_expression_parse(text, loader->drafts, &fault, &root);
    if (error == 0)
        error = rule_expression_check(root, text, &names, &fault, &warning);
    if (error == 0 && warning.set)
        report_fault(loader, draft, CONF_WARNING, &warning);
    if (error == 0)
        error = rule_program_add(&set->program, root, text, set->arena, &fault, span);
    if (error == ERROR_CONFIG) {
        report_fault(loader, draft, CONF_ERROR, &fault);
        error = 0;
    }
    return error;
}

/* False when the id is missing, malformed or taken; the report knows. */
static bool check_id(struct rule_loader *loader, const struct conf_node *node,
                     const struct rule_draft *draft)
{
    const struct rule_set *set = loader->set;
    const struct conf_node *id = conf_node_get(node, "id");
    struct conf_quote quote;
    if (draft->id.length == 0 || id == NULL)
        return false;
    if (!rule_is_token(draft->id, RULE_ID_MAX)) {
        rule_loader_error(loader, id, "rule %s: this is not a valid id",
                          conf_quote(&quote, draft->id));
        conf_report_expect(loader->report, "1 to %d of a-z, 0-9, \".\", \"_\" and \"-\"",
                           RULE_ID_MAX);
        return false;
    }
    int index = rule_set_find(set, draft->id);
    if (index == RULE_NONE)
        return true;
    const struct rule_place *first = &rule_set_rule(set, (size_t)index)->place;
    /* Within one file the schema has said so already. */
    if (first->file != loader->file)
        rule_loader_error(loader, id, "rule %s is defined twice; the first is in %s, line %u",
                          conf_quote(&quote, draft->id), first->file, first->line);
    return false;
}

static int fill_info(struct rule_loader *loader, const struct conf_node *node,
                     const struct rule_draft *draft, struct rule_info *info)
{
    const struct {
        const char **text;
        struct slice from;
    } texts[] = {
        {&info->id, draft->id},
        {&info->title_en, draft->title.en},
        {&info->title_zh, draft->title.zh},
        {&info->type, draft->type},
        {&info->when, draft->when.node->text},
        {&info->owner, draft->owner},
        {&info->ticket, draft->ticket},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        *texts[i].text = rule_loader_keep(loader, texts[i].from);
        if (*texts[i].text == NULL)
            return -ENOMEM;
    }
    info->score = (int)draft->score;
    info->mode = (enum rule_mode)draft->mode;
    info->starts_us = conf_node_get(node, "starts") != NULL ? draft->starts_us : INT64_MIN;
    info->expires_us = conf_node_get(node, "expires") != NULL ? draft->expires_us : INT64_MAX;
    info->place = rule_loader_place(loader, conf_node_get(node, "id"));
    info->test_count = (uint32_t)draft->tests.count;
    if (draft->action.node == NULL)
        return 0;
    struct rule_action *action = arena_zalloc(loader->set->arena, sizeof(*action));
    if (action == NULL)
        return -ENOMEM;
    info->action = action;
    return rule_load_action(loader, &draft->action, action);
}

static int add_rule(struct rule_loader *loader, struct rule_record *record, struct rule_span span)
{
    struct rule_set *set = loader->set;
    const struct rule_info *info = &record->info;
    const struct rule_entry entry = {
        .span = span,
        .starts_us = info->starts_us,
        .expires_us = info->expires_us,
        .action = info->action,
        .points = (int16_t)info->score,
        .mode = (uint8_t)info->mode,
        .has_type = info->type[0] != '\0',
    };
    record->index = (uint32_t)set->records.count;
    int error = rule_vector_push(&set->entries, &entry);
    if (error == 0)
        error = rule_vector_push(&set->records, &record);
    if (error == 0)
        error = hash_table_insert(set->by_id, rule_id_hash(slice_of_text(info->id)), record);
    return error;
}

static int load_rule(struct rule_loader *loader, const struct conf_node *node,
                     const struct rule_draft *draft)
{
    struct rule_span span = {0, 0};
    bool has_id = check_id(loader, node, draft);
    if (draft->when.node == NULL)
        return 0;
    int error = compile(loader, draft, &span);
    if (error != 0 || !has_id)
        return error;

    struct rule_record *record = arena_zalloc(loader->set->arena, sizeof(*record));
    if (record == NULL)
        return -ENOMEM;
    error = fill_info(loader, node, draft, &record->info);
    if (error == 0)
        error = add_rule(loader, record, span);
    if (error == 0)
        error = rule_load_tests(loader, &draft->tests, record);
    return error;
}

int rule_load_rules(struct rule_loader *loader, const struct conf_node *rules,
                    const struct rule_draft *drafts)
{
    for (const struct conf_node *node = rules->first; node != NULL; node = node->next) {
        int error = load_rule(loader, node, drafts++);
        if (error != 0)
            return error;
    }
    return 0;
}
