/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lexer: a condition's text as tokens, one at a time.
 */
#ifndef RINGFENCE_RULES_LEXER_INT_H
#define RINGFENCE_RULES_LEXER_INT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"
#include "fault_int.h"
#include "rules/value.h"

/* X(name, word): what cannot be the name of a feature, function or list. */
#define RULE_KEYWORD_TABLE(X)                \
    X(RULE_TOKEN_OR, "or")                   \
    X(RULE_TOKEN_AND, "and")                 \
    X(RULE_TOKEN_NOT, "not")                 \
    X(RULE_TOKEN_ELSE, "else")               \
    X(RULE_TOKEN_IN, "in")                   \
    X(RULE_TOKEN_STARTS_WITH, "starts_with") \
    X(RULE_TOKEN_CONTAINS, "contains")       \
    X(RULE_TOKEN_MATCHES, "matches")         \
    X(RULE_TOKEN_TRUE, "true")               \
    X(RULE_TOKEN_FALSE, "false")

/* X(name, sign); a sign that begins like another one stands behind it. */
#define RULE_SIGN_TABLE(X)        \
    X(RULE_TOKEN_EQUAL, "==")     \
    X(RULE_TOKEN_DIFFERENT, "!=") \
    X(RULE_TOKEN_AT_MOST, "<=")   \
    X(RULE_TOKEN_AT_LEAST, ">=")  \
    X(RULE_TOKEN_LESS, "<")       \
    X(RULE_TOKEN_MORE, ">")       \
    X(RULE_TOKEN_OPEN, "(")       \
    X(RULE_TOKEN_CLOSE, ")")      \
    X(RULE_TOKEN_OPEN_LIST, "[")  \
    X(RULE_TOKEN_CLOSE_LIST, "]") \
    X(RULE_TOKEN_COMMA, ",")      \
    X(RULE_TOKEN_PLUS, "+")       \
    X(RULE_TOKEN_MINUS, "-")      \
    X(RULE_TOKEN_TIMES, "*")      \
    X(RULE_TOKEN_DIVIDE, "/")

enum rule_token_kind {
#define RULE_TOKEN_ROW(name, text) name,
    RULE_KEYWORD_TABLE(RULE_TOKEN_ROW) RULE_SIGN_TABLE(RULE_TOKEN_ROW)
#undef RULE_TOKEN_ROW
        RULE_TOKEN_NAME, /* of a feature, function or list */
    RULE_TOKEN_VALUE,    /* a literal; `value` */
    RULE_TOKEN_REGEX,    /* /pattern/, /pattern/i; `value` is the pattern */
    RULE_TOKEN_END,
    RULE_TOKEN_FAULT /* the fault is set */
};

struct rule_token {
    enum rule_token_kind kind;
    struct slice text; /* as written, within the condition; at its end: empty */
    struct rule_value value;
    bool ignore_case;
};

struct rule_lexer {
    struct slice whole;
    struct slice rest;
    struct rule_token token; /* the current one */
    struct rule_token before;
    struct arena *arena; /* for texts with escapes */
    struct rule_fault *fault;
    bool no_memory;
};

/* Places the lexer on the first token. */
void rule_lexer_start(struct rule_lexer *lexer, struct slice text, struct arena *arena,
                      struct rule_fault *fault);
/* A slash begins a regular expression behind `matches`, and divides elsewhere. A minus belongs to
 * the number behind it unless a value stands before it. */
void rule_lexer_next(struct rule_lexer *lexer);

/* What people write at this place who know another language, and what it is here; or NULL. */
const char *rule_lexer_habit(struct slice rest);

/* Whether a list may not be called so. */
bool rule_lexer_is_keyword(struct slice word);

/* Whether the byte may stand in a name; digits, dots and hyphens not at its beginning. */
bool rule_lexer_is_name_byte(char byte);

#endif
