/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics_server: the counts over HTTP, for Prometheus (docs/metrics.md).
 *
 * GET /metrics is a page of openmetrics.h, GET /healthz says whether new calls are taken. Runs on a
 * thread of its own that gives way to those that take calls, and reads only what they publish: no
 * scraper, however slow, has a part in a call. Connections beyond a limit wait to be accepted.
 */
#ifndef RINGFENCE_CONTROL_METRICS_SERVER_H
#define RINGFENCE_CONTROL_METRICS_SERVER_H

#include <stdbool.h>

#include "base/error.h"
#include "control/settings.h"
#include "stats/stream.h"

struct ctl_metrics_server;

/* Whether the settings name a place to listen at. */
bool ctl_metrics_are_wanted(const struct ctl_metrics_settings *settings);

/*
 * Opens the sockets (failures are logged with their remedy). Of the settings nothing is kept but
 * copies; what `source` points to outlives the server.
 */
int ctl_metrics_server_create(const struct ctl_metrics_settings *settings,
                              const struct stats_source *source,
                              struct ctl_metrics_server **server) MUST_CHECK;

int ctl_metrics_server_start(struct ctl_metrics_server *server) MUST_CHECK;

/* Stops the thread. NULL is allowed. */
void ctl_metrics_server_destroy(struct ctl_metrics_server *server);

#endif
