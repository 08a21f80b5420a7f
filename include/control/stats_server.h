/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats_server: publishes counts and events on a Unix socket (docs/stats.md holds the protocol).
 *
 * Whoever connects gets `hello` and then `counts` every interval. It may send one line of JSON to
 * ask for events, another interval, or no counts. A slow reader loses lines and is told how many by
 * a `gap` line; it never slows the daemon or another reader. Runs on the loop of a service thread
 * and is the consumer of the workers' event queues.
 */
#ifndef RINGFENCE_CONTROL_STATS_SERVER_H
#define RINGFENCE_CONTROL_STATS_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "control/settings.h"
#include "runtime/loop.h"
#include "stats/event.h"
#include "stats/stream.h"

struct ctl_stats_server;

/*
 * Opens the socket (failures are logged with their remedy). Of the settings nothing is kept but
 * copies; the queues (one per worker, none allowed) and what `source` points to outlive the server.
 */
int ctl_stats_server_create(struct rt_loop *loop, const struct ctl_stats_settings *settings,
                            const struct stats_source *source,
                            struct stats_event_queue *const *queues, size_t queue_count,
                            struct ctl_stats_server **server) MUST_CHECK;

/* Lets the loop call ctl_stats_server_tick() when it is due. */
int ctl_stats_server_start(struct ctl_stats_server *server) MUST_CHECK;

/*
 * Takes what the workers have queued, hands it to readers that asked, and sends the counts that are
 * due. Returns the microseconds until it should be called again. For tests, instead of starting.
 */
uint64_t ctl_stats_server_tick(struct ctl_stats_server *server, uint64_t now_us, uint64_t wall_us);

size_t ctl_stats_server_clients(const struct ctl_stats_server *server);

/* NULL is allowed. */
void ctl_stats_server_destroy(struct ctl_stats_server *server);

#endif
