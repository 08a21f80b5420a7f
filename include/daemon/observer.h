/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observer: judges calls that are only seen, by the engine that judges those that pass.
 *
 * What the proxy finds out by its listeners is found out by addresses here: the trunk is the one
 * that the source belongs to, on whatever network. Nothing is charged to budgets. One owner thread.
 */
#ifndef RINGFENCE_DAEMON_OBSERVER_H
#define RINGFENCE_DAEMON_OBSERVER_H

#include "daemon/snapshot.h"
#include "reputation/store.h"
#include "tap/path.h"

struct daemon_observer;

/* Beside the verdict of the engine. */
struct daemon_observed {
    const struct proxy_trunk *trunk;
    bool trunk_assumed; /* the source belongs to none: judged as if it came by this one */
    struct screen_verdict verdict;
};

/*
 * The snapshot and the store are borrowed; store may be NULL. assumed: the trunk of sources that
 * belong to none, NULL: these are not judged.
 */
int daemon_observer_create(const struct daemon_snapshot *snapshot, struct rep_store *store,
                           const struct proxy_trunk *assumed,
                           struct daemon_observer **observer) MUST_CHECK;

/* Between two calls; the snapshot before is not used any more on return. */
void daemon_observer_adopt(struct daemon_observer *observer, const struct daemon_snapshot *snapshot,
                           const struct proxy_trunk *assumed);

/* The trunk that sends from this address; NULL: none does. */
const struct proxy_trunk *daemon_observer_trunk(const struct daemon_observer *observer,
                                                const struct tp_address *source);

/*
 * Judges an initial INVITE. ERROR_NOT_FOUND: of no trunk. ERROR_MALFORMED, ERROR_DISAGREE: the
 * proxy would refuse it with 400. What else is known of the call is the engine's until the next.
 */
int daemon_observe(struct daemon_observer *observer, const struct tap_message *message,
                   struct daemon_observed *observed) MUST_CHECK;

struct screen_engine *daemon_observer_engine(const struct daemon_observer *observer);

/* NULL is allowed. */
void daemon_observer_destroy(struct daemon_observer *observer);

#endif
