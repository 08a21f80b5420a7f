/* SPDX-License-Identifier: Apache-2.0 */
/*
 * literal: values as they are written in conditions and tests.
 *
 * All return 0, -EBADMSG when the text is no such value, -ERANGE when it does not fit.
 */
#ifndef RINGFENCE_RULES_LITERAL_INT_H
#define RINGFENCE_RULES_LITERAL_INT_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "rules/value.h"

/* 2027-06-30 (its first instant in UTC), 2027-06-30T08:15Z, 2027-06-30T08:15:30+08:00 */
int rule_literal_time(struct slice text, int64_t *wall_us) MUST_CHECK;

/* 42, -3, 20%, 0.25, 30s, 1h30m, a time: the type follows from the spelling. */
int rule_literal_number(struct slice text, struct rule_value *value) MUST_CHECK;

/* The value of a given type; texts are borrowed. A set is not a literal: -EBADMSG. */
int rule_literal_of_type(enum rule_type type, struct slice text,
                         struct rule_value *value) MUST_CHECK;

/* 10.0.0.1 or 2001:db8::1. -EINVAL when it is a network. */
int rule_literal_address(struct slice text, struct rule_address *address) MUST_CHECK;

/* "a flag", "an integer", ... */
const char *rule_type_with_article(enum rule_type type);

#endif
