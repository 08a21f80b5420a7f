/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/change.h"

#include <errno.h>

#include "base/clock.h"
#include "screening_int.h"

enum {
    CANDIDATES_MAX = 256,
    OVERRIDES_MAX = 32, /* that the input brings itself */
    NEAR = 2,           /* parts of an `and` that fail, at most, for a rule to be near */
};

struct search {
    struct screen_engine *engine;
    const struct screen_policy *policy;
    const struct screen_input *input;
    const struct screen_verdict *verdict;
    const struct rule_set *rules;
    const enum rule_result *results;
    struct arena *arena;
    struct rule_trial *trial;
    uint64_t until_us;
    struct screen_turns *turns;
    bool no_memory;
    size_t count;
    struct screen_change candidates[CANDIDATES_MAX];
};

/* ---- candidates ----------------------------------------------------------------------------- */

static bool same_value(const struct rule_value *a, const struct rule_value *b)
{
    if (a->type != b->type || a->known != b->known)
        return false;
    if (a->type == RULE_TEXT || a->type == RULE_NUMBER)
        return slice_equal(a->text, b->text);
    if (a->type == RULE_ADDRESS)
        return memcmp(&a->address, &b->address, sizeof(a->address)) == 0;
    if (a->type == RULE_SET)
        return false;
    if (a->type == RULE_RATIO)
        return a->ratio == b->ratio;
    return a->type == RULE_FLAG ? a->flag == b->flag : a->integer == b->integer;
}

static bool same_change(const struct screen_change *a, const struct screen_change *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case SCREEN_CHANGE_FEATURE:
        return a->override.feature == b->override.feature &&
               same_value(&a->override.value, &b->override.value);
    case SCREEN_CHANGE_TEST:
        return a->holds == b->holds && slice_equal(a->test->text, b->test->text);
    case SCREEN_CHANGE_RULE_OFF:
    case SCREEN_CHANGE_RULE_ON:
        return a->rule == b->rule;
    case SCREEN_CHANGE_DIVERTING:
        break;
    }
    return true;
}

static void add(struct search *search, const struct screen_change *change)
{
    for (size_t i = 0; i < search->count; i++)
        if (same_change(&search->candidates[i], change))
            return;
    if (search->count == CANDIDATES_MAX) {
        search->turns->cut_short = true;
        return;
    }
    search->candidates[search->count++] = *change;
}

static void add_value(struct search *search, enum screen_feature feature, struct rule_value value,
                      uint32_t rule, int points)
{
    const struct screen_change change = {.kind = SCREEN_CHANGE_FEATURE,
                                         .override = {feature, value},
                                         .rule = rule,
                                         .points = points};
    add(search, &change);
}

/* The least move of a value that makes an ordered test come out as wanted: its bound, or one beyond
 * it. False for types that have no next value. */
static bool move_over(const struct rule_part *test, bool wanted, struct rule_value *value)
{
    *value = test->values[0];
    if (value->type == RULE_FLAG || value->type == RULE_TEXT || value->type == RULE_NUMBER ||
        value->type == RULE_SET || value->type == RULE_ADDRESS)
        return false;
    bool at_bound = (test->shape == RULE_PART_AT_LEAST || test->shape == RULE_PART_AT_MOST);
    int step = 0;
    if (at_bound != wanted)
        step = test->shape == RULE_PART_AT_LEAST || test->shape == RULE_PART_LESS ? -1 : 1;
    /* x < 5 becomes true at 4 and false at 5; x >= 5 true at 5 and false at 4. */
    if (value->type == RULE_RATIO)
        value->ratio += step * 0.01;
    else if (__builtin_add_overflow(value->integer, (int64_t)step, &value->integer))
        return false;
    return true;
}

/* True when the test can be turned by giving its feature a value. */
static bool add_by_value(struct search *search, const struct rule_part *test, bool wanted,
                         uint32_t rule, int points)
{
    enum screen_feature feature = (enum screen_feature)test->feature;
    struct rule_value value;
    switch (test->shape) {
    case RULE_PART_FLAG:
        add_value(search, feature, rule_flag(wanted), rule, points);
        return true;
    case RULE_PART_EQUAL:
    case RULE_PART_UNEQUAL:
        if ((test->shape == RULE_PART_EQUAL) != wanted)
            return false;
        for (uint32_t i = 0; i < test->value_count; i++) {
            value = test->values[i];
            value.type = screen_catalogue.features[feature].type;
            add_value(search, feature, value, rule, points);
        }
        return true;
    case RULE_PART_LESS:
    case RULE_PART_AT_MOST:
    case RULE_PART_MORE:
    case RULE_PART_AT_LEAST:
        if (!move_over(test, wanted, &value))
            return false;
        add_value(search, feature, value, rule, points);
        return true;
    case RULE_PART_OTHER:
        break;
    }
    return false;
}

/* All tests below the part that could make it come out as wanted. Depth is limited. */
static void add_part(struct search *search, const struct rule_part *part, bool wanted,
                     uint32_t rule, int points) /* NOLINT(misc-no-recursion) */
{
    if (part->result == (wanted ? RULE_TRUE : RULE_FALSE))
        return;
    if (part->kind == RULE_PART_NOT) {
        add_part(search, part->first, !wanted, rule, points);
        return;
    }
    for (const struct rule_part *child = part->first; child != NULL; child = child->next)
        add_part(search, child, wanted, rule, points);
    if (part->kind != RULE_PART_TEST || add_by_value(search, part, wanted, rule, points))
        return;
    const struct screen_change change = {
        .kind = SCREEN_CHANGE_TEST, .test = part, .holds = wanted, .rule = rule, .points = points};
    add(search, &change);
}

static void add_mode(struct search *search, enum screen_change_kind kind, uint32_t rule, int points)
{
    const struct screen_change change = {.kind = kind, .rule = rule, .points = points};
    add(search, &change);
}

static bool has_fired(const struct rule_outcome *outcome, uint32_t rule)
{
    for (uint32_t i = 0; i < outcome->fired_count; i++)
        if (outcome->fired[i].rule == rule)
            return true;
    return false;
}

static unsigned failing(const struct rule_part *root)
{
    unsigned count = 0;
    if (root->kind != RULE_PART_ALL)
        return root->result != RULE_TRUE;
    for (const struct rule_part *part = root->first; part != NULL; part = part->next)
        count += part->result != RULE_TRUE;
    return count;
}

static void take_rule(struct search *search, uint32_t rule, bool fired, int points)
{
    struct rule_part *root = NULL;
    if (rule_set_parts(search->rules, rule, search->arena, &root) != 0) {
        search->no_memory = true;
        return;
    }
    screen_engine_run_parts(search->engine, root);
    if (fired || failing(root) <= NEAR)
        add_part(search, root, !fired, rule, points);
}

struct card_visit {
    struct search *search;
    uint32_t rule;
};

static void take_card_value(void *context, uint16_t feature, const struct rule_value *value)
{
    const struct card_visit *visit = context;
    add_value(visit->search, (enum screen_feature)feature, *value, visit->rule, 0);
}

/* A scorecard weighs values: one of each bin. */
static void take_cards(struct search *search)
{
    for (uint32_t rule = 0; rule < rule_set_count(search->rules); rule++) {
        const struct rule_info *info = rule_set_rule(search->rules, rule);
        struct card_visit visit = {search, rule};
        if (info->is_card && info->mode == RULE_ENFORCE && search->results[rule] == RULE_TRUE)
            rule_set_card_values(search->rules, rule, take_card_value, &visit);
    }
}

/* Rules that fired first: their tests and they themselves; then those that could still fire. */
static void take_rules(struct search *search)
{
    const struct rule_outcome *outcome = screen_engine_outcome(search->engine);
    for (uint32_t i = 0; i < outcome->fired_count; i++) {
        const struct rule_fired *fired = &outcome->fired[i];
        if (!fired->shadow)
            take_rule(search, fired->rule, true, fired->points);
        add_mode(search, fired->shadow ? SCREEN_CHANGE_RULE_ON : SCREEN_CHANGE_RULE_OFF,
                 fired->rule, fired->points);
    }
    for (uint32_t rule = 0; rule < rule_set_count(search->rules); rule++) {
        const struct rule_info *info = rule_set_rule(search->rules, rule);
        enum rule_result result = search->results[rule];
        bool asked = result == RULE_FALSE || result == RULE_UNKNOWN;
        if (asked && info->mode == RULE_ENFORCE && !has_fired(outcome, rule))
            take_rule(search, rule, false, info->score);
    }
}

/* What decided before any rule. */
static void take_order(struct search *search)
{
    const struct screen_facts *facts = screen_engine_facts(search->engine);
    switch (search->verdict->authority) {
    case SCREEN_AUTHORITY_PROTECTED_CALLEE:
        add_value(search, SCREEN_FEATURE_CALLEE_PROTECTED, rule_flag(false), 0, 0);
        break;
    case SCREEN_AUTHORITY_ALLOW:
        if (facts->caller_line != NULL)
            add_value(search, SCREEN_FEATURE_CALLER_PROTECTED, rule_flag(false), 0, 0);
        if (search->verdict->finding.entry.list == REP_LIST_ALLOW)
            add_value(search, SCREEN_FEATURE_REPUTATION_LIST, rule_text(SLICE("none")), 0, 0);
        break;
    case SCREEN_AUTHORITY_BLOCK:
        if (search->verdict->finding.entry.list == REP_LIST_BLOCK)
            add_value(search, SCREEN_FEATURE_REPUTATION_LIST, rule_text(SLICE("none")), 0, 0);
        if (screen_engine_diverting(search->engine)->entry.list == REP_LIST_BLOCK)
            add_mode(search, SCREEN_CHANGE_DIVERTING, 0, 0);
        break;
    default:
        break;
    }
}

/* ---- trying --------------------------------------------------------------------------------- */

/* What the call would get with the changes. The input brings overrides of its own. */
static int judge_with(struct search *search, const struct screen_change *const *changes,
                      size_t count, struct screen_verdict *verdict)
{
    const struct screen_what_if *given = search->input->what_if;
    struct screen_override overrides[OVERRIDES_MAX + SCREEN_CHANGES_AT_ONCE];
    struct screen_what_if what_if = {.overrides = overrides};
    struct screen_input input = *search->input;
    if (given != NULL) {
        what_if = *given;
        what_if.overrides = overrides;
        for (size_t i = 0; i < given->override_count && i < OVERRIDES_MAX; i++)
            overrides[i] = given->overrides[i];
    }
    if (what_if.override_count > OVERRIDES_MAX)
        what_if.override_count = OVERRIDES_MAX;
    rule_trial_reset(search->trial);
    for (size_t i = 0; i < count; i++) {
        const struct screen_change *change = changes[i];
        int error = 0;
        if (change->kind == SCREEN_CHANGE_FEATURE)
            overrides[what_if.override_count++] = change->override;
        else if (change->kind == SCREEN_CHANGE_TEST)
            error = rule_trial_turn(search->trial, change->test, change->holds);
        else if (change->kind == SCREEN_CHANGE_DIVERTING)
            what_if.diverting_unlisted = true;
        else
            rule_trial_set_mode(search->trial, change->rule,
                                change->kind == SCREEN_CHANGE_RULE_ON ? RULE_ENFORCE : RULE_OFF);
        if (error != 0)
            return error;
    }
    what_if.rules = rule_trial_set(search->trial);
    input.what_if = &what_if;
    input.trace = NULL;
    search->turns->tried++;
    return screen_judge(search->engine, search->policy, &input, verdict);
}

static bool is_of_rules(const struct screen_turn *turn)
{
    for (size_t i = 0; i < turn->count; i++)
        if (turn->changes[i].kind == SCREEN_CHANGE_RULE_OFF ||
            turn->changes[i].kind == SCREEN_CHANGE_RULE_ON)
            return true;
    return false;
}

/* Changes of the call before changes of the rules; the answer is full at SCREEN_TURNS_MAX. */
static void keep(struct search *search, const struct screen_turn *turn)
{
    struct screen_turns *turns = search->turns;
    size_t at = turns->count;
    if (!is_of_rules(turn))
        for (at = 0; at < turns->count && !is_of_rules(&turns->turns[at]);)
            at++;
    if (turns->count == SCREEN_TURNS_MAX && at >= SCREEN_TURNS_MAX) {
        turns->cut_short = true;
        return;
    }
    if (turns->count < SCREEN_TURNS_MAX)
        turns->count++;
    else
        turns->cut_short = true;
    for (size_t i = turns->count - 1; i > at; i--)
        turns->turns[i] = turns->turns[i - 1];
    turns->turns[at] = *turn;
}

static bool differs(const struct screen_verdict *a, const struct screen_verdict *b)
{
    return a->action != b->action || (a->action == RULE_BLOCK && a->profile != b->profile);
}

/* The feature that a change is about; SCREEN_FEATURE_COUNT for none alone. */
static unsigned feature_of(const struct screen_change *change)
{
    if (change->kind == SCREEN_CHANGE_FEATURE)
        return change->override.feature;
    bool single = change->kind == SCREEN_CHANGE_TEST && change->test->shape != RULE_PART_OTHER;
    return single ? change->test->feature : SCREEN_FEATURE_COUNT;
}

/* Whether another value of the same feature has led to the same. */
static bool is_said(const struct screen_turns *turns, const struct screen_turn *turn)
{
    const unsigned feature = feature_of(&turn->changes[0]);
    for (size_t i = 0; turn->count == 1 && feature != SCREEN_FEATURE_COUNT && i < turns->count; i++)
        if (turns->turns[i].count == 1 && turns->turns[i].action == turn->action &&
            feature_of(&turns->turns[i].changes[0]) == feature)
            return true;
    return false;
}

static int try_changes(struct search *search, const struct screen_change *const *changes,
                       size_t count)
{
    struct screen_verdict verdict;
    int error = judge_with(search, changes, count, &verdict);
    if (error != 0 || verdict.pending || !differs(&verdict, search->verdict))
        return error;
    struct screen_turn turn = {.count = count,
                               .action = verdict.action,
                               .authority = verdict.authority,
                               .score = verdict.score};
    for (size_t i = 0; i < count; i++)
        turn.changes[i] = *changes[i];
    if (!is_said(search->turns, &turn))
        keep(search, &turn);
    return 0;
}

static bool time_is_up(struct search *search)
{
    if (clock_monotonic_us() < search->until_us)
        return false;
    search->turns->cut_short = true;
    return true;
}

static int try_singles(struct search *search)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < search->count && !time_is_up(search); i++) {
        const struct screen_change *change = &search->candidates[i];
        error = try_changes(search, &change, 1);
    }
    return error;
}

/* Two values of one feature at once are no call. */
static bool can_be_together(const struct screen_change *a, const struct screen_change *b)
{
    return a->kind != SCREEN_CHANGE_FEATURE || b->kind != SCREEN_CHANGE_FEATURE ||
           a->override.feature != b->override.feature;
}

static int try_pairs(struct search *search)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < search->count; i++)
        for (size_t j = i + 1; error == 0 && j < search->count; j++) {
            const struct screen_change *pair[] = {&search->candidates[i], &search->candidates[j]};
            if (!can_be_together(pair[0], pair[1]))
                continue;
            if (time_is_up(search) || search->turns->count == SCREEN_TURNS_MAX)
                return 0;
            error = try_changes(search, pair, 2);
        }
    return error;
}

int screen_find_changes(struct screen_engine *engine, const struct screen_policy *policy,
                        const struct screen_input *input, const struct screen_verdict *verdict,
                        const enum rule_result *results, struct arena *arena, uint64_t limit_us,
                        struct screen_turns *turns)
{
    memset(turns, 0, sizeof(*turns));
    if (verdict->authority == SCREEN_AUTHORITY_EMERGENCY)
        return 0;
    struct search *search = arena_zalloc(arena, sizeof(*search));
    if (search == NULL)
        return -ENOMEM;
    search->engine = engine;
    search->policy = policy;
    search->input = input;
    search->verdict = verdict;
    search->rules = screen_policy_rules(policy);
    search->results = results;
    search->arena = arena;
    search->until_us = clock_monotonic_us() + limit_us;
    search->turns = turns;
    take_order(search);
    if (verdict->rules_ran) {
        take_rules(search);
        take_cards(search);
    }
    int error = search->no_memory ? -ENOMEM : rule_trial_create(search->rules, &search->trial);
    if (error == 0)
        error = try_singles(search);
    if (error == 0 && turns->count == 0)
        error = try_pairs(search);
    rule_trial_destroy(search->trial);
    return error;
}
