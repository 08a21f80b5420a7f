/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reclaim.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * An object is retired at the epoch that its retirement begins. A reader that announces this epoch
 * or a later one has, by the acquire load of it, seen the object unlinked; its release store says
 * that it is done with what it held before.
 *
 * Going online is the delicate point: the reader's announcement must not pass its first loads of
 * shared pointers, nor the writer's look at it the unlinking before. Both are read-modify-writes of
 * the reader's epoch, so one of them comes first and the other synchronises with it: either the
 * writer sees the reader online, or the reader sees the object unlinked.
 */
enum { CACHE_LINE = 64 };

static const uint64_t OFFLINE = 0;

struct reclaim_reader {
    alignas(CACHE_LINE) atomic_uint_fast64_t epoch;
    struct reclaim *domain;
    bool taken; /* under the domain's lock */
};

struct retired {
    struct retired *next;
    void *object;
    reclaim_free_fn *destroy;
    uint64_t epoch;
};

struct reclaim {
    alignas(CACHE_LINE) atomic_uint_fast64_t epoch;

    alignas(CACHE_LINE) pthread_mutex_t lock; /* for what follows */
    struct retired *first;                    /* oldest first */
    struct retired **last;
    size_t reader_limit;
    struct reclaim_reader *readers;
};

int reclaim_create(size_t reader_limit, struct reclaim **domain)
{
    if (reader_limit == 0 || reader_limit > SIZE_MAX / 2 / sizeof(struct reclaim_reader))
        return -EINVAL;
    struct reclaim *made = aligned_alloc(CACHE_LINE, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->readers = aligned_alloc(CACHE_LINE, reader_limit * sizeof(made->readers[0]));
    if (made->readers == NULL) {
        free(made);
        return -ENOMEM;
    }

    atomic_init(&made->epoch, OFFLINE + 1);
    pthread_mutex_init(&made->lock, NULL);
    made->first = NULL;
    made->last = &made->first;
    made->reader_limit = reader_limit;
    for (size_t i = 0; i < reader_limit; i++) {
        atomic_init(&made->readers[i].epoch, OFFLINE);
        made->readers[i].domain = made;
        made->readers[i].taken = false;
    }
    *domain = made;
    return 0;
}

int reclaim_register(struct reclaim *domain, struct reclaim_reader **reader)
{
    int error = ERROR_LIMIT;
    pthread_mutex_lock(&domain->lock);
    for (size_t i = 0; i < domain->reader_limit && error != 0; i++) {
        if (!domain->readers[i].taken) {
            domain->readers[i].taken = true;
            *reader = &domain->readers[i];
            error = 0;
        }
    }
    pthread_mutex_unlock(&domain->lock);
    return error;
}

void reclaim_unregister(struct reclaim_reader *reader)
{
    if (reader == NULL)
        return;
    reclaim_offline(reader);
    pthread_mutex_lock(&reader->domain->lock);
    reader->taken = false;
    pthread_mutex_unlock(&reader->domain->lock);
}

void reclaim_online(struct reclaim_reader *reader)
{
    uint64_t epoch = atomic_load_explicit(&reader->domain->epoch, memory_order_acquire);
    atomic_exchange_explicit(&reader->epoch, epoch, memory_order_seq_cst);
}

void reclaim_quiescent(struct reclaim_reader *reader)
{
    uint64_t epoch = atomic_load_explicit(&reader->domain->epoch, memory_order_acquire);
    /* Nearly always unchanged: then the line stays clean in every cache. */
    if (atomic_load_explicit(&reader->epoch, memory_order_relaxed) != epoch)
        atomic_store_explicit(&reader->epoch, epoch, memory_order_release);
}

void reclaim_offline(struct reclaim_reader *reader)
{
    atomic_store_explicit(&reader->epoch, OFFLINE, memory_order_release);
}

int reclaim_retire(struct reclaim *domain, void *object, reclaim_free_fn *destroy)
{
    struct retired *retired = malloc(sizeof(*retired));
    if (retired == NULL)
        return -ENOMEM;
    retired->next = NULL;
    retired->object = object;
    retired->destroy = destroy;

    pthread_mutex_lock(&domain->lock);
    /* Release: who reads the new epoch sees the object unlinked. */
    retired->epoch = atomic_fetch_add_explicit(&domain->epoch, 1, memory_order_acq_rel) + 1;
    *domain->last = retired;
    domain->last = &retired->next;
    pthread_mutex_unlock(&domain->lock);
    return 0;
}

/* The epoch that every online reader has reached. */
static uint64_t reached_epoch(struct reclaim *domain)
{
    uint64_t reached = UINT64_MAX;
    for (size_t i = 0; i < domain->reader_limit; i++) {
        if (!domain->readers[i].taken)
            continue;
        /* Adding nothing, but a write all the same: see the top of the file. */
        uint64_t epoch =
            atomic_fetch_add_explicit(&domain->readers[i].epoch, 0, memory_order_seq_cst);
        if (epoch != OFFLINE && epoch < reached)
            reached = epoch;
    }
    return reached;
}

/* Takes what was retired up to that epoch off the domain. Under the lock. */
static struct retired *detach_until(struct reclaim *domain, uint64_t reached)
{
    struct retired *first = domain->first;
    struct retired **link = &domain->first;
    while (*link != NULL && (*link)->epoch <= reached)
        link = &(*link)->next;
    if (link == &domain->first)
        return NULL;

    domain->first = *link;
    if (domain->first == NULL)
        domain->last = &domain->first;
    *link = NULL;
    return first;
}

static void run_destructors(struct retired *retired)
{
    while (retired != NULL) {
        struct retired *next = retired->next;
        retired->destroy(retired->object);
        free(retired);
        retired = next;
    }
}

bool reclaim_collect(struct reclaim *domain)
{
    struct retired *safe = NULL;
    pthread_mutex_lock(&domain->lock);
    if (domain->first != NULL)
        safe = detach_until(domain, reached_epoch(domain));
    pthread_mutex_unlock(&domain->lock);

    /* Without the lock: a destructor may retire what hung on its object. */
    run_destructors(safe);

    pthread_mutex_lock(&domain->lock);
    bool waiting = domain->first != NULL;
    pthread_mutex_unlock(&domain->lock);
    return waiting;
}

void reclaim_destroy(struct reclaim *domain)
{
    if (domain == NULL)
        return;
    for (size_t i = 0; i < domain->reader_limit; i++)
        assert(atomic_load(&domain->readers[i].epoch) == OFFLINE);

    /* A destructor may retire more. */
    while (reclaim_collect(domain))
        continue;
    pthread_mutex_destroy(&domain->lock);
    free(domain->readers);
    free(domain);
}
