/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: what an event says of the latest judged call, whoever had it judged.
 *
 * Copies fixed fields and static texts into a record; nothing is rendered here.
 */
#ifndef RINGFENCE_SCREENING_REPORT_H
#define RINGFENCE_SCREENING_REPORT_H

#include "screening/engine.h"
#include "screening/policy.h"
#include "stats/event.h"

/* The numbers as they were written and normalised, with country, region and kind. */
void screen_report_parties(struct stats_event *event, const struct screen_engine *engine);

/* The rules that fired and the features that they name, as they were. Only when rules ran. */
void screen_report_rules(struct stats_event *event, struct screen_engine *engine,
                         const struct screen_policy *policy);

/* Inputs that the verdict had to do without, by enum stats_missing. */
uint8_t screen_report_missing(const struct screen_engine *engine,
                              const struct screen_verdict *verdict);

#endif
