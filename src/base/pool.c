/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "poison_int.h"

enum { POOL_ALIGNMENT = 16, POOL_SLAB_BYTES = 64 * 1024 };

/* Stands before each object, so its index is found without searching the slabs. */
struct pool_header {
    uint32_t index;
    uint32_t next_free; /* index of the next free object; 0: none */
    bool in_use;
    char unused_alignment[7];
};

_Static_assert(sizeof(struct pool_header) % POOL_ALIGNMENT == 0, "objects must be aligned");

struct pool {
    unsigned char **slabs;
    size_t object_size;
    size_t stride;
    unsigned slab_shift; /* log2 of the objects in one slab */
    uint32_t slab_count;
    uint32_t limit;
    uint32_t made; /* objects that exist so far, used or free */
    uint32_t used;
    uint32_t first_free;
};

int pool_create(size_t object_size, uint32_t limit, struct pool **pool)
{
    if (object_size == 0 || limit == 0 || object_size > SIZE_MAX / 4)
        return -EINVAL;
    struct pool *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;

    made->object_size = object_size;
    made->stride = sizeof(struct pool_header) +
                   ((object_size + POOL_ALIGNMENT - 1) & ~(size_t)(POOL_ALIGNMENT - 1));
    made->limit = limit;
    while (made->slab_shift < 16 && (made->stride << (made->slab_shift + 1)) <= POOL_SLAB_BYTES)
        made->slab_shift++;
    made->slabs = calloc(((limit - 1) >> made->slab_shift) + (size_t)1, sizeof(made->slabs[0]));
    if (made->slabs == NULL) {
        free(made);
        return -ENOMEM;
    }
    *pool = made;
    return 0;
}

static struct pool_header *header_at(const struct pool *pool, uint32_t index)
{
    uint32_t place = index - 1;
    uint32_t within = place & ((UINT32_C(1) << pool->slab_shift) - 1);
    return (void *)(pool->slabs[place >> pool->slab_shift] + within * pool->stride);
}

static struct pool_header *header_of(const void *object)
{
    return (void *)((uintptr_t)object - sizeof(struct pool_header));
}

static bool add_slab(struct pool *pool)
{
    uint32_t left = pool->limit - pool->made;
    uint32_t count = UINT32_C(1) << pool->slab_shift;
    if (count > left)
        count = left;
    unsigned char *slab = calloc(count, pool->stride);
    if (slab == NULL)
        return false;

    pool->slabs[pool->slab_count++] = slab;
    /* Linked from the last to the first, so objects are handed out in the order of memory. */
    for (uint32_t i = count; i > 0; i--) {
        uint32_t index = pool->made + i;
        struct pool_header *header = header_at(pool, index);
        header->index = index;
        header->next_free = pool->first_free;
        pool->first_free = index;
        poison(header + 1, pool->object_size);
    }
    pool->made += count;
    return true;
}

void *pool_get(struct pool *pool)
{
    if (pool->first_free == 0 && (pool->made == pool->limit || !add_slab(pool)))
        return NULL;

    struct pool_header *header = header_at(pool, pool->first_free);
    pool->first_free = header->next_free;
    header->in_use = true;
    pool->used++;

    void *object = header + 1;
    unpoison(object, pool->object_size);
    memset(object, 0, pool->object_size);
    return object;
}

void pool_put(struct pool *pool, void *object)
{
    struct pool_header *header = header_of(object);
    assert(header->in_use && header_at(pool, header->index) == header);

    header->in_use = false;
    header->next_free = pool->first_free;
    pool->first_free = header->index;
    pool->used--;
    poison(object, pool->object_size);
}

uint32_t pool_index(const struct pool *pool, const void *object)
{
    const struct pool_header *header = header_of(object);
    assert(header->in_use && header_at(pool, header->index) == header);
    (void)pool;
    return header->index;
}

void *pool_at(const struct pool *pool, uint32_t index)
{
    if (index == 0 || index > pool->made)
        return NULL;
    struct pool_header *header = header_at(pool, index);
    return header->in_use ? header + 1 : NULL;
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
    for (uint32_t i = 1; i <= pool->made; i++)
        unpoison(header_at(pool, i) + 1, pool->object_size);
    for (uint32_t i = 0; i < pool->slab_count; i++)
        free(pool->slabs[i]);
    free(pool->slabs);
    free(pool);
}
