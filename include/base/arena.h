/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena: bump allocation that is given back all at once.
 *
 * For the life of one message, one reload, one command. Memory is aligned to 16 bytes and not
 * zeroed. arena_reset() keeps the chunks, so a warm arena never calls malloc. Not thread-safe.
 */
#ifndef RINGFENCE_BASE_ARENA_H
#define RINGFENCE_BASE_ARENA_H

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

struct arena;

/* limit: bytes after which arena_alloc() returns NULL; 0 means none. */
int arena_create(size_t chunk_size, size_t limit, struct arena **arena) MUST_CHECK;

/* NULL when the limit is reached or memory is out. */
void *arena_alloc(struct arena *arena, size_t size) MUST_CHECK;

/* Zeroed. */
void *arena_zalloc(struct arena *arena, size_t size) MUST_CHECK;

/* A copy with a NUL behind it; data is NULL on failure. */
struct slice arena_copy(struct arena *arena, struct slice slice) MUST_CHECK;
char *arena_text(struct arena *arena, struct slice slice) MUST_CHECK;

/* Bytes handed out since creation or the last reset. */
size_t arena_used(const struct arena *arena);

void arena_reset(struct arena *arena);

/* NULL is allowed. */
void arena_destroy(struct arena *arena);

#endif
