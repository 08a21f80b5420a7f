/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of one judgement, shared by the files of this folder.
 */
#ifndef RINGFENCE_SCREENING_INT_H
#define RINGFENCE_SCREENING_INT_H

#include "screening/engine.h"

/* Local time, computed once a minute: localtime_r() costs more than all rules together. */
struct screen_clockface {
    uint64_t minute; /* since 1970, to which the rest belongs; 0: nothing yet */
    uint8_t local_hour;
    uint8_t local_minute;
    uint8_t weekday; /* 0: Monday */
};

struct screen_engine {
    struct rep_store *store;
    struct smsg_decoder *decoder;
    struct rule_scratch *scratch;
    struct screen_clockface clockface;

    /* The judgement under way. */
    const struct screen_policy *policy;
    struct screen_input input;  /* a copy: features are read after the judgement too */
    struct rule_address source; /* that input.source points to */
    bool reputation_known;
    bool caller_imitation;
    struct rep_finding finding;
    struct rep_finding diverting_finding;
    struct smsg_decoded decoded;
    struct screen_facts facts;
    struct rule_outcome outcome;
    struct screen_alert alerts[RULE_FIRED_MAX + 1]; /* each rule that fired, and the trunk */
    uint32_t alert_count;
    uint32_t measure_from;
    uint64_t fetched[(SCREEN_FEATURE_COUNT + 63) / 64];
    struct rule_value values[SCREEN_FEATURE_COUNT];
};

/* Reads the numbers of a decoded message into engine->facts. */
void screen_read_facts(struct screen_engine *engine);

/* Finds the reputation of the numbers. False: it has to be fetched first. */
bool screen_find_reputation(struct screen_engine *engine, bool *degraded);

/* Puts what is asked on trial into the facts and the reputation of the call. */
void screen_assume_facts(struct screen_engine *engine);
/* The same for features, after they were forgotten. */
void screen_assume_features(struct screen_engine *engine);

/* For rule_inputs; context is the engine. */
const struct rule_value *screen_fetch_feature(void *context, uint16_t feature);
bool screen_fetch_header(void *context, struct slice name, struct rule_value *value);

/* Charges a block by rules to their budgets. False: some rule had nothing left and was demoted, so
 * the rules have to be asked again; nothing was charged. */
bool screen_charge_rules(struct screen_engine *engine);
/* Charges a block by a list to the trunk's budget. False: nothing is left. */
bool screen_charge_trunk(struct screen_engine *engine);

void screen_clockface_set(struct screen_clockface *clockface, uint64_t wall_us);

/* caller.digits_apart of two numbers. */
struct rule_value screen_digits_apart(const struct num_number *a, const struct num_number *b);

#endif
