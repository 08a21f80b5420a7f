/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `status` says about trunks beyond their configuration. On the control thread, which frees
 * lists of targets, so that they can be read here.
 */
#include "base/clock.h"
#include "status_int.h"

static void seconds_ago(struct stats_json *json, const char *key, uint64_t us, uint64_t now_us)
{
    if (us != 0)
        stats_json_uint(json, key, now_us > us ? (now_us - us) / 1000000 : 0);
}

static void fill_target(const struct daemon_service *service, struct stats_json *json,
                        const struct proxy_trunk *trunk, const struct tp_target *target)
{
    char text[TP_ADDRESS_TEXT];
    uint64_t now_us = clock_monotonic_us();
    struct proxy_view view =
        proxy_pulse_view(proxy_health_find(service->shared.health, trunk->mark, target->identity),
                         trunk->health.slow_start_us, now_us);
    stats_json_begin_object(json, NULL);
    stats_json_slice(json, "trunk", trunk->screen.name);
    stats_json_text(json, "target", tp_address_text(&target->address, text));
    stats_json_text(json, "state", proxy_state_text(view.state));
    if (view.state == PROXY_STATE_AVOIDED)
        stats_json_text(json, "why", "Retry-After");
    else if (view.state != PROXY_STATE_UP)
        stats_json_text(json, "why", proxy_cause_text(view.cause));
    seconds_ago(json, "since_s", view.since_us, now_us);
    if (view.until_us > now_us)
        stats_json_uint(json, "left_s", (view.until_us - now_us) / 1000000 + 1);
    if (view.status != 0)
        stats_json_uint(json, "last_code", view.status);
    seconds_ago(json, "heard_s", view.heard_us, now_us);
    seconds_ago(json, "probed_s", view.probed_us, now_us);
    if (view.failures > 0)
        stats_json_uint(json, "failures", view.failures);
    stats_json_end_object(json);
}

static void fill_trunk(const struct daemon_service *service, struct stats_json *json,
                       const struct proxy_trunk *trunk)
{
    for (size_t i = 0; i < trunk->target_count; i++) {
        const struct proxy_target *target = &trunk->targets[i];
        if (target->name == NULL) {
            fill_target(service, json, trunk, &target->fixed);
            continue;
        }
        const struct tp_targets *found = tp_destination_targets(target->name);
        for (size_t j = 0; j < found->count; j++)
            fill_target(service, json, trunk, &found->targets[j]);
    }
}

void daemon_fill_targets(const struct daemon_service *service, struct stats_json *json)
{
    const struct proxy_plan *plan = service->snapshot->plan;
    stats_json_begin_array(json, "targets");
    for (size_t i = 0; i < proxy_plan_trunk_count(plan); i++)
        fill_trunk(service, json, proxy_plan_trunk(plan, i));
    stats_json_end_array(json);
}
