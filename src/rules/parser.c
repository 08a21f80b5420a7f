/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "config/report.h"
#include "config/suggest.h"
#include "expression_int.h"
#include "lexer_int.h"

struct parser {
    struct rule_lexer lexer;
    struct arena *arena;
    struct rule_fault *fault;
    unsigned depth;
    int error;
};

/* Functions return NULL once parser->error is set, so callers pass that on and look no further. */
static struct rule_node *parse_or(struct parser *parser);
static struct rule_node *parse_value(struct parser *parser);

static const struct {
    struct slice name;
    enum rule_node_kind kind;
} functions[] = {
    {SLICE_LITERAL("known"), RULE_NODE_KNOWN},
    {SLICE_LITERAL("header"), RULE_NODE_HEADER},
    {SLICE_LITERAL("has_header"), RULE_NODE_HAS_HEADER},
};

static const struct {
    enum rule_token_kind token;
    enum rule_relation relation;
} relations[] = {
#define RELATION_ROW(name, sign, token) {token, name},
    RULE_RELATION_TABLE(RELATION_ROW)
#undef RELATION_ROW
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool at(const struct parser *parser, enum rule_token_kind kind)
{
    return parser->lexer.token.kind == kind;
}

/* Fails unless the lexer did so before; the caller may add what was expected. */
static struct rule_node *fail(struct parser *parser, const char *expected)
{
    const struct rule_lexer *lexer = &parser->lexer;
    parser->error = lexer->no_memory ? -ENOMEM : ERROR_CONFIG;
    if (parser->fault->set)
        return NULL;
    struct conf_quote quote;
    struct slice text = lexer->token.text;
    if (at(parser, RULE_TOKEN_END))
        rule_fault_set(parser->fault, lexer->whole, text,
                       lexer->before.text.data == NULL ? "the condition is empty"
                                                       : "the condition ends too early");
    else if (text.data[0] == '"')
        rule_fault_set(parser->fault, lexer->whole, text, "this text does not belong here");
    else
        rule_fault_set(parser->fault, lexer->whole, text, "%s does not belong here",
                       conf_quote(&quote, text));
    rule_fault_expect(parser->fault, "%s", expected);
    return NULL;
}

static bool take(struct parser *parser, enum rule_token_kind kind)
{
    if (!at(parser, kind))
        return false;
    rule_lexer_next(&parser->lexer);
    return true;
}

static bool expect(struct parser *parser, enum rule_token_kind kind, const char *expected)
{
    if (take(parser, kind))
        return true;
    (void)fail(parser, expected);
    return false;
}

static struct rule_node *node_new(struct parser *parser, enum rule_node_kind kind,
                                  struct slice start)
{
    struct rule_node *node = arena_zalloc(parser->arena, sizeof(*node));
    if (node == NULL) {
        parser->error = -ENOMEM;
        return NULL;
    }
    node->kind = kind;
    node->text = start;
    return node;
}

/* Stretches the node's text to the end of the token that was taken last. */
static struct rule_node *close_node(struct parser *parser, struct rule_node *node)
{
    struct slice last = parser->lexer.before.text;
    node->text.length = (size_t)(last.data + last.length - node->text.data);
    return node;
}

static void adopt(struct rule_node *parent, struct rule_node *child)
{
    struct rule_node **link = &parent->first;
    while (*link != NULL)
        link = &(*link)->next;
    *link = child;
    parent->count++;
}

/* The number of children is bounded by the text's length, but a walk per child would be quadratic
 * in it; long chains pass the link where the next one goes. */
static struct rule_node **append(struct rule_node *parent, struct rule_node **link,
                                 struct rule_node *child)
{
    *link = child;
    parent->count++;
    return &child->next;
}

static bool enter(struct parser *parser)
{
    if (parser->depth < RULE_NESTING_MAX) {
        parser->depth++;
        return true;
    }
    parser->error = ERROR_CONFIG;
    rule_fault_set(parser->fault, parser->lexer.whole, parser->lexer.token.text,
                   "the condition is nested more than %d deep", RULE_NESTING_MAX);
    rule_fault_hint(parser->fault, "split it into several rules");
    return false;
}

static struct rule_node *parse_literal(struct parser *parser)
{
    struct rule_node *node = node_new(parser, RULE_NODE_VALUE, parser->lexer.token.text);
    if (node == NULL)
        return NULL;
    node->value = parser->lexer.token.value;
    rule_lexer_next(&parser->lexer);
    return node;
}

static bool parse_header_name(struct parser *parser, struct rule_node *node)
{
    const struct rule_token *token = &parser->lexer.token;
    if (!at(parser, RULE_TOKEN_VALUE) || token->value.type != RULE_TEXT ||
        token->value.text.length == 0) {
        (void)fail(parser, "a header's name in double quotes: header(\"User-Agent\")");
        return false;
    }
    node->value = token->value;
    rule_lexer_next(&parser->lexer);
    return true;
}

static struct rule_node *parse_arguments(struct parser *parser, struct slice name,
                                         enum rule_node_kind kind)
{
    struct rule_node *node = node_new(parser, kind, name);
    if (node == NULL || !enter(parser))
        return NULL;
    if (kind == RULE_NODE_KNOWN) {
        struct rule_node *argument = parse_or(parser);
        if (argument == NULL)
            return NULL;
        adopt(node, argument);
    } else if (!parse_header_name(parser, node)) {
        return NULL;
    }
    parser->depth--;
    if (!expect(parser, RULE_TOKEN_CLOSE, "a closing parenthesis"))
        return NULL;
    return close_node(parser, node);
}

static struct rule_node *parse_name(struct parser *parser)
{
    struct slice name = parser->lexer.token.text;
    rule_lexer_next(&parser->lexer);
    if (!take(parser, RULE_TOKEN_OPEN))
        return node_new(parser, RULE_NODE_NAME, name);

    struct conf_suggestion suggestion = conf_suggestion_for(name);
    for (size_t i = 0; i < COUNT(functions); i++) {
        if (slice_equal(functions[i].name, name))
            return parse_arguments(parser, name, functions[i].kind);
        conf_suggestion_offer(&suggestion, functions[i].name);
    }
    struct conf_quote quote;
    parser->error = ERROR_CONFIG;
    rule_fault_set(parser->fault, parser->lexer.whole, name, "%s is not a function",
                   conf_quote(&quote, name));
    rule_fault_expect(parser->fault, "known(...), header(\"...\") or has_header(\"...\")");
    if (suggestion.best.data != NULL)
        rule_fault_hint(parser->fault, "did you mean %.*s?", SLICE_ARGS(suggestion.best));
    return NULL;
}

static struct rule_node *parse_term(struct parser *parser)
{
    if (at(parser, RULE_TOKEN_VALUE))
        return parse_literal(parser);
    if (at(parser, RULE_TOKEN_NAME))
        return parse_name(parser);
    if (!take(parser, RULE_TOKEN_OPEN))
        return fail(parser, "a feature, a literal, a function or \"(\"");
    if (!enter(parser))
        return NULL;
    struct rule_node *inner = parse_or(parser);
    if (inner == NULL || !expect(parser, RULE_TOKEN_CLOSE, "a closing parenthesis"))
        return NULL;
    parser->depth--;
    return inner;
}

/* "or" is taken as the beginning of "or else" only here, and as the operator by parse_or(). */
static bool take_or_else(struct parser *parser)
{
    if (!at(parser, RULE_TOKEN_OR))
        return false;
    struct rule_lexer ahead = parser->lexer;
    struct rule_fault ignored = {.set = true};
    ahead.fault = &ignored;
    rule_lexer_next(&ahead);
    if (ahead.token.kind != RULE_TOKEN_ELSE)
        return false;
    rule_lexer_next(&parser->lexer);
    rule_lexer_next(&parser->lexer);
    return true;
}

static struct rule_node *parse_value(struct parser *parser)
{
    struct slice start = parser->lexer.token.text;
    struct rule_node *node = parse_term(parser);
    if (node == NULL || !take_or_else(parser))
        return node;
    struct rule_node *chain = node_new(parser, RULE_NODE_ELSE, start);
    if (chain == NULL)
        return NULL;
    struct rule_node **link = append(chain, &chain->first, node);
    do {
        node = parse_term(parser);
        if (node == NULL)
            return NULL;
        link = append(chain, link, node);
    } while (take_or_else(parser));
    return close_node(parser, chain);
}

/* "[" has been taken. */
static bool parse_values(struct parser *parser, struct rule_node *node)
{
    struct rule_node **link = &node->first->next;
    node->bracketed = true;
    do {
        if (!at(parser, RULE_TOKEN_VALUE)) {
            (void)fail(parser, "a literal; lists in a condition look like [\"a\", \"b\"]");
            return false;
        }
        struct rule_node *value = parse_literal(parser);
        if (value == NULL)
            return false;
        link = append(node, link, value);
    } while (take(parser, RULE_TOKEN_COMMA));
    return expect(parser, RULE_TOKEN_CLOSE_LIST, "a comma or a closing bracket");
}

static struct rule_node *parse_in(struct parser *parser, struct rule_node *node)
{
    rule_lexer_next(&parser->lexer);
    if (take(parser, RULE_TOKEN_OPEN_LIST)) {
        node->kind = RULE_NODE_IN_VALUES;
        return parse_values(parser, node) ? close_node(parser, node) : NULL;
    }
    node->kind = RULE_NODE_IN_LIST;
    node->operand = parser->lexer.token.text;
    if (!expect(parser, RULE_TOKEN_NAME, "the name of a list, or [\"a\", \"b\"]"))
        return NULL;
    return close_node(parser, node);
}

static struct rule_node *parse_part(struct parser *parser, struct rule_node *node)
{
    node->kind = at(parser, RULE_TOKEN_CONTAINS) ? RULE_NODE_CONTAINS : RULE_NODE_STARTS_WITH;
    rule_lexer_next(&parser->lexer);
    if (take(parser, RULE_TOKEN_OPEN_LIST))
        return parse_values(parser, node) ? close_node(parser, node) : NULL;
    struct rule_node *part = parse_value(parser);
    if (part == NULL)
        return NULL;
    adopt(node, part);
    return close_node(parser, node);
}

static struct rule_node *parse_matches(struct parser *parser, struct rule_node *node)
{
    node->kind = RULE_NODE_MATCHES;
    rule_lexer_next(&parser->lexer);
    const struct rule_token *token = &parser->lexer.token;
    bool is_text = at(parser, RULE_TOKEN_VALUE) && token->value.type == RULE_TEXT;
    if (!is_text && !at(parser, RULE_TOKEN_REGEX))
        return fail(parser, "a regular expression: /.../, /.../i or \"...\"");
    node->value = token->value;
    node->ignore_case = token->ignore_case;
    node->operand = token->text;
    rule_lexer_next(&parser->lexer);
    return close_node(parser, node);
}

static struct rule_node *parse_comparison(struct parser *parser, struct rule_node *node,
                                          enum rule_relation relation)
{
    node->kind = RULE_NODE_COMPARE;
    node->relation = relation;
    rule_lexer_next(&parser->lexer);
    struct rule_node *right = parse_value(parser);
    if (right == NULL)
        return NULL;
    adopt(node, right);
    for (size_t i = 0; i < COUNT(relations); i++) {
        if (at(parser, relations[i].token)) {
            (void)fail(parser, "\"and\", \"or\" or the end");
            rule_fault_hint(parser->fault,
                            "a value between two limits is written: x >= 1 and x < 5");
            return NULL;
        }
    }
    return close_node(parser, node);
}

static bool at_word_operator(const struct rule_token *token)
{
    return token->kind == RULE_TOKEN_IN || token->kind == RULE_TOKEN_STARTS_WITH ||
           token->kind == RULE_TOKEN_CONTAINS || token->kind == RULE_TOKEN_MATCHES;
}

static struct rule_node *parse_operator(struct parser *parser, struct rule_node *node)
{
    if (at(parser, RULE_TOKEN_IN))
        return parse_in(parser, node);
    if (at(parser, RULE_TOKEN_MATCHES))
        return parse_matches(parser, node);
    return parse_part(parser, node);
}

static struct rule_node *parse_test(struct parser *parser)
{
    struct slice start = parser->lexer.token.text;
    struct rule_node *subject = parse_value(parser);
    if (subject == NULL)
        return NULL;
    bool negated = at(parser, RULE_TOKEN_NOT);
    bool found = false;
    enum rule_relation relation = RULE_EQUAL;
    for (size_t i = 0; i < COUNT(relations); i++) {
        if (at(parser, relations[i].token)) {
            relation = relations[i].relation;
            found = true;
        }
    }
    if (!negated && !found && !at_word_operator(&parser->lexer.token))
        return subject;

    struct rule_node *node = node_new(parser, RULE_NODE_COMPARE, start);
    if (node == NULL)
        return NULL;
    adopt(node, subject);
    if (found)
        return parse_comparison(parser, node, relation);
    if (!negated)
        return parse_operator(parser, node);

    rule_lexer_next(&parser->lexer);
    if (!at_word_operator(&parser->lexer.token))
        return fail(parser, "\"in\", \"starts_with\", \"contains\" or \"matches\" behind \"not\"");
    struct rule_node *inverse = node_new(parser, RULE_NODE_NOT, start);
    node = inverse != NULL ? parse_operator(parser, node) : NULL;
    if (node == NULL)
        return NULL;
    adopt(inverse, node);
    return close_node(parser, inverse);
}

static struct rule_node *parse_not(struct parser *parser)
{
    struct slice start = parser->lexer.token.text;
    if (!take(parser, RULE_TOKEN_NOT))
        return parse_test(parser);
    struct rule_node *node = node_new(parser, RULE_NODE_NOT, start);
    if (node == NULL || !enter(parser))
        return NULL;
    struct rule_node *inner = parse_not(parser);
    if (inner == NULL)
        return NULL;
    parser->depth--;
    adopt(node, inner);
    return close_node(parser, node);
}

/* One level of operators without order among themselves. */
static struct rule_node *parse_chain(struct parser *parser, enum rule_token_kind token,
                                     enum rule_node_kind kind,
                                     struct rule_node *(*parse_part_of)(struct parser *))
{
    struct slice start = parser->lexer.token.text;
    struct rule_node *node = parse_part_of(parser);
    if (node == NULL || !at(parser, token))
        return node;
    struct rule_node *chain = node_new(parser, kind, start);
    if (chain == NULL)
        return NULL;
    struct rule_node **link = append(chain, &chain->first, node);
    while (take(parser, token)) {
        node = parse_part_of(parser);
        if (node == NULL)
            return NULL;
        link = append(chain, link, node);
    }
    return close_node(parser, chain);
}

static struct rule_node *parse_and(struct parser *parser)
{
    return parse_chain(parser, RULE_TOKEN_AND, RULE_NODE_AND, parse_not);
}

static struct rule_node *parse_or(struct parser *parser)
{
    return parse_chain(parser, RULE_TOKEN_OR, RULE_NODE_OR, parse_and);
}

int rule_expression_parse(struct slice text, struct arena *arena, struct rule_fault *fault,
                          struct rule_node **root)
{
    struct parser parser = {.arena = arena, .fault = fault};
    if (text.length > RULE_EXPRESSION_MAX) {
        rule_fault_set(fault, text, slice_first(text, 0), "the condition has %zu bytes",
                       text.length);
        rule_fault_expect(fault, "at most %d; put long enumerations into a list",
                          RULE_EXPRESSION_MAX);
        return ERROR_CONFIG;
    }
    rule_lexer_start(&parser.lexer, text, arena, fault);
    struct rule_node *node = parse_or(&parser);
    if (node != NULL && !at(&parser, RULE_TOKEN_END))
        node = fail(&parser, "\"and\", \"or\", an operator or the end");
    if (node == NULL)
        return parser.error;
    *root = node;
    return 0;
}
