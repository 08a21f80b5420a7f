/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compose: messages that this program originates.
 */
#ifndef RINGFENCE_MESSAGE_COMPOSE_H
#define RINGFENCE_MESSAGE_COMPOSE_H

#include "base/buffer.h"
#include "message/scan.h"

struct smsg_response {
    uint16_t status;
    struct slice reason;   /* data == NULL: the standard phrase of the status */
    struct slice to_tag;   /* added when the request's To has none; empty for 100 (8.2.6.2) */
    struct slice received; /* RFC 3261 18.2.1 and RFC 3581: put into the top Via; NULL: not */
    uint16_t rport;        /* 0: not */
    struct slice overload; /* RFC 7339: in the top Via in place of what the client put there, from
                            * the ';' on; data == NULL: that stays */
    struct slice extra;    /* whole header lines with CRLF; may be empty */
};

/*
 * A response to a request by RFC 3261 section 8.2.6: all Via lines, From, To, Call-ID and CSeq are
 * copied byte for byte (top Via with received/rport), Record-Route for 1xx but 100 and for 2xx,
 * Timestamp for 100, Content-Length: 0. Works on requests with faults: copies what exists.
 * ERROR_LIMIT when the buffer is too small.
 */
int smsg_compose_response(struct buffer *out, const struct smsg *request,
                          const struct smsg_response *response) MUST_CHECK;

/* A Via value as written, with received and (only where the sender asked for it, RFC 3581 section
 * 4) rport set; an empty `received` or rport 0 leaves that parameter alone. For the overflow of
 * `out` see buffer. To forward a request so stamped, give the result to smsg_edit_replace_slice().
 */
void smsg_compose_via(struct buffer *out, const struct smsg_via *via, struct slice received,
                      uint16_t rport);

/* The ACK to a non-2xx final response by section 17.1.1.3, from the INVITE that we sent (scanned)
 * and the response. */
int smsg_compose_ack(struct buffer *out, const struct smsg *invite,
                     const struct smsg *response) MUST_CHECK;

/* The CANCEL of an INVITE that we sent, by section 9.1; `extra` such as a Reason line. */
int smsg_compose_cancel(struct buffer *out, const struct smsg *invite,
                        struct slice extra) MUST_CHECK;

/* The standard phrase, "Unknown" for a status without one. */
const char *smsg_status_phrase(unsigned status);

#endif
