/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer: one server that keys are read from and whose changes are followed.
 *
 * Two connections. The data one reads. The other learns of changes, by the best way that the server
 * and its policy allow (REP_FOLLOW_TABLE), tried anew at each connection:
 *  - tracking: CLIENT ID, CLIENT TRACKING ON REDIRECT <that id> BCAST PREFIX rf:num: PREFIX rf:pfx:
 *    PREFIX rf:raw:, SUBSCRIBE __redis__:invalidate; from then on Redis names every key under these
 *    prefixes that is written, deleted or expires, and tells of a flush;
 *  - notifications: PSUBSCRIBE __keyspace@<database>__:rf:*, where notify-keyspace-events has K and
 *    g, h, x or A; a flush is not told, so everything is compared now and then. Where CONFIG GET is
 *    refused nobody knows whether they are on, so that everything is compared often;
 *  - comparing: no second connection; everything is compared often.
 *
 * A peer opens itself again after a loss, until it is closed.
 */
#ifndef RINGFENCE_REPUTATION_PEER_INT_H
#define RINGFENCE_REPUTATION_PEER_INT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/random.h"
#include "link_int.h"
#include "reputation/store.h"
#include "route_int.h"

enum { REP_PEER_PIPELINE = 4096 }; /* commands on the data connection */

struct rep_peer;

/* None is called from within a function of this module but rep_peer_fail(). */
struct rep_peer_events {
    /* Followed: what changes from now on is told. */
    void (*up)(void *argument, struct rep_peer *peer);
    /* Not followed any more. Waiting commands have been answered with NULL. */
    void (*down)(void *argument, struct rep_peer *peer, const char *reason);
    void (*changed)(void *argument, struct slice name);
    void (*flushed)(void *argument, struct rep_peer *peer);
    void *argument;
};

struct rep_peer_options {
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    const struct rep_settings *settings; /* must outlive it */
    uint64_t seed;
};

int rep_peer_create(const struct rep_peer_options *options, const struct rep_peer_events *events,
                    const struct rep_server *server, struct rep_peer **peer) MUST_CHECK;
/* Begins to connect. */
void rep_peer_start(struct rep_peer *peer);
/* Gives up the connections and comes back later. */
void rep_peer_fail(struct rep_peer *peer, const char *reason);
/* For good; `down` is not called. Allowed in a callback, unlike destroying. */
void rep_peer_close(struct rep_peer *peer);
/* NULL is allowed. */
void rep_peer_destroy(struct rep_peer *peer);

bool rep_peer_is_up(const struct rep_peer *peer);
struct rep_link *rep_peer_data(struct rep_peer *peer);
const struct rep_place *rep_peer_place(const struct rep_peer *peer);
/* Where to connect next time. */
void rep_peer_readdress(struct rep_peer *peer, const struct rep_addresses *addresses);

enum rep_follow rep_peer_way(const struct rep_peer *peer);
/* False for notifications that may be off. */
bool rep_peer_is_sure(const struct rep_peer *peer);

#endif
