/* SPDX-License-Identifier: Apache-2.0 */
/*
 * predicate: what compiled conditions have in common.
 *
 * A condition is a conjunction of predicates: the operands of its outermost `and`, or itself. The
 * same code in several conditions is one predicate, evaluated once in a call. Conjunction loses
 * nothing: a rule is false as soon as one predicate is, and one that comes out unknown has had
 * every predicate evaluated, in whatever order, so it names the same unknown inputs.
 *
 * A key is a property that a value must have, or else the predicate is known to be false.
 */
#ifndef RINGFENCE_RULES_PREDICATE_INT_H
#define RINGFENCE_RULES_PREDICATE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "program_int.h"
#include "vector_int.h"

enum {
    RULE_NO_MEMO = UINT16_MAX,
    RULE_MEMO_MAX = 16 * 1024, /* results that a call remembers; further predicates run each time */
    RULE_MEMO_FEATURES = 6,    /* unknown features that one remembered result names */
    RULE_PREFIX_MAX = 63,      /* bytes of a prefix that count as key */
    RULE_GRAM_MAX = 4          /* bytes of a part that count as key */
};

/* Where a value comes from: a feature, or RULE_FEATURE_MAX + the number of a header. */
typedef uint16_t rule_source_id;

enum rule_key_kind {
    RULE_KEY_EQUAL,    /* hash: of the whole value; length: of a text, at most UINT8_MAX */
    RULE_KEY_PREFIX,   /* hash: of the first `length` bytes */
    RULE_KEY_GRAM,     /* hash: of some `length` bytes in a row */
    RULE_KEY_AT_LEAST, /* bound: by rule_key_order() */
    RULE_KEY_AT_MOST,
    RULE_KEY_LIST /* list: that the value is in */
};

struct rule_key {
    uint8_t kind; /* enum rule_key_kind */
    uint8_t length;
    rule_source_id source;
    union {
        uint64_t hash;
        int64_t bound;
        const struct rule_list *list;
    };
};

/* The commonest predicates are run without the stack machine. */
enum rule_predicate_shape {
    RULE_SHAPE_CODE,    /* anything */
    RULE_SHAPE_FLAG,    /* a feature */
    RULE_SHAPE_NO_FLAG, /* not a feature */
    RULE_SHAPE_COMPARE  /* a feature, a constant and their relation */
};

struct rule_predicate {
    struct rule_span span;
    uint32_t uses;         /* conditions that it stands in */
    uint32_t first_key;    /* the value has one of these keys, or the predicate is false */
    uint32_t key_count;    /* 0: nothing can be told from a value */
    uint16_t memo;         /* RULE_NO_MEMO: not remembered */
    uint16_t pass;         /* of 1000 calls, so many are guessed to have a key */
    uint8_t cost;          /* of a run, for the order in a condition */
    uint8_t shape;         /* enum rule_predicate_shape */
    bool is_exact;         /* having its only key makes it true */
    bool is_plain;         /* unknown exactly when `source` is, and marks nothing else */
    rule_source_id source; /* of is_plain */
};

/* The predicates of one rule: numbers from rule_predicates.conjuncts. */
struct rule_conjuncts {
    uint32_t first;
    uint32_t count;
};

struct rule_predicates {
    struct rule_vector items;     /* of struct rule_predicate */
    struct rule_vector keys;      /* of struct rule_key */
    struct rule_vector conjuncts; /* of uint32_t */
    struct rule_vector rules;     /* of struct rule_conjuncts */
    struct rule_vector headers;   /* of struct slice: names, of the program's constants */
    uint32_t *slots;              /* 1 + number of the item, by hash; only while it is built */
    size_t slot_count;
};

void rule_predicates_init(struct rule_predicates *predicates);
void rule_predicates_clear(struct rule_predicates *predicates);

/* Takes the next rule's condition apart; an empty span stands for a rule that has none. -ENOMEM. */
int rule_predicates_add(struct rule_predicates *predicates, const struct rule_program *program,
                        const struct rule_catalogue *catalogue, struct rule_span span) MUST_CHECK;

/* After the last one: who is remembered, and in what order conditions are run. */
void rule_predicates_finish(struct rule_predicates *predicates);

/* ---- keys of values -------------------------------------------------------------------------- */

#define RULE_KEY_SEED UINT64_C(0xcbf29ce484222325)

/* FNV-1a, byte by byte, so that one pass over a text gives the hash of each of its prefixes. Only
 * the operator chooses what is in the tables, so the hash needs no secret. */
static inline uint64_t rule_key_step(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * UINT64_C(0x100000001b3);
}

static inline uint64_t rule_key_text(struct slice text)
{
    uint64_t hash = RULE_KEY_SEED;
    for (size_t i = 0; i < text.length; i++)
        hash = rule_key_step(hash, text.data[i]);
    return hash;
}

/* 1..RULE_GRAM_MAX bytes as they lie in memory. */
static inline uint64_t rule_key_gram(const char *bytes, unsigned length)
{
    uint32_t word = 0;
    memcpy(&word, bytes, length);
    return (word + (uint64_t)length) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline bool rule_source_is_header(rule_source_id source)
{
    return source >= RULE_FEATURE_MAX;
}

/* Values of ordered types and flags as integers of the same order. */
int64_t rule_key_order(const struct rule_value *value);

static inline bool rule_type_is_textual(enum rule_type type)
{
    return type == RULE_TEXT || type == RULE_NUMBER;
}

#endif
