/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing sockets and calls to another process, and taking them back when that one ends before this
 * one does. src/daemon/successor.c is the other side.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/json.h"
#include "runtime/heritage.h"
#include "upgrade_int.h"

#define START_US  UINT64_C(30000000)
#define PAUSE_US  UINT64_C(5000000)
#define SERVE_US  UINT64_C(10000000)
#define FINISH_US UINT64_C(2000000)
#define REPORT_US UINT64_C(500000)
/* So long a successor has to serve before the service manager hears of it; if it ends before, this
 * process goes on as if nothing had been. */
#define PROOF_US UINT64_C(2000000)

enum state {
    STARTING,  /* the successor reads its configuration */
    PAUSING,   /* workers stop reading sockets */
    HANDING,   /* workers write down what they have */
    COMMITTED, /* the successor has everything; it has not said that it serves */
    LEAVING,   /* it serves; this process finishes its transactions */
    FINISHING  /* they are over; what the successor has passed back meanwhile is awaited */
};

struct hand {
    struct daemon_upgrade *upgrade;
    struct daemon_worker *worker;
    int link;  /* this process's end; -1 when the worker has it */
    int share; /* -1: not written */
    int error;
};

struct daemon_upgrade {
    struct daemon_service *service;
    struct ctl_reply *reply; /* NULL: answered */
    enum state state;
    pid_t child;
    int channel;
    struct rt_watch *watch;
    size_t waiting; /* workers that have not answered */
    bool broken;    /* undone; it goes when all workers have answered */
    uint64_t due_us;
    uint64_t served_us; /* when the successor began to serve */
    uint64_t leave_us;
    uint64_t report_us;
    bool proved;
    bool stopping;      /* the successor was told to end, and so is this process */
    struct hand *hands; /* [worker] */
    char failure[256];
};

/* ---- ends ---------------------------------------------------------------------------------- */

/* A child that has closed its channel is about to end; one that has not must. */
static void end_child(struct daemon_upgrade *upgrade, char *text, size_t capacity)
{
    static const struct timespec pause = {.tv_nsec = 10000000};
    int status = 0;
    pid_t ended = 0;
    for (unsigned i = 0; i < 10 && (ended = waitpid(upgrade->child, &status, WNOHANG)) == 0; i++)
        nanosleep(&pause, NULL);
    if (ended == 0) {
        kill(upgrade->child, SIGKILL);
        (void)waitpid(upgrade->child, NULL, 0);
        snprintf(text, capacity, "it was ended");
    } else if (ended > 0 && WIFSIGNALED(status)) {
        snprintf(text, capacity, "signal %d (%s) ended it", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else if (ended > 0 && WEXITSTATUS(status) == DAEMON_EXIT_CONFIG) {
        snprintf(text, capacity,
                 "its configuration or rules have errors, see the log or "
                 "\"ringfence check\"");
    } else {
        snprintf(text, capacity, "it ended with status %d, see the log", WEXITSTATUS(status));
    }
}

static void destroy(struct daemon_upgrade *upgrade)
{
    struct daemon_service *service = upgrade->service;
    if (upgrade->watch != NULL)
        rt_watch_destroy(upgrade->watch);
    for (size_t i = 0; upgrade->hands != NULL && i < service->shared.workers; i++) {
        if (upgrade->hands[i].link >= 0)
            close(upgrade->hands[i].link);
        if (upgrade->hands[i].share >= 0)
            close(upgrade->hands[i].share);
    }
    if (upgrade->channel >= 0)
        close(upgrade->channel);
    free(upgrade->hands);
    free(upgrade);
    service->upgrade = NULL;
}

static void answer_failure(struct daemon_upgrade *upgrade)
{
    log_error("upgrade", "%s; this process serves on", upgrade->failure);
    if (upgrade->reply == NULL)
        return;
    ctl_reply_result(upgrade->reply, CTL_STATUS_FAILED, "%s; the old process, %d, serves on",
                     upgrade->failure, (int)getpid());
    ctl_reply_finish(upgrade->reply);
    upgrade->reply = NULL;
}

static void take_back_letter(void *target, void *argument)
{
    (void)argument;
    if (daemon_worker_take_back(target) != 0)
        log_error("upgrade", "a worker cannot read all of its sockets any more: out of memory");
}

/* On a thread of its own it cannot just pause. */
static void serve_metrics(struct daemon_service *service, bool serve)
{
    const struct ctl_metrics_settings *settings = &service->snapshot->settings.metrics;
    if (!serve) {
        ctl_metrics_server_destroy(service->metrics);
        service->metrics = NULL;
        return;
    }
    int error = ctl_metrics_are_wanted(settings)
                    ? ctl_metrics_server_create(settings, &service->source, &service->metrics)
                    : 0;
    if (error == 0 && service->metrics != NULL)
        error = ctl_metrics_server_start(service->metrics);
    if (error != 0)
        log_error("upgrade", "metrics are not served any more: %s", error_text(error));
}

static void serve_clients(struct daemon_service *service, bool serve)
{
    rt_heritage_leave(!serve);
    serve_metrics(service, serve);
    ctl_control_server_pause(service->control, !serve);
    ctl_stats_server_pause(service->stats, !serve);
}

/* Everything as it was before: behind the letters that workers may have got already. */
static void undo(struct daemon_upgrade *upgrade)
{
    struct daemon_service *service = upgrade->service;
    if (upgrade->proved) {
        char main_process[32];
        snprintf(main_process, sizeof(main_process), "MAINPID=%d", (int)getpid());
        rt_process_notify(main_process);
    }
    if (upgrade->state >= PAUSING)
        for (size_t i = 0; i < service->shared.workers; i++)
            if (daemon_worker_post(service->workers[i], take_back_letter, NULL) != 0)
                log_error("upgrade", "worker %zu stays silent: out of memory", i);
    if (upgrade->state >= COMMITTED)
        serve_clients(service, true);
}

static void release(struct daemon_upgrade *upgrade)
{
    upgrade->broken = true;
    if (upgrade->waiting == 0)
        destroy(upgrade);
}

/* text: what went wrong, about the process that was to come. */
static void fail(struct daemon_upgrade *upgrade, const char *text)
{
    char how[128] = "it was not started";
    if (upgrade->child > 0)
        end_child(upgrade, how, sizeof(how));
    snprintf(upgrade->failure, sizeof(upgrade->failure), "the new process %s: %s", text, how);
    undo(upgrade);
    answer_failure(upgrade);
    release(upgrade);
}

/* The new process has ended as it was told to, and this one is about to: with its sockets, so that
 * answers to what it has under way still come. */
static void end_alone(struct daemon_upgrade *upgrade)
{
    log_notice("upgrade", "process %d, which took over, has ended, and so does this one",
               (int)upgrade->child);
    undo(upgrade);
    release(upgrade);
}

/* ---- the steps ------------------------------------------------------------------------------ */

static void enter(struct daemon_upgrade *upgrade, enum state state, uint64_t within_us)
{
    upgrade->state = state;
    upgrade->due_us = rt_loop_now(upgrade->service->loop) + within_us;
}

static int send_batches(struct daemon_upgrade *upgrade, enum upgrade_kind kind, const int *list,
                        size_t count)
{
    struct upgrade_message message;
    int error = 0;
    daemon_upgrade_message(&message, kind);
    for (size_t at = 0; at < count && error == 0; at += RT_CHANNEL_DESCRIPTORS) {
        size_t part = count - at < RT_CHANNEL_DESCRIPTORS ? count - at : RT_CHANNEL_DESCRIPTORS;
        error = daemon_upgrade_send(upgrade->channel, &message, list + at, part);
    }
    return error;
}

static void commit(struct daemon_upgrade *upgrade)
{
    struct daemon_service *service = upgrade->service;
    size_t count = service->shared.workers;
    int *shares = malloc((count + 1) * sizeof(*shares));
    int error = shares != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; i < count && error == 0; i++) {
        shares[i] = upgrade->hands[i].share;
        error = upgrade->hands[i].error;
    }
    if (error == 0)
        error = send_batches(upgrade, UPGRADE_SHARES, shares, count);
    free(shares);
    if (error != 0) {
        fail(upgrade, "cannot be given the calls");
        return;
    }
    serve_clients(service, false);
    enter(upgrade, COMMITTED, SERVE_US);
}

static void hand_over_letter(void *target, void *argument);

static void all_answered(struct daemon_upgrade *upgrade)
{
    struct daemon_service *service = upgrade->service;
    if (upgrade->broken) {
        destroy(upgrade);
        return;
    }
    if (upgrade->state == HANDING) {
        commit(upgrade);
        return;
    }
    enter(upgrade, HANDING, PAUSE_US);
    for (size_t i = 0; i < service->shared.workers; i++) {
        upgrade->waiting++;
        if (daemon_worker_post(service->workers[i], hand_over_letter, &upgrade->hands[i]) == 0)
            continue;
        upgrade->waiting--;
        fail(upgrade, "cannot be given the calls for want of memory");
        return;
    }
}

static void worker_answered(void *target, void *argument)
{
    struct daemon_upgrade *upgrade = argument;
    (void)target;
    if (--upgrade->waiting == 0)
        all_answered(upgrade);
}

/* On the worker's thread, as the two below. */
static void answer(const struct hand *hand)
{
    struct daemon_service *service = hand->upgrade->service;
    if (rt_mailbox_post(service->mailbox, worker_answered, hand->upgrade) != 0)
        log_error("upgrade", "out of memory: the upgrade stands still");
}

static void pause_letter(void *target, void *argument)
{
    daemon_worker_pause(target);
    answer(argument);
}

static void hand_over_letter(void *target, void *argument)
{
    struct hand *hand = argument;
    int link = hand->link;
    hand->link = -1;
    hand->error = daemon_worker_hand_over(target, link, &hand->share);
    answer(hand);
}

static void pause_workers(struct daemon_upgrade *upgrade)
{
    struct daemon_service *service = upgrade->service;
    enter(upgrade, PAUSING, PAUSE_US);
    for (size_t i = 0; i < service->shared.workers; i++) {
        upgrade->waiting++;
        if (daemon_worker_post(service->workers[i], pause_letter, &upgrade->hands[i]) == 0)
            continue;
        upgrade->waiting--;
        fail(upgrade, "cannot be given the sockets for want of memory");
        return;
    }
}

static void begin_to_leave(struct daemon_upgrade *upgrade)
{
    struct daemon_service *service = upgrade->service;
    const struct proxy_limits *limits = service->snapshot->proxy.limits;
    uint64_t now_us = rt_loop_now(service->loop);
    upgrade->state = LEAVING;
    upgrade->served_us = now_us;
    upgrade->leave_us = now_us + limits->timer_c_us + 64 * limits->t1_us;
    log_notice("upgrade", "process %d serves; this one finishes its transactions",
               (int)upgrade->child);
    if (upgrade->reply == NULL)
        return;
    ctl_reply_result(upgrade->reply, CTL_STATUS_OK,
                     "process %d serves; the old one, %d, finishes its transactions",
                     (int)upgrade->child, (int)getpid());
    ctl_reply_finish(upgrade->reply);
    upgrade->reply = NULL;
}

static void on_channel(void *argument, int channel, unsigned ready)
{
    struct daemon_upgrade *upgrade = argument;
    struct upgrade_message message;
    struct rt_channel_message received;
    (void)ready;
    int error = daemon_upgrade_receive(channel, &message, &received);
    if (error == -EAGAIN)
        return;
    if (error == 0 && message.kind == UPGRADE_READY && upgrade->state == STARTING) {
        pause_workers(upgrade);
    } else if (error == 0 && message.kind == UPGRADE_SERVING && upgrade->state == COMMITTED) {
        begin_to_leave(upgrade);
    } else if (error == 0 && message.kind == UPGRADE_STOPPING && upgrade->state >= LEAVING) {
        upgrade->stopping = true;
        daemon_life_begin_stop(upgrade->service);
    } else {
        rt_watch_destroy(upgrade->watch);
        upgrade->watch = NULL;
        if (upgrade->stopping)
            end_alone(upgrade);
        else
            fail(upgrade, upgrade->state < COMMITTED ? "did not become ready" : "did not stay");
    }
}

/* ---- leaving ------------------------------------------------------------------------------- */

static uint64_t transactions_left(const struct daemon_service *service, enum stats_gauge gauge)
{
    return stats_gauge_total(service->shared.registry, gauge);
}

static void report(struct daemon_upgrade *upgrade, uint64_t now_us)
{
    const struct daemon_service *service = upgrade->service;
    struct upgrade_message message;
    if (now_us < upgrade->report_us)
        return;
    upgrade->report_us = now_us + REPORT_US;
    daemon_upgrade_message(&message, UPGRADE_LEFT);
    message.left = (struct upgrade_left){
        .transactions = transactions_left(service, STATS_GAUGE_TRANSACTIONS),
        .lingering = transactions_left(service, STATS_GAUGE_TRANSACTIONS_LINGERING),
        .leave_us = upgrade->leave_us,
    };
    if (daemon_upgrade_send(upgrade->channel, &message, NULL, 0) != 0)
        log_debug("upgrade", "the successor has not read how much is left");
}

static void end_streams_letter(void *target, void *argument)
{
    (void)argument;
    daemon_worker_end_streams(target);
}

/* Peers connect to the successor then. */
static void end_streams(struct daemon_service *service)
{
    for (size_t i = 0; i < service->shared.workers; i++)
        if (daemon_worker_post(service->workers[i], end_streams_letter, NULL) != 0)
            log_error("upgrade", "out of memory: connections of worker %zu end with this process",
                      i);
}

static void prove(struct daemon_upgrade *upgrade, uint64_t now_us)
{
    char text[64];
    if (upgrade->proved || now_us - upgrade->served_us < PROOF_US)
        return;
    upgrade->proved = true;
    end_streams(upgrade->service);
    snprintf(text, sizeof(text), "MAINPID=%d\nSTATUS=Serving", (int)upgrade->child);
    rt_process_notify(text);
}

static void leave_letter(void *target, void *argument)
{
    (void)argument;
    daemon_worker_ask_to_leave(target);
}

static void finish(struct daemon_upgrade *upgrade)
{
    struct daemon_service *service = upgrade->service;
    enter(upgrade, FINISHING, FINISH_US);
    for (size_t i = 0; i < service->shared.workers; i++)
        if (daemon_worker_post(service->workers[i], leave_letter, NULL) != 0)
            log_error("upgrade", "out of memory: this process ends without waiting");
}

static bool is_done(const struct daemon_service *service)
{
    return transactions_left(service, STATS_GAUGE_TRANSACTIONS) == 0 &&
           transactions_left(service, STATS_GAUGE_TRANSACTIONS_LINGERING) == 0;
}

static bool all_left(const struct daemon_service *service)
{
    for (size_t i = 0; i < service->shared.workers; i++)
        if (!daemon_worker_has_left(service->workers[i]))
            return false;
    return true;
}

bool daemon_upgrade_turn(struct daemon_service *service, uint64_t now_us)
{
    struct daemon_upgrade *upgrade = service->upgrade;
    if (upgrade == NULL || upgrade->broken)
        return true;
    switch (upgrade->state) {
    case STARTING:
        if (now_us >= upgrade->due_us)
            fail(upgrade, "did not become ready in time");
        return true;
    case PAUSING:
    case HANDING:
    case COMMITTED:
        if (now_us >= upgrade->due_us)
            fail(upgrade, "did not take over in time");
        return true;
    case LEAVING:
        report(upgrade, now_us);
        prove(upgrade, now_us);
        if (upgrade->proved && (is_done(service) || now_us >= upgrade->leave_us))
            finish(upgrade);
        return true;
    case FINISHING:
        /* What was passed back last may have begun something. */
        return now_us < upgrade->due_us && !(all_left(service) && is_done(service));
    }
    return true;
}

/* ---- beginning ----------------------------------------------------------------------------- */

static int send_hello(struct daemon_upgrade *upgrade)
{
    const struct daemon_shared *shared = &upgrade->service->shared;
    struct upgrade_message message;
    daemon_upgrade_message(&message, UPGRADE_HELLO);
    message.hello.workers = (uint32_t)shared->workers;
    message.hello.listeners = (uint32_t)tp_group_listener_count(shared->group);
    message.hello.counting_us = upgrade->service->counting_us;
    message.hello.pid = (int32_t)getpid();
    message.hello.generation = (uint8_t)((shared->marks.generation + 1U) % IDENT_GENERATIONS);
    memcpy(message.hello.table_keys, shared->table_keys, sizeof(message.hello.table_keys));
    for (size_t i = 0; i < message.hello.listeners; i++) {
        const struct tp_listener_settings *listener = tp_group_listener(shared->group, i);
        message.hello.addresses[i] = listener->address;
        message.hello.protocols[i] = listener->protocol;
    }
    return daemon_upgrade_send(upgrade->channel, &message, NULL, 0);
}

static int send_sockets(struct daemon_upgrade *upgrade)
{
    size_t count = rt_heritage_count();
    int *sockets = malloc((count + 1) * sizeof(*sockets));
    if (sockets == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        sockets[i] = rt_heritage_at(i);
    int error = send_batches(upgrade, UPGRADE_SOCKETS, sockets, count);
    free(sockets);
    return error;
}

static int send_links(struct daemon_upgrade *upgrade)
{
    size_t count = upgrade->service->shared.workers;
    int *theirs = malloc((count + 1) * sizeof(*theirs));
    if (theirs == NULL)
        return -ENOMEM;
    size_t made = 0;
    int error = 0;
    for (; made < count && error == 0; made++) {
        int ends[2];
        error = rt_channel_create(ends);
        if (error != 0)
            break;
        upgrade->hands[made].link = ends[0];
        theirs[made] = ends[1];
    }
    if (error == 0)
        error = send_batches(upgrade, UPGRADE_LINKS, theirs, count);
    for (size_t i = 0; i < made; i++)
        close(theirs[i]);
    free(theirs);
    return error;
}

static int create(struct daemon_service *service, struct ctl_reply *reply,
                  struct daemon_upgrade **upgrade)
{
    struct daemon_upgrade *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->service = service;
    made->reply = reply;
    made->channel = -1;
    made->hands = calloc(service->shared.workers + 1, sizeof(*made->hands));
    *upgrade = made;
    if (made->hands == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < service->shared.workers; i++)
        made->hands[i] = (struct hand){made, service->workers[i], -1, -1, 0};
    return 0;
}

static int start(struct daemon_upgrade *upgrade, const char *binary)
{
    struct daemon_service *service = upgrade->service;
    char descriptor[12];
    int ends[2];
    snprintf(descriptor, sizeof(descriptor), "%d", RT_PROCESS_SPAWN_DESCRIPTOR);
    const char *const arguments[] = {binary,        "--config", service->config_path,
                                     "--take-over", descriptor, NULL};
    int error = rt_channel_create(ends);
    if (error != 0)
        return error;
    upgrade->channel = ends[0];
    error = rt_watch_create(service->loop, upgrade->channel, RT_READABLE, on_channel, upgrade,
                            &upgrade->watch);
    if (error == 0)
        error = send_hello(upgrade);
    if (error == 0)
        error = send_sockets(upgrade);
    if (error == 0)
        error = send_links(upgrade);
    if (error == 0)
        error = rt_process_spawn(binary, arguments, ends[1], &upgrade->child);
    close(ends[1]);
    return error;
}

/* Why not now; NULL: nothing is in the way. */
static const char *obstacle(const struct daemon_service *service, char *text, size_t capacity)
{
    if (service->tap != NULL)
        return "mode tap has no calls to hand over; restart it";
    if (service->upgrade != NULL)
        return "an upgrade is under way already";
    if (service->reload != NULL)
        return "a reload is under way; ask again when it is done";
    if (service->life.state != DAEMON_SERVING)
        return "the daemon drains; \"ringfence undrain\" first";
    if (daemon_successor_is_alone(service))
        return NULL;
    daemon_successor_describe(service, text, capacity);
    return text;
}

int daemon_command_upgrade(void *context, const struct ctl_request *request,
                           struct ctl_reply *reply)
{
    struct daemon_service *service = context;
    struct daemon_upgrade *upgrade = NULL;
    char text[256];
    const char *binary = ctl_json_text(request->arguments, "binary");
    int64_t timeout_us = ctl_json_integer(request->arguments, "timeout_us", (int64_t)START_US);
    const char *why = obstacle(service, text, sizeof(text));
    /* The program runs with all that this one may do. */
    if (binary != NULL && request->peer.uid != 0 && request->peer.uid != geteuid()) {
        ctl_reply_result(reply, CTL_STATUS_DENIED,
                         "the argument \"binary\" is for root and the daemon's own user");
        return 0;
    }
    if (why != NULL || timeout_us <= 0) {
        ctl_reply_result(reply, why != NULL ? CTL_STATUS_FAILED : CTL_STATUS_USAGE, "%s",
                         why != NULL ? why : "the argument \"timeout_us\" is not positive");
        return 0;
    }
    if (binary == NULL)
        binary = service->program;
    int error = create(service, reply, &upgrade);
    if (error == 0)
        error = start(upgrade, binary);
    if (error != 0) {
        ctl_reply_result(reply, CTL_STATUS_FAILED, "%s cannot be started: %s", binary,
                         error_text(error));
        if (upgrade != NULL)
            destroy(upgrade);
        return 0;
    }
    log_notice("upgrade", "%s is started as process %d", binary, (int)upgrade->child);
    service->upgrade = upgrade;
    enter(upgrade, STARTING, (uint64_t)timeout_us);
    return CTL_LATER;
}

bool daemon_upgrade_is_served(const struct daemon_service *service)
{
    return service->upgrade != NULL && !service->upgrade->broken &&
           service->upgrade->state >= LEAVING;
}

void daemon_upgrade_abandon(struct daemon_service *service)
{
    struct daemon_upgrade *upgrade = service->upgrade;
    if (upgrade != NULL && !upgrade->broken && upgrade->state < LEAVING)
        fail(upgrade, "came too late, the daemon ends");
}

void daemon_upgrade_destroy(struct daemon_upgrade *upgrade)
{
    if (upgrade != NULL)
        destroy(upgrade);
}
