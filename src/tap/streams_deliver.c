/* SPDX-License-Identifier: Apache-2.0 */
#include "streams_int.h"

#include "tap/sip.h"

/* What the beginning of a message is first kept in: most rest of a segment. */
enum { HELD_FIRST = 2048 };

void tap_flow_release_held(struct tap_streams *streams, struct flow *flow)
{
    slab_free(streams->slab, flow->held, flow->held_capacity);
    flow->held = NULL;
    flow->held_length = 0;
    flow->held_capacity = 0;
}

void tap_flow_lose(struct tap_streams *streams, struct flow *flow)
{
    tap_flow_release_held(streams, flow);
    flow->packet_count = 0;
    if (flow->state == FLOW_SIP)
        flow->state = FLOW_SEARCH;
}

static void note_packet(struct flow *flow, uint64_t packet)
{
    uint32_t count = flow->packet_count;
    if (count > 0 && flow->packets[count - 1] == packet)
        return;
    if (count < TAP_STREAM_PACKETS_MAX)
        flow->packet_count = ++count;
    /* The one that completes the message is always among them. */
    flow->packets[count - 1] = packet;
}

static bool reserve(struct tap_streams *streams, struct flow *flow, size_t size)
{
    if (size <= flow->held_capacity)
        return true;
    size_t most = (size_t)flow->frame.limits.header_bytes + flow->frame.limits.body_bytes;
    size_t capacity = flow->held_capacity > 0 ? (size_t)flow->held_capacity * 2 : HELD_FIRST;
    while (capacity < size)
        capacity *= 2;
    if (capacity > most && size <= most)
        capacity = most;
    char *memory = tap_streams_memory(streams, flow, capacity);
    if (memory == NULL)
        return false;
    if (flow->held_length > 0)
        memcpy(memory, flow->held, flow->held_length);
    slab_free(streams->slab, flow->held, flow->held_capacity);
    flow->held = memory;
    flow->held_capacity = (uint32_t)capacity;
    return true;
}

static bool hold(struct tap_streams *streams, struct flow *flow, struct slice bytes)
{
    if (!reserve(streams, flow, flow->held_length + bytes.length))
        return false;
    memcpy(flow->held + flow->held_length, bytes.data, bytes.length);
    flow->held_length += (uint32_t)bytes.length;
    return true;
}

static void hand_out(struct tap_streams *streams, struct flow *flow, struct slice bytes,
                     uint64_t wall_us, uint64_t packet)
{
    const struct tap_stream_message message = {
        .bytes = bytes,
        .source = &flow->source,
        .destination = &flow->destination,
        .packets = flow->packets,
        .packet_count = flow->packet_count,
        .wall_us = wall_us,
    };
    streams->message(streams->context, &message);
    flow->packet_count = 0;
    /* The next message may begin in the same packet. */
    note_packet(flow, packet);
}

/* Takes whole messages off *rest. False: there are none to be found any more. */
static bool take_messages(struct tap_streams *streams, struct flow *flow, struct slice *rest,
                          uint64_t wall_us, uint64_t packet)
{
    for (;;) {
        struct slice piece;
        enum smsg_frame_kind kind = smsg_frame_next(&flow->frame, *rest, wall_us, &piece);
        if (kind == SMSG_FRAME_BROKEN)
            return false;
        if (kind == SMSG_FRAME_NOTHING)
            return true;
        if (kind == SMSG_FRAME_MESSAGE)
            hand_out(streams, flow, piece, wall_us, packet);
        *rest = slice_from(*rest, piece.length);
    }
}

/*
 * Bytes behind those that are held already, as many as the message under way can use; what is left
 * over of them stays at the front of the held. So no more is ever held than one message.
 */
static bool take_held(struct tap_streams *streams, struct flow *flow, struct slice *bytes,
                      uint64_t wall_us, uint64_t packet)
{
    uint32_t extent = smsg_frame_extent(&flow->frame);
    if (extent <= flow->held_length)
        return false;
    struct slice part = slice_first(*bytes, extent - flow->held_length);
    *bytes = slice_from(*bytes, part.length);
    if (!hold(streams, flow, part))
        return false;
    struct slice rest = slice_make(flow->held, flow->held_length);
    if (!take_messages(streams, flow, &rest, wall_us, packet))
        return false;
    if (rest.length == 0) {
        tap_flow_release_held(streams, flow);
    } else if (rest.data != flow->held) {
        memmove(flow->held, rest.data, rest.length);
        flow->held_length = (uint32_t)rest.length;
    }
    return true;
}

static bool take_bytes(struct tap_streams *streams, struct flow *flow, struct slice bytes,
                       uint64_t wall_us, uint64_t packet)
{
    while (flow->held_length > 0 && bytes.length > 0)
        if (!take_held(streams, flow, &bytes, wall_us, packet))
            return false;
    if (!take_messages(streams, flow, &bytes, wall_us, packet))
        return false;
    return bytes.length == 0 || hold(streams, flow, bytes);
}

/* Blank lines keep connections open, also before the first message. */
static struct slice without_blank(struct slice bytes)
{
    while (bytes.length > 0 && (bytes.data[0] == '\r' || bytes.data[0] == '\n'))
        bytes = slice_from(bytes, 1);
    return bytes;
}

/* True: from here on there are messages. */
static bool begins(struct tap_streams *streams, struct flow *flow, struct slice bytes)
{
    if (tap_is_sip(bytes) == TAP_SIP_NO)
        return false;
    smsg_frame_init(&flow->frame, &streams->limits.frame);
    flow->packet_count = 0;
    flow->state = FLOW_SIP;
    list_remove(&flow->use);
    list_append(&streams->known, &flow->use);
    return true;
}

bool tap_flow_deliver(struct tap_streams *streams, struct flow *flow, struct slice bytes,
                      uint32_t missing, uint64_t wall_us, uint64_t packet)
{
    if (flow->state != FLOW_SIP) {
        struct slice start = without_blank(bytes);
        if (start.length == 0)
            return true;
        if (!begins(streams, flow, start)) {
            tap_count(streams->counts, TAP_TCP_OTHER);
            return flow->state == FLOW_SEARCH;
        }
        bytes = start;
    }
    note_packet(flow, packet);
    if (!take_bytes(streams, flow, bytes, wall_us, packet)) {
        tap_count(streams->counts, TAP_TCP_BROKEN);
        tap_flow_lose(streams, flow);
    } else if (missing > 0) {
        tap_count(streams->counts, TAP_CUT);
        tap_flow_lose(streams, flow);
    }
    return true;
}
