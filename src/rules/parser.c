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
    size_t budget; /* of nodes */
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
    {SLICE_LITERAL("lookup"), RULE_NODE_LOOKUP},
};

/* What a test may be asked of several values. */
static const struct {
    struct slice name;
    enum rule_node_kind kind;
} quantifiers[] = {
    {SLICE_LITERAL("any"), RULE_NODE_OR},
    {SLICE_LITERAL("all"), RULE_NODE_AND},
};

static const struct {
    enum rule_token_kind token;
    enum rule_relation relation;
} relations[] = {
#define RELATION_ROW(name, sign, token) {token, name},
    RULE_RELATION_TABLE(RELATION_ROW)
#undef RELATION_ROW
};

static const struct sign {
    enum rule_token_kind token;
    enum rule_sign sign;
} arithmetic_signs[] = {
#define SIGN_ROW(name, sign, token, verb) {token, name},
    RULE_SIGN_OF_ARITHMETIC_TABLE(SIGN_ROW)
#undef SIGN_ROW
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool at(const struct parser *parser, enum rule_token_kind kind)
{
    return parser->lexer.token.kind == kind;
}

/* Behind a number and a blank, most likely. */
static bool is_unit(struct slice word)
{
    static const struct slice units[] = {
        SLICE_LITERAL("ms"),   SLICE_LITERAL("s"),       SLICE_LITERAL("sec"),
        SLICE_LITERAL("m"),    SLICE_LITERAL("min"),     SLICE_LITERAL("h"),
        SLICE_LITERAL("d"),    SLICE_LITERAL("w"),       SLICE_LITERAL("seconds"),
        SLICE_LITERAL("hour"), SLICE_LITERAL("minutes"), SLICE_LITERAL("hours"),
        SLICE_LITERAL("day"),  SLICE_LITERAL("days"),    SLICE_LITERAL("weeks"),
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (slice_equal(units[i], word))
            return true;
    return false;
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
    if (is_unit(text))
        rule_fault_hint(parser->fault, "a unit is a letter right behind its number: 30d");
    return NULL;
}

/* A sign of arithmetic where a value is due is most likely something else that was not quoted. */
static struct rule_node *fail_by_habit(struct parser *parser)
{
    const struct rule_lexer *lexer = &parser->lexer;
    const char *advice = rule_lexer_habit(lexer->token.text);
    struct conf_quote quote;
    parser->error = ERROR_CONFIG;
    rule_fault_set(parser->fault, lexer->whole, lexer->token.text, "%s has no meaning here",
                   conf_quote(&quote, lexer->token.text));
    if (advice != NULL)
        rule_fault_hint(parser->fault, "%s", advice);
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

static struct rule_node *out_of_nodes(struct parser *parser)
{
    parser->error = -ENOMEM;
    if (parser->budget > 0)
        return NULL;
    parser->error = ERROR_CONFIG;
    rule_fault_set(parser->fault, parser->lexer.whole, parser->lexer.whole,
                   "the condition has more than %d parts", RULE_NODES_MAX);
    rule_fault_hint(parser->fault, "split it into several rules");
    return NULL;
}

static struct rule_node *node_new(struct parser *parser, enum rule_node_kind kind,
                                  struct slice start)
{
    struct rule_node *node = parser->budget > 0 ? arena_zalloc(parser->arena, sizeof(*node)) : NULL;
    if (node == NULL)
        return out_of_nodes(parser);
    parser->budget--;
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

/* The value has been parsed. */
static bool parse_table_name(struct parser *parser, struct rule_node *node)
{
    if (!expect(parser, RULE_TOKEN_COMMA,
                "a comma and a table's name: lookup(caller.number, fees)"))
        return false;
    node->operand = parser->lexer.token.text;
    return expect(parser, RULE_TOKEN_NAME, "the name of a table");
}

static struct rule_node *parse_arguments(struct parser *parser, struct slice name,
                                         enum rule_node_kind kind)
{
    struct rule_node *node = node_new(parser, kind, name);
    if (node == NULL || !enter(parser))
        return NULL;
    if (kind == RULE_NODE_KNOWN || kind == RULE_NODE_LOOKUP) {
        struct rule_node *argument = parse_or(parser);
        if (argument == NULL)
            return NULL;
        adopt(node, argument);
        if (kind == RULE_NODE_LOOKUP && !parse_table_name(parser, node))
            return NULL;
    } else if (!parse_header_name(parser, node)) {
        return NULL;
    }
    parser->depth--;
    if (!expect(parser, RULE_TOKEN_CLOSE, "a closing parenthesis"))
        return NULL;
    return close_node(parser, node);
}

/* The row, or -1. */
static int find_quantifier(struct slice name)
{
    for (size_t i = 0; i < COUNT(quantifiers); i++)
        if (slice_equal(quantifiers[i].name, name))
            return (int)i;
    return -1;
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
    for (size_t i = 0; i < COUNT(quantifiers); i++)
        conf_suggestion_offer(&suggestion, quantifiers[i].name);
    struct conf_quote quote;
    parser->error = ERROR_CONFIG;
    if (find_quantifier(name) >= 0) {
        rule_fault_set(parser->fault, parser->lexer.whole, name,
                       "%.*s(...) stands at the beginning of a test only", SLICE_ARGS(name));
        rule_fault_hint(parser->fault, "write: %.*s(caller.number, diverting.number) in a-list",
                        SLICE_ARGS(name));
        return NULL;
    }
    rule_fault_set(parser->fault, parser->lexer.whole, name, "%s is not a function",
                   conf_quote(&quote, name));
    rule_fault_expect(parser->fault, "known(...), lookup(..., table), header(\"...\"), "
                                     "has_header(\"...\"), any(...) or all(...)");
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
    if (at(parser, RULE_TOKEN_PLUS) || at(parser, RULE_TOKEN_DIVIDE))
        return fail_by_habit(parser);
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

static struct rule_node *parse_operand(struct parser *parser)
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

/* The sign of the current token, among `count` ones; or NULL. */
static const struct sign *sign_here(const struct parser *parser, const struct sign *signs,
                                    size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (at(parser, signs[i].token))
            return &signs[i];
    return NULL;
}

/* One level of arithmetic, from left to right. */
static struct rule_node *parse_arithmetic(struct parser *parser, const struct sign *signs,
                                          size_t count,
                                          struct rule_node *(*parse_part_of)(struct parser *))
{
    struct slice start = parser->lexer.token.text;
    struct rule_node *left = parse_part_of(parser);
    const struct sign *sign;
    for (unsigned length = 0; left != NULL && (sign = sign_here(parser, signs, count)) != NULL;
         length++) {
        if (length >= RULE_CHAIN_MAX) {
            parser->error = ERROR_CONFIG;
            rule_fault_set(parser->fault, parser->lexer.whole, parser->lexer.token.text,
                           "there are more than %d of + - * / in a row", RULE_CHAIN_MAX);
            return NULL;
        }
        rule_lexer_next(&parser->lexer);
        struct rule_node *node = node_new(parser, RULE_NODE_ARITHMETIC, start);
        struct rule_node *right = node != NULL ? parse_part_of(parser) : NULL;
        if (right == NULL)
            return NULL;
        node->sign = sign->sign;
        adopt(node, left);
        adopt(node, right);
        left = close_node(parser, node);
    }
    return left;
}

/* The table has the signs of sums first. */
static struct rule_node *parse_product(struct parser *parser)
{
    return parse_arithmetic(parser, arithmetic_signs + 2, 2, parse_operand);
}

static struct rule_node *parse_value(struct parser *parser)
{
    return parse_arithmetic(parser, arithmetic_signs, 2, parse_product);
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

/* The subject has been parsed; what follows, if anything, tests it. */
static struct rule_node *parse_tail(struct parser *parser, struct slice start,
                                    struct rule_node *subject)
{
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

/* Whether "any(" or "all(" begins here; a name alone is that of a condition. */
static bool at_quantifier(const struct parser *parser)
{
    if (!at(parser, RULE_TOKEN_NAME) || find_quantifier(parser->lexer.token.text) < 0)
        return false;
    struct rule_lexer ahead = parser->lexer;
    struct rule_fault ignored = {.set = true};
    ahead.fault = &ignored;
    rule_lexer_next(&ahead);
    return ahead.token.kind == RULE_TOKEN_OPEN;
}

/* The values in parentheses, by `next`; their count becomes that of the node. */
static struct rule_node *parse_identities(struct parser *parser, struct rule_node *node)
{
    struct rule_node *first = NULL;
    struct rule_node **link = &first;
    if (!enter(parser))
        return NULL;
    do {
        struct rule_node *value = parse_value(parser);
        if (value == NULL)
            return NULL;
        link = append(node, link, value);
    } while (take(parser, RULE_TOKEN_COMMA));
    parser->depth--;
    return expect(parser, RULE_TOKEN_CLOSE, "a comma or a closing parenthesis") ? first : NULL;
}

static struct rule_node *copy_for(struct parser *parser, const struct rule_node *test,
                                  const struct rule_node *first, struct rule_node *other)
{
    struct rule_node *copy = rule_node_copy(test, first, other, parser->arena, &parser->budget);
    return copy != NULL ? copy : out_of_nodes(parser);
}

/* The test is parsed with the first value; the others get copies of it. */
static struct rule_node *parse_quantified(struct parser *parser)
{
    struct slice start = parser->lexer.token.text;
    int row = find_quantifier(start);
    rule_lexer_next(&parser->lexer);
    rule_lexer_next(&parser->lexer);
    struct rule_node *chain = node_new(parser, quantifiers[row].kind, start);
    struct rule_node *value = chain != NULL ? parse_identities(parser, chain) : NULL;
    if (value == NULL)
        return NULL;
    struct rule_node *others = value->next;
    value->next = NULL;
    struct rule_node *test = parse_tail(parser, start, value);
    if (test == NULL || others == NULL)
        return test;
    chain->count = 0;
    struct rule_node **link = append(chain, &chain->first, test);
    while (others != NULL) {
        struct rule_node *next = others->next;
        others->next = NULL;
        struct rule_node *copy = copy_for(parser, test, value, others);
        if (copy == NULL)
            return NULL;
        link = append(chain, link, copy);
        others = next;
    }
    return close_node(parser, chain);
}

static struct rule_node *parse_test(struct parser *parser)
{
    if (at_quantifier(parser))
        return parse_quantified(parser);
    struct slice start = parser->lexer.token.text;
    struct rule_node *subject = parse_value(parser);
    return subject != NULL ? parse_tail(parser, start, subject) : NULL;
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
    struct parser parser = {.arena = arena, .fault = fault, .budget = RULE_NODES_MAX};
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
