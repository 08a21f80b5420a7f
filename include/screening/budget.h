/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget: how many calls a rule, or the lists on a trunk, may still block.
 *
 * All workers share one budget: budgets are for the node. Time is cut into periods of the wall
 * clock (100/min begins anew with each minute), so anybody can say what is left when. Only blocked
 * calls touch a budget.
 *
 * Budgets are kept in a ledger that outlives snapshots. A snapshot opens those that it needs; as
 * long as one of the same key is open, a reload finds what was used of it and whether its rule is
 * demoted.
 */
#ifndef RINGFENCE_SCREENING_BUDGET_H
#define RINGFENCE_SCREENING_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "rules/ruleset.h"

struct screen_ledger;
struct screen_budget;

int screen_ledger_create(struct screen_ledger **ledger) MUST_CHECK;
/* No budget may be open any more. NULL is allowed. */
void screen_ledger_destroy(struct screen_ledger *ledger);

enum screen_budget_kind { SCREEN_BUDGET_RULE, SCREEN_BUDGET_TRUNK };

/* Whose budget it is; another `written` makes it a new one. */
struct screen_budget_key {
    enum screen_budget_kind kind;
    struct slice name; /* the id of a rule, the name of a trunk */
    uint64_t written;
};

/* Any thread (a mutex inside): for load and reload. limit: more than 0 calls, periods from 1 s. */
int screen_budget_open(struct screen_ledger *ledger, const struct screen_budget_key *key,
                       const struct rule_budget *limit, struct screen_budget **budget) MUST_CHECK;
/* NULL is allowed. */
void screen_budget_close(struct screen_budget *budget);

/* Takes one call out of what is left. False: nothing is left, or the rule is demoted. Any thread;
 * never waits. */
bool screen_budget_take(struct screen_budget *budget, uint64_t wall_us) MUST_CHECK;
/* Gives back what was taken for a call that was not blocked after all. */
void screen_budget_give_back(struct screen_budget *budget, uint64_t wall_us);
/* True for the first to ask since the budget was used up in this period, or since the rule was
 * demoted: who is to tell of it. */
bool screen_budget_tells(struct screen_budget *budget, uint64_t wall_us);

/* A rule beyond its budget stays in shadow until it is armed again, with a full budget. */
void screen_budget_demote(struct screen_budget *budget);
bool screen_budget_is_demoted(const struct screen_budget *budget);
void screen_budget_rearm(struct screen_budget *budget);

const struct rule_budget *screen_budget_limit(const struct screen_budget *budget);
/* Calls taken in the period that the time is in. */
uint32_t screen_budget_used(const struct screen_budget *budget, uint64_t wall_us);

#endif
