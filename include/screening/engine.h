/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine: one worker's screening: features, rules, score, verdict. No sockets, no waiting.
 *
 * The engine never knows whether a proxy, a tap, a replay or `ringfence explain` feeds it. An input
 * that has to be fetched makes the verdict pending; whoever feeds the engine fetches it and judges
 * the same message again with the answer, or, at the deadline, without it.
 */
#ifndef RINGFENCE_SCREENING_ENGINE_H
#define RINGFENCE_SCREENING_ENGINE_H

#include "message/decode.h"
#include "message/scan.h"
#include "number/normalise.h"
#include "reputation/entry.h"
#include "reputation/store.h"
#include "rules/evaluate.h"
#include "rules/part.h"
#include "screening/feature.h"
#include "screening/policy.h"

/* X(identifier, key): who decided, in the order of authority of DESIGN section 5. */
#define SCREEN_AUTHORITY_TABLE(X)           \
    X(EMERGENCY, "emergency")               \
    X(PROTECTED_CALLEE, "protected_callee") \
    X(ALLOW, "allow")                       \
    X(BLOCK, "block")                       \
    X(RULES, "rules")                       \
    X(ON_UNKNOWN, "on_unknown")             \
    X(NONE, "none")

enum screen_authority {
#define SCREEN_AUTHORITY_ROW(identifier, key) SCREEN_AUTHORITY_##identifier,
    SCREEN_AUTHORITY_TABLE(SCREEN_AUTHORITY_ROW)
#undef SCREEN_AUTHORITY_ROW
        SCREEN_AUTHORITY_COUNT
};

const char *screen_authority_text(enum screen_authority authority);

/* What is known of the reputation of a call's numbers. */
enum screen_reputation {
    SCREEN_REPUTATION_FIND,    /* read the replica, or make the verdict pending in mode lookup */
    SCREEN_REPUTATION_GIVEN,   /* `finding` is the answer of a lookup */
    SCREEN_REPUTATION_MISSING, /* it could not be had in time: the verdict is degraded */
};

/* A feature that is something else than the call says; of an unknown value, not known. */
struct screen_override {
    enum screen_feature feature;
    struct rule_value value;
};

/*
 * What `explain` asks on trial. Overrides also count in the order of authority: those of
 * reputation.list and reputation.score, and caller.protected and callee.protected. Everything is
 * borrowed.
 */
struct screen_what_if {
    const struct rule_set *rules; /* instead of the policy's; numbered alike. NULL: the policy's */
    const struct screen_override *overrides;
    size_t override_count;
    bool diverting_unlisted; /* no list names the number that forwarded the call */
};

enum screen_stage {
    SCREEN_STAGE_DECODE,   /* the structure of headers */
    SCREEN_STAGE_FEATURES, /* numbers, protected lines, reputation */
    SCREEN_STAGE_RULES,    /* the order of authority, rules, score */
    SCREEN_STAGE_COUNT
};

/* How long each stage of a judgement took; 0: it was not reached. Costs a look at the clock each.
 */
struct screen_stages {
    uint64_t begun_ns; /* of the stage under way */
    uint64_t ns[SCREEN_STAGE_COUNT];
};

struct screen_input {
    const struct smsg *message;
    const struct screen_trunk *trunk;
    uint64_t wall_us;
    enum screen_reputation reputation;
    struct rep_finding finding;
    const struct rule_address *source;    /* that the request came from; NULL: hypothetical */
    uint64_t call_hash;                   /* keyed hash of the Call-ID, for roll-outs */
    bool hurried;                         /* calls queue up: what costs most is left unknown */
    const struct rule_trace *trace;       /* for explain; else NULL */
    struct rep_finding diverting;         /* the same as `finding`, of the number that forwarded */
    const struct screen_what_if *what_if; /* for explain; else NULL */
    bool charged;                         /* blocks count against budgets; false: hypothetical */
    struct screen_stages *stages;         /* zeroed, is filled in; NULL: not wanted */
};

/* What was read off the message. */
struct screen_facts {
    struct num_number caller;
    struct num_number callee;
    struct num_number from;
    struct num_number asserted;
    struct num_number diverting;
    bool asserted_present;
    uint8_t asserted_index; /* of the P-Asserted-Identity value that `asserted` is */
    bool diverting_present;
    bool originates;                              /* the trunk originates the caller's number */
    const struct num_protected_line *caller_line; /* NULL: no protected line */
    const struct num_protected_line *callee_line;
};

/*
 * Somebody has to be told: the rule dropped itself to shadow, or the trunk's lists block no more in
 * this period. Texts belong to the policy.
 */
struct screen_alert {
    enum screen_budget_kind kind;
    uint32_t rule; /* SCREEN_BUDGET_RULE */
    const struct rule_budget *limit;
};

/* What a call would get if rules in shadow (for whatever reason) were enforced, and lists blocked
 * beyond the budget of its trunk. */
struct screen_alternative {
    bool differs; /* another action than the verdict's; else the others mean nothing */
    enum rule_action_kind action;
    enum rule_profile profile; /* block */
    uint8_t score;
};

struct screen_verdict {
    enum rule_action_kind action;
    enum screen_authority authority;
    bool pending;  /* nothing is decided: fetch `lookup_number` and judge again */
    bool degraded; /* an input was missing by fault */
    uint8_t score;
    enum rule_profile profile;        /* block */
    const struct rule_action *demand; /* divert, limit: of the policy's rules; else NULL */
    const char *type;                 /* scam type; "" for none */
    uint32_t type_label;              /* of STATS_FAMILY_TYPES; 0 when not from a rule */
    uint8_t type_id;                  /* of rep_store_types(); 0 when not from reputation */
    bool reputation_known;
    struct rep_finding finding; /* of the caller */
    bool rules_ran;
    bool over_budget; /* a list would have blocked it, but for the budget of its trunk */
    struct screen_alternative would_get;
    uint32_t alert_count; /* screen_engine_alerts() */
    uint32_t screening_ns;
};

struct screen_engine;

/* store may be NULL (no reputation: its features are unknown, and verdicts are degraded). */
int screen_engine_create(struct rep_store *store, struct screen_engine **engine) MUST_CHECK;

/*
 * Judges an initial INVITE. Returns 0 with *verdict, or what smsg_decode() refuses
 * (ERROR_DISAGREE, ERROR_MALFORMED, -ENOMEM); an emergency call is decided before decoding.
 * The policy and the message must stay until the verdict has been used.
 */
int screen_judge(struct screen_engine *engine, const struct screen_policy *policy,
                 const struct screen_input *input, struct screen_verdict *verdict) MUST_CHECK;

/* Of the latest judged call, until the next one. The outcome is valid when rules_ran. */
const struct screen_facts *screen_engine_facts(const struct screen_engine *engine);
const struct rule_outcome *screen_engine_outcome(const struct screen_engine *engine);
const struct smsg_decoded *screen_engine_decoded(const struct screen_engine *engine);
const struct screen_alert *screen_engine_alerts(const struct screen_engine *engine);
/* Measures rules that the latest judged call ran; see rule_set_measure(). Goes on with others the
 * next time; a hurried call is not measured. */
void screen_engine_measure(struct screen_engine *engine, const struct rule_meter *meter);
/* How a scorecard came to its points in the latest judged call; see rule_set_card_parts(). */
void screen_engine_card_parts(struct screen_engine *engine, size_t rule,
                              void (*visit)(void *context, const struct rule_card_part *part),
                              void *context);
/* Of the number that forwarded the latest judged call. */
const struct rep_finding *screen_engine_diverting(const struct screen_engine *engine);
/* Fills in the results of a rule's parts (rules/part.h) for the latest judged call. */
void screen_engine_run_parts(struct screen_engine *engine, struct rule_part *root);
/* The value of a feature of the latest judged call. */
const struct rule_value *screen_engine_feature(struct screen_engine *engine,
                                               enum screen_feature feature);

/* Whether a request is an emergency call, on its raw Request-URI alone. */
bool screen_is_emergency(const struct smsg *message, const struct screen_trunk *trunk);

/* NULL is allowed. */
void screen_engine_destroy(struct screen_engine *engine);

#endif
