/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reclaim: when may memory that lock-free readers could still see be freed (quiescent states).
 *
 * Each reader thread registers once and then announces points at which it holds no reference
 * (between two batches). A thread that goes to sleep is offline and holds nobody up. A writer
 * retires an object after unlinking it; its destructor runs in reclaim_collect(), called by the
 * writer, once every online thread has passed a quiescent point since.
 *
 * Memory order: readers store their epoch with release. Going online is a read-modify-write of it,
 * and so is the writer's look at it, so one of the two always sees what the other did before; the
 * writer advances the global epoch with release after unlinking.
 */
#ifndef RINGFENCE_BASE_RECLAIM_H
#define RINGFENCE_BASE_RECLAIM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct reclaim;        /* the domain, one per process */
struct reclaim_reader; /* one per registered thread, on its own cache line */

typedef void reclaim_free_fn(void *object);

int reclaim_create(size_t reader_limit, struct reclaim **domain) MUST_CHECK;

/* The new reader is offline. ERROR_LIMIT when all places are taken. */
int reclaim_register(struct reclaim *domain, struct reclaim_reader **reader) MUST_CHECK;
void reclaim_unregister(struct reclaim_reader *reader);

void reclaim_online(struct reclaim_reader *reader);
void reclaim_quiescent(struct reclaim_reader *reader);
void reclaim_offline(struct reclaim_reader *reader);

/* Any writer thread (a mutex inside): frees object later. -ENOMEM: nothing was retired. */
int reclaim_retire(struct reclaim *domain, void *object, reclaim_free_fn *destroy) MUST_CHECK;

/* Runs what has become safe; true while something is still waiting. */
bool reclaim_collect(struct reclaim *domain);

/* All readers must be offline or gone: runs everything that is left. NULL is allowed. */
void reclaim_destroy(struct reclaim *domain);

#endif
