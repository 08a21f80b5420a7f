/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    HASH_CAPACITY_MINIMUM = 16,
    /* Per insert or remove while growing, and the rest of the cluster that the last of them is in.
     * The old slots are gone after capacity/16 operations, by when the table of twice the size is
     * at most 3/8 full. */
    HASH_STEP_SLOTS = 16,
    /* From here on slots are mapped: the kernel zeroes their pages one by one as they are touched,
     * where calloc() of used heap would clear all of them at once. */
    HASH_MAPPED_BYTES = 256 * 1024,
    /* What growing leaves behind goes back to the kernel in pieces of this size. */
    HASH_RELEASE_BYTES = 64 * 1024
};

struct hash_slot {
    uint64_t hash;
    void *object; /* NULL: the slot is free */
};

struct hash_slots {
    struct hash_slot *slot;
    size_t capacity; /* a power of two; 0: there are none */
    size_t count;
};

/* While it grows, entries are in `now` or still in `old`; new ones go to `now` only. */
struct hash_table {
    struct hash_slots now;
    struct hash_slots old;
    size_t first; /* the slot of old where moving began, a free one */
    size_t moved; /* slots from there on that have been emptied */
};

static int slots_create(struct hash_slots *slots, size_t capacity)
{
    size_t bytes = capacity * sizeof(struct hash_slot);
    void *memory;
    if (bytes >= HASH_MAPPED_BYTES) {
        memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            memory = NULL;
    } else {
        memory = calloc(capacity, sizeof(struct hash_slot));
    }
    if (memory == NULL)
        return -ENOMEM;
    *slots = (struct hash_slots){memory, capacity, 0};
    return 0;
}

static void slots_destroy(struct hash_slots *slots)
{
    size_t bytes = slots->capacity * sizeof(struct hash_slot);
    if (bytes >= HASH_MAPPED_BYTES)
        munmap(slots->slot, bytes);
    else
        free(slots->slot);
    *slots = (struct hash_slots){NULL, 0, 0};
}

/* Fibonacci hashing: the high bits of the product depend on all bits of the hash, so callers whose
 * hash varies in few bits only do not suffer either. */
static inline size_t slots_home(const struct hash_slots *slots, uint64_t hash)
{
    unsigned bits = (unsigned)__builtin_ctzll((unsigned long long)slots->capacity);
    return (size_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits));
}

static inline size_t slots_after(const struct hash_slots *slots, size_t place)
{
    return (place + 1) & (slots->capacity - 1);
}

static void slots_insert(struct hash_slots *slots, uint64_t hash, void *object)
{
    size_t place = slots_home(slots, hash);
    while (slots->slot[place].object != NULL)
        place = slots_after(slots, place);
    slots->slot[place] = (struct hash_slot){hash, object};
    slots->count++;
}

static void *slots_find(const struct hash_slots *slots, uint64_t hash, hash_match_fn *match,
                        const void *key)
{
    if (slots->count == 0)
        return NULL;
    size_t place = slots_home(slots, hash);
    while (slots->slot[place].object != NULL) {
        const struct hash_slot *slot = &slots->slot[place];
        if (slot->hash == hash && (match == NULL || match(slot->object, key)))
            return slot->object;
        place = slots_after(slots, place);
    }
    return NULL;
}

/* Backward shift: later entries of the cluster close the gap, so no tombstones pile up. */
static void slots_remove_at(struct hash_slots *slots, size_t gap)
{
    size_t mask = slots->capacity - 1;
    for (size_t place = slots_after(slots, gap); slots->slot[place].object != NULL;
         place = slots_after(slots, place)) {
        size_t home = slots_home(slots, slots->slot[place].hash);
        /* An entry may move unless its home lies behind the gap, seen along the ring. */
        if (((place - home) & mask) >= ((place - gap) & mask)) {
            slots->slot[gap] = slots->slot[place];
            gap = place;
        }
    }
    slots->slot[gap].object = NULL;
    slots->count--;
}

static bool slots_remove(struct hash_slots *slots, uint64_t hash, const void *object)
{
    if (slots->count == 0)
        return false;
    size_t place = slots_home(slots, hash);
    while (slots->slot[place].object != NULL) {
        if (slots->slot[place].object == object) {
            slots_remove_at(slots, place);
            return true;
        }
        place = slots_after(slots, place);
    }
    return false;
}

int hash_table_create(size_t initial, struct hash_table **table)
{
    size_t capacity = HASH_CAPACITY_MINIMUM;
    while (capacity / 8 * 5 < initial) {
        if (capacity > SIZE_MAX / 4 / sizeof(struct hash_slot))
            return -ENOMEM;
        capacity *= 2;
    }

    struct hash_table *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    int error = slots_create(&made->now, capacity);
    if (error != 0) {
        free(made);
        return error;
    }
    *table = made;
    return 0;
}

/* Behind `place`, up to which everything was just moved. */
static void release_behind(const struct hash_table *table, size_t place)
{
    size_t piece = HASH_RELEASE_BYTES / sizeof(struct hash_slot);
    size_t mask = table->old.capacity - 1;
    if (table->old.capacity * sizeof(struct hash_slot) >= HASH_MAPPED_BYTES && place % piece == 0 &&
        table->moved >= piece)
        madvise(&table->old.slot[(place - piece) & mask], HASH_RELEASE_BYTES, MADV_DONTNEED);
}

/* Moves whole clusters from `old` to `now`, so no probe sequence is ever cut in two. */
static void grow_step(struct hash_table *table)
{
    struct hash_slots *old = &table->old;
    size_t mask = old->capacity - 1;
    size_t place = (table->first + table->moved) & mask;
    bool in_cluster = false;
    for (size_t seen = 0; old->count > 0 && (seen < HASH_STEP_SLOTS || in_cluster); seen++) {
        struct hash_slot *slot = &old->slot[place];
        in_cluster = slot->object != NULL;
        if (in_cluster) {
            slots_insert(&table->now, slot->hash, slot->object);
            slot->object = NULL;
            old->count--;
        }
        place = slots_after(old, place);
        table->moved++;
        release_behind(table, place);
    }
    if (old->count == 0)
        slots_destroy(old);
}

static int grow_start(struct hash_table *table)
{
    while (table->old.capacity > 0)
        grow_step(table);
    if (table->now.capacity > SIZE_MAX / 4 / sizeof(struct hash_slot))
        return -ENOMEM;

    struct hash_slots larger;
    int error = slots_create(&larger, table->now.capacity * 2);
    if (error != 0)
        return error;
    table->old = table->now;
    table->now = larger;
    table->moved = 0;
    table->first = 0;
    while (table->old.slot[table->first].object != NULL)
        table->first++; /* slot 0 may be amid a cluster that wraps */
    return 0;
}

int hash_table_insert(struct hash_table *table, uint64_t hash, void *object)
{
    assert(object != NULL);
    if (table->old.capacity > 0)
        grow_step(table);

    size_t count = hash_table_count(table);
    if (count >= table->now.capacity / 8 * 5) {
        int error = grow_start(table);
        /* Short of memory it goes on, slower, as long as probes still find a free slot. */
        if (error != 0 && count >= table->now.capacity / 8 * 7)
            return error;
    }
    slots_insert(&table->now, hash, object);
    return 0;
}

void *hash_table_find(const struct hash_table *table, uint64_t hash, hash_match_fn *match,
                      const void *key)
{
    void *object = slots_find(&table->now, hash, match, key);
    if (object == NULL && table->old.count > 0)
        object = slots_find(&table->old, hash, match, key);
    return object;
}

void hash_table_prefetch(const struct hash_table *table, uint64_t hash)
{
    __builtin_prefetch(&table->now.slot[slots_home(&table->now, hash)]);
    if (table->old.count > 0)
        __builtin_prefetch(&table->old.slot[slots_home(&table->old, hash)]);
}

bool hash_table_remove(struct hash_table *table, uint64_t hash, const void *object)
{
    if (table->old.capacity > 0)
        grow_step(table);
    return slots_remove(&table->now, hash, object) || slots_remove(&table->old, hash, object);
}

size_t hash_table_count(const struct hash_table *table)
{
    return table->now.count + table->old.count;
}

static void slots_each(const struct hash_slots *slots, void (*visit)(void *, void *),
                       void *argument)
{
    for (size_t i = 0; i < slots->capacity; i++)
        if (slots->slot[i].object != NULL)
            visit(slots->slot[i].object, argument);
}

void hash_table_each(const struct hash_table *table, void (*visit)(void *object, void *argument),
                     void *argument)
{
    slots_each(&table->now, visit, argument);
    slots_each(&table->old, visit, argument);
}

void hash_table_destroy(struct hash_table *table)
{
    if (table == NULL)
        return;
    slots_destroy(&table->now);
    if (table->old.capacity > 0)
        slots_destroy(&table->old);
    free(table);
}
