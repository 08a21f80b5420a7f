/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/transport.h"

#include <errno.h>
#include <stdlib.h>

#include "transport_int.h"

static int watch_endpoints(struct tp_worker *worker)
{
    int error =
        rt_watch_create(worker->loop, rt_wake_descriptor(worker->group->wakes[worker->index]),
                        RT_READABLE, tp_steering_rung, worker, &worker->wake_watch);
    for (size_t i = 0; error == 0 && i < worker->group->settings.listener_count; i++) {
        struct endpoint *endpoint = &worker->endpoints[i];
        endpoint->worker = worker;
        endpoint->listener = (uint16_t)i;
        if (group_is_stream(worker->group, i))
            continue;
        error = rt_watch_create(worker->loop, group_socket(worker->group, i, worker->index),
                                RT_READABLE, tp_udp_ready, endpoint, &endpoint->watch);
    }
    return error;
}

static bool has_streams(const struct tp_group *group)
{
    for (size_t i = 0; i < group->settings.listener_count; i++)
        if (group_is_stream(group, i))
            return true;
    return false;
}

int tp_worker_create(struct tp_group *group, size_t index, struct rt_loop *loop,
                     struct rt_wheel *wheel, struct stats_shard *stats,
                     const struct tp_events *events, void *argument, struct tp_worker **worker)
{
    if (index >= group->settings.workers)
        return -EINVAL;
    struct tp_worker *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->group = group;
    made->index = index;
    made->loop = loop;
    made->stats = stats;
    made->events = *events;
    made->argument = argument;

    int error = tp_receiver_create(group->settings.batch, &made->receiver);
    if (error == 0)
        error = tp_sender_create(group, index, stats, &made->sender);
    if (error == 0)
        error = watch_endpoints(made);
    if (error == 0 && has_streams(group))
        error = wheel != NULL ? tp_streams_create(made, wheel, &made->streams) : -EINVAL;
    if (error != 0) {
        tp_worker_destroy(made);
        return error;
    }
    *worker = made;
    return 0;
}

void tp_worker_send(struct tp_worker *worker, uint16_t listener, const struct tp_address *to,
                    struct slice bytes, uint64_t cookie)
{
    if (!group_is_stream(worker->group, listener)) {
        tp_sender_queue(worker->sender, listener, to, bytes, cookie);
        return;
    }
    const struct tp_outgoing message = {
        .bytes = bytes,
        .to = to,
        .cookie = cookie,
        .worker = (uint32_t)worker->index,
        .listener = listener,
    };
    tp_streams_send(worker->streams, &message);
}

void tp_worker_respond(struct tp_worker *worker, uint16_t listener, uint64_t connection,
                       const struct tp_address *to, struct slice bytes)
{
    if (connection == 0) {
        tp_worker_send(worker, listener, to, bytes, 0);
        return;
    }
    const struct tp_outgoing message = {
        .bytes = bytes,
        .to = to,
        .connection = connection,
        .worker = (uint32_t)worker->index,
        .listener = listener,
    };
    tp_streams_send(worker->streams, &message);
}

/* What failures make their senders send goes out with the next round. */
enum { FLUSH_ROUNDS = 8 };

void tp_worker_flush(struct tp_worker *worker)
{
    if (worker->streams != NULL)
        (void)tp_streams_flush(worker->streams);
    tp_sender_flush(worker->sender, &worker->events, worker->argument);
    for (unsigned round = 1;
         round < FLUSH_ROUNDS && worker->streams != NULL && tp_streams_flush(worker->streams);
         round++)
        tp_sender_flush(worker->sender, &worker->events, worker->argument);
    tp_steering_wake_others(worker);
}

void tp_worker_finish_batch(struct tp_worker *worker)
{
    tp_worker_flush(worker);
}

void tp_worker_pause(struct tp_worker *worker)
{
    for (size_t i = 0; i < worker->group->settings.listener_count; i++) {
        if (worker->endpoints[i].watch != NULL)
            rt_watch_destroy(worker->endpoints[i].watch);
        worker->endpoints[i].watch = NULL;
    }
    if (worker->streams != NULL)
        tp_streams_pause(worker->streams);
}

int tp_worker_listen(struct tp_worker *worker, bool listens)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < worker->group->settings.listener_count; i++)
        if (worker->endpoints[i].watch != NULL)
            error = rt_watch_set(worker->endpoints[i].watch, listens ? RT_READABLE : 0);
    if (error == 0 && worker->streams != NULL)
        error = tp_streams_listen(worker->streams, listens);
    return error;
}

void tp_worker_end_streams(struct tp_worker *worker)
{
    if (worker->streams != NULL)
        tp_streams_end(worker->streams);
}

void tp_worker_destroy(struct tp_worker *worker)
{
    if (worker == NULL)
        return;
    tp_worker_pause(worker);
    if (worker->wake_watch != NULL)
        rt_watch_destroy(worker->wake_watch);
    tp_streams_destroy(worker->streams);
    tp_receiver_destroy(worker->receiver);
    tp_sender_destroy(worker->sender);
    free(worker);
}
