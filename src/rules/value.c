/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/value.h"

#include <assert.h>

static const char *const type_names[] = {
#define RULE_TYPE_ROW(name, word, member, description) [name] = (word),
    RULE_TYPE_TABLE(RULE_TYPE_ROW)
#undef RULE_TYPE_ROW
};

const char *rule_type_name(enum rule_type type)
{
    assert((unsigned)type < RULE_TYPE_COUNT);
    return type_names[type];
}

static const char *const type_descriptions[] = {
#define RULE_TYPE_ROW(name, word, member, description) [name] = (description),
    RULE_TYPE_TABLE(RULE_TYPE_ROW)
#undef RULE_TYPE_ROW
};

const char *rule_type_description(enum rule_type type)
{
    assert((unsigned)type < RULE_TYPE_COUNT);
    return type_descriptions[type];
}
