/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key: names and fields as they stand in Redis, read into keys and entries.
 */
#ifndef RINGFENCE_REPUTATION_KEY_INT_H
#define RINGFENCE_REPUTATION_KEY_INT_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "reputation/entry.h"
#include "reputation/names.h"
#include "reputation/replica.h"
#include "reputation/row.h"

#define REP_KEY_NUMBER "rf:num:"
#define REP_KEY_PREFIX "rf:pfx:"
#define REP_KEY_RAW    "rf:raw:"

enum { REP_KEY_PREFIX_LENGTH = 7, REP_KEY_MAXIMUM = REP_KEY_PREFIX_LENGTH + REP_RAW_MAXIMUM };

/* The fields that are asked for, in this order; no other is ever transferred. X(name, text) */
#define REP_FIELD_TABLE(X)      \
    X(REP_FIELD_SCORE, "score") \
    X(REP_FIELD_LIST, "list")   \
    X(REP_FIELD_TYPE, "type")   \
    X(REP_FIELD_SOURCE, "source")

enum rep_field {
#define REP_FIELD_ROW(name, text) name,
    REP_FIELD_TABLE(REP_FIELD_ROW)
#undef REP_FIELD_ROW
        REP_FIELD_COUNT
};

/* 0; ERROR_NOT_FOUND for a name outside our three prefixes; -EBADMSG with the reason. A raw key's
 * text points into the name. */
int rep_key_parse(struct slice name, struct rep_key *key, enum rep_skip *reason) MUST_CHECK;

/* The Redis key of an entry. */
void rep_key_append(struct buffer *buffer, const struct rep_key *key);

/* Absent fields have data == NULL. -EBADMSG with the reason. Interns type and source. */
int rep_fields_parse(const struct slice fields[REP_FIELD_COUNT], struct rep_names *types,
                     struct rep_names *sources, struct rep_entry *entry,
                     enum rep_skip *reason) MUST_CHECK;

/* A score as text: -EBADMSG unless empty (unknown) or 0..100. */
int rep_score_parse(struct slice text, int *score) MUST_CHECK;

#endif
