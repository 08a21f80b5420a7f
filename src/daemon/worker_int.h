/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_int: a worker as worker.c, which runs it, and worker_hand.c, which hands its calls to
 * another process, see it.
 */
#ifndef RINGFENCE_DAEMON_WORKER_INT_H
#define RINGFENCE_DAEMON_WORKER_INT_H

#include "daemon_int.h"
#include "link_int.h"
#include "transaction/elsewhere.h"

struct daemon_worker {
    struct daemon_shared *shared;
    size_t index;
    struct rt_thread *thread;
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    struct rt_mailbox *mailbox;
    struct reclaim_reader *reader;
    struct stats_shard *stats;
    struct stats_event_queue *events;
    struct tp_worker *transport;
    struct txn_layer *transactions;
    struct call_table *calls;
    struct screen_engine *screening;
    struct screen_recent *recent;
    struct rep_lookup *lookup;
    struct proxy *proxy;
    struct daemon_snapshot *snapshot; /* the one that was adopted */
    struct rt_timer upkeep;
    uint64_t woken_us;
    uint32_t reload_seen; /* shared->reloading as of the last turn */
    struct daemon_turns turns;
    /* The snapshot of the last turn that is over; only compared. */
    _Atomic(const struct daemon_snapshot *) adopted;
    struct daemon_link *link; /* to the process before or after; NULL: there is none */
    bool follows;             /* the process before may tell of calls */
    int inherited[2];         /* what a new worker begins with: its link, its share; -1 */
    atomic_bool left;         /* nothing comes over the link any more */
    atomic_bool link_over;    /* the process before is gone, or wants nothing */
};

/* ---- worker.c ---------------------------------------------------------------------------- */
/* If it is the first, which probes targets for all. */
void daemon_worker_start_probing(struct daemon_worker *worker);

/* ---- worker_hand.c ----------------------------------------------------------------------- */
/* At the beginning of the worker's thread: what the process before has left. */
void daemon_worker_inherit(struct daemon_worker *worker);

#endif
