/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statement: what one source says about a number, and what several together come to.
 *
 * A key of Redis (or several lines of a CSV file) may hold a statement of each of several sources.
 * The operator says how much each source counts (struct rep_authority); rep_combine() gives the
 * entry that holds at a given time, and when it will be another without anybody changing anything:
 * statements expire by themselves and scores fade. A pure function of its arguments, time included.
 */
#ifndef RINGFENCE_REPUTATION_STATEMENT_H
#define RINGFENCE_REPUTATION_STATEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "reputation/entry.h"
#include "reputation/names.h"
#include "reputation/row.h"

enum {
    REP_SOURCE_ROWS = 16,                      /* sources with terms of their own */
    REP_STATEMENT_LIMIT = 1 + REP_SOURCE_ROWS, /* of one key: theirs and the plain one */
    REP_WEIGHT_MAXIMUM = 100,
};

/* X(name, word, help): how scores become one. Lists are settled by weight in any case. */
#define REP_COMBINE_TABLE(X)                                                          \
    X(REP_COMBINE_HIGHEST, "highest", "the highest score counts")                     \
    X(REP_COMBINE_WEIGHTED, "weighted", "the mean of the scores, each by its weight") \
    X(REP_COMBINE_STRONGEST, "strongest",                                             \
      "the score of the source with the most weight, "                                \
      "of several such the highest")

enum rep_combine {
#define REP_COMBINE_ROW(name, word, help) name,
    REP_COMBINE_TABLE(REP_COMBINE_ROW)
#undef REP_COMBINE_ROW
};

/* X(name, word): what a source may say. */
#define REP_MAY_TABLE(X)      \
    X(REP_MAY_BLOCK, "block") \
    X(REP_MAY_ALLOW, "allow") \
    X(REP_MAY_WATCH, "watch") \
    X(REP_MAY_SCORE, "score")

enum rep_may_bit {
#define REP_MAY_ROW(name, word) name##_BIT,
    REP_MAY_TABLE(REP_MAY_ROW)
#undef REP_MAY_ROW
        REP_MAY_COUNT
};
enum {
#define REP_MAY_ROW(name, word) name = 1 << name##_BIT,
    REP_MAY_TABLE(REP_MAY_ROW)
#undef REP_MAY_ROW
        REP_MAY_ALL = (1 << REP_MAY_COUNT) - 1
};

/* Sets the bit of a word; -EBADMSG for another. */
int rep_may_parse(struct slice word, unsigned *may) MUST_CHECK;

/* A source as the operator configures it. */
struct rep_source_row {
    struct slice name;    /* at most REP_NAME_MAXIMUM bytes */
    unsigned weight;      /* 1..REP_WEIGHT_MAXIMUM */
    uint64_t half_life_s; /* 0: its scores do not fade */
    unsigned may;         /* of REP_MAY_TABLE */
};

/* How much a source's statements count. */
struct rep_terms {
    uint64_t half_life_s;
    uint8_t weight;
    uint8_t may;
};

/* The configured sources, by the ids of the sources' rep_names. Those that are not configured have
 * weight 1, may say everything and do not fade. */
struct rep_authority {
    enum rep_combine combine;
    unsigned count;
    struct slice name[REP_SOURCE_ROWS]; /* their texts are those of rep_names */
    uint8_t id[REP_SOURCE_ROWS];
    struct rep_terms terms[REP_SOURCE_LIMIT + 1];
};

/* Interns the names; at most REP_SOURCE_ROWS rows. The names must outlive it. */
void rep_authority_init(struct rep_authority *authority, enum rep_combine combine,
                        const struct rep_source_row *rows, size_t count, struct rep_names *sources);

/* One source's word about a number. */
struct rep_statement {
    uint32_t since_s;   /* wall seconds; 0: not stated, then its score does not fade */
    uint32_t expires_s; /* 0: never */
    int8_t score;       /* REP_SCORE_UNKNOWN: none */
    uint8_t list, type, source;
};

struct rep_statements {
    uint64_t expires_s; /* of all together: the key's own expiry; 0: never */
    unsigned count;
    struct rep_statement item[REP_STATEMENT_LIMIT];
};

/* What statements come to at some time. */
struct rep_value {
    struct rep_entry entry;
    uint64_t changes_s;         /* when entry is to be made anew, before it expires; 0: never */
    struct rep_statements said; /* where changes_s != 0; else its count is 0 */
};

/* False when nothing of it counts (any more). */
bool rep_combine(const struct rep_authority *authority, const struct rep_statements *said,
                 uint64_t now_wall_s, struct rep_value *value);

/* An entry that only expires. */
static inline struct rep_value rep_value_of(const struct rep_entry *entry)
{
    return (struct rep_value){.entry = *entry};
}

/* Whether two say the same, the expiry of the whole apart by tolerance_s at most. */
bool rep_statements_equal(const struct rep_statements *a, const struct rep_statements *b,
                          uint64_t tolerance_s);

/* ---- as text ------------------------------------------------------------------------------- */

/* The words of a part: "score=95;list=block;type=fake-bank;case=4711". X(name, word) */
#define REP_PART_TABLE(X)          \
    X(REP_PART_SCORE, "score")     \
    X(REP_PART_LIST, "list")       \
    X(REP_PART_TYPE, "type")       \
    X(REP_PART_SINCE, "since")     \
    X(REP_PART_EXPIRES, "expires") \
    X(REP_PART_CASE, "case")       \
    X(REP_PART_NOTE, "note")

enum rep_part_word {
#define REP_PART_ROW(name, word) name,
    REP_PART_TABLE(REP_PART_ROW)
#undef REP_PART_ROW
        REP_PART_COUNT
};
const char *rep_part_word(unsigned word);

/* Cuts a part into its values, which point into it; words that are not known are passed over, of
 * one that stands twice the later counts. */
void rep_part_split(struct slice text, struct slice value[REP_PART_COUNT]);

/* The values as one text, without those that are empty. */
void rep_part_join(struct buffer *buffer, const struct slice value[REP_PART_COUNT]);

/* The values of a statement; -EBADMSG with the reason. Source is left alone. */
int rep_statement_read(const struct slice value[REP_PART_COUNT], struct rep_names *types,
                       struct rep_statement *statement, enum rep_skip *reason) MUST_CHECK;

#endif
