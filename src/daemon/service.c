/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/service.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "daemon_int.h"
#include "events_int.h"

#define LIMITER_KEYS     (1U << 18)
#define HEALTH_TARGETS   4096
#define ADMISSION_PLACES (1U << 18)
#define HOUSEKEEPING_US  UINT64_C(100000)
#define DESCRIPTORS      65536
#define BATCH            32
#define ARENA_CHUNK      4096

/* ---- creating ----------------------------------------------------------------------------- */

static int load_key(const struct daemon_settings *settings, uint8_t generation,
                    struct ident_marks *marks)
{
    uint8_t key[IDENT_KEY_BYTES];
    bool created;
    int error = ident_key_load(settings->key_file.data, key, &created);
    if (error == ERROR_MALFORMED) {
        log_error("daemon",
                  "key_file %s: not 64 hexadecimal digits; restore it from another node, "
                  "or remove it to have a new one made (calls under way are lost then)",
                  settings->key_file.data);
        return error;
    }
    if (error != 0) {
        log_error("daemon", "key_file %s: %s; name a file in a folder that the daemon can write",
                  settings->key_file.data, error_text(error));
        return error;
    }
    if (created)
        log_notice("daemon", "made a new key in %s; nodes of one site share one key",
                   settings->key_file.data);
    ident_marks_init(marks, key, generation);
    return 0;
}

static size_t worker_count(const struct daemon_settings *settings)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (settings->workers > 0)
        return settings->workers;
    return processors > 0 ? (size_t)processors : 1;
}

/* The texts of a listener outlive the snapshot that they came from: a reload replaces that. */
static int copy_listener(struct arena *arena, const struct proxy_listen_settings *from,
                         struct tp_listener_settings *listener)
{
    struct slice *aliases = arena_zalloc(arena, (from->aliases.count + 1) * sizeof(*aliases));
    if (aliases == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < from->aliases.count; i++)
        aliases[i] = arena_copy(arena, from->aliases.items[i]);
    *listener = (struct tp_listener_settings){
        .advertise = arena_copy(arena, from->advertise),
        .network = arena_copy(arena, from->network),
        .protocol = (uint8_t)from->transport,
        .aliases = aliases,
        .alias_count = from->aliases.count,
    };
    return tp_address_from_sockaddr(&from->address.socket.any, &listener->address);
}

static bool is_tap(const struct daemon_settings *settings)
{
    return settings->mode == DAEMON_MODE_TAP;
}

static int bind_group(struct daemon_service *service, const struct daemon_settings *settings)
{
    struct daemon_shared *shared = &service->shared;
    const struct proxy_listen_settings *from = settings->proxy.listeners.items;
    size_t count = settings->proxy.listeners.count;
    struct tp_listener_settings listeners[TP_LISTENER_LIMIT];
    size_t bad = 0;
    for (size_t i = 0; i < count; i++) {
        int error = copy_listener(service->arena, &from[i], &listeners[i]);
        if (error != 0)
            return error;
    }
    const struct tp_settings transport = {
        .listeners = listeners,
        .listener_count = count,
        .workers = shared->workers,
        .receive_buffer = (uint32_t)settings->receive_buffer,
        .send_buffer = (uint32_t)settings->receive_buffer,
        .ring_bytes = (uint32_t)settings->ring_bytes,
        .batch = BATCH,
        .steering_key = shared->marks.steering,
        .streams = settings->streams,
        .registry = shared->registry,
    };
    int error = tp_group_create(&transport, &shared->group, &bad);
    char text[TP_ADDRESS_TEXT];
    if (error != 0 && bad < count)
        log_error("daemon", "cannot listen on %s (%s): %s",
                  tp_address_text(&listeners[bad].address, text),
                  tp_protocol_rows[listeners[bad].protocol].word, error_text(error));
    else if (error != 0)
        log_error("daemon", "cannot set up the SIP sockets: %s", error_text(error));
    return error;
}

static int create_store(struct daemon_service *service, const struct daemon_settings *settings)
{
    struct rep_settings reputation;
    char message[256] = "";
    daemon_reputation_convert(&settings->reputation, &reputation);
    int error = rep_store_create(&reputation, message, sizeof(message), &service->shared.store);
    if (error != 0)
        log_error("daemon", "reputation: %s", message[0] != '\0' ? message : error_text(error));
    return error;
}

static int create_shared(struct daemon_service *service, struct stats_registry *registry)
{
    struct daemon_shared *shared = &service->shared;
    const struct daemon_settings *settings = &service->snapshot->settings;
    shared->registry = registry;
    shared->workers = is_tap(settings) ? 0 : worker_count(settings);
    shared->pin = settings->pin_workers;
    shared->busy_poll_us = settings->busy_poll_us;
    atomic_store(&shared->current, service->snapshot);
    proxy_labels_register(&shared->labels, registry);
    uint8_t generation =
        service->successor != NULL ? daemon_successor_generation(service->successor) : 0;
    int error = load_key(settings, generation, &shared->marks);
    if (error == 0 && service->successor != NULL)
        daemon_successor_keys(service->successor, shared->table_keys);
    else if (error == 0)
        error = random_bytes(shared->table_keys, sizeof(shared->table_keys));
    if (error == 0)
        error = stats_shard_create(registry, &service->shard);
    if (error == 0)
        error = reclaim_create(shared->workers + 1, &shared->reclaim);
    if (error == 0)
        error = screen_limiter_create(LIMITER_KEYS, &shared->limiter);
    if (error == 0)
        error = proxy_health_create(HEALTH_TARGETS, &shared->health);
    if (error == 0)
        error = proxy_admission_create(ADMISSION_PLACES, &shared->admission);
    if (error == 0)
        error = proxy_load_create(shared->workers, clock_wall_us() - clock_monotonic_us(),
                                  &shared->load);
    if (error == 0)
        error = create_store(service, settings);
    if (error == 0 && !is_tap(settings))
        error = bind_group(service, settings);
    return error;
}

static int create_workers(struct daemon_service *service)
{
    size_t count = service->shared.workers;
    service->workers = calloc(count + 1, sizeof(struct daemon_worker *));
    service->queues = calloc(count + 1, sizeof(struct stats_event_queue *));
    service->life.pulses = calloc(count + 1, sizeof(struct daemon_pulse));
    if (service->workers == NULL || service->queues == NULL || service->life.pulses == NULL)
        return -ENOMEM;
    if (is_tap(&service->snapshot->settings)) {
        int error = daemon_tap_create(&service->shared, &service->tap);
        if (error != 0)
            return error;
        service->queues[0] = daemon_tap_events(service->tap);
    }
    for (size_t i = 0; i < count; i++) {
        int error = daemon_worker_create(&service->shared, i, &service->workers[i]);
        if (error != 0)
            return error;
        service->queues[i] = daemon_worker_events(service->workers[i]);
    }
    return 0;
}

static int open_sockets(struct daemon_service *service)
{
    const struct daemon_settings *settings = &service->snapshot->settings;
    service->source.registry = service->shared.registry;
    service->source.version = RINGFENCE_VERSION;
    service->source.node = arena_text(service->arena, settings->node);
    int error = stats_epoch_create(clock_wall_us(), &service->source.epoch);
    if (error == 0)
        error = daemon_events_create(service, &service->events);
    if (error == 0)
        error = ctl_stats_server_create(service->loop, &settings->stats, &service->source,
                                        daemon_events_history(service->events), &service->stats);
    if (error == 0)
        error = ctl_control_server_create(service->loop, &settings->control, daemon_commands,
                                          daemon_command_count, service, &service->control);
    if (error == 0 && ctl_metrics_are_wanted(&settings->metrics))
        error = ctl_metrics_server_create(&settings->metrics, &service->source, &service->metrics);
    return error;
}

/* An interface that comes back has to be opened again. */
static int keep_raw_access(const struct daemon_settings *settings)
{
    int error = rt_process_keep_capabilities(geteuid() == 0 ? settings->user.data : NULL,
                                             settings->group.data, UINT64_C(1) << CAP_NET_RAW);
    if (error != 0)
        log_error("daemon", "cannot give up all rights but CAP_NET_RAW: %s", error_text(error));
    return error;
}

static int drop_privileges(const struct daemon_settings *settings)
{
    if (is_tap(settings))
        return keep_raw_access(settings);
    if (geteuid() != 0 || settings->user.length == 0)
        return 0;
    int error = rt_process_drop_privileges(settings->user.data, settings->group.data);
    if (error != 0)
        log_error("daemon", "cannot become user \"%s\": %s", settings->user.data,
                  error_text(error));
    return error;
}

/* ---- running ------------------------------------------------------------------------------ */

static void signal_received(void *argument, int signal_number)
{
    struct daemon_service *service = argument;
    switch (signal_number) {
    case SIGHUP:
        daemon_reload_by_signal(service);
        break;
    case SIGUSR1:
        if (log_reopen() != 0)
            log_error("daemon", "the log file cannot be opened again");
        daemon_events_reopen(service->events);
        break;
    default:
        daemon_life_stop(service);
        break;
    }
}

static void housekeeping(struct rt_timer *timer, uint64_t now_us)
{
    struct daemon_service *service = LIST_ENTRY(timer, struct daemon_service, housekeeping);
    reclaim_collect(service->shared.reclaim);
    daemon_gauges_publish(service);
    if (daemon_life_turn(service, now_us) && daemon_upgrade_turn(service, now_us))
        rt_timer_set(service->wheel, timer, now_us, HOUSEKEEPING_US);
    else
        rt_loop_stop(service->loop);
}

static void before_wait(void *argument, uint64_t *wait_us)
{
    struct daemon_service *service = argument;
    uint64_t now_us = rt_loop_refresh(service->loop);
    rt_wheel_advance(service->wheel, now_us);
    uint64_t wait = rt_wheel_wait(service->wheel, now_us);
    if (wait < *wait_us)
        *wait_us = wait;
}

int daemon_service_create(const struct daemon_start *start, struct stats_registry *registry,
                          struct screen_ledger *ledger, struct tp_resolver *resolver,
                          struct daemon_snapshot *snapshot, struct daemon_service **service)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, 0};
    struct daemon_service *created = calloc(1, sizeof(*created));
    if (created == NULL) {
        daemon_snapshot_destroy(snapshot);
        return -ENOMEM;
    }
    created->config_path = start->config_path;
    created->program = start->program;
    list_init(&created->queries);
    created->snapshot = snapshot;
    created->ledger = ledger;
    created->resolver = resolver;
    created->started_us = created->counting_us = clock_monotonic_us();
    rt_process_raise_descriptors(DESCRIPTORS);
    int error = arena_create(ARENA_CHUNK, 0, &created->arena);
    if (error == 0)
        error = rt_loop_create(&created->loop);
    if (error == 0)
        error = rt_wheel_create(rt_loop_now(created->loop), &created->wheel);
    if (error == 0)
        error = rt_mailbox_create(created->loop, created, &created->mailbox);
    if (error == 0)
        error =
            rt_signals_create(created->loop, signals, signal_received, created, &created->signals);
    if (error == 0 && start->take_over >= 0)
        error = daemon_successor_create(created, start->take_over, &created->successor);
    if (error == 0)
        error = create_shared(created, registry);
    if (error == 0)
        error = create_workers(created);
    if (error == 0)
        error = open_sockets(created);
    if (error == 0 && created->successor != NULL) {
        created->counting_us = daemon_successor_counting_us(created->successor);
        error = daemon_successor_check(created->successor);
    }
    if (error == 0)
        error = screen_engine_create(created->shared.store, &created->explainer);
    if (error == 0)
        error = drop_privileges(&snapshot->settings);
    if (error == 0)
        error = daemon_events_open(created->events, created);
    if (error != 0) {
        daemon_service_destroy(created);
        return error;
    }
    rt_timer_init(&created->housekeeping, housekeeping);
    rt_loop_set_hooks(created->loop, before_wait, NULL, created);
    *service = created;
    return 0;
}

static void log_start(const struct daemon_service *service)
{
    const struct rule_set *rules = screen_policy_rules(service->snapshot->policy);
    log_notice("daemon",
               "ringfenced %s: %zu listen addresses, %zu trunks, %zu workers, %zu rules "
               "(version %s)",
               RINGFENCE_VERSION,
               service->shared.group != NULL ? tp_group_listener_count(service->shared.group) : 0,
               proxy_plan_trunk_count(service->snapshot->plan), service->shared.workers,
               rule_set_count(rules), rule_set_version(rules));
}

/* What names may resolve to: that which a listener can send by. */
static unsigned protocols_of(const struct tp_group *group)
{
    unsigned protocols = 0;
    for (size_t i = 0; group != NULL && i < tp_group_listener_count(group); i++)
        protocols |= TP_PROTOCOL_BIT(tp_group_listener(group, i)->protocol);
    return protocols != 0 ? protocols : TP_PROTOCOL_BIT(TP_PROTOCOL_UDP);
}

/* Before workers take calls: names are known then, or DNS does not answer. */
static int start_resolver(struct daemon_service *service)
{
    const struct tp_dns_settings *dns = &service->snapshot->settings.dns;
    struct tp_resolver_settings settings;
    int error = tp_dns_convert(dns, protocols_of(service->shared.group), service->arena, &settings);
    if (error == 0)
        error = tp_resolver_start(service->resolver, &settings, service->shared.reclaim,
                                  service->shared.registry);
    if (error != 0)
        log_error("dns",
                  "the resolver cannot be started: %s; see dns.servers, or "
                  "/etc/resolv.conf where there are none",
                  error_text(error));
    else if (!tp_resolver_settle(service->resolver, dns->start_wait_us))
        log_warning("dns", "not all names of trunks are resolved yet; calls to those get 503 "
                           "until they are");
    return error;
}

int daemon_service_run(struct daemon_service *service)
{
    int error = start_resolver(service);
    if (error == 0)
        error = rep_store_start(service->shared.store);
    if (error == 0 && service->successor != NULL)
        error = daemon_successor_take(service->successor);
    for (size_t i = 0; i < service->shared.workers && error == 0; i++)
        error = daemon_worker_start(service->workers[i]);
    if (error == 0 && service->tap != NULL)
        error = daemon_tap_start(service->tap);
    if (error == 0)
        error = daemon_events_start(service->events);
    if (error == 0)
        error = ctl_stats_server_start(service->stats);
    daemon_gauges_publish(service);
    if (error == 0 && service->metrics != NULL)
        error = ctl_metrics_server_start(service->metrics);
    if (error != 0) {
        log_error("daemon", "cannot start: %s", error_text(error));
        return error;
    }
    rt_timer_set(service->wheel, &service->housekeeping, rt_loop_now(service->loop),
                 HOUSEKEEPING_US);
    log_start(service);
    if (service->successor != NULL && daemon_successor_serving(service->successor) != 0)
        log_warning("upgrade", "the process before has ended already");
    daemon_life_begin(service);
    error = rt_loop_run(service->loop);
    log_notice("daemon", "stopped");
    return error;
}

void daemon_service_destroy(struct daemon_service *service)
{
    if (service == NULL)
        return;
    struct daemon_shared *shared = &service->shared;
    rt_thread_join(service->builder);
    service->builder = NULL;
    service->reload_again = false;
    daemon_upgrade_abandon(service);
    /* A reload that had been built still answers who asked for it. */
    if (service->mailbox != NULL)
        rt_mailbox_close(service->mailbox);
    daemon_reload_settle(service);
    for (size_t i = 0; service->workers != NULL && i < shared->workers; i++)
        daemon_worker_stop(service->workers[i]);
    daemon_tap_stop(service->tap);
    daemon_events_stop(service->events);
    for (size_t i = 0; service->workers != NULL && i < shared->workers; i++)
        daemon_worker_destroy(service->workers[i]);
    daemon_upgrade_destroy(service->upgrade);
    daemon_tap_destroy(service->tap);
    daemon_explain_abandon(service);
    if (shared->store != NULL)
        rep_store_stop(shared->store);
    ctl_control_server_destroy(service->control);
    ctl_metrics_server_destroy(service->metrics);
    ctl_stats_server_destroy(service->stats);
    daemon_events_destroy(service->events);
    screen_engine_destroy(service->explainer);
    rep_store_destroy(shared->store);
    if (shared->group != NULL)
        tp_group_destroy(shared->group);
    screen_limiter_destroy(shared->limiter);
    proxy_health_destroy(shared->health);
    proxy_admission_destroy(shared->admission);
    proxy_load_destroy(shared->load);
    tp_resolver_stop(service->resolver);
    reclaim_destroy(shared->reclaim);
    daemon_successor_destroy(service->successor);
    rt_signals_destroy(service->signals);
    rt_mailbox_destroy(service->mailbox);
    rt_wheel_destroy(service->wheel);
    rt_loop_destroy(service->loop);
    daemon_snapshot_destroy(service->snapshot);
    arena_destroy(service->arena);
    free(service->life.pulses);
    free(service->queues);
    free(service->workers);
    free(service);
}
