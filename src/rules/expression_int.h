/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expression: a condition as a tree, from its text to its types.
 *
 *     or         = and { "or" and }
 *     and        = not { "and" not }
 *     not        = "not" not | test
 *     test       = ( value | quantified ) [ relation value | [ "not" ] word-test ]
 *     word-test  = "in" ( list-name | literals )
 *                | ( "starts_with" | "contains" ) ( value | literals )
 *                | "matches" ( /regex/ | "regex" )
 *     quantified = ( "any" | "all" ) "(" value { "," value } ")"
 *     value      = product { ( "+" | "-" ) product }
 *     product    = operand { ( "*" | "/" ) operand }
 *     operand    = term { "or" "else" term }
 *     term       = literal | feature | condition | function | "(" or ")"
 *     function   = "known" "(" or ")" | "lookup" "(" value "," table ")"
 *                | ( "header" | "has_header" ) "(" text ")"
 *     literals   = "[" literal { "," literal } "]"
 *
 * A quantified test is the "or" (any) or "and" (all) of the same test of each value, and the name
 * of a condition stands for a copy of it: later stages know neither. The copies of a condition
 * point into its own text.
 *
 * Chains of and, or, else and lists are children of one node, so depth grows by nesting only.
 */
#ifndef RINGFENCE_RULES_EXPRESSION_INT_H
#define RINGFENCE_RULES_EXPRESSION_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "arithmetic_int.h"
#include "fault_int.h"
#include "list_int.h"
#include "network_int.h"
#include "table_int.h"
#include "rules/catalogue.h"
#include "rules/value.h"

enum {
    RULE_EXPRESSION_MAX = 16 * 1024, /* bytes of text */
    RULE_NESTING_MAX = 32,           /* parentheses, functions and nots within one another */
    RULE_CHAIN_MAX = 32,             /* signs of arithmetic in a row */
    RULE_NODES_MAX = 16 * 1024,      /* of one tree, copies included */
    RULE_DEPTH_MAX = 192             /* levels of one tree, copies included */
};

enum rule_node_kind {
    RULE_NODE_VALUE,       /* value */
    RULE_NODE_NAME,        /* text; becomes RULE_NODE_FEATURE */
    RULE_NODE_FEATURE,     /* feature */
    RULE_NODE_HEADER,      /* value: the header's name */
    RULE_NODE_HAS_HEADER,  /* the same */
    RULE_NODE_KNOWN,       /* one child */
    RULE_NODE_ELSE,        /* children: the first that is known */
    RULE_NODE_NOT,         /* one child */
    RULE_NODE_AND,         /* children */
    RULE_NODE_OR,          /* children */
    RULE_NODE_COMPARE,     /* two children, relation */
    RULE_NODE_IN_LIST,     /* one child; operand: the list's name; then list */
    RULE_NODE_IN_VALUES,   /* children: subject, then values */
    RULE_NODE_STARTS_WITH, /* the same */
    RULE_NODE_CONTAINS,    /* the same */
    RULE_NODE_MATCHES,     /* one child; value: the pattern; operand: as written; ignore_case */
    RULE_NODE_ARITHMETIC,  /* two children, sign; then arithmetic */
    RULE_NODE_LOOKUP,      /* one child; operand: the table's name; then table */
    RULE_NODE_IN_NETWORKS  /* one child; what an "in" of an address becomes; networks */
};

/* X(name, sign, token) */
#define RULE_RELATION_TABLE(X)                    \
    X(RULE_EQUAL, "==", RULE_TOKEN_EQUAL)         \
    X(RULE_DIFFERENT, "!=", RULE_TOKEN_DIFFERENT) \
    X(RULE_LESS, "<", RULE_TOKEN_LESS)            \
    X(RULE_AT_MOST, "<=", RULE_TOKEN_AT_MOST)     \
    X(RULE_MORE, ">", RULE_TOKEN_MORE)            \
    X(RULE_AT_LEAST, ">=", RULE_TOKEN_AT_LEAST)

enum rule_relation {
#define RULE_RELATION_ROW(name, sign, token) name,
    RULE_RELATION_TABLE(RULE_RELATION_ROW)
#undef RULE_RELATION_ROW
};

struct rule_node {
    enum rule_node_kind kind;
    enum rule_type type; /* of its result, once checked */
    struct slice text;   /* as written, within the condition */
    struct rule_node *first;
    struct rule_node *next;
    uint32_t count; /* children */
    enum rule_relation relation;
    bool ignore_case;
    bool bracketed; /* its values stand in [ ] */
    uint16_t feature;
    struct rule_value value;
    struct slice operand; /* within the condition */
    const struct rule_list *list;
    enum rule_sign sign;
    uint16_t arithmetic; /* see rule_arithmetic_find() */
    const struct rule_table *table;
    const struct rule_networks *networks;
};

/* Levels that one tree has, the root included. */
unsigned rule_node_depth(const struct rule_node *node);

/*
 * A copy of the tree, where `from` (NULL: nothing) and what is below it is replaced by `to`, which
 * is not copied. *budget goes down by one for each node copied. NULL when memory or the budget (it
 * is 0 then) is used up.
 */
struct rule_node *rule_node_copy(const struct rule_node *node, const struct rule_node *from,
                                 struct rule_node *to, struct arena *arena, size_t *budget);

/*
 * Parses the text into nodes from the arena; they point into the text. ERROR_CONFIG with the fault
 * set, or -ENOMEM.
 */
int rule_expression_parse(struct slice text, struct arena *arena, struct rule_fault *fault,
                          struct rule_node **root) MUST_CHECK;

/* What is wrong with how conditions name one another. */
struct rule_circle {
    char text[256];
};

/* What names stand for. */
struct rule_names {
    const struct rule_catalogue *catalogue;
    void *context;
    /* The list of that name, or NULL. */
    const struct rule_list *(*find_list)(void *context, struct slice name);
    /* The list that was probably meant, or an absent slice. */
    struct slice (*suggest_list)(void *context, struct slice name);
    /* The networks of the list, NULL when it has none. */
    const struct rule_networks *(*find_networks)(void *context, struct slice list);
    /* The table of that name, or NULL. */
    const struct rule_table *(*find_table)(void *context, struct slice name);
    struct slice (*suggest_table)(void *context, struct slice name);
    /*
     * The checked tree of a condition. ERROR_NOT_FOUND; ERROR_CONFIG when it is wrong itself, which
     * the report says; ERROR_LIMIT when it leads back to itself, or too far, as *circle says;
     * -ENOMEM.
     */
    int (*find_condition)(void *context, struct slice name, const struct rule_node **root,
                          struct rule_circle *circle);
    struct slice (*suggest_condition)(void *context, struct slice name);
    struct arena *nodes; /* for copies, as long as the tree */
    struct arena *kept;  /* for networks, as long as the set */
};

/*
 * Resolves names and derives every node's type; literals take the type that they stand for.
 * ERROR_CONFIG with the fault set, or without it when a condition that it names is to blame, which
 * has been reported; -ENOMEM. A warning is set when the tree is valid, but hardly what was meant.
 */
int rule_value_check(struct rule_node *root, struct slice text, const struct rule_names *names,
                     struct rule_fault *fault, struct rule_fault *warning) MUST_CHECK;
/* The same for a tree that must be true or false. */
int rule_expression_check(struct rule_node *root, struct slice text, const struct rule_names *names,
                          struct rule_fault *fault, struct rule_fault *warning) MUST_CHECK;

/*
 * Finds why a checked condition can never be true, where that can be told. ERROR_CONFIG with the
 * fault set, or 0; the warning is set when it cannot while a list that it needs is empty.
 */
int rule_contradiction_find(const struct rule_node *root, struct slice text,
                            const struct rule_catalogue *catalogue, struct rule_fault *fault,
                            struct rule_fault *warning) MUST_CHECK;

#endif
