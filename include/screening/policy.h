/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy: what calls are judged by; immutable, part of a snapshot.
 */
#ifndef RINGFENCE_SCREENING_POLICY_H
#define RINGFENCE_SCREENING_POLICY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/schema.h"
#include "number/normalise.h"
#include "number/protected.h"
#include "number/trie.h"
#include "rules/ruleset.h"
#include "screening/budget.h"
#include "stats/counters.h"

/* X(identifier, word) */
#define SCREEN_ORIGIN_TABLE(X)        \
    X(DOMESTIC, "domestic")           \
    X(INTERNATIONAL, "international") \
    X(PRIVATE, "private")

enum screen_origin {
#define SCREEN_ORIGIN_ROW(identifier, word) SCREEN_ORIGIN_##identifier,
    SCREEN_ORIGIN_TABLE(SCREEN_ORIGIN_ROW)
#undef SCREEN_ORIGIN_ROW
        SCREEN_ORIGIN_COUNT
};

const char *screen_origin_text(enum screen_origin origin);

/* What screening knows of the trunk that a call came in by. */
struct screen_trunk {
    struct slice name;
    struct slice country; /* ISO */
    enum screen_origin origin;
    bool trusted;
    struct num_profile profile;
    const struct num_trie *originates; /* digits of its own numbers, without '+'; NULL: none */
    struct screen_budget *blocks;      /* of what lists and reputation block; NULL: no limit */
};

/* The `screening` section of the configuration. */
struct screen_settings {
    uint64_t deadline_us;  /* for pending inputs */
    uint32_t parked_limit; /* per worker */
    uint64_t explain_keep_us;
    uint32_t explain_calls; /* per worker; 0: none are kept */
    int on_unknown;         /* enum rule_action_kind: allow, tag or block */
    int block_with;         /* enum rule_profile: for entries of the block list */
    struct slice score_header;
    struct slice reason_header;
    struct slice type_header;
    struct slice display_prefix; /* empty: none */
    struct slice analytics_name; /* v= of ATIS-1000099 */
    struct slice redress_url;    /* url= of ATIS-1000099 */
    struct slice redress_card;   /* Call-Info of RFC 8688; empty: none */
    struct conf_text_list protected_countries;
    struct conf_object_list protected_lines; /* struct screen_protected_settings */
};

struct screen_protected_settings {
    struct slice number;
    struct slice name;
};

extern const struct conf_section screen_section;

struct screen_policy;

/*
 * Takes the rule set over (also on failure it stays the caller's until success). Settings are
 * borrowed: they live in the snapshot that owns the policy. ERROR_CONFIG is reported. registry and
 * ledger may be NULL (a check only): nothing is labelled, and rules have no budgets.
 */
int screen_policy_create(const struct screen_settings *settings, struct rule_set *rules,
                         struct stats_registry *registry, struct screen_ledger *ledger,
                         struct conf_report *report, struct screen_policy **policy) MUST_CHECK;

const struct rule_set *screen_policy_rules(const struct screen_policy *policy);
const struct screen_settings *screen_policy_settings(const struct screen_policy *policy);
const struct num_protected *screen_policy_protected(const struct screen_policy *policy);

/* Labels of a rule, each of the family of that name; 0: there was no room for one. */
struct screen_rule_labels {
    uint32_t rules;
    uint32_t rules_shadow;
    uint32_t rules_cost;
    uint32_t rules_measured;
};

const struct screen_rule_labels *screen_policy_rule_labels(const struct screen_policy *policy,
                                                           uint32_t rule);
/* Label of a rule's scam type; 0 when it has none. */
uint32_t screen_policy_type_label(const struct screen_policy *policy, uint32_t rule);

enum { SCREEN_RULE_FEATURES = 6 };

/* The first features that a rule's condition or card names, in the catalogue's order. */
struct screen_rule_features {
    uint16_t features[SCREEN_RULE_FEATURES];
    uint8_t count;
};

const struct screen_rule_features *screen_policy_rule_features(const struct screen_policy *policy,
                                                               uint32_t rule);

/* NULL: no limit. */
struct screen_budget *screen_policy_budget(const struct screen_policy *policy, uint32_t rule);
/* For rule_inputs: a flag for each rule. NULL: no rule has a budget. */
const atomic_uchar *screen_policy_demoted(const struct screen_policy *policy);
/* A rule that has a budget. Any thread; the policy itself stays as it is. */
void screen_policy_demote(const struct screen_policy *policy, uint32_t rule);
void screen_policy_rearm(const struct screen_policy *policy, uint32_t rule);

/* X(identifier, word): what a rule does at a time. */
#define SCREEN_RULE_STATE_TABLE(X) \
    X(ENFORCED, "enforce")         \
    X(SHADOW, "shadow")            \
    X(OFF, "off")                  \
    X(DEMOTED, "demoted")          \
    X(EXPIRED, "expired")          \
    X(NOT_STARTED, "not started")

enum screen_rule_state {
#define SCREEN_RULE_STATE_ROW(identifier, word) SCREEN_RULE_##identifier,
    SCREEN_RULE_STATE_TABLE(SCREEN_RULE_STATE_ROW)
#undef SCREEN_RULE_STATE_ROW
        SCREEN_RULE_STATE_COUNT
};

enum screen_rule_state screen_policy_rule_state(const struct screen_policy *policy, uint32_t rule,
                                                uint64_t wall_us);
const char *screen_rule_state_text(enum screen_rule_state state);

/* For rule tests: what follows from given numbers (country, kind, valid). context: a
 * struct screen_derivation. */
struct screen_derivation {
    struct num_profile profile;
    struct num_number caller;
    struct num_number callee;
    struct num_number diverting;
};
void screen_derivation_init(struct screen_derivation *derivation);
void screen_derive(void *context, struct rule_value *values, size_t count);

/* NULL is allowed. */
void screen_policy_destroy(struct screen_policy *policy);

#endif
