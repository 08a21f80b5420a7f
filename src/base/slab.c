/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mapping.h"
#include "poison_int.h"

/*
 * Four classes to each doubling: 64, 80, 96, 112, 128, 160 ... 65536, and one last of 72 KiB: the
 * largest datagram with what a proxy adds to it.
 */
enum {
    SLAB_SMALLEST_SHIFT = 6,
    SLAB_LARGEST_SHIFT = 16,
    SLAB_STEPS = 4,
    SLAB_LAST_CLASS = (SLAB_LARGEST_SHIFT - SLAB_SMALLEST_SHIFT) * SLAB_STEPS + 1,
    SLAB_CLASSES = SLAB_LAST_CLASS + 1,
    SLAB_LAST_SIZE = 72 * 1024,
    SLAB_UNIT = 16, /* of which every class is a multiple */
    SLAB_CHUNK_SHIFT = 18
};

static const size_t chunk_bytes = (size_t)1 << SLAB_CHUNK_SHIFT;
static const size_t limit_maximum = (size_t)1 << 38;

/*
 * Descriptors lie apart from the chunks: at the head of each chunk they would all compete for the
 * same few sets of the cache. Blocks are named by their place in the chunk, in units.
 */
struct slab_chunk {
    struct list_link link; /* in slab_class.partial or slab.spare; while full in neither */
    uint16_t first_free;   /* 1 + the place of the block returned last; 0: none */
    uint16_t fresh;        /* blocks handed out since the chunk serves its class; linked or used */
    uint16_t used;
    uint8_t class;
};

_Static_assert((1 << SLAB_CHUNK_SHIFT) / SLAB_UNIT < UINT16_MAX, "a place fits first_free");

struct slab_class {
    struct list_link partial; /* chunks that have a free block */
    uint32_t size;
    uint16_t blocks; /* of a chunk */
};

struct slab {
    struct mapping mapping;
    struct slab_chunk *chunks;
    size_t chunk_limit;
    size_t chunk_count;
    struct list_link spare; /* chunks that serve no class */
    struct slab_class classes[SLAB_CLASSES];
    size_t limit;
    size_t used; /* bytes in blocks handed out */
};

static size_t class_size(unsigned class)
{
    if (class == SLAB_LAST_CLASS)
        return SLAB_LAST_SIZE;
    size_t base = (size_t)1 << (SLAB_SMALLEST_SHIFT + class / SLAB_STEPS);
    return base + base / SLAB_STEPS * (class % SLAB_STEPS);
}

/* size <= SLAB_LAST_SIZE */
static unsigned class_of(size_t size)
{
    if (size <= (size_t)1 << SLAB_SMALLEST_SHIFT)
        return 0;
    if (size > (size_t)1 << SLAB_LARGEST_SHIFT)
        return SLAB_LAST_CLASS;
    unsigned shift = 63U - (unsigned)__builtin_clzll((unsigned long long)(size - 1));
    size_t step = ((size_t)1 << shift) / SLAB_STEPS;
    size_t above = size - ((size_t)1 << shift);
    return (shift - SLAB_SMALLEST_SHIFT) * SLAB_STEPS + (unsigned)((above + step - 1) / step);
}

int slab_create(size_t limit_bytes, struct slab **slab)
{
    struct slab *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;

    list_init(&made->spare);
    for (unsigned i = 0; i < SLAB_CLASSES; i++) {
        struct slab_class *class = &made->classes[i];
        list_init(&class->partial);
        class->size = (uint32_t)class_size(i);
        class->blocks = (uint16_t)(chunk_bytes / class->size);
    }
    made->limit = limit_bytes < limit_maximum ? limit_bytes : limit_maximum;
    /* A quarter more: of a chunk with blocks of 72 KiB a sixth is left over. */
    made->chunk_limit = (made->limit + made->limit / 4) / chunk_bytes + SLAB_CLASSES;
    int error = -ENOMEM;
    made->chunks = calloc(made->chunk_limit, sizeof(made->chunks[0]));
    if (made->chunks != NULL)
        error = mapping_reserve(made->chunk_limit * chunk_bytes, &made->mapping);
    if (error != 0) {
        slab_destroy(made);
        return error;
    }
    *slab = made;
    return 0;
}

static unsigned char *chunk_start(const struct slab *slab, const struct slab_chunk *chunk)
{
    return slab->mapping.start + ((size_t)(chunk - slab->chunks) << SLAB_CHUNK_SHIFT);
}

/* A chunk for a class that has none with a free block; NULL when there may be no more. */
static struct slab_chunk *take_chunk(struct slab *slab, unsigned class)
{
    struct slab_chunk *chunk;
    struct list_link *link = list_first(&slab->spare);
    if (link != NULL) {
        chunk = LIST_ENTRY(link, struct slab_chunk, link);
        list_remove(link);
    } else {
        size_t bytes = (slab->chunk_count + 1) << SLAB_CHUNK_SHIFT;
        if (slab->chunk_count == slab->chunk_limit || mapping_extend(&slab->mapping, bytes) != 0)
            return NULL;
        chunk = &slab->chunks[slab->chunk_count++];
        poison(chunk_start(slab, chunk), chunk_bytes);
    }
    *chunk = (struct slab_chunk){.class = (uint8_t) class};
    list_append(&slab->classes[class].partial, &chunk->link);
    return chunk;
}

/* A chunk with a free block of the class, or of the next larger one that has any. */
static struct slab_chunk *find_chunk(struct slab *slab, unsigned class)
{
    struct list_link *link = list_first(&slab->classes[class].partial);
    if (link == NULL) {
        struct slab_chunk *taken = take_chunk(slab, class);
        if (taken != NULL)
            return taken;
        while (link == NULL && ++class < SLAB_CLASSES)
            link = list_first(&slab->classes[class].partial);
    }
    return link != NULL ? LIST_ENTRY(link, struct slab_chunk, link) : NULL;
}

/* The block returned last, which is the one most likely still in the cache, or a new one. */
static void *take_block(struct slab *slab, struct slab_chunk *chunk, size_t size)
{
    const struct slab_class *class = &slab->classes[chunk->class];
    unsigned char *start = chunk_start(slab, chunk);
    unsigned char *block;
    if (chunk->first_free != 0) {
        block = start + (size_t)(chunk->first_free - 1) * SLAB_UNIT;
        unpoison(block, sizeof(chunk->first_free));
        memcpy(&chunk->first_free, block, sizeof(chunk->first_free));
    } else {
        block = start + (size_t)chunk->fresh * class->size;
        chunk->fresh++;
    }
    unpoison(block, size);
    chunk->used++;
    if (chunk->used == class->blocks)
        list_remove(&chunk->link);
    return block;
}

void *slab_alloc(struct slab *slab, size_t size)
{
    if (size > SLAB_LAST_SIZE)
        return NULL;
    unsigned class = class_of(size);
    if (slab->classes[class].size > slab->limit - slab->used)
        return NULL;
    struct slab_chunk *chunk = find_chunk(slab, class);
    if (chunk == NULL || slab->classes[chunk->class].size > slab->limit - slab->used)
        return NULL;
    slab->used += slab->classes[chunk->class].size;
    return take_block(slab, chunk, size);
}

void slab_free(struct slab *slab, void *memory, size_t size)
{
    if (memory == NULL)
        return;
    size_t offset = (size_t)((uintptr_t)memory - (uintptr_t)slab->mapping.start);
    assert(offset >> SLAB_CHUNK_SHIFT < slab->chunk_count);
    struct slab_chunk *chunk = &slab->chunks[offset >> SLAB_CHUNK_SHIFT];
    struct slab_class *class = &slab->classes[chunk->class];
    assert(size <= class->size && chunk->used > 0);
    (void)size;

    /* Behind the others: what empties goes on emptying while the first ones fill up, so that whole
     * chunks become spare. */
    if (chunk->used == class->blocks)
        list_append(&class->partial, &chunk->link);
    unpoison(memory, class->size);
    memcpy(memory, &chunk->first_free, sizeof(chunk->first_free));
    poison(memory, class->size);
    chunk->first_free = (uint16_t)(1 + (offset & (chunk_bytes - 1)) / SLAB_UNIT);
    slab->used -= class->size;
    chunk->used--;
    if (chunk->used == 0) {
        list_remove(&chunk->link);
        list_append(slab->spare.next, &chunk->link);
    }
}

size_t slab_used(const struct slab *slab)
{
    return slab->used;
}

size_t slab_held(const struct slab *slab)
{
    return slab->chunk_count << SLAB_CHUNK_SHIFT;
}

void slab_destroy(struct slab *slab)
{
    if (slab == NULL)
        return;
    mapping_destroy(&slab->mapping);
    free(slab->chunks);
    free(slab);
}
