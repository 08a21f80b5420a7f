/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/random.h"
#include "resolver_int.h"

#define ENTRY_LIMIT 65536
/* After a failure: doubled with each up to the second. A query that nobody answers takes its time
 * before that, so a dead server is not asked in a loop. */
#define RETRY_FIRST_US UINT64_C(1000000)
#define RETRY_LAST_US  UINT64_C(30000000)
/* A record is asked for anew when this part of its time is left, less up to as much again by
 * chance, so that what came together does not go together. */
#define PREFETCH_PART 8

struct dns_entry {
    char name[TP_DNS_NAME_BYTES];
    enum dns_type type;
    struct dns_answer *answer; /* NULL: none */
    bool asked;
    unsigned failures; /* in a row */
    int failure;
    uint64_t refresh_us;
    uint64_t expires_us;
    uint64_t retry_us;
    uint64_t looked_us;
};

struct dns_cache {
    struct tp_resolver_settings settings;
    dns_ask_fn *ask;
    void *argument;
    struct hash_table *table;
    struct random_state random;
};

int tp_dns_cache_create(const struct tp_resolver_settings *settings, dns_ask_fn *ask,
                        void *argument, struct dns_cache **cache)
{
    struct dns_cache *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->settings = *settings;
    made->ask = ask;
    made->argument = argument;
    random_seed(&made->random, settings->seed);
    int error = hash_table_create(64, &made->table);
    if (error == 0)
        *cache = made;
    else
        free(made);
    return error;
}

/* Names come from the configuration and from the zones of the peers that it names. */
static uint64_t hash_of(const struct dns_cache *cache, const char *name, enum dns_type type)
{
    const struct hash_key key = {{cache->settings.seed, (uint64_t)type}};
    return hash_slice(&key, slice_of_text(name));
}

struct entry_key {
    const char *name;
    enum dns_type type;
};

static bool is_entry(const void *object, const void *wanted)
{
    const struct dns_entry *entry = object;
    const struct entry_key *key = wanted;
    return entry->type == key->type && strcmp(entry->name, key->name) == 0;
}

static struct dns_entry *find(const struct dns_cache *cache, const char *name, enum dns_type type)
{
    const struct entry_key key = {name, type};
    return hash_table_find(cache->table, hash_of(cache, name, type), is_entry, &key);
}

/* NULL when there is no room. */
static struct dns_entry *add(struct dns_cache *cache, const char *name, enum dns_type type)
{
    if (hash_table_count(cache->table) >= ENTRY_LIMIT || strlen(name) >= TP_DNS_NAME_BYTES)
        return NULL;
    struct dns_entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    memcpy(entry->name, name, strlen(name) + 1);
    entry->type = type;
    if (hash_table_insert(cache->table, hash_of(cache, name, type), entry) == 0)
        return entry;
    free(entry);
    return NULL;
}

static void ask_if_due(struct dns_cache *cache, struct dns_entry *entry, uint64_t now_us)
{
    bool wanted = entry->answer == NULL || now_us >= entry->refresh_us;
    if (entry->asked || !wanted || now_us < entry->retry_us)
        return;
    entry->asked = true;
    cache->ask(cache->argument, entry->name, entry->type);
}

enum dns_state tp_dns_cache_look(struct dns_cache *cache, const char *name, enum dns_type type,
                                 uint64_t now_us, struct dns_look *look)
{
    struct dns_entry *entry = find(cache, name, type);
    *look = (struct dns_look){.expires_us = UINT64_MAX, .again_us = UINT64_MAX};
    if (entry == NULL)
        entry = add(cache, name, type);
    if (entry == NULL) {
        look->failure = ERROR_LIMIT;
        look->again_us = now_us + RETRY_LAST_US;
        return DNS_FAILED;
    }
    entry->looked_us = now_us;
    /* What has ended serves on for a while, but only as long as DNS fails: before the first failure
     * the answer that replaces it may be under way. */
    if (entry->answer != NULL && now_us >= entry->expires_us + cache->settings.stale_us) {
        free(entry->answer);
        entry->answer = NULL;
    }
    ask_if_due(cache, entry, now_us);
    look->failure = entry->failure;
    if (!entry->asked)
        look->again_us = entry->retry_us > entry->refresh_us ? entry->retry_us : entry->refresh_us;
    if (entry->answer == NULL)
        return entry->asked && entry->failures == 0 ? DNS_WAITING : DNS_FAILED;
    look->answer = entry->answer;
    look->expires_us = entry->expires_us;
    look->stale = now_us >= entry->expires_us;
    uint64_t next_us =
        look->stale ? entry->expires_us + cache->settings.stale_us : entry->expires_us;
    if (next_us < look->again_us)
        look->again_us = next_us;
    return entry->answer->absent ? DNS_ABSENT : DNS_KNOWN;
}

static uint64_t lifetime(const struct dns_cache *cache, const struct dns_answer *answer)
{
    const struct tp_resolver_settings *settings = &cache->settings;
    uint64_t ttl_us = (uint64_t)answer->ttl_s * 1000000;
    uint64_t most_us = answer->absent ? settings->negative_ttl_us : settings->max_ttl_us;
    if (ttl_us < settings->min_ttl_us)
        ttl_us = settings->min_ttl_us;
    return ttl_us > most_us ? most_us : ttl_us;
}

void tp_dns_cache_store(struct dns_cache *cache, const char *name, enum dns_type type,
                        const struct dns_answer *answer, uint64_t now_us)
{
    struct dns_entry *entry = find(cache, name, type);
    if (entry == NULL)
        return;
    /* Only as many records as there are. */
    size_t bytes =
        offsetof(struct dns_answer, records) + answer->count * sizeof(answer->records[0]);
    struct dns_answer *copy = malloc(bytes);
    if (copy == NULL) {
        tp_dns_cache_fail(cache, name, type, -ENOMEM, now_us);
        return;
    }
    memcpy(copy, answer, bytes);
    free(entry->answer);
    entry->answer = copy;
    entry->asked = false;
    entry->failures = 0;
    entry->failure = 0;
    entry->retry_us = 0;
    uint64_t ttl_us = lifetime(cache, answer);
    uint64_t early_us = ttl_us / PREFETCH_PART;
    early_us += random_below(&cache->random, early_us + 1);
    entry->expires_us = now_us + ttl_us;
    entry->refresh_us = entry->expires_us - early_us;
}

void tp_dns_cache_fail(struct dns_cache *cache, const char *name, enum dns_type type, int failure,
                       uint64_t now_us)
{
    struct dns_entry *entry = find(cache, name, type);
    if (entry == NULL)
        return;
    uint64_t wait_us = RETRY_FIRST_US << (entry->failures < 5 ? entry->failures : 5);
    entry->asked = false;
    entry->failures++;
    entry->failure = failure;
    entry->retry_us = now_us + (wait_us < RETRY_LAST_US ? wait_us : RETRY_LAST_US);
}

uint64_t tp_dns_cache_bit(const struct dns_cache *cache, const char *name, enum dns_type type)
{
    return UINT64_C(1) << (hash_of(cache, name, type) % 64);
}

size_t tp_dns_cache_count(const struct dns_cache *cache)
{
    return hash_table_count(cache->table);
}

/* ---- forgetting ---------------------------------------------------------------------------- */

struct sweep {
    uint64_t since_us;
    size_t count;
    struct dns_entry *old[64];
};

static void collect(void *object, void *argument)
{
    struct dns_entry *entry = object;
    struct sweep *sweep = argument;
    if (!entry->asked && entry->looked_us < sweep->since_us &&
        sweep->count < sizeof(sweep->old) / sizeof(sweep->old[0]))
        sweep->old[sweep->count++] = entry;
}

static void forget(struct dns_entry *entry)
{
    free(entry->answer);
    free(entry);
}

void tp_dns_cache_sweep(struct dns_cache *cache, uint64_t since_us)
{
    struct sweep sweep = {.since_us = since_us};
    do {
        sweep.count = 0;
        hash_table_each(cache->table, collect, &sweep);
        for (size_t i = 0; i < sweep.count; i++) {
            struct dns_entry *entry = sweep.old[i];
            hash_table_remove(cache->table, hash_of(cache, entry->name, entry->type), entry);
            forget(entry);
        }
    } while (sweep.count > 0);
}

static void forget_any(void *object, void *argument)
{
    (void)argument;
    forget(object);
}

void tp_dns_cache_destroy(struct dns_cache *cache)
{
    if (cache == NULL)
        return;
    hash_table_each(cache->table, forget_any, NULL);
    hash_table_destroy(cache->table);
    free(cache);
}
