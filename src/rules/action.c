/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/action.h"

#include <assert.h>

static const char *const action_names[] = {
#define RULE_ACTION_ROW(name, word) [name] = (word),
    RULE_ACTION_TABLE(RULE_ACTION_ROW)
#undef RULE_ACTION_ROW
};

static const struct {
    const char *word;
    unsigned status;
} profiles[] = {
#define RULE_PROFILE_ROW(name, word, status) [name] = {(word), (status)},
    RULE_PROFILE_TABLE(RULE_PROFILE_ROW)
#undef RULE_PROFILE_ROW
};

static const char *const rate_per_names[] = {
#define RULE_RATE_PER_ROW(name, word) [name] = (word),
    RULE_RATE_PER_TABLE(RULE_RATE_PER_ROW)
#undef RULE_RATE_PER_ROW
};

const char *rule_action_name(enum rule_action_kind kind)
{
    assert((unsigned)kind < RULE_ACTION_COUNT);
    return action_names[kind];
}

const char *rule_profile_name(enum rule_profile profile)
{
    assert((unsigned)profile < RULE_PROFILE_COUNT);
    return profiles[profile].word;
}

unsigned rule_profile_status(enum rule_profile profile)
{
    assert((unsigned)profile < RULE_PROFILE_COUNT);
    return profiles[profile].status;
}

const char *rule_rate_per_name(enum rule_rate_per per)
{
    assert((unsigned)per < RULE_RATE_PER_COUNT);
    return rate_per_names[per];
}
