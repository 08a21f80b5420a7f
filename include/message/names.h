/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: the methods, headers and faults that the message folder knows, each as one row.
 */
#ifndef RINGFENCE_MESSAGE_NAMES_H
#define RINGFENCE_MESSAGE_NAMES_H

#include <stdint.h>

#include "base/slice.h"

/* X(identifier, text). The text is case-sensitive (RFC 3261 section 7.1). */
#define SMSG_METHOD_TABLE(X)  \
    X(INVITE, "INVITE")       \
    X(ACK, "ACK")             \
    X(BYE, "BYE")             \
    X(CANCEL, "CANCEL")       \
    X(OPTIONS, "OPTIONS")     \
    X(REGISTER, "REGISTER")   \
    X(PRACK, "PRACK")         \
    X(UPDATE, "UPDATE")       \
    X(INFO, "INFO")           \
    X(REFER, "REFER")         \
    X(NOTIFY, "NOTIFY")       \
    X(SUBSCRIBE, "SUBSCRIBE") \
    X(MESSAGE, "MESSAGE")     \
    X(PUBLISH, "PUBLISH")

enum smsg_method {
    SMSG_METHOD_OTHER, /* a token that the table does not hold */
#define SMSG_METHOD_ROW(name, text) SMSG_METHOD_##name,
    SMSG_METHOD_TABLE(SMSG_METHOD_ROW)
#undef SMSG_METHOD_ROW
        SMSG_METHOD_COUNT
};

/* X(identifier, name, compact form or 0). Names are compared without regard to case. */
#define SMSG_HEADER_TABLE(X)                           \
    X(VIA, "Via", 'v')                                 \
    X(FROM, "From", 'f')                               \
    X(TO, "To", 't')                                   \
    X(CALL_ID, "Call-ID", 'i')                         \
    X(CSEQ, "CSeq", 0)                                 \
    X(MAX_FORWARDS, "Max-Forwards", 0)                 \
    X(ROUTE, "Route", 0)                               \
    X(RECORD_ROUTE, "Record-Route", 0)                 \
    X(CONTACT, "Contact", 'm')                         \
    X(CONTENT_LENGTH, "Content-Length", 'l')           \
    X(CONTENT_TYPE, "Content-Type", 'c')               \
    X(P_ASSERTED_IDENTITY, "P-Asserted-Identity", 0)   \
    X(P_PREFERRED_IDENTITY, "P-Preferred-Identity", 0) \
    X(REMOTE_PARTY_ID, "Remote-Party-ID", 0)           \
    X(DIVERSION, "Diversion", 0)                       \
    X(HISTORY_INFO, "History-Info", 0)                 \
    X(PRIVACY, "Privacy", 0)                           \
    X(IDENTITY, "Identity", 'y')                       \
    X(USER_AGENT, "User-Agent", 0)                     \
    X(SERVER, "Server", 0)                             \
    X(REQUIRE, "Require", 0)                           \
    X(PROXY_REQUIRE, "Proxy-Require", 0)               \
    X(SUPPORTED, "Supported", 'k')                     \
    X(REASON, "Reason", 0)                             \
    X(SESSION_EXPIRES, "Session-Expires", 'x')         \
    X(RETRY_AFTER, "Retry-After", 0)                   \
    X(CALL_INFO, "Call-Info", 0)                       \
    X(SUBJECT, "Subject", 's')                         \
    X(PRIORITY, "Priority", 0)                         \
    X(DATE, "Date", 0)                                 \
    X(RSEQ, "RSeq", 0)                                 \
    X(RACK, "RAck", 0)                                 \
    X(TIMESTAMP, "Timestamp", 0)

enum smsg_header_id {
    SMSG_HEADER_OTHER,
#define SMSG_HEADER_ROW(identifier, name, compact) SMSG_HEADER_##identifier,
    SMSG_HEADER_TABLE(SMSG_HEADER_ROW)
#undef SMSG_HEADER_ROW
        SMSG_HEADER_COUNT
};

/*
 * Why a message is refused: X(identifier, key for counters, text, answer). `answer` is what a
 * request with this fault gets: 400, 505, 416, 501, 413, or 0 for silence (nothing to answer to).
 * A response with any fault is dropped.
 */
#define SMSG_BAD_TABLE(X)                                                               \
    X(NONE, "none", "well-formed", 0)                                                   \
    X(NOT_SIP, "not_sip", "not a SIP message", 0)                                       \
    X(KEEPALIVE, "keepalive", "a CRLF keep-alive", 0)                                   \
    X(TRUNCATED, "truncated", "shorter than its headers or Content-Length say", 400)    \
    X(START_LINE, "start_line", "malformed start line", 400)                            \
    X(VERSION, "version", "SIP version not supported", 505)                             \
    X(STATUS, "status", "status code outside 100..699", 0)                              \
    X(HEADER_SYNTAX, "header_syntax", "malformed header line", 400)                     \
    X(TOO_MANY_HEADERS, "too_many_headers", "too many header lines", 400)               \
    X(TOO_MANY_VALUES, "too_many_values", "too many values of one header", 400)         \
    X(MISSING_VIA, "missing_via", "no Via", 0)                                          \
    X(MISSING_HEADER, "missing_header", "a mandatory header is missing", 400)           \
    X(DUPLICATE_HEADER, "duplicate_header", "a single-valued header occurs twice", 400) \
    X(VIA, "via", "malformed Via", 400)                                                 \
    X(FROM, "from", "malformed From", 400)                                              \
    X(TO, "to", "malformed To", 400)                                                    \
    X(CALL_ID, "call_id", "malformed Call-ID", 400)                                     \
    X(CSEQ, "cseq", "malformed CSeq", 400)                                              \
    X(CSEQ_METHOD, "cseq_method", "CSeq method differs from the request's", 400)        \
    X(UNKNOWN_METHOD_MISMATCH, "unknown_method_mismatch",                               \
      "unknown method, and CSeq names another", 501)                                    \
    X(MAX_FORWARDS, "max_forwards", "malformed Max-Forwards", 400)                      \
    X(CONTENT_LENGTH, "content_length", "malformed or conflicting Content-Length", 400) \
    X(REQUEST_URI, "request_uri", "malformed Request-URI", 400)                         \
    X(URI_SCHEME, "uri_scheme", "Request-URI scheme not supported", 416)                \
    X(ROUTE, "route", "malformed Route", 400)                                           \
    X(DISAGREE, "disagree", "two readers of the message disagree", 400)

enum smsg_bad {
#define SMSG_BAD_ROW(identifier, key, text, answer) SMSG_BAD_##identifier,
    SMSG_BAD_TABLE(SMSG_BAD_ROW)
#undef SMSG_BAD_ROW
        SMSG_BAD_COUNT
};

struct smsg_bad_row {
    const char *key;
    const char *text;
    uint16_t answer;
};
extern const struct smsg_bad_row smsg_bad_rows[SMSG_BAD_COUNT];

/* The enum of a header name, long or compact; SMSG_HEADER_OTHER when unknown. */
enum smsg_header_id smsg_header_id(struct slice name);

const char *smsg_method_text(enum smsg_method method);
enum smsg_method smsg_method_of(struct slice text);

#endif
