/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: numbers, texts and prefixes of either, each with a value; the longest match gives it.
 *
 * Filled first, read-only from then on. An exact entry beats every prefix. A number's leading "+"
 * does not count. A number takes 16 bytes beside its value.
 */
#ifndef RINGFENCE_RULES_TABLE_INT_H
#define RINGFENCE_RULES_TABLE_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "list_int.h"
#include "rules/value.h"

struct rule_table;

/* Texts, and those of values, are copied into the arena, which lives as long as the table. */
int rule_table_create(enum rule_type type, struct arena *arena,
                      struct rule_table **table) MUST_CHECK;

/* What an entry's value must be. */
enum rule_type rule_table_type(const struct rule_table *table);
size_t rule_table_count(const struct rule_table *table);
bool rule_table_holds_texts(const struct rule_table *table);

/*
 * The value is of the table's type. -EEXIST when the entry is there already: *same tells whether
 * with this value. -EBADMSG when it is not [+] and 1..RULE_LIST_DIGITS_MAX digits, or empty; -EFBIG
 * for a text beyond RULE_LIST_TEXT_MAX or RULE_LIST_TEXT_PREFIX_MAX; -ENOMEM.
 */
int rule_table_add_number(struct rule_table *table, enum rule_list_entry entry, struct slice number,
                          const struct rule_value *value, bool *same) MUST_CHECK;
int rule_table_add_text(struct rule_table *table, enum rule_list_entry entry, struct slice text,
                        const struct rule_value *value, bool *same) MUST_CHECK;

/* The value of the entry that matches the known text or number best; NULL when none does. */
const struct rule_value *rule_table_find(const struct rule_table *table,
                                         const struct rule_value *subject);

/* NULL is allowed. */
void rule_table_destroy(struct rule_table *table);

#endif
