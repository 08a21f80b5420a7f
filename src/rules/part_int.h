/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part: how the operations of a compiled condition are written out again.
 */
#ifndef RINGFENCE_RULES_PART_INT_H
#define RINGFENCE_RULES_PART_INT_H

#include "rules/part.h"
#include "ruleset_int.h"

enum { RULE_PART_TEXT_MAX = 1024 };

/* What stands behind the subject of an operation that has constants, a list, a pattern or a table:
 * " in domestic", " starts_with [\"+86\", \"+44\"]". Nothing for other operations. */
void rule_part_write_operand(struct buffer *out, const struct rule_set *set,
                             const struct rule_operation *operation);

/* The text between two operands: " == ", " + ", " starts_with ". */
const char *rule_part_sign(const struct rule_operation *operation);

/* In quotes, as a condition has texts. */
void rule_part_write_text(struct buffer *out, struct slice text);

#endif
