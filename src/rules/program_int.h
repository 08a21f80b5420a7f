/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program: compiled conditions, a stack machine over three-valued values.
 *
 * Every condition is a run of operations in one flat array; it leaves one flag on the stack.
 */
#ifndef RINGFENCE_RULES_PROGRAM_INT_H
#define RINGFENCE_RULES_PROGRAM_INT_H

#include <math.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "expression_int.h"
#include "list_int.h"
#include "regex_int.h"
#include "rules/evaluate.h"
#include "rules/value.h"
#include "vector_int.h"

/*
 * X(name, function, pops). `pops` values are taken, and one is put, except where a comment says
 * otherwise. `a` and `b` are the operation's operands; constants are numbered.
 */
#define RULE_OPERATION_TABLE(X)                                                      \
    X(RULE_DO_FEATURE, do_feature, 0)       /* a: feature, b: its type */            \
    X(RULE_DO_VALUE, do_value, 0)           /* b: constant */                        \
    X(RULE_DO_HEADER, do_header, 0)         /* b: constant with the name */          \
    X(RULE_DO_HAS_HEADER, do_has_header, 0) /* the same */                           \
    X(RULE_DO_KNOWN, do_known, 1)                                                    \
    X(RULE_DO_NOT, do_not, 1)                                                        \
    X(RULE_DO_AND, do_and, 2)                                                        \
    X(RULE_DO_OR, do_or, 2)                                                          \
    X(RULE_DO_IF_FALSE, do_if_false, 1) /* false: go on at b; the value stays */     \
    X(RULE_DO_IF_TRUE, do_if_true, 1)   /* true: go on at b; the value stays */      \
    X(RULE_DO_IF_KNOWN, do_if_known, 1) /* known: go on at b, else drop the value */ \
    X(RULE_DO_COMPARE, do_compare, 2)   /* a: relation */                            \
    X(RULE_DO_ANY_OF, do_any_of, 1)     /* a constants from b on */                  \
    X(RULE_DO_IN_LIST, do_in_list, 1)   /* b: list */                                \
    X(RULE_DO_STARTS_WITH, do_starts_with, 2)                                        \
    X(RULE_DO_STARTS_WITH_ANY, do_starts_with_any, 1) /* a constants from b on */    \
    X(RULE_DO_CONTAINS, do_contains, 2)                                              \
    X(RULE_DO_CONTAINS_ANY, do_contains_any, 1) /* a constants from b on */          \
    X(RULE_DO_MATCHES, do_matches, 1)           /* b: regular expression */          \
    X(RULE_DO_ARITHMETIC, do_arithmetic, 2)     /* a: row of rule_arithmetic_do() */ \
    X(RULE_DO_LOOKUP, do_lookup, 1)             /* b: table */                       \
    X(RULE_DO_IN_NETWORKS, do_in_networks, 1)   /* b: networks */

enum rule_operation_code {
#define RULE_OPERATION_ROW(name, function, pops) name,
    RULE_OPERATION_TABLE(RULE_OPERATION_ROW)
#undef RULE_OPERATION_ROW
};

struct rule_operation {
    uint16_t code; /* enum rule_operation_code */
    uint16_t a;
    uint32_t b;
};

/* What all conditions of a set share. Grows while it is built, then is read only. */
struct rule_program {
    struct rule_vector operations;         /* of struct rule_operation */
    struct rule_vector constants;          /* of struct rule_value */
    struct rule_vector lists;              /* of const struct rule_list *; not owned */
    struct rule_vector regexes;            /* of struct rule_regex *; owned */
    struct hash_table *patterns;           /* of what stands in regexes; NULL: nothing does */
    struct rule_vector tables;             /* of const struct rule_table *; not owned */
    struct rule_vector networks;           /* of const struct rule_networks *; not owned */
    uint64_t features[RULE_FEATURE_WORDS]; /* those that a condition names */
};

/* One condition in it. */
struct rule_span {
    uint32_t first;
    uint32_t past;
};

/* The depth of a tree is limited, and no level of it keeps more than one value waiting; a rule adds
 * a few levels around the conditions that it is made of. */
enum { RULE_STACK_MAX = RULE_DEPTH_MAX + 8 };

void rule_program_init(struct rule_program *program);
void rule_program_clear(struct rule_program *program);

/* Adds a checked tree. Texts of constants are copied into the arena, which must live as long as the
 * program. -ENOMEM is the only failure. */
int rule_program_add(struct rule_program *program, const struct rule_node *root,
                     struct arena *arena, struct rule_span *span) MUST_CHECK;

/* A regular expression of it as it was written. Cold. */
struct slice rule_program_pattern(const struct rule_program *program, size_t regex);

/* Whether both runs of operations do the same; they may be of one program only. */
bool rule_program_same(const struct rule_program *program, struct rule_span a, struct rule_span b);

struct rule_candidates;
struct rule_memo;

/* Working memory; the counts and marks are of one run or several, as the caller resets them. */
struct rule_scratch {
    struct rule_value stack[RULE_STACK_MAX];
    struct rule_matcher *matcher;
    struct rule_candidates *candidates; /* empty between evaluations */
    struct rule_memo *memos;            /* RULE_MEMO_MAX; those of `epoch` are of this evaluation */
    uint32_t epoch;
    int64_t now_us;                                /* wall time, for entries of lists that expire */
    uint64_t unknown_features[RULE_FEATURE_WORDS]; /* met unknown */
    bool unknown_header;
    uint32_t regex_too_long;
    uint32_t regex_limited;
    uint32_t regex_skipped;
};

/* The value of a tree that is no condition; it stands until the scratch runs again. */
const struct rule_value *rule_program_value(const struct rule_program *program,
                                            struct rule_span span, const struct rule_inputs *inputs,
                                            struct rule_scratch *scratch);

/* Whether both are equal; they are known, and of comparable types. */
bool rule_values_equal(const struct rule_value *a, const struct rule_value *b);
/* -1, 0 or 1. Both are known and of one type that has an order. */
int rule_values_order(const struct rule_value *a, const struct rule_value *b);

/* Not a number is not a value: it would be equal to everything in a three-way comparison. */
static inline bool rule_value_is_usable(const struct rule_value *value)
{
    return value != NULL && value->known && (value->type != RULE_RATIO || !isnan(value->ratio));
}

/* Whether the relation (enum rule_relation) holds between known values of comparable types. */
bool rule_values_compare(unsigned relation, const struct rule_value *a, const struct rule_value *b);

enum rule_result rule_program_run(const struct rule_program *program, struct rule_span span,
                                  const struct rule_inputs *inputs, struct rule_scratch *scratch);

#endif
