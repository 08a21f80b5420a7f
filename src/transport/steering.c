/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steering: each message goes to the worker that owns its Call-ID. Rings are single-producer
 * single-consumer, so every pair of workers has two.
 */
#include <errno.h>
#include <stdlib.h>

#include "message/scan.h"
#include "transport_int.h"

enum errand {
    ERRAND_RECEIVED, /* a message for the owner of its call */
    ERRAND_SEND,     /* a message for a connection of the other worker */
    ERRAND_FAILED    /* a message that the other worker gave could not be sent */
};

/* Stands before the bytes of a message in a ring. */
struct handed_over {
    uint64_t received_us;
    uint64_t backlog_us;
    uint64_t connection;
    uint64_t cookie;
    struct tp_address address; /* from where, or to where */
    int32_t error;
    uint16_t listener;
    uint8_t errand; /* enum errand */
    uint8_t protocol;
};

/* A record may take at most a quarter of a ring (base/ring.h), and the largest must fit. */
enum { RING_BYTES_MINIMUM = 4 * (sizeof(struct handed_over) + TP_DATAGRAM_LIMIT) };

int tp_steering_create(struct tp_group *group)
{
    size_t workers = group->settings.workers;
    size_t bytes = group->settings.ring_bytes;
    if (bytes < RING_BYTES_MINIMUM)
        bytes = RING_BYTES_MINIMUM;

    group->rings = calloc(workers * workers, sizeof(struct ring *));
    group->wakes = calloc(workers, sizeof(struct rt_wake *));
    if (group->rings == NULL || group->wakes == NULL)
        return -ENOMEM;
    int error = 0;
    for (size_t from = 0; error == 0 && from < workers; from++) {
        error = rt_wake_create(&group->wakes[from]);
        for (size_t to = 0; error == 0 && to < workers; to++)
            if (from != to)
                error = ring_create(bytes, &group->rings[from * workers + to]);
    }
    return error;
}

void tp_steering_destroy(struct tp_group *group)
{
    size_t workers = group->settings.workers;
    for (size_t i = 0; group->rings != NULL && i < workers * workers; i++)
        ring_destroy(group->rings[i]);
    for (size_t i = 0; group->wakes != NULL && i < workers; i++)
        if (group->wakes[i] != NULL)
            rt_wake_destroy(group->wakes[i]);
    free(group->rings);
    free(group->wakes);
}

size_t tp_group_owner(const struct tp_group *group, struct slice call_id)
{
    uint64_t hash = hash_slice(&group->settings.steering_key, call_id);
    /* The hash as a fraction of the workers: uniform, without a division. */
    return (size_t)((__extension__(unsigned __int128) hash * group->settings.workers) >> 64);
}

/* False: the ring is full. */
static bool put(struct tp_worker *worker, size_t owner, const struct handed_over *head,
                struct slice bytes)
{
    struct ring *ring = group_ring(worker->group, worker->index, owner);
    size_t size = sizeof(*head) + bytes.length;
    struct handed_over *record = ring_reserve(ring, size);
    if (record == NULL) {
        stats_count(worker->stats, STATS_RING_FULL);
        return false;
    }
    *record = *head;
    if (bytes.length > 0)
        memcpy(record + 1, bytes.data, bytes.length);
    ring_commit(ring, size);
    worker->rung |= UINT64_C(1) << (owner % 64);
    return true;
}

static bool hand_over(struct tp_worker *worker, size_t owner, const struct tp_packet *packet)
{
    const struct handed_over head = {
        .received_us = packet->received_us,
        .backlog_us = packet->backlog_us,
        .connection = packet->connection,
        .address = packet->source,
        .listener = packet->listener,
        .errand = ERRAND_RECEIVED,
        .protocol = packet->protocol,
    };
    if (!put(worker, owner, &head, packet->bytes))
        return false;
    stats_count(worker->stats, STATS_DATAGRAMS_HANDED_OVER);
    return true;
}

void tp_steering_pass(struct tp_worker *worker, uint32_t owner, const struct tp_outgoing *message)
{
    const struct handed_over head = {
        .connection = message->connection,
        .cookie = message->cookie,
        .address = *message->to,
        .listener = message->listener,
        .errand = ERRAND_SEND,
    };
    if (message->bytes.length > TP_DATAGRAM_LIMIT)
        tp_sender_fail(worker->sender, message->cookie, -EMSGSIZE);
    else if (!put(worker, owner, &head, message->bytes))
        tp_sender_fail(worker->sender, message->cookie, ERROR_LIMIT);
}

/* Where the ring is full, the other worker's timers tell. */
void tp_steering_fail(struct tp_worker *worker, uint32_t owner, uint64_t cookie, int error)
{
    const struct handed_over head = {.cookie = cookie, .error = error, .errand = ERRAND_FAILED};
    (void)put(worker, owner, &head, slice_make(NULL, 0));
}

bool tp_steering_deliver(struct tp_worker *worker, const struct tp_packet *packet)
{
    if (worker->group->settings.workers > 1) {
        struct slice call_id = smsg_peek_call_id(packet->bytes);
        /* What belongs to no call is answered or dropped by whoever received it. */
        size_t owner =
            call_id.data != NULL ? tp_group_owner(worker->group, call_id) : worker->index;
        if (owner != worker->index)
            return hand_over(worker, owner, packet);
    }
    worker->events.received(worker->argument, packet);
    return true;
}

void tp_steering_wake_others(struct tp_worker *worker)
{
    if (worker->rung == 0)
        return;
    for (size_t i = 0; i < worker->group->settings.workers; i++)
        if (i != worker->index && (worker->rung >> (i % 64) & 1) != 0)
            rt_wake_ring(worker->group->wakes[i]);
    worker->rung = 0;
}

/* What it waited in the ring counts like what it would have waited in the kernel's queue. */
static uint64_t waited_us(const struct tp_worker *worker, const struct handed_over *record)
{
    uint64_t now_us = rt_loop_now(worker->loop);
    return worker->backlog_us + (now_us > record->received_us ? now_us - record->received_us : 0);
}

static void receive(struct tp_worker *worker, const struct handed_over *record, struct slice bytes)
{
    const struct tp_packet packet = {
        .bytes = bytes,
        .source = record->address,
        .listener = record->listener,
        .protocol = record->protocol,
        .connection = record->connection,
        .received_us = record->received_us,
        .backlog_us = record->backlog_us + waited_us(worker, record),
    };
    worker->events.received(worker->argument, &packet);
}

static void run_errand(struct tp_worker *worker, size_t from, const struct handed_over *record,
                       struct slice bytes)
{
    const struct tp_outgoing message = {
        .bytes = bytes,
        .to = &record->address,
        .connection = record->connection,
        .cookie = record->cookie,
        .worker = (uint32_t)from,
        .listener = record->listener,
    };
    switch ((enum errand)record->errand) {
    case ERRAND_RECEIVED:
        receive(worker, record, bytes);
        break;
    case ERRAND_SEND:
        tp_streams_send(worker->streams, &message);
        break;
    case ERRAND_FAILED:
        tp_sender_fail(worker->sender, record->cookie, record->error);
        break;
    }
}

/* At most a batch from each ring, so that the worker's own sockets get their turn. */
static size_t take_from(struct tp_worker *worker, size_t from)
{
    struct ring *ring = group_ring(worker->group, from, worker->index);
    size_t taken = 0;
    size_t size;
    const struct handed_over *record;
    while (taken < worker->group->settings.batch && (record = ring_peek(ring, &size)) != NULL) {
        run_errand(worker, from, record,
                   slice_make((const char *)(record + 1), size - sizeof(*record)));
        ring_release(ring);
        taken++;
    }
    return taken;
}

bool tp_worker_take_handed_over(struct tp_worker *worker)
{
    size_t taken = 0;
    for (size_t from = 0; from < worker->group->settings.workers; from++)
        if (from != worker->index)
            taken += take_from(worker, from);
    if (taken > 0)
        tp_worker_finish_batch(worker);
    return taken > 0;
}

void tp_worker_before_sleep(struct tp_worker *worker)
{
    rt_wake_arm(worker->group->wakes[worker->index]);
}

void tp_worker_after_sleep(struct tp_worker *worker)
{
    rt_wake_disarm(worker->group->wakes[worker->index]);
}

void tp_steering_rung(void *argument, int descriptor, unsigned ready)
{
    (void)descriptor;
    (void)ready;
    struct tp_worker *worker = argument;
    tp_worker_after_sleep(worker);
    tp_worker_take_handed_over(worker);
}
