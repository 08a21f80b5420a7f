/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/clock.h"
#include "daemon_int.h"
#include "events_int.h"
#include "status_int.h"

int64_t daemon_wall_s(void)
{
    return (int64_t)(clock_wall_us() / 1000000);
}

static void fill_targets(struct stats_json *json, const struct tp_targets *targets)
{
    stats_json_begin_array(json, "targets");
    for (size_t i = 0; i < targets->count; i++) {
        char text[TP_ADDRESS_TEXT];
        const struct tp_target *target = &targets->targets[i];
        stats_json_begin_object(json, NULL);
        stats_json_text(json, "address", tp_address_text(&target->address, text));
        stats_json_text(json, "transport", tp_protocol_rows[target->protocol].word);
        stats_json_uint(json, "priority", target->priority);
        stats_json_uint(json, "weight", target->weight);
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
}

static uint64_t seconds_since(uint64_t us, uint64_t now_us)
{
    return now_us > us ? (now_us - us) / 1000000 : 0;
}

/* Lists of targets are freed by this thread, so they can be read here. */
static void fill_name(struct stats_json *json, const struct proxy_target *target, uint64_t now_us)
{
    const struct tp_targets *targets = tp_destination_targets(target->name);
    const char *state = !targets->settled     ? "asked"
                        : targets->stale      ? "stale"
                        : targets->count == 0 ? "unresolved"
                                              : "fresh";
    stats_json_begin_object(json, NULL);
    stats_json_text(json, "name", tp_destination_text(target->name));
    stats_json_text(json, "state", state);
    fill_targets(json, targets);
    if (targets->resolved_us != 0)
        stats_json_uint(json, "resolved_s_ago", seconds_since(targets->resolved_us, now_us));
    if (targets->changed_us != 0)
        stats_json_uint(json, "changed_s_ago", seconds_since(targets->changed_us, now_us));
    if (targets->count > 0)
        stats_json_uint(json, "expires_s", seconds_since(now_us, targets->expires_us));
    if (targets->problem[0] != '\0')
        stats_json_text(json, "problem", targets->problem);
    stats_json_end_object(json);
}

static void fill_names(struct stats_json *json, const struct proxy_trunk *trunk)
{
    bool any = false;
    for (size_t i = 0; i < trunk->target_count && !any; i++)
        any = trunk->targets[i].name != NULL;
    if (!any)
        return;
    stats_json_begin_array(json, "names");
    for (size_t i = 0; i < trunk->target_count; i++)
        if (trunk->targets[i].name != NULL)
            fill_name(json, &trunk->targets[i], clock_monotonic_us());
    stats_json_end_array(json);
}

static void fill_trunks(const struct daemon_service *service, struct stats_json *json)
{
    const struct stats_registry *registry = service->shared.registry;
    const struct proxy_plan *plan = service->snapshot->plan;
    stats_json_begin_array(json, "trunks");
    for (size_t i = 0; i < proxy_plan_trunk_count(plan); i++) {
        const struct proxy_trunk *trunk = proxy_plan_trunk(plan, i);
        stats_json_begin_object(json, NULL);
        stats_json_slice(json, "name", trunk->screen.name);
        stats_json_text(json, "origin", screen_origin_text(trunk->screen.origin));
        stats_json_slice(json, "country", trunk->screen.country);
        stats_json_boolean(json, "trusted", trunk->screen.trusted);
        stats_json_boolean(json, "redirect", trunk->redirect != NULL);
        stats_json_uint(json, "targets", trunk->target_count);
        fill_names(json, trunk);
        stats_json_uint(json, "calls_in",
                        stats_label_total(registry, STATS_FAMILY_TRUNK_CALLS_IN, trunk->label_in));
        stats_json_uint(
            json, "calls_out",
            stats_label_total(registry, STATS_FAMILY_TRUNK_CALLS_OUT, trunk->label_out));
        stats_json_uint(
            json, "answered",
            stats_label_total(registry, STATS_FAMILY_TRUNK_ANSWERED, trunk->label_answered));
        stats_json_uint(
            json, "blocked",
            stats_label_total(registry, STATS_FAMILY_TRUNK_BLOCKED, trunk->label_blocked));
        stats_json_uint(
            json, "over_budget",
            stats_label_total(registry, STATS_FAMILY_TRUNK_OVER_BUDGET, trunk->label_over_budget));
        if (service->shared.group != NULL)
            stats_json_uint(
                json, "connections",
                tp_group_peer_connections(service->shared.group, trunk->label_connections));
        daemon_fill_budget(json, trunk->screen.blocks, clock_wall_us());
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
}

static void fill_turns(const struct daemon_service *service, struct stats_json *json)
{
    struct daemon_stalls stalls = daemon_stalls(service);
    stats_json_uint(json, "longest_stall_us", stalls.longest_us);
    if (service->reloads > 0)
        stats_json_uint(json, "reload_stall_us", stalls.reload_us);
}

static void fill_listeners(const struct daemon_service *service, struct stats_json *json)
{
    const struct tp_group *group = service->shared.group;
    size_t count = group != NULL ? tp_group_listener_count(group) : 0;
    stats_json_begin_array(json, "listeners");
    for (size_t i = 0; i < count; i++) {
        char text[TP_ADDRESS_TEXT];
        const struct tp_listener_settings *listener = tp_group_listener(group, i);
        stats_json_begin_object(json, NULL);
        stats_json_text(json, "address", tp_address_text(&listener->address, text));
        stats_json_text(json, "transport", tp_protocol_rows[listener->protocol].word);
        if (tp_protocol_rows[listener->protocol].stream)
            stats_json_uint(json, "connections", tp_group_listener_connections(group, i));
        stats_json_slice(json, "network", listener->network);
        if (listener->advertise.length > 0)
            stats_json_slice(json, "advertise", listener->advertise);
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
}

static void text_unless_empty(struct stats_json *json, const char *key, const char *text)
{
    if (text[0] != '\0')
        stats_json_text(json, key, text);
}

static void fill_skipped(const struct rep_status *status, struct stats_json *json)
{
    stats_json_begin_object(json, "skipped");
    for (unsigned i = 0; i < REP_SKIP_COUNT; i++)
        if (status->skipped[i] > 0)
            stats_json_uint(json, rep_skip_text(i), status->skipped[i]);
    stats_json_end_object(json);
    text_unless_empty(json, "skipped_example", status->skipped_example);
}

static void fill_reputation(const struct daemon_service *service, struct stats_json *json)
{
    struct rep_status status;
    rep_store_status(service->shared.store, &status);
    stats_json_begin_object(json, "reputation");
    stats_json_text(json, "store", status.backend == REP_BACKEND_REDIS ? "redis" : "memory");
    stats_json_text(json, "mode", status.mode == REP_MODE_REPLICA ? "replica" : "lookup");
    stats_json_text(json, "state", rep_state_text(status.state));
    text_unless_empty(json, "server", status.server);
    text_unless_empty(json, "found_by", status.source);
    if (status.servers > 0)
        stats_json_uint(json, "servers", status.servers);
    if (status.servers > 0 && status.mode == REP_MODE_REPLICA)
        stats_json_uint(json, "servers_followed", status.servers_followed);
    stats_json_boolean(json, "connected", status.connected);
    stats_json_boolean(json, "loaded", status.loaded);
    stats_json_boolean(json, "from_saved", status.from_saved);
    text_unless_empty(json, "tracking", status.tracking);
    text_unless_empty(json, "held", status.hold);
    text_unless_empty(json, "error", status.error);
    stats_json_uint(json, "numbers", status.replica.entries[REP_KIND_NUMBER]);
    stats_json_uint(json, "prefixes", status.replica.entries[REP_KIND_PREFIX]);
    stats_json_uint(json, "raw", status.replica.entries[REP_KIND_RAW]);
    stats_json_uint(json, "bytes", status.replica.bytes);
    if (status.changing > 0) {
        stats_json_uint(json, "changing", status.changing);
        stats_json_uint(json, "changing_bytes", status.changing_bytes);
    }
    if (status.state == REP_STATE_LOADING || status.state == REP_STATE_COMPARING) {
        stats_json_uint(json, "scanned", status.scanned);
        stats_json_uint(json, "expected", status.expected);
    }
    stats_json_uint(json, "changes", status.changes);
    stats_json_uint(json, "resyncs", status.resyncs);
    stats_json_uint(json, "reconnects", status.reconnects);
    stats_json_uint(json, "switches", status.switches);
    stats_json_uint(json, "redirects", status.redirects);
    if (status.last_change_wall_us != 0)
        stats_json_time(json, "last_change", status.last_change_wall_us);
    if (status.mode == REP_MODE_LOOKUP) {
        stats_json_uint(json, "lookups", status.lookups);
        stats_json_uint(json, "lookup_failures", status.lookup_failures);
        stats_json_boolean(json, "breaker_open", status.breaker_open);
    }
    fill_skipped(&status, json);
    stats_json_end_object(json);
}

static void fill_status(void *argument, struct stats_json *json)
{
    const struct daemon_service *service = argument;
    const struct stats_registry *registry = service->shared.registry;
    const struct rule_set *rules = screen_policy_rules(service->snapshot->policy);
    stats_json_text(json, "version", RINGFENCE_VERSION);
    stats_json_text(json, "node", service->source.node);
    stats_json_int(json, "pid", getpid());
    daemon_successor_fill(service, json);
    stats_json_uint(json, "uptime_s", (clock_monotonic_us() - service->started_us) / 1000000);
    daemon_life_fill(service, json);
    stats_json_uint(json, "workers", service->shared.workers);
    stats_json_uint(json, "calls", stats_total(registry, STATS_CALLS));
    stats_json_uint(json, "calls_held", stats_gauge_total(registry, STATS_GAUGE_CALLS_HELD));
    stats_json_uint(json, "parked", stats_gauge_total(registry, STATS_GAUGE_CALLS_PARKED));
    stats_json_uint(json, "transactions", stats_gauge_total(registry, STATS_GAUGE_TRANSACTIONS));
    stats_json_uint(json, "lingering",
                    stats_gauge_total(registry, STATS_GAUGE_TRANSACTIONS_LINGERING));
    stats_json_uint(json, "transaction_bytes",
                    stats_gauge_total(registry, STATS_GAUGE_TRANSACTION_BYTES));
    stats_json_text(json, "rules_version", rule_set_version(rules));
    stats_json_uint(json, "rules", rule_set_count(rules));
    daemon_fill_demoted(service, json);
    stats_json_uint(json, "reloads", service->reloads);
    fill_turns(service, json);
    text_unless_empty(json, "reload_failure", service->reload_failure);
    fill_reputation(service, json);
    fill_trunks(service, json);
    daemon_fill_targets(service, json);
    daemon_fill_quality(service, json);
    daemon_fill_limits(service, json);
    daemon_fill_overload(service, json);
    fill_listeners(service, json);
    daemon_events_fill(service->events, json);
    if (service->tap != NULL)
        daemon_tap_fill(service->tap, json);
}

int daemon_command_status(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    (void)request;
    ctl_reply_object(reply, fill_status, context);
    return 0;
}
