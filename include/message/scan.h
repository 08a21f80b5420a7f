/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan: one zero-copy pass over a SIP message finds what a proxy needs, as slices.
 *
 * Every message takes this path. Nothing is copied, unfolded or written; the view is valid as long
 * as the bytes are. Compact names, folding (RFC 3261 section 7.3.1), LF-only line ends, several
 * values on a line, NULs in quoted strings and binary bodies are all understood.
 *
 * Wider than the grammar where real peers are: any visible ASCII in a Call-ID, any bytes but
 * separators in a display name without quotes, an empty user in a URI, no empty line behind
 * "Content-Length: 0". Stricter where two readers could see two messages: a CR without LF, a
 * repeated tag or Via parameter, a repeated From, To, Call-ID, CSeq or Max-Forwards, and empty
 * parameters are refused.
 */
#ifndef RINGFENCE_MESSAGE_SCAN_H
#define RINGFENCE_MESSAGE_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "message/names.h"

#define SMSG_HEADER_LIMIT 192 /* header lines in one message; more is SMSG_BAD_TOO_MANY_HEADERS */
#define SMSG_VALUE_LIMIT  128 /* values of one list header; more is SMSG_BAD_TOO_MANY_VALUES */

/* Offsets are into smsg.bytes. `end` is past the line's terminator, folded lines included;
 * value..value_end is trimmed of white space at both ends, folds inside kept. */
struct smsg_header {
    uint32_t start;
    uint32_t end;
    uint32_t value;
    uint32_t value_end;
    uint16_t name_length;
    uint8_t id;             /* enum smsg_header_id */
    uint8_t same_name_next; /* index of the next line with this id, or 0xff */
};

/* The topmost Via value (RFC 3261 section 18.2, RFC 3581). Absent parts have data == NULL. */
struct smsg_via {
    struct slice value; /* all of it, from "SIP/2.0" to before the comma or line end */
    struct slice transport;
    struct slice host; /* IPv6 without brackets */
    struct slice branch;
    struct slice received;
    struct slice maddr;
    uint16_t port; /* 0: none given */
    bool rport_present;
    struct slice rport; /* the whole parameter, "rport" or "rport=5060"; for replacing */
    bool overload;      /* it has a parameter "oc": message/overload.h reads it */
};

struct smsg_party { /* From, To */
    struct slice uri;
    struct slice tag;
};

struct smsg {
    struct slice bytes; /* from the first byte of the start line to the end of the body */
    bool is_request;
    uint8_t method; /* enum smsg_method: the request's, or of a response's CSeq */
    uint8_t bad;    /* enum smsg_bad */
    uint16_t status;
    uint16_t header_count;
    uint8_t first[SMSG_HEADER_COUNT]; /* index into headers, or 0xff */
    struct slice method_text;
    struct slice request_uri;
    struct slice reason;
    struct smsg_via via;
    struct smsg_party from;
    struct smsg_party to;
    struct slice call_id;
    uint32_t cseq;
    struct slice cseq_method;
    int32_t max_forwards;   /* -1: absent */
    int64_t content_length; /* -1: absent */
    uint32_t headers_end;   /* offset of the empty line */
    struct slice body;
    struct smsg_header headers[SMSG_HEADER_LIMIT];
};

/*
 * Scans one datagram. A datagram longer than its Content-Length is cut there (RFC 3261 section
 * 18.3); a shorter one is SMSG_BAD_TRUNCATED. Returns 0, or ERROR_MALFORMED with `bad` set; then
 * every part that could be read is still set, so that a refusal can be composed.
 */
int smsg_scan(struct smsg *message, struct slice bytes) MUST_CHECK;

/* One value of a Via, such as the one below the topmost that a response goes back to. Strict in
 * what answers are routed by: an empty or repeated parameter is ERROR_MALFORMED (and *via all
 * absent). */
int smsg_via_parse(struct slice value, struct smsg_via *via) MUST_CHECK;

/* Only the Call-ID, for steering; data == NULL when there is none. Agrees with smsg_scan() on
 * every message that scans well. */
struct slice smsg_peek_call_id(struct slice bytes);

static inline struct slice smsg_value(const struct smsg *message, const struct smsg_header *header)
{
    return slice_make(message->bytes.data + header->value, header->value_end - header->value);
}

static inline struct slice smsg_name(const struct smsg *message, const struct smsg_header *header)
{
    return slice_make(message->bytes.data + header->start, header->name_length);
}

/* The first line of a known header, the one after it, or NULL. */
static inline const struct smsg_header *smsg_first(const struct smsg *message,
                                                   enum smsg_header_id id)
{
    uint8_t index = message->first[id];
    return index == 0xff ? NULL : &message->headers[index];
}

static inline const struct smsg_header *smsg_next(const struct smsg *message,
                                                  const struct smsg_header *header)
{
    return header->same_name_next == 0xff ? NULL : &message->headers[header->same_name_next];
}

/* The first line whose name equals (case ignored), known id or not. NULL when there is none. */
const struct smsg_header *smsg_find(const struct smsg *message, struct slice name);

#endif
