/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget: how much of the replica may change before an operator is asked.
 *
 * A share of the entries, and at least a minimum, within an hour: what is spent comes back evenly
 * over that time. One budget for single changes and for what comparisons find, so that neither many
 * small steps nor a lost connection get round it. The share is one of the entries held when nothing
 * was spent, so that deleting does not lower it nor inserting raise it.
 *
 * Filling a replica that holds nothing costs nothing until it was quiet for a minute, at most for
 * an hour: there is nothing yet that could be lost. Time is a parameter.
 */
#ifndef RINGFENCE_REPUTATION_BUDGET_INT_H
#define RINGFENCE_REPUTATION_BUDGET_INT_H

#include <stdbool.h>
#include <stdint.h>

#define REP_BUDGET_WINDOW_US UINT64_C(3600000000)
#define REP_BUDGET_QUIET_US  UINT64_C(60000000)

struct rep_budget {
    unsigned percent;
    uint64_t minimum;
    double spent;
    uint64_t limit; /* since nothing was spent */
    uint64_t at_us; /* of the last look */
    bool filling;
    uint64_t filling_since_us;
};

/* Nothing is spent. */
void rep_budget_init(struct rep_budget *budget, unsigned percent, uint64_t minimum);

/* How many of so many entries may change now. */
uint64_t rep_budget_left(struct rep_budget *budget, uint64_t entries, uint64_t now_us);

/* False when there is not so much left; then nothing is spent. */
bool rep_budget_spend(struct rep_budget *budget, uint64_t entries, uint64_t now_us, uint64_t count);

#endif
