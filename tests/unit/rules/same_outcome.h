/* SPDX-License-Identifier: Apache-2.0 */
/*
 * same_outcome: whether two evaluations say the same of a call.
 */
#ifndef RINGFENCE_TESTS_RULES_SAME_OUTCOME_H
#define RINGFENCE_TESTS_RULES_SAME_OUTCOME_H

#include <stdbool.h>
#include <string.h>

#include "rules/evaluate.h"

static inline bool same_decision(const struct rule_decision *a, const struct rule_decision *b)
{
    return a->score == b->score && a->action == b->action && a->step == b->step &&
           a->action_rule == b->action_rule && a->type_rule == b->type_rule;
}

static inline bool same_fired(const struct rule_outcome *a, const struct rule_outcome *b)
{
    if (a->fired_total != b->fired_total || a->fired_count != b->fired_count)
        return false;
    for (uint32_t i = 0; i < a->fired_count; i++)
        if (a->fired[i].rule != b->fired[i].rule || a->fired[i].points != b->fired[i].points ||
            a->fired[i].shadow != b->fired[i].shadow)
            return false;
    return true;
}

/* What differs, or NULL. How many regular expressions were run is no part of it. */
static inline const char *outcome_difference(const struct rule_outcome *indexed,
                                             const struct rule_outcome *plain)
{
    if (!same_fired(indexed, plain))
        return "the rules that fired";
    if (indexed->unknown_total != plain->unknown_total ||
        indexed->unknown_count != plain->unknown_count ||
        memcmp(indexed->unknown, plain->unknown,
               plain->unknown_count * sizeof(plain->unknown[0])) != 0)
        return "the unknown rules";
    if (memcmp(indexed->unknown_features, plain->unknown_features,
               sizeof(plain->unknown_features)) != 0 ||
        indexed->unknown_header != plain->unknown_header)
        return "the unknown inputs";
    if (!same_decision(&indexed->live, &plain->live))
        return "the decision";
    if (!same_decision(&indexed->shadow, &plain->shadow))
        return "the decision with shadow rules";
    return indexed->tried > plain->tried ? "more rules were tried" : NULL;
}

#endif
