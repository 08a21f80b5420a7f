/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "poison_int.h"

enum { ARENA_ALIGNMENT = 16, ARENA_CHUNK_MINIMUM = 256 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t capacity;
    size_t used;
    size_t unused_alignment; /* keeps `memory` on 16 bytes */
    unsigned char memory[];
};

_Static_assert(sizeof(struct arena_chunk) % ARENA_ALIGNMENT == 0, "memory must be aligned");

/*
 * Chunks of the standard size are filled one after the other; what is larger than that gets a chunk
 * of its own, so it does not waste the rest of the current one. Both kinds have a list of spare
 * chunks that a reset fills.
 */
struct arena {
    struct arena_chunk *current; /* head of the standard chunks in use */
    struct arena_chunk *large;   /* in use */
    struct arena_chunk *spare;
    struct arena_chunk *spare_large;
    size_t chunk_size;
    size_t limit;
    size_t used;
};

int arena_create(size_t chunk_size, size_t limit, struct arena **arena)
{
    struct arena *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;

    if (chunk_size < ARENA_CHUNK_MINIMUM)
        chunk_size = ARENA_CHUNK_MINIMUM;
    made->chunk_size = chunk_size & ~(size_t)(ARENA_ALIGNMENT - 1);
    made->limit = limit > 0 ? limit : SIZE_MAX;
    *arena = made;
    return 0;
}

static struct arena_chunk *chunk_new(size_t capacity)
{
    if (capacity > SIZE_MAX - sizeof(struct arena_chunk))
        return NULL;
    struct arena_chunk *chunk = malloc(sizeof(*chunk) + capacity);
    if (chunk == NULL)
        return NULL;
    chunk->capacity = capacity;
    chunk->used = 0;
    poison(chunk->memory, capacity);
    return chunk;
}

static void *chunk_take(struct arena_chunk *chunk, size_t size)
{
    void *memory = chunk->memory + chunk->used;
    chunk->used += size;
    unpoison(memory, size);
    return memory;
}

static void *alloc_standard(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = arena->current;
    if (chunk == NULL || size > chunk->capacity - chunk->used) {
        chunk = arena->spare;
        if (chunk != NULL)
            arena->spare = chunk->next;
        else
            chunk = chunk_new(arena->chunk_size);
        if (chunk == NULL)
            return NULL;
        chunk->next = arena->current;
        arena->current = chunk;
    }
    return chunk_take(chunk, size);
}

/* The link to the smallest spare chunk that is large enough, or NULL. */
static struct arena_chunk **best_fit(struct arena_chunk **list, size_t size)
{
    struct arena_chunk **best = NULL;
    for (struct arena_chunk **link = list; *link != NULL; link = &(*link)->next)
        if ((*link)->capacity >= size && (best == NULL || (*link)->capacity < (*best)->capacity))
            best = link;
    return best;
}

static void *alloc_large(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = NULL;
    struct arena_chunk **link = best_fit(&arena->spare_large, size);
    if (link != NULL) {
        chunk = *link;
        *link = chunk->next;
    } else {
        /* Doubling makes a sequence of ever larger requests settle on few chunks. */
        size_t capacity = arena->chunk_size;
        while (capacity < size && capacity <= SIZE_MAX / 4)
            capacity *= 2;
        chunk = capacity >= size ? chunk_new(capacity) : NULL;
    }
    if (chunk == NULL)
        return NULL;
    chunk->next = arena->large;
    arena->large = chunk;
    return chunk_take(chunk, size);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size =
        size > 0 ? (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1) : ARENA_ALIGNMENT;
    if (size > arena->limit - arena->used)
        return NULL;

    void *memory =
        size <= arena->chunk_size ? alloc_standard(arena, size) : alloc_large(arena, size);
    if (memory != NULL)
        arena->used += size;
    return memory;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *memory = arena_alloc(arena, size);
    if (memory != NULL)
        memset(memory, 0, size);
    return memory;
}

char *arena_text(struct arena *arena, struct slice slice)
{
    if (slice.length == SIZE_MAX)
        return NULL;
    char *text = arena_alloc(arena, slice.length + 1);
    if (text == NULL)
        return NULL;
    if (slice.length > 0)
        memcpy(text, slice.data, slice.length);
    text[slice.length] = '\0';
    return text;
}

struct slice arena_copy(struct arena *arena, struct slice slice)
{
    char *text = arena_text(arena, slice);
    return slice_make(text, text != NULL ? slice.length : 0);
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}

static void move_to_spare(struct arena_chunk **list, struct arena_chunk **spare)
{
    while (*list != NULL) {
        struct arena_chunk *chunk = *list;
        *list = chunk->next;
        poison(chunk->memory, chunk->used);
        chunk->used = 0;
        chunk->next = *spare;
        *spare = chunk;
    }
}

void arena_reset(struct arena *arena)
{
    move_to_spare(&arena->current, &arena->spare);
    move_to_spare(&arena->large, &arena->spare_large);
    arena->used = 0;
}

static void free_list(struct arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        unpoison(chunk->memory, chunk->capacity);
        free(chunk);
        chunk = next;
    }
}

void arena_destroy(struct arena *arena)
{
    if (arena == NULL)
        return;
    free_list(arena->current);
    free_list(arena->large);
    free_list(arena->spare);
    free_list(arena->spare_large);
    free(arena);
}
