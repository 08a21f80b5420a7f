/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"
#include "daemon_int.h"
#include "worker_int.h"

#define EVENT_RECORDS 4096
#define GAUGE_US      UINT64_C(250000)

/* ---- glue: the transport feeds the proxy, the transactions feed the transport ------------- */

static void received(void *argument, const struct tp_packet *packet)
{
    struct daemon_worker *worker = argument;
    /* A call that the process before has told of is answered before its BYE can come. */
    if (worker->follows)
        daemon_link_hear(worker->link);
    proxy_receive(worker->proxy, packet);
}

static void send_failed(void *argument, uint64_t cookie, int error)
{
    struct daemon_worker *worker = argument;
    txn_layer_send_failed(worker->transactions, cookie, error, rt_loop_now(worker->loop));
}

static bool identify(void *argument, uint16_t listener, const struct tp_address *address,
                     bool accepted, struct tp_peer *peer)
{
    struct daemon_worker *worker = argument;
    return proxy_identify(worker->proxy, listener, address, accepted, peer);
}

static void unreachable(void *argument, const struct tp_address *to)
{
    struct daemon_worker *worker = argument;
    proxy_unreachable(worker->proxy, to, rt_loop_now(worker->loop));
}

static const struct tp_events transport_events = {
    .received = received,
    .send_failed = send_failed,
    .identify = identify,
    .unreachable = unreachable,
};

static void output_send(void *argument, uint16_t listener, const struct tp_address *to,
                        struct slice bytes, uint64_t cookie)
{
    struct daemon_worker *worker = argument;
    tp_worker_send(worker->transport, listener, to, bytes, cookie);
}

static void output_respond(void *argument, uint16_t listener, uint64_t connection,
                           const struct tp_address *to, struct slice bytes)
{
    struct daemon_worker *worker = argument;
    tp_worker_respond(worker->transport, listener, connection, to, bytes);
}

static bool output_is_reliable(void *argument, uint16_t listener)
{
    const struct daemon_worker *worker = argument;
    return tp_protocol_rows[tp_group_listener(worker->shared->group, listener)->protocol].stream;
}

static struct txn_output output_of(struct daemon_worker *worker)
{
    return (struct txn_output){
        .send = output_send,
        .argument = worker,
        .reliable = output_is_reliable,
        .respond = output_respond,
    };
}

static void call_ended(void *argument, const struct call_summary *summary, enum call_end end,
                       uint64_t now_us)
{
    struct daemon_worker *worker = argument;
    uint64_t heard_us = summary->ringing_us != 0 ? summary->ringing_us : summary->answered_us;
    (void)end;
    proxy_call_ended(worker->proxy, summary, now_us);
    if (heard_us != 0)
        stats_record(worker->stats, STATS_HISTOGRAM_POST_DIAL_DELAY,
                     (heard_us - summary->begun_us) * 1000);
    if (summary->answered_us != 0)
        stats_record(worker->stats, STATS_HISTOGRAM_CALL_DURATION,
                     (now_us - summary->answered_us) * 1000);
}

/* ---- the loop's hooks --------------------------------------------------------------------- */

static void publish_gauges(struct daemon_worker *worker)
{
    struct stats_shard *stats = worker->stats;
    stats_gauge_set(stats, STATS_GAUGE_TRANSACTIONS, txn_layer_live(worker->transactions));
    stats_gauge_set(stats, STATS_GAUGE_TRANSACTIONS_LINGERING,
                    txn_layer_lingering(worker->transactions));
    stats_gauge_set(stats, STATS_GAUGE_CALLS_HELD, call_table_count(worker->calls));
    stats_gauge_set(stats, STATS_GAUGE_CALLS_PARKED, proxy_parked(worker->proxy));
    stats_gauge_set(stats, STATS_GAUGE_TRANSACTION_BYTES, txn_layer_bytes(worker->transactions));
}

static void upkeep(struct rt_timer *timer, uint64_t now_us)
{
    struct daemon_worker *worker = LIST_ENTRY(timer, struct daemon_worker, upkeep);
    proxy_set_wall_offset(worker->proxy, (int64_t)clock_wall_us() - (int64_t)clock_monotonic_us());
    publish_gauges(worker);
    rt_timer_set(worker->wheel, timer, now_us, GAUGE_US);
}

static void adopt(struct daemon_worker *worker)
{
    struct daemon_snapshot *current =
        atomic_load_explicit(&worker->shared->current, memory_order_acquire);
    if (current == worker->snapshot)
        return;
    worker->snapshot = current;
    proxy_adopt(worker->proxy, &current->proxy);
}

static void after_wait(void *argument)
{
    struct daemon_worker *worker = argument;
    worker->woken_us = rt_loop_now(worker->loop);
    reclaim_online(worker->reader);
    tp_worker_after_sleep(worker->transport);
    adopt(worker);
}

static void note_longest(_Atomic uint64_t *longest_us, uint64_t turn_us)
{
    if (turn_us > atomic_load_explicit(longest_us, memory_order_relaxed))
        atomic_store_explicit(longest_us, turn_us, memory_order_relaxed);
}

/* Costs a turn one look at the clock. */
static void measure_turn(struct daemon_worker *worker)
{
    uint64_t turn_us = clock_monotonic_us() - worker->woken_us;
    uint32_t reloading = atomic_load_explicit(&worker->shared->reloading, memory_order_relaxed);
    bool is_reloading = reloading % 2 != 0;
    if (reloading != worker->reload_seen && is_reloading)
        atomic_store_explicit(&worker->turns.reload_longest_us, 0, memory_order_relaxed);
    worker->reload_seen = reloading;
    atomic_store_explicit(&worker->turns.count,
                          atomic_load_explicit(&worker->turns.count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    note_longest(&worker->turns.longest_us, turn_us);
    if (is_reloading)
        note_longest(&worker->turns.reload_longest_us, turn_us);
    if (atomic_load_explicit(&worker->adopted, memory_order_relaxed) != worker->snapshot)
        atomic_store_explicit(&worker->adopted, worker->snapshot, memory_order_release);
}

bool daemon_worker_has_adopted(const struct daemon_worker *worker)
{
    return atomic_load_explicit(&worker->adopted, memory_order_acquire) ==
           atomic_load_explicit(&worker->shared->current, memory_order_relaxed);
}

const struct daemon_turns *daemon_worker_turns(const struct daemon_worker *worker)
{
    return &worker->turns;
}

uint64_t daemon_worker_turn_count(const struct daemon_worker *worker)
{
    return atomic_load_explicit(&worker->turns.count, memory_order_relaxed);
}

static void before_wait(void *argument, uint64_t *wait_us)
{
    struct daemon_worker *worker = argument;
    uint64_t now_us = rt_loop_now(worker->loop);
    rt_wheel_advance(worker->wheel, now_us);
    bool busy = tp_worker_take_handed_over(worker->transport);
    tp_worker_flush(worker->transport);
    uint64_t wait = rt_wheel_wait(worker->wheel, now_us);
    if (wait < *wait_us)
        *wait_us = wait;
    reclaim_offline(worker->reader);
    tp_worker_before_sleep(worker->transport);
    /* Armed now: what was published before is seen here, what comes later rings. */
    if (busy || tp_worker_take_handed_over(worker->transport)) {
        tp_worker_flush(worker->transport);
        *wait_us = 0;
    }
    measure_turn(worker);
}

/* ---- life --------------------------------------------------------------------------------- */

static int create_tables(struct daemon_worker *worker)
{
    const struct daemon_shared *shared = worker->shared;
    const struct proxy_limits *limits = worker->snapshot->proxy.limits;
    const struct txn_output output = output_of(worker);
    struct txn_settings transactions = {
        .t1_us = limits->t1_us,
        .t2_us = 8 * limits->t1_us,
        .t4_us = 10 * limits->t1_us,
        .limit = limits->transactions,
        .lingering_limit = limits->lingering,
        .per_call_limit = limits->per_call,
        .per_source_limit = limits->per_source,
        .memory_limit = limits->message_bytes,
        .key = shared->table_keys[0],
    };
    struct call_settings calls = {
        .limit = limits->calls,
        .max_call_us = limits->max_call_us,
        .key = shared->table_keys[1],
    };
    int error = txn_layer_create(&transactions, worker->wheel, worker->stats, &output,
                                 &worker->transactions);
    if (error == 0)
        error = call_table_create(&calls, worker->wheel, worker->stats, call_ended, worker,
                                  &worker->calls);
    return error;
}

static int create_proxy(struct daemon_worker *worker)
{
    struct daemon_shared *shared = worker->shared;
    const uint32_t kept = worker->snapshot->settings.screening.explain_calls;
    int error = screen_engine_create(shared->store, &worker->screening);
    if (error == 0 && kept > 0)
        error = screen_recent_create(kept, &worker->recent);
    if (error == 0 && rep_store_mode(shared->store) == REP_MODE_LOOKUP)
        error = rep_lookup_create(shared->store, worker->loop, worker->wheel, &worker->lookup);
    if (error != 0)
        return error;
    const struct proxy_parts parts = {
        .worker = worker->index,
        .marks = &shared->marks,
        .labels = &shared->labels,
        .registry = shared->registry,
        .group = shared->group,
        .health = shared->health,
        .admission = shared->admission,
        .load = shared->load,
        .transactions = worker->transactions,
        .output = output_of(worker),
        .calls = worker->calls,
        .wheel = worker->wheel,
        .screening = worker->screening,
        .limiter = shared->limiter,
        .recent = worker->recent,
        .lookup = worker->lookup,
        .stats = worker->stats,
        .events = worker->events,
    };
    return proxy_create(&parts, &worker->snapshot->proxy, &worker->proxy);
}

int daemon_worker_create(struct daemon_shared *shared, size_t index, struct daemon_worker **worker)
{
    struct daemon_worker *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->shared = shared;
    created->index = index;
    created->inherited[0] = created->inherited[1] = -1;
    atomic_init(&created->link_over, true);
    created->snapshot = atomic_load_explicit(&shared->current, memory_order_acquire);
    int error = rt_loop_create(&created->loop);
    if (error == 0)
        error = rt_wheel_create(rt_loop_now(created->loop), &created->wheel);
    if (error == 0)
        error = rt_mailbox_create(created->loop, created, &created->mailbox);
    if (error == 0)
        error = reclaim_register(shared->reclaim, &created->reader);
    if (error == 0)
        error = stats_shard_create(shared->registry, &created->stats);
    if (error == 0)
        error = stats_event_queue_create(EVENT_RECORDS, &created->events);
    if (error == 0)
        error = create_tables(created);
    if (error == 0)
        error = create_proxy(created);
    if (error == 0)
        error = tp_worker_create(shared->group, index, created->loop, created->wheel,
                                 created->stats, &transport_events, created, &created->transport);
    if (error != 0) {
        daemon_worker_destroy(created);
        return error;
    }
    rt_timer_init(&created->upkeep, upkeep);
    rt_loop_set_busy_poll(created->loop, shared->busy_poll_us);
    rt_loop_set_hooks(created->loop, before_wait, after_wait, created);
    *worker = created;
    return 0;
}

void daemon_worker_start_probing(struct daemon_worker *worker)
{
    uint64_t seed;
    if (worker->index != 0)
        return;
    int error = random_bytes(&seed, sizeof(seed));
    if (error == 0)
        error = proxy_start_probing(worker->proxy, seed, worker->woken_us);
    if (error != 0)
        log_error("daemon", "targets are not probed: %s", error_text(error));
}

static void run(void *argument)
{
    struct daemon_worker *worker = argument;
    reclaim_online(worker->reader);
    worker->woken_us = rt_loop_refresh(worker->loop);
    daemon_worker_inherit(worker);
    upkeep(&worker->upkeep, worker->woken_us);
    daemon_worker_start_probing(worker);
    int error = rt_loop_run(worker->loop);
    if (error != 0)
        log_error("daemon", "worker %zu: its event loop failed: %s", worker->index,
                  error_text(error));
    publish_gauges(worker);
    reclaim_offline(worker->reader);
}

int daemon_worker_start(struct daemon_worker *worker)
{
    char name[16];
    snprintf(name, sizeof(name), "worker-%zu", worker->index);
    int processor = worker->shared->pin ? (int)worker->index : -1;
    return rt_thread_start(name, processor, run, worker, &worker->thread);
}

struct stats_event_queue *daemon_worker_events(const struct daemon_worker *worker)
{
    return worker->events;
}

const struct screen_recent *daemon_worker_recent(const struct daemon_worker *worker)
{
    return worker->recent;
}

int daemon_worker_post(struct daemon_worker *worker, rt_message_fn *letter, void *argument)
{
    return rt_mailbox_post(worker->mailbox, letter, argument);
}

static void drain_letter(void *target, void *argument)
{
    struct daemon_worker *worker = target;
    (void)argument;
    proxy_drain(worker->proxy);
}

static void undrain_letter(void *target, void *argument)
{
    struct daemon_worker *worker = target;
    (void)argument;
    proxy_undrain(worker->proxy);
}

void daemon_worker_drain(struct daemon_worker *worker, bool draining)
{
    if (rt_mailbox_post(worker->mailbox, draining ? drain_letter : undrain_letter, NULL) != 0)
        log_error("daemon", "worker %zu cannot be drained: out of memory", worker->index);
}

static void nudge_letter(void *target, void *argument)
{
    (void)target;
    (void)argument;
}

void daemon_worker_nudge(struct daemon_worker *worker)
{
    if (rt_mailbox_post(worker->mailbox, nudge_letter, NULL) != 0)
        log_debug("daemon", "worker %zu adopts with its next message", worker->index);
}

void daemon_worker_stop(struct daemon_worker *worker)
{
    if (worker == NULL || worker->thread == NULL)
        return;
    rt_loop_stop(worker->loop);
    rt_thread_join(worker->thread);
    worker->thread = NULL;
}

void daemon_worker_destroy(struct daemon_worker *worker)
{
    if (worker == NULL)
        return;
    daemon_worker_stop(worker);
    if (worker->transport != NULL)
        tp_worker_destroy(worker->transport);
    daemon_link_destroy(worker->link);
    rep_lookup_destroy(worker->lookup);
    proxy_destroy(worker->proxy);
    screen_recent_destroy(worker->recent);
    screen_engine_destroy(worker->screening);
    call_table_destroy(worker->calls);
    txn_layer_destroy(worker->transactions);
    if (worker->events != NULL)
        stats_event_queue_destroy(worker->events);
    if (worker->reader != NULL)
        reclaim_unregister(worker->reader);
    rt_mailbox_destroy(worker->mailbox);
    rt_wheel_destroy(worker->wheel);
    rt_loop_destroy(worker->loop);
    free(worker);
}
