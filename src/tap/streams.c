/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/streams.h"

#include <errno.h>
#include <stdlib.h>

#include "streams_int.h"
#include "tap/sip.h"

/* Sequence numbers further apart than any window are another connection on the same ports. */
enum { WINDOW_MAX = 1 << 20 };

int tap_streams_create(const struct tap_streams_limits *limits, struct tap_counts *counts,
                       tap_stream_fn *message, void *context, struct tap_streams **streams)
{
    struct tap_streams *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->limits = *limits;
    created->counts = counts;
    created->message = message;
    created->context = context;
    list_init(&created->strangers);
    list_init(&created->known);
    int error = pool_create(sizeof(struct flow), limits->flows, &created->flows);
    if (error == 0)
        error = pool_create(sizeof(struct late), limits->flows, &created->lates);
    if (error == 0)
        error = slab_create(limits->bytes, &created->slab);
    if (error == 0)
        error = hash_table_create(1024, &created->table);
    if (error != 0) {
        tap_streams_destroy(created);
        return error;
    }
    *streams = created;
    return 0;
}

size_t tap_streams_held(const struct tap_streams *streams)
{
    return slab_held(streams->slab) +
           pool_used(streams->flows) * (sizeof(struct flow) + 2 * sizeof(void *)) +
           pool_used(streams->lates) * sizeof(struct late);
}

void tap_streams_destroy(struct tap_streams *streams)
{
    if (streams == NULL)
        return;
    hash_table_destroy(streams->table);
    slab_destroy(streams->slab);
    pool_destroy(streams->lates);
    pool_destroy(streams->flows);
    free(streams);
}

/* ---- directions ---------------------------------------------------------------------------- */

struct flow_key {
    struct tp_address source;
    struct tp_address destination;
};

static bool same_flow(const void *object, const void *key)
{
    const struct flow *flow = object;
    const struct flow_key *wanted = key;
    return tp_address_equal(&flow->source, &wanted->source) &&
           tp_address_equal(&flow->destination, &wanted->destination);
}

static void drop_late(struct tap_streams *streams, struct flow *flow)
{
    struct late *late = flow->late;
    flow->late = late->next;
    flow->late_bytes -= late->length;
    flow->late_count--;
    slab_free(streams->slab, late->bytes, late->length);
    pool_put(streams->lates, late);
}

static void forget(struct tap_streams *streams, struct flow *flow)
{
    while (flow->late != NULL)
        drop_late(streams, flow);
    tap_flow_release_held(streams, flow);
    list_remove(&flow->use);
    (void)hash_table_remove(streams->table, flow->hash, flow);
    pool_put(streams->flows, flow);
}

/* Floods of SYN never push out a direction that has shown SIP while there are others. */
static bool evict(struct tap_streams *streams, const struct flow *spared)
{
    struct list_link *lists[] = {&streams->strangers, &streams->known};
    for (unsigned i = 0; i < 2; i++) {
        struct list_link *first = list_first(lists[i]);
        if (first == NULL)
            continue;
        struct flow *flow = LIST_ENTRY(first, struct flow, use);
        if (flow == spared)
            continue;
        tap_count(streams->counts, TAP_TCP_FLOWS_EVICTED);
        forget(streams, flow);
        return true;
    }
    return false;
}

char *tap_streams_memory(struct tap_streams *streams, const struct flow *spared, size_t size)
{
    char *memory = slab_alloc(streams->slab, size);
    while (memory == NULL && slab_used(streams->slab) > 0 && evict(streams, spared))
        memory = slab_alloc(streams->slab, size);
    return memory;
}

static struct flow *begin(struct tap_streams *streams, const struct flow_key *key, uint64_t hash)
{
    struct flow *flow = pool_get(streams->flows);
    if (flow == NULL && evict(streams, NULL))
        flow = pool_get(streams->flows);
    if (flow == NULL)
        return NULL;
    flow->source = key->source;
    flow->destination = key->destination;
    flow->hash = hash;
    if (hash_table_insert(streams->table, hash, flow) != 0) {
        pool_put(streams->flows, flow);
        return NULL;
    }
    list_append(&streams->strangers, &flow->use);
    tap_count(streams->counts, TAP_TCP_FLOWS);
    return flow;
}

static void touch(struct tap_streams *streams, struct flow *flow)
{
    list_remove(&flow->use);
    list_append(flow->state == FLOW_NEW ? &streams->strangers : &streams->known, &flow->use);
}

/* ---- bytes before their place -------------------------------------------------------------- */

static int32_t distance(uint32_t from, uint32_t to)
{
    return (int32_t)(to - from);
}

/* True when there is no room, or it waits for too long. */
static bool hole_is_lost(const struct tap_streams *streams, const struct flow *flow,
                         uint64_t wall_us)
{
    const struct tap_streams_limits *limits = &streams->limits;
    return flow->late != NULL &&
           (flow->late_bytes > limits->late_bytes || flow->late_count > limits->late_segments ||
            (wall_us > flow->hole_since_us &&
             wall_us - flow->hole_since_us >= limits->hole_timeout_us));
}

/* False: there is no memory for it; then it is as if it were lost. */
static bool keep_late(struct tap_streams *streams, struct flow *flow, const struct late *segment,
                      uint64_t wall_us)
{
    struct late **place = &flow->late;
    while (*place != NULL && distance((*place)->sequence, segment->sequence) >= 0) {
        if ((*place)->sequence == segment->sequence && (*place)->length >= segment->length) {
            tap_count(streams->counts, TAP_TCP_REPEATED);
            return true;
        }
        place = &(*place)->next;
    }
    struct late *late = pool_get(streams->lates);
    char *bytes = late != NULL ? tap_streams_memory(streams, flow, segment->length) : NULL;
    if (bytes == NULL) {
        if (late != NULL)
            pool_put(streams->lates, late);
        return false;
    }
    memcpy(bytes, segment->bytes, segment->length);
    *late = *segment;
    late->bytes = bytes;
    if (flow->late == NULL)
        flow->hole_since_us = wall_us;
    late->next = *place;
    *place = late;
    flow->late_bytes += late->length;
    flow->late_count++;
    tap_count(streams->counts, TAP_TCP_LATE);
    return true;
}

/* Without the bytes that came before. False: nothing is new. */
static bool trim(const struct flow *flow, struct slice *bytes, uint32_t sequence)
{
    int32_t old = distance(sequence, flow->next);
    if (old <= 0)
        return true;
    *bytes = slice_from(*bytes, (size_t)old);
    return bytes->length > 0;
}

/* Those at the front. False: the direction is to be forgotten. */
static bool deliver(struct tap_streams *streams, struct flow *flow, struct slice bytes,
                    uint32_t missing, uint64_t wall_us, uint64_t packet)
{
    flow->next += (uint32_t)bytes.length + missing;
    return tap_flow_deliver(streams, flow, bytes, missing, wall_us, packet);
}

/* What waits and is at its place now. */
static bool deliver_late(struct tap_streams *streams, struct flow *flow, uint64_t wall_us)
{
    while (flow->late != NULL && distance(flow->late->sequence, flow->next) >= 0) {
        struct late *late = flow->late;
        struct slice bytes = slice_make(late->bytes, late->length);
        bool goes_on = !trim(flow, &bytes, late->sequence) ||
                       deliver(streams, flow, bytes, late->missing, wall_us, late->packet);
        drop_late(streams, flow);
        if (!goes_on)
            return false;
        flow->hole_since_us = wall_us;
    }
    return true;
}

static bool give_hole_up(struct tap_streams *streams, struct flow *flow, uint64_t wall_us)
{
    tap_count(streams->counts, TAP_TCP_GAPS);
    tap_flow_lose(streams, flow);
    flow->next = flow->late->sequence;
    return deliver_late(streams, flow, wall_us);
}

/* ---- segments ------------------------------------------------------------------------------ */

/* Without its SYN only what begins like a message shows that it is worth following. */
static struct flow *find_flow(struct tap_streams *streams, const struct tap_walk *walk)
{
    const struct flow_key key = {walk->source, walk->destination};
    uint64_t hash = hash_siphash13(&streams->limits.key, &key, sizeof(key));
    struct flow *flow = hash_table_find(streams->table, hash, same_flow, &key);
    bool starts = (walk->segment.flags & TAP_TCP_SYN) != 0;
    if (flow != NULL && starts && distance(walk->segment.sequence + 1, flow->next) != 0) {
        forget(streams, flow);
        flow = NULL;
    }
    if (flow != NULL)
        return flow;
    if (!starts && tap_is_sip(walk->rest) != TAP_SIP_YES) {
        if (walk->rest.length > 0)
            tap_count(streams->counts, TAP_TCP_OTHER);
        return NULL;
    }
    if (!starts && walk->rest.length == 0)
        return NULL;
    flow = begin(streams, &key, hash);
    if (flow != NULL)
        flow->next = walk->segment.sequence + (starts ? 1 : 0);
    return flow;
}

/* False: the direction is to be forgotten. */
static bool take_segment(struct tap_streams *streams, struct flow *flow, const struct late *segment,
                         uint64_t wall_us)
{
    struct slice bytes = slice_make(segment->bytes, segment->length);
    int32_t ahead = distance(flow->next, segment->sequence);
    if (ahead > WINDOW_MAX || ahead < -WINDOW_MAX) {
        while (flow->late != NULL)
            drop_late(streams, flow);
        tap_flow_lose(streams, flow);
        flow->next = segment->sequence;
        ahead = 0;
    }
    if (ahead > 0) {
        if (!keep_late(streams, flow, segment, wall_us))
            return false;
    } else if (!trim(flow, &bytes, segment->sequence)) {
        tap_count(streams->counts, TAP_TCP_REPEATED);
    } else if (!deliver(streams, flow, bytes, segment->missing, wall_us, segment->packet) ||
               !deliver_late(streams, flow, wall_us)) {
        return false;
    }
    while (hole_is_lost(streams, flow, wall_us))
        if (!give_hole_up(streams, flow, wall_us))
            return false;
    return true;
}

void tap_streams_add(struct tap_streams *streams, const struct tap_walk *walk, uint64_t wall_us,
                     uint64_t packet)
{
    uint8_t flags = walk->segment.flags;
    struct flow *flow = find_flow(streams, walk);
    if (flow == NULL)
        return;
    touch(streams, flow);
    bool goes_on = (flags & TAP_TCP_RST) == 0;
    uint32_t sequence = walk->segment.sequence + ((flags & TAP_TCP_SYN) != 0 ? 1 : 0);
    if (goes_on && walk->rest.length > 0) {
        const struct late segment = {
            .bytes = (char *)(uintptr_t)walk->rest.data,
            .sequence = sequence,
            .length = (uint32_t)walk->rest.length,
            .missing = walk->missing,
            .packet = packet,
        };
        goes_on = take_segment(streams, flow, &segment, wall_us);
    }
    if ((flags & TAP_TCP_FIN) != 0) {
        flow->closed = true;
        flow->end = sequence + (uint32_t)walk->rest.length + walk->missing;
    }
    if (!goes_on || (flow->closed && distance(flow->end, flow->next) >= 0))
        forget(streams, flow);
}

void tap_streams_flush(struct tap_streams *streams, uint64_t wall_us)
{
    struct list_link *first;
    while ((first = list_first(&streams->strangers)) != NULL ||
           (first = list_first(&streams->known)) != NULL) {
        struct flow *flow = LIST_ENTRY(first, struct flow, use);
        while (flow->late != NULL && give_hole_up(streams, flow, wall_us))
            continue;
        forget(streams, flow);
    }
}
