/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index: which rules of a set may fire, or be unknown, for a call.
 *
 * A tree of nodes. In a node every rule is found by one of its predicates: by a key of a feature's
 * value in a hash table, by a threshold in a sorted array, or by a test that is asked once for all
 * its rules. Where many rules share a key, the next node tells them apart by another predicate.
 * What the tree does not lead to has a predicate that is known to be false, so it is false.
 *
 * A feature that is unknown leads to a node of its own with all rules that it would have decided:
 * there the other predicates still tell which of them are false. Rules whose predicates are all
 * known to be true or unknown by then are unknown for sure; they are counted without being
 * evaluated.
 */
#ifndef RINGFENCE_RULES_INDEX_INT_H
#define RINGFENCE_RULES_INDEX_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "predicate_int.h"
#include "program_int.h"
#include "rules/evaluate.h"
#include "vector_int.h"

struct rule_set;

enum {
    RULE_FILTER_WORDS = 64, /* of the filter for grams */
    /* Three levels of 64 bits: a set with more rules is evaluated rule by rule. */
    RULE_INDEXED_MAX = 64 * 64 * 64
};

/* Where a key leads: nowhere, to one rule, or to a node. */
typedef uint32_t rule_branch;
#define RULE_BRANCH_NONE        UINT32_MAX
#define RULE_BRANCH_RULE(rule)  ((rule_branch)(rule) << 1 | 1)
#define RULE_BRANCH_NODE(index) ((rule_branch)(index) << 1)

/* A run of items in one of the arrays below. */
struct rule_run {
    uint32_t first;
    uint32_t count;
};

struct rule_index_node {
    struct rule_run rules;       /* in postings: to be evaluated whatever the values */
    struct rule_run sure;        /* in postings: unknown for sure, ascending */
    struct rule_run sure_inputs; /* in inputs: the sources that they are unknown for */
    struct rule_run groups;
    struct rule_run tests;
};

/* Rules that are found by the value of one feature or header. */
struct rule_index_group {
    rule_source_id source;
    uint8_t type;          /* enum rule_type */
    uint8_t gram_lengths;  /* bit n: some key is a gram of n bytes */
    uint32_t equal_length; /* bytes of the longest text that is looked for */
    uint64_t lengths;      /* bit n: some key is a prefix of n bytes */
    uint64_t seed;         /* sets its keys apart from those of other groups */
    uint32_t filter;       /* in filters, when gram_lengths is not 0 */
    bool has_equal;
    struct rule_run lists;
    struct rule_run at_least; /* in bounds, ascending */
    struct rule_run at_most;  /* in bounds, descending */
    rule_branch unknown;
};

struct rule_index_bound {
    int64_t bound;
    uint32_t rule;
};

struct rule_index_list {
    const struct rule_list *list;
    rule_branch branch;
};

/* Rules that are found by a predicate's result. */
struct rule_index_test {
    uint32_t predicate;
    rule_branch when_true;
    rule_branch unknown;
};

struct rule_index_slot {
    uint64_t hash; /* 0: empty */
    rule_branch branch;
};

struct rule_index {
    struct rule_predicates predicates;
    rule_branch root;
    struct rule_vector nodes;    /* of struct rule_index_node */
    struct rule_vector groups;   /* of struct rule_index_group */
    struct rule_vector lists;    /* of struct rule_index_list */
    struct rule_vector tests;    /* of struct rule_index_test */
    struct rule_vector bounds;   /* of struct rule_index_bound */
    struct rule_vector postings; /* of uint32_t: rules */
    struct rule_vector inputs;   /* of rule_source_id */
    struct rule_vector filters;  /* of uint64_t, RULE_FILTER_WORDS to a group */
    struct rule_vector keys;     /* of struct rule_index_slot: filled while it is built */
    struct rule_index_slot *slots;
    uint64_t slot_mask;
};

/* The hash of a key in the table; never 0. */
static inline uint64_t rule_index_hash(uint64_t seed, enum rule_key_kind kind, uint64_t key)
{
    uint64_t hash = (key ^ seed ^ (uint64_t)kind) * UINT64_C(0xd6e8feb86659fd93);
    hash ^= hash >> 32;
    return hash != 0 ? hash : 1;
}

/* Of a set that is otherwise complete. */
int rule_index_create(const struct rule_set *set, struct rule_index **index) MUST_CHECK;
/* NULL is allowed. */
void rule_index_destroy(struct rule_index *index);

/* The rules to be evaluated for a call, a bit each. Empty between evaluations. */
struct rule_candidates {
    uint64_t top;
    uint64_t middle[64];
    uint64_t bits[64 * 64];
};

static inline void rule_candidates_add(struct rule_candidates *candidates, uint32_t rule)
{
    candidates->bits[rule >> 6] |= UINT64_C(1) << (rule & 63);
    candidates->middle[rule >> 12] |= UINT64_C(1) << (rule >> 6 & 63);
    candidates->top |= UINT64_C(1) << (rule >> 12);
}

/* The first one, which is taken out; false when there is none left. */
static inline bool rule_candidates_take(struct rule_candidates *candidates, uint32_t *rule)
{
    if (candidates->top == 0)
        return false;
    unsigned high = (unsigned)__builtin_ctzll(candidates->top);
    uint64_t *middle = &candidates->middle[high];
    unsigned word = high * 64 + (unsigned)__builtin_ctzll(*middle);
    uint64_t *bits = &candidates->bits[word];
    *rule = word * 64 + (unsigned)__builtin_ctzll(*bits);
    *bits &= *bits - 1;
    if (*bits == 0)
        *middle &= *middle - 1;
    if (*middle == 0)
        candidates->top &= candidates->top - 1;
    return true;
}

/* A predicate's result, remembered for the rest of the call. */
struct rule_memo {
    uint32_t epoch; /* of the call that it belongs to */
    uint8_t result; /* enum rule_result */
    bool marks_header;
    uint8_t mark_count;
    uint8_t marks[RULE_MEMO_FEATURES]; /* the unknown features that it met */
};

/* What an evaluation of an indexed set looks at. */
struct rule_search {
    const struct rule_set *set;
    const struct rule_index *index;
    const struct rule_inputs *inputs;
    struct rule_scratch *scratch;
    struct rule_outcome *outcome;
    uint32_t sure_count;
    uint32_t sure[RULE_UNKNOWN_MAX]; /* the first rules that are unknown for sure, ascending */
};

/* Begins a search; the results of the last call are forgotten. */
void rule_index_start(struct rule_search *search, const struct rule_set *set,
                      const struct rule_inputs *inputs, struct rule_scratch *scratch,
                      struct rule_outcome *outcome);

/*
 * Fills scratch->candidates with every rule that may be true or unknown, except for those that are
 * unknown for sure: they and their unknown inputs are added to the outcome, and the first of them
 * are put into `sure`.
 */
void rule_index_search(struct rule_search *search);

/* Adds more rules; the first RULE_UNKNOWN_MAX of all stay. Both are ascending. */
void rule_index_merge(uint32_t *rules, uint32_t *count, const uint32_t *more, uint32_t more_count);

/* Evaluates a rule by its predicates; the marks of an unknown one are left in the scratch. */
enum rule_result rule_index_run(struct rule_search *search, uint32_t rule);

#endif
