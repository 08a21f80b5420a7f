/* SPDX-License-Identifier: Apache-2.0 */
/*
 * card: a scorecard, compiled: features cut into bins, each with its points.
 */
#ifndef RINGFENCE_RULES_CARD_INT_H
#define RINGFENCE_RULES_CARD_INT_H

#include <stddef.h>
#include <stdint.h>

#include "program_int.h"
#include "rules/evaluate.h"

enum rule_bin_kind { RULE_BIN_BELOW, RULE_BIN_IN, RULE_BIN_REST };

struct rule_bin {
    enum rule_bin_kind kind;
    uint32_t count; /* of values; RULE_BIN_BELOW has one */
    const struct rule_value *values;
    int points;
};

struct rule_card_feature {
    const char *text; /* as it is written */
    struct rule_span span;
    const struct rule_bin *bins; /* the first that takes a value gives its points */
    size_t count;
    int missing; /* points of an unknown value */
};

/* In the set's arena. */
struct rule_card {
    int intercept;
    size_t count;
    const struct rule_card_feature *features;
};

/* The sum, clipped to -100..100. The scratch's marks of unknown features are left as they were:
 * what is missing has its points. */
int rule_card_points(const struct rule_card *card, const struct rule_program *program,
                     const struct rule_inputs *inputs, struct rule_scratch *scratch);

/* The part that the feature gives. */
struct rule_card_part rule_card_part(const struct rule_card_feature *feature,
                                     const struct rule_program *program,
                                     const struct rule_inputs *inputs,
                                     struct rule_scratch *scratch);

#endif
