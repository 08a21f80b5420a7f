/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part: a rule's condition taken apart again, and altered on trial; for `explain`.
 *
 * The parts are read back from the compiled condition, so they are what is evaluated: named
 * conditions stand in full, and any() and all() are what they stand for. Nothing is kept for it
 * while calls are judged.
 */
#ifndef RINGFENCE_RULES_PART_H
#define RINGFENCE_RULES_PART_H

#include "base/arena.h"
#include "base/buffer.h"
#include "rules/evaluate.h"

enum rule_part_kind {
    RULE_PART_ALL,  /* true when all its parts are */
    RULE_PART_ANY,  /* true when one of its parts is */
    RULE_PART_NOT,  /* true when its part is false */
    RULE_PART_TEST, /* a flag that is no combination of others */
    RULE_PART_VALUE /* within a test only */
};

/* What a test asks of a single feature, where that is all it does. */
enum rule_part_shape {
    RULE_PART_OTHER,
    RULE_PART_FLAG,     /* the feature itself */
    RULE_PART_EQUAL,    /* that it is one of `values` */
    RULE_PART_UNEQUAL,  /* that it is not values[0] */
    RULE_PART_LESS,     /* than values[0] */
    RULE_PART_AT_MOST,  /* values[0] */
    RULE_PART_MORE,     /* than values[0] */
    RULE_PART_AT_LEAST, /* values[0] */
};

struct rule_part {
    enum rule_part_kind kind;
    enum rule_result result; /* filled by rule_set_run_parts() */
    struct slice text;       /* as conditions are written; ends in "..." when it was too long */
    struct rule_part *first;
    struct rule_part *next;
    struct rule_part *last; /* of its parts */
    uint32_t begin;         /* where the set has it; names it among the set's tests */
    uint32_t past;
    uint64_t features[RULE_FEATURE_WORDS]; /* that it names */
    bool has_header;
    enum rule_part_shape shape;
    uint16_t feature; /* of a shape but RULE_PART_OTHER */
    const struct rule_value *values;
    uint32_t value_count;
};

/* The condition of a rule, groups, `when` and `unless` together; in the arena. A condition of one
 * test is that test. -ENOMEM. */
int rule_set_parts(const struct rule_set *set, size_t rule, struct arena *arena,
                   struct rule_part **root) MUST_CHECK;

/* What each part is with these inputs at that wall time, whatever the rule's mode and dates. */
void rule_set_run_parts(const struct rule_set *set, struct rule_scratch *scratch,
                        const struct rule_inputs *inputs, uint64_t wall_us, struct rule_part *root);

/* Values that a scorecard tells apart, of those of its features that are no expressions: what
 * stands in its bins, and for a bound the value below it too. Nothing for a rule that is no
 * scorecard. */
void rule_set_card_values(const struct rule_set *set, size_t rule,
                          void (*visit)(void *context, uint16_t feature,
                                        const struct rule_value *value),
                          void *context);

static inline bool rule_part_names(const struct rule_part *part, uint16_t feature)
{
    return (part->features[feature / 64] >> (feature % 64) & 1) != 0;
}

/* A known value as it is written in a condition; nothing for an unknown one. */
void rule_value_write(struct buffer *out, const struct rule_value *value);

/* What is written for a feature: 0, -EBADMSG when it is of another type, -ERANGE. The value borrows
 * from the text; "unknown" makes it unknown. */
int rule_value_read(const struct rule_feature *feature, struct slice text,
                    struct rule_value *value) MUST_CHECK;

/* ---- on trial ------------------------------------------------------------------------------- */

/* A set of which some tests and rules are other than they are written. */
struct rule_trial;

/* The set is borrowed and stays as it is. */
int rule_trial_create(const struct rule_set *set, struct rule_trial **trial) MUST_CHECK;

/* To evaluate; its rules are numbered as those of the original. The original itself while nothing
 * is altered. */
const struct rule_set *rule_trial_set(const struct rule_trial *trial);

/* The test comes out so wherever the set asks it. -ENOMEM. */
int rule_trial_turn(struct rule_trial *trial, const struct rule_part *test, bool holds) MUST_CHECK;

/* For all calls: a roll-out does not count any more. */
void rule_trial_set_mode(struct rule_trial *trial, size_t rule, enum rule_mode mode);

/* Everything is as it is written. */
void rule_trial_reset(struct rule_trial *trial);

/* NULL is allowed. */
void rule_trial_destroy(struct rule_trial *trial);

#endif
