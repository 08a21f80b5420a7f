/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "daemon_int.h"

static void publish_reputation(const struct daemon_service *service)
{
    struct rep_status status;
    struct stats_shard *shard = service->shard;
    rep_store_status(service->shared.store, &status);
    stats_gauge_set(shard, STATS_GAUGE_REPUTATION_NUMBERS, status.replica.entries[REP_KIND_NUMBER]);
    stats_gauge_set(shard, STATS_GAUGE_REPUTATION_PREFIXES,
                    status.replica.entries[REP_KIND_PREFIX]);
    stats_gauge_set(shard, STATS_GAUGE_REPUTATION_UNREACHABLE,
                    status.backend == REP_BACKEND_REDIS && !status.connected);
    stats_gauge_set(shard, STATS_GAUGE_REPUTATION_NOT_LOADED,
                    status.mode == REP_MODE_REPLICA && !status.loaded);
    stats_gauge_set(shard, STATS_GAUGE_REPUTATION_HELD, status.hold[0] != '\0');
}

void daemon_gauges_publish(const struct daemon_service *service)
{
    struct stats_shard *shard = service->shard;
    stats_gauge_set(shard, STATS_GAUGE_WORKERS, service->shared.workers);
    stats_gauge_set(shard, STATS_GAUGE_DRAINING, service->life.state != DAEMON_SERVING);
    stats_gauge_set(
        shard, STATS_GAUGE_OVERLOAD_PERCENT,
        proxy_load_percent(proxy_load_most(service->shared.load, clock_monotonic_us())));
    stats_gauge_set(shard, STATS_GAUGE_RULES_LOADED,
                    rule_set_count(screen_policy_rules(service->snapshot->policy)));
    stats_gauge_set(shard, STATS_GAUGE_RELOAD_FAILED, service->reload_failure[0] != '\0');
    publish_reputation(service);
}
