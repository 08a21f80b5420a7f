/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/wake.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* AWAKE -> ARMED by the sleeper; ARMED -> RUNG by the one producer that wins; back by the sleeper.
 */
enum { WAKE_AWAKE, WAKE_ARMED, WAKE_RUNG };

struct rt_wake {
    _Atomic int state;
    int descriptor;
    uint64_t owed_rings; /* sleeper's: seen as RUNG, but not yet read from the eventfd */
};

int rt_wake_create(struct rt_wake **wake)
{
    struct rt_wake *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (created->descriptor < 0) {
        int error = -errno;
        free(created);
        return error;
    }
    *wake = created;
    return 0;
}

int rt_wake_descriptor(const struct rt_wake *wake)
{
    return wake->descriptor;
}

void rt_wake_arm(struct rt_wake *wake)
{
    /* Sequentially consistent, as the exchange in rt_wake_ring() is: with the fence there, either
     * the sleeper's next look at the queues sees what was published, or the producer sees ARMED. */
    atomic_store_explicit(&wake->state, WAKE_ARMED, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
}

void rt_wake_disarm(struct rt_wake *wake)
{
    uint64_t rings;
    if (atomic_exchange_explicit(&wake->state, WAKE_AWAKE, memory_order_acq_rel) == WAKE_RUNG)
        wake->owed_rings++;
    if (wake->owed_rings == 0)
        return;
    /* The producer that set RUNG may not have written yet. What it owes is remembered and read
     * after a later wait: left unread, it would keep the sleeper from ever sleeping again. */
    if (read(wake->descriptor, &rings, sizeof(rings)) == (ssize_t)sizeof(rings))
        wake->owed_rings -= rings;
}

void rt_wake_ring(struct rt_wake *wake)
{
    const uint64_t one = 1;
    int armed = WAKE_ARMED;
    atomic_thread_fence(memory_order_seq_cst);
    /* A plain look first: while the sleeper is awake, its cache line is only shared. */
    if (atomic_load_explicit(&wake->state, memory_order_relaxed) != WAKE_ARMED)
        return;
    if (!atomic_compare_exchange_strong_explicit(&wake->state, &armed, WAKE_RUNG,
                                                 memory_order_acq_rel, memory_order_relaxed))
        return;
    if (write(wake->descriptor, &one, sizeof(one)) < 0) {
        /* EAGAIN only: it is rung already. */
    }
}

void rt_wake_destroy(struct rt_wake *wake)
{
    if (wake == NULL)
        return;
    close(wake->descriptor);
    free(wake);
}
