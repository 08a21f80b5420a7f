/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab: byte blocks of many sizes, kept in size classes, with a hard limit on the total.
 *
 * For message copies held by transactions: classes grow by about 1.25x from 64 bytes to 72 KiB, so
 * at most a fifth is lost to rounding. A freed block goes to its class's list and is used again; a
 * warm slab never calls malloc. One owner thread.
 */
#ifndef RINGFENCE_BASE_SLAB_H
#define RINGFENCE_BASE_SLAB_H

#include <stddef.h>

#include "base/error.h"

struct slab;

int slab_create(size_t limit_bytes, struct slab **slab) MUST_CHECK;

/* NULL when the limit is reached, memory is out, or size exceeds the largest class. */
void *slab_alloc(struct slab *slab, size_t size) MUST_CHECK;

/* size: what was asked for. NULL is allowed. */
void slab_free(struct slab *slab, void *memory, size_t size);

/* Bytes in blocks that are handed out, rounding included. */
size_t slab_used(const struct slab *slab);
void slab_destroy(struct slab *slab);

#endif
