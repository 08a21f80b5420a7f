/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/budget.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

struct screen_ledger {
    pthread_mutex_t lock;       /* of the table and the counts of users */
    struct hash_table *budgets; /* of struct screen_budget; only the operator adds keys */
};

/*
 * The period's number and the calls taken in it are one word, so that they change together. All
 * accesses are relaxed: a budget stands alone, nothing is published through it. One cache line
 * each, since every blocked call writes to it.
 */
struct screen_budget {
    _Alignas(64) _Atomic uint64_t state; /* period << 32 | calls */
    _Atomic uint64_t told;               /* the period that was told of, plus 1; 0: none */
    atomic_bool demoted;
    struct rule_budget limit;
    struct screen_ledger *ledger;
    uint32_t users;
    enum screen_budget_kind kind;
    uint64_t written;
    struct slice name; /* in memory behind */
};

/* ---- the ledger ---------------------------------------------------------------------------- */

int screen_ledger_create(struct screen_ledger **ledger)
{
    struct screen_ledger *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    int error = hash_table_create(16, &made->budgets);
    if (error != 0) {
        free(made);
        return error;
    }
    pthread_mutex_init(&made->lock, NULL);
    *ledger = made;
    return 0;
}

void screen_ledger_destroy(struct screen_ledger *ledger)
{
    if (ledger == NULL)
        return;
    assert(hash_table_count(ledger->budgets) == 0);
    hash_table_destroy(ledger->budgets);
    pthread_mutex_destroy(&ledger->lock);
    free(ledger);
}

static uint64_t key_hash(const struct screen_budget_key *key)
{
    const struct hash_key secret = {{key->written, (uint64_t)key->kind}};
    return hash_slice(&secret, key->name);
}

static bool key_match(const void *object, const void *key)
{
    const struct screen_budget *budget = object;
    const struct screen_budget_key *wanted = key;
    return budget->kind == wanted->kind && budget->written == wanted->written &&
           slice_equal(budget->name, wanted->name);
}

static struct screen_budget *make(struct screen_ledger *ledger, const struct screen_budget_key *key,
                                  const struct rule_budget *limit)
{
    size_t size = (sizeof(struct screen_budget) + key->name.length + 63) & ~(size_t)63;
    struct screen_budget *made = aligned_alloc(64, size);
    if (made == NULL)
        return NULL;
    memset(made, 0, size);
    char *name = (char *)(made + 1);
    memcpy(name, key->name.data, key->name.length);
    made->limit = *limit;
    made->ledger = ledger;
    made->kind = key->kind;
    made->written = key->written;
    made->name = slice_make(name, key->name.length);
    return made;
}

int screen_budget_open(struct screen_ledger *ledger, const struct screen_budget_key *key,
                       const struct rule_budget *limit, struct screen_budget **budget)
{
    assert(limit->calls > 0 && limit->period_us >= 1000000);
    int error = 0;
    uint64_t hash = key_hash(key);
    pthread_mutex_lock(&ledger->lock);
    struct screen_budget *found = hash_table_find(ledger->budgets, hash, key_match, key);
    if (found == NULL) {
        found = make(ledger, key, limit);
        error = found == NULL ? -ENOMEM : hash_table_insert(ledger->budgets, hash, found);
    }
    if (error == 0) {
        found->users++;
        *budget = found;
    } else {
        free(found);
    }
    pthread_mutex_unlock(&ledger->lock);
    return error;
}

void screen_budget_close(struct screen_budget *budget)
{
    if (budget == NULL)
        return;
    struct screen_ledger *ledger = budget->ledger;
    const struct screen_budget_key key = {budget->kind, budget->name, budget->written};
    pthread_mutex_lock(&ledger->lock);
    bool is_last = --budget->users == 0;
    if (is_last)
        (void)hash_table_remove(ledger->budgets, key_hash(&key), budget);
    pthread_mutex_unlock(&ledger->lock);
    if (is_last)
        free(budget);
}

/* ---- counting ------------------------------------------------------------------------------ */

static uint32_t period_at(const struct screen_budget *budget, uint64_t wall_us)
{
    return (uint32_t)(wall_us / budget->limit.period_us);
}

/*
 * The calls taken in a period, and in *period the one that counts: a worker whose clock is a little
 * behind the others' counts in the period that they have begun. A clock that was set back by more
 * begins anew.
 */
static uint32_t taken_in(uint64_t state, uint32_t *period)
{
    uint32_t kept = (uint32_t)(state >> 32);
    if (kept == *period + 1)
        *period = kept;
    return kept == *period ? (uint32_t)state : 0;
}

bool screen_budget_take(struct screen_budget *budget, uint64_t wall_us)
{
    if (atomic_load_explicit(&budget->demoted, memory_order_relaxed))
        return false;
    uint64_t state = atomic_load_explicit(&budget->state, memory_order_relaxed);
    for (;;) {
        uint32_t period = period_at(budget, wall_us);
        uint32_t taken = taken_in(state, &period);
        if (taken >= budget->limit.calls)
            return false;
        uint64_t next = (uint64_t)period << 32 | (taken + 1);
        if (atomic_compare_exchange_weak_explicit(&budget->state, &state, next,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
}

void screen_budget_give_back(struct screen_budget *budget, uint64_t wall_us)
{
    uint64_t state = atomic_load_explicit(&budget->state, memory_order_relaxed);
    for (;;) {
        uint32_t period = period_at(budget, wall_us);
        if (taken_in(state, &period) == 0 ||
            atomic_compare_exchange_weak_explicit(&budget->state, &state, state - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
            return;
    }
}

bool screen_budget_tells(struct screen_budget *budget, uint64_t wall_us)
{
    uint32_t period = period_at(budget, wall_us);
    (void)taken_in(atomic_load_explicit(&budget->state, memory_order_relaxed), &period);
    uint64_t telling = screen_budget_is_demoted(budget) ? UINT64_MAX : (uint64_t)period + 1;
    /* The load keeps the many calls beyond a budget from writing to it. */
    return atomic_load_explicit(&budget->told, memory_order_relaxed) != telling &&
           atomic_exchange_explicit(&budget->told, telling, memory_order_relaxed) != telling;
}

/* ---- demotion ------------------------------------------------------------------------------ */

void screen_budget_demote(struct screen_budget *budget)
{
    atomic_store_explicit(&budget->demoted, true, memory_order_relaxed);
}

bool screen_budget_is_demoted(const struct screen_budget *budget)
{
    return atomic_load_explicit(&budget->demoted, memory_order_relaxed);
}

void screen_budget_rearm(struct screen_budget *budget)
{
    atomic_store_explicit(&budget->state, 0, memory_order_relaxed);
    atomic_store_explicit(&budget->told, 0, memory_order_relaxed);
    atomic_store_explicit(&budget->demoted, false, memory_order_relaxed);
}

const struct rule_budget *screen_budget_limit(const struct screen_budget *budget)
{
    return &budget->limit;
}

uint32_t screen_budget_used(const struct screen_budget *budget, uint64_t wall_us)
{
    uint32_t period = period_at(budget, wall_us);
    return taken_in(atomic_load_explicit(&budget->state, memory_order_relaxed), &period);
}
