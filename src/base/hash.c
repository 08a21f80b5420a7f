/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mapping.h"

enum {
    HASH_CAPACITY_MINIMUM = 16,
    /* Homes are the first slots of cache lines: a probe then sees a whole line before it goes on to
     * the next, and at 5/8 full seldom has to. */
    HASH_LINE_BYTES = 64,
    /* Per insert or remove while growing, and the rest of the cluster that the last of them is in.
     * The old slots are gone after capacity/16 operations, by when the table of twice the size is
     * at most 3/8 full. */
    HASH_STEP_SLOTS = 16,
    /* From here on slots are mapped: the kernel zeroes their pages as they are touched, where
     * calloc() of used heap would clear all of them at once. */
    HASH_MAPPED_BYTES = 256 * 1024,
    /* What growing leaves behind goes back to the kernel in pieces of this size: whole huge pages,
     * which need not be split for it. */
    HASH_RELEASE_BYTES = MAPPING_HUGE_BYTES
};

struct hash_slot {
    uint64_t hash;
    void *object; /* NULL: the slot is free */
};

enum { HASH_LINE_SLOTS = HASH_LINE_BYTES / sizeof(struct hash_slot) };

struct hash_slots {
    struct hash_slot *slot;
    size_t capacity; /* a power of two; 0: there are none */
    size_t count;
    struct mapping mapping; /* when they are mapped */
};

/*
 * While it grows, `old` is emptied slot by slot from `first` on, round the ring. Homes are the high
 * bits of the hash, so `now` fills in the order of addresses too: no matter how large the tables,
 * a new huge page is touched only every few thousand operations. An entry is in `now` when its home
 * in `old` has been passed, else in `old`, so one probe finds it.
 *
 * No probe in `old` crosses `first`, which stays free: what would, and that can only be new entries
 * behind the last of the ring, goes to `now` early.
 */
struct hash_table {
    struct hash_slots now;
    struct hash_slots old;
    size_t first; /* the slot of old where moving began, a free one */
    size_t moved; /* slots from there on that have been emptied */
    bool early;   /* `now` holds entries whose home in old has not been passed */
};

static int slots_create(struct hash_slots *slots, size_t capacity)
{
    size_t bytes = capacity * sizeof(struct hash_slot);
    struct hash_slots made = {.capacity = capacity};
    if (bytes >= HASH_MAPPED_BYTES) {
        int error = mapping_create(bytes, &made.mapping);
        if (error != 0)
            return error;
        made.slot = (struct hash_slot *)(void *)made.mapping.start;
    } else {
        made.slot = aligned_alloc(HASH_LINE_BYTES, bytes);
        if (made.slot == NULL)
            return -ENOMEM;
        memset(made.slot, 0, bytes);
    }
    *slots = made;
    return 0;
}

static void slots_destroy(struct hash_slots *slots)
{
    if (slots->mapping.start != NULL)
        mapping_destroy(&slots->mapping);
    else
        free(slots->slot);
    *slots = (struct hash_slots){.capacity = 0};
}

/* Fibonacci hashing: the high bits of the product depend on all bits of the hash, so callers whose
 * hash varies in few bits only do not suffer either. */
static inline size_t slots_home(const struct hash_slots *slots, uint64_t hash)
{
    unsigned bits = (unsigned)__builtin_ctzll((unsigned long long)slots->capacity);
    size_t place = (size_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits));
    return place & ~(size_t)(HASH_LINE_SLOTS - 1);
}

static inline size_t slots_after(const struct hash_slots *slots, size_t place)
{
    return (place + 1) & (slots->capacity - 1);
}

/* The free slot where an entry of this hash belongs. */
static inline size_t slots_gap(const struct hash_slots *slots, uint64_t hash)
{
    size_t place = slots_home(slots, hash);
    while (slots->slot[place].object != NULL)
        place = slots_after(slots, place);
    return place;
}

static inline void slots_put(struct hash_slots *slots, size_t gap, uint64_t hash, void *object)
{
    slots->slot[gap] = (struct hash_slot){hash, object};
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
    const size_t piece = HASH_RELEASE_BYTES / sizeof(struct hash_slot);
    size_t mask = table->old.capacity - 1;
    if (place % piece == 0 && table->moved >= piece)
        mapping_discard(&table->old.mapping, ((place - piece) & mask) * sizeof(struct hash_slot),
                        HASH_RELEASE_BYTES);
}

/* Moves whole clusters from `old` to `now`, so no probe sequence is ever cut in two. */
static void grow_step(struct hash_table *table)
{
    struct hash_slots *old = &table->old;
    size_t place = (table->first + table->moved) & (old->capacity - 1);
    bool in_cluster = false;
    for (size_t seen = 0; old->count > 0 && (seen < HASH_STEP_SLOTS || in_cluster); seen++) {
        struct hash_slot *slot = &old->slot[place];
        in_cluster = slot->object != NULL;
        if (in_cluster) {
            slots_put(&table->now, slots_gap(&table->now, slot->hash), slot->hash, slot->object);
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
    table->early = false;
    table->first = 0;
    while (table->old.slot[table->first].object != NULL)
        table->first++; /* slot 0 may be amid a cluster that wraps */
    return 0;
}

/* Whether an entry of this hash is in `old` while the table grows. */
static inline bool is_in_old(const struct hash_table *table, uint64_t hash)
{
    const struct hash_slots *old = &table->old;
    return old->capacity > 0 &&
           ((slots_home(old, hash) - table->first) & (old->capacity - 1)) >= table->moved;
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
    if (is_in_old(table, hash)) {
        size_t gap = slots_gap(&table->old, hash);
        if (gap != table->first) {
            slots_put(&table->old, gap, hash, object);
            return 0;
        }
        table->early = true;
    }
    slots_put(&table->now, slots_gap(&table->now, hash), hash, object);
    return 0;
}

void *hash_table_find(const struct hash_table *table, uint64_t hash, hash_match_fn *match,
                      const void *key)
{
    if (is_in_old(table, hash)) {
        void *object = slots_find(&table->old, hash, match, key);
        if (object != NULL || !table->early)
            return object;
    }
    return slots_find(&table->now, hash, match, key);
}

void hash_table_prefetch(const struct hash_table *table, uint64_t hash)
{
    const struct hash_slots *slots = is_in_old(table, hash) ? &table->old : &table->now;
    __builtin_prefetch(&slots->slot[slots_home(slots, hash)]);
}

bool hash_table_remove(struct hash_table *table, uint64_t hash, const void *object)
{
    if (table->old.capacity > 0)
        grow_step(table);
    if (is_in_old(table, hash)) {
        bool removed = slots_remove(&table->old, hash, object);
        if (removed || !table->early)
            return removed;
    }
    return slots_remove(&table->now, hash, object);
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
