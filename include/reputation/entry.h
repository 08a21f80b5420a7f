/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry: what is known about a number, a prefix or a text.
 *
 * Plain values, copied freely. Scam types and sources are small ids; struct rep_names holds the
 * texts (rep_store_types(), rep_store_sources()).
 */
#ifndef RINGFENCE_REPUTATION_ENTRY_H
#define RINGFENCE_REPUTATION_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

/* X(name, text): the values of the field `list`. */
#define REP_LIST_TABLE(X)      \
    X(REP_LIST_NONE, "none")   \
    X(REP_LIST_BLOCK, "block") \
    X(REP_LIST_ALLOW, "allow") \
    X(REP_LIST_WATCH, "watch")

enum rep_list {
#define REP_LIST_ROW(name, text) name,
    REP_LIST_TABLE(REP_LIST_ROW)
#undef REP_LIST_ROW
        REP_LIST_COUNT
};

/* X(name, text): by which kind of key an entry was found; ordered by authority, weakest first. */
#define REP_MATCH_TABLE(X)        \
    X(REP_MATCH_NONE, "none")     \
    X(REP_MATCH_RAW, "raw")       \
    X(REP_MATCH_PREFIX, "prefix") \
    X(REP_MATCH_NUMBER, "number")

enum rep_match {
#define REP_MATCH_ROW(name, text) name,
    REP_MATCH_TABLE(REP_MATCH_ROW)
#undef REP_MATCH_ROW
        REP_MATCH_COUNT
};

enum {
    REP_SCORE_UNKNOWN = -1,
    REP_SCORE_MAXIMUM = 100,
    /* A prefix that is too short to block counts at most this much, whatever Redis says. */
    REP_SHORT_PREFIX_SCORE = 50,
    /* E.164: the longest number that is kept by number; longer ones are no numbers. */
    REP_DIGITS_MAXIMUM = 15,
    REP_RAW_MAXIMUM = 128, /* bytes of a raw text */
};

struct rep_entry {
    uint64_t expires_s; /* wall seconds after which it is gone; 0: never */
    int8_t score;       /* 0..100, or REP_SCORE_UNKNOWN */
    uint8_t list;       /* enum rep_list */
    uint8_t type;       /* scam type: an id of the types' rep_names, 0: none */
    uint8_t source;     /* an id of the sources' rep_names, 0: none */
};

struct rep_finding {
    struct rep_entry entry; /* score unknown and list none when match is REP_MATCH_NONE */
    uint8_t match;          /* enum rep_match */
    uint8_t prefix_length;  /* digits of the prefix that matched, else 0 */
    bool limited;           /* a prefix too short to block: list or score was reduced */
};

/* Nothing found. */
static inline struct rep_finding rep_finding_none(void)
{
    return (struct rep_finding){.entry = {.score = REP_SCORE_UNKNOWN}};
}

/* "none", "block", ...; never NULL. */
const char *rep_list_text(unsigned list);
const char *rep_match_text(unsigned match);

/* Empty and "none" give REP_LIST_NONE; -EBADMSG for other words. */
int rep_list_parse(struct slice text, enum rep_list *list) MUST_CHECK;

/*
 * The key of a number or prefix: the decimal value of "1" followed by its digits, so that leading
 * zeros and the length count. False unless 1..REP_DIGITS_MAXIMUM decimal digits (no plus).
 */
static inline bool rep_pack_digits(struct slice digits, uint64_t *packed)
{
    if (digits.length == 0 || digits.length > REP_DIGITS_MAXIMUM)
        return false;
    uint64_t value = 1;
    for (size_t i = 0; i < digits.length; i++) {
        unsigned digit = (unsigned)(unsigned char)digits.data[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *packed = value;
    return true;
}

/* Digits of a packed key into text (at least REP_DIGITS_MAXIMUM + 1 bytes, terminated); returns
 * their count, 0 when the value is no packed key. */
unsigned rep_unpack_digits(uint64_t packed, char *text);

#endif
