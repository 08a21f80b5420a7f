/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/wheel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define LEVELS      4
#define SLOTS       256U
#define SLOT_BITS   8
#define BITMAP_WORD (SLOTS / 64)

/*
 * Level 0 holds what is due within 256 ticks, level 1 within 256 * 256, and so on. When the clock
 * passes a multiple of 256^n, the slot of level n that begins there is spread over the levels
 * below. A timer beyond the last level waits in its farthest slot and is filed anew from there.
 */
struct wheel_level {
    uint64_t used[BITMAP_WORD]; /* a bit for each slot that may hold timers */
    struct list_link slots[SLOTS];
};

struct rt_wheel {
    uint64_t now_ms; /* every timer due at or before it has fired */
    uint64_t count;
    struct list_link due; /* being fired; timers cancelled meanwhile leave it */
    struct wheel_level levels[LEVELS];
};

int rt_wheel_create(uint64_t now_us, struct rt_wheel **wheel)
{
    struct rt_wheel *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->now_ms = now_us / 1000;
    list_init(&created->due);
    for (unsigned level = 0; level < LEVELS; level++)
        for (unsigned slot = 0; slot < SLOTS; slot++)
            list_init(&created->levels[level].slots[slot]);
    *wheel = created;
    return 0;
}

void rt_timer_init(struct rt_timer *timer, rt_timer_fn *fire)
{
    list_init(&timer->link);
    timer->fire = fire;
    timer->due_ms = 0;
}

bool rt_timer_is_set(const struct rt_timer *timer)
{
    return !list_is_empty(&timer->link);
}

static void file(struct rt_wheel *wheel, struct rt_timer *timer)
{
    assert(timer->due_ms > wheel->now_ms);
    uint64_t at = timer->due_ms;
    uint64_t distance = at - wheel->now_ms;
    unsigned level = 0;
    while (level < LEVELS - 1 && distance >= UINT64_C(1) << (SLOT_BITS * (level + 1)))
        level++;
    /* Beyond the horizon: the slot that comes round last, from where it is filed anew. */
    if (distance >= UINT64_C(1) << (SLOT_BITS * LEVELS))
        at = wheel->now_ms + (UINT64_C(1) << (SLOT_BITS * LEVELS)) - 1;
    unsigned slot = (unsigned)(at >> (SLOT_BITS * level)) % SLOTS;
    list_append(&wheel->levels[level].slots[slot], &timer->link);
    wheel->levels[level].used[slot / 64] |= UINT64_C(1) << (slot % 64);
}

void rt_timer_set(struct rt_wheel *wheel, struct rt_timer *timer, uint64_t now_us,
                  uint64_t delay_us)
{
    rt_timer_cancel(wheel, timer);
    uint64_t due_us = delay_us < UINT64_MAX - now_us ? now_us + delay_us : UINT64_MAX;
    timer->due_ms = due_us / 1000 + (due_us % 1000 != 0 ? 1 : 0);
    if (timer->due_ms <= wheel->now_ms)
        timer->due_ms = wheel->now_ms + 1;
    file(wheel, timer);
    wheel->count++;
}

/*
 * When its only timer goes, a slot's bit goes too: most timers of a call are cancelled, and each
 * bit left behind would wake an idle worker once for nothing.
 */
static void clear_used(struct rt_wheel *wheel, const struct list_link *head)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        struct wheel_level *at = &wheel->levels[level];
        uintptr_t offset = (uintptr_t)head - (uintptr_t)at->slots;
        if (offset < sizeof(at->slots)) {
            size_t slot = offset / sizeof(at->slots[0]);
            at->used[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
        }
    }
}

void rt_timer_cancel(struct rt_wheel *wheel, struct rt_timer *timer)
{
    if (!rt_timer_is_set(timer))
        return;
    if (timer->link.next == timer->link.previous)
        clear_used(wheel, timer->link.next); /* its only neighbour is the head */
    list_remove(&timer->link);
    wheel->count--;
}

/* The first used slot at or after `from`, going round once; SLOTS when there is none. */
static unsigned next_used(const struct wheel_level *level, unsigned from)
{
    for (unsigned step = 0; step <= BITMAP_WORD; step++) {
        unsigned word = (from / 64 + step) % BITMAP_WORD;
        uint64_t bits = level->used[word];
        if (step == 0)
            bits &= ~UINT64_C(0) << (from % 64);
        else if (step == BITMAP_WORD)
            bits &= (UINT64_C(1) << (from % 64)) - 1;
        if (bits != 0)
            return word * 64 + (unsigned)__builtin_ctzll(bits);
    }
    return SLOTS;
}

static void take_slot(struct wheel_level *level, unsigned slot, struct list_link *into)
{
    struct list_link *head = &level->slots[slot];
    level->used[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    list_init(into);
    if (list_is_empty(head))
        return;
    into->next = head->next;
    into->previous = head->previous;
    into->next->previous = into;
    into->previous->next = into;
    list_init(head);
}

/* The clock stands at a multiple of 256^level: what lies in the slot that begins here comes down.
 */
static void cascade(struct rt_wheel *wheel, unsigned level, struct list_link *due)
{
    struct list_link taken;
    struct list_link *link;
    unsigned slot = (unsigned)(wheel->now_ms >> (SLOT_BITS * level)) % SLOTS;
    take_slot(&wheel->levels[level], slot, &taken);
    while ((link = list_first(&taken)) != NULL) {
        struct rt_timer *timer = LIST_ENTRY(link, struct rt_timer, link);
        list_remove(link);
        if (timer->due_ms <= wheel->now_ms)
            list_append(due, link);
        else
            file(wheel, timer);
    }
}

/* The next tick at which something may have to be done, at most `limit`. */
static uint64_t next_tick(const struct rt_wheel *wheel, uint64_t limit)
{
    uint64_t best = limit;
    for (unsigned level = 0; level < LEVELS; level++) {
        uint64_t unit = UINT64_C(1) << (SLOT_BITS * level);
        uint64_t base = wheel->now_ms >> (SLOT_BITS * level);
        unsigned from = (unsigned)((base + 1) % SLOTS);
        unsigned slot = next_used(&wheel->levels[level], from);
        if (slot == SLOTS)
            continue;
        uint64_t ahead = 1 + (slot + SLOTS - from) % SLOTS;
        uint64_t tick = (base + ahead) * unit;
        if (tick < best)
            best = tick;
    }
    return best;
}

uint64_t rt_wheel_advance(struct rt_wheel *wheel, uint64_t now_us)
{
    uint64_t target = now_us / 1000;
    uint64_t fired = 0;
    while (wheel->now_ms < target) {
        struct list_link *link;
        wheel->now_ms = next_tick(wheel, target);
        for (unsigned level = LEVELS - 1; level > 0; level--)
            if ((wheel->now_ms & ((UINT64_C(1) << (SLOT_BITS * level)) - 1)) == 0)
                cascade(wheel, level, &wheel->due);
        cascade(wheel, 0, &wheel->due);
        while ((link = list_first(&wheel->due)) != NULL) {
            struct rt_timer *timer = LIST_ENTRY(link, struct rt_timer, link);
            list_remove(link);
            wheel->count--;
            fired++;
            timer->fire(timer, now_us);
        }
    }
    return fired;
}

uint64_t rt_wheel_wait(const struct rt_wheel *wheel, uint64_t now_us)
{
    if (wheel->count == 0)
        return UINT64_MAX;
    uint64_t due_us = next_tick(wheel, UINT64_MAX / 1000) * 1000;
    return due_us > now_us ? due_us - now_us : 0;
}

uint64_t rt_wheel_count(const struct rt_wheel *wheel)
{
    return wheel->count;
}

void rt_wheel_destroy(struct rt_wheel *wheel)
{
    /* The timers are not touched: their owners may be gone already. */
    free(wheel);
}
