/* SPDX-License-Identifier: Apache-2.0 */
/*
 * given: what a test gives, as inputs of an evaluation.
 */
#ifndef RINGFENCE_RULES_GIVEN_INT_H
#define RINGFENCE_RULES_GIVEN_INT_H

#include "ruleset_int.h"

/* Serves one test after the other. The inputs point to it: it must not move. */
struct rule_given_call {
    struct rule_inputs inputs;
    const struct rule_test *test;
    struct rule_value *values; /* one for each feature */
    size_t count;
};

int rule_given_open(const struct rule_catalogue *catalogue,
                    struct rule_given_call *call) MUST_CHECK;
/* The values of the test and what follows from them; derive may be NULL. */
void rule_given_take(struct rule_given_call *call, const struct rule_catalogue *catalogue,
                     const struct rule_test *test, rule_derive_fn *derive, void *context);
void rule_given_close(struct rule_given_call *call);

#endif
