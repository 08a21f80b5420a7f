/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/sink.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/thread.h"

enum { BATCH = 256 };
#define READ_WAIT_US   UINT64_C(500000)
#define PAUSE_FIRST_US UINT64_C(100000)
#define PAUSE_MOST_US  UINT64_C(5000000)

struct stats_sink {
    char *name;
    struct stats_sink_options options;
    struct stats_spool_reader *reader;
    struct stats_shard *shard;
    uint32_t delivered_label, lost_label, failures_label;
    uint64_t lost; /* what has been counted of the reader's */
    struct rt_thread *thread;
    struct stats_spool_record records[BATCH];
    _Atomic bool reopening;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t woken;
    bool stopping;
    uint64_t delivered;
    char problem[160];
};

/* ---- outages ------------------------------------------------------------------------------- */

static void note_problem(struct stats_sink *sink, int error, struct slice reason)
{
    char shown[160] = "";
    struct buffer text = buffer_over(shown, sizeof(shown) - 1);
    if (error != 0)
        buffer_append(&text,
                      slice_first(reason.length > 0 ? reason : slice_of_text(error_text(error)),
                                  sizeof(shown) - 1));
    pthread_mutex_lock(&sink->lock);
    bool had = sink->problem[0] != '\0';
    memcpy(sink->problem, shown, sizeof(shown));
    pthread_mutex_unlock(&sink->lock);
    if (error != 0 && !had)
        log_error("events", "sink %s: %s; events wait in the spool", sink->name, shown);
    if (error == 0 && had)
        log_notice("events", "sink %s: events are delivered again", sink->name);
}

/* True when the sink shall end. */
static bool pause_or_stop(struct stats_sink *sink, uint64_t wait_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t nanoseconds = (uint64_t)until.tv_nsec + wait_us * 1000;
    until.tv_sec += (time_t)(nanoseconds / 1000000000);
    until.tv_nsec = (long)(nanoseconds % 1000000000);
    int error = 0;
    pthread_mutex_lock(&sink->lock);
    while (!sink->stopping && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&sink->woken, &sink->lock, &until);
    bool stopping = sink->stopping;
    pthread_mutex_unlock(&sink->lock);
    return stopping;
}

static bool is_stopping(struct stats_sink *sink)
{
    pthread_mutex_lock(&sink->lock);
    bool stopping = sink->stopping;
    pthread_mutex_unlock(&sink->lock);
    return stopping;
}

/* ---- delivering ---------------------------------------------------------------------------- */

static void between(struct stats_sink *sink)
{
    const struct stats_sink_actions *actions = sink->options.actions;
    if (atomic_exchange_explicit(&sink->reopening, false, memory_order_relaxed) &&
        actions->reopen != NULL)
        actions->reopen(sink->options.outlet);
    if (actions->idle != NULL)
        actions->idle(sink->options.outlet, clock_monotonic_us());
    uint64_t lost = stats_spool_lost(sink->reader);
    if (lost > sink->lost)
        log_warning("events", "sink %s: %llu events were lost: the spool was full or damaged",
                    sink->name, (unsigned long long)(lost - sink->lost));
    stats_add_label(sink->shard, STATS_FAMILY_SINK_LOST, sink->lost_label, lost - sink->lost);
    sink->lost = lost;
}

/* Offers the first of the records; returns how many were accepted. */
static size_t offer(struct stats_sink *sink, const struct stats_spool_record *records, size_t count,
                    int *error)
{
    char memory[160];
    struct buffer problem = buffer_over(memory, sizeof(memory));
    size_t accepted = 0;
    *error =
        sink->options.actions->deliver(sink->options.outlet, records, count, &accepted, &problem);
    note_problem(sink, *error, buffer_slice(&problem));
    if (*error != 0)
        stats_count_label(sink->shard, STATS_FAMILY_SINK_FAILURES, sink->failures_label);
    if (accepted == 0)
        return 0;
    stats_spool_acknowledge(sink->reader, records[accepted - 1].seq);
    stats_add_label(sink->shard, STATS_FAMILY_SINK_DELIVERED, sink->delivered_label, accepted);
    pthread_mutex_lock(&sink->lock);
    sink->delivered += accepted;
    pthread_mutex_unlock(&sink->lock);
    return accepted;
}

/* Until all of them are accepted; false when the sink shall end. */
static bool deliver(struct stats_sink *sink, size_t count)
{
    uint64_t pause_us = PAUSE_FIRST_US;
    for (size_t done = 0; done < count;) {
        int error;
        size_t accepted = offer(sink, &sink->records[done], count - done, &error);
        done += accepted;
        if (accepted > 0)
            pause_us = PAUSE_FIRST_US;
        if (error == 0)
            continue;
        if (pause_or_stop(sink, pause_us))
            return false;
        between(sink);
        pause_us = pause_us * 2 < PAUSE_MOST_US ? pause_us * 2 : PAUSE_MOST_US;
    }
    return true;
}

static void run(void *argument)
{
    struct stats_sink *sink = argument;
    rt_thread_give_way();
    for (;;) {
        size_t count = stats_spool_read(sink->reader, sink->records, BATCH, READ_WAIT_US);
        between(sink);
        if (count == 0 && is_stopping(sink))
            break;
        if (count > 0 && !deliver(sink, count))
            break;
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

static void create_lock(struct stats_sink *sink)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sink->woken, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&sink->lock, NULL);
}

int stats_sink_create(const struct stats_sink_options *options, struct stats_sink **sink)
{
    struct stats_sink *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        options->actions->destroy(options->outlet);
        return -ENOMEM;
    }
    made->options = *options;
    create_lock(made);
    made->name = strdup(options->name);
    int error = made->name != NULL ? stats_shard_create(options->registry, &made->shard) : -ENOMEM;
    if (error == 0)
        error = stats_spool_reader_open(options->spool, options->name, &made->reader);
    if (error != 0) {
        stats_sink_destroy(made);
        return error;
    }
    struct slice name = slice_of_text(made->name);
    made->delivered_label = stats_label(options->registry, STATS_FAMILY_SINK_DELIVERED, name);
    made->lost_label = stats_label(options->registry, STATS_FAMILY_SINK_LOST, name);
    made->failures_label = stats_label(options->registry, STATS_FAMILY_SINK_FAILURES, name);
    *sink = made;
    return 0;
}

int stats_sink_start(struct stats_sink *sink)
{
    char name[16];
    snprintf(name, sizeof(name), "sink-%.10s", sink->name);
    return rt_thread_start(name, -1, run, sink, &sink->thread);
}

void stats_sink_reopen(struct stats_sink *sink)
{
    atomic_store_explicit(&sink->reopening, true, memory_order_relaxed);
}

void stats_sink_status(struct stats_sink *sink, struct stats_sink_status *status)
{
    *status = (struct stats_sink_status){.lost = stats_spool_lost(sink->reader),
                                         .waiting = stats_spool_waiting(sink->reader)};
    pthread_mutex_lock(&sink->lock);
    status->delivered = sink->delivered;
    memcpy(status->problem, sink->problem, sizeof(status->problem));
    pthread_mutex_unlock(&sink->lock);
}

const char *stats_sink_name(const struct stats_sink *sink)
{
    return sink->name;
}

void stats_sink_destroy(struct stats_sink *sink)
{
    if (sink == NULL)
        return;
    pthread_mutex_lock(&sink->lock);
    sink->stopping = true;
    pthread_cond_signal(&sink->woken);
    pthread_mutex_unlock(&sink->lock);
    rt_thread_join(sink->thread);
    stats_spool_reader_close(sink->reader);
    sink->options.actions->destroy(sink->options.outlet);
    pthread_cond_destroy(&sink->woken);
    pthread_mutex_destroy(&sink->lock);
    free(sink->name);
    free(sink);
}
