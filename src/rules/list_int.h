/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list: numbers, texts and prefixes of either, as one set that is asked "is this in it?".
 *
 * Filled first, sealed once, read-only from then on. A number's leading "+" does not count, neither
 * in an entry nor in what is looked for. Sealed, a number takes 10.7 bytes and one look-up touches
 * one cache line, as a rule; prefixes take one look-up for each length that occurs.
 */
#ifndef RINGFENCE_RULES_LIST_INT_H
#define RINGFENCE_RULES_LIST_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"
#include "rules/value.h"

enum {
    RULE_LIST_DIGITS_MAX = 18, /* E.164 has 15; service codes and test numbers stay below too */
    RULE_LIST_TEXT_MAX = 256,
    RULE_LIST_TEXT_PREFIX_MAX = 63
};

enum rule_list_entry { RULE_LIST_EXACT, RULE_LIST_PREFIX, RULE_LIST_ENTRY_COUNT };

struct rule_list;

int rule_list_create(struct rule_list **list) MUST_CHECK;

/* -EBADMSG when it is not [+] and 1..RULE_LIST_DIGITS_MAX digits. */
int rule_list_add_number(struct rule_list *list, enum rule_list_entry entry,
                         struct slice number) MUST_CHECK;
/* -EBADMSG when it is empty, -EFBIG beyond RULE_LIST_TEXT_MAX or RULE_LIST_TEXT_PREFIX_MAX. */
int rule_list_add_text(struct rule_list *list, enum rule_list_entry entry,
                       struct slice text) MUST_CHECK;

/* Builds the tables; duplicates fall together. */
int rule_list_seal(struct rule_list *list) MUST_CHECK;

bool rule_list_holds_texts(const struct rule_list *list);
size_t rule_list_count(const struct rule_list *list);

/* subject is known, of type RULE_NUMBER (looked for among all entries) or RULE_TEXT (only among the
 * texts). */
bool rule_list_has(const struct rule_list *list, const struct rule_value *subject);

/* NULL is allowed. */
void rule_list_destroy(struct rule_list *list);

#endif
