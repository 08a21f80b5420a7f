/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: the way of events out of the daemon: workers' queues, collector, history, spool, sinks.
 */
#ifndef RINGFENCE_DAEMON_EVENTS_INT_H
#define RINGFENCE_DAEMON_EVENTS_INT_H

#include "daemon_int.h"
#include "stats/history.h"
#include "stats/sink.h"

int daemon_events_create(struct daemon_service *service, struct daemon_events **events) MUST_CHECK;

/* When the queues of all workers are there, and as the user that the daemon stays: files that are
 * made belong to it. What fails is logged. */
int daemon_events_open(struct daemon_events *events, struct daemon_service *service) MUST_CHECK;

struct stats_history *daemon_events_history(const struct daemon_events *events);

int daemon_events_start(struct daemon_events *events) MUST_CHECK;

/* When the workers have ended and before they are gone: what they queued goes out. NULL is allowed.
 */
void daemon_events_stop(struct daemon_events *events);

/* SIGUSR1: files are opened again. */
void daemon_events_reopen(struct daemon_events *events);

/* Member "sinks". */
void daemon_events_fill(struct daemon_events *events, struct stats_json *json);

/* ---- sinks.c ----------------------------------------------------------------------------- */
/* What fails is logged. */
int daemon_sink_create(struct daemon_service *service, struct stats_spool *spool,
                       const struct daemon_sink_settings *settings,
                       struct stats_sink **sink) MUST_CHECK;

/* NULL is allowed. */
void daemon_events_destroy(struct daemon_events *events);

#endif
