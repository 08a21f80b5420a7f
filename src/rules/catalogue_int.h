/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalogue: what the folder itself asks of features.
 */
#ifndef RINGFENCE_RULES_CATALOGUE_INT_H
#define RINGFENCE_RULES_CATALOGUE_INT_H

#include "config/suggest.h"
#include "rules/catalogue.h"

/* Whether the feature can ever be this text. If not, its choices are offered to the suggestion. */
bool rule_feature_can_be(const struct rule_feature *feature, struct slice text,
                         struct conf_suggestion *suggestion);

/* What the feature can be, for messages: "one of a, b, c". Returns memory->text. */
struct rule_choices {
    char text[192];
};
const char *rule_feature_choices(const struct rule_feature *feature, struct rule_choices *memory);

#endif
