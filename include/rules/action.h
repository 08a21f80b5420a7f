/* SPDX-License-Identifier: Apache-2.0 */
/*
 * action: what a policy step, or a rule by itself, demands for a call.
 */
#ifndef RINGFENCE_RULES_ACTION_H
#define RINGFENCE_RULES_ACTION_H

#include <stdint.h>

/* X(name, word), from the mildest to the most severe. */
#define RULE_ACTION_TABLE(X) \
    X(RULE_ALLOW, "allow")   \
    X(RULE_TAG, "tag")       \
    X(RULE_LIMIT, "limit")   \
    X(RULE_DIVERT, "divert") \
    X(RULE_BLOCK, "block")

enum rule_action_kind {
#define RULE_ACTION_ROW(name, word) name,
    RULE_ACTION_TABLE(RULE_ACTION_ROW)
#undef RULE_ACTION_ROW
        RULE_ACTION_COUNT
};

/* X(name, word, status): how a blocked call is answered. 603+ is ATIS-1000099. */
#define RULE_PROFILE_TABLE(X)       \
    X(RULE_PROFILE_403, "403", 403) \
    X(RULE_PROFILE_603, "603", 603) \
    X(RULE_PROFILE_603_PLUS, "603+", 603)

enum rule_profile {
#define RULE_PROFILE_ROW(name, word, status) name,
    RULE_PROFILE_TABLE(RULE_PROFILE_ROW)
#undef RULE_PROFILE_ROW
        RULE_PROFILE_COUNT
};

/* X(name, word): whose calls share one rate. */
#define RULE_RATE_PER_TABLE(X)   \
    X(RULE_PER_CALLER, "caller") \
    X(RULE_PER_RULE, "rule")

enum rule_rate_per {
#define RULE_RATE_PER_ROW(name, word) name,
    RULE_RATE_PER_TABLE(RULE_RATE_PER_ROW)
#undef RULE_RATE_PER_ROW
        RULE_RATE_PER_COUNT
};

enum rule_target_kind { RULE_TARGET_NONE, RULE_TARGET_TRUNK, RULE_TARGET_URI };

struct rule_place {
    const char *file;
    uint32_t line;
    uint32_t column;
};

/* All memory belongs to the rule set. Only the members of its kind mean something. */
struct rule_action {
    enum rule_action_kind kind;
    enum rule_profile profile; /* block */
    /* divert: a trunk's name, or a sip:, sips: or tel: URI. That the trunk exists is for the caller
     * of rule_set_load() to check; target_place is where to complain. */
    enum rule_target_kind target_kind;
    const char *target;
    struct rule_place target_place;
    /* limit: rate_count calls per rate_period_us; beyond it, a response of rate_code. */
    uint32_t rate_count;
    uint64_t rate_period_us;
    enum rule_rate_per rate_per;
    unsigned rate_code;
    struct rule_place place;
};

/* "allow", "tag", ... */
const char *rule_action_name(enum rule_action_kind kind);
/* "403", "603", "603+" */
const char *rule_profile_name(enum rule_profile profile);
unsigned rule_profile_status(enum rule_profile profile);
const char *rule_rate_per_name(enum rule_rate_per per);

#endif
