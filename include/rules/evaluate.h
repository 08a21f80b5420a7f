/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate: one call's features against a rule set.
 *
 * Rules are found by what their conditions require, so the cost follows the rules that could fire,
 * not those that exist, and a condition that several rules share is evaluated once. The outcome is
 * exactly that of trying every rule in turn; only the counts of regular expressions tell how many
 * were run.
 *
 * Nothing is allocated on the way, except that PCRE2 may enlarge the scratch the first time that a
 * pattern needs it. Features are fetched possibly several times: the callback memoises.
 */
#ifndef RINGFENCE_RULES_EVALUATE_H
#define RINGFENCE_RULES_EVALUATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "rules/ruleset.h"
#include "rules/value.h"

enum {
    RULE_FIRED_MAX = 64,    /* fired rules listed in an outcome */
    RULE_UNKNOWN_MAX = 32,  /* unknown rules listed in an outcome */
    RULE_SUBJECT_MAX = 256, /* bytes that a regular expression sees */
    RULE_FEATURE_WORDS = RULE_FEATURE_MAX / 64
};

/* Working memory of one thread; serves any set. */
struct rule_scratch;

int rule_scratch_create(struct rule_scratch **scratch) MUST_CHECK;
/* NULL is allowed. */
void rule_scratch_destroy(struct rule_scratch *scratch);

struct rule_inputs {
    void *context;
    /* Never waits. The result is of the feature's type and lives until the evaluation returns; NULL
     * means unknown. */
    const struct rule_value *(*fetch)(void *context, uint16_t feature);
    /* Whether the message has that header (the name is compared without case); *value becomes its
     * first value as text, or stays unknown. NULL: headers are never there. */
    bool (*fetch_header)(void *context, struct slice name, struct rule_value *value);
    /* Under overload: every regular expression is unknown. */
    bool skip_regex;
    /* Of the call: a keyed hash of what stays the same when it is judged again, its Call-ID,
     * chooses whether it is within the roll-out of a rule. */
    uint64_t call_hash;
    /* For tests: every roll-out counts as complete, whatever the call. */
    bool rolled_out;
    /* One for each rule; a rule whose flag is set is in shadow, whatever its mode, so that whoever
     * enforces calls can demote it while others evaluate. Read relaxed. NULL: none is. */
    const atomic_uchar *demoted;
};

/* X(name, word): what became of one rule. */
#define RULE_RESULT_TABLE(X)   \
    X(RULE_FALSE, "no")        \
    X(RULE_TRUE, "fires")      \
    X(RULE_UNKNOWN, "unknown") \
    X(RULE_IS_OFF, "off")      \
    X(RULE_EXPIRED, "expired") \
    X(RULE_NOT_STARTED, "not started")

enum rule_result {
#define RULE_RESULT_ROW(name, word) name,
    RULE_RESULT_TABLE(RULE_RESULT_ROW)
#undef RULE_RESULT_ROW
        RULE_RESULT_COUNT
};

/* For `explain`: told about every rule in order. */
struct rule_trace {
    void *context;
    void (*rule)(void *context, uint32_t rule, enum rule_result result);
};

struct rule_fired {
    uint32_t rule;
    int16_t points;
    bool shadow;
};

/*
 * What the rules say. An allow that a fired rule demands beats all other demands and the policy;
 * otherwise the most severe of the demands and the policy's step stands, the policy's at a tie.
 */
struct rule_decision {
    int score;                        /* sum of the points, clipped to 0..100 */
    const struct rule_action *action; /* belongs to the set; NULL: nothing is demanded */
    int32_t step;                     /* the policy step reached, or RULE_NONE */
    int32_t action_rule;              /* the rule whose demand stands, or RULE_NONE */
    int32_t type_rule;                /* fired, with most points above 0 and a type; or RULE_NONE */
};

struct rule_outcome {
    struct rule_decision live;   /* enforced rules only */
    struct rule_decision shadow; /* if the shadow rules were enforced too */
    uint32_t tried; /* rules whose conditions were run; the index knew the results of the others */
    /* In the set's order; the totals also count what found no room. */
    uint32_t fired_count;
    uint32_t fired_total;
    struct rule_fired fired[RULE_FIRED_MAX];
    uint32_t unknown_count;
    uint32_t unknown_total;
    uint32_t unknown[RULE_UNKNOWN_MAX];
    /* Features, a bit each, that kept some rule from being decided. */
    uint64_t unknown_features[RULE_FEATURE_WORDS];
    bool unknown_header;
    /* Regular expressions that were unknown because the subject was longer than RULE_SUBJECT_MAX,
     * a match limit was reached, or skip_regex was set. */
    uint32_t regex_too_long;
    uint32_t regex_limited;
    uint32_t regex_skipped;
};

/* wall_us decides about `starts` and `expires`, also of list entries. trace may be NULL; with one,
 * every rule is tried. */
void rule_set_evaluate(const struct rule_set *set, struct rule_scratch *scratch,
                       const struct rule_inputs *inputs, uint64_t wall_us,
                       const struct rule_trace *trace, struct rule_outcome *outcome);

/* The same by trying every rule: what the index is tested against. */
void rule_set_evaluate_plain(const struct rule_set *set, struct rule_scratch *scratch,
                             const struct rule_inputs *inputs, uint64_t wall_us,
                             struct rule_outcome *outcome);

/* How a scorecard came to its points: one feature of it, in the card's order. */
struct rule_card_part {
    const char *feature; /* as it is written; "" for the intercept, which comes first */
    struct rule_value value;
    int32_t bin; /* RULE_NONE: unknown, or in none of them */
    int points;
};

/* For `explain`, after rule_set_evaluate() with the same inputs; nothing for a rule that is no
 * scorecard. */
void rule_set_card_parts(const struct rule_set *set, struct rule_scratch *scratch,
                         const struct rule_inputs *inputs, size_t rule,
                         void (*visit)(void *context, const struct rule_card_part *part),
                         void *context);

/* One rule by itself, whatever its mode and dates: true, false or unknown. Of a scorecard: whether
 * it applies; *points then is what it comes to, as the score of a rule that fires. */
enum rule_result rule_set_test_rule(const struct rule_set *set, struct rule_scratch *scratch,
                                    const struct rule_inputs *inputs, size_t rule, int *points);

/* For rule_set_measure(): told the time that each rule took. */
struct rule_meter {
    void *context;
    uint64_t (*clock_ns)(void);
    void (*rule)(void *context, uint32_t rule, uint64_t nanoseconds);
};

enum { RULE_MEASURED_MAX = 64 };

/*
 * Measures the rules that rule_set_evaluate() with the same inputs runs, each by itself: its whole
 * condition (and card), nothing of it shared with other rules, features being fetched already. At
 * most RULE_MEASURED_MAX rules, beginning with the rule `from`; returns where the next measurement
 * may go on. A cheap rule is run several times, so that the clock's own time is no part of it.
 */
uint32_t rule_set_measure(const struct rule_set *set, struct rule_scratch *scratch,
                          const struct rule_inputs *inputs, uint64_t wall_us, uint32_t from,
                          const struct rule_meter *meter);

const char *rule_result_name(enum rule_result result);

static inline bool rule_feature_unknown(const struct rule_outcome *outcome, uint16_t feature)
{
    return (outcome->unknown_features[feature / 64] >> (feature % 64) & 1) != 0;
}

#endif
