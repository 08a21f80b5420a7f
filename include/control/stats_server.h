/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats_server: publishes counts and events on a Unix socket (docs/stats.md holds the protocol).
 *
 * Whoever connects gets `hello` and then `counts` every interval. It may send one line of JSON to
 * ask for events, another interval, or no counts. A slow reader loses lines and is told how many by
 * a `gap` line; it never slows the daemon or another reader. One that missed events may ask for
 * those that the history still holds (`resume`). Runs on the loop of a service thread.
 */
#ifndef RINGFENCE_CONTROL_STATS_SERVER_H
#define RINGFENCE_CONTROL_STATS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "control/settings.h"
#include "runtime/loop.h"
#include "stats/history.h"
#include "stats/stream.h"

struct ctl_stats_server;

/*
 * Opens the socket (failures are logged with their remedy). Of the settings nothing is kept but
 * copies; the history and what `source` points to outlive the server.
 */
int ctl_stats_server_create(struct rt_loop *loop, const struct ctl_stats_settings *settings,
                            const struct stats_source *source, struct stats_history *history,
                            struct ctl_stats_server **server) MUST_CHECK;

/* Lets the loop call ctl_stats_server_tick() when it is due. */
int ctl_stats_server_start(struct ctl_stats_server *server) MUST_CHECK;

/*
 * Hands the events that are new to readers that asked, and sends the counts that are due. Returns
 * the microseconds until it should be called again. For tests, instead of starting.
 */
uint64_t ctl_stats_server_tick(struct ctl_stats_server *server, uint64_t now_us, uint64_t wall_us);

/* New clients wait, for this process or for another that has the socket (runtime/heritage.h). */
void ctl_stats_server_pause(struct ctl_stats_server *server, bool paused);

size_t ctl_stats_server_clients(const struct ctl_stats_server *server);

/* NULL is allowed. */
void ctl_stats_server_destroy(struct ctl_stats_server *server);

#endif
