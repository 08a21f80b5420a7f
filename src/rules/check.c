/* SPDX-License-Identifier: Apache-2.0 */
#include "catalogue_int.h"
#include "config/report.h"
#include "expression_int.h"
#include "literal_int.h"

struct checker {
    struct slice text;
    const struct rule_names *names;
    struct rule_fault *fault;
    struct rule_fault *warning;
};

/* A node's text within a message; what is long is cut. */
enum { SHOWN_MAX = 48 };
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

static bool check_name(struct checker *checker, struct rule_node *node)
{
    const struct rule_catalogue *catalogue = checker->names->catalogue;
    if (rule_catalogue_find(catalogue, node->text, &node->feature)) {
        node->kind = RULE_NODE_FEATURE;
        node->type = catalogue->features[node->feature].type;
        return true;
    }
    struct conf_quote quote;
    const char *near = rule_catalogue_suggest(catalogue, node->text);
    rule_fault_set(checker->fault, checker->text, node->text, "there is no feature %s",
                   conf_quote(&quote, node->text));
    if (checker->names->find_list(checker->names->context, node->text) != NULL)
        rule_fault_hint(checker->fault, "it is a list; write: caller.number in %.*s",
                        SLICE_ARGS(node->text));
    else if (near != NULL)
        rule_fault_hint(checker->fault, "did you mean %s?", near);
    else if (slice_find(node->text, '.') == node->text.length)
        rule_fault_hint(checker->fault, "texts stand in double quotes");
    return false;
}

/* A literal takes the type of what it stands beside, where that loses nothing. */
static void adapt(struct rule_node *node, enum rule_type type)
{
    if (node->kind != RULE_NODE_VALUE)
        return;
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

static bool mismatch(struct checker *checker, const struct rule_node *left,
                     const struct rule_node *right)
{
    rule_fault_set(checker->fault, checker->text, right->text,
                   "%.*s (%s) cannot be compared with %.*s (%s)", SHOWN(left),
                   rule_type_name(left->type), SHOWN(right), rule_type_name(right->type));
    if (left->type == RULE_SET && is_textual(right->type))
        rule_fault_expect(checker->fault, "contains");
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

static bool check_in_list(struct checker *checker, struct rule_node *node)
{
    const struct rule_names *names = checker->names;
    struct conf_quote quote;
    node->type = RULE_FLAG;
    if (!check_children(checker, node) || !require_text(checker, node->first, "in"))
        return false;
    node->list = names->find_list(names->context, node->operand);
    if (node->list == NULL) {
        struct slice near = names->suggest_list(names->context, node->operand);
        rule_fault_set(checker->fault, checker->text, node->operand, "there is no list %s",
                       conf_quote(&quote, node->operand));
        if (near.data != NULL)
            rule_fault_hint(checker->fault, "did you mean %.*s?", SLICE_ARGS(near));
        else
            rule_fault_hint(checker->fault,
                            "lists are declared at the top of a file, under lists:");
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
    for (struct rule_node *value = subject->next; value != NULL; value = value->next)
        if (!check_beside(checker, subject, value))
            return false;
    return true;
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
    }
    return true;
}

static bool check_matches(struct checker *checker, struct rule_node *node)
{
    node->type = RULE_FLAG;
    return check_children(checker, node) && require_text(checker, node->first, "matches");
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
    };
    return checks[node->kind](checker, node);
}

int rule_expression_check(struct rule_node *root, struct slice text, const struct rule_names *names,
                          struct rule_fault *fault, struct rule_fault *warning)
{
    struct checker checker = {text, names, fault, warning};
    return check(&checker, root) && require_flag(&checker, root) ? 0 : ERROR_CONFIG;
}
