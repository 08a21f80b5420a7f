/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

/*
 *      tail (consumer)                head (producer)
 *       v                              v
 *  ....|h record|h record|h pad|......|reserved|....
 *
 * Positions count bytes since creation and never wrap in practice; the place in memory is the
 * position modulo the capacity. Each record stands behind a header of 16 bytes (h).
 *
 * Memory order: the producer's release store of `head` publishes header and record; the consumer's
 * acquire load of it makes them readable. The consumer's release store of `tail` says that it has
 * read them; the producer's acquire load makes the place writable again.
 */
enum { RING_ALIGNMENT = 16, RING_CAPACITY_MINIMUM = 1024, CACHE_LINE = 64 };

struct ring_header {
    size_t size;    /* of the record */
    size_t padding; /* 1: skip to the end of the memory, there is no record */
};

_Static_assert(sizeof(struct ring_header) == RING_ALIGNMENT, "records must be aligned");

struct ring {
    /* Written by the producer. */
    alignas(CACHE_LINE) atomic_size_t head;
    size_t seen_tail;
    size_t reserved_at; /* position of the header of the reserved record */
    size_t reserved_size;

    /* Written by the consumer. */
    alignas(CACHE_LINE) atomic_size_t tail;
    size_t seen_head;
    size_t read_at; /* tail, or behind the padding that follows it */

    alignas(CACHE_LINE) unsigned char *memory;
    size_t capacity;
};

int ring_create(size_t capacity, struct ring **ring)
{
    size_t rounded = RING_CAPACITY_MINIMUM;
    while (rounded < capacity) {
        if (rounded > SIZE_MAX / 4)
            return -EINVAL;
        rounded *= 2;
    }

    struct ring *made = aligned_alloc(CACHE_LINE, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    *made = (struct ring){.capacity = rounded};
    atomic_init(&made->head, 0);
    atomic_init(&made->tail, 0);
    made->memory = aligned_alloc(CACHE_LINE, rounded);
    if (made->memory == NULL) {
        free(made);
        return -ENOMEM;
    }
    *ring = made;
    return 0;
}

static struct ring_header *header_at(const struct ring *ring, size_t position)
{
    return (void *)(ring->memory + (position & (ring->capacity - 1)));
}

static size_t left_until_wrap(const struct ring *ring, size_t position)
{
    return ring->capacity - (position & (ring->capacity - 1));
}

static size_t room_for(size_t size)
{
    return sizeof(struct ring_header) +
           ((size + RING_ALIGNMENT - 1) & ~(size_t)(RING_ALIGNMENT - 1));
}

void *ring_reserve(struct ring *ring, size_t size)
{
    if (size > ring->capacity / 4)
        return NULL;

    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t room = room_for(size);
    size_t left = left_until_wrap(ring, head);
    size_t padding = left < room ? left : 0;

    if (padding + room > ring->capacity - (head - ring->seen_tail)) {
        ring->seen_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (padding + room > ring->capacity - (head - ring->seen_tail))
            return NULL;
    }
    /* Not seen by the consumer before the record behind it is committed. */
    if (padding > 0)
        *header_at(ring, head) = (struct ring_header){0, 1};
    ring->reserved_at = head + padding;
    ring->reserved_size = size;
    return header_at(ring, ring->reserved_at) + 1;
}

void ring_commit(struct ring *ring, size_t size)
{
    assert(size <= ring->reserved_size);
    *header_at(ring, ring->reserved_at) = (struct ring_header){size, 0};
    atomic_store_explicit(&ring->head, ring->reserved_at + room_for(size), memory_order_release);
    ring->reserved_size = 0;
}

const void *ring_peek(struct ring *ring, size_t *size)
{
    if (ring->read_at == ring->seen_head) {
        ring->seen_head = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (ring->read_at == ring->seen_head)
            return NULL;
    }
    /* Padding and the record behind it were published by one store. */
    if (header_at(ring, ring->read_at)->padding != 0)
        ring->read_at += left_until_wrap(ring, ring->read_at);
    const struct ring_header *header = header_at(ring, ring->read_at);
    *size = header->size;
    return header + 1;
}

void ring_release(struct ring *ring)
{
    assert(ring->read_at != ring->seen_head);
    ring->read_at += room_for(header_at(ring, ring->read_at)->size);
    atomic_store_explicit(&ring->tail, ring->read_at, memory_order_release);
}

size_t ring_used(const struct ring *ring)
{
    /* Tail first: read the other way round, the tail might have passed the head. */
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    size_t used = atomic_load_explicit(&ring->head, memory_order_acquire) - tail;
    return used < ring->capacity ? used : ring->capacity;
}

bool ring_is_empty(const struct ring *ring)
{
    return ring_used(ring) == 0;
}

void ring_destroy(struct ring *ring)
{
    if (ring == NULL)
        return;
    free(ring->memory);
    free(ring);
}
