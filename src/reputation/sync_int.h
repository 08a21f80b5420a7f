/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync: keeps the replica equal to Redis, on the service thread.
 *
 * upstream finds the servers, keeps connections to them and names every key that is written,
 * deleted or expires from the moment T on that it calls a server followed (upstream_int.h). Sync
 * reads: SCAN, and for each key HMGET of the documented fields and PTTL, pipelined.
 *
 * Why nothing is missed. The scan begins after T.
 *  - A key that exists unchanged from T to the end of the scan is returned by SCAN (its guarantee)
 *    and read.
 *  - A key that is written, deleted or expires after T is named by an invalidation, and read again
 *    by a command that is sent after the invalidation arrived, thus executed after the change. One
 *    connection executes and answers in order, so the answer of a later read is applied later.
 *    Names are put together only while they wait to be sent; one that changes while its read is
 *    under way is queued once more.
 *  - A key that the replica holds and that was gone before T is in neither; after a complete scan
 *    it carries the old generation and is removed.
 *  - When a connection breaks, all of this begins anew with a new subscription; the replica keeps
 *    serving what it has, and expiry is its own business.
 *  - A flush names no key: a new scan begins.
 *  - In a cluster a key may be read from two nodes in turn, whose answers could cross: while a read
 *    of it is under way no other is sent, and what changes meanwhile is read again after it. A
 *    redirection is followed. A key that is not found while its slot moves is asked for again until
 *    the slot has settled: only then is it gone. A scan goes through all nodes; a key that moves
 *    from a node that is still to come to one that is done is named by both of them.
 *
 * A key that expires needs no name at all: its end is in the entry, and readers enforce it.
 *
 * A scan into an empty replica is applied as it comes. Otherwise it only compares: what differs
 * goes to a journal, and when the scan is over the journal and the removals are applied together,
 * unless that would change more of the entries than settings allow: then the journal is thrown away
 * and an operator is asked. Live changes are applied at once in any case, and are appended to the
 * journal too, so that applying an older record of the same key is corrected by the newer one
 * behind it.
 */
#ifndef RINGFENCE_REPUTATION_SYNC_INT_H
#define RINGFENCE_REPUTATION_SYNC_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/random.h"
#include "budget_int.h"
#include "journal_int.h"
#include "key_int.h"
#include "ledger_int.h"
#include "queue_int.h"
#include "reputation/store.h"
#include "upstream_int.h"

enum {
    SYNC_READS = 1024,          /* keys being read at once; two commands each */
    SYNC_SCAN_COUNT = 512,      /* COUNT of SCAN */
    SYNC_QUEUE_LIMIT = 4000000, /* changed keys waiting; beyond, a full scan is cheaper */
    SYNC_TTL_TOLERANCE_S = 2,   /* a remaining time read twice differs by so much */
    SYNC_ERROR_BYTES = 192,
};

struct rep_sync_options {
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    const struct rep_settings *settings;
    struct rep_replica *replica;
    struct rep_ledger *ledger; /* of that replica: what is written goes through it */
    const struct rep_authority *authority;
    struct rep_names *types, *sources;
    struct rep_status *status; /* the service thread's own; the store publishes it */
    uint64_t seed[2];
};

struct rep_sync;

int rep_sync_create(const struct rep_sync_options *options, struct rep_sync **sync) MUST_CHECK;
/* Begins to connect. */
void rep_sync_start(struct rep_sync *sync);
/* Compares everything anew, when connected. */
void rep_sync_rescan(struct rep_sync *sync);
/* Lets the next comparison change as much as it finds. */
void rep_sync_accept(struct rep_sync *sync);
void rep_sync_destroy(struct rep_sync *sync);

/* ---- shared by sync.c, sync_scan.c and sync_read.c ---- */

struct backlog {
    char *bytes; /* names of the last SCAN reply, each behind its length in two bytes */
    size_t length, at, capacity;
};

struct scan {
    bool preparing; /* what an abandoned one left is put right first */
    bool running;   /* until the last key is read, or abandoned */
    bool asked;     /* a SCAN is under way */
    bool last;      /* SCAN returned cursor 0 */
    bool comparing; /* not into an empty replica */
    bool closing;   /* all is read, and it is too much: what merely expired is taken out first */
    bool applying;  /* the journal and the removals */
    bool again;     /* asked for once more meanwhile */
    bool accepted;  /* may change anything */
    uint64_t id;    /* replies to an abandoned scan are recognised by it */
    uint64_t started_us;
    uint64_t told_us; /* when progress was logged last */
    unsigned peer;    /* whose keys are being listed */
    char cursor[24];
    struct backlog backlog;
    uint32_t reads;    /* under way */
    uint64_t found;    /* differences so far that matter, without removals */
    uint64_t counted;  /* ... and with them, when all was read */
    uint64_t replaced; /* keys in the journal that the replica holds with another value */
};

struct rep_sync {
    struct rep_sync_options options;
    struct rep_upstream *upstream;
    struct rt_timer work, recheck, rescan, later;
    struct scan scan;
    struct rep_queue *queue;
    struct rep_journal *journal;
    struct pool *reads;
    struct rep_request request;
    struct hash_key seed;
    struct hash_table *under_way; /* reads by name, where keys may move */
    struct list_link postponed;   /* reads that ask again in a moment */
    struct log_limit bad_key_limit;
    struct rep_budget budget;
    bool overdrawn; /* clients changed too much: what they change is no longer applied */
};

/* Closes all connections and tries again later. */
void rep_sync_fail(struct rep_sync *sync, const char *reason);
void rep_sync_state(struct rep_sync *sync, enum rep_state state);

void rep_sync_scan_begin(struct rep_sync *sync, bool accepted);
void rep_sync_scan_abandon(struct rep_sync *sync);
/* Sees to it that a scan begins, now or after the one under way. */
void rep_sync_scan_again(struct rep_sync *sync);
/* A key that SCAN named was read; value NULL: it is gone or unusable. */
void rep_sync_scan_apply(struct rep_sync *sync, const struct rep_key *key,
                         const struct rep_value *value);
/* A turn of preparing, closing or applying. */
void rep_sync_work(struct rep_sync *sync);

/* ---- sync_hold.c: what is too much ---- */

uint64_t rep_sync_entries(const struct rep_sync *sync);
/* Whether a key's new state is a change that counts: not when it has merely expired, or when
 * nothing but its expiry was put off. */
bool rep_sync_matters(const struct rep_sync *sync, const struct rep_key *key,
                      const struct rep_value *value);
/* A client changed a key: false when that must not be applied (any more). */
bool rep_sync_may_change(struct rep_sync *sync, const struct rep_key *key,
                         const struct rep_value *value);
/* How many entries may still change. */
uint64_t rep_sync_left(struct rep_sync *sync);
/* Whether the comparison found more than may change. */
bool rep_sync_is_too_much(struct rep_sync *sync);
/* Gives the comparison up. whole: it saw everything, so it knows what is gone. */
void rep_sync_hold(struct rep_sync *sync, bool whole);
/* A complete set was applied, and that much of it counts. */
void rep_sync_settled(struct rep_sync *sync);

/* Sends as many reads as there is room for: changed keys first, then the scan's. */
void rep_sync_pump(struct rep_sync *sync);
void rep_sync_changed(struct rep_sync *sync, struct slice name);
void rep_sync_later(struct rt_timer *timer, uint64_t now_us);
void rep_sync_drop_postponed(struct rep_sync *sync);
void rep_sync_skip(struct rep_sync *sync, struct slice name, enum rep_skip reason);

/* value == NULL: the key is gone or unusable. True when the replica is different now. */
bool rep_sync_put(struct rep_sync *sync, const struct rep_key *key, const struct rep_value *value);
size_t rep_sync_read_size(void);

/* The next name of the scan, absent when the backlog is empty; asks for more where it can. Valid
 * until rep_sync_scan_drop() takes it out. */
struct slice rep_sync_scan_first(struct rep_sync *sync);
void rep_sync_scan_drop(struct rep_sync *sync);
void rep_sync_scan_check(struct rep_sync *sync);

#endif
