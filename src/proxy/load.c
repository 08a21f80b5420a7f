/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/load.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The word of a worker: when in microseconds, and the share below it. */
#define SHARE_BITS 17
#define SHARE_MASK ((UINT64_C(1) << SHARE_BITS) - 1)
/* A worker that has said nothing for so long has nothing to do. */
#define FRESH_US UINT64_C(500000)

#define MOST_PERCENT 95

/* A line of memory for each, as each writes its own. */
struct report {
    _Alignas(64) _Atomic uint64_t word;
};

struct proxy_load {
    size_t workers;
    uint64_t wall_offset_us;
    struct report *reports;
};

int proxy_load_create(size_t workers, uint64_t wall_offset_us, struct proxy_load **load)
{
    struct proxy_load *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->workers = workers;
    made->wall_offset_us = wall_offset_us;
    made->reports = aligned_alloc(64, workers * sizeof(*made->reports));
    if (made->reports == NULL) {
        free(made);
        return -ENOMEM;
    }
    for (size_t i = 0; i < workers; i++)
        atomic_init(&made->reports[i].word, 0);
    *load = made;
    return 0;
}

void proxy_load_destroy(struct proxy_load *load)
{
    if (load == NULL)
        return;
    free(load->reports);
    free(load);
}

void proxy_load_report(struct proxy_load *load, size_t worker, uint32_t share, uint64_t now_us)
{
    atomic_store_explicit(&load->reports[worker].word, now_us << SHARE_BITS | share,
                          memory_order_relaxed);
}

static uint32_t share_of(const struct proxy_load *load, size_t worker, uint64_t now_us)
{
    uint64_t word = atomic_load_explicit(&load->reports[worker].word, memory_order_relaxed);
    return now_us < (word >> SHARE_BITS) + FRESH_US ? (uint32_t)(word & SHARE_MASK) : 0;
}

uint32_t proxy_load_most(const struct proxy_load *load, uint64_t now_us)
{
    uint32_t most = 0;
    for (size_t i = 0; i < load->workers; i++) {
        uint32_t share = share_of(load, i, now_us);
        most = share > most ? share : most;
    }
    return most;
}

bool proxy_load_is_full(const struct proxy_load *load, uint64_t now_us)
{
    for (size_t i = 0; i < load->workers; i++)
        if (proxy_load_percent(share_of(load, i, now_us)) < MOST_PERCENT)
            return false;
    return true;
}

size_t proxy_load_workers(const struct proxy_load *load)
{
    return load->workers;
}

uint64_t proxy_load_sequence(const struct proxy_load *load, uint64_t now_us)
{
    return (now_us + load->wall_offset_us) / 10;
}

uint32_t proxy_load_percent(uint32_t share)
{
    uint32_t percent = (uint32_t)(((uint64_t)share * 100 + PROXY_LOAD_ALL - 1) / PROXY_LOAD_ALL);
    return percent < MOST_PERCENT ? percent : MOST_PERCENT;
}

/* ---- one worker's measure ------------------------------------------------------------------ */

#define TICK_US UINT64_C(20000)
/* Each tick goes a quarter of the way, so that four of them, 80 ms, are most of it: shorter than
 * what peers take to react, longer than the gaps between batches. */
#define PART 4
/* Below it there is nothing left. */
#define LEAST (PROXY_LOAD_ALL / 200)
/* As many ticks make up for any time that nothing came in. */
#define TICKS_MOST 64

static uint32_t share_of_wait(const struct proxy_measure_range *range, uint64_t waited_us)
{
    if (waited_us <= range->begin_us)
        return 0;
    if (waited_us >= range->end_us)
        return PROXY_LOAD_ALL;
    return (uint32_t)(((waited_us - range->begin_us) * PROXY_LOAD_ALL) /
                      (range->end_us - range->begin_us));
}

bool proxy_measure_note(struct proxy_measure *measure, const struct proxy_measure_range *range,
                        uint64_t waited_us, uint64_t now_us)
{
    if (measure->share == 0 && waited_us <= range->begin_us)
        return false;
    if (waited_us > measure->longest_us)
        measure->longest_us = waited_us;
    if (measure->share == 0)
        measure->tick_us = now_us - TICK_US; /* what begins is told at once */
    uint64_t ticks = now_us > measure->tick_us ? (now_us - measure->tick_us) / TICK_US : 0;
    if (ticks == 0)
        return false;
    uint64_t wait_us = measure->longest_us;
    for (uint64_t i = 0; i < ticks && i < TICKS_MOST; i++) {
        uint32_t share = measure->share;
        uint32_t wanted = share_of_wait(range, wait_us);
        measure->share = wanted > share ? share + (wanted - share + PART - 1) / PART
                                        : share - (share - wanted + PART - 1) / PART;
        if (wanted == 0 && measure->share < LEAST)
            measure->share = 0;
        wait_us = waited_us; /* what came before is not that of ticks without a message */
    }
    measure->tick_us = now_us;
    measure->longest_us = 0;
    return true;
}
