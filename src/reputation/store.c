/* SPDX-License-Identifier: Apache-2.0 */
/* The facade: creation, the readers' accessors, requests to the service thread. */
#include "reputation/store.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "memory_int.h"
#include "saved_int.h"
#include "service_int.h"
#include "store_int.h"

static const char *const state_texts[REP_STATE_COUNT] = {
#define REP_STATE_TEXT(name, text) [name] = text,
    REP_STATE_TABLE(REP_STATE_TEXT)
#undef REP_STATE_TEXT
};

struct rep_store {
    struct rep_settings settings;
    struct rep_replica *replica;
    struct rep_ledger *ledger;
    struct rep_authority authority;
    struct rep_names *types, *sources;
    struct rep_service *service;
    struct rep_lookup_shared lookup;
};

const char *rep_state_text(unsigned state)
{
    return state < REP_STATE_COUNT ? state_texts[state] : "unknown";
}

/* ---- life ---------------------------------------------------------------------------------- */

static int load_csv(struct rep_store *store, char *message, size_t capacity)
{
    struct rep_memory memory = {store->replica, store->ledger, &store->authority, store->types,
                                store->sources};
    return rep_memory_load(&memory, store->settings.csv_path, clock_wall_us() / 1000000, message,
                           capacity);
}

static void load_saved(struct rep_store *store, struct rep_status *status, uint64_t now_s)
{
    const struct rep_settings *settings = &store->settings;
    const struct rep_saved_limits limits = {now_s, settings->saved_age_s};
    struct rep_saved_figures figures;
    char reason[320];
    uint64_t began_us = clock_monotonic_us();
    int code = rep_saved_load(settings->saved_path, &limits, store->replica, store->ledger,
                              store->types, store->sources, &figures, reason, sizeof(reason));
    if (code == 0) {
        status->loaded = status->from_saved = true;
        status->last_sync_wall_us = figures.written_wall_s * 1000000;
        log_notice("reputation", "armed from %s: %" PRIu64 " entries, %" PRIu64 " s old, in %.3f s",
                   settings->saved_path, figures.entries,
                   now_s > figures.written_wall_s ? now_s - figures.written_wall_s : 0,
                   (double)(clock_monotonic_us() - began_us) / 1e6);
    } else if (code != -ENOENT) {
        log_warning("reputation", "%s", reason);
        snprintf(status->error, sizeof(status->error), "%.190s", reason);
    }
}

/* The names of a saved file keep their ids, so the sources of the settings get theirs behind. */
static int load_file(struct rep_store *store, struct rep_status *status, char *message,
                     size_t capacity)
{
    const struct rep_settings *settings = &store->settings;
    uint64_t now_s = clock_wall_us() / 1000000;
    bool memory = settings->backend == REP_BACKEND_MEMORY;
    if (!memory && settings->mode == REP_MODE_REPLICA && settings->saved_path != NULL)
        load_saved(store, status, now_s);
    rep_authority_init(&store->authority, settings->combine, settings->sources.items,
                       settings->sources.count, store->sources);
    rep_ledger_advance(store->ledger, now_s, UINT_MAX);
    if (!memory)
        return 0;
    int code = settings->csv_path == NULL ? 0 : load_csv(store, message, capacity);
    status->loaded = code == 0;
    status->last_sync_wall_us = now_s * 1000000;
    return code;
}

int rep_store_create(const struct rep_settings *settings, char *message, size_t capacity,
                     struct rep_store **store)
{
    if (capacity > 0)
        message[0] = '\0';
    struct rep_store *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    struct rep_status status = {.backend = settings->backend, .mode = settings->mode};
    struct rep_replica_options options;
    int code = rep_settings_copy(settings, &created->settings);
    if (code != 0)
        goto out;
    code = rep_settings_read_passwords(&created->settings, message, capacity);
    if (code != 0)
        goto out;
    options = (struct rep_replica_options){
        .capacity = created->settings.capacity,
        .min_block_prefix = created->settings.min_block_prefix,
    };
    code = random_bytes(options.seed, sizeof(options.seed));
    if (code == 0)
        code = rep_replica_create(&options, &created->replica);
    if (code == 0)
        code = rep_names_create(REP_TYPE_LIMIT, &created->types);
    if (code == 0)
        code = rep_names_create(REP_SOURCE_LIMIT, &created->sources);
    if (code == 0)
        code = rep_ledger_create(created->replica, &created->authority,
                                 options.seed[0] ^ options.seed[1], &created->ledger);
    if (code == 0)
        code = load_file(created, &status, message, capacity);
    if (code == 0) {
        struct rep_service_options service = {&created->settings,
                                              created->replica,
                                              created->ledger,
                                              &created->authority,
                                              created->types,
                                              created->sources,
                                              {options.seed[0] ^ 1, options.seed[1]},
                                              &created->lookup.route_version};
        code = rep_service_create(&service, &status, &created->service);
    }
out:
    if (code != 0) {
        if (capacity > 0 && message[0] == '\0')
            snprintf(message, capacity, "reputation store: %s", error_text(code));
        rep_store_destroy(created);
    } else {
        *store = created;
    }
    return code;
}

int rep_store_start(struct rep_store *store)
{
    return rep_service_start(store->service);
}

void rep_store_stop(struct rep_store *store)
{
    rep_service_stop(store->service);
}

void rep_store_destroy(struct rep_store *store)
{
    if (store == NULL)
        return;
    rep_service_destroy(store->service);
    rep_ledger_destroy(store->ledger);
    rep_replica_destroy(store->replica);
    rep_names_destroy(store->types);
    rep_names_destroy(store->sources);
    rep_settings_free(&store->settings);
    free(store);
}

/* ---- accessors ----------------------------------------------------------------------------- */

const struct rep_replica *rep_store_replica(const struct rep_store *store)
{
    return store->replica;
}

struct rep_names *rep_store_types(const struct rep_store *store)
{
    return store->types;
}

struct rep_names *rep_store_sources(const struct rep_store *store)
{
    return store->sources;
}

enum rep_mode rep_store_mode(const struct rep_store *store)
{
    return store->settings.backend == REP_BACKEND_REDIS ? store->settings.mode : REP_MODE_REPLICA;
}

bool rep_store_loaded(const struct rep_store *store)
{
    return rep_service_loaded(store->service);
}

const struct rep_settings *rep_store_settings(const struct rep_store *store)
{
    return &store->settings;
}

const struct rep_authority *rep_store_authority(const struct rep_store *store)
{
    return &store->authority;
}

struct rep_lookup_shared *rep_store_lookup_shared(struct rep_store *store)
{
    return &store->lookup;
}

bool rep_store_route(struct rep_store *store, struct rep_route *route)
{
    return rep_service_route(store->service, route);
}

void rep_store_doubt(struct rep_store *store, uint64_t now_us)
{
    enum { DOUBT_US = 100000 };
    _Atomic uint64_t *doubted_us = &store->lookup.doubted_us;
    uint64_t before_us = atomic_load_explicit(doubted_us, memory_order_relaxed);
    if (now_us - before_us < DOUBT_US ||
        !atomic_compare_exchange_strong_explicit(doubted_us, &before_us, now_us,
                                                 memory_order_relaxed, memory_order_relaxed))
        return;
    /* Refused only while the service thread ends. */
    int code = rep_service_doubt(store->service);
    (void)code;
}

/* A worker without a connection answers its calls without reputation: that is not "connected". */
static bool all_connected(const struct rep_lookup_shared *lookup)
{
    uint32_t workers = atomic_load_explicit(&lookup->workers, memory_order_relaxed);
    return workers > 0 && atomic_load_explicit(&lookup->connected, memory_order_relaxed) == workers;
}

void rep_store_status(struct rep_store *store, struct rep_status *status)
{
    rep_service_status(store->service, status);
    rep_replica_figures(store->replica, &status->replica);
    status->changing = rep_ledger_count(store->ledger);
    status->changing_bytes = rep_ledger_bytes(store->ledger);
    const struct rep_lookup_shared *lookup = &store->lookup;
    status->lookups = atomic_load_explicit(&lookup->lookups, memory_order_relaxed);
    status->lookup_hits = atomic_load_explicit(&lookup->hits, memory_order_relaxed);
    status->lookup_failures = atomic_load_explicit(&lookup->failures, memory_order_relaxed);
    status->breaker_open = rep_breaker_is_open(&lookup->breaker);
    if (rep_store_mode(store) == REP_MODE_LOOKUP) {
        status->connected = all_connected(lookup);
        status->redirects = atomic_load_explicit(&lookup->redirects, memory_order_relaxed);
    }
}

/* ---- requests ------------------------------------------------------------------------------ */

int rep_store_accept(struct rep_store *store)
{
    struct rep_status status;
    rep_service_status(store->service, &status);
    if (status.hold[0] == '\0')
        return ERROR_NOT_FOUND;
    return rep_service_accept(store->service);
}

struct reload {
    struct rep_store *store;
    char *message;
    size_t capacity;
};

static int reload_csv(void *argument)
{
    struct reload *reload = argument;
    return load_csv(reload->store, reload->message, reload->capacity);
}

int rep_store_reload(struct rep_store *store, char *message, size_t capacity)
{
    if (capacity > 0)
        message[0] = '\0';
    if (store->settings.backend == REP_BACKEND_REDIS)
        return rep_service_rescan(store->service);
    if (store->settings.csv_path == NULL)
        return 0;
    struct reload reload = {store, message, capacity};
    return rep_service_run(store->service, reload_csv, &reload);
}

struct change {
    struct rep_store *store;
    struct rep_key key;
    struct rep_statements said;
};

static int set_entry(void *argument)
{
    struct change *change = argument;
    struct rep_store *store = change->store;
    struct rep_value value;
    if (!rep_combine(&store->authority, &change->said, clock_wall_us() / 1000000, &value)) {
        rep_ledger_remove(store->ledger, &change->key);
        return 0;
    }
    return rep_ledger_set(store->ledger, &change->key, &value, NULL);
}

static int delete_entry(void *argument)
{
    struct change *change = argument;
    return rep_ledger_remove(change->store->ledger, &change->key) ? 0 : ERROR_NOT_FOUND;
}

int rep_store_set(struct rep_store *store, const struct rep_row *row)
{
    if (store->settings.backend != REP_BACKEND_MEMORY)
        return -ENOTSUP;
    struct change change = {.store = store, .said.count = 1};
    int code =
        rep_row_statement(row, store->types, store->sources, &change.key, &change.said.item[0]);
    return code != 0 ? code : rep_service_run(store->service, set_entry, &change);
}

int rep_store_delete(struct rep_store *store, struct slice number)
{
    if (store->settings.backend != REP_BACKEND_MEMORY)
        return -ENOTSUP;
    struct change change = {.store = store};
    int code = rep_row_key(number, &change.key);
    return code != 0 ? code : rep_service_run(store->service, delete_entry, &change);
}
