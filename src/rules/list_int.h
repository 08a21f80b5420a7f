/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list: numbers, texts, prefixes of either and ranges of numbers, as one set that is asked "is this
 * in it?" and "what does it say of this?".
 *
 * Filled first, sealed once, read-only from then on, and shared by the sets that use it. A number's
 * leading "+" does not count, neither in an entry nor in what is looked for. An entry may expire
 * and may have a value; of several that hold for a subject, the closest counts: the number itself,
 * then the range that begins last, then the longest prefix. One that has expired is as if it were
 * not there.
 *
 * Sealed, a number takes 13.3 bytes (16 in a list in which entries expire or have values), and one
 * look-up touches one cache line as a rule; prefixes take one look-up for each length that occurs.
 */
#ifndef RINGFENCE_RULES_LIST_INT_H
#define RINGFENCE_RULES_LIST_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "rules/value.h"

enum {
    RULE_LIST_DIGITS_MAX = 18, /* E.164 has 15; service codes and test numbers stay below too */
    RULE_LIST_TEXT_MAX = 256,
    RULE_LIST_TEXT_PREFIX_MAX = 63,
    RULE_LIST_VALUE_MAX = 64, /* bytes of an entry's value */
    RULE_LIST_EXAMPLES = 3    /* of what is wrong with a list */
};

enum rule_list_entry { RULE_LIST_EXACT, RULE_LIST_PREFIX, RULE_LIST_ENTRY_COUNT };

struct rule_list;

/* Where an entry stands, for what is said about it. */
typedef uint32_t rule_list_line;
#define RULE_LIST_INLINE UINT32_C(0x80000000) /* in the rule file; else in the list's own file */

/* What an entry says besides being there. */
struct rule_list_detail {
    struct slice value;  /* empty: none; belongs to the list */
    bool is_integer;     /* the value is one */
    rule_list_line line; /* of the first entry that says so */
    int64_t integer;
    int64_t expires_us; /* the first wall time at which the entry is there no more, or INT64_MAX */
};

int rule_list_create(struct rule_list **list) MUST_CHECK;

/*
 * An entry for numbers: digits, digits and a star, or a range of either, and behind commas a value
 * and a time at which it expires. as_prefix: digits are a prefix without a star too.
 * -EBADMSG when it is none, -ERANGE when a range is reversed or of unequal lengths, -EINVAL when
 * what stands behind the commas is neither a value nor a time, -ENOMEM.
 */
int rule_list_add_entry(struct rule_list *list, bool as_prefix, struct slice entry,
                        rule_list_line line) MUST_CHECK;
/* -EBADMSG when it is not [+] and 1..RULE_LIST_DIGITS_MAX digits. */
int rule_list_add_number(struct rule_list *list, enum rule_list_entry kind, struct slice number,
                         rule_list_line line) MUST_CHECK;
/* -EBADMSG when it is empty, -EFBIG beyond RULE_LIST_TEXT_MAX or RULE_LIST_TEXT_PREFIX_MAX. */
int rule_list_add_text(struct rule_list *list, enum rule_list_entry kind, struct slice text,
                       rule_list_line line) MUST_CHECK;
/* Room for so many more numbers, so that a long file does not grow the list step by step. */
int rule_list_expect(struct rule_list *list, size_t numbers) MUST_CHECK;

/* Builds the tables; of entries that stand twice the last one counts. */
int rule_list_seal(struct rule_list *list) MUST_CHECK;

/* Entries of a sealed list that could go without changing what it says. */
struct rule_list_flaw {
    size_t count;
    struct {
        rule_list_line line;
        rule_list_line first; /* the entry that says the same */
    } examples[RULE_LIST_EXAMPLES];
};

struct rule_list_flaws {
    struct rule_list_flaw repeated; /* stand twice */
    struct rule_list_flaw covered;  /* lie in a range or prefix that says the same */
};

const struct rule_list_flaws *rule_list_flaws(const struct rule_list *list);

/* How many entries are there no more at that time; *first is the line of one of the first. */
size_t rule_list_expired(const struct rule_list *list, int64_t now_us, rule_list_line *first);

bool rule_list_holds_texts(const struct rule_list *list);
size_t rule_list_count(const struct rule_list *list);
/* Memory that the sealed list takes. */
size_t rule_list_bytes(const struct rule_list *list);

/* A value made ready for look-ups in any number of lists. */
struct rule_list_subject {
    struct slice text;
    uint8_t digits; /* leading ones, after a "+"; 0 when the value is no number */
    bool is_number; /* nothing else stands behind them */
    uint64_t keys[RULE_LIST_DIGITS_MAX + 1]; /* keys[n]: of the first n digits */
};

/* value is known, of type RULE_NUMBER (looked for among all entries) or RULE_TEXT (only among the
 * texts). */
void rule_list_subject_init(struct rule_list_subject *subject, const struct rule_value *value);

/* Whether it is in the list at that time. *detail (may be NULL itself) becomes what the entry says,
 * or NULL when it says nothing. */
bool rule_list_lookup(const struct rule_list *list, const struct rule_list_subject *subject,
                      int64_t now_us, const struct rule_list_detail **detail);

/* The same for a single look-up. */
bool rule_list_has(const struct rule_list *list, const struct rule_value *value, int64_t now_us);

/* One more owner; any thread. */
struct rule_list *rule_list_share(struct rule_list *list);
/* The last owner frees it. NULL is allowed. */
void rule_list_destroy(struct rule_list *list);

#endif
