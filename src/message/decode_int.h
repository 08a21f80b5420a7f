/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode_int: what the parts of the decoder share. Only decode*.c see libsofia-sip.
 */
#ifndef RINGFENCE_MESSAGE_DECODE_INT_H
#define RINGFENCE_MESSAGE_DECODE_INT_H

#include <sofia-sip/sip.h>
#include <sofia-sip/su_alloc.h>

#include "base/arena.h"
#include "message/decode.h"

enum {
    DECODE_CHUNK = 16 * 1024,
    DECODE_LIMIT = 1024 * 1024, /* a 64 KiB message takes a few copies of itself */
    DECODE_HOME_WORDS = 1024,
};

struct smsg_decoder {
    struct arena *arena;
    su_home_t *home;   /* over home_memory, for the length of one smsg_decode() */
    const char *limit; /* of the message that is read */
    bool thorough;     /* Sofia reads also what is plain: for the tests of smsg_plain_*() */
    /* Sofia allocates parameter lists here and goes to the heap only when it is full. */
    uint64_t home_memory[DECODE_HOME_WORDS];
};

/*
 * A terminated copy that Sofia's parsers may write into, folds made spaces. A NUL, which scan lets
 * through in quoted strings only, becomes DEL: else Sofia, which works on C strings, would read the
 * header to the NUL and ignore what routes the message behind it. NULL: out of memory.
 */
char *smsg_decode_copy(struct smsg_decoder *decoder, struct slice value) MUST_CHECK;

/* Reads one name-addr or addr-spec by both readers; `tag` is what scan found, of which a difference
 * is a disagreement too; NULL for headers without tags. `address` points into `value`. */
int smsg_decode_address(struct smsg_decoder *decoder, struct slice value, const struct slice *tag,
                        struct smsg_address *address, struct smsg_identity *identity) MUST_CHECK;

/* Reads one URI by both readers. */
int smsg_decode_uri(struct smsg_decoder *decoder, struct slice text,
                    struct smsg_identity *identity) MUST_CHECK;

/* The headers of which both readers need the same: Via, Call-ID, CSeq, Max-Forwards and
 * Content-Length. */
int smsg_decode_compare(struct smsg_decoder *decoder, const struct smsg *message) MUST_CHECK;

/*
 * Plain values: written so simply, in letters, digits and separators that stand where they must,
 * that both readers read the same, as the fuzz target sees to. Most of all calls have nothing else,
 * and Sofia, which takes two thirds of the time of a decode, is spared for the others. What own
 * readers found in the value is given; bytes up to `limit` may be looked at.
 */
bool smsg_plain_uri(struct slice text, const struct smsg_uri *uri, const char *limit);
bool smsg_plain_address(struct slice value, const struct smsg_address *address,
                        const struct smsg_uri *uri, const struct slice *tag, const char *limit);
bool smsg_plain_header(const struct smsg *message, enum smsg_header_id id, struct slice value);

/* Equal as text; both absent is equal. */
bool smsg_decode_same(struct slice own, const char *theirs);

#endif
