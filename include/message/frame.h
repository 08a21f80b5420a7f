/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame: where messages begin and end in a stream of bytes (RFC 3261 section 18.3).
 *
 * Zero-copy: the caller holds the bytes that have come in and not been taken yet, contiguous; each
 * message is handed out as a slice of them. A frame remembers how far it has looked, so the cost of
 * a message does not depend on how it was cut into packets, and neither does what comes out.
 *
 * What one reader could end elsewhere than another is a fault, after which nothing can be told any
 * more: the connection has to be closed. What is merely wrong within a message is left to
 * smsg_scan(), which for a message that it accepts finds the same end.
 */
#ifndef RINGFENCE_MESSAGE_FRAME_H
#define RINGFENCE_MESSAGE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Why a stream is given up: X(identifier, key for counters, text). */
#define SMSG_FRAME_FAULT_TABLE(X)                                                  \
    X(NONE, "none", "nothing is wrong")                                            \
    X(NOT_SIP, "not_sip", "what should be a message is not SIP")                   \
    X(HEADERS_TOO_LONG, "headers_too_long", "headers that do not end")             \
    X(BODY_TOO_LONG, "body_too_long", "Content-Length beyond what is taken")       \
    X(LENGTH_MISSING, "length_missing", "no Content-Length, which a stream needs") \
    X(LENGTH_DUPLICATE, "length_duplicate", "more than one Content-Length")        \
    X(LENGTH_MALFORMED, "length_malformed", "a Content-Length that is no number")  \
    X(TOO_SLOW, "too_slow", "a message that was not complete in time")

enum smsg_frame_fault {
#define SMSG_FRAME_FAULT_ROW(identifier, key, text) SMSG_FRAME_FAULT_##identifier,
    SMSG_FRAME_FAULT_TABLE(SMSG_FRAME_FAULT_ROW)
#undef SMSG_FRAME_FAULT_ROW
        SMSG_FRAME_FAULT_COUNT
};

struct smsg_frame_fault_row {
    const char *key;
    const char *text;
};
extern const struct smsg_frame_fault_row smsg_frame_faults[SMSG_FRAME_FAULT_COUNT];

/* The sum of both lengths must fit 32 bits. */
struct smsg_frame_limits {
    uint32_t header_bytes; /* start line and headers with the empty line */
    uint32_t body_bytes;
    uint64_t message_us; /* from the first byte of a message to its last */
};

struct smsg_frame {
    struct smsg_frame_limits limits;
    uint64_t begun_us; /* of the message under way; UINT64_MAX: none is */
    uint32_t searched; /* bytes of it that need not be looked at again */
    uint32_t length;   /* of all of it; 0: its headers have not ended */
    bool started;      /* its start line is one of SIP */
    bool empty_line;   /* the last that came was one, and no ping yet */
    uint8_t fault;     /* enum smsg_frame_fault; once set it stays */
};

enum smsg_frame_kind {
    SMSG_FRAME_NOTHING,    /* more bytes are needed */
    SMSG_FRAME_MESSAGE,    /* whole, with its body */
    SMSG_FRAME_EMPTY_LINE, /* between messages: a pong (RFC 5626 section 3.5.1), or a stray CRLF */
    SMSG_FRAME_PING,       /* the second empty line in a row: asks for a pong */
    SMSG_FRAME_BROKEN      /* frame->fault says why */
};

void smsg_frame_init(struct smsg_frame *frame, const struct smsg_frame_limits *limits);

/*
 * The next piece. `bytes` begin behind the piece before it, at what was not taken yet; *piece is at
 * their front and has to be taken off before the next call. Nothing is in *piece for NOTHING and
 * BROKEN.
 */
enum smsg_frame_kind smsg_frame_next(struct smsg_frame *frame, struct slice bytes, uint64_t now_us,
                                     struct slice *piece);

/* When the message under way must be complete; UINT64_MAX: none is. From then on the next call
 * finds it broken, whatever came. */
uint64_t smsg_frame_due(const struct smsg_frame *frame);

/* How much of the message under way a buffer must be able to hold, as far as is known. */
uint32_t smsg_frame_extent(const struct smsg_frame *frame);

#endif
