/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalogue: the features that conditions may name.
 *
 * Whoever feeds the rules (screening) brings the table; this folder knows no SIP. A feature's index
 * in the table is its id in rule_inputs.fetch().
 */
#ifndef RINGFENCE_RULES_CATALOGUE_H
#define RINGFENCE_RULES_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "rules/value.h"

enum { RULE_FEATURE_MAX = 256 };

struct rule_feature {
    const char *name; /* "caller.number": lower-case words with dots and underscores */
    enum rule_type type;
    const char *meaning;
    const char *unit; /* "" when there is none */
    const char *unknown_when;
    const char *example; /* as it is written in a condition */
    /* Every text that it can be, separated by spaces; a condition that compares it with another one
     * is refused. NULL or "": any. */
    const char *choices;
};

/* Both the struct and the table outlive every rule set that was compiled against them. */
struct rule_catalogue {
    const struct rule_feature *features;
    size_t count; /* at most RULE_FEATURE_MAX */
};

/* False when there is none of that name. */
bool rule_catalogue_find(const struct rule_catalogue *catalogue, struct slice name,
                         uint16_t *feature);

/* The name that was probably meant, or NULL when none is near. */
const char *rule_catalogue_suggest(const struct rule_catalogue *catalogue, struct slice name);

#endif
