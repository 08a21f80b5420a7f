/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls: what became of each call, from the messages that are seen of it.
 *
 * Either direction, one of them missing, or the beginning: what is not seen is inferred from what
 * is (an ACK with a branch of its own follows a 2xx, RFC 3261 section 13.2.2.4), and otherwise
 * unknown. A call is a Call-ID with its initiator's tag; both sides of a proxy are one call.
 *
 * Bounded: when there is no room, the call that began first is handed out as it is, and counted.
 * The clock is the packets' own. One owner thread.
 */
#ifndef RINGFENCE_TAP_CALLS_H
#define RINGFENCE_TAP_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "tap/path.h"

/* X(identifier, key, text) */
#define TAP_OUTCOME_TABLE(X)                                     \
    X(UNKNOWN, "unknown", "no final response was seen")          \
    X(ANSWERED, "answered", "2xx")                               \
    X(BUSY, "busy", "486 or 600")                                \
    X(CANCELLED, "cancelled", "the caller gave up: CANCEL, 487") \
    X(NO_ANSWER, "no_answer", "408 or 480")                      \
    X(REDIRECTED, "redirected", "3xx")                           \
    X(REJECTED, "rejected", "any other final response")

enum tap_outcome {
#define TAP_OUTCOME_ROW(identifier, key, text) TAP_OUTCOME_##identifier,
    TAP_OUTCOME_TABLE(TAP_OUTCOME_ROW)
#undef TAP_OUTCOME_ROW
        TAP_OUTCOME_COUNT
};

const char *tap_outcome_key(enum tap_outcome outcome);

enum { TAP_CALL_ID_BYTES = 96, TAP_USER_BYTES = 40 };

/* Times are wall microseconds, 0: not seen. Texts are as they were written, cut to their room. */
struct tap_call {
    uint64_t begun_us; /* the first message that was seen */
    uint64_t ringing_us;
    uint64_t answered_us;
    uint64_t ended_us;
    uint64_t latest_us;
    uint32_t invites;  /* requests that ask for it, retransmissions counted, other legs not */
    uint32_t messages; /* other legs not counted */
    uint16_t status;   /* the latest final one */
    uint8_t outcome;   /* enum tap_outcome */
    bool invite_seen;  /* else it began before the capture, or that direction is missing */
    bool evicted;      /* handed out before its end, for want of room */
    uint8_t call_id_length;
    uint8_t caller_length;
    uint8_t callee_length;
    struct tp_address source; /* of the first message */
    struct tp_address destination;
    char call_id[TAP_CALL_ID_BYTES];
    char caller[TAP_USER_BYTES]; /* user part of From */
    char callee[TAP_USER_BYTES]; /* ... of To */
};

/* Zeroed memory that belongs to whoever made the calls; aligned to 16 bytes. */
void *tap_call_extra(struct tap_call *call);

struct tap_calls_hooks {
    void *context;
    /* Of each message of a call, after the call has learned of it. initial: an INVITE that asks for
     * the call, on whatever leg. May be NULL. */
    void (*message)(void *context, struct tap_call *call, const struct tap_message *message,
                    bool initial);
    /* The call is over, or forgotten. */
    void (*done)(void *context, struct tap_call *call);
};

struct tap_calls_settings {
    uint32_t limit;
    size_t extra_bytes;
    uint64_t linger_us;     /* after its end, for what is retransmitted */
    uint64_t unanswered_us; /* silence after which a call without final response is over */
    uint64_t max_call_us;   /* since it began */
    /* Handed out when it is over, though one that began before is not: for those that listen for
     * weeks. Else in the order in which they began. */
    bool as_they_end;
    struct hash_key key;
};

/* Fills in the defaults: 262,144 calls, 32 s, 5 min, 4 h. */
void tap_calls_settings_default(struct tap_calls_settings *settings);

struct tap_calls_figures {
    uint64_t calls;
    uint64_t invites;      /* requests, re-INVITEs too, other legs not */
    uint64_t begun_before; /* calls of which no INVITE was seen */
    uint64_t evicted;
};

struct tap_calls;

int tap_calls_create(const struct tap_calls_settings *settings, const struct tap_calls_hooks *hooks,
                     struct tap_calls **calls) MUST_CHECK;

void tap_calls_message(struct tap_calls *calls, const struct tap_message *message);

/* So late it is although nothing comes. Does a little, so it wants to be called often. */
void tap_calls_advance(struct tap_calls *calls, uint64_t wall_us);

/* Nothing more comes: every call is done. */
void tap_calls_flush(struct tap_calls *calls);

const struct tap_calls_figures *tap_calls_figures(const struct tap_calls *calls);
uint32_t tap_calls_count(const struct tap_calls *calls);

/* Without telling the hooks. NULL is allowed. */
void tap_calls_destroy(struct tap_calls *calls);

#endif
