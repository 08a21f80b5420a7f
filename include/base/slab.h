/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab: byte blocks of many sizes, kept in size classes, with a hard limit on the total.
 *
 * For message copies held by transactions: classes grow by about 1.25x from 64 bytes to 72 KiB, so
 * at most a fifth is lost to rounding. Blocks are cut from chunks of 256 KiB that serve one class
 * at a time; a chunk whose blocks are all free may serve another class next. Chunks lie side by
 * side in one range, on huge pages once there are 2 MB of them. A block has no header, and taking
 * or returning one touches it, its chunk's descriptor and nothing else; a warm slab calls neither
 * malloc nor the kernel. One owner thread.
 *
 * The limit counts blocks handed out. Chunks that are only partly in use hold memory beyond it: at
 * most a quarter of the limit and one chunk for each class (10.5 MiB). Where these are used up, a
 * larger block serves as long as one is free.
 */
#ifndef RINGFENCE_BASE_SLAB_H
#define RINGFENCE_BASE_SLAB_H

#include <stddef.h>

#include "base/error.h"

struct slab;

/* A limit beyond 256 GiB counts as 256 GiB. */
int slab_create(size_t limit_bytes, struct slab **slab) MUST_CHECK;

/* Aligned to 16 bytes. NULL when the limit is reached, memory is out, or size exceeds the largest
 * class. */
void *slab_alloc(struct slab *slab, size_t size) MUST_CHECK;

/* size: what was asked for. NULL is allowed. */
void slab_free(struct slab *slab, void *memory, size_t size);

/* Bytes in blocks that are handed out, rounding included. */
size_t slab_used(const struct slab *slab);

/* Bytes of chunks, in use or not. */
size_t slab_held(const struct slab *slab);

/* Blocks still in use go with it. NULL is allowed. */
void slab_destroy(struct slab *slab);

#endif
