/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/evaluate.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "index_int.h"
#include "ruleset_int.h"

static const char *const result_names[] = {
#define RULE_RESULT_ROW(name, word) [name] = (word),
    RULE_RESULT_TABLE(RULE_RESULT_ROW)
#undef RULE_RESULT_ROW
};

const char *rule_result_name(enum rule_result result)
{
    assert((unsigned)result < RULE_RESULT_COUNT);
    return result_names[result];
}

int rule_scratch_create(struct rule_scratch **scratch)
{
    struct rule_scratch *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->candidates = calloc(1, sizeof(*made->candidates));
    made->memos = calloc(RULE_MEMO_MAX, sizeof(*made->memos));
    int error = made->candidates != NULL && made->memos != NULL ? 0 : -ENOMEM;
    if (error == 0)
        error = rule_matcher_create(&made->matcher);
    if (error != 0) {
        rule_scratch_destroy(made);
        return error;
    }
    *scratch = made;
    return 0;
}

void rule_scratch_destroy(struct rule_scratch *scratch)
{
    if (scratch == NULL)
        return;
    rule_matcher_destroy(scratch->matcher);
    free(scratch->candidates);
    free(scratch->memos);
    free(scratch);
}

/* What one decision is made of, gathered rule by rule. */
struct tally {
    int64_t points;
    int best_points; /* of type_rule */
    int32_t type_rule;
    const struct rule_action *demand; /* the most severe, or an allow */
    int32_t demand_rule;
};

struct evaluation {
    const struct rule_set *set;
    struct rule_scratch *scratch;
    const struct rule_inputs *inputs;
    struct rule_outcome *outcome;
    struct tally live;
    struct tally shadow;
    bool shadow_fired;
};

static void tally_start(struct tally *tally)
{
    *tally = (struct tally){.type_rule = RULE_NONE, .demand_rule = RULE_NONE};
}

/* An allow is asked for by whoever knows better than the others, so it ends the contest. */
static bool outdoes(const struct rule_action *action, const struct rule_action *other)
{
    if (other == NULL || action->kind == RULE_ALLOW)
        return other == NULL || other->kind != RULE_ALLOW;
    return other->kind != RULE_ALLOW && action->kind > other->kind;
}

static void tally_add(struct tally *tally, const struct rule_entry *entry, uint32_t rule,
                      int points)
{
    tally->points += points;
    if (entry->has_type && points > tally->best_points) {
        tally->best_points = points;
        tally->type_rule = (int32_t)rule;
    }
    if (entry->action != NULL && outdoes(entry->action, tally->demand)) {
        tally->demand = entry->action;
        tally->demand_rule = (int32_t)rule;
    }
}

static int clip(int64_t points)
{
    return points < 0 ? 0 : points > RULE_SCORE_MAX ? RULE_SCORE_MAX : (int)points;
}

/* The highest step whose threshold the score reaches; steps are few and sorted. */
static int32_t step_for(const struct rule_set *set, int score)
{
    int32_t reached = RULE_NONE;
    for (size_t i = 0; i < set->steps.count && rule_set_step(set, i)->at <= score; i++)
        reached = (int32_t)i;
    return reached;
}

static void decide(const struct rule_set *set, const struct tally *tally,
                   struct rule_decision *decision)
{
    decision->score = clip(tally->points);
    decision->type_rule = tally->type_rule;
    decision->step = step_for(set, decision->score);
    decision->action_rule = RULE_NONE;
    decision->action =
        decision->step != RULE_NONE ? &rule_set_step(set, (size_t)decision->step)->action : NULL;
    /* A demanded allow wins against a policy too; that is why it is not compared by outdoes(). */
    bool stands =
        tally->demand != NULL && (decision->action == NULL || tally->demand->kind == RULE_ALLOW ||
                                  tally->demand->kind > decision->action->kind);
    if (stands) {
        decision->action = tally->demand;
        decision->action_rule = tally->demand_rule;
    }
}

/* The same calls stay within a roll-out that grows, and rules draw their calls apart from each
 * other, since the share is taken of a hash over both. */
static bool is_rolled_out(const struct evaluation *evaluation, const struct rule_entry *entry,
                          uint32_t rule)
{
    if (entry->rollout >= RULE_ROLLOUT_ALL || evaluation->inputs->rolled_out)
        return true;
    const struct slice id = slice_of_text(rule_set_rule(evaluation->set, rule)->id);
    const struct hash_key key = {{evaluation->inputs->call_hash, UINT64_C(0x726f6c6c6f7574)}};
    return hash_slice(&key, id) % RULE_ROLLOUT_ALL < entry->rollout;
}

static bool is_shadowed(const struct evaluation *evaluation, const struct rule_entry *entry,
                        uint32_t rule)
{
    const atomic_uchar *demoted = evaluation->inputs->demoted;
    return entry->mode == RULE_SHADOW ||
           (demoted != NULL && atomic_load_explicit(&demoted[rule], memory_order_relaxed) != 0) ||
           !is_rolled_out(evaluation, entry, rule);
}

/* A scorecard that comes to no points has nothing to say. */
static void add_fired(struct evaluation *evaluation, const struct rule_entry *entry, uint32_t rule)
{
    struct rule_outcome *outcome = evaluation->outcome;
    int points = entry->points;
    if (entry->card != NULL)
        points = rule_card_points(entry->card, &evaluation->set->program, evaluation->inputs,
                                  evaluation->scratch);
    if (entry->card != NULL && points == 0)
        return;
    bool is_shadow = is_shadowed(evaluation, entry, rule);
    tally_add(&evaluation->shadow, entry, rule, points);
    if (is_shadow)
        evaluation->shadow_fired = true;
    else
        tally_add(&evaluation->live, entry, rule, points);
    outcome->fired_total++;
    if (outcome->fired_count < RULE_FIRED_MAX)
        outcome->fired[outcome->fired_count++] =
            (struct rule_fired){rule, (int16_t)points, is_shadow};
}

static void clear_marks(struct rule_scratch *scratch)
{
    memset(scratch->unknown_features, 0, sizeof(scratch->unknown_features));
    scratch->unknown_header = false;
}

/* The marks that the run of an undecided rule left become part of the outcome. */
static void add_unknown(struct evaluation *evaluation, uint32_t rule)
{
    struct rule_outcome *outcome = evaluation->outcome;
    for (size_t i = 0; i < RULE_FEATURE_WORDS; i++)
        outcome->unknown_features[i] |= evaluation->scratch->unknown_features[i];
    outcome->unknown_header = outcome->unknown_header || evaluation->scratch->unknown_header;
    outcome->unknown_total++;
    if (outcome->unknown_count < RULE_UNKNOWN_MAX)
        outcome->unknown[outcome->unknown_count++] = rule;
}

enum rule_result rule_entry_asked(const struct rule_entry *entry, int64_t now_us)
{
    if (entry->mode == RULE_OFF)
        return RULE_IS_OFF;
    if (now_us >= entry->expires_us)
        return RULE_EXPIRED;
    return now_us < entry->starts_us ? RULE_NOT_STARTED : RULE_TRUE;
}

static void add_result(struct evaluation *evaluation, const struct rule_entry *entry, uint32_t rule,
                       enum rule_result result)
{
    evaluation->outcome->tried++;
    if (result == RULE_TRUE)
        add_fired(evaluation, entry, rule);
    else if (result == RULE_UNKNOWN)
        add_unknown(evaluation, rule);
}

/* Every rule by its whole condition, in order. */
static void try_all(struct evaluation *evaluation, const struct rule_trace *trace, int64_t now_us)
{
    const struct rule_set *set = evaluation->set;
    const struct rule_entry *entries = set->entries.items;
    for (uint32_t i = 0; i < set->entries.count; i++) {
        enum rule_result result = rule_entry_asked(&entries[i], now_us);
        if (result == RULE_TRUE) {
            clear_marks(evaluation->scratch);
            result = rule_program_run(&set->program, entries[i].span, evaluation->inputs,
                                      evaluation->scratch);
            add_result(evaluation, &entries[i], i, result);
        }
        if (trace != NULL)
            trace->rule(trace->context, i, result);
    }
}

static void try_candidate(struct evaluation *evaluation, struct rule_search *search, uint32_t rule,
                          int64_t now_us)
{
    const struct rule_entry *entry =
        (const struct rule_entry *)evaluation->set->entries.items + rule;
    if (rule_entry_asked(entry, now_us) != RULE_TRUE)
        return;
    clear_marks(evaluation->scratch);
    add_result(evaluation, entry, rule, rule_index_run(search, rule));
}

/* The rules that the index leads to, in order. */
static void try_candidates(struct evaluation *evaluation, int64_t now_us)
{
    struct rule_candidates *candidates = evaluation->scratch->candidates;
    struct rule_outcome *outcome = evaluation->outcome;
    struct rule_search search;
    rule_index_start(&search, evaluation->set, evaluation->inputs, evaluation->scratch, outcome);
    rule_index_search(&search);
    for (uint32_t rule; rule_candidates_take(candidates, &rule);)
        try_candidate(evaluation, &search, rule, now_us);
    if (search.sure_count > 0)
        rule_index_merge(outcome->unknown, &outcome->unknown_count, search.sure, search.sure_count);
}

void rule_outcome_start(struct rule_outcome *outcome)
{
    outcome->tried = 0;
    outcome->fired_count = 0;
    outcome->fired_total = 0;
    outcome->unknown_count = 0;
    outcome->unknown_total = 0;
    memset(outcome->unknown_features, 0, sizeof(outcome->unknown_features));
    outcome->unknown_header = false;
}

static void clear_counts(struct rule_scratch *scratch)
{
    scratch->regex_too_long = 0;
    scratch->regex_limited = 0;
    scratch->regex_skipped = 0;
}

static void evaluate(const struct rule_set *set, struct rule_scratch *scratch,
                     const struct rule_inputs *inputs, uint64_t wall_us,
                     const struct rule_trace *trace, bool indexed, struct rule_outcome *outcome)
{
    struct evaluation evaluation = {set, scratch, inputs, outcome, {0}, {0}, false};
    const int64_t now_us = wall_us > INT64_MAX ? INT64_MAX : (int64_t)wall_us;
    tally_start(&evaluation.live);
    tally_start(&evaluation.shadow);
    rule_outcome_start(outcome);
    clear_counts(scratch);
    scratch->now_us = now_us;
    if (indexed && set->index != NULL)
        try_candidates(&evaluation, now_us);
    else
        try_all(&evaluation, trace, now_us);
    outcome->regex_too_long = scratch->regex_too_long;
    outcome->regex_limited = scratch->regex_limited;
    outcome->regex_skipped = scratch->regex_skipped;
    decide(set, &evaluation.live, &outcome->live);
    if (evaluation.shadow_fired)
        decide(set, &evaluation.shadow, &outcome->shadow);
    else
        outcome->shadow = outcome->live;
}

void rule_set_evaluate(const struct rule_set *set, struct rule_scratch *scratch,
                       const struct rule_inputs *inputs, uint64_t wall_us,
                       const struct rule_trace *trace, struct rule_outcome *outcome)
{
    evaluate(set, scratch, inputs, wall_us, trace, trace == NULL, outcome);
}

void rule_set_evaluate_plain(const struct rule_set *set, struct rule_scratch *scratch,
                             const struct rule_inputs *inputs, uint64_t wall_us,
                             struct rule_outcome *outcome)
{
    evaluate(set, scratch, inputs, wall_us, NULL, false, outcome);
}

enum rule_result rule_set_test_rule(const struct rule_set *set, struct rule_scratch *scratch,
                                    const struct rule_inputs *inputs, size_t rule, int *points)
{
    const struct rule_entry *entry = (const struct rule_entry *)set->entries.items + rule;
    assert(rule < set->entries.count);
    clear_marks(scratch);
    clear_counts(scratch);
    scratch->now_us = INT64_MIN;
    *points = 0;
    enum rule_result result = rule_program_run(&set->program, entry->span, inputs, scratch);
    if (result == RULE_TRUE)
        *points = entry->card != NULL
                      ? rule_card_points(entry->card, &set->program, inputs, scratch)
                      : entry->points;
    return result;
}

void rule_set_card_parts(const struct rule_set *set, struct rule_scratch *scratch,
                         const struct rule_inputs *inputs, size_t rule,
                         void (*visit)(void *context, const struct rule_card_part *part),
                         void *context)
{
    const struct rule_entry *entry = (const struct rule_entry *)set->entries.items + rule;
    assert(rule < set->entries.count);
    if (entry->card == NULL)
        return;
    const struct rule_card_part intercept = {.feature = "",
                                             .value = rule_unknown(RULE_INTEGER),
                                             .bin = RULE_NONE,
                                             .points = entry->card->intercept};
    visit(context, &intercept);
    for (size_t i = 0; i < entry->card->count; i++) {
        const struct rule_card_part part =
            rule_card_part(&entry->card->features[i], &set->program, inputs, scratch);
        visit(context, &part);
    }
}
