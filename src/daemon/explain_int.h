/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain: from what was asked, over a call that can be judged, to the answer.
 */
#ifndef RINGFENCE_DAEMON_EXPLAIN_INT_H
#define RINGFENCE_DAEMON_EXPLAIN_INT_H

#include "control/json.h"
#include "daemon_int.h"
#include "screening/change.h"

enum { EXPLAIN_MESSAGE_BYTES = TP_DATAGRAM_LIMIT + SCREEN_RECENT_KEPT_MAX, EXPLAIN_OVERRIDES = 32 };

/* X(identifier, key): where the call that is explained comes from. */
#define EXPLAIN_KIND_TABLE(X)           \
    X(HYPOTHETICAL, "hypothetical")     \
    X(KEPT, "kept")   /* by a worker */ \
    X(EVENT, "event") /* of a stream */

enum explain_kind {
#define EXPLAIN_KIND_ROW(identifier, key) EXPLAIN_##identifier,
    EXPLAIN_KIND_TABLE(EXPLAIN_KIND_ROW)
#undef EXPLAIN_KIND_ROW
};

struct explain_rule {
    struct slice id;
    int points;
    bool shadow;
};

/* What the call got when it came, as far as that is known. */
struct explain_then {
    bool known;
    const char *action; /* "" when it is not known, as the texts below */
    const char *authority;
    const char *rules_version;
    unsigned status; /* that it was refused with; 0: it went on */
    unsigned score;
    bool degraded;
    bool hurried;     /* regular expressions were left out */
    bool over_budget; /* a list would have blocked it, but for its trunk's budget */
    uint32_t screening_ns;
    unsigned rules_fired;
    size_t rule_count;
    struct explain_rule rules[SCREEN_RECENT_RULES];
};

/* A call as an INVITE, so that it takes exactly the way of a real one. Large: on the heap. */
struct explain_call {
    enum explain_kind kind;
    const struct proxy_trunk *trunk;
    uint64_t wall_us;
    bool timed; /* the time was given */
    enum screen_reputation reputation;
    struct rep_finding finding;
    struct rep_finding diverting;
    bool source_known;
    struct rule_address source;
    uint64_t call_hash;
    size_t override_count;
    struct screen_override overrides[EXPLAIN_OVERRIDES];
    struct explain_then then;
    uint32_t same_call_id; /* calls of its Call-ID that are kept */
    bool cut;              /* some of its headers were not kept */
    struct arena *arena;   /* what lives as long as the call */
    struct smsg message;
    char memory[EXPLAIN_MESSAGE_BYTES];
};

/* NULL when memory is out. */
struct explain_call *explain_call_create(enum explain_kind kind);
/* NULL is allowed. */
void explain_call_destroy(struct explain_call *call);

/* Adds an override; what finds no room is not asked. */
void explain_assume(struct explain_call *call, enum screen_feature feature,
                    struct rule_value value);

/* From a request's arguments. -EINVAL when the reply says what is wrong with them. */
int explain_take_arguments(struct daemon_service *service, const struct ctl_request *request,
                           struct ctl_reply *reply, struct explain_call *call) MUST_CHECK;
int explain_take_event(struct daemon_service *service, struct json_object *event,
                       struct ctl_reply *reply, struct explain_call *call) MUST_CHECK;
int explain_take_kept(struct daemon_service *service, const struct screen_recent_call *kept,
                      struct slice headers, struct ctl_reply *reply,
                      struct explain_call *call) MUST_CHECK;

/* Judges the call and answers. 0 or a negative code. */
int explain_answer(struct daemon_service *service, struct ctl_reply *reply,
                   struct explain_call *call) MUST_CHECK;

/* A call, judged, and all that is told of it. */
struct explanation {
    struct daemon_service *service;
    struct explain_call *call;
    const struct rule_set *rules;
    struct screen_verdict verdict;
    struct rep_finding diverting;
    enum rule_result *results; /* one per rule */
    struct rule_part **roots;  /* of those that fired, came near or are unknown; else NULL */
    struct screen_turns turns;
};

/* Rules that came near are told only so many of. */
enum { EXPLAIN_NEAR_MAX = 20 };

/* Parts of its condition that are not true, and how many there are. */
unsigned explain_failing(const struct rule_part *root, unsigned *parts);

/* explain_reply.c: the whole object. The argument is a struct explanation. */
void explain_fill(void *argument, struct stats_json *json);
/* explain_value.c */
void explain_fill_value(struct stats_json *json, const char *key, const struct rule_value *value);
void explain_fill_turns(const struct explanation *explanation, struct stats_json *json);

#endif
