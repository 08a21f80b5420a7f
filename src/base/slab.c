/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/list.h"
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
    SLAB_LAST_SIZE = 72 * 1024
};

struct slab_block {
    struct list_link link; /* in slab.in_use or slab.spare[class] */
    uint32_t class;
    char unused_alignment[12];
};

_Static_assert(sizeof(struct slab_block) % 16 == 0, "blocks must be aligned");

struct slab {
    struct list_link in_use;
    struct list_link spare[SLAB_CLASSES];
    size_t limit;
    size_t used; /* bytes in blocks handed out */
    size_t held; /* bytes in all blocks, spare ones included; never beyond limit */
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

    list_init(&made->in_use);
    for (unsigned i = 0; i < SLAB_CLASSES; i++)
        list_init(&made->spare[i]);
    made->limit = limit_bytes;
    *slab = made;
    return 0;
}

static void release_block(struct slab *slab, struct slab_block *block)
{
    size_t size = class_size(block->class);
    list_remove(&block->link);
    unpoison(block + 1, size);
    free(block);
    slab->held -= size;
}

/*
 * Spare blocks of other sizes count towards the limit too: when the mix of sizes has shifted, they
 * make way, the largest first. The caller has checked that this suffices.
 */
static void make_room(struct slab *slab, size_t size)
{
    for (unsigned class = SLAB_CLASSES; class -- > 0 && size > slab->limit - slab->held;) {
        struct list_link *link;
        while (size > slab->limit - slab->held && (link = list_first(&slab->spare[class])) != NULL)
            release_block(slab, LIST_ENTRY(link, struct slab_block, link));
    }
}

void *slab_alloc(struct slab *slab, size_t size)
{
    if (size > SLAB_LAST_SIZE)
        return NULL;
    unsigned class = class_of(size);
    size_t rounded = class_size(class);
    if (rounded > slab->limit - slab->used)
        return NULL;

    struct slab_block *block;
    struct list_link *link = list_first(&slab->spare[class]);
    if (link != NULL) {
        block = LIST_ENTRY(link, struct slab_block, link);
        list_remove(&block->link);
    } else {
        make_room(slab, rounded);
        block = malloc(sizeof(*block) + rounded);
        if (block == NULL)
            return NULL;
        block->class = class;
        slab->held += rounded;
    }
    list_append(&slab->in_use, &block->link);
    slab->used += rounded;
    unpoison(block + 1, rounded);
    poison((char *)(block + 1) + size, rounded - size);
    return block + 1;
}

void slab_free(struct slab *slab, void *memory, size_t size)
{
    if (memory == NULL)
        return;
    struct slab_block *block = (struct slab_block *)memory - 1;
    assert(size <= SLAB_LAST_SIZE && block->class == class_of(size));

    size_t rounded = class_size(block->class);
    list_remove(&block->link);
    /* In front: the block used last is the one most likely still in the cache. */
    list_append(slab->spare[block->class].next, &block->link);
    slab->used -= rounded;
    poison(memory, rounded);
}

size_t slab_used(const struct slab *slab)
{
    return slab->used;
}

void slab_destroy(struct slab *slab)
{
    if (slab == NULL)
        return;
    struct list_link *link;
    while ((link = list_first(&slab->in_use)) != NULL)
        release_block(slab, LIST_ENTRY(link, struct slab_block, link));
    for (unsigned i = 0; i < SLAB_CLASSES; i++)
        while ((link = list_first(&slab->spare[i])) != NULL)
            release_block(slab, LIST_ENTRY(link, struct slab_block, link));
    free(slab);
}
