/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply: Redis replies built by hiredis' parser into memory that is used again.
 *
 * A reply is valid in the callback that receives it. RESP2.
 */
#ifndef RINGFENCE_REPUTATION_REPLY_INT_H
#define RINGFENCE_REPUTATION_REPLY_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum rep_reply_type {
    REP_REPLY_NIL,
    REP_REPLY_TEXT,
    REP_REPLY_STATUS,
    REP_REPLY_ERROR,
    REP_REPLY_INTEGER,
    REP_REPLY_ARRAY
};

struct rep_reply {
    enum rep_reply_type type;
    struct slice text; /* text, status, error */
    int64_t integer;
    size_t count; /* array */
    struct rep_reply *element;
};

struct rep_reader;

/* limit: bytes that one reply may take, else rep_reader_next() fails. */
int rep_reader_create(size_t limit, struct rep_reader **reader) MUST_CHECK;
void rep_reader_destroy(struct rep_reader *reader);

int rep_reader_feed(struct rep_reader *reader, const char *bytes, size_t length) MUST_CHECK;

/* The next complete reply: 0, ERROR_INCOMPLETE, ERROR_MALFORMED, ERROR_LIMIT. Valid until the next
 * call. */
int rep_reader_next(struct rep_reader *reader, const struct rep_reply **reply) MUST_CHECK;

/* Forgets everything, for a new connection. */
int rep_reader_reset(struct rep_reader *reader) MUST_CHECK;

/* The texts of an array's elements, absent ones with data == NULL; fields has room for all. */
static inline void rep_reply_fields(const struct rep_reply *reply, struct slice *fields)
{
    for (size_t i = 0; i < reply->count; i++)
        fields[i] =
            reply->element[i].type == REP_REPLY_TEXT ? reply->element[i].text : slice_make(NULL, 0);
}

static inline bool rep_reply_is_text(const struct rep_reply *reply, const char *text)
{
    return (reply->type == REP_REPLY_TEXT || reply->type == REP_REPLY_STATUS) &&
           slice_equal(reply->text, slice_of_text(text));
}

#endif
