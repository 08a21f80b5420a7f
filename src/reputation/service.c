/* SPDX-License-Identifier: Apache-2.0 */
#include "service_int.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "discovery_int.h"
#include "runtime/loop.h"
#include "runtime/mailbox.h"
#include "runtime/thread.h"
#include "runtime/wheel.h"
#include "saver_int.h"
#include "sync_int.h"

enum {
    SWEEP_US = 100000,
    SWEEP_PARTITIONS = 16, /* once round the replica in 26 s */
    RENEW_LIMIT = 20000,   /* entries that are due, in one turn: some 10 ms */
    SAVE_US = 600000000,
    SAVE_POLL_US = 50000,
};

struct rep_service {
    struct rep_service_options options;
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    struct rt_mailbox *mailbox;
    struct rt_thread *thread;
    struct rep_sync *sync;           /* store redis, mode replica */
    struct rep_discovery *discovery; /* mode lookup */
    struct rt_timer sweep, save;
    struct rep_saver saver;
    /* Sums of changes: when the file was saved last, and of the one being written. */
    uint64_t saved_changes, saving_changes;
    struct rep_status status; /* the thread's own */
    _Atomic bool loaded;
    pthread_mutex_t publishing;
    struct rep_status published;
    struct rep_route *route; /* mode lookup; under the same lock */
};

/* ---- publishing ---------------------------------------------------------------------------- */

static void publish(struct rep_service *service)
{
    atomic_store_explicit(&service->loaded, service->status.loaded, memory_order_relaxed);
    pthread_mutex_lock(&service->publishing);
    service->published = service->status;
    pthread_mutex_unlock(&service->publishing);
}

bool rep_service_loaded(const struct rep_service *service)
{
    return atomic_load_explicit(&service->loaded, memory_order_relaxed);
}

void rep_service_status(struct rep_service *service, struct rep_status *status)
{
    pthread_mutex_lock(&service->publishing);
    *status = service->published;
    pthread_mutex_unlock(&service->publishing);
}

bool rep_service_route(struct rep_service *service, struct rep_route *route)
{
    pthread_mutex_lock(&service->publishing);
    bool known = service->route != NULL && service->route->count > 0;
    if (known)
        *route = *service->route;
    pthread_mutex_unlock(&service->publishing);
    return known;
}

static void before_wait(void *argument, uint64_t *wait_us)
{
    struct rep_service *service = argument;
    publish(service);
    uint64_t wait = rt_wheel_wait(service->wheel, rt_loop_refresh(service->loop));
    if (wait < *wait_us)
        *wait_us = wait;
}

static void after_wait(void *argument)
{
    struct rep_service *service = argument;
    rt_wheel_advance(service->wheel, rt_loop_now(service->loop));
}

/* ---- timers -------------------------------------------------------------------------------- */

static void sweep_due(struct rt_timer *timer, uint64_t now_us)
{
    struct rep_service *service = LIST_ENTRY(timer, struct rep_service, sweep);
    uint64_t now_wall_s = clock_wall_us() / 1000000;
    rep_replica_sweep(service->options.replica, now_wall_s, SWEEP_PARTITIONS);
    bool more = rep_ledger_advance(service->options.ledger, now_wall_s, RENEW_LIMIT) == RENEW_LIMIT;
    rt_timer_set(service->wheel, timer, now_us, more ? 0 : SWEEP_US);
}

static bool saves(const struct rep_service *service)
{
    const struct rep_settings *settings = service->options.settings;
    return settings->saved_path != NULL && settings->backend == REP_BACKEND_REDIS &&
           settings->mode == REP_MODE_REPLICA;
}

/* Something was loaded since the file was written: a node that never saw Redis must not overwrite
 * what it started from. */
static bool is_worth_saving(const struct rep_service *service)
{
    const struct rep_status *status = &service->status;
    return saves(service) && status->loaded && !status->from_saved &&
           (status->saves == 0 || status->changes + status->resyncs != service->saved_changes);
}

static void save_over(struct rep_service *service, int code, uint64_t took_us)
{
    const char *path = service->options.settings->saved_path;
    if (code != 0) {
        log_error("reputation", "cannot write %s: %s", path, error_text(code));
        return;
    }
    service->status.saves++;
    service->saved_changes = service->saving_changes;
    log_info("reputation", "saved to %s, %.2f s", path, (double)took_us / 1e6);
}

/* What the file holds; the replica equals Redis as long as it follows. */
static int save_prepare(struct rep_service *service, struct rep_saving **saving)
{
    const struct rep_service_options *options = &service->options;
    const struct rep_status *status = &service->status;
    uint64_t in_step_us =
        status->state == REP_STATE_FOLLOWING ? clock_wall_us() : status->last_sync_wall_us;
    service->saving_changes = status->changes + status->resyncs;
    return rep_saving_create(options->settings->saved_path, options->replica, options->ledger,
                             options->types, options->sources, in_step_us / 1000000, saving);
}

static void save_due(struct rt_timer *timer, uint64_t now_us)
{
    struct rep_service *service = LIST_ENTRY(timer, struct rep_service, save);
    struct rep_saving *saving;
    uint64_t took_us = 0;
    int code = 0;
    if (rep_saver_poll(&service->saver, &code, &took_us)) {
        save_over(service, code, took_us);
    } else if (!rep_saver_is_busy(&service->saver) && is_worth_saving(service)) {
        code = save_prepare(service, &saving);
        if (code == 0)
            code = rep_saver_begin(&service->saver, saving);
        if (code != 0)
            save_over(service, code, 0);
    }
    rt_timer_set(service->wheel, timer, now_us,
                 rep_saver_is_busy(&service->saver) ? SAVE_POLL_US : SAVE_US);
}

/* At the end, here and now: there is nobody left to hold up. */
static void save_last(struct rep_service *service)
{
    struct rep_saving *saving;
    uint64_t began_us = clock_monotonic_us();
    if (rep_saver_cancel(&service->saver))
        save_over(service, 0, began_us - service->saver.began_us);
    if (!is_worth_saving(service))
        return;
    int code = save_prepare(service, &saving);
    if (code == 0) {
        code = rep_saving_run(saving);
        rep_saving_destroy(saving);
    }
    save_over(service, code, clock_monotonic_us() - began_us);
}

/* ---- mode lookup: where workers ask -------------------------------------------------------- */

static void route_found(void *argument, const struct rep_route *route)
{
    struct rep_service *service = argument;
    struct rep_status *status = &service->status;
    status->error[0] = '\0';
    status->loaded = true;
    status->state = REP_STATE_READY;
    status->servers = route->count;
    pthread_mutex_lock(&service->publishing);
    *service->route = *route;
    pthread_mutex_unlock(&service->publishing);
    atomic_fetch_add_explicit(service->options.route_version, 1, memory_order_release);
}

static void route_failed(void *argument, const char *reason)
{
    struct rep_service *service = argument;
    struct rep_status *status = &service->status;
    if (strcmp(status->error, reason) != 0)
        log_warning("reputation", "%s: %s", status->server, reason);
    snprintf(status->error, sizeof(status->error), "%s", reason);
}

/* ---- requests ------------------------------------------------------------------------------ */

struct request {
    int (*run)(void *argument);
    void *argument;
    int code;
    sem_t done;
};

static void run_request(void *target, void *argument)
{
    (void)target;
    struct request *request = argument;
    request->code = request->run(request->argument);
    sem_post(&request->done);
}

int rep_service_run(struct rep_service *service, int (*run)(void *argument), void *argument)
{
    if (service->thread == NULL)
        return run(argument);
    struct request request = {.run = run, .argument = argument};
    sem_init(&request.done, 0, 0);
    int code = rt_mailbox_post(service->mailbox, run_request, &request);
    if (code == 0) {
        while (sem_wait(&request.done) != 0 && errno == EINTR)
            continue;
        code = request.code;
    }
    sem_destroy(&request.done);
    return code;
}

static void run_accept(void *target, void *argument)
{
    (void)argument;
    struct rep_service *service = target;
    if (service->sync != NULL)
        rep_sync_accept(service->sync);
}

static void run_rescan(void *target, void *argument)
{
    (void)argument;
    struct rep_service *service = target;
    if (service->sync != NULL)
        rep_sync_rescan(service->sync);
}

static void run_doubt(void *target, void *argument)
{
    (void)argument;
    struct rep_service *service = target;
    if (service->discovery != NULL)
        rep_discovery_doubt(service->discovery);
}

static int post(struct rep_service *service, rt_message_fn *message)
{
    return service->thread != NULL ? rt_mailbox_post(service->mailbox, message, NULL)
                                   : ERROR_UNAVAILABLE;
}

int rep_service_accept(struct rep_service *service)
{
    return post(service, run_accept);
}

int rep_service_rescan(struct rep_service *service)
{
    return post(service, run_rescan);
}

int rep_service_doubt(struct rep_service *service)
{
    return post(service, run_doubt);
}

/* ---- life ---------------------------------------------------------------------------------- */

static int create_sync(struct rep_service *service)
{
    const struct rep_service_options *options = &service->options;
    struct rep_sync_options sync = {
        .loop = service->loop,
        .wheel = service->wheel,
        .settings = options->settings,
        .replica = options->replica,
        .ledger = options->ledger,
        .authority = options->authority,
        .types = options->types,
        .sources = options->sources,
        .status = &service->status,
        .seed = {options->seed[0], options->seed[1]},
    };
    return rep_sync_create(&sync, &service->sync);
}

static int create_discovery(struct rep_service *service)
{
    struct rep_discovery_options options = {
        .loop = service->loop,
        .wheel = service->wheel,
        .settings = service->options.settings,
        .status = &service->status,
        .seed = service->options.seed[0] ^ service->options.seed[1],
    };
    struct rep_discovery_events events = {route_found, route_failed, service};
    service->route = calloc(1, sizeof(*service->route));
    return service->route != NULL ? rep_discovery_create(&options, &events, &service->discovery)
                                  : -ENOMEM;
}

int rep_service_create(const struct rep_service_options *options, const struct rep_status *status,
                       struct rep_service **service)
{
    struct rep_service *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->options = *options;
    created->status = *status;
    pthread_mutex_init(&created->publishing, NULL);
    rt_timer_init(&created->sweep, sweep_due);
    rt_timer_init(&created->save, save_due);
    const struct rep_settings *settings = options->settings;
    if (settings->backend == REP_BACKEND_REDIS)
        rep_server_text(settings, created->status.server, sizeof(created->status.server));
    else
        snprintf(created->status.server, sizeof(created->status.server), "%.150s",
                 settings->csv_path != NULL ? settings->csv_path : "memory");
    publish(created);

    int code = rt_loop_create(&created->loop);
    if (code == 0)
        code = rt_wheel_create(rt_loop_now(created->loop), &created->wheel);
    if (code == 0)
        code = rt_mailbox_create(created->loop, created, &created->mailbox);
    if (code == 0 && settings->backend == REP_BACKEND_REDIS)
        code =
            settings->mode == REP_MODE_REPLICA ? create_sync(created) : create_discovery(created);
    if (code != 0)
        rep_service_destroy(created);
    else
        *service = created;
    return code;
}

static void run(void *argument)
{
    struct rep_service *service = argument;
    rt_thread_give_way();
    rt_loop_set_hooks(service->loop, before_wait, after_wait, service);
    uint64_t now_us = rt_loop_refresh(service->loop);
    rt_timer_set(service->wheel, &service->sweep, now_us, SWEEP_US);
    if (saves(service))
        rt_timer_set(service->wheel, &service->save, now_us, SAVE_US);
    if (service->sync != NULL)
        rep_sync_start(service->sync);
    else if (service->discovery != NULL)
        rep_discovery_start(service->discovery);
    else
        service->status.state = REP_STATE_READY;
    int code = rt_loop_run(service->loop);
    if (code != 0)
        log_error("reputation", "the service thread's loop failed: %s", error_text(code));
}

int rep_service_start(struct rep_service *service)
{
    return rt_thread_start("replica", -1, run, service, &service->thread);
}

void rep_service_stop(struct rep_service *service)
{
    if (service == NULL || service->thread == NULL)
        return;
    rt_loop_stop(service->loop);
    rt_thread_join(service->thread);
    service->thread = NULL;
    rt_mailbox_close(service->mailbox);
    rep_sync_destroy(service->sync);
    service->sync = NULL;
    rep_discovery_destroy(service->discovery);
    service->discovery = NULL;
    save_last(service);
    service->status.state = REP_STATE_STOPPED;
    service->status.connected = false;
    publish(service);
}

void rep_service_destroy(struct rep_service *service)
{
    if (service == NULL)
        return;
    rep_service_stop(service);
    rep_sync_destroy(service->sync);
    rep_discovery_destroy(service->discovery);
    free(service->route);
    rt_mailbox_destroy(service->mailbox);
    rt_wheel_destroy(service->wheel);
    rt_loop_destroy(service->loop);
    pthread_mutex_destroy(&service->publishing);
    free(service);
}
