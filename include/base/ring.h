/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring: single-producer single-consumer ring of variable-length records.
 *
 * Lock-free, without atomic read-modify-write: the producer publishes its head with a release
 * store, the consumer its tail likewise, and each caches the other's last seen position.
 * Records are contiguous and aligned to 16 bytes; a record that would wrap is preceded by padding.
 * A full ring refuses; the caller counts the loss.
 */
#ifndef RINGFENCE_BASE_RING_H
#define RINGFENCE_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct ring;

/* capacity is rounded up to a power of two; a record may take at most a quarter of it. */
int ring_create(size_t capacity, struct ring **ring) MUST_CHECK;

/* Producer: room for one record of at most `size` bytes, or NULL when there is none. */
void *ring_reserve(struct ring *ring, size_t size) MUST_CHECK;
/* Producer: publishes the reserved record, cut to its final size. */
void ring_commit(struct ring *ring, size_t size);

/* Consumer: the oldest record, or NULL. It stays valid until ring_release(). */
const void *ring_peek(struct ring *ring, size_t *size);
void ring_release(struct ring *ring);

/* Either side; a snapshot. */
bool ring_is_empty(const struct ring *ring);
size_t ring_used(const struct ring *ring);

/* Neither side may be using it. */
void ring_destroy(struct ring *ring);

#endif
