/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode: structure of an initial INVITE, by libsofia-sip's header parsers.
 *
 * The second reader. What both readers read (branch, Call-ID, CSeq, tags, Max-Forwards,
 * Content-Length, URI user and host of Request-URI, From and To) is compared; a disagreement is
 * ERROR_DISAGREE and the message must be refused with 400. Each address of the other headers is
 * read by both as well. Of schemes other than sip, sips and tel only our own reader knows the
 * parts.
 *
 * Sofia works on C strings. A NUL, which only a quoted string may hold, and bytes that it would not
 * take in a display name without quotes, are masked in the copy that it reads, so it sees all of
 * the header; display names come from our own reader with the bytes that were sent.
 */
#ifndef RINGFENCE_MESSAGE_DECODE_H
#define RINGFENCE_MESSAGE_DECODE_H

#include "message/scan.h"
#include "message/syntax.h"

#define SMSG_IDENTITY_LIMIT 8

/* One decoded identity; slices live in the message, and in the decoder until its next use. */
struct smsg_identity {
    struct slice display; /* unquoted */
    struct slice scheme;
    struct slice user; /* unescaped; for tel: the number */
    struct slice host;
    struct slice uri_params; /* e.g. "phone-context=+86;rn=..." without the leading ';' */
    struct slice reason;     /* Diversion: its reason parameter */
    struct slice cause;      /* History-Info: cause of the URI or Reason */
};

struct smsg_decoded {
    struct smsg_identity request_uri;
    struct smsg_identity from;
    struct smsg_identity to;
    struct smsg_identity asserted[SMSG_IDENTITY_LIMIT];  /* P-Asserted-Identity, in order */
    struct smsg_identity remote_party;                   /* the first Remote-Party-ID */
    struct smsg_identity diversion[SMSG_IDENTITY_LIMIT]; /* topmost = last diverting */
    struct smsg_identity history[SMSG_IDENTITY_LIMIT];
    uint8_t asserted_count;
    uint8_t diversion_count;
    uint8_t history_count;
    bool remote_party_present;
    bool privacy_id;  /* Privacy: id (RFC 3323, 3325) */
    bool privacy_any; /* any Privacy but none */
};

/* One per worker: holds the memory that Sofia's parsers need. Warm, it does not call malloc more
 * than Sofia's own parsers force it to. */
struct smsg_decoder;

int smsg_decoder_create(struct smsg_decoder **decoder) MUST_CHECK;

/* 0, ERROR_DISAGREE, ERROR_MALFORMED (a header whose structure matters does not parse; message's
 * caller answers 400), -ENOMEM. */
int smsg_decode(struct smsg_decoder *decoder, const struct smsg *message,
                struct smsg_decoded *decoded) MUST_CHECK;

void smsg_decoder_destroy(struct smsg_decoder *decoder);

#endif
