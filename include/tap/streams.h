/* SPDX-License-Identifier: Apache-2.0 */
/*
 * streams: SIP messages out of TCP, each direction by itself.
 *
 * A direction is followed from its SYN, or from a segment that begins with a SIP start line, so a
 * capture may begin in the middle; what carries something else is forgotten at its first bytes.
 * Segments are put in order; bytes that came first win over others that claim their place. A hole
 * that does not close within time or room is given up: the message that it is in is lost, and the
 * next segment that begins with a start line goes on. Bounded in directions, in bytes and in
 * segments of each; under pressure directions without SIP go first. The clock is the packets' own.
 * One owner thread.
 */
#ifndef RINGFENCE_TAP_STREAMS_H
#define RINGFENCE_TAP_STREAMS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "message/frame.h"
#include "tap/walk.h"

struct tap_streams_limits {
    uint32_t flows;
    size_t bytes;             /* of all of them together */
    uint32_t late_bytes;      /* of one: what waits for a hole to close; at most 1 MiB */
    uint32_t late_segments;   /* ... and in how many segments */
    uint64_t hole_timeout_us; /* how long it waits */
    struct smsg_frame_limits frame;
    struct hash_key key;
};

enum { TAP_STREAM_PACKETS_MAX = 32 };

struct tap_stream_message {
    struct slice bytes;
    const struct tp_address *source;
    const struct tp_address *destination;
    const uint64_t *packets; /* that it was in, those beyond TAP_STREAM_PACKETS_MAX left out */
    uint32_t packet_count;
    uint64_t wall_us; /* of the packet that completed it */
};

/* May not call back into the streams. Everything is valid during the call. */
typedef void tap_stream_fn(void *context, const struct tap_stream_message *message);

struct tap_streams;

int tap_streams_create(const struct tap_streams_limits *limits, struct tap_counts *counts,
                       tap_stream_fn *message, void *context,
                       struct tap_streams **streams) MUST_CHECK;

/* walk: after TAP_STEP_TCP. */
void tap_streams_add(struct tap_streams *streams, const struct tap_walk *walk, uint64_t wall_us,
                     uint64_t packet);

/* Nothing more comes: holes are given up, and what waits behind them is handed out. */
void tap_streams_flush(struct tap_streams *streams, uint64_t wall_us);

/* Bytes of memory that are held now. */
size_t tap_streams_held(const struct tap_streams *streams);

/* NULL is allowed. */
void tap_streams_destroy(struct tap_streams *streams);

#endif
