/* SPDX-License-Identifier: Apache-2.0 */
/*
 * streams: the inside of the directions, and what hands their bytes out.
 */
#ifndef RINGFENCE_TAP_STREAMS_INT_H
#define RINGFENCE_TAP_STREAMS_INT_H

#include "base/list.h"
#include "base/pool.h"
#include "base/slab.h"
#include "tap/streams.h"

/* Bytes that came before their place. */
struct late {
    struct late *next; /* by sequence */
    char *bytes;       /* of the slab */
    uint32_t sequence;
    uint32_t length;
    uint32_t missing; /* bytes behind these that were not captured */
    uint64_t packet;
};

enum flow_state {
    FLOW_NEW,    /* no byte has come: what the first ones are decides */
    FLOW_SIP,    /* within messages */
    FLOW_SEARCH, /* behind a hole: waits for a segment that begins with a start line */
};

struct flow {
    struct tp_address source;
    struct tp_address destination;
    uint64_t hash;
    struct list_link use; /* of the list of its kind, the least recently used first */
    uint32_t next;        /* sequence number of the byte that is waited for */
    uint8_t state;        /* enum flow_state */
    bool closed;          /* FIN, at `end` */
    uint32_t end;
    struct smsg_frame frame;
    char *held; /* of the slab: the beginning of a message */
    uint32_t held_length;
    uint32_t held_capacity;
    struct late *late;
    uint32_t late_bytes;
    uint32_t late_count;
    uint64_t hole_since_us;
    uint32_t packet_count;
    uint64_t packets[TAP_STREAM_PACKETS_MAX];
};

struct tap_streams {
    struct tap_streams_limits limits;
    struct tap_counts *counts;
    tap_stream_fn *message;
    void *context;
    struct pool *flows;
    struct pool *lates;
    struct slab *slab;
    struct hash_table *table;
    struct list_link strangers; /* FLOW_NEW: no SIP yet */
    struct list_link known;
};

/*
 * Hands out what the next bytes in order complete. False: the direction is of no use any more and
 * has to be forgotten. missing: bytes behind them were not captured.
 */
bool tap_flow_deliver(struct tap_streams *streams, struct flow *flow, struct slice bytes,
                      uint32_t missing, uint64_t wall_us, uint64_t packet) MUST_CHECK;

/* What has come of a message is thrown away; a start line is searched for. */
void tap_flow_lose(struct tap_streams *streams, struct flow *flow);

void tap_flow_release_held(struct tap_streams *streams, struct flow *flow);

/* Room in the slab, at the cost of the directions that have been idle for longest. NULL: none. */
char *tap_streams_memory(struct tap_streams *streams, const struct flow *spared, size_t size);

#endif
