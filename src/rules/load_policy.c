/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "load_int.h"

int rule_load_action(struct rule_loader *loader, const struct rule_step_draft *draft,
                     struct rule_action *action)
{
    *action = (struct rule_action){
        .kind = (enum rule_action_kind)draft->kind,
        .profile = (enum rule_profile)draft->profile,
        .rate_count = draft->rate.count,
        .rate_period_us = draft->rate.period_us,
        .rate_per = (enum rule_rate_per)draft->per,
        .rate_code = (unsigned)draft->code,
        .place = rule_loader_place(loader, draft->node),
    };
    if (draft->target.node == NULL)
        return 0;
    struct slice target = draft->target.node->text;
    bool is_uri = slice_find(target, ':') < target.length;
    action->target_kind = is_uri ? RULE_TARGET_URI : RULE_TARGET_TRUNK;
    action->target_place = rule_loader_place(loader, draft->target.node);
    action->target = rule_loader_keep(loader, target);
    return action->target != NULL ? 0 : -ENOMEM;
}

static int by_threshold(const void *a, const void *b)
{
    return ((const struct rule_step *)a)->at - ((const struct rule_step *)b)->at;
}

static bool is_duplicate(const struct rule_set *set, int at)
{
    for (size_t i = 0; i < set->steps.count; i++)
        if (rule_set_step(set, i)->at == at)
            return true;
    return false;
}

/* A higher score that gets a milder answer is most likely a slip. */
static void warn_milder(struct rule_loader *loader, const struct conf_node *policy)
{
    const struct rule_set *set = loader->set;
    for (size_t i = 1; i < set->steps.count; i++) {
        const struct rule_step *low = rule_set_step(set, i - 1);
        const struct rule_step *high = rule_set_step(set, i);
        const struct conf_node *node = policy->first;
        if (high->action.kind >= low->action.kind)
            continue;
        while (node != NULL && node->line != high->action.place.line)
            node = node->next;
        rule_loader_warning(loader, node != NULL ? node : policy,
                            "a score of %d is answered by %s, but %d by %s", high->at,
                            rule_action_name(high->action.kind), low->at,
                            rule_action_name(low->action.kind));
    }
}

int rule_load_policy(struct rule_loader *loader, const struct conf_node *policy,
                     const struct rule_step_draft *drafts)
{
    struct rule_vector *steps = &loader->set->steps;
    if (loader->policy.file != NULL) {
        rule_loader_error(loader, policy, "there is a second policy; the first is in %s, line %u",
                          loader->policy.file, loader->policy.line);
        return 0;
    }
    loader->policy = rule_loader_place(loader, policy);
    for (size_t i = 0; i < policy->count; i++) {
        if (drafts[i].node == NULL)
            continue;
        struct rule_step step = {.at = (int)drafts[i].at};
        if (is_duplicate(loader->set, step.at)) {
            rule_loader_error(loader, drafts[i].node, "there is another step at %d", step.at);
            continue;
        }
        int error = rule_load_action(loader, &drafts[i], &step.action);
        if (error == 0)
            error = rule_vector_push(steps, &step);
        if (error != 0)
            return error;
    }
    if (steps->count > 1)
        qsort(steps->items, steps->count, sizeof(struct rule_step), by_threshold);
    warn_milder(loader, policy);
    return 0;
}

int rule_load_budgets(struct rule_loader *loader, const struct conf_node *budgets,
                      const struct rule_budget_draft *drafts)
{
    struct rule_set *set = loader->set;
    for (size_t i = 0; i < budgets->count; i++) {
        const struct conf_node *name =
            drafts[i].node != NULL ? conf_node_get(drafts[i].node, "trunk") : NULL;
        if (name == NULL)
            continue;
        const struct rule_trunk_budget *same = rule_set_find_budget(set, drafts[i].trunk);
        /* Within one file the schema has said so already. */
        if (same != NULL && slice_equal(slice_of_text(same->trunk), drafts[i].trunk)) {
            if (same->place.file != loader->file)
                rule_loader_error(loader, name,
                                  "there is another budget for this trunk in %s, line %u",
                                  same->place.file, same->place.line);
            continue;
        }
        struct rule_trunk_budget budget = {
            .trunk = rule_loader_keep(loader, drafts[i].trunk),
            .blocks = {drafts[i].blocks.count, drafts[i].blocks.period_us},
            .place = rule_loader_place(loader, name),
        };
        int error = budget.trunk != NULL ? rule_vector_push(&set->budgets, &budget) : -ENOMEM;
        if (error != 0)
            return error;
    }
    return 0;
}
