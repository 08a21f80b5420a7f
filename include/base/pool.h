/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool: objects of one size with a hard limit.
 *
 * Reserves addresses for `limit` objects, takes memory for them as they are first used (on huge
 * pages once that is 2 MB), and never shrinks; a warm pool calls neither malloc nor the kernel.
 * Beside each object there is one bit, so a pool of 64-byte objects has one a cache line. Each
 * object keeps a stable 32-bit index (1..limit), so ids instead of pointers can be stored.
 * One owner thread.
 */
#ifndef RINGFENCE_BASE_POOL_H
#define RINGFENCE_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct pool;

int pool_create(size_t object_size, uint32_t limit, struct pool **pool) MUST_CHECK;

/* Zeroed; NULL when the limit is reached or memory is out. */
void *pool_get(struct pool *pool) MUST_CHECK;
void pool_put(struct pool *pool, void *object);

/* The index of an object in use, and back. */
uint32_t pool_index(const struct pool *pool, const void *object);
void *pool_at(const struct pool *pool, uint32_t index);

uint32_t pool_used(const struct pool *pool);
uint32_t pool_limit(const struct pool *pool);

/* NULL is allowed. Objects still in use go with it. */
void pool_destroy(struct pool *pool);

#endif
