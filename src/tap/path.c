/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/path.h"

#include <errno.h>
#include <stdlib.h>

#include "tap/fragments.h"
#include "tap/seen.h"
#include "tap/sip.h"
#include "tap/streams.h"

/* A hole in TCP is closed by a retransmission, which comes within some round trips. */
enum { LATE_BYTES = 256 * 1024, LATE_SEGMENTS = 256 };

static const uint64_t message_limit_us = 60 * UINT64_C(1000000);

struct tap_path {
    struct tap_counts counts;
    struct tap_fragments *fragments;
    struct tap_streams *streams;
    struct tap_seen *seen;
    tap_message_fn *message;
    void *context;
    uint64_t wall_us; /* of the latest packet */
    struct smsg sip;
};

void tap_path_limits_default(struct tap_path_limits *limits)
{
    *limits = (struct tap_path_limits){
        .datagrams = 1024,
        .fragment_bytes = (size_t)16 << 20,
        .fragment_timeout_us = 30 * UINT64_C(1000000),
        .flows = 65536,
        .stream_bytes = (size_t)32 << 20,
        .hole_timeout_us = 5 * UINT64_C(1000000),
        .message_bytes = 32 * 1024,
        .seen = 1 << 18,
        .duplicate_us = 50 * UINT64_C(1000),
        .other_leg_us = 32 * UINT64_C(1000000),
    };
}

/* ---- messages ------------------------------------------------------------------------------ */

/* RFC 3261 section 7.5: empty lines before the start line are ignored. */
static struct slice without_blank(struct slice bytes)
{
    while (bytes.length > 0 && (bytes.data[0] == '\r' || bytes.data[0] == '\n'))
        bytes = slice_from(bytes, 1);
    return bytes;
}

static void take_message(struct tap_path *path, struct slice bytes, struct tap_message *message)
{
    struct tap_counts *counts = &path->counts;
    bool bad = smsg_scan(&path->sip, bytes) != 0;
    enum tap_copy copy = tap_seen_note(path->seen, &path->sip, message->wall_us);
    if (copy == TAP_COPY_DUPLICATE) {
        tap_count(counts, TAP_DUPLICATES);
        return;
    }
    message->other_leg = copy == TAP_COPY_OTHER_LEG;
    tap_count(counts, message->other_leg ? TAP_OTHER_LEG : TAP_MESSAGES);
    if (bad && !message->other_leg)
        tap_count(counts, TAP_MESSAGES_BAD);
    message->sip = &path->sip;
    path->message(path->context, message);
}

static void take_stream_message(void *context, const struct tap_stream_message *from)
{
    struct tap_message message = {
        .source = *from->source,
        .destination = *from->destination,
        .wall_us = from->wall_us,
        .transport = TAP_OVER_TCP,
        .packets = from->packets,
        .packet_count = from->packet_count,
    };
    take_message(context, from->bytes, &message);
}

void tap_path_datagram(struct tap_path *path, struct slice bytes, const struct tap_message *origin)
{
    struct tap_message message = *origin;
    bytes = without_blank(bytes);
    if (tap_is_sip(bytes) != TAP_SIP_YES) {
        tap_count(&path->counts, TAP_UDP_OTHER);
        return;
    }
    take_message(path, bytes, &message);
}

/* ---- packets ------------------------------------------------------------------------------- */

static void take_udp(struct tap_path *path, const struct tap_walk *walk,
                     const struct tap_packet *packet, const struct tap_joined *joined)
{
    const struct tap_message message = {
        .source = walk->source,
        .destination = walk->destination,
        .wall_us = packet->wall_us,
        .transport = TAP_OVER_UDP,
        .packets = joined != NULL ? joined->packets : &packet->number,
        .packet_count = joined != NULL ? joined->packet_count : 1,
    };
    if (walk->missing > 0)
        tap_count(&path->counts, TAP_CUT);
    tap_path_datagram(path, walk->rest, &message);
}

void tap_path_packet(struct tap_path *path, const struct tap_packet *packet)
{
    struct tap_walk walk;
    struct tap_joined joined, *last = NULL;
    tap_count(&path->counts, TAP_PACKETS);
    path->counts.of[TAP_BYTES] += packet->bytes.length;
    path->wall_us = packet->wall_us;
    tap_walk_begin(&walk, packet->link, packet->bytes);
    for (;;) {
        switch (tap_walk_next(&walk)) {
        case TAP_STEP_UDP:
            take_udp(path, &walk, packet, last);
            return;
        case TAP_STEP_TCP:
            tap_streams_add(path->streams, &walk, packet->wall_us, packet->number);
            return;
        case TAP_STEP_FRAGMENT:
            if (!tap_fragments_add(path->fragments, &walk, packet->wall_us, packet->number,
                                   &joined))
                return;
            last = &joined;
            tap_walk_resume(&walk, joined.bytes);
            break;
        case TAP_STEP_NOTHING:
            tap_count(&path->counts, packet->cut && walk.why == TAP_MALFORMED ? TAP_CUT : walk.why);
            return;
        }
    }
}

void tap_path_flush(struct tap_path *path)
{
    tap_streams_flush(path->streams, path->wall_us);
}

/* ---- life ---------------------------------------------------------------------------------- */

static int create_parts(const struct tap_path_limits *limits, struct tap_path *path)
{
    const struct tap_fragments_limits fragments = {
        .datagrams = limits->datagrams,
        .bytes = limits->fragment_bytes,
        .timeout_us = limits->fragment_timeout_us,
        .duplicate_us = limits->duplicate_us,
        .key = limits->key,
    };
    const struct tap_streams_limits streams = {
        .flows = limits->flows,
        .bytes = limits->stream_bytes,
        .late_bytes = LATE_BYTES,
        .late_segments = LATE_SEGMENTS,
        .hole_timeout_us = limits->hole_timeout_us,
        .frame = {limits->message_bytes, limits->message_bytes, message_limit_us},
        .key = limits->key,
    };
    const struct tap_seen_settings seen = {
        .messages = limits->seen,
        .duplicate_us = limits->duplicate_us,
        .other_leg_us = limits->other_leg_us,
        .key = limits->key,
    };
    int error = tap_fragments_create(&fragments, &path->counts, &path->fragments);
    if (error == 0)
        error =
            tap_streams_create(&streams, &path->counts, take_stream_message, path, &path->streams);
    if (error == 0)
        error = tap_seen_create(&seen, &path->seen);
    return error;
}

int tap_path_create(const struct tap_path_limits *limits, tap_message_fn *message, void *context,
                    struct tap_path **path)
{
    struct tap_path *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->message = message;
    created->context = context;
    int error = create_parts(limits, created);
    if (error != 0) {
        tap_path_destroy(created);
        return error;
    }
    *path = created;
    return 0;
}

const struct tap_counts *tap_path_counts(const struct tap_path *path)
{
    return &path->counts;
}

size_t tap_path_held(const struct tap_path *path)
{
    return tap_fragments_held(path->fragments) + tap_streams_held(path->streams);
}

void tap_path_destroy(struct tap_path *path)
{
    if (path == NULL)
        return;
    tap_seen_destroy(path->seen);
    tap_streams_destroy(path->streams);
    tap_fragments_destroy(path->fragments);
    free(path);
}
