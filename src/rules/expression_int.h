/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expression: a condition as a tree, from its text to its types.
 *
 *     or        = and { "or" and }
 *     and       = not { "and" not }
 *     not       = "not" not | test
 *     test      = value [ relation value
 *               | ["not"] "in" ( list-name | "[" literal { "," literal } "]" )
 *               | ["not"] ( "starts_with" | "contains" ) ( value | "[" literal { "," literal } "]"
 * ) | ["not"] "matches" ( /regex/ | "regex" ) ] value     = term { "or" "else" term } term      =
 * literal | feature | function "(" value-or-text ")" | "(" or ")"
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
#include "fault_int.h"
#include "list_int.h"
#include "rules/catalogue.h"
#include "rules/value.h"

enum {
    RULE_EXPRESSION_MAX = 16 * 1024, /* bytes of text */
    RULE_NESTING_MAX = 32            /* parentheses, functions and nots within one another */
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
    RULE_NODE_MATCHES      /* one child; value: the pattern; operand: as written; ignore_case */
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
};

/*
 * Parses the text into nodes from the arena; they point into the text. ERROR_CONFIG with the fault
 * set, or -ENOMEM.
 */
int rule_expression_parse(struct slice text, struct arena *arena, struct rule_fault *fault,
                          struct rule_node **root) MUST_CHECK;

/* What names stand for. */
struct rule_names {
    const struct rule_catalogue *catalogue;
    void *context;
    /* The list of that name, or NULL. */
    const struct rule_list *(*find_list)(void *context, struct slice name);
    /* The list that was probably meant, or an absent slice. */
    struct slice (*suggest_list)(void *context, struct slice name);
};

/*
 * Resolves names and derives every node's type; literals take the type that they stand for.
 * ERROR_CONFIG with the fault set. A warning is set when the condition is valid, but hardly what
 * was meant.
 */
int rule_expression_check(struct rule_node *root, struct slice text, const struct rule_names *names,
                          struct rule_fault *fault, struct rule_fault *warning) MUST_CHECK;

#endif
