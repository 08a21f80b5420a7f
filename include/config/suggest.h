/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suggest: "did you mean" for a word that is not known.
 *
 * Offer every word that would be right, then ask for the best. A candidate counts only when it is
 * near: at most a third of the word's letters changed, an exchange of neighbours being one change.
 */
#ifndef RINGFENCE_CONFIG_SUGGEST_H
#define RINGFENCE_CONFIG_SUGGEST_H

#include "base/slice.h"

struct conf_suggestion {
    struct slice word;
    struct slice best; /* absent while nothing was near enough; the first of equals wins */
    unsigned distance;
};

static inline struct conf_suggestion conf_suggestion_for(struct slice word)
{
    return (struct conf_suggestion){.word = word};
}

/* The candidate must outlive the suggestion. */
void conf_suggestion_offer(struct conf_suggestion *suggestion, struct slice candidate);

/* Changes (insert, delete, replace, exchange of neighbours; ASCII case is free) that turn a into b,
 * or limit + 1 when there are more. Words over 64 bytes count as infinitely far. */
unsigned conf_distance(struct slice a, struct slice b, unsigned limit);

#endif
