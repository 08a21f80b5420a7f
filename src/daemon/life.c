/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the daemon ends, and what the service manager is told of its state.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon_int.h"

#define STATUS_US UINT64_C(1000000)
/* Upkeep turns an idle worker's loop four times a second. */
#define STUCK_US UINT64_C(2000000)

/* ---- drain -------------------------------------------------------------------------------- */

static void drain_workers(struct daemon_service *service, bool draining)
{
    for (size_t i = 0; i < service->shared.workers; i++)
        daemon_worker_drain(service->workers[i], draining);
}

void daemon_life_begin_stop(struct daemon_service *service)
{
    uint64_t limit = service->snapshot->settings.drain_us;
    if (service->life.state == DAEMON_STOPPING)
        return;
    service->life.state = DAEMON_STOPPING;
    service->life.stop_us = rt_loop_now(service->loop) + limit;
    log_notice("daemon", "draining: new calls are refused, calls under way have %" PRIu64 " s",
               limit / 1000000);
    rt_process_notify("STOPPING=1");
    drain_workers(service, true);
}

void daemon_life_stop(struct daemon_service *service)
{
    if (service->life.signalled) {
        log_notice("daemon", "stopping now, calls under way are left to their endpoints");
        rt_loop_stop(service->loop);
        return;
    }
    service->life.signalled = true;
    daemon_life_begin_stop(service);
    daemon_successor_stop(service);
}

/* Who only listens keeps nobody waiting. */
static bool is_idle(const struct daemon_service *service)
{
    const struct stats_registry *registry = service->shared.registry;
    if (service->tap != NULL)
        return true;
    /* Calls are the other process's, and so it is the upgrade that knows the end. */
    if (daemon_upgrade_is_served(service))
        return false;
    return stats_gauge_total(registry, STATS_GAUGE_TRANSACTIONS) == 0 &&
           stats_gauge_total(registry, STATS_GAUGE_CALLS_HELD) == 0;
}

int daemon_command_drain(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    struct daemon_service *service = context;
    (void)request;
    if (service->tap != NULL) {
        ctl_reply_result(reply, CTL_STATUS_FAILED, "mode tap has no calls to drain");
        return 0;
    }
    if (service->life.state == DAEMON_SERVING) {
        service->life.state = DAEMON_DRAINING;
        log_notice("daemon", "draining: new calls are refused until \"undrain\"");
        drain_workers(service, true);
    }
    ctl_reply_result(reply, CTL_STATUS_OK,
                     "new calls get 503; %" PRIu64 " calls and %" PRIu64
                     " transactions are under way",
                     stats_gauge_total(service->shared.registry, STATS_GAUGE_CALLS_HELD),
                     stats_gauge_total(service->shared.registry, STATS_GAUGE_TRANSACTIONS));
    return 0;
}

int daemon_command_undrain(void *context, const struct ctl_request *request,
                           struct ctl_reply *reply)
{
    struct daemon_service *service = context;
    (void)request;
    if (service->life.state == DAEMON_STOPPING) {
        ctl_reply_result(reply, CTL_STATUS_FAILED,
                         "the daemon has been told to stop and ends when its calls have; start it "
                         "again then");
        return 0;
    }
    if (service->life.state == DAEMON_DRAINING) {
        service->life.state = DAEMON_SERVING;
        log_notice("daemon", "serving new calls again");
        drain_workers(service, false);
    }
    ctl_reply_result(reply, CTL_STATUS_OK, "new calls are served");
    return 0;
}

void daemon_life_fill(const struct daemon_service *service, struct stats_json *json)
{
    const struct daemon_life *life = &service->life;
    uint64_t now_us = rt_loop_now(service->loop);
    stats_json_text(json, "mode",
                    life->state != DAEMON_SERVING ? "draining"
                    : service->tap != NULL        ? "tap"
                                                  : "inline");
    if (life->state == DAEMON_SERVING)
        return;
    stats_json_boolean(json, "stopping", life->state == DAEMON_STOPPING);
    if (life->state == DAEMON_STOPPING)
        stats_json_uint(json, "stops_in_s",
                        life->stop_us > now_us ? (life->stop_us - now_us) / 1000000 : 0);
}

/* ---- the service manager ------------------------------------------------------------------ */

/*
 * A worker that does not come back from a turn takes its share of the calls with it, so the
 * watchdog is fed only while each of them turns. Other threads may hang as long as they like.
 */
static bool all_turn(struct daemon_service *service, uint64_t now_us)
{
    bool all = true;
    for (size_t i = 0; i < service->shared.workers; i++) {
        struct daemon_pulse *pulse = &service->life.pulses[i];
        uint64_t turns = daemon_worker_turn_count(service->workers[i]);
        if (turns != pulse->turns || pulse->turned_us == 0) {
            *pulse = (struct daemon_pulse){.turns = turns, .turned_us = now_us};
        } else if (now_us - pulse->turned_us > STUCK_US) {
            if (!pulse->reported)
                log_error("daemon", "worker %zu has not ended its turn for %" PRIu64 " s", i,
                          (now_us - pulse->turned_us) / 1000000);
            pulse->reported = true;
            all = false;
        }
    }
    return all;
}

static void feed_watchdog(struct daemon_service *service, uint64_t now_us)
{
    struct daemon_life *life = &service->life;
    bool all = all_turn(service, now_us);
    if (!all || now_us < life->feed_us)
        return;
    uint64_t half_us = rt_process_watchdog_us();
    life->feed_us = now_us + (half_us > 0 ? half_us / 2 : STATUS_US);
    if (half_us > 0)
        rt_process_notify("WATCHDOG=1");
}

static const char status_serving[] = "STATUS=Serving";

void daemon_life_begin(struct daemon_service *service)
{
    memcpy(service->life.told, status_serving, sizeof(status_serving));
    rt_process_notify("READY=1\nSTATUS=Serving");
}

static void tell_status(struct daemon_service *service, uint64_t now_us)
{
    struct daemon_life *life = &service->life;
    char text[sizeof(life->told)];
    if (now_us < life->tell_us)
        return;
    life->tell_us = now_us + STATUS_US;
    if (life->state == DAEMON_SERVING)
        snprintf(text, sizeof(text), "%s", status_serving);
    else
        snprintf(text, sizeof(text),
                 "STATUS=%s: %" PRIu64 " calls and %" PRIu64 " transactions under way",
                 life->state == DAEMON_DRAINING ? "Draining" : "Stopping",
                 stats_gauge_total(service->shared.registry, STATS_GAUGE_CALLS_HELD),
                 stats_gauge_total(service->shared.registry, STATS_GAUGE_TRANSACTIONS));
    if (strcmp(text, life->told) == 0)
        return;
    memcpy(life->told, text, sizeof(text));
    rt_process_notify(text);
}

bool daemon_life_turn(struct daemon_service *service, uint64_t now_us)
{
    const struct daemon_life *life = &service->life;
    feed_watchdog(service, now_us);
    tell_status(service, now_us);
    return life->state != DAEMON_STOPPING || (now_us < life->stop_us && !is_idle(service));
}
