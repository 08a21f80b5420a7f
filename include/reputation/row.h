/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row: an entry as people and files write it, and why one is refused.
 */
#ifndef RINGFENCE_REPUTATION_ROW_H
#define RINGFENCE_REPUTATION_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "reputation/entry.h"
#include "reputation/replica.h"

/* X(name, text): why a key under our prefixes or a CSV line was not taken. */
#define REP_SKIP_TABLE(X)                                        \
    X(REP_SKIP_TYPE, "not a hash")                               \
    X(REP_SKIP_NUMBER, "not an E.164 number with +")             \
    X(REP_SKIP_PREFIX, "not 1 to 15 digits without +")           \
    X(REP_SKIP_RAW, "raw text empty or longer than 128 bytes")   \
    X(REP_SKIP_SCORE, "score is not 0 to 100")                   \
    X(REP_SKIP_LIST, "list is not block, allow, watch or empty") \
    X(REP_SKIP_EMPTY, "neither score nor list")                  \
    X(REP_SKIP_EXPIRES, "expires is not a time")                 \
    X(REP_SKIP_SINCE, "since is not a time")                     \
    X(REP_SKIP_COLUMNS, "too few or too many columns")           \
    X(REP_SKIP_REPLY, "unexpected reply")                        \
    X(REP_SKIP_FULL, "the replica's capacity is used up")

enum rep_skip {
#define REP_SKIP_ROW(name, text) name,
    REP_SKIP_TABLE(REP_SKIP_ROW)
#undef REP_SKIP_ROW
        REP_SKIP_COUNT
};
const char *rep_skip_text(unsigned reason);

/*
 * A row as people write it. number: "+8613800138000", a prefix "8613800*" (with or without +), or
 * "raw:" and a text.
 */
struct rep_row {
    struct slice number;
    int score; /* 0..100, REP_SCORE_UNKNOWN for none */
    enum rep_list list;
    struct slice type;
    struct slice source;
    struct slice note;
    struct slice reference; /* of a case, as the source files it */
    uint64_t expires_s;     /* wall seconds; 0: never */
    uint64_t since_s;       /* wall seconds; 0: not stated */
};

/* Empty (0), wall seconds, or YYYY-MM-DD[Thh:mm:ss[.fraction]Z]; -EBADMSG for anything else. */
int rep_time_parse(struct slice text, uint64_t *wall_s) MUST_CHECK;
/* 2027-06-30T08:15:30Z */
void rep_time_append(struct buffer *buffer, uint64_t wall_s);

/* Reads "number" of a rep_row into a key; the raw text points into it. -EBADMSG. */
int rep_row_key(struct slice number, struct rep_key *key) MUST_CHECK;
/* And back. */
void rep_row_number_append(struct buffer *buffer, const struct rep_key *key);

/*
 * One CSV line "number,score,list,type,source,expires,note,since,case" (RFC 4180 quoting, no line
 * break in a field; what follows list may be left out). number as in struct rep_row; expires and
 * since as rep_time_parse() reads them. The row's slices point into `line`, which is changed.
 * ERROR_NOT_FOUND for an empty line, a comment (#) and a header line that begins with "number,";
 * -EBADMSG with the reason; with REP_SKIP_EMPTY the row is filled.
 */
int rep_row_parse_csv(char *line, size_t length, struct rep_row *row,
                      enum rep_skip *reason) MUST_CHECK;

#endif
