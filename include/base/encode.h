/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode: the only ways by which bytes from a peer leave this program.
 *
 * One encoder per kind of sink. Each appends to a bounded buffer and never emits a control byte or
 * an unbalanced quote, whatever it is given. Invalid UTF-8 becomes U+FFFD (one per bad byte).
 */
#ifndef RINGFENCE_BASE_ENCODE_H
#define RINGFENCE_BASE_ENCODE_H

#include "base/buffer.h"
#include "base/slice.h"

/* A JSON string with its quotes (RFC 8259 section 7). */
void encode_json(struct buffer *buffer, struct slice text);

/* For log lines: printable UTF-8 kept, other bytes as \xHH, backslash doubled. */
void encode_log(struct buffer *buffer, struct slice text);

/* encode_log() of as many whole characters as fit, without setting overflow; returns how many bytes
 * of the text they are. */
size_t encode_log_prefix(struct buffer *buffer, struct slice text);

/* For a terminal: like encode_log, and C1 controls and bidirectional overrides are escaped too. */
void encode_terminal(struct buffer *buffer, struct slice text);

/* One CSV field (RFC 4180), quoted where needed; a leading = + - @ gets a ' so that no spreadsheet
 * runs it, except a + or - followed by digits only (a number). */
void encode_csv(struct buffer *buffer, struct slice text);

/* A SIP quoted-string with its quotes (RFC 3261 section 25.1); CR, LF and NUL become spaces. */
void encode_sip_quoted(struct buffer *buffer, struct slice text);

/* A name or value behind the '?' of a SIP URI (RFC 3261 section 19.1.1): escaped as %HH. */
void encode_sip_uri(struct buffer *buffer, struct slice text);

#endif
