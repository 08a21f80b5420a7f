/* SPDX-License-Identifier: Apache-2.0 */
#include "screening_int.h"

static void add_alert(struct screen_engine *engine, enum screen_budget_kind kind, uint32_t rule,
                      const struct screen_budget *budget)
{
    engine->alerts[engine->alert_count++] =
        (struct screen_alert){kind, rule, screen_budget_limit(budget)};
}

/*
 * The budget that a fired rule's share in a block is charged to; NULL: none. It has a share when it
 * is enforced and demands the block itself, or adds points to a score for which the policy blocks:
 * then the call is charged to each of them, since each might be the one that is wrong.
 */
static struct screen_budget *charged_budget(const struct screen_engine *engine,
                                            const struct rule_fired *fired)
{
    struct screen_budget *budget = screen_policy_budget(engine->policy, fired->rule);
    if (budget == NULL || fired->shadow)
        return NULL;
    const struct rule_set *rules = screen_policy_rules(engine->policy);
    const struct rule_action *demand = rule_set_rule(rules, fired->rule)->action;
    if (demand != NULL && demand->kind == RULE_BLOCK)
        return budget;
    int32_t step = engine->outcome.live.step;
    bool blocks =
        step != RULE_NONE && rule_set_step(rules, (size_t)step)->action.kind == RULE_BLOCK;
    return blocks && fired->points > 0 ? budget : NULL;
}

static void demote(struct screen_engine *engine, uint32_t rule, struct screen_budget *budget)
{
    screen_policy_demote(engine->policy, rule);
    if (screen_budget_tells(budget, engine->input.wall_us))
        add_alert(engine, SCREEN_BUDGET_RULE, rule, budget);
}

bool screen_charge_rules(struct screen_engine *engine)
{
    _Static_assert(RULE_FIRED_MAX <= 64, "a bit for each rule that fired");
    const struct rule_outcome *outcome = &engine->outcome;
    uint64_t wall_us = engine->input.wall_us;
    uint64_t taken = 0;
    bool all = true;
    for (uint32_t i = 0; i < outcome->fired_count; i++) {
        struct screen_budget *budget = charged_budget(engine, &outcome->fired[i]);
        if (budget == NULL)
            continue;
        if (screen_budget_take(budget, wall_us)) {
            taken |= UINT64_C(1) << i;
        } else {
            demote(engine, outcome->fired[i].rule, budget);
            all = false;
        }
    }
    for (; !all && taken != 0; taken &= taken - 1) {
        uint32_t rule = outcome->fired[__builtin_ctzll(taken)].rule;
        screen_budget_give_back(screen_policy_budget(engine->policy, rule), wall_us);
    }
    return all;
}

bool screen_charge_trunk(struct screen_engine *engine)
{
    struct screen_budget *budget = engine->input.trunk->blocks;
    if (budget == NULL || !engine->input.charged ||
        screen_budget_take(budget, engine->input.wall_us))
        return true;
    if (screen_budget_tells(budget, engine->input.wall_us))
        add_alert(engine, SCREEN_BUDGET_TRUNK, 0, budget);
    return false;
}
