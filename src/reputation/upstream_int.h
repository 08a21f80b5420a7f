/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream: all servers that hold our keys, found, connected and followed.
 *
 * Stands between sync and Redis: sync reads and compares, upstream knows where. One server, or the
 * masters of a cluster: each is a peer with a number that stays the same while `ready` lasts.
 *
 * It is ready while every slot has an owner and every owner is followed; only then may a comparison
 * begin, since what is not seen would be taken for gone. Reading changed keys needs only the peer
 * that holds them: a node that is lost keeps nobody from following the others.
 *
 * A slot is unsettled for some time after it moved or was seen moving. A key that is not found in
 * an unsettled slot may be on its way: that alone is no deletion.
 */
#ifndef RINGFENCE_REPUTATION_UPSTREAM_INT_H
#define RINGFENCE_REPUTATION_UPSTREAM_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "link_int.h"
#include "reputation/store.h"
#include "route_int.h"

enum { REP_SETTLE_US = 2000000 };

struct rep_upstream;

struct rep_upstream_events {
    /* Everything is followed from now on: compare. */
    void (*ready)(void *argument);
    /* Not everything is followed any more; peers may have other numbers when it is ready again. */
    void (*lost)(void *argument, const char *reason);
    void (*changed)(void *argument, struct slice name);
    /* Something changed that names no key: compare. */
    void (*compare)(void *argument, const char *why);
    /* Not connected, for this reason; may come often. */
    void (*failed)(void *argument, const char *reason);
    void *argument;
};

struct rep_upstream_options {
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    const struct rep_settings *settings; /* must outlive it */
    struct rep_status *status;
    uint64_t seed;
};

int rep_upstream_create(const struct rep_upstream_options *options,
                        const struct rep_upstream_events *events,
                        struct rep_upstream **upstream) MUST_CHECK;
void rep_upstream_start(struct rep_upstream *upstream);
/* NULL is allowed. No event comes from within. */
void rep_upstream_destroy(struct rep_upstream *upstream);

bool rep_upstream_is_ready(const struct rep_upstream *upstream);
/* More than one server: keys may move. */
bool rep_upstream_is_sharded(const struct rep_upstream *upstream);
/* How long after a comparison the next one is due. */
uint64_t rep_upstream_compare_us(const struct rep_upstream *upstream);

/* Peers are numbered from 0. */
unsigned rep_upstream_count(const struct rep_upstream *upstream);
/* The peer that holds a key, or REP_NOBODY. */
unsigned rep_upstream_find(const struct rep_upstream *upstream, struct slice key);
/* Where to read from a peer, NULL while it is not followed. */
struct rep_link *rep_upstream_link(const struct rep_upstream *upstream, unsigned peer);
/* Gives up a peer's connections, or everybody's for REP_NOBODY; it comes back by itself. */
void rep_upstream_fail(struct rep_upstream *upstream, unsigned peer, const char *reason);

/*
 * What an error of a peer says about where to ask instead: false when it is no redirection. Else
 * *peer is whom to ask, with ASKING where *asking, or REP_NOBODY: later, by rep_upstream_find().
 */
bool rep_upstream_redirected(struct rep_upstream *upstream, unsigned from, struct slice error,
                             unsigned *peer, bool *asking);
bool rep_upstream_is_settled(const struct rep_upstream *upstream, struct slice key);

#endif
