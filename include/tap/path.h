/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path: from packets to SIP messages: taken out of tunnels, put together, found, scanned, each
 * counted once.
 *
 * Pure: bytes and their own clock in, messages out; no file, socket or thread. Memory comes from
 * pools of fixed limits (struct tap_path_limits), so a hostile capture costs at most their sum,
 * some 100 MB by default. One owner thread.
 */
#ifndef RINGFENCE_TAP_PATH_H
#define RINGFENCE_TAP_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "message/scan.h"
#include "tap/counts.h"
#include "tap/walk.h"

struct tap_path_limits {
    uint32_t datagrams; /* that wait for fragments */
    size_t fragment_bytes;
    uint64_t fragment_timeout_us;
    uint32_t flows; /* directions of TCP */
    size_t stream_bytes;
    uint64_t hole_timeout_us;
    uint32_t message_bytes; /* headers, and as many again for the body */
    uint32_t seen;          /* messages that are remembered for their copies */
    uint64_t duplicate_us;
    uint64_t other_leg_us;
    struct hash_key key; /* of all tables */
};

/* X(identifier, key) */
#define TAP_TRANSPORT_TABLE(X) \
    X(UDP, "udp")              \
    X(TCP, "tcp")

enum tap_transport {
#define TAP_TRANSPORT_ROW(identifier, key) TAP_OVER_##identifier,
    TAP_TRANSPORT_TABLE(TAP_TRANSPORT_ROW)
#undef TAP_TRANSPORT_ROW
};

/* Borrowed, all of it, for the time of the call. */
struct tap_message {
    const struct smsg *sip; /* sip->bad: it is malformed, or cut */
    struct tp_address source;
    struct tp_address destination;
    uint64_t wall_us;
    enum tap_transport transport;
    const uint64_t *packets; /* that it came in; the last one completed it */
    uint32_t packet_count;
    bool other_leg; /* seen before on another hop: not counted as a message */
};

/* Duplicates do not come here. */
typedef void tap_message_fn(void *context, const struct tap_message *message);

struct tap_packet {
    struct slice bytes;
    enum tap_link link;
    bool cut; /* by the snap length */
    uint64_t wall_us;
    uint64_t number; /* whatever the caller calls packets by */
};

struct tap_path;

/* Fills in the defaults. The key is left zero: for live traffic it must be random. */
void tap_path_limits_default(struct tap_path_limits *limits);

int tap_path_create(const struct tap_path_limits *limits, tap_message_fn *message, void *context,
                    struct tap_path **path) MUST_CHECK;

void tap_path_packet(struct tap_path *path, const struct tap_packet *packet);

/* What a datagram carried, as an agent reports it (HEP); addresses and time are its own. */
void tap_path_datagram(struct tap_path *path, struct slice bytes, const struct tap_message *origin);

/* Nothing more comes: what still waits behind holes is handed out. */
void tap_path_flush(struct tap_path *path);

const struct tap_counts *tap_path_counts(const struct tap_path *path);
/* Bytes of memory that wait for more packets now. */
size_t tap_path_held(const struct tap_path *path);

/* NULL is allowed. */
void tap_path_destroy(struct tap_path *path);

#endif
