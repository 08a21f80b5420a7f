/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#include <stdlib.h>

#define T1_MS      UINT64_C(500)
#define STAGES     6 /* 0.5 s doubled up to 16 s */
#define T2_STAGE   3 /* 4 s: what is no INVITE is not repeated more slowly */
#define QUEUE_RING STAGES
#define QUEUE_HOLD (STAGES + 1)
#define QUEUES     (STAGES + 2)

struct entry {
    uint64_t due;
    uint64_t id;
    uint8_t kind;
    uint8_t stage;
};

/* A ring that doubles when it is full. */
struct queue {
    uint64_t interval;
    uint64_t head;
    uint64_t tail;
    uint64_t mask;
    struct entry *entries;
};

struct generator_timers {
    struct queue queues[QUEUES];
};

struct generator_timers *timers_create(uint64_t ring_ms, uint64_t hold_ms)
{
    struct generator_timers *timers = generator_zeroed(1, sizeof(*timers));
    for (unsigned i = 0; i < QUEUES; i++) {
        struct queue *queue = &timers->queues[i];
        uint64_t ms = i == QUEUE_RING ? ring_ms : i == QUEUE_HOLD ? hold_ms : T1_MS << i;
        queue->interval = ms * (GENERATOR_SECOND / 1000);
        queue->mask = 4095;
        queue->entries = generator_zeroed(queue->mask + 1, sizeof(struct entry));
    }
    return timers;
}

static void grow(struct queue *queue)
{
    uint64_t mask = queue->mask * 2 + 1;
    struct entry *entries = generator_zeroed(mask + 1, sizeof(*entries));
    for (uint64_t i = queue->head; i != queue->tail; i++)
        entries[i & mask] = queue->entries[i & queue->mask];
    free(queue->entries);
    queue->entries = entries;
    queue->mask = mask;
}

static unsigned queue_of(enum timer_kind kind, unsigned stage)
{
    if (kind == TIMER_RING)
        return QUEUE_RING;
    if (kind == TIMER_HOLD)
        return QUEUE_HOLD;
    unsigned slowest = kind == TIMER_INVITE ? STAGES - 1 : T2_STAGE;
    return stage < slowest ? stage : slowest;
}

void timers_add(struct generator_timers *timers, enum timer_kind kind, unsigned stage, uint64_t id,
                uint64_t now)
{
    struct queue *queue = &timers->queues[queue_of(kind, stage)];
    if (queue->tail - queue->head > queue->mask)
        grow(queue);
    queue->entries[queue->tail++ & queue->mask] =
        (struct entry){now + queue->interval, id, (uint8_t)kind, (uint8_t)stage};
}

bool timers_fire(struct generator_timers *timers, uint64_t now, generator_timer_fn *fire,
                 void *argument)
{
    bool fired = false;
    for (unsigned i = 0; i < QUEUES; i++) {
        struct queue *queue = &timers->queues[i];
        while (queue->head != queue->tail && queue->entries[queue->head & queue->mask].due <= now) {
            struct entry entry = queue->entries[queue->head++ & queue->mask];
            fire(argument, entry.id, (enum timer_kind)entry.kind, entry.stage, now);
            fired = true;
        }
    }
    return fired;
}

void timers_destroy(struct generator_timers *timers)
{
    for (unsigned i = 0; i < QUEUES; i++)
        free(timers->queues[i].entries);
    free(timers);
}
