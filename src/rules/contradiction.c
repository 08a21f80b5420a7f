/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "expression_int.h"
#include "program_int.h"

/*
 * A condition is taken as facts that must all hold. Two facts about the same subject may exclude
 * each other; nothing is said where that cannot be told. FACTS_MAX bounds the pairs; conditions
 * that people write have a dozen facts.
 */
enum { FACTS_MAX = 64, SHOWN_MAX = 48 };

enum fact_kind {
    FACT_RELATION, /* relation to one literal */
    FACT_IN,       /* equal to one of the literals */
    FACT_PREFIX,   /* begins with one of the literals */
    FACT_PART,     /* contains one of the literals */
    FACT_FLAG,     /* the subject itself */
    FACT_KNOWN,    /* the subject is known */
    FACT_OTHER     /* only the same test negated excludes it */
};

struct fact {
    enum fact_kind kind;
    bool negated;
    enum rule_relation relation;
    const struct rule_node *subject; /* NULL for FACT_OTHER */
    const struct rule_node *first; /* literal; the others follow by `next`, except for a relation */
    const struct rule_node *test;
    struct slice shown;
    bool shown_negated; /* `shown` tells of the negation */
};

struct facts {
    const struct rule_catalogue *catalogue;
    struct slice text; /* where faults are to be shown */
    size_t count;
    struct fact items[FACTS_MAX];
    /* Nodes of which one child must hold. */
    size_t choice_count;
    const struct rule_node *choices[FACTS_MAX];
    const struct rule_node *never; /* the literal false */
};

/* ---- what a condition says ---------------------------------------------------------------- */

static bool is_literal(const struct rule_node *node)
{
    return node->kind == RULE_NODE_VALUE;
}

static bool all_literals(const struct rule_node *first)
{
    for (; first != NULL; first = first->next)
        if (!is_literal(first))
            return false;
    return true;
}

static enum rule_relation mirrored(enum rule_relation relation)
{
    static const enum rule_relation mirrors[] = {
        [RULE_EQUAL] = RULE_EQUAL, [RULE_DIFFERENT] = RULE_DIFFERENT,
        [RULE_LESS] = RULE_MORE,   [RULE_AT_MOST] = RULE_AT_LEAST,
        [RULE_MORE] = RULE_LESS,   [RULE_AT_LEAST] = RULE_AT_MOST,
    };
    return mirrors[relation];
}

/* So that a negated relation is a relation too. */
static enum rule_relation inverse(enum rule_relation relation)
{
    static const enum rule_relation inverses[] = {
        [RULE_EQUAL] = RULE_DIFFERENT, [RULE_DIFFERENT] = RULE_EQUAL, [RULE_LESS] = RULE_AT_LEAST,
        [RULE_AT_MOST] = RULE_MORE,    [RULE_MORE] = RULE_AT_MOST,    [RULE_AT_LEAST] = RULE_LESS,
    };
    return inverses[relation];
}

static void read_relation(const struct rule_node *node, struct fact *fact)
{
    const struct rule_node *left = node->first;
    const struct rule_node *right = left->next;
    if (is_literal(left) == is_literal(right))
        return;
    fact->kind = FACT_RELATION;
    fact->subject = is_literal(left) ? right : left;
    fact->first = is_literal(left) ? left : right;
    fact->relation = is_literal(left) ? mirrored(node->relation) : node->relation;
    if (fact->negated)
        fact->relation = inverse(fact->relation);
    fact->negated = false;
}

static void read_literals(const struct rule_node *node, enum fact_kind kind, struct fact *fact)
{
    if (node->first->type == RULE_SET || !all_literals(node->first->next))
        return;
    fact->kind = kind;
    fact->subject = node->first;
    fact->first = node->first->next;
}

static void read_fact(const struct rule_node *node, struct fact *fact)
{
    switch (node->kind) {
    case RULE_NODE_COMPARE:
        read_relation(node, fact);
        break;
    case RULE_NODE_IN_VALUES:
        read_literals(node, FACT_IN, fact);
        break;
    case RULE_NODE_STARTS_WITH:
        read_literals(node, FACT_PREFIX, fact);
        break;
    case RULE_NODE_CONTAINS:
        read_literals(node, FACT_PART, fact);
        break;
    case RULE_NODE_KNOWN:
        fact->kind = FACT_KNOWN;
        fact->subject = node->first;
        break;
    case RULE_NODE_FEATURE:
        fact->kind = FACT_FLAG;
        fact->subject = node;
        break;
    default:
        break;
    }
}

static void gather(struct facts *facts, const struct rule_node *node, bool negated,
                   const struct rule_node *parent)
{
    bool is_all = node->kind == (negated ? RULE_NODE_OR : RULE_NODE_AND);
    bool is_choice = node->kind == (negated ? RULE_NODE_AND : RULE_NODE_OR);
    if (node->kind == RULE_NODE_NOT) {
        gather(facts, node->first, !negated, node);
    } else if (is_all) {
        for (const struct rule_node *child = node->first; child != NULL; child = child->next)
            gather(facts, child, negated, NULL);
    } else if (is_choice) {
        /* A negated "and" would need its children negated below; it is left alone. */
        if (!negated && facts->choice_count < FACTS_MAX)
            facts->choices[facts->choice_count++] = node;
    } else if (is_literal(node)) {
        if (node->value.flag == negated)
            facts->never = node;
    } else if (facts->count < FACTS_MAX) {
        struct fact *fact = &facts->items[facts->count++];
        bool shows_not = parent != NULL && parent->text.length > 0;
        *fact = (struct fact){
            .kind = FACT_OTHER,
            .negated = negated,
            .test = node,
            .shown = shows_not ? parent->text : node->text,
            .shown_negated = shows_not || !negated,
        };
        read_fact(node, fact);
    }
}

/* ---- whether two facts go together -------------------------------------------------------- */

static bool same_value(const struct rule_value *a, const struct rule_value *b)
{
    bool textual = a->type == RULE_TEXT || a->type == RULE_NUMBER;
    bool other = b->type == RULE_TEXT || b->type == RULE_NUMBER;
    return textual == other && (textual || a->type == b->type) && rule_values_equal(a, b);
}

/* Whether both ask for the same: the same operators over the same features and literals. */
static bool is_same(const struct rule_node *a, const struct rule_node *b)
{
    if (a->kind != b->kind || a->count != b->count || a->relation != b->relation ||
        a->sign != b->sign || a->feature != b->feature || a->list != b->list ||
        a->table != b->table || a->networks != b->networks || a->ignore_case != b->ignore_case)
        return false;
    bool has_value = a->kind == RULE_NODE_VALUE || a->kind == RULE_NODE_HEADER ||
                     a->kind == RULE_NODE_HAS_HEADER || a->kind == RULE_NODE_MATCHES;
    if (has_value && !same_value(&a->value, &b->value))
        return false;
    const struct rule_node *other = b->first;
    for (const struct rule_node *child = a->first; child != NULL; child = child->next) {
        if (!is_same(child, other))
            return false;
        other = other->next;
    }
    return true;
}

static bool is_text(const struct rule_value *value)
{
    return value->type == RULE_TEXT || value->type == RULE_NUMBER;
}

/* Bit 0: less, bit 1: equal, bit 2: more. */
static bool relation_holds(enum rule_relation relation, int order)
{
    static const unsigned char holds[] = {
        [RULE_EQUAL] = 2,   [RULE_DIFFERENT] = 5, [RULE_LESS] = 1,
        [RULE_AT_MOST] = 3, [RULE_MORE] = 4,      [RULE_AT_LEAST] = 6,
    };
    return (holds[relation] >> (order + 1) & 1) != 0;
}

static bool literal_fits(enum fact_kind kind, const struct rule_value *value,
                         const struct rule_value *literal)
{
    if (kind == FACT_PREFIX)
        return slice_starts_with(value->text, literal->text);
    if (kind == FACT_PART)
        return memmem(value->text.data, value->text.length, literal->text.data,
                      literal->text.length) != NULL;
    return rule_values_equal(value, literal);
}

/* Whether the fact holds for a value of its subject; true where that cannot be told. */
static bool holds(const struct fact *fact, const struct rule_value *value)
{
    if (fact->kind == FACT_FLAG)
        return value->type != RULE_FLAG || value->flag != fact->negated;
    if (fact->kind == FACT_RELATION)
        return relation_holds(fact->relation, rule_values_order(value, &fact->first->value));
    if (fact->kind == FACT_KNOWN || fact->kind == FACT_OTHER)
        return !(fact->kind == FACT_KNOWN && fact->negated);
    bool found = false;
    for (const struct rule_node *literal = fact->first; !found && literal != NULL;
         literal = literal->next)
        found = (is_text(value) || fact->kind == FACT_IN) &&
                literal_fits(fact->kind, value, &literal->value);
    return found != fact->negated;
}

/* Whether the fact leaves its subject a few values only, which stand in it as literals. */
static bool enumerates(const struct fact *fact)
{
    return (fact->kind == FACT_RELATION && fact->relation == RULE_EQUAL) ||
           (fact->kind == FACT_IN && !fact->negated);
}

static bool is_bound(const struct fact *fact, bool upper)
{
    if (fact->kind != FACT_RELATION)
        return false;
    return upper ? fact->relation == RULE_LESS || fact->relation == RULE_AT_MOST
                 : fact->relation == RULE_MORE || fact->relation == RULE_AT_LEAST;
}

/* No value lies above the one and below the other. Between whole numbers, "above 5 and below 6" is
 * nothing. */
static bool is_empty_range(const struct fact *low, const struct fact *high)
{
    const struct rule_value *from = &low->first->value;
    const struct rule_value *to = &high->first->value;
    int order = rule_values_order(from, to);
    bool open_low = low->relation == RULE_MORE;
    bool open_high = high->relation == RULE_LESS;
    if (order != 0)
        return order > 0 || (from->type != RULE_RATIO && open_low && open_high &&
                             to->integer - 1 == from->integer);
    return open_low || open_high;
}

/* No text begins with a prefix of both facts. */
static bool prefixes_differ(const struct fact *a, const struct fact *b)
{
    for (const struct rule_node *left = a->first; left != NULL; left = left->next)
        for (const struct rule_node *right = b->first; right != NULL; right = right->next)
            if (slice_starts_with(left->value.text, right->value.text) ||
                slice_starts_with(right->value.text, left->value.text))
                return false;
    return true;
}

static bool no_literal_fits(const struct fact *fact, const struct fact *other)
{
    for (const struct rule_node *literal = fact->first; literal != NULL;
         literal = fact->kind == FACT_IN ? literal->next : NULL)
        if (holds(other, &literal->value))
            return false;
    return true;
}

static bool exclude_each_other(const struct fact *a, const struct fact *b)
{
    if (a->kind == FACT_OTHER || b->kind == FACT_OTHER)
        return a->negated != b->negated && a->kind == b->kind && is_same(a->test, b->test);
    if (!is_same(a->subject, b->subject))
        return false;
    bool absent = (a->kind == FACT_KNOWN && a->negated) || (b->kind == FACT_KNOWN && b->negated);
    if (absent || a->kind == FACT_KNOWN || b->kind == FACT_KNOWN)
        return absent &&
               !(a->kind == FACT_KNOWN && b->kind == FACT_KNOWN && a->negated == b->negated);
    if (a->kind == FACT_FLAG && b->kind == FACT_FLAG)
        return a->negated != b->negated;
    if (a->kind == FACT_FLAG || b->kind == FACT_FLAG)
        return a->kind == FACT_FLAG ? enumerates(b) && no_literal_fits(b, a)
                                    : enumerates(a) && no_literal_fits(a, b);
    if (enumerates(a))
        return no_literal_fits(a, b);
    if (enumerates(b))
        return no_literal_fits(b, a);
    if (is_bound(a, false) && is_bound(b, true))
        return is_empty_range(a, b);
    if (is_bound(a, true) && is_bound(b, false))
        return is_empty_range(b, a);
    if (a->kind == FACT_PREFIX && b->kind == FACT_PREFIX && !a->negated && !b->negated)
        return prefixes_differ(a, b);
    return a->kind == b->kind && a->kind == FACT_PART && a->negated != b->negated &&
           is_same(a->test, b->test);
}

/* ---- whether all facts go together -------------------------------------------------------- */

static bool fits_all(const struct facts *facts, const struct fact *about,
                     const struct rule_value *value)
{
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->items[i];
        if (fact->kind != FACT_OTHER && is_same(fact->subject, about->subject) &&
            !holds(fact, value))
            return false;
    }
    return true;
}

/* Of a feature of fixed choices, or one that a fact enumerates: no value is left by all facts. */
static bool nothing_left(const struct facts *facts, const struct fact *fact)
{
    if (fact->kind == FACT_KNOWN)
        return false;
    if (enumerates(fact)) {
        for (const struct rule_node *literal = fact->first; literal != NULL;
             literal = fact->kind == FACT_IN ? literal->next : NULL)
            if (fits_all(facts, fact, &literal->value))
                return false;
        return true;
    }
    if (fact->subject->kind != RULE_NODE_FEATURE)
        return false;
    struct slice rest = slice_of_text(facts->catalogue->features[fact->subject->feature].choices);
    bool has_choices = rest.length > 0;
    while (rest.length > 0) {
        struct slice choice = slice_first(rest, slice_find(rest, ' '));
        const struct rule_value value = rule_text(choice);
        if (fits_all(facts, fact, &value))
            return false;
        rest = slice_from(rest, choice.length + 1);
    }
    return has_choices;
}

/* For "%.*s%s": what is long is cut. */
#define CUT(text)                                                              \
    (int)((text).length < SHOWN_MAX ? (text).length : SHOWN_MAX), (text).data, \
        (text).length > SHOWN_MAX ? "..." : ""

static bool is_within(const struct facts *facts, const struct fact *fact)
{
    return (uintptr_t)fact->shown.data >= (uintptr_t)facts->text.data &&
           (uintptr_t)fact->shown.data < (uintptr_t)slice_past(facts->text);
}

static void report_pair(const struct facts *facts, const struct fact *first,
                        const struct fact *second, struct rule_fault *fault)
{
    const struct fact *at = is_within(facts, second) ? second : first;
    rule_fault_set(fault, facts->text, at->shown,
                   "this can never be true: %s%.*s%s excludes %s%.*s%s",
                   first->shown_negated ? "" : "not ", CUT(first->shown),
                   second->shown_negated ? "" : "not ", CUT(second->shown));
}

/* Facts from `from` on are new; the others were found to go together. */
static bool find_conflict(const struct facts *facts, size_t from, struct rule_fault *fault)
{
    for (size_t i = from; i < facts->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (exclude_each_other(&facts->items[j], &facts->items[i])) {
                report_pair(facts, &facts->items[j], &facts->items[i], fault);
                return true;
            }
        }
    }
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->items[i];
        if (fact->subject != NULL && nothing_left(facts, fact)) {
            rule_fault_set(fault, facts->text, fact->shown,
                           "this can never be true: no value of %.*s%s is left",
                           CUT(fact->subject->text));
            return true;
        }
    }
    return false;
}

/* Whether no child of the choice goes with the facts. */
static bool is_dead_choice(struct facts *facts, const struct rule_node *choice)
{
    size_t count = facts->count;
    size_t choice_count = facts->choice_count;
    bool dead = true;
    for (const struct rule_node *child = choice->first; dead && child != NULL;
         child = child->next) {
        struct rule_fault ignored = {.set = false};
        facts->never = NULL;
        gather(facts, child, false, NULL);
        dead = facts->never != NULL || find_conflict(facts, count, &ignored);
        facts->count = count;
        facts->choice_count = choice_count;
    }
    facts->never = NULL;
    return dead;
}

static bool is_empty_list(const struct rule_node *test)
{
    return (test->kind == RULE_NODE_IN_LIST && rule_list_count(test->list) == 0) ||
           (test->kind == RULE_NODE_IN_NETWORKS && test->networks->count == 0);
}

/* What a condition or group says is warned of there, not at each rule that has it. */
static void warn_empty(const struct facts *facts, struct rule_fault *warning)
{
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->items[i];
        if (fact->kind == FACT_OTHER && !fact->negated && is_empty_list(fact->test) &&
            is_within(facts, fact))
            rule_fault_set(warning, facts->text, fact->test->operand,
                           "the list %.*s is empty, so this can never be true",
                           SLICE_ARGS(fact->test->operand));
    }
}

int rule_contradiction_find(const struct rule_node *root, struct slice text,
                            const struct rule_catalogue *catalogue, struct rule_fault *fault,
                            struct rule_fault *warning)
{
    struct facts facts;
    facts.catalogue = catalogue;
    facts.text = text;
    facts.count = 0;
    facts.choice_count = 0;
    facts.never = NULL;
    /* A condition that is nothing but "false" says what it means. */
    if (is_literal(root))
        return 0;
    gather(&facts, root, false, NULL);
    if (facts.never != NULL) {
        rule_fault_set(fault, text, facts.never->text, "this can never be true");
        rule_fault_hint(fault, "to let a rule rest, write: mode: off");
        return ERROR_CONFIG;
    }
    if (find_conflict(&facts, 0, fault))
        return ERROR_CONFIG;
    for (size_t i = 0; i < facts.choice_count; i++) {
        if (is_dead_choice(&facts, facts.choices[i])) {
            rule_fault_set(fault, text, facts.choices[i]->text,
                           "this can never be true: nothing of %.*s%s goes with the rest",
                           CUT(facts.choices[i]->text));
            return ERROR_CONFIG;
        }
    }
    warn_empty(&facts, warning);
    return 0;
}
