/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission: how many calls there are of a trunk, a caller or a source, counted for all workers.
 *
 * A fixed table of (who, how many) in one word each, changed by compare-and-swap: only calls that a
 * limit concerns touch it. What is counted is given back by the call's record, which ends exactly
 * once (call/call.h), so a lost BYE is made good by max_call at the latest and no count goes below
 * zero. Where a neighbourhood is full a call passes uncounted.
 */
#ifndef RINGFENCE_PROXY_ADMISSION_H
#define RINGFENCE_PROXY_ADMISSION_H

#include "base/hash.h"
#include "proxy/settings.h"

/* X(identifier, key of `limits`, whether it is a rate) */
#define PROXY_LIMIT_TABLE(X)               \
    X(RATE, "rate", true)                  \
    X(SOURCE_RATE, "source_rate", true)    \
    X(CALLER_RATE, "caller_rate", true)    \
    X(RATE_OUT, "rate_out", true)          \
    X(CALLS, "calls", false)               \
    X(SOURCE_CALLS, "source_calls", false) \
    X(CALLER_CALLS, "caller_calls", false) \
    X(CALLS_OUT, "calls_out", false)

enum proxy_limit {
#define PROXY_LIMIT_ROW(identifier, key, is_rate) PROXY_LIMIT_##identifier,
    PROXY_LIMIT_TABLE(PROXY_LIMIT_ROW)
#undef PROXY_LIMIT_ROW
        PROXY_LIMIT_COUNT
};

const char *proxy_limit_key(enum proxy_limit limit);
bool proxy_limit_is_rate(enum proxy_limit limit);
/* As the trunk has it; 0: none. */
uint32_t proxy_limit_of(const struct proxy_trunk_limits *limits, enum proxy_limit limit);

/* trunk: its mark; who: a keyed hash of the caller or source, 0 for the trunk itself. The same in
 * all workers. */
uint64_t proxy_limit_hash(enum proxy_limit limit, uint32_t trunk, uint64_t who);

struct proxy_admission;

/* places: rounded up to a power of two, at most a million; 8 bytes each. */
int proxy_admission_create(uint32_t places, struct proxy_admission **admission) MUST_CHECK;

/* Any thread, as all of these. Counts one more unless there are `limit`: false then. *place is to
 * be given back; 0: nothing was counted, there is no room. */
bool proxy_admission_enter(struct proxy_admission *admission, uint64_t hash, uint32_t limit,
                           uint32_t *place);
/* place 0 is allowed. */
void proxy_admission_leave(struct proxy_admission *admission, uint32_t place);
/* A hash by which enter() of another table of as many places counts for the same; 0 of place 0. */
uint64_t proxy_admission_hash(const struct proxy_admission *admission, uint32_t place);
uint32_t proxy_admission_count(const struct proxy_admission *admission, uint64_t hash);

/* NULL is allowed. */
void proxy_admission_destroy(struct proxy_admission *admission);

#endif
