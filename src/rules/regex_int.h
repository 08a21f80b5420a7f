/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex: PCRE2 behind limits, because a caller chooses the subject.
 */
#ifndef RINGFENCE_RULES_REGEX_INT_H
#define RINGFENCE_RULES_REGEX_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

struct rule_regex;

enum { RULE_REGEX_PATTERN_MAX = 1024, RULE_REGEX_ERROR_MAX = 160 };

struct rule_regex_error {
    char message[RULE_REGEX_ERROR_MAX];
    size_t offset; /* bytes into the pattern */
};

/*
 * Patterns and subjects are UTF-8; a subject that is not simply does not match across its bad
 * bytes. -EBADMSG with *problem filled when PCRE2 refuses the pattern.
 */
int rule_regex_create(struct slice pattern, bool ignore_case, struct rule_regex **regex,
                      struct rule_regex_error *problem) MUST_CHECK;
/* The same, keeping nothing: only whether PCRE2 takes the pattern. */
int rule_regex_check(struct slice pattern, bool ignore_case,
                     struct rule_regex_error *problem) MUST_CHECK;
void rule_regex_destroy(struct rule_regex *regex);

/* One thread's working memory for matching. */
struct rule_matcher;

int rule_matcher_create(struct rule_matcher **matcher) MUST_CHECK;
void rule_matcher_destroy(struct rule_matcher *matcher);

/* 1 match, 0 none, -EFBIG when the subject is longer than RULE_SUBJECT_MAX, ERROR_LIMIT when a
 * limit ended the search. */
int rule_regex_match(const struct rule_regex *regex, struct rule_matcher *matcher,
                     struct slice subject) MUST_CHECK;

#endif
