/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arithmetic: what + - * / make of two values of known types.
 *
 * One row for each pair of types that has a meaning. A result that does not fit its type, and a
 * division by zero, is unknown.
 */
#ifndef RINGFENCE_RULES_ARITHMETIC_INT_H
#define RINGFENCE_RULES_ARITHMETIC_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/value.h"

/* X(name, sign, token, verb) */
#define RULE_SIGN_OF_ARITHMETIC_TABLE(X)                    \
    X(RULE_PLUS, "+", RULE_TOKEN_PLUS, "added to")          \
    X(RULE_MINUS, "-", RULE_TOKEN_MINUS, "reduced by")      \
    X(RULE_TIMES, "*", RULE_TOKEN_TIMES, "multiplied with") \
    X(RULE_DIVIDED, "/", RULE_TOKEN_DIVIDE, "divided by")

enum rule_sign {
#define RULE_SIGN_OF_ROW(name, sign, token, verb) name,
    RULE_SIGN_OF_ARITHMETIC_TABLE(RULE_SIGN_OF_ROW)
#undef RULE_SIGN_OF_ROW
};

/* The row for the sign between these types; false when there is none. */
bool rule_arithmetic_find(enum rule_sign sign, enum rule_type left, enum rule_type right,
                          uint16_t *row);
enum rule_type rule_arithmetic_type(uint16_t row);
enum rule_sign rule_arithmetic_sign(uint16_t row);

/* Both values are known and of the row's types. */
struct rule_value rule_arithmetic_do(uint16_t row, const struct rule_value *left,
                                     const struct rule_value *right);

#endif
