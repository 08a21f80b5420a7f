/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Beginning with the sockets and calls of the process before. src/daemon/upgrade.c is the other
 * side.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/heritage.h"
#include "upgrade_int.h"

enum { FIRST_MESSAGE_MS = 5000, SHARES_MS = 30000, REPUTATION_LOOK_US = 20000 };
/* Calls that come before the replica is there would be judged without it. */
#define REPUTATION_WAIT_US UINT64_C(5000000)

struct daemon_successor {
    struct daemon_service *service;
    struct rt_watch *watch;
    int channel;
    int *links; /* [worker]; -1 when passed on */
    int *shares;
    size_t link_count;
    size_t share_count;
    struct upgrade_hello hello;
    struct upgrade_left left;
    uint64_t since_us;
    bool gone;
};

/* ---- messages ----------------------------------------------------------------------------- */

void daemon_upgrade_message(struct upgrade_message *message, enum upgrade_kind kind)
{
    memset(message, 0, sizeof(*message));
    message->magic = UPGRADE_MAGIC;
    message->version = UPGRADE_VERSION;
    message->kind = (uint32_t)kind;
}

int daemon_upgrade_send(int channel, const struct upgrade_message *message, const int *descriptors,
                        size_t count)
{
    return rt_channel_send(channel, slice_make((const char *)message, sizeof(*message)), SLICE(""),
                           descriptors, count);
}

int daemon_upgrade_receive(int channel, struct upgrade_message *message,
                           struct rt_channel_message *received)
{
    memset(message, 0, sizeof(*message));
    *received = (struct rt_channel_message){.memory = message, .capacity = sizeof(*message)};
    int error = rt_channel_receive(channel, received);
    if (error == 0 && (received->length != sizeof(*message) || message->magic != UPGRADE_MAGIC ||
                       message->version != UPGRADE_VERSION))
        error = ERROR_MALFORMED;
    return error == -EMSGSIZE ? ERROR_MALFORMED : error;
}

static int receive_within(int channel, unsigned timeout_ms, struct upgrade_message *message,
                          struct rt_channel_message *received)
{
    int error = daemon_upgrade_receive(channel, message, received);
    if (error != -EAGAIN)
        return error;
    error = rt_channel_wait(channel, timeout_ms);
    return error == 0 ? daemon_upgrade_receive(channel, message, received) : error;
}

/* ---- before anything is opened ------------------------------------------------------------- */

static int take_sockets(const struct rt_channel_message *received)
{
    int error = 0;
    for (size_t i = 0; i < received->count; i++) {
        if (error == 0)
            error = rt_heritage_receive(received->descriptors[i]);
        if (error != 0)
            close(received->descriptors[i]);
    }
    return error;
}

/* Appends to links or shares. */
static void take_descriptors(int *list, size_t *count, size_t limit,
                             const struct rt_channel_message *received)
{
    for (size_t i = 0; i < received->count; i++) {
        if (*count < limit)
            list[(*count)++] = received->descriptors[i];
        else
            close(received->descriptors[i]);
    }
}

static int allocate_lists(struct daemon_successor *successor)
{
    size_t workers = successor->hello.workers;
    successor->links = malloc((workers + 1) * sizeof(int));
    successor->shares = malloc((workers + 1) * sizeof(int));
    return successor->links == NULL || successor->shares == NULL ? -ENOMEM : 0;
}

/* The predecessor has sent all of it before this process was started. */
static int receive_start(struct daemon_successor *successor)
{
    struct upgrade_message message;
    struct rt_channel_message received;
    int error = receive_within(successor->channel, FIRST_MESSAGE_MS, &message, &received);
    if (error == 0 && message.kind != UPGRADE_HELLO)
        error = ERROR_MALFORMED;
    if (error != 0)
        return error;
    successor->hello = message.hello;
    error = allocate_lists(successor);
    while (error == 0 && successor->link_count < successor->hello.workers) {
        error = receive_within(successor->channel, FIRST_MESSAGE_MS, &message, &received);
        if (error == 0 && message.kind == UPGRADE_SOCKETS)
            error = take_sockets(&received);
        else if (error == 0 && message.kind == UPGRADE_LINKS)
            take_descriptors(successor->links, &successor->link_count, successor->hello.workers,
                             &received);
    }
    return error;
}

int daemon_successor_create(struct daemon_service *service, int channel,
                            struct daemon_successor **successor)
{
    struct daemon_successor *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->service = service;
    made->channel = channel;
    made->since_us = clock_monotonic_us();
    (void)fcntl(channel, F_SETFD, FD_CLOEXEC);
    rt_heritage_leave(true); /* until they are ours alone */
    *successor = made;       /* to be destroyed whatever comes of it */
    int error = receive_start(made);
    if (error == ERROR_MALFORMED)
        log_error("upgrade",
                  "the running ringfenced hands over in another way than version %d, which this "
                  "one knows; restart it",
                  UPGRADE_VERSION);
    else if (error != 0)
        log_error("upgrade",
                  "descriptor %d: nobody hands over there: %s; --take-over is for the "
                  "daemon itself, see \"ringfence upgrade\"",
                  channel, error_text(error));
    return error;
}

uint8_t daemon_successor_generation(const struct daemon_successor *successor)
{
    return successor->hello.generation;
}

uint64_t daemon_successor_counting_us(const struct daemon_successor *successor)
{
    return successor->hello.counting_us;
}

void daemon_successor_keys(const struct daemon_successor *successor, struct hash_key keys[2])
{
    memcpy(keys, successor->hello.table_keys, sizeof(successor->hello.table_keys));
}

/* Calls stay where they are: with the worker, and by the listener, that they have. */
static bool same_places(const struct daemon_successor *successor)
{
    const struct daemon_shared *shared = &successor->service->shared;
    const struct upgrade_hello *hello = &successor->hello;
    if (shared->workers != hello->workers ||
        tp_group_listener_count(shared->group) != hello->listeners)
        return false;
    for (size_t i = 0; i < hello->listeners; i++) {
        const struct tp_listener_settings *listener = tp_group_listener(shared->group, i);
        if (listener->protocol != hello->protocols[i] ||
            !tp_address_equal(&listener->address, &hello->addresses[i]))
            return false;
    }
    return true;
}

int daemon_successor_check(struct daemon_successor *successor)
{
    if (same_places(successor)) {
        (void)rt_heritage_close_rest();
        return 0;
    }
    log_error("upgrade",
              "listen addresses or the number of workers differ from those of the running daemon "
              "(%u workers, %u addresses): they take a restart",
              successor->hello.workers, successor->hello.listeners);
    return ERROR_CONFIG;
}

/* ---- the moment of change ------------------------------------------------------------------ */

static void wait_for_reputation(const struct daemon_service *service)
{
    static const struct timespec pause = {.tv_nsec = REPUTATION_LOOK_US * 1000L};
    uint64_t end_us = clock_monotonic_us() + REPUTATION_WAIT_US;
    struct rep_status status;
    do {
        rep_store_status(service->shared.store, &status);
        if (status.loaded || status.backend != REP_BACKEND_REDIS || status.mode != REP_MODE_REPLICA)
            return;
        nanosleep(&pause, NULL);
    } while (clock_monotonic_us() < end_us);
    log_warning("upgrade", "the replica is not there yet; calls are judged by what is known");
}

static int receive_shares(struct daemon_successor *successor)
{
    struct upgrade_message message;
    struct rt_channel_message received;
    int error = 0;
    while (error == 0 && successor->share_count < successor->hello.workers) {
        error = receive_within(successor->channel, SHARES_MS, &message, &received);
        if (error == 0 && message.kind == UPGRADE_SHARES)
            take_descriptors(successor->shares, &successor->share_count, successor->hello.workers,
                             &received);
    }
    return error;
}

static void on_channel(void *argument, int channel, unsigned ready)
{
    struct daemon_successor *successor = argument;
    struct upgrade_message message;
    struct rt_channel_message received;
    int error;
    (void)ready;
    while ((error = daemon_upgrade_receive(channel, &message, &received)) == 0)
        if (message.kind == UPGRADE_LEFT)
            successor->left = message.left;
    if (error == -EAGAIN || successor->gone)
        return;
    successor->gone = true;
    rt_watch_destroy(successor->watch);
    successor->watch = NULL;
    log_notice("upgrade", "the process before, %d, has ended", successor->hello.pid);
}

int daemon_successor_take(struct daemon_successor *successor)
{
    struct daemon_service *service = successor->service;
    struct upgrade_message message;
    wait_for_reputation(service);
    daemon_upgrade_message(&message, UPGRADE_READY);
    int error = daemon_upgrade_send(successor->channel, &message, NULL, 0);
    if (error == 0)
        error = receive_shares(successor);
    if (error == 0)
        error = rt_watch_create(service->loop, successor->channel, RT_READABLE, on_channel,
                                successor, &successor->watch);
    if (error != 0) {
        log_error("upgrade", "the running daemon keeps its sockets: %s", error_text(error));
        return error;
    }
    for (size_t i = 0; i < service->shared.workers; i++)
        daemon_worker_begin_with(service->workers[i], successor->links[i], successor->shares[i]);
    successor->link_count = successor->share_count = 0;
    rt_heritage_leave(false);
    return 0;
}

int daemon_successor_serving(struct daemon_successor *successor)
{
    struct upgrade_message message;
    daemon_upgrade_message(&message, UPGRADE_SERVING);
    log_notice("upgrade", "sockets and calls of process %d are taken over", successor->hello.pid);
    return daemon_upgrade_send(successor->channel, &message, NULL, 0);
}

void daemon_successor_stop(struct daemon_service *service)
{
    struct daemon_successor *successor = service->successor;
    struct upgrade_message message;
    if (successor == NULL || successor->gone)
        return;
    daemon_upgrade_message(&message, UPGRADE_STOPPING);
    if (daemon_upgrade_send(successor->channel, &message, NULL, 0) != 0)
        log_error("upgrade", "the process before, %d, was not told to end and serves on",
                  successor->hello.pid);
}

/* ---- afterwards ---------------------------------------------------------------------------- */

bool daemon_successor_is_alone(const struct daemon_service *service)
{
    if (service->successor != NULL && !service->successor->gone)
        return false;
    for (size_t i = 0; i < service->shared.workers; i++)
        if (!daemon_worker_is_alone(service->workers[i]))
            return false;
    return true;
}

uint64_t daemon_successor_leave_us(const struct daemon_service *service)
{
    return service->successor == NULL || daemon_successor_is_alone(service)
               ? 0
               : service->successor->left.leave_us;
}

void daemon_successor_describe(const struct daemon_service *service, char *text, size_t capacity)
{
    const struct daemon_successor *successor = service->successor;
    uint64_t now_us = rt_loop_now(service->loop);
    uint64_t leave_us = successor->left.leave_us;
    snprintf(text, capacity,
             "process %d, which this one took over from, still has %" PRIu64
             " transactions (%" PRIu64 " of them only linger); it ends in %" PRIu64
             " s at the latest, ask again then",
             successor->hello.pid, successor->left.transactions + successor->left.lingering,
             successor->left.lingering, leave_us > now_us ? (leave_us - now_us) / 1000000 : 0);
}

void daemon_successor_fill(const struct daemon_service *service, struct stats_json *json)
{
    const struct daemon_successor *successor = service->successor;
    stats_json_uint(json, "generation", service->shared.marks.generation);
    if (successor == NULL || daemon_successor_is_alone(service))
        return;
    stats_json_begin_object(json, "predecessor");
    stats_json_int(json, "pid", successor->hello.pid);
    stats_json_uint(json, "since_s", (rt_loop_now(service->loop) - successor->since_us) / 1000000);
    stats_json_uint(json, "transactions", successor->left.transactions);
    stats_json_uint(json, "lingering", successor->left.lingering);
    stats_json_end_object(json);
}

void daemon_successor_destroy(struct daemon_successor *successor)
{
    if (successor == NULL)
        return;
    for (size_t i = 0; i < successor->link_count; i++)
        close(successor->links[i]);
    for (size_t i = 0; i < successor->share_count; i++)
        close(successor->shares[i]);
    if (successor->watch != NULL)
        rt_watch_destroy(successor->watch);
    (void)rt_heritage_close_rest();
    close(successor->channel);
    free(successor->links);
    free(successor->shares);
    free(successor);
}
