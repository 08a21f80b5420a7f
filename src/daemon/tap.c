/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"
#include "tap_int.h"

/* BATCH and ROUNDS: packets of one interface before others have their turn. */
enum { EVENT_RECORDS = 4096, BATCH = 512, ROUNDS = 32, ARENA_CHUNK = 4096 };

#define UPKEEP_US UINT64_C(250000)
#define RETRY_US  UINT64_C(1000000)

/* ---- interfaces ---------------------------------------------------------------------------- */

static void close_port(struct tap_port *port)
{
    if (port->live == NULL)
        return;
    tap_live_figures(port->live, &port->now);
    port->before.received += port->now.received;
    port->before.dropped += port->now.dropped;
    port->before.dropped_by_interface += port->now.dropped_by_interface;
    port->now = (struct tap_live_figures){0};
    rt_watch_destroy(port->watch);
    tap_live_close(port->live);
    port->watch = NULL;
    port->live = NULL;
}

static void lose_port(struct tap_port *port)
{
    log_warning("tap", "%s; trying again every second", port->problem);
    stats_count(port->tap->stats, STATS_TAP_INTERFACE_LOST);
    port->lost++;
    close_port(port);
}

/* Until nothing is left: of a block of the ring that was begun, polling does not tell. */
static void packets_ready(void *argument, int descriptor, unsigned ready)
{
    struct tap_port *port = argument;
    int count = 1;
    (void)descriptor;
    (void)ready;
    for (unsigned i = 0; i < ROUNDS && count > 0; i++)
        count =
            tap_live_read(port->live, port->tap->path, BATCH, port->problem, sizeof(port->problem));
    if (count < 0)
        lose_port(port);
}

static int open_port(struct tap_port *port)
{
    struct tap_live_settings settings = port->tap->capture;
    settings.interface = port->name;
    int error = tap_live_open(&settings, port->problem, sizeof(port->problem), &port->live);
    if (error != 0)
        return error;
    error = rt_watch_create(port->tap->loop, tap_live_descriptor(port->live), RT_READABLE,
                            packets_ready, port, &port->watch);
    if (error != 0) {
        tap_live_close(port->live);
        port->live = NULL;
        return error;
    }
    port->problem[0] = '\0';
    return 0;
}

static void retry_ports(struct daemon_tap *tap, uint64_t now_us)
{
    if (now_us - tap->tried_us < RETRY_US)
        return;
    tap->tried_us = now_us;
    for (size_t i = 0; i < tap->port_count; i++)
        if (tap->ports[i].live == NULL && open_port(&tap->ports[i]) == 0)
            log_notice("tap", "listening on %s", tap->ports[i].name);
}

/* An interface that is not there may come; what is wrong with the settings will stay wrong. */
static int open_ports(struct daemon_tap *tap, const struct tap_settings *settings)
{
    for (size_t i = 0; i < settings->interfaces.count; i++) {
        struct tap_port *port = &tap->ports[tap->port_count++];
        port->tap = tap;
        port->name = arena_text(tap->arena, settings->interfaces.items[i]);
        if (port->name == NULL)
            return -ENOMEM;
        int error = open_port(port);
        if (error == ERROR_UNAVAILABLE) {
            log_warning("tap", "%s; trying again every second", port->problem);
        } else if (error != 0) {
            log_error("tap", "%s", port->problem[0] != '\0' ? port->problem : error_text(error));
            return error;
        }
    }
    return 0;
}

/* ---- upkeep -------------------------------------------------------------------------------- */

static struct tap_live_figures figures_of(struct tap_port *port)
{
    if (port->live != NULL)
        tap_live_figures(port->live, &port->now);
    return (struct tap_live_figures){
        port->before.received + port->now.received,
        port->before.dropped + port->now.dropped,
        port->before.dropped_by_interface + port->now.dropped_by_interface,
    };
}

static void publish_ports(struct daemon_tap *tap)
{
    uint64_t dropped = 0;
    for (size_t i = 0; i < tap->port_count; i++) {
        struct tap_port *port = &tap->ports[i];
        tap->shown.ports[i].figures = figures_of(port);
        tap->shown.ports[i].listening = port->live != NULL;
        tap->shown.ports[i].down = port->live != NULL && !tap_live_is_up(port->live);
        tap->shown.ports[i].lost = port->lost;
        memcpy(tap->shown.ports[i].problem, port->problem, sizeof(port->problem));
        dropped += tap->shown.ports[i].figures.dropped;
    }
    stats_add(tap->stats, STATS_TAP_KERNEL_DROPPED, dropped - tap->dropped_counted);
    tap->dropped_counted = dropped;
}

static void publish(struct daemon_tap *tap)
{
    const struct tap_counts *counts = tap_path_counts(tap->path);
    struct stats_shard *stats = tap->stats;
    stats_add(stats, STATS_TAP_PACKETS, counts->of[TAP_PACKETS] - tap->counted.of[TAP_PACKETS]);
    stats_add(stats, STATS_TAP_MESSAGES, counts->of[TAP_MESSAGES] - tap->counted.of[TAP_MESSAGES]);
    tap->counted = *counts;
    stats_gauge_set(stats, STATS_GAUGE_CALLS_HELD, tap_calls_count(tap->calls));
    pthread_mutex_lock(&tap->lock);
    publish_ports(tap);
    tap->shown.counts = *counts;
    tap->shown.calls = *tap_calls_figures(tap->calls);
    tap->shown.waiting_bytes = tap_path_held(tap->path);
    pthread_mutex_unlock(&tap->lock);
}

static void upkeep(struct rt_timer *timer, uint64_t now_us)
{
    struct daemon_tap *tap = LIST_ENTRY(timer, struct daemon_tap, upkeep);
    retry_ports(tap, now_us);
    /* By the clock of whoever captures, which may be an agent's. */
    if (tap->heard_wall_us != 0 && now_us > tap->heard_us)
        tap_calls_advance(tap->calls, tap->heard_wall_us + (now_us - tap->heard_us));
    publish(tap);
    rt_timer_set(tap->wheel, timer, now_us, UPKEEP_US);
}

/* ---- the loop's hooks ---------------------------------------------------------------------- */

static const struct proxy_trunk *assumed_trunk(const struct daemon_snapshot *snapshot)
{
    struct slice name = snapshot->settings.tap.trunk;
    return name.length > 0 ? proxy_plan_find_trunk(snapshot->plan, name) : NULL;
}

static void after_wait(void *argument)
{
    struct daemon_tap *tap = argument;
    reclaim_online(tap->reader);
    /* Each time, though it is mostly the same: a new one may lie where an old one lay. */
    tap->snapshot = atomic_load_explicit(&tap->shared->current, memory_order_acquire);
    daemon_observer_adopt(tap->observer, tap->snapshot, assumed_trunk(tap->snapshot));
}

static void before_wait(void *argument, uint64_t *wait_us)
{
    struct daemon_tap *tap = argument;
    uint64_t now_us = rt_loop_now(tap->loop);
    rt_wheel_advance(tap->wheel, now_us);
    uint64_t wait = rt_wheel_wait(tap->wheel, now_us);
    if (wait < *wait_us)
        *wait_us = wait;
    reclaim_offline(tap->reader);
}

static void run(void *argument)
{
    struct daemon_tap *tap = argument;
    after_wait(tap);
    tap->tried_us = rt_loop_refresh(tap->loop);
    upkeep(&tap->upkeep, tap->tried_us);
    int error = rt_loop_run(tap->loop);
    if (error != 0)
        log_error("tap", "its event loop failed: %s", error_text(error));
    tap_path_flush(tap->path);
    tap_calls_flush(tap->calls);
    publish(tap);
    reclaim_offline(tap->reader);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void take_message(void *context, const struct tap_message *message)
{
    struct daemon_tap *tap = context;
    tap->heard_wall_us = message->wall_us;
    tap->heard_us = rt_loop_now(tap->loop);
    tap_calls_message(tap->calls, message);
}

static int create_parts(struct daemon_tap *tap)
{
    struct tap_path_limits limits;
    struct tap_calls_settings calls;
    const struct tap_calls_hooks hooks = {tap, tap_record_message, tap_record_done};
    tap_path_limits_default(&limits);
    tap_calls_settings_default(&calls);
    calls.extra_bytes = sizeof(struct tap_noted);
    calls.as_they_end = true;
    calls.max_call_us = tap->snapshot->settings.proxy.limits.max_call_us;
    calls.key = tap->shared->table_keys[1];
    limits.key = tap->shared->table_keys[0];
    int error = tap_path_create(&limits, take_message, tap, &tap->path);
    if (error == 0)
        error = tap_calls_create(&calls, &hooks, &tap->calls);
    if (error == 0)
        error = daemon_observer_create(tap->snapshot, tap->shared->store,
                                       assumed_trunk(tap->snapshot), &tap->observer);
    return error;
}

static int create_loop(struct daemon_tap *tap)
{
    int error = rt_loop_create(&tap->loop);
    if (error == 0)
        error = rt_wheel_create(rt_loop_now(tap->loop), &tap->wheel);
    if (error == 0)
        error = reclaim_register(tap->shared->reclaim, &tap->reader);
    if (error == 0)
        error = stats_shard_create(tap->shared->registry, &tap->stats);
    if (error == 0)
        error = stats_event_queue_create(EVENT_RECORDS, &tap->events);
    return error;
}

static int compose_filter(struct daemon_tap *tap, const struct tap_settings *settings)
{
    uint16_t ports[TAP_PORTS_MAX];
    struct buffer filter = buffer_over(tap->filter, sizeof(tap->filter) - 1);
    if (settings->filter.length > 0)
        buffer_append(&filter, settings->filter);
    else
        tap_filter_append(&filter, ports, tap_settings_ports(settings, ports));
    tap->filter[filter.length] = '\0';
    return filter.overflow ? ERROR_LIMIT : 0;
}

/* The settings belong to the first snapshot, which a reload replaces. */
static int copy_networks(struct daemon_tap *tap, const struct conf_network_list *from)
{
    size_t bytes = from->count * sizeof(*from->items);
    tap->hep_sources.items = arena_alloc(tap->arena, bytes + 1);
    if (tap->hep_sources.items == NULL)
        return -ENOMEM;
    if (bytes > 0)
        memcpy(tap->hep_sources.items, from->items, bytes);
    tap->hep_sources.count = from->count;
    return 0;
}

static int open_inputs(struct daemon_tap *tap)
{
    const struct tap_settings *settings = &tap->snapshot->settings.tap;
    tap->capture = (struct tap_live_settings){
        .filter = tap->filter,
        .snap_length = (uint32_t)settings->snap_length,
        .buffer_bytes = (uint32_t)settings->buffer,
        .promiscuous = settings->promiscuous,
    };
    int error = compose_filter(tap, settings);
    if (error == 0)
        error = copy_networks(tap, &settings->hep_sources);
    if (error == 0)
        error = open_ports(tap, settings);
    if (error == 0 && settings->hep.count > 0)
        error = tap_hep_open(tap, &settings->hep, &tap->hep);
    return error;
}

int daemon_tap_create(struct daemon_shared *shared, struct daemon_tap **tap)
{
    struct daemon_tap *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    pthread_mutex_init(&created->lock, NULL);
    created->shared = shared;
    created->snapshot = atomic_load_explicit(&shared->current, memory_order_acquire);
    int error = arena_create(ARENA_CHUNK, 0, &created->arena);
    if (error == 0)
        error = create_loop(created);
    if (error == 0)
        error = create_parts(created);
    if (error == 0)
        error = open_inputs(created);
    if (error != 0) {
        daemon_tap_destroy(created);
        return error;
    }
    rt_timer_init(&created->upkeep, upkeep);
    rt_loop_set_hooks(created->loop, before_wait, after_wait, created);
    *tap = created;
    return 0;
}

int daemon_tap_start(struct daemon_tap *tap)
{
    return rt_thread_start("tap", -1, run, tap, &tap->thread);
}

struct stats_event_queue *daemon_tap_events(const struct daemon_tap *tap)
{
    return tap->events;
}

void daemon_tap_stop(struct daemon_tap *tap)
{
    if (tap == NULL || tap->thread == NULL)
        return;
    rt_loop_stop(tap->loop);
    rt_thread_join(tap->thread);
    tap->thread = NULL;
}

void daemon_tap_destroy(struct daemon_tap *tap)
{
    if (tap == NULL)
        return;
    daemon_tap_stop(tap);
    tap_hep_close(tap->hep);
    for (size_t i = 0; i < tap->port_count; i++)
        close_port(&tap->ports[i]);
    daemon_observer_destroy(tap->observer);
    tap_calls_destroy(tap->calls);
    tap_path_destroy(tap->path);
    if (tap->events != NULL)
        stats_event_queue_destroy(tap->events);
    if (tap->reader != NULL)
        reclaim_unregister(tap->reader);
    rt_wheel_destroy(tap->wheel);
    rt_loop_destroy(tap->loop);
    arena_destroy(tap->arena);
    pthread_mutex_destroy(&tap->lock);
    free(tap);
}

/* ---- status -------------------------------------------------------------------------------- */

static void fill_port(const struct tap_port *port, const struct tap_shown *shown, size_t index,
                      struct stats_json *json)
{
    const struct tap_live_figures *figures = &shown->ports[index].figures;
    stats_json_begin_object(json, NULL);
    stats_json_text(json, "name", port->name);
    stats_json_text(json, "state",
                    shown->ports[index].down        ? "down"
                    : shown->ports[index].listening ? "listening"
                                                    : "waiting for it");
    stats_json_uint(json, "received", figures->received);
    stats_json_uint(json, "dropped", figures->dropped);
    stats_json_uint(json, "dropped_by_interface", figures->dropped_by_interface);
    stats_json_uint(json, "lost", shown->ports[index].lost);
    if (shown->ports[index].problem[0] != '\0')
        stats_json_text(json, "problem", shown->ports[index].problem);
    stats_json_end_object(json);
}

void daemon_tap_fill(struct daemon_tap *tap, struct stats_json *json)
{
    pthread_mutex_lock(&tap->lock);
    const struct tap_shown shown = tap->shown;
    pthread_mutex_unlock(&tap->lock);
    stats_json_begin_object(json, "tap");
    stats_json_text(json, "filter", tap->filter);
    stats_json_uint(json, "calls", shown.calls.calls);
    stats_json_uint(json, "invites", shown.calls.invites);
    stats_json_uint(json, "calls_begun_before", shown.calls.begun_before);
    stats_json_uint(json, "calls_evicted", shown.calls.evicted);
    stats_json_uint(json, "waiting_bytes", shown.waiting_bytes);
    for (unsigned i = 0; i < TAP_COUNT_COUNT; i++)
        stats_json_uint(json, tap_count_rows[i].key, shown.counts.of[i]);
    stats_json_end_object(json);
    stats_json_begin_array(json, "interfaces");
    for (size_t i = 0; i < tap->port_count; i++)
        fill_port(&tap->ports[i], &shown, i, json);
    stats_json_end_array(json);
}
