/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/value.h"
#include "daemon_int.h"

#define REPORT_BYTES ((size_t)256 << 10)
#define PLACE_BYTES  (PATH_MAX + 32)
/* A worker adopts with its next turn, for which it is woken. */
#define ADOPTION_LOOK_US UINT64_C(500)
#define ADOPTION_WAIT_US UINT64_C(2000000)

/* One reload on its way through the builder thread and back. */
struct daemon_reload_job {
    struct daemon_service *service;
    struct ctl_reply *reply; /* NULL: asked for by a signal */
    struct conf_report *report;
    struct daemon_snapshot *snapshot;
    int error;
    char reputation[256]; /* what reading the CSV file again said */
    struct rt_timer adoption;
    uint64_t give_up_us; /* when workers are waited for no longer */
};

/* Not every problem has a place: a changed listen address has none. */
static const char *place_text(const struct conf_problem *problem, char *memory, size_t capacity)
{
    memory[0] = '\0';
    if (problem->file != NULL)
        snprintf(memory, capacity, "%s:%u:%u: ", problem->file, problem->line, problem->column);
    return memory;
}

static void log_problem(const struct conf_problem *problem, void *argument)
{
    (void)argument;
    enum log_level level = problem->severity == CONF_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING;
    char place[PLACE_BYTES], shown[PLACE_BYTES], message[512];
    place_text(problem, place, sizeof(place));
    log_write(level, "reload", "%s%s", log_slice(shown, sizeof(shown), slice_of_text(place)),
              log_slice(message, sizeof(message), slice_of_text(problem->message)));
}

static void first_problem(const struct conf_problem *problem, void *argument)
{
    struct daemon_service *service = argument;
    char place[PLACE_BYTES];
    if (service->reload_failure[0] != '\0' || problem->severity != CONF_ERROR)
        return;
    /* Cut rather than left out when it is too long: "" would say that nothing failed. */
    snprintf(service->reload_failure, sizeof(service->reload_failure), "%s%s",
             place_text(problem, place, sizeof(place)), problem->message);
}

static void needs_restart(const char *path, void *argument)
{
    struct conf_report *report = argument;
    conf_report_add(report, CONF_WARNING, NULL, "%s changed: it takes effect at the next start",
                    path);
}

/* Listen addresses are bound for the life of the process, and plans name them by position. */
static void refuse_listen(const char *path, void *argument)
{
    struct daemon_reload_job *reload = argument;
    if (strncmp(path, "listen", 6) != 0)
        return;
    conf_report_add(reload->report, CONF_ERROR, NULL,
                    "%s changed: listen addresses cannot be changed by a reload", path);
    conf_report_expect(reload->report, "the addresses that the daemon started with; restart it to "
                                       "change them");
    reload->error = ERROR_CONFIG;
}

static bool same_listen(const struct daemon_settings *a, const struct daemon_settings *b)
{
    return a->proxy.listeners.count == b->proxy.listeners.count;
}

static void compare(struct daemon_reload_job *reload)
{
    const struct daemon_settings *old = &reload->service->snapshot->settings;
    const struct daemon_settings *new = &reload->snapshot->settings;
    if (!same_listen(old, new))
        refuse_listen("listen", reload);
    else
        conf_section_differs(&daemon_section, old, new, refuse_listen, reload);
    if (reload->error == 0)
        conf_section_differs(&daemon_section, old, new, needs_restart, reload->report);
}

static void destroy_snapshot(void *object)
{
    daemon_snapshot_destroy(object);
}

static void install(struct daemon_reload_job *reload)
{
    struct daemon_service *service = reload->service;
    struct daemon_snapshot *old = service->snapshot;
    service->snapshot = reload->snapshot;
    atomic_store_explicit(&service->shared.current, reload->snapshot, memory_order_release);
    log_set_level((enum log_level)reload->snapshot->settings.log.level);
    /* Out of memory: the old snapshot stays, unused; losing it beats freeing it under a worker. */
    if (reclaim_retire(service->shared.reclaim, old, destroy_snapshot) != 0)
        log_error("reload", "out of memory: the old snapshot cannot be freed");
    for (size_t i = 0; i < service->shared.workers; i++)
        daemon_worker_nudge(service->workers[i]);
    service->reloads++;
    service->reload_failure[0] = '\0';
    log_notice("reload", "rules %s are in force (%zu rules)",
               rule_set_version(screen_policy_rules(reload->snapshot->policy)),
               rule_set_count(screen_policy_rules(reload->snapshot->policy)));
}

static bool all_adopted(const struct daemon_service *service)
{
    for (size_t i = 0; i < service->shared.workers; i++)
        if (!daemon_worker_has_adopted(service->workers[i]))
            return false;
    return true;
}

struct daemon_stalls daemon_stalls(const struct daemon_service *service)
{
    struct daemon_stalls stalls = {0, 0};
    for (size_t i = 0; i < service->shared.workers; i++) {
        const struct daemon_turns *turns = daemon_worker_turns(service->workers[i]);
        uint64_t longest_us = atomic_load_explicit(&turns->longest_us, memory_order_relaxed);
        uint64_t reload_us = atomic_load_explicit(&turns->reload_longest_us, memory_order_relaxed);
        stalls.longest_us = longest_us > stalls.longest_us ? longest_us : stalls.longest_us;
        stalls.reload_us = reload_us > stalls.reload_us ? reload_us : stalls.reload_us;
    }
    return stalls;
}

static void answer_success(const struct daemon_reload_job *reload)
{
    const struct daemon_service *service = reload->service;
    char memory[64];
    struct buffer stall = buffer_over(memory, sizeof(memory));
    conf_value_append_duration(&stall, daemon_stalls(service).reload_us);
    ctl_reply_result(reload->reply, CTL_STATUS_OK, "rules %s are in force%s%s; %s %.*s",
                     rule_set_version(screen_policy_rules(service->snapshot->policy)),
                     reload->reputation[0] != '\0' ? "; " : "", reload->reputation,
                     all_adopted(service) ? "longest worker stall"
                                          : "a worker is still busy with old messages, stalled",
                     SLICE_ARGS(buffer_slice(&stall)));
}

static void answer(struct daemon_reload_job *reload)
{
    char *memory = malloc(REPORT_BYTES);
    struct ctl_reply *reply = reload->reply;
    if (memory != NULL) {
        struct buffer json = buffer_over(memory, REPORT_BYTES);
        conf_report_json(reload->report, &json);
        ctl_reply_line(reply, buffer_slice(&json));
        free(memory);
    }
    if (reload->error == 0)
        answer_success(reload);
    else
        ctl_reply_result(reply, CTL_STATUS_FAILED, "refused, the old configuration stays: %s",
                         reload->service->reload_failure);
    ctl_reply_finish(reply);
}

/* The reload is over: in force with every worker, or refused. */
static void conclude(struct daemon_reload_job *reload)
{
    struct daemon_service *service = reload->service;
    atomic_fetch_add_explicit(&service->shared.reloading, 1, memory_order_relaxed);
    service->reload = NULL;
    rt_process_notify("READY=1");
    if (reload->reply != NULL)
        answer(reload);
    conf_report_destroy(reload->report);
    free(reload);
    if (service->reload_again)
        daemon_reload_by_signal(service);
}

static void look_for_adoption(struct rt_timer *timer, uint64_t now_us)
{
    struct daemon_reload_job *reload = LIST_ENTRY(timer, struct daemon_reload_job, adoption);
    if (all_adopted(reload->service) || now_us >= reload->give_up_us)
        conclude(reload);
    else
        rt_timer_set(reload->service->wheel, timer, now_us, ADOPTION_LOOK_US);
}

void daemon_reload_settle(struct daemon_service *service)
{
    struct daemon_reload_job *reload = service->reload;
    if (reload == NULL)
        return;
    rt_timer_cancel(service->wheel, &reload->adoption);
    conclude(reload);
}

/* On the control thread. */
static void finish(void *target, void *argument)
{
    struct daemon_service *service = target;
    struct daemon_reload_job *reload = argument;
    uint64_t now_us = rt_loop_now(service->loop);
    rt_thread_join(service->builder);
    service->builder = NULL;
    conf_report_each(reload->report, log_problem, NULL);
    if (reload->error == 0) {
        install(reload);
        reload->give_up_us = now_us + ADOPTION_WAIT_US;
        rt_timer_set(service->wheel, &reload->adoption, now_us, ADOPTION_LOOK_US);
        return;
    }
    service->reload_failure[0] = '\0';
    conf_report_each(reload->report, first_problem, service);
    log_error("reload", "refused, the old configuration stays: %s", service->reload_failure);
    daemon_snapshot_destroy(reload->snapshot);
    conclude(reload);
}

/* The numbers of the memory store, which all workers see at once: last, when nothing else can
 * refuse any more. */
static void reload_numbers(struct daemon_reload_job *reload)
{
    struct daemon_service *service = reload->service;
    if (service->snapshot->settings.reputation.backend != REP_BACKEND_MEMORY)
        return;
    reload->error =
        rep_store_reload(service->shared.store, reload->reputation, sizeof(reload->reputation));
    if (reload->error == 0)
        return;
    conf_report_add(reload->report, CONF_ERROR, NULL, "reputation.csv: %s",
                    reload->reputation[0] != '\0' ? reload->reputation : error_text(reload->error));
    conf_report_expect(reload->report, "a file as docs/redis.md says; the numbers held stay");
}

/* On the builder thread: all that takes time. The snapshot in force is replaced by finish() only.
 */
static void build(void *argument)
{
    struct daemon_reload_job *reload = argument;
    struct daemon_service *service = reload->service;
    rt_thread_give_way();
    reload->error =
        daemon_snapshot_load(service->config_path, service->snapshot, service->shared.registry,
                             service->ledger, service->resolver, reload->report, &reload->snapshot);
    /* Names that are new are looked up before anybody calls them. */
    if (reload->error == 0)
        (void)tp_resolver_settle(service->resolver, service->snapshot->settings.dns.start_wait_us);
    if (reload->error == 0)
        compare(reload);
    if (reload->error == 0)
        reload_numbers(reload);
    /* The mailbox lives as long as the service, which joins this thread before it goes. */
    if (rt_mailbox_post(service->mailbox, finish, reload) != 0)
        log_error("reload", "out of memory: the reload is lost, the old configuration stays");
}

int daemon_reload(struct daemon_service *service, struct ctl_reply *reply)
{
    if (service->reload != NULL) {
        log_warning("reload", "a reload is under way already; this one is not done");
        return -EBUSY;
    }
    int error = -ENOMEM;
    struct daemon_reload_job *reload = calloc(1, sizeof(*reload));
    if (reload == NULL)
        return -ENOMEM;
    reload->service = service;
    reload->reply = reply;
    rt_timer_init(&reload->adoption, look_for_adoption);
    error = conf_report_create(&reload->report);
    if (error == 0)
        error = rt_thread_start("builder", -1, build, reload, &service->builder);
    if (error != 0) {
        conf_report_destroy(reload->report);
        free(reload);
        return error;
    }
    service->reload = reload;
    rt_process_notify_reloading();
    atomic_fetch_add_explicit(&service->shared.reloading, 1, memory_order_relaxed);
    return CTL_LATER;
}

void daemon_reload_by_signal(struct daemon_service *service)
{
    /* The reload under way may have read the old file already. */
    service->reload_again = service->reload != NULL;
    if (service->reload == NULL && daemon_reload(service, NULL) < 0)
        log_error("reload", "could not be started; the old configuration stays");
}
