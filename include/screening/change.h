/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change: the smallest changes that would have turned a verdict.
 *
 * Candidates come from the order of authority, from the rules that fired and from those that came
 * near; each is tried by judging the call again with it, so the engine stays the only judge.
 * Single changes are tried first, pairs only when none of them turns the verdict. Takes time: not
 * for the call path.
 */
#ifndef RINGFENCE_SCREENING_CHANGE_H
#define RINGFENCE_SCREENING_CHANGE_H

#include "screening/engine.h"

enum {
    SCREEN_CHANGES_AT_ONCE = 2,
    SCREEN_TURNS_MAX = 16 /* in an answer */
};

enum screen_change_kind {
    SCREEN_CHANGE_FEATURE,   /* a feature has another value */
    SCREEN_CHANGE_TEST,      /* a test of a condition comes out otherwise */
    SCREEN_CHANGE_RULE_OFF,  /* a rule that fired is off */
    SCREEN_CHANGE_RULE_ON,   /* a rule that fired in shadow is enforced */
    SCREEN_CHANGE_DIVERTING, /* no list names the number that forwarded the call */
};

struct screen_change {
    enum screen_change_kind kind;
    struct screen_override override; /* FEATURE */
    const struct rule_part *test;    /* TEST, in the arena */
    bool holds;                      /* TEST: it would */
    uint32_t rule;                   /* RULE_*; of the others, the rule that brought it up */
    int points;                      /* of that rule */
};

/* Changes that turn the verdict together, and what it is with them. */
struct screen_turn {
    size_t count;
    struct screen_change changes[SCREEN_CHANGES_AT_ONCE];
    enum rule_action_kind action;
    enum screen_authority authority;
    uint8_t score;
};

struct screen_turns {
    size_t count;
    struct screen_turn turns[SCREEN_TURNS_MAX]; /* those of the call first, then of the rules */
    uint32_t tried;                             /* judgements that it took */
    bool cut_short; /* time was up, or there were more candidates than are tried */
};

/*
 * For the call that was judged last, with this input, as `verdict`; `results` has what became of
 * each rule then. Takes at most about `limit_us`. The engine's latest call is another one
 * afterwards. 0 or -ENOMEM.
 */
int screen_find_changes(struct screen_engine *engine, const struct screen_policy *policy,
                        const struct screen_input *input, const struct screen_verdict *verdict,
                        const enum rule_result *results, struct arena *arena, uint64_t limit_us,
                        struct screen_turns *turns) MUST_CHECK;

#endif
