/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally: counts judged calls by what their numbers are, and what an event says of them.
 *
 * Labels are registered once a process, all that can come, so that counting a call is a few
 * look-ups in tables and no label is ever made on the way. Whoever judges calls (the proxy, the
 * tap) counts by the same tally.
 */
#ifndef RINGFENCE_SCREENING_TALLY_H
#define RINGFENCE_SCREENING_TALLY_H

#include <stdint.h>

#include "number/plan.h"
#include "screening/engine.h"
#include "stats/counters.h"
#include "stats/event.h"

enum {
    SCREEN_TALLY_COUNTRIES = 26 * 26, /* by the two letters of the code */
    SCREEN_TALLY_REGIONS = 256,       /* places; the plan knows some thirty regions */
};

/* What one party's numbers are counted by: labels of the caller's or the callee's families. */
struct screen_tally_party {
    uint32_t countries[SCREEN_TALLY_COUNTRIES];
    uint32_t regions[SCREEN_TALLY_REGIONS]; /* beside struct screen_tally.regions */
    uint32_t kinds[NUM_KIND_COUNT];
    uint32_t unknown_country;
    uint32_t unknown_region;
};

struct screen_tally {
    const char *regions[SCREEN_TALLY_REGIONS]; /* by address: the plan's texts are static */
    struct screen_tally_party parties[2];      /* by enum num_role */
    uint32_t missing[STATS_MISSING_COUNT];     /* of STATS_FAMILY_DEGRADED */
};

/* "unknown" stands for numbers that do not normalise, and for regions that the plan does not tell.
 */
void screen_tally_register(struct screen_tally *tally, struct stats_registry *registry);

/* Counts one call. facts: NULL for a call that was decided before its numbers were read. */
void screen_tally_call(const struct screen_tally *tally, struct stats_shard *shard,
                       const struct screen_facts *facts);

/* Counts a degraded verdict by each input that was missing (bits by enum stats_missing). */
void screen_tally_degraded(const struct screen_tally *tally, struct stats_shard *shard,
                           uint8_t missing);

#endif
