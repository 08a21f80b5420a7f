/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/collector.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aggregate_int.h"
#include "base/clock.h"
#include "runtime/thread.h"

/* The queues are looked at so often while events come, and so often while none do. */
#define BUSY_WAIT_US  ((uint64_t)20000)
#define IDLE_WAIT_US  ((uint64_t)100000)
#define BUSY_AFTER_US ((uint64_t)1000000)

enum { RECORDS_PER_TICK = 2048 };

struct stats_collector {
    struct stats_collector_options options;
    struct stats_event_queue **queues;
    size_t queue_next; /* the queue to begin with, so that none starves */
    struct stats_aggregator *aggregator;
    uint64_t seq;
    uint64_t aggregates; /* told so far: their ids */
    uint64_t last_event_us;
    char *line;
    struct rt_thread *thread;
    pthread_mutex_t lock; /* of `stopping` */
    pthread_cond_t woken;
    bool stopping;
};

/* ---- lines --------------------------------------------------------------------------------- */

static void emit(struct stats_collector *collector, const struct stats_event *event,
                 const struct stats_aggregate *aggregate)
{
    const struct stats_collector_options *options = &collector->options;
    struct buffer out = buffer_over(collector->line, STATS_EVENT_LINE_MAXIMUM);
    struct stats_event_tags tags;
    stats_event_line(options->format, collector->seq + 1, event, aggregate, &out);
    if (out.overflow) { /* names of labels beyond all measure */
        stats_count(options->shard, STATS_EVENTS_LOST);
        return;
    }
    collector->seq++;
    if (options->spool != NULL)
        stats_spool_append(options->spool, collector->seq, buffer_slice(&out));
    stats_event_tags_of(event, &tags);
    stats_history_append(options->history, collector->seq, &tags, buffer_slice(&out));
    stats_count(options->shard, STATS_EVENTS);
}

static void aggregate_over(void *argument, const struct stats_event *event,
                           const struct stats_aggregate *aggregate)
{
    struct stats_collector *collector = argument;
    struct stats_event told = *event;
    told.sequence = ++collector->aggregates;
    told.wall_us = aggregate->until_us;
    stats_add(collector->options.shard, STATS_EVENTS_AGGREGATED, aggregate->count);
    emit(collector, &told, aggregate);
}

/* The spool first: what has been seen on the stats socket is still there after a crash. */
static void publish(struct stats_collector *collector)
{
    if (collector->options.spool != NULL)
        stats_spool_flush(collector->options.spool);
    stats_history_publish(collector->options.history);
}

/* ---- taking -------------------------------------------------------------------------------- */

/* One record from each queue in turn, until all are empty or enough were taken. */
static size_t take(struct stats_collector *collector, uint64_t now_us)
{
    size_t taken = 0;
    size_t empty = 0;
    size_t count = collector->options.queue_count;
    while (empty < count && taken < RECORDS_PER_TICK) {
        struct stats_event_queue *queue = collector->queues[collector->queue_next];
        collector->queue_next = (collector->queue_next + 1) % count;
        const struct stats_event *event = stats_event_peek(queue);
        if (event == NULL) {
            empty++;
            continue;
        }
        empty = 0;
        taken++;
        if (stats_aggregator_admit(collector->aggregator, event, now_us))
            emit(collector, event, NULL);
        stats_event_release(queue);
    }
    return taken;
}

uint64_t stats_collector_tick(struct stats_collector *collector, uint64_t now_us)
{
    size_t taken = take(collector, now_us);
    stats_aggregator_flush(collector->aggregator, now_us, false);
    publish(collector);
    if (taken > 0)
        collector->last_event_us = now_us;
    if (taken == RECORDS_PER_TICK)
        return 0;
    bool busy = now_us - collector->last_event_us < BUSY_AFTER_US ||
                stats_aggregator_is_busy(collector->aggregator);
    return busy ? BUSY_WAIT_US : IDLE_WAIT_US;
}

/* ---- thread -------------------------------------------------------------------------------- */

static bool wait_or_stop(struct stats_collector *collector, uint64_t wait_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t nanoseconds = (uint64_t)until.tv_nsec + wait_us * 1000;
    until.tv_sec += (time_t)(nanoseconds / 1000000000);
    until.tv_nsec = (long)(nanoseconds % 1000000000);
    pthread_mutex_lock(&collector->lock);
    int error = 0;
    while (!collector->stopping && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&collector->woken, &collector->lock, &until);
    bool stopping = collector->stopping;
    pthread_mutex_unlock(&collector->lock);
    return stopping;
}

static void run(void *argument)
{
    struct stats_collector *collector = argument;
    rt_thread_give_way();
    while (!wait_or_stop(collector, stats_collector_tick(collector, clock_monotonic_us())))
        continue;
}

int stats_collector_start(struct stats_collector *collector)
{
    return rt_thread_start("sinks", -1, run, collector, &collector->thread);
}

void stats_collector_stop(struct stats_collector *collector)
{
    if (collector == NULL || collector->thread == NULL)
        return;
    pthread_mutex_lock(&collector->lock);
    collector->stopping = true;
    pthread_cond_signal(&collector->woken);
    pthread_mutex_unlock(&collector->lock);
    rt_thread_join(collector->thread);
    collector->thread = NULL;
    while (stats_collector_tick(collector, clock_monotonic_us()) == 0)
        continue;
    stats_aggregator_flush(collector->aggregator, 0, true);
    publish(collector);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void create_condition(struct stats_collector *collector)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&collector->woken, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&collector->lock, NULL);
}

int stats_collector_create(const struct stats_collector_options *options,
                           struct stats_collector **collector)
{
    struct stats_collector *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->options = *options;
    create_condition(made);
    made->seq = stats_history_span(options->history).newest;
    made->line = malloc(STATS_EVENT_LINE_MAXIMUM);
    made->queues = calloc(options->queue_count + 1, sizeof(struct stats_event_queue *));
    int error = made->line != NULL && made->queues != NULL ? 0 : -ENOMEM;
    if (error == 0)
        error = stats_aggregator_create(options->rate, aggregate_over, made, &made->aggregator);
    if (error != 0) {
        stats_collector_destroy(made);
        return error;
    }
    for (size_t i = 0; i < options->queue_count; i++)
        made->queues[i] = options->queues[i];
    *collector = made;
    return 0;
}

void stats_collector_destroy(struct stats_collector *collector)
{
    if (collector == NULL)
        return;
    stats_collector_stop(collector);
    stats_aggregator_destroy(collector->aggregator);
    pthread_cond_destroy(&collector->woken);
    pthread_mutex_destroy(&collector->lock);
    free(collector->line);
    free(collector->queues);
    free(collector);
}
