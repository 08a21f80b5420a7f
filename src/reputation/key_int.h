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
#include "reputation/statement.h"

#define REP_KEY_NUMBER "rf:num:"
#define REP_KEY_PREFIX "rf:pfx:"
#define REP_KEY_RAW    "rf:raw:"

enum { REP_KEY_PREFIX_LENGTH = 7, REP_KEY_MAXIMUM = REP_KEY_PREFIX_LENGTH + REP_RAW_MAXIMUM };

/* The fields that are asked for, in this order, and behind them a part of each configured source;
 * no other is ever transferred. X(name, text) */
#define REP_FIELD_TABLE(X)          \
    X(REP_FIELD_SCORE, "score")     \
    X(REP_FIELD_LIST, "list")       \
    X(REP_FIELD_TYPE, "type")       \
    X(REP_FIELD_SOURCE, "source")   \
    X(REP_FIELD_SINCE, "since")     \
    X(REP_FIELD_EXPIRES, "expires") \
    X(REP_FIELD_REASSIGNED, "reassigned")

enum rep_field {
#define REP_FIELD_ROW(name, text) name,
    REP_FIELD_TABLE(REP_FIELD_ROW)
#undef REP_FIELD_ROW
        REP_FIELD_COUNT
};

/* The field of a source's part: this and its name. */
#define REP_PART_PREFIX "from:"

enum {
    REP_FIELD_LIMIT = REP_FIELD_COUNT + REP_SOURCE_ROWS,
    REP_PART_FIELD_BYTES = sizeof(REP_PART_PREFIX) + REP_NAME_MAXIMUM,
};

/* The words of the command that reads keys: made once, then only the key is put in. */
struct rep_request {
    unsigned fields;                         /* in a reply */
    struct slice words[2 + REP_FIELD_LIMIT]; /* HMGET, the key, the fields */
    char names[REP_SOURCE_ROWS][REP_PART_FIELD_BYTES];
};

/* The authority's names must outlive it; it must not be moved. */
void rep_request_init(struct rep_request *request, const struct rep_authority *authority);

/* 0; ERROR_NOT_FOUND for a name outside our three prefixes; -EBADMSG with the reason. A raw key's
 * text points into the name. */
int rep_key_parse(struct slice name, struct rep_key *key, enum rep_skip *reason) MUST_CHECK;

/* The Redis key of an entry. */
void rep_key_append(struct buffer *buffer, const struct rep_key *key);

/*
 * What a key's fields say, absent ones with data == NULL, `fields` of them as requested. Interns
 * types and sources. *reason is REP_SKIP_COUNT or why the plain statement or a part was not taken.
 * -EBADMSG when nothing of it could be taken; ERROR_NOT_FOUND when nothing is said: only that the
 * number was reassigned, or everything said of it is older than that.
 */
int rep_fields_parse(const struct slice *fields, const struct rep_authority *authority,
                     struct rep_names *types, struct rep_names *sources,
                     struct rep_statements *said, enum rep_skip *reason) MUST_CHECK;

/* A score as text: -EBADMSG unless empty (unknown) or 0..100. */
int rep_score_parse(struct slice text, int *score) MUST_CHECK;

#endif
