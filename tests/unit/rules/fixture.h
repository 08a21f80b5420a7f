/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixture: a catalogue like the daemon's, and inputs that a test writes as text.
 */
#ifndef RINGFENCE_TESTS_RULES_FIXTURE_H
#define RINGFENCE_TESTS_RULES_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "rules/catalogue.h"
#include "rules/evaluate.h"

#define FIXTURE_KINDS                                    \
    "mobile fixed tollfree premium shared voip service " \
    "satellite unknown invalid"
#define FIXTURE_ORIGINS "international domestic private"

/* X(name, type, choices, example) */
#define FIXTURE_FEATURES(X)                                                  \
    X("caller.number", RULE_NUMBER, "", "\"+8613800138000\"")                \
    X("caller.raw", RULE_TEXT, "", "\"13800138000\"")                        \
    X("caller.valid", RULE_FLAG, "", "true")                                 \
    X("caller.country", RULE_TEXT, "", "\"CN\"")                             \
    X("caller.kind", RULE_TEXT, FIXTURE_KINDS, "\"mobile\"")                 \
    X("caller.region", RULE_TEXT, "", "\"Beijing\"")                         \
    X("caller.imitation", RULE_FLAG, "", "true")                             \
    X("caller.protected", RULE_FLAG, "", "true")                             \
    X("caller.display", RULE_TEXT, "", "\"Bank\"")                           \
    X("caller.from_number", RULE_NUMBER, "", "\"+8613800138000\"")           \
    X("caller.asserted_number", RULE_NUMBER, "", "\"+8613800138000\"")       \
    X("caller.anonymous", RULE_FLAG, "", "false")                            \
    X("caller.identity_mismatch", RULE_FLAG, "", "true")                     \
    X("caller.digits_apart", RULE_INTEGER, "", "4")                          \
    X("callee.number", RULE_NUMBER, "", "\"+8613800138000\"")                \
    X("callee.raw", RULE_TEXT, "", "\"13800138000\"")                        \
    X("callee.valid", RULE_FLAG, "", "true")                                 \
    X("callee.country", RULE_TEXT, "", "\"CN\"")                             \
    X("callee.kind", RULE_TEXT, FIXTURE_KINDS, "\"mobile\"")                 \
    X("callee.protected", RULE_FLAG, "", "true")                             \
    X("callee.region", RULE_TEXT, "", "\"Beijing\"")                         \
    X("diverting.number", RULE_NUMBER, "", "\"+8613800138000\"")             \
    X("diverting.country", RULE_TEXT, "", "\"CN\"")                          \
    X("diverting.present", RULE_FLAG, "", "true")                            \
    X("trunk.name", RULE_TEXT, "", "\"carrier-a\"")                          \
    X("trunk.origin", RULE_TEXT, FIXTURE_ORIGINS, "\"international\"")       \
    X("trunk.country", RULE_TEXT, "", "\"CN\"")                              \
    X("trunk.trusted", RULE_FLAG, "", "true")                                \
    X("reputation.score", RULE_INTEGER, "", "75")                            \
    X("reputation.list", RULE_TEXT, "block allow watch none", "\"watch\"")   \
    X("reputation.type", RULE_TEXT, "", "\"loan\"")                          \
    X("reputation.match", RULE_TEXT, "number prefix raw none", "\"prefix\"") \
    X("message.user_agent", RULE_TEXT, "", "\"friendly-scanner\"")           \
    X("message.method", RULE_TEXT, "", "\"INVITE\"")                         \
    X("message.has_identity", RULE_FLAG, "", "true")                         \
    X("message.has_diversion", RULE_FLAG, "", "true")                        \
    X("message.subject", RULE_TEXT, "", "\"hello\"")                         \
    X("message.size", RULE_INTEGER, "", "1400")                              \
    X("time.hour", RULE_INTEGER, "", "22")                                   \
    X("time.weekday", RULE_TEXT, "mon tue wed thu fri sat sun", "\"sat\"")   \
    X("time.minute", RULE_INTEGER, "", "30")                                 \
    X("test.age", RULE_DURATION, "", "90d")                                  \
    X("test.share", RULE_RATIO, "", "20%")                                   \
    X("test.since", RULE_TIME, "", "2027-06-30")                             \
    X("test.words", RULE_SET, "", "[a, b]")                                  \
    X("test.calls", RULE_INTEGER, "", "12")                                  \
    X("test.source", RULE_ADDRESS, "", "\"10.0.0.1\"")

static const struct rule_feature fixture_features[] = {
#define FIXTURE_ROW(name, type, choices, example) \
    {(name), (type), "for tests", "", "not given", (example), (choices)},
    FIXTURE_FEATURES(FIXTURE_ROW)
#undef FIXTURE_ROW
};

static const struct rule_catalogue fixture_catalogue = {
    fixture_features, sizeof(fixture_features) / sizeof(fixture_features[0])};

enum { FIXTURE_HEADERS = 4 };

/* A call's features; zeroed, nothing is known. */
struct fixture_call {
    struct rule_value values[RULE_FEATURE_MAX];
    struct slice header_names[FIXTURE_HEADERS];
    struct rule_value header_values[FIXTURE_HEADERS];
    size_t header_count;
    unsigned fetches[RULE_FEATURE_MAX];
};

static inline const struct rule_value *fixture_fetch(void *context, uint16_t feature)
{
    struct fixture_call *call = context;
    call->fetches[feature]++;
    return call->values[feature].known ? &call->values[feature] : NULL;
}

static inline bool fixture_fetch_header(void *context, struct slice name, struct rule_value *value)
{
    const struct fixture_call *call = context;
    for (size_t i = 0; i < call->header_count; i++) {
        if (slice_equal_nocase(call->header_names[i], name)) {
            *value = call->header_values[i];
            return true;
        }
    }
    return false;
}

static inline struct rule_inputs fixture_inputs(struct fixture_call *call)
{
    return (struct rule_inputs){
        .context = call, .fetch = fixture_fetch, .fetch_header = fixture_fetch_header};
}

#endif
