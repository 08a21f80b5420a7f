/* SPDX-License-Identifier: Apache-2.0 */
#include "budget_int.h"

void rep_budget_init(struct rep_budget *budget, unsigned percent, uint64_t minimum)
{
    *budget = (struct rep_budget){.percent = percent, .minimum = minimum};
}

static void refill(struct rep_budget *budget, uint64_t entries, uint64_t now_us)
{
    uint64_t passed_us = now_us > budget->at_us ? now_us - budget->at_us : 0;
    budget->at_us = now_us;
    budget->spent -= (double)budget->limit * (double)passed_us / (double)REP_BUDGET_WINDOW_US;
    if (budget->spent <= 0) {
        budget->spent = 0;
        budget->limit = entries * budget->percent / 100;
        if (budget->limit < budget->minimum)
            budget->limit = budget->minimum;
    }
    if (entries == 0) {
        budget->filling = true;
        budget->filling_since_us = now_us;
    } else if (passed_us >= REP_BUDGET_QUIET_US ||
               now_us - budget->filling_since_us >= REP_BUDGET_WINDOW_US) {
        budget->filling = false;
    }
}

uint64_t rep_budget_left(struct rep_budget *budget, uint64_t entries, uint64_t now_us)
{
    refill(budget, entries, now_us);
    if (budget->filling)
        return UINT64_MAX;
    return budget->spent < (double)budget->limit ? budget->limit - (uint64_t)budget->spent : 0;
}

bool rep_budget_spend(struct rep_budget *budget, uint64_t entries, uint64_t now_us, uint64_t count)
{
    if (count > rep_budget_left(budget, entries, now_us))
        return false;
    if (!budget->filling)
        budget->spent += (double)count;
    return true;
}
