/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "config/suggest.h"
#include "expression_int.h"
#include "lexer_int.h"
#include "load_int.h"

enum { NAME_MAX_BYTES = 64 };

/* ---- what names stand for ----------------------------------------------------------------- */

static const struct rule_list *find_list(void *context, struct slice name)
{
    const struct rule_loader *loader = context;
    const struct rule_named_list *list = rule_set_list(loader->set, name);
    return list != NULL ? list->list : NULL;
}

static const struct rule_networks *find_networks(void *context, struct slice name)
{
    const struct rule_loader *loader = context;
    const struct rule_named_list *list = rule_set_list(loader->set, name);
    return list != NULL ? list->networks : NULL;
}

static struct slice suggest_list(void *context, struct slice name)
{
    const struct rule_set *set = ((const struct rule_loader *)context)->set;
    const struct rule_named_list *lists = set->lists.items;
    struct conf_suggestion suggestion = conf_suggestion_for(name);
    for (size_t i = 0; i < set->lists.count; i++)
        conf_suggestion_offer(&suggestion, lists[i].name);
    return suggestion.best;
}

static const struct rule_table *find_table(void *context, struct slice name)
{
    const struct rule_loader *loader = context;
    const struct rule_named_table *table = rule_set_table(loader->set, name);
    return table != NULL ? table->table : NULL;
}

static struct slice suggest_table(void *context, struct slice name)
{
    const struct rule_set *set = ((const struct rule_loader *)context)->set;
    const struct rule_named_table *tables = set->tables.items;
    struct conf_suggestion suggestion = conf_suggestion_for(name);
    for (size_t i = 0; i < set->tables.count; i++)
        conf_suggestion_offer(&suggestion, tables[i].name);
    return suggestion.best;
}

static bool is_called(const void *condition, const void *name)
{
    return slice_equal(((const struct rule_condition *)condition)->name,
                       *(const struct slice *)name);
}

static struct rule_condition *condition_of(const struct rule_loader *loader, struct slice name)
{
    return hash_table_find(loader->by_name, rule_id_hash(name), is_called, &name);
}

static struct slice suggest_condition(void *context, struct slice name)
{
    const struct rule_loader *loader = context;
    struct rule_condition *const *conditions = loader->conditions.items;
    struct conf_suggestion suggestion = conf_suggestion_for(name);
    for (size_t i = 0; i < loader->conditions.count; i++)
        conf_suggestion_offer(&suggestion, conditions[i]->name);
    return suggestion.best;
}

/* "conditions go round in a circle: a -> b -> a" */
static void show_circle(const struct rule_loader *loader, const struct rule_condition *again,
                        struct rule_circle *circle)
{
    struct buffer text = buffer_over(circle->text, sizeof(circle->text) - 1);
    unsigned first = 0;
    while (loader->under_way[first] != again)
        first++;
    buffer_append_literal(&text, "conditions go round in a circle: ");
    for (unsigned i = first; i < loader->under_way_count; i++) {
        buffer_append(&text, loader->under_way[i]->name);
        buffer_append_literal(&text, " -> ");
    }
    buffer_append(&text, again->name);
    circle->text[text.length] = '\0';
}

static int check_condition(struct rule_loader *loader, struct rule_condition *condition);

static int find_condition(void *context, struct slice name, const struct rule_node **root,
                          struct rule_circle *circle)
{
    struct rule_loader *loader = context;
    struct rule_condition *condition = condition_of(loader, name);
    if (condition == NULL)
        return ERROR_NOT_FOUND;
    if (condition->met && !condition->done) {
        show_circle(loader, condition, circle);
        return ERROR_LIMIT;
    }
    if (!condition->done && loader->under_way_count == RULE_CONDITION_DEPTH) {
        (void)snprintf(circle->text, sizeof(circle->text),
                       "conditions name one another more than %d deep", RULE_CONDITION_DEPTH);
        return ERROR_LIMIT;
    }
    int error = condition->done ? 0 : check_condition(loader, condition);
    *root = condition->root;
    return error != 0 ? error : condition->root != NULL ? 0 : ERROR_CONFIG;
}

/* ---- parsing and checking ----------------------------------------------------------------- */

static void report_fault(struct rule_loader *loader, const struct rule_owner *owner,
                         const struct conf_node *node, enum conf_severity severity,
                         const struct rule_fault *fault)
{
    struct conf_quote quote;
    struct conf_place place =
        conf_node_place_within(loader->document, node, fault->offset, fault->length);
    if (owner->id.length > 0)
        conf_report_add(loader->report, severity, &place, "%s %s: %s", owner->kind,
                        conf_quote(&quote, owner->id), fault->message);
    else
        conf_report_add(loader->report, severity, &place, "%s", fault->message);
    if (fault->expected[0] != '\0')
        conf_report_expect(loader->report, "%s", fault->expected);
    if (fault->hint[0] != '\0')
        conf_report_hint(loader->report, "%s", fault->hint);
}

static int load_tree(struct rule_loader *loader, const struct rule_owner *owner,
                     const struct conf_node *node,
                     int (*check)(struct rule_node *, struct slice, const struct rule_names *,
                                  struct rule_fault *, struct rule_fault *),
                     struct rule_node **root)
{
    const struct rule_names names = {
        .catalogue = loader->set->catalogue,
        .context = loader,
        .find_list = find_list,
        .suggest_list = suggest_list,
        .find_networks = find_networks,
        .find_table = find_table,
        .suggest_table = suggest_table,
        .find_condition = find_condition,
        .suggest_condition = suggest_condition,
        .nodes = loader->drafts,
        .kept = loader->set->arena,
    };
    struct rule_fault fault = {.set = false};
    struct rule_fault warning = {.set = false};
    struct rule_node *made = NULL;
    *root = NULL;
    int error = rule_expression_parse(node->text, loader->drafts, &fault, &made);
    if (error == 0)
        error = check(made, node->text, &names, &fault, &warning);
    if (error == 0) {
        *root = made;
        if (warning.set)
            report_fault(loader, owner, node, CONF_WARNING, &warning);
    }
    if (error == ERROR_CONFIG) {
        /* Without a fault, a condition that this one names was wrong and has been reported. */
        if (fault.set)
            report_fault(loader, owner, node, CONF_ERROR, &fault);
        error = 0;
    }
    return error;
}

int rule_load_tree(struct rule_loader *loader, const struct rule_owner *owner,
                   const struct conf_node *node, struct rule_node **root)
{
    return load_tree(loader, owner, node, rule_expression_check, root);
}

int rule_load_value(struct rule_loader *loader, const struct rule_owner *owner,
                    const struct conf_node *node, struct rule_node **root)
{
    return load_tree(loader, owner, node, rule_value_check, root);
}

int rule_check_possible(struct rule_loader *loader, const struct rule_owner *owner,
                        const struct conf_node *node, const struct rule_node *root, bool *possible)
{
    struct rule_fault fault = {.set = false};
    struct rule_fault warning = {.set = false};
    int error = rule_contradiction_find(root, node->text, loader->set->catalogue, &fault, &warning);
    *possible = error == 0;
    /* A list with errors may be empty because of them. */
    if (warning.set && conf_report_count(loader->report, CONF_ERROR) == 0)
        report_fault(loader, owner, node, CONF_WARNING, &warning);
    if (error != ERROR_CONFIG)
        return error;
    report_fault(loader, owner, node, CONF_ERROR, &fault);
    return 0;
}

/* ---- conditions by name ------------------------------------------------------------------- */

bool rule_loader_name_fits(struct rule_loader *loader, const struct conf_node *node,
                           const char *kind, bool dots)
{
    struct slice name = node->key;
    bool good = name.length > 0 && name.length <= NAME_MAX_BYTES && !rule_lexer_is_keyword(name) &&
                strchr("0123456789.-", name.data[0]) == NULL;
    for (size_t i = 0; good && i < name.length; i++)
        good = rule_lexer_is_name_byte(name.data[i]) && (dots || name.data[i] != '.');
    if (good)
        return true;
    struct conf_quote quote;
    struct conf_place place = conf_node_key_place(loader->document, node);
    conf_report_add(loader->report, CONF_ERROR, &place, "%s cannot be the name of a %s",
                    conf_quote(&quote, name), kind);
    conf_report_expect(loader->report,
                       "a letter, then letters, digits, \"-\", \"_\"; at most %d; no keyword",
                       NAME_MAX_BYTES);
    return false;
}

static bool check_name(struct rule_loader *loader, const struct conf_node *node)
{
    struct conf_quote quote;
    if (!rule_loader_name_fits(loader, node, "condition", false))
        return false;
    const struct rule_condition *same = condition_of(loader, node->key);
    if (same == NULL)
        return true;
    struct conf_place place = conf_node_key_place(loader->document, node);
    conf_report_add(loader->report, CONF_ERROR, &place,
                    "condition %s is defined twice; the first is in %s, line %u",
                    conf_quote(&quote, node->key), same->file, same->node->key_line);
    return false;
}

/* A condition is a text; what is none is reported, and no rule that names it is blamed. */
static int add_condition(struct rule_loader *loader, const struct conf_node *node)
{
    struct rule_condition *condition = arena_zalloc(loader->drafts, sizeof(*condition));
    if (condition == NULL)
        return -ENOMEM;
    *condition = (struct rule_condition){
        .name = node->key,
        .node = node,
        .document = loader->document,
        .file = loader->file,
    };
    if (node->kind != CONF_NODE_SCALAR || conf_node_is_null(node)) {
        struct conf_quote quote;
        rule_loader_error(loader, node, "condition %s %s", conf_quote(&quote, node->key),
                          node->kind == CONF_NODE_SCALAR     ? "has no value"
                          : node->kind == CONF_NODE_SEQUENCE ? "is a list"
                                                             : "is a section");
        conf_report_expect(loader->report, "a condition such as: caller.country == \"CN\"");
        condition->met = true;
        condition->done = true;
    }
    int error = hash_table_insert(loader->by_name, rule_id_hash(condition->name), condition);
    return error != 0 ? error : rule_vector_push(&loader->conditions, &condition);
}

int rule_load_conditions(struct rule_loader *loader, const struct conf_node *conditions)
{
    if (conditions == NULL)
        return 0;
    for (const struct conf_node *node = conditions->first; node != NULL; node = node->next) {
        int error = check_name(loader, node) ? add_condition(loader, node) : 0;
        if (error != 0)
            return error;
    }
    return 0;
}

/* Those that it names are checked on the way. */
static int check_condition(struct rule_loader *loader, struct rule_condition *condition)
{
    const struct conf_document *document = loader->document;
    const char *file = loader->file;
    const struct rule_owner owner = {"condition", condition->name};
    struct rule_node *root = NULL;
    bool possible = false;
    condition->met = true;
    loader->under_way[loader->under_way_count++] = condition;
    loader->document = condition->document;
    loader->file = condition->file;
    int error = rule_load_tree(loader, &owner, condition->node, &root);
    if (error == 0 && root != NULL)
        error = rule_check_possible(loader, &owner, condition->node, root, &possible);
    loader->document = document;
    loader->file = file;
    loader->under_way_count--;
    condition->done = true;
    condition->root = possible ? root : NULL;
    return error;
}

int rule_check_conditions(struct rule_loader *loader)
{
    struct rule_condition *const *conditions = loader->conditions.items;
    for (size_t i = 0; i < loader->conditions.count; i++) {
        int error = conditions[i]->done ? 0 : check_condition(loader, conditions[i]);
        if (error != 0)
            return error;
    }
    return 0;
}
