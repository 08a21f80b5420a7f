/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "expression_int.h"
#include "literal_int.h"
#include "load_int.h"

/* One feature of a card, while its bins are read. */
struct bin_loader {
    struct rule_loader *loader;
    const struct rule_owner *owner;
    const struct conf_node *feature; /* as it is written */
    enum rule_type type;
    const struct rule_value *below; /* the limit of the last bin that has one */
    const struct conf_node *rest;   /* the bin without a test */
};

static bool has_order(enum rule_type type)
{
    return type == RULE_INTEGER || type == RULE_DURATION || type == RULE_RATIO || type == RULE_TIME;
}

/* False when the text is no value of the feature's type; the report knows. */
static bool read_value(struct bin_loader *bins, const struct conf_node *node,
                       struct rule_value *value)
{
    struct rule_loader *loader = bins->loader;
    struct conf_quote id, quote, feature;
    if (node->kind == CONF_NODE_SCALAR && rule_literal_of_type(bins->type, node->text, value) == 0)
        return true;
    rule_loader_error(loader, node, "%s %s: %s is %s, which %s is not", bins->owner->kind,
                      conf_quote(&id, bins->owner->id), conf_quote(&feature, bins->feature->text),
                      rule_type_with_article(bins->type),
                      node->kind == CONF_NODE_SCALAR ? conf_quote(&quote, node->text)
                                                     : conf_node_kind_name(node));
    return false;
}

static int keep_text(struct rule_loader *loader, struct rule_value *value)
{
    if (value->type != RULE_TEXT && value->type != RULE_NUMBER)
        return 0;
    value->text = arena_copy(loader->set->arena, value->text);
    return value->text.data != NULL ? 0 : -ENOMEM;
}

/* The values of one bin; count stays 0 when one of them is wrong. */
static int read_values(struct bin_loader *bins, const struct conf_node *first, size_t count,
                       struct rule_bin *bin)
{
    struct rule_value *values =
        arena_alloc(bins->loader->set->arena, (count + 1) * sizeof(*values));
    if (values == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++, first = first->next) {
        if (!read_value(bins, first, &values[i]))
            return 0;
        int error = keep_text(bins->loader, &values[i]);
        if (error != 0)
            return error;
    }
    bin->values = values;
    bin->count = (uint32_t)count;
    return 0;
}

static void report_bin(struct bin_loader *bins, const struct conf_node *node, const char *problem)
{
    struct conf_quote quote;
    rule_loader_error(bins->loader, node, "%s %s: %s", bins->owner->kind,
                      conf_quote(&quote, bins->owner->id), problem);
}

static int read_below(struct bin_loader *bins, const struct conf_node *below, struct rule_bin *bin)
{
    if (!has_order(bins->type)) {
        report_bin(bins, below, "\"below\" needs an integer, duration, ratio or time");
        conf_report_expect(bins->loader->report, "is: or in:");
        return 0;
    }
    int error = read_values(bins, below, 1, bin);
    if (error != 0 || bin->count == 0)
        return error;
    if (bins->below != NULL && rule_values_order(bin->values, bins->below) <= 0)
        report_bin(bins, below,
                   "no value reaches this bin: one above it has this limit or a higher one");
    bins->below = bin->values;
    return 0;
}

static int read_bin(struct bin_loader *bins, const struct rule_bin_draft *draft,
                    struct rule_bin *bin)
{
    *bin = (struct rule_bin){.kind = RULE_BIN_REST, .points = (int)draft->points};
    if (draft->node == NULL)
        return 0;
    if (bins->rest != NULL)
        report_bin(bins, draft->node, "no value reaches this bin: the one above takes all");
    if (draft->below.node != NULL) {
        bin->kind = RULE_BIN_BELOW;
        return read_below(bins, draft->below.node, bin);
    }
    if (draft->is.node == NULL && draft->in.node == NULL) {
        bins->rest = draft->node;
        return 0;
    }
    bin->kind = RULE_BIN_IN;
    if (draft->is.node != NULL)
        return read_values(bins, draft->is.node, 1, bin);
    if (draft->in.node->count == 0)
        report_bin(bins, draft->in.node, "no value reaches this bin: the list is empty");
    return read_values(bins, draft->in.node->first, draft->in.node->count, bin);
}

static int read_bins(struct bin_loader *loader, const struct rule_feature_draft *draft,
                     struct rule_card_feature *feature)
{
    const struct rule_bin_draft *drafts = draft->bins.items;
    struct rule_bin *bins =
        arena_alloc(loader->loader->set->arena, (draft->bins.count + 1) * sizeof(*bins));
    if (bins == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < draft->bins.count; i++) {
        int error = read_bin(loader, &drafts[i], &bins[i]);
        if (error != 0)
            return error;
    }
    feature->bins = bins;
    feature->count = draft->bins.count;
    return 0;
}

static bool can_be_cut(struct bin_loader *bins)
{
    struct conf_quote quote;
    if (bins->type != RULE_SET && bins->type != RULE_ADDRESS)
        return true;
    rule_loader_error(bins->loader, bins->feature, "%s %s: %s cannot be cut into bins",
                      bins->owner->kind, conf_quote(&quote, bins->owner->id),
                      rule_type_with_article(bins->type));
    return false;
}

static int load_feature(struct rule_loader *loader, const struct rule_owner *owner,
                        const struct rule_feature_draft *draft, struct rule_card_feature *feature)
{
    struct bin_loader bins = {.loader = loader, .owner = owner, .feature = draft->feature.node};
    struct rule_node *root = NULL;
    if (draft->feature.node == NULL)
        return 0;
    int error = rule_load_value(loader, owner, draft->feature.node, &root);
    if (error != 0 || root == NULL)
        return error;
    bins.type = root->type;
    feature->missing = (int)draft->missing;
    feature->text = rule_loader_keep(loader, draft->feature.node->text);
    if (feature->text == NULL)
        return -ENOMEM;
    error = rule_program_add(&loader->set->program, root, loader->set->arena, &feature->span);
    if (error != 0 || !can_be_cut(&bins))
        return error;
    return read_bins(&bins, draft, feature);
}

static int load_features(struct rule_loader *loader, const struct rule_owner *owner,
                         const struct rule_card_draft *draft, struct rule_card *card)
{
    const struct rule_feature_draft *drafts = draft->features.items;
    struct rule_card_feature *features =
        arena_zalloc(loader->set->arena, (draft->features.count + 1) * sizeof(*features));
    if (features == NULL)
        return -ENOMEM;
    card->intercept = (int)draft->intercept;
    card->features = features;
    card->count = draft->features.count;
    for (size_t i = 0; i < card->count; i++) {
        int error = load_feature(loader, owner, &drafts[i], &features[i]);
        if (error != 0)
            return error;
    }
    return 0;
}

static int load_card(struct rule_loader *loader, const struct conf_node *cards,
                     const struct conf_node *node, const struct rule_card_draft *draft)
{
    const struct rule_owner owner = {"scorecard", draft->rule.id};
    const struct rule_card_test_draft *tests = draft->tests.items;
    struct rule_record *record = NULL;
    struct rule_card *card = arena_zalloc(loader->set->arena, sizeof(*card));
    if (card == NULL)
        return -ENOMEM;
    int error = load_features(loader, &owner, draft, card);
    if (error == 0)
        error = rule_load_rule(loader, cards, node, &draft->rule, NULL, card, &record);
    if (error != 0 || record == NULL)
        return error;
    record->info.test_count = (uint32_t)draft->tests.count;
    for (size_t i = 0; error == 0 && i < draft->tests.count; i++)
        if (tests[i].node != NULL)
            error = rule_load_test(loader, tests[i].given.node, RULE_TRUE, (int)tests[i].points,
                                   record);
    return error;
}

int rule_load_cards(struct rule_loader *loader, const struct conf_node *cards,
                    const struct rule_card_draft *drafts)
{
    for (const struct conf_node *node = cards->first; node != NULL; node = node->next) {
        int error = load_card(loader, cards, node, drafts++);
        if (error != 0)
            return error;
    }
    return 0;
}
