/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: the way of events out of the daemon: workers' queues, collector, history, spool, sinks.
 */
#ifndef RINGFENCE_DAEMON_EVENTS_INT_H
#define RINGFENCE_DAEMON_EVENTS_INT_H

#include "daemon_int.h"
#include "stats/history.h"

/* When the queues of all workers are there. What fails is logged. */
int daemon_events_create(struct daemon_service *service, struct daemon_events **events) MUST_CHECK;

struct stats_history *daemon_events_history(const struct daemon_events *events);

int daemon_events_start(struct daemon_events *events) MUST_CHECK;

/* When the workers have ended and before they are gone: what they queued goes out. NULL is allowed.
 */
void daemon_events_stop(struct daemon_events *events);

/* NULL is allowed. */
void daemon_events_destroy(struct daemon_events *events);

#endif
