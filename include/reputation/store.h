/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: where reputation comes from, kept current by a service thread of its own.
 *
 * store redis, mode replica: all of rf:num: rf:pfx: rf:raw: is held in the replica and follows
 * every change. mode lookup: nothing is held, workers ask (reputation/lookup.h). store memory: the
 * entries of a CSV file, plus what rep_store_set() adds while running.
 * No function here waits for Redis; workers only ever read the replica.
 */
#ifndef RINGFENCE_REPUTATION_STORE_H
#define RINGFENCE_REPUTATION_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "reputation/entry.h"
#include "reputation/names.h"
#include "reputation/replica.h"
#include "reputation/row.h"
#include "reputation/statement.h"

struct rep_store;

enum rep_backend { REP_BACKEND_REDIS, REP_BACKEND_MEMORY };
enum rep_mode { REP_MODE_REPLICA, REP_MODE_LOOKUP };

/* How changes are learned in mode replica. X(name, word, text): the word of settings, the text of
 * status. In this order each is the next when the one before is refused. */
#define REP_FOLLOW_TABLE(X)                                                                   \
    X(REP_FOLLOW_TRACKING, "tracking", "client-side caching, broadcast by prefix")            \
    X(REP_FOLLOW_NOTIFICATIONS, "notifications", "keyspace notifications, compared at times") \
    X(REP_FOLLOW_COMPARING, "comparing", "none: compared again and again")

enum rep_follow {
    REP_FOLLOW_AUTO,
#define REP_FOLLOW_ROW(name, word, text) name,
    REP_FOLLOW_TABLE(REP_FOLLOW_ROW)
#undef REP_FOLLOW_ROW
        REP_FOLLOW_COUNT
};

enum { REP_SENTINEL_LIMIT = 16, REP_SEED_LIMIT = 64 };

struct rep_texts {
    const struct slice *items; /* each with a NUL behind it */
    size_t count;
};

struct rep_source_rows {
    const struct rep_source_row *items; /* at most REP_SOURCE_ROWS */
    size_t count;
};

/*
 * Texts are copied by rep_store_create(); NULL or "" means not set. Servers are written
 * "host:port", "address:port" or "[IPv6]:port". Sentinels, or nodes of a cluster, or neither.
 */
struct rep_settings {
    enum rep_backend backend;
    enum rep_mode mode;
    const char *host;        /* name or address; default 127.0.0.1 */
    uint16_t port;           /* default 6379 */
    const char *unix_socket; /* path; wins over host and port */
    const char *username;    /* ACL user; password alone is the default user's */
    const char *password;
    const char *password_file; /* its first line; read once */
    unsigned database;
    struct rep_texts sentinels; /* servers that are asked where `sentinel_master` is */
    const char *sentinel_master;
    const char *sentinel_username; /* of the sentinels' own account */
    const char *sentinel_password;
    const char *sentinel_password_file;
    struct rep_texts cluster;       /* some of the cluster's nodes; the others are found by them */
    struct rep_texts address_map;   /* "announced=server" or "announced=unix:/path" */
    struct rep_source_rows sources; /* whose statements have a field of their own */
    enum rep_combine combine;
    enum rep_follow follow;
    unsigned compare_interval_ms; /* where changes are not announced; default 10 s */
    unsigned connect_timeout_ms;  /* default 2000 */
    unsigned reply_timeout_ms;  /* silence after which a connection counts as dead; default 5000 */
    unsigned min_block_prefix;  /* digits; default 7 */
    unsigned hold_percent;      /* more changes within an hour wait for accept; default 20 */
    uint64_t hold_minimum;      /* ... when they are at least so many; default 1000 */
    uint64_t capacity;          /* numbers; default 16 million */
    uint64_t rescan_interval_s; /* a full comparison as often as this; default 6 h; 0: default */
    unsigned lookup_in_flight;  /* mode lookup: calls waiting per worker; default 1024 */
    unsigned lookup_cache_ms;   /* mode lookup: how long an answer is reused; default 500 */
    const char *csv_path;       /* store memory */
    const char *saved_path;     /* replica file, written at exit and every 10 minutes */
    uint64_t saved_age_s;       /* an older one is refused; default 7 days; 0: default */
};

/* X(name, text): what the service thread is doing. */
#define REP_STATE_TABLE(X)                       \
    X(REP_STATE_STOPPED, "stopped")              \
    X(REP_STATE_CONNECTING, "connecting")        \
    X(REP_STATE_WAITING, "waiting to reconnect") \
    X(REP_STATE_LOADING, "loading")              \
    X(REP_STATE_COMPARING, "comparing")          \
    X(REP_STATE_FOLLOWING, "following")          \
    X(REP_STATE_HELD, "held")                    \
    X(REP_STATE_READY, "ready")

enum rep_state {
#define REP_STATE_ROW(name, text) name,
    REP_STATE_TABLE(REP_STATE_ROW)
#undef REP_STATE_ROW
        REP_STATE_COUNT
};
const char *rep_state_text(unsigned state);

/* For `status`; a snapshot taken under a lock that only service threads use. */
struct rep_status {
    enum rep_backend backend;
    enum rep_mode mode;
    enum rep_state state;
    bool connected;   /* authenticated and, in mode replica, tracking */
    bool loaded;      /* holds a complete set: from Redis, the saved file or the CSV file */
    bool from_saved;  /* that set is still the saved file's */
    char server[160]; /* where it connects to */
    char source[192]; /* who named that server, "" for the settings */
    unsigned servers; /* masters that hold the keys */
    unsigned servers_followed;
    uint64_t redirects; /* keys that had moved to another node of a cluster */
    uint64_t switches;  /* another master, or another set of them, was named */
    char tracking[96];  /* how changes arrive */
    char error[192];    /* the last failure in words, "" for none */
    char hold[400];     /* what is held, why, and how to accept it; "" for nothing */
    uint64_t scanned;   /* keys seen by the load or comparison under way */
    uint64_t expected;  /* keys in the database when it began; an upper bound */
    struct rep_replica_figures replica;
    uint64_t changing; /* entries that will change by themselves: several ends, fading scores */
    uint64_t changing_bytes;      /* what their statements take beside the replica */
    uint64_t last_change_wall_us; /* of an entry; 0: none yet */
    uint64_t last_sync_wall_us;   /* last time the replica was known to equal Redis */
    uint64_t changes;             /* entries changed by live invalidation */
    uint64_t resyncs;
    uint64_t reconnects;
    uint64_t queued; /* keys waiting to be read again */
    uint64_t skipped[REP_SKIP_COUNT];
    char skipped_example[192]; /* the last skipped key and why */
    uint64_t saves;
    bool breaker_open; /* mode lookup */
    uint64_t lookups, lookup_hits, lookup_failures;
};

/* Whether a text of `sentinels` and `cluster`, or of `address_map`, says what it must. */
bool rep_is_server(struct slice text);
bool rep_is_address_pair(struct slice text);

/* Fills in the defaults; `settings` need not be initialised. */
void rep_settings_default(struct rep_settings *settings);

/*
 * Creates the store and loads the CSV file or the saved file (a bad saved file is reported by the
 * log and ignored; a bad CSV file is an error in `message`). Starts no thread.
 */
int rep_store_create(const struct rep_settings *settings, char *message, size_t capacity,
                     struct rep_store **store) MUST_CHECK;

/* Starts the service thread "replica". Redis need not be there. */
int rep_store_start(struct rep_store *store) MUST_CHECK;

/* Ends the thread, writes the saved file. The replica stays readable. */
void rep_store_stop(struct rep_store *store);

/* Stops when needed. NULL is allowed. No reader or lookup may be left. */
void rep_store_destroy(struct rep_store *store);

/* Never NULL; empty in mode lookup. Valid until rep_store_destroy(). */
const struct rep_replica *rep_store_replica(const struct rep_store *store);
struct rep_names *rep_store_types(const struct rep_store *store);
struct rep_names *rep_store_sources(const struct rep_store *store);
enum rep_mode rep_store_mode(const struct rep_store *store);

/* True once it held a complete set at any time: until then verdicts are degraded. Any thread, one
 * relaxed load. */
bool rep_store_loaded(const struct rep_store *store);

/* Any thread but workers. */
void rep_store_status(struct rep_store *store, struct rep_status *status);

/* Applies what is held: whatever Redis holds by now. ERROR_NOT_FOUND when nothing is held. */
int rep_store_accept(struct rep_store *store) MUST_CHECK;

/* memory: reads the CSV file again (on an error the old entries stay and `message` says where);
 * redis: starts a full comparison. Waits for the service thread, not for Redis. */
int rep_store_reload(struct rep_store *store, char *message, size_t capacity) MUST_CHECK;

/* Store memory only (-ENOTSUP otherwise); applied when they return. Not kept over a restart. Set
 * takes the place of whatever was said of the number, by several sources or one. -EBADMSG for a
 * number that is none, ERROR_NOT_FOUND when there was nothing to delete. */
int rep_store_set(struct rep_store *store, const struct rep_row *row) MUST_CHECK;
int rep_store_delete(struct rep_store *store, struct slice number) MUST_CHECK;

#endif
