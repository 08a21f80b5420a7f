/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: how much more the workers get than they can handle, as peers are told it (RFC 7339).
 *
 * A peer sends to all of us, whichever worker answers it, so what it is told must not depend on the
 * worker: each reports its own share of calls too many in a word of its own, and any reads them
 * all. The highest counts: Call-IDs spread calls evenly, so a peer that sends fewer sends fewer to
 * each. Relaxed: each word stands alone.
 */
#ifndef RINGFENCE_PROXY_LOAD_H
#define RINGFENCE_PROXY_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* All of the new calls are too many. */
#define PROXY_LOAD_ALL UINT32_C(65536)

struct proxy_load;

/* wall_offset_us: from the monotonic clock to one that goes on over restarts, so that the sequence
 * that peers see does; it stays what it is when the wall clock is set. */
int proxy_load_create(size_t workers, uint64_t wall_offset_us, struct proxy_load **load) MUST_CHECK;

void proxy_load_report(struct proxy_load *load, size_t worker, uint32_t share, uint64_t now_us);

/* The highest share that a worker has reported a moment ago. */
uint32_t proxy_load_most(const struct proxy_load *load, uint64_t now_us);
/* Whether each worker has more than enough: the whole box is overloaded. */
bool proxy_load_is_full(const struct proxy_load *load, uint64_t now_us);

size_t proxy_load_workers(const struct proxy_load *load);
/* oc-seq, in units of 1/100,000 s. */
uint64_t proxy_load_sequence(const struct proxy_load *load, uint64_t now_us);

/* What "oc" of a loss says of a share. Never 100: a peer that sends nothing hears nothing. */
uint32_t proxy_load_percent(uint32_t share);

/* NULL is allowed. */
void proxy_load_destroy(struct proxy_load *load);

/* ---- one worker's measure ------------------------------------------------------------------ */

/* From how long datagrams wait, the share of calls too many, with their jitter taken out. Zeroed at
 * first. */
struct proxy_measure {
    uint64_t tick_us;
    uint64_t longest_us; /* since the tick */
    uint32_t share;
};

/* How long datagrams may wait: from begin on there are too many, at end all are. */
struct proxy_measure_range {
    uint64_t begin_us;
    uint64_t end_us;
};

/* A message has waited so long. True: `share` may have changed. */
bool proxy_measure_note(struct proxy_measure *measure, const struct proxy_measure_range *range,
                        uint64_t waited_us, uint64_t now_us);

#endif
