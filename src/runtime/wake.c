/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/wake.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* AWAKE -> ARMED by the sleeper; ARMED -> RUNG by the one producer that wins; back by the sleeper. */
enum { WAKE_AWAKE, WAKE_ARMED, WAKE_RUNG };

struct rt_wake {
    _Atomic int state;
    int descriptor;
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
    uint64_t value;
    if (atomic_exchange_explicit(&wake->state, WAKE_AWAKE, memory_order_acq_rel) != WAKE_RUNG)
        return;
    /* The producer that set RUNG may not have written yet: then the eventfd is found rung later,
     * which costs one empty turn. */
    if (read(wake->descriptor, &value, sizeof(value)) < 0) {
    }
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
