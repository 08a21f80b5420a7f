/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mapping.h"
#include "poison_int.h"

enum { POOL_ALIGNMENT = 16, POOL_MAP_BITS = 64 };

/*
 * One range of addresses holds all objects, side by side and without headers: an object of 64 bytes
 * is one cache line. What is known of it beside lies in a bitmap, which stays in the cache.
 */
struct pool {
    struct mapping objects;
    uint64_t *in_use; /* bit i: object i is handed out */
    size_t object_size;
    size_t stride;
    uint32_t limit;
    uint32_t made; /* objects that were handed out at some time */
    uint32_t used;
    uint32_t first_free; /* index of the object put last; 0: none. They are linked within. */
};

int pool_create(size_t object_size, uint32_t limit, struct pool **pool)
{
    if (object_size == 0 || limit == 0 || object_size > SIZE_MAX / 4 / limit - POOL_ALIGNMENT)
        return -EINVAL;
    struct pool *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;

    int error = -ENOMEM;
    /* Room for the link of a free one. */
    made->object_size = object_size > sizeof(uint32_t) ? object_size : sizeof(uint32_t);
    made->stride = (object_size + POOL_ALIGNMENT - 1) & ~(size_t)(POOL_ALIGNMENT - 1);
    made->limit = limit;
    made->in_use = calloc(limit / POOL_MAP_BITS + (size_t)1, sizeof(made->in_use[0]));
    if (made->in_use != NULL)
        error = mapping_reserve(made->stride * limit, &made->objects);
    if (error != 0) {
        pool_destroy(made);
        return error;
    }
    *pool = made;
    return 0;
}

static void *object_at(const struct pool *pool, uint32_t index)
{
    return pool->objects.start + (size_t)(index - 1) * pool->stride;
}

static uint64_t index_bit(uint32_t index)
{
    return UINT64_C(1) << ((index - 1) % POOL_MAP_BITS);
}

static uint64_t *index_word(const struct pool *pool, uint32_t index)
{
    return &pool->in_use[(index - 1) / POOL_MAP_BITS];
}

static bool is_in_use(const struct pool *pool, uint32_t index)
{
    return index != 0 && index <= pool->made && (*index_word(pool, index) & index_bit(index)) != 0;
}

/* The next one that was never handed out; 0: there is none, or no memory for it. */
static uint32_t make_object(struct pool *pool)
{
    if (pool->made == pool->limit)
        return 0;
    size_t usable = pool->objects.usable;
    if (mapping_extend(&pool->objects, (size_t)(pool->made + 1) * pool->stride) != 0)
        return 0;
    if (pool->objects.usable > usable)
        poison(pool->objects.start + usable, pool->objects.usable - usable);
    return ++pool->made;
}

void *pool_get(struct pool *pool)
{
    uint32_t index = pool->first_free != 0 ? pool->first_free : make_object(pool);
    if (index == 0)
        return NULL;
    void *object = object_at(pool, index);
    unpoison(object, pool->object_size);
    if (index == pool->first_free)
        memcpy(&pool->first_free, object, sizeof(pool->first_free));
    *index_word(pool, index) |= index_bit(index);
    pool->used++;
    memset(object, 0, pool->object_size);
    return object;
}

uint32_t pool_index(const struct pool *pool, const void *object)
{
    size_t offset = (size_t)((uintptr_t)object - (uintptr_t)pool->objects.start);
    uint32_t index = (uint32_t)(offset / pool->stride) + 1;
    assert(offset < pool->objects.usable && object == object_at(pool, index) &&
           is_in_use(pool, index));
    return index;
}

void pool_put(struct pool *pool, void *object)
{
    uint32_t index = pool_index(pool, object);
    *index_word(pool, index) &= ~index_bit(index);
    memcpy(object, &pool->first_free, sizeof(pool->first_free));
    pool->first_free = index;
    pool->used--;
    poison(object, pool->stride);
}

void *pool_at(const struct pool *pool, uint32_t index)
{
    return is_in_use(pool, index) ? object_at(pool, index) : NULL;
}

uint32_t pool_used(const struct pool *pool)
{
    return pool->used;
}

uint32_t pool_limit(const struct pool *pool)
{
    return pool->limit;
}

void pool_destroy(struct pool *pool)
{
    if (pool == NULL)
        return;
    mapping_destroy(&pool->objects);
    free(pool->in_use);
    free(pool);
}
