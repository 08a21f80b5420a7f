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

/* What it asks for by overload control. */
static void fill_throttle(struct stats_json *json, const struct proxy_throttle *throttle,
                          uint64_t now_us)
{
    struct proxy_throttle_view view = {.algorithm = SMSG_OVERLOAD_NONE};
    if (throttle != NULL)
        view = proxy_throttle_view(throttle, now_us);
    if (view.algorithm == SMSG_OVERLOAD_NONE)
        return;
    stats_json_text(json, "asks_for",
                    view.algorithm == SMSG_OVERLOAD_LOSS ? "per cent fewer"
                                                         : "requests per second");
    stats_json_uint(json, "asks", view.value);
    seconds_ago(json, "asks_since_s", view.begun_us, now_us);
    stats_json_uint(json, "asks_left_ms", (view.until_us - now_us) / 1000);
}

static void fill_target(const struct daemon_service *service, struct stats_json *json,
                        const struct proxy_trunk *trunk, const struct tp_target *target)
{
    char text[TP_ADDRESS_TEXT];
    uint64_t now_us = clock_monotonic_us();
    struct proxy_pulse *pulse =
        proxy_health_find(service->shared.health, trunk->mark, target->identity);
    struct proxy_view view = proxy_pulse_view(pulse, trunk->health.slow_start_us, now_us);
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
    fill_throttle(json, proxy_pulse_throttle(pulse), now_us);
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

/* ---- overload control ---------------------------------------------------------------------- */

void daemon_fill_overload(const struct daemon_service *service, struct stats_json *json)
{
    const struct stats_registry *registry = service->shared.registry;
    const struct proxy_plan *plan = service->snapshot->plan;
    uint32_t share = proxy_load_most(service->shared.load, clock_monotonic_us());
    stats_json_begin_array(json, "overload");
    for (size_t i = 0; i < proxy_plan_trunk_count(plan); i++) {
        const struct proxy_trunk *t = proxy_plan_trunk(plan, i);
        uint64_t told =
            stats_label_total(registry, STATS_FAMILY_TRUNK_OVERLOAD_TOLD, t->label_told);
        if (told == 0)
            continue;
        stats_json_begin_object(json, NULL);
        stats_json_slice(json, "trunk", t->screen.name);
        stats_json_text(json, "feedback",
                        t->overload.feedback == PROXY_FEEDBACK_RATE ? "rate" : "loss");
        stats_json_uint(json, "percent", proxy_load_percent(share));
        stats_json_uint(json, "told", told);
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
}

/* ---- quality ------------------------------------------------------------------------------- */

/* Of how many, in per cent; nothing when there are none. */
static void share(struct stats_json *json, const char *key, uint64_t part, uint64_t whole)
{
    if (whole > 0)
        stats_json_uint(json, key, (part * 100 + whole / 2) / whole);
}

static void mean(struct stats_json *json, const char *key, uint64_t sum, uint64_t count)
{
    if (count > 0)
        stats_json_uint(json, key, sum / count);
}

void daemon_fill_quality(const struct daemon_service *service, struct stats_json *json)
{
    const struct stats_registry *registry = service->shared.registry;
    const struct proxy_plan *plan = service->snapshot->plan;
    stats_json_begin_array(json, "quality");
    for (size_t i = 0; i < proxy_plan_trunk_count(plan); i++) {
        const struct proxy_trunk *t = proxy_plan_trunk(plan, i);
        uint64_t ended = stats_label_total(registry, STATS_FAMILY_TRUNK_ENDED, t->label_ended);
        uint64_t talked = stats_label_total(registry, STATS_FAMILY_TRUNK_TALKED, t->label_talked);
        if (ended == 0)
            continue;
        stats_json_begin_object(json, NULL);
        stats_json_slice(json, "trunk", t->screen.name);
        stats_json_uint(json, "ended", ended);
        stats_json_uint(json, "talked", talked);
        share(json, "asr_percent", talked, ended);
        share(json, "ner_percent",
              stats_label_total(registry, STATS_FAMILY_TRUNK_EFFECTIVE, t->label_effective), ended);
        mean(json, "acd_ms",
             stats_label_total(registry, STATS_FAMILY_TRUNK_TALK_MS, t->label_talk_ms), talked);
        mean(json, "pdd_ms",
             stats_label_total(registry, STATS_FAMILY_TRUNK_DELAY_MS, t->label_delay_ms),
             stats_label_total(registry, STATS_FAMILY_TRUNK_HEARD, t->label_heard));
        stats_json_uint(
            json, "failovers",
            stats_label_total(registry, STATS_FAMILY_TRUNK_FAILOVERS, t->label_failovers));
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
}

/* ---- limits -------------------------------------------------------------------------------- */

/* Calls that were there before the counting began are not among those counted; the last of them is
 * over after max_call. Those that a process before this one is placing are counted once answered.
 */
static uint64_t uncertain_s(const struct daemon_service *service)
{
    uint64_t end_us = service->counting_us + service->snapshot->settings.proxy.limits.max_call_us;
    uint64_t leave_us = daemon_successor_leave_us(service);
    uint64_t now_us = clock_monotonic_us();
    if (leave_us > end_us)
        end_us = leave_us;
    return end_us > now_us ? (end_us - now_us) / 1000000 + 1 : 0;
}

static void fill_limit(const struct daemon_service *service, struct stats_json *json,
                       const struct proxy_trunk *trunk, enum proxy_limit limit)
{
    bool of_trunk = limit == PROXY_LIMIT_CALLS || limit == PROXY_LIMIT_CALLS_OUT;
    uint64_t left_s = uncertain_s(service);
    stats_json_begin_object(json, NULL);
    stats_json_slice(json, "trunk", trunk->screen.name);
    stats_json_text(json, "limit", proxy_limit_key(limit));
    stats_json_uint(json, "at_most", proxy_limit_of(&trunk->limits, limit));
    if (of_trunk)
        stats_json_uint(json, "now",
                        proxy_admission_count(service->shared.admission,
                                              proxy_limit_hash(limit, trunk->mark, 0)));
    if (of_trunk && left_s > 0)
        stats_json_uint(json, "uncertain_s", left_s);
    stats_json_end_object(json);
}

void daemon_fill_limits(const struct daemon_service *service, struct stats_json *json)
{
    const struct proxy_plan *plan = service->snapshot->plan;
    stats_json_begin_array(json, "limits");
    for (size_t i = 0; i < proxy_plan_trunk_count(plan); i++) {
        const struct proxy_trunk *trunk = proxy_plan_trunk(plan, i);
        for (unsigned j = 0; j < PROXY_LIMIT_COUNT; j++)
            if (proxy_limit_of(&trunk->limits, (enum proxy_limit)j) > 0)
                fill_limit(service, json, trunk, (enum proxy_limit)j);
    }
    stats_json_end_array(json);
}
