/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery: finds the servers that hold the keys, and keeps finding them. On the service thread.
 *
 * Settings decide how: a server by name or address (discovery.c), a master that sentinels name
 * (sentinel.c), or the masters of a cluster (cluster.c). What it found stays valid until it finds
 * something else: a server that does not answer is still the right one until somebody with a say
 * names another.
 */
#ifndef RINGFENCE_REPUTATION_DISCOVERY_INT_H
#define RINGFENCE_REPUTATION_DISCOVERY_INT_H

#include "base/error.h"
#include "base/random.h"
#include "link_int.h"
#include "reputation/store.h"
#include "route_int.h"
#include "runtime/loop.h"
#include "runtime/wheel.h"

struct rep_discovery;

struct rep_discovery_events {
    /* A route, not equal to the one before; valid until the next. */
    void (*found)(void *argument, const struct rep_route *route);
    /* Nothing new was found, for this reason. */
    void (*failed)(void *argument, const char *reason);
    void *argument;
};

struct rep_discovery_options {
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    const struct rep_settings *settings; /* must outlive it */
    struct rep_status *status;           /* `source` and `switches` are written */
    uint64_t seed;
};

int rep_discovery_create(const struct rep_discovery_options *options,
                         const struct rep_discovery_events *events,
                         struct rep_discovery **discovery) MUST_CHECK;
void rep_discovery_start(struct rep_discovery *discovery);
/* A server does not answer, or says that it is not the right one: look again soon. `found` is not
 * called from within. */
void rep_discovery_doubt(struct rep_discovery *discovery);
/* NULL is allowed. */
void rep_discovery_destroy(struct rep_discovery *discovery);

/* ---- shared by discovery.c, sentinel.c and cluster.c ---- */

enum {
    DISCOVERY_REASON_BYTES = 192,
    DISCOVERY_REPLY_LIMIT = 8 << 20,
    DISCOVERY_PIPELINE = 16,
};

/* A way of finding; `state` is its own. */
struct discovery_kind {
    int (*create)(struct rep_discovery *discovery, void **state);
    void (*start)(void *state);
    void (*doubt)(void *state);
    void (*destroy)(void *state); /* NULL is allowed */
};
extern const struct discovery_kind rep_discovery_sentinel;
extern const struct discovery_kind rep_discovery_cluster;

struct rep_discovery {
    struct rep_discovery_options options;
    struct rep_discovery_events events;
    const struct discovery_kind *kind;
    void *state;
    bool published;
    struct rep_route *route; /* the last one published */
    struct random_state random;
};

/* Publishes the only server. */
void rep_discovery_publish_one(struct rep_discovery *discovery, const struct rep_server *server);
/* Publishes what differs from the route before. */
void rep_discovery_publish(struct rep_discovery *discovery, const struct rep_route *route);
void rep_discovery_failed(struct rep_discovery *discovery, const char *reason);

#endif
