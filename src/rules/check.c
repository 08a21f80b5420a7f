/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "catalogue_int.h"
#include "config/report.h"
#include "expression_int.h"
#include "literal_int.h"
#include "regex_int.h"

struct checker {
    struct slice text;
    const struct rule_names *names;
    struct rule_fault *fault;
    struct rule_fault *warning;
    unsigned depth; /* levels of the tree above the node being checked */
    size_t budget;  /* of nodes that names may still expand to */
    int error;      /* once it failed */
};

/* A node's text within a message; what is long is cut. Enumerations longer than TWICE_MAX are not
 * searched for doubles, which takes squared time. */
enum { SHOWN_MAX = 48, TWICE_MAX = 256 };
#define SHOWN(node) \
    (int)((node)->text.length < SHOWN_MAX ? (node)->text.length : SHOWN_MAX), (node)->text.data

/* All return false once the fault is set. */
static bool check(struct checker *checker, struct rule_node *node);

static bool is_textual(enum rule_type type)
{
    return type == RULE_TEXT || type == RULE_NUMBER;
}

static bool has_order(enum rule_type type)
{
    return type == RULE_INTEGER || type == RULE_DURATION || type == RULE_RATIO || type == RULE_TIME;
}

static bool comparable(enum rule_type a, enum rule_type b)
{
    return a == b || (is_textual(a) && is_textual(b));
}

static const struct rule_feature *feature_of(const struct checker *checker,
                                             const struct rule_node *node)
{
    return node->kind == RULE_NODE_FEATURE ? &checker->names->catalogue->features[node->feature]
                                           : NULL;
}

static bool check_children(struct checker *checker, struct rule_node *node)
{
    for (struct rule_node *child = node->first; child != NULL; child = child->next)
        if (!check(checker, child))
            return false;
    return true;
}

static bool is_nothing(struct slice word)
{
    static const struct slice words[] = {SLICE_LITERAL("null"), SLICE_LITERAL("none"),
                                         SLICE_LITERAL("nil"), SLICE_LITERAL("unknown")};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_equal_nocase(words[i], word))
            return true;
    return false;
}

static bool no_such_name(struct checker *checker, const struct rule_node *node)
{
    const struct rule_names *names = checker->names;
    struct conf_quote quote;
    uint16_t feature;
    const char *near = rule_catalogue_suggest(names->catalogue, node->text);
    struct slice condition = names->suggest_condition(names->context, node->text);
    size_t minus = slice_find(node->text, '-');
    rule_fault_set(checker->fault, checker->text, node->text, "there is no feature %s",
                   conf_quote(&quote, node->text));
    if (names->find_list(names->context, node->text) != NULL)
        rule_fault_hint(checker->fault, "it is a list; write: caller.number in %.*s",
                        SLICE_ARGS(node->text));
    else if (names->find_table(names->context, node->text) != NULL)
        rule_fault_hint(checker->fault, "it is a table; write: lookup(caller.number, %.*s)",
                        SLICE_ARGS(node->text));
    else if (rule_catalogue_find(names->catalogue, slice_first(node->text, minus), &feature))
        rule_fault_hint(checker->fault, "a minus stands between blanks: %.*s - ...", (int)minus,
                        node->text.data);
    else if (near != NULL)
        rule_fault_hint(checker->fault, "did you mean %s?", near);
    else if (condition.data != NULL)
        rule_fault_hint(checker->fault, "did you mean the condition %.*s?", SLICE_ARGS(condition));
    else if (is_nothing(node->text))
        rule_fault_hint(checker->fault, "whether a value is missing is asked by: not known(...)");
    else if (slice_find(node->text, '.') == node->text.length)
        rule_fault_hint(checker->fault, "texts stand in double quotes");
    return false;
}

static bool too_deep(struct checker *checker, const struct rule_node *node)
{
    rule_fault_set(checker->fault, checker->text, node->text,
                   "the condition, with those that it names, is nested more than %d deep",
                   RULE_DEPTH_MAX);
    rule_fault_hint(checker->fault, "split it into several rules");
    return false;
}

/* Puts a copy of the condition in place of its name. */
static bool expand(struct checker *checker, struct rule_node *node, const struct rule_node *root)
{
    if (checker->depth + rule_node_depth(root) > RULE_DEPTH_MAX)
        return too_deep(checker, node);
    const struct rule_node *copy =
        rule_node_copy(root, NULL, NULL, checker->names->nodes, &checker->budget);
    if (copy == NULL) {
        if (checker->budget > 0)
            checker->error = -ENOMEM;
        else
            rule_fault_set(checker->fault, checker->text, node->text,
                           "with the conditions that it names, it has more than %d parts",
                           RULE_NODES_MAX);
        return false;
    }
    struct rule_node *next = node->next;
    struct slice text = node->text;
    *node = *copy;
    node->next = next;
    node->text = text;
    return true;
}

static bool check_name(struct checker *checker, struct rule_node *node)
{
    const struct rule_names *names = checker->names;
    if (rule_catalogue_find(names->catalogue, node->text, &node->feature)) {
        node->kind = RULE_NODE_FEATURE;
        node->type = names->catalogue->features[node->feature].type;
        return true;
    }
    const struct rule_node *root = NULL;
    struct rule_circle circle;
    int error = names->find_condition(names->context, node->text, &root, &circle);
    if (error == 0)
        return expand(checker, node, root);
    if (error == ERROR_NOT_FOUND)
        return no_such_name(checker, node);
    if (error == ERROR_LIMIT)
        rule_fault_set(checker->fault, checker->text, node->text, "%s", circle.text);
    checker->error = error == ERROR_LIMIT ? ERROR_CONFIG : error;
    return false;
}

/* A literal takes the type of what it stands beside, where that loses nothing. */
static void adapt(struct rule_node *node, enum rule_type type)
{
    struct rule_address address;
    if (node->kind != RULE_NODE_VALUE)
        return;
    if (node->type == RULE_TEXT && type == RULE_ADDRESS &&
        rule_literal_address(node->value.text, &address) == 0)
        node->value = rule_address(address);
    if (node->type == RULE_INTEGER && type == RULE_RATIO)
        node->value = rule_ratio((double)node->value.integer);
    else if (node->type == RULE_INTEGER && type == RULE_DURATION && node->value.integer == 0)
        node->value = rule_duration(0);
    node->type = node->value.type;
}

/* Only where the literal would be right when it is written otherwise. */
static void hint_literal(struct checker *checker, enum rule_type wanted,
                         const struct rule_node *given)
{
    struct rule_value unquoted;
    if (given->kind != RULE_NODE_VALUE)
        return;
    if (is_textual(wanted) && given->type != RULE_TEXT)
        rule_fault_hint(checker->fault, "put it in double quotes: \"%.*s\"", SHOWN(given));
    else if (wanted == RULE_DURATION && given->type == RULE_INTEGER)
        rule_fault_hint(checker->fault, "add a unit: %.*ss, %.*sm or %.*sh", SHOWN(given),
                        SHOWN(given), SHOWN(given));
    else if (given->type == RULE_TEXT && !is_textual(wanted) &&
             rule_literal_of_type(wanted, given->value.text, &unquoted) == 0)
        rule_fault_hint(checker->fault, "leave out the double quotes");
}

static void hint_address(struct checker *checker, const struct rule_node *literal)
{
    struct rule_address address;
    int error = rule_literal_address(literal->value.text, &address);
    if (error == -EINVAL)
        rule_fault_hint(checker->fault, "it is a network; write: in [%.*s]", SHOWN(literal));
    else
        rule_fault_expect(checker->fault, "an address such as \"10.0.0.1\" or \"2001:db8::1\"");
}

static bool mismatch(struct checker *checker, const struct rule_node *left,
                     const struct rule_node *right)
{
    rule_fault_set(checker->fault, checker->text, right->text,
                   "%.*s (%s) cannot be compared with %.*s (%s)", SHOWN(left),
                   rule_type_name(left->type), SHOWN(right), rule_type_name(right->type));
    if (left->type == RULE_SET && is_textual(right->type))
        rule_fault_expect(checker->fault, "contains");
    if (left->type == RULE_ADDRESS && right->kind == RULE_NODE_VALUE && right->type == RULE_TEXT)
        hint_address(checker, right);
    if (left->type == RULE_TIME || right->type == RULE_TIME)
        rule_fault_expect(checker->fault,
                          "two times, such as 2027-06-30 or 2027-06-30T08:00:00+08:00");
    hint_literal(checker, left->type, right);
    hint_literal(checker, right->type, left);
    return false;
}

/* A feature of fixed choices is never equal to another text: a misspelt one would never fire. */
static bool check_choice(struct checker *checker, const struct rule_node *subject,
                         const struct rule_node *literal)
{
    const struct rule_feature *feature = feature_of(checker, subject);
    if (feature == NULL || literal->kind != RULE_NODE_VALUE)
        return true;
    struct conf_suggestion suggestion = conf_suggestion_for(literal->value.text);
    if (rule_feature_can_be(feature, literal->value.text, &suggestion))
        return true;
    struct conf_quote quote;
    rule_fault_set(checker->fault, checker->text, literal->text, "%s is never %s", feature->name,
                   conf_quote(&quote, literal->value.text));
    struct rule_choices choices;
    rule_fault_expect(checker->fault, "%s", rule_feature_choices(feature, &choices));
    if (suggestion.best.data != NULL)
        rule_fault_hint(checker->fault, "did you mean \"%.*s\"?", SLICE_ARGS(suggestion.best));
    return false;
}

static bool is_bare_digits(struct slice text)
{
    size_t digits = 0;
    while (digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    return digits > 0 && digits == text.length;
}

/* Normalised numbers begin with "+", so a literal without it only ever meets raw text. */
static void warn_without_plus(struct checker *checker, const struct rule_node *subject,
                              const struct rule_node *literal)
{
    if (subject->type != RULE_NUMBER || literal->kind != RULE_NODE_VALUE ||
        !is_bare_digits(literal->value.text) || checker->warning->set)
        return;
    rule_fault_set(checker->warning, checker->text, literal->text,
                   "%.*s is a normalised number, which begins with +; \"%.*s\" does not",
                   SHOWN(subject), SLICE_ARGS(slice_first(literal->value.text, SHOWN_MAX)));
    rule_fault_hint(checker->warning, "write the country code too: \"+86...\"");
}

/* The literal beside the subject has the right type and a value that occurs. */
static bool check_beside(struct checker *checker, const struct rule_node *subject,
                         struct rule_node *other)
{
    adapt(other, subject->type);
    if (!comparable(subject->type, other->type))
        return mismatch(checker, subject, other);
    if (!is_textual(subject->type))
        return true;
    warn_without_plus(checker, subject, other);
    return check_choice(checker, subject, other);
}

static bool check_compare(struct checker *checker, struct rule_node *node)
{
    struct rule_node *left = node->first;
    struct rule_node *right = left->next;
    node->type = RULE_FLAG;
    if (!check_children(checker, node))
        return false;
    adapt(left, right->type);
    bool literal_first = left->kind == RULE_NODE_VALUE && right->kind != RULE_NODE_VALUE;
    if (!(literal_first ? check_beside(checker, right, left) : check_beside(checker, left, right)))
        return false;
    bool by_order = node->relation != RULE_EQUAL && node->relation != RULE_DIFFERENT;
    bool is_set = left->type == RULE_SET;
    if (is_set || (by_order && !has_order(left->type))) {
        rule_fault_set(checker->fault, checker->text, node->text, "%.*s is %s, which has no order",
                       SHOWN(left), rule_type_with_article(left->type));
        rule_fault_expect(checker->fault, "%s", is_set ? "contains" : "== or !=");
        return false;
    }
    return true;
}

static bool require_text(struct checker *checker, const struct rule_node *node,
                         const char *operator_name)
{
    if (is_textual(node->type))
        return true;
    rule_fault_set(checker->fault, checker->text, node->text,
                   "%s needs a text or number, but %.*s is %s", operator_name, SHOWN(node),
                   rule_type_with_article(node->type));
    if (node->kind == RULE_NODE_VALUE)
        rule_fault_hint(checker->fault, "put it in double quotes: \"%.*s\"", SHOWN(node));
    return false;
}

static bool no_such_list(struct checker *checker, const struct rule_node *node)
{
    const struct rule_names *names = checker->names;
    struct conf_quote quote;
    struct slice near = names->suggest_list(names->context, node->operand);
    rule_fault_set(checker->fault, checker->text, node->operand, "there is no list %s",
                   conf_quote(&quote, node->operand));
    if (names->find_table(names->context, node->operand) != NULL)
        rule_fault_hint(checker->fault, "it is a table; write: known(lookup(%.*s, %.*s))",
                        SHOWN(node->first), SLICE_ARGS(node->operand));
    else if (near.data != NULL)
        rule_fault_hint(checker->fault, "did you mean %.*s?", SLICE_ARGS(near));
    else
        rule_fault_hint(checker->fault, "lists are declared at the top of a file, under lists:");
    return false;
}

static bool check_in_network_list(struct checker *checker, struct rule_node *node)
{
    const struct rule_names *names = checker->names;
    struct conf_quote quote;
    if (names->find_list(names->context, node->operand) == NULL)
        return no_such_list(checker, node);
    node->networks = names->find_networks(names->context, node->operand);
    node->kind = RULE_NODE_IN_NETWORKS;
    if (node->networks != NULL)
        return true;
    rule_fault_set(checker->fault, checker->text, node->operand,
                   "the list %s holds no networks, but %.*s is an address",
                   conf_quote(&quote, node->operand), SHOWN(node->first));
    rule_fault_hint(checker->fault, "a list of networks has them under networks:");
    return false;
}

static bool check_in_list(struct checker *checker, struct rule_node *node)
{
    const struct rule_names *names = checker->names;
    struct conf_quote quote;
    node->type = RULE_FLAG;
    if (!check_children(checker, node))
        return false;
    if (node->first->type == RULE_ADDRESS)
        return check_in_network_list(checker, node);
    if (!require_text(checker, node->first, "in"))
        return false;
    node->list = names->find_list(names->context, node->operand);
    if (node->list == NULL)
        return no_such_list(checker, node);
    if (rule_list_count(node->list) == 0 &&
        names->find_networks(names->context, node->operand) != NULL) {
        rule_fault_set(checker->fault, checker->text, node->operand,
                       "the list %s holds networks, but %.*s is %s",
                       conf_quote(&quote, node->operand), SHOWN(node->first),
                       rule_type_with_article(node->first->type));
        return false;
    }
    if (node->first->type == RULE_TEXT && rule_list_count(node->list) > 0 &&
        !rule_list_holds_texts(node->list)) {
        rule_fault_set(checker->fault, checker->text, node->operand,
                       "the list %s holds numbers, but %.*s is a text",
                       conf_quote(&quote, node->operand), SHOWN(node->first));
        rule_fault_hint(checker->fault, "a list of texts has them under texts:");
        return false;
    }
    return true;
}

/* One literal of: message.source in ["10.0.0.0/8", ...] */
static bool add_network(struct checker *checker, const struct rule_node *literal,
                        struct rule_vector *ranges)
{
    struct conf_network network;
    struct conf_quote quote;
    int error =
        literal->type == RULE_TEXT ? conf_network_parse(literal->value.text, &network) : -EBADMSG;
    if (error != 0) {
        rule_fault_set(checker->fault, checker->text, literal->text, "%.*s is no network",
                       SHOWN(literal));
        rule_fault_expect(checker->fault,
                          "an address or a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"");
        if (error == -EINVAL)
            rule_fault_hint(checker->fault, "bits behind the prefix are set; clear them");
        return false;
    }
    if (rule_network_covers(ranges, &network) && !checker->warning->set)
        rule_fault_set(checker->warning, checker->text, literal->text,
                       "%s lies within a network that stands before it",
                       conf_quote(&quote, literal->value.text));
    checker->error = rule_network_add(ranges, &network);
    return checker->error == 0;
}

/* The literals become one set of ranges. */
static bool check_in_networks(struct checker *checker, struct rule_node *node)
{
    struct rule_vector ranges = RULE_VECTOR_OF(struct rule_range);
    struct rule_networks *networks = NULL;
    for (const struct rule_node *value = node->first->next; value != NULL; value = value->next) {
        if (add_network(checker, value, &ranges))
            continue;
        rule_vector_clear(&ranges);
        return false;
    }
    checker->error = rule_networks_seal(&ranges, checker->names->kept, &networks);
    node->kind = RULE_NODE_IN_NETWORKS;
    node->networks = networks;
    node->first->next = NULL;
    node->count = 1;
    return checker->error == 0;
}

/* A literal that stands twice does no harm, but was hardly meant. */
static void warn_twice(struct checker *checker, const struct rule_node *first,
                       const struct rule_node *value)
{
    if (checker->warning->set || !is_textual(value->type))
        return;
    for (; first != value; first = first->next)
        if (slice_equal(first->value.text, value->value.text))
            rule_fault_set(checker->warning, checker->text, value->text, "%.*s stands here twice",
                           SHOWN(value));
}

static bool check_in_values(struct checker *checker, struct rule_node *node)
{
    node->type = RULE_FLAG;
    if (!check_children(checker, node))
        return false;
    struct rule_node *subject = node->first;
    if (subject->type == RULE_SET) {
        rule_fault_set(checker->fault, checker->text, subject->text,
                       "in needs a single value, but %.*s is a set", SHOWN(subject));
        rule_fault_expect(checker->fault, "contains");
        return false;
    }
    if (subject->type == RULE_ADDRESS)
        return check_in_networks(checker, node);
    for (struct rule_node *value = subject->next; value != NULL; value = value->next) {
        if (!check_beside(checker, subject, value))
            return false;
        if (node->count < TWICE_MAX)
            warn_twice(checker, subject->next, value);
    }
    return true;
}

/* Behind a shorter prefix of itself, a prefix changes nothing. */
static void warn_covered(struct checker *checker, const struct rule_node *first,
                         const struct rule_node *value)
{
    if (checker->warning->set || value->kind != RULE_NODE_VALUE)
        return;
    for (; first != NULL; first = first->next)
        if (first != value && first->kind == RULE_NODE_VALUE &&
            slice_starts_with(value->value.text, first->value.text))
            rule_fault_set(checker->warning, checker->text, value->text,
                           "what starts with %.*s also starts with %.*s", SHOWN(value),
                           SHOWN(first));
}

static bool check_part(struct checker *checker, struct rule_node *node)
{
    bool is_prefix = node->kind == RULE_NODE_STARTS_WITH;
    const char *name = is_prefix ? "starts_with" : "contains";
    node->type = RULE_FLAG;
    if (!check_children(checker, node))
        return false;
    if (node->first->type != RULE_SET || is_prefix)
        if (!require_text(checker, node->first, name))
            return false;
    for (const struct rule_node *part = node->first->next; part != NULL; part = part->next) {
        if (!require_text(checker, part, name))
            return false;
        if (part->kind == RULE_NODE_VALUE && part->value.text.length == 0) {
            rule_fault_set(checker->fault, checker->text, part->text,
                           "%s \"\" is true of every text", name);
            return false;
        }
        if (is_prefix)
            warn_without_plus(checker, node->first, part);
        if (is_prefix && node->count < TWICE_MAX)
            warn_covered(checker, node->first->next, part);
    }
    return true;
}

static bool check_matches(struct checker *checker, struct rule_node *node)
{
    struct rule_regex_error problem = {.offset = 0};
    node->type = RULE_FLAG;
    if (!check_children(checker, node) || !require_text(checker, node->first, "matches"))
        return false;
    if (node->value.text.length > RULE_REGEX_PATTERN_MAX) {
        rule_fault_set(checker->fault, checker->text, node->operand,
                       "the regular expression has %zu bytes", node->value.text.length);
        rule_fault_expect(checker->fault, "at most %d", RULE_REGEX_PATTERN_MAX);
        return false;
    }
    int error = rule_regex_check(node->value.text, node->ignore_case, &problem);
    if (error == -EBADMSG) {
        /* Behind the opening slash or quote; PCRE2 points behind what it refused. */
        struct slice at = slice_first(slice_from(node->operand, 1 + problem.offset), 1);
        rule_fault_set(checker->fault, checker->text, at, "wrong regular expression: %s",
                       problem.message);
        return false;
    }
    checker->error = error;
    return error == 0;
}

static const char *sign_text(enum rule_sign sign)
{
    static const char *const signs[] = {
#define SIGN_ROW(name, sign, token, verb) [name] = (sign),
        RULE_SIGN_OF_ARITHMETIC_TABLE(SIGN_ROW)
#undef SIGN_ROW
    };
    return signs[sign];
}

static bool no_arithmetic(struct checker *checker, const struct rule_node *node)
{
    static const char *const verbs[] = {
#define VERB_ROW(name, sign, token, verb) [name] = (verb),
        RULE_SIGN_OF_ARITHMETIC_TABLE(VERB_ROW)
#undef VERB_ROW
    };
    const struct rule_node *left = node->first;
    const struct rule_node *right = left->next;
    rule_fault_set(checker->fault, checker->text, node->text, "%.*s (%s) cannot be %s %.*s (%s)",
                   SHOWN(left), rule_type_name(left->type), verbs[node->sign], SHOWN(right),
                   rule_type_name(right->type));
    if (left->type == RULE_DURATION || left->type == RULE_TIME)
        hint_literal(checker, RULE_DURATION, right);
    return false;
}

/* What is made of literals alone becomes one. */
static bool fold(struct checker *checker, struct rule_node *node)
{
    const struct rule_node *left = node->first;
    const struct rule_node *right = left->next;
    struct rule_value value = rule_arithmetic_do(node->arithmetic, &left->value, &right->value);
    if (!value.known) {
        rule_fault_set(checker->fault, checker->text, node->text, "%.*s %s %.*s has no value",
                       SHOWN(left), sign_text(node->sign), SHOWN(right));
        rule_fault_hint(checker->fault, "it divides by zero, or is too large");
        return false;
    }
    node->kind = RULE_NODE_VALUE;
    node->value = value;
    node->first = NULL;
    node->count = 0;
    return true;
}

static bool check_arithmetic(struct checker *checker, struct rule_node *node)
{
    struct rule_node *left = node->first;
    struct rule_node *right = left->next;
    if (!check_children(checker, node))
        return false;
    /* A product of a ratio and a whole number has rows of its own. */
    if (node->sign == RULE_PLUS || node->sign == RULE_MINUS) {
        adapt(left, right->type);
        adapt(right, left->type);
    }
    if (!rule_arithmetic_find(node->sign, left->type, right->type, &node->arithmetic))
        return no_arithmetic(checker, node);
    node->type = rule_arithmetic_type(node->arithmetic);
    if (left->kind == RULE_NODE_VALUE && right->kind == RULE_NODE_VALUE)
        return fold(checker, node);
    return true;
}

static bool check_lookup(struct checker *checker, struct rule_node *node)
{
    const struct rule_names *names = checker->names;
    struct conf_quote quote;
    if (!check_children(checker, node) || !require_text(checker, node->first, "lookup"))
        return false;
    node->table = names->find_table(names->context, node->operand);
    if (node->table == NULL) {
        struct slice near = names->suggest_table(names->context, node->operand);
        rule_fault_set(checker->fault, checker->text, node->operand, "there is no table %s",
                       conf_quote(&quote, node->operand));
        if (names->find_list(names->context, node->operand) != NULL)
            rule_fault_hint(checker->fault, "it is a list; write: %.*s in %.*s", SHOWN(node->first),
                            SLICE_ARGS(node->operand));
        else if (near.data != NULL)
            rule_fault_hint(checker->fault, "did you mean %.*s?", SLICE_ARGS(near));
        else
            rule_fault_hint(checker->fault,
                            "tables are declared at the top of a file, under tables:");
        return false;
    }
    node->type = rule_table_type(node->table);
    if (node->first->type == RULE_TEXT && rule_table_count(node->table) > 0 &&
        !rule_table_holds_texts(node->table)) {
        rule_fault_set(checker->fault, checker->text, node->operand,
                       "the table %s holds numbers, but %.*s is a text",
                       conf_quote(&quote, node->operand), SHOWN(node->first));
        return false;
    }
    return true;
}

static bool check_else(struct checker *checker, struct rule_node *node)
{
    if (!check_children(checker, node))
        return false;
    for (struct rule_node *child = node->first->next; child != NULL; child = child->next)
        if (!check_beside(checker, node->first, child))
            return false;
    node->type = node->first->type;
    return true;
}

static bool require_flag(struct checker *checker, const struct rule_node *node)
{
    if (node->type == RULE_FLAG)
        return true;
    rule_fault_set(checker->fault, checker->text, node->text,
                   "%.*s is %s, but a condition is true or false", SHOWN(node),
                   rule_type_with_article(node->type));
    rule_fault_hint(checker->fault, "compare it with something: %.*s == %s", SHOWN(node),
                    is_textual(node->type) ? "\"...\"" : "...");
    return false;
}

static bool check_logic(struct checker *checker, struct rule_node *node)
{
    node->type = RULE_FLAG;
    if (!check_children(checker, node))
        return false;
    for (const struct rule_node *child = node->first; child != NULL; child = child->next)
        if (!require_flag(checker, child))
            return false;
    return true;
}

static bool check_value(struct checker *checker, struct rule_node *node)
{
    (void)checker;
    node->type = node->value.type;
    return true;
}

static bool check_feature(struct checker *checker, struct rule_node *node)
{
    (void)checker;
    (void)node;
    return true;
}

static bool check_header(struct checker *checker, struct rule_node *node)
{
    (void)checker;
    node->type = node->kind == RULE_NODE_HEADER ? RULE_TEXT : RULE_FLAG;
    return true;
}

static bool check_known(struct checker *checker, struct rule_node *node)
{
    node->type = RULE_FLAG;
    return check_children(checker, node);
}

static bool check(struct checker *checker, struct rule_node *node)
{
    static bool (*const checks[])(struct checker *, struct rule_node *) = {
        [RULE_NODE_VALUE] = check_value,         [RULE_NODE_NAME] = check_name,
        [RULE_NODE_FEATURE] = check_feature,     [RULE_NODE_HEADER] = check_header,
        [RULE_NODE_HAS_HEADER] = check_header,   [RULE_NODE_KNOWN] = check_known,
        [RULE_NODE_ELSE] = check_else,           [RULE_NODE_NOT] = check_logic,
        [RULE_NODE_AND] = check_logic,           [RULE_NODE_OR] = check_logic,
        [RULE_NODE_COMPARE] = check_compare,     [RULE_NODE_IN_LIST] = check_in_list,
        [RULE_NODE_IN_VALUES] = check_in_values, [RULE_NODE_STARTS_WITH] = check_part,
        [RULE_NODE_CONTAINS] = check_part,       [RULE_NODE_MATCHES] = check_matches,
        [RULE_NODE_LOOKUP] = check_lookup,       [RULE_NODE_ARITHMETIC] = check_arithmetic,
    };
    if (checker->depth >= RULE_DEPTH_MAX)
        return too_deep(checker, node);
    checker->depth++;
    bool good = checks[node->kind](checker, node);
    checker->depth--;
    return good;
}

/* Only what ran out of memory is not the text's fault. */
static int result_of(const struct checker *checker, bool good)
{
    return good ? 0 : checker->error == -ENOMEM ? -ENOMEM : ERROR_CONFIG;
}

int rule_value_check(struct rule_node *root, struct slice text, const struct rule_names *names,
                     struct rule_fault *fault, struct rule_fault *warning)
{
    struct checker checker = {text, names, fault, warning, 0, RULE_NODES_MAX, 0};
    return result_of(&checker, check(&checker, root));
}

int rule_expression_check(struct rule_node *root, struct slice text, const struct rule_names *names,
                          struct rule_fault *fault, struct rule_fault *warning)
{
    struct checker checker = {text, names, fault, warning, 0, RULE_NODES_MAX, 0};
    return result_of(&checker, check(&checker, root) && require_flag(&checker, root));
}
