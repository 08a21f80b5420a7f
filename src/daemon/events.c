/* SPDX-License-Identifier: Apache-2.0 */
#include "events_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "identity/mark.h"
#include "stats/collector.h"

struct daemon_events {
    struct stats_event_format format;
    struct hash_key pseudonyms;
    struct stats_history *history;
    struct stats_shard *shard;
    struct stats_collector *collector;
    struct stats_spool *spool; /* NULL: no sinks */
    struct stats_sink *sinks[STATS_SPOOL_READERS];
    size_t sink_count;
};

/* ---- creating ----------------------------------------------------------------------------- */

static int load_pseudonym_key(struct daemon_events *events,
                              const struct daemon_event_settings *settings)
{
    uint8_t key[IDENT_KEY_BYTES];
    bool created;
    if (!settings->pseudonymise)
        return 0;
    int error = ident_key_load(settings->pseudonym_key.data, key, &created);
    if (error != 0) {
        log_error("events",
                  "pseudonym_key %s: %s; name a file of 64 hexadecimal digits, or one "
                  "that the daemon can make",
                  settings->pseudonym_key.data, error_text(error));
        return error;
    }
    if (created)
        log_notice("events",
                   "made a new key of pseudonyms in %s; whoever has it can find out "
                   "which number a pseudonym stands for",
                   settings->pseudonym_key.data);
    memcpy(&events->pseudonyms, key, sizeof(events->pseudonyms));
    events->format.pseudonyms = &events->pseudonyms;
    return 0;
}

/* Another ringfenced may still be stopping with the spool in its hands; what it has is told by it,
 * and until this one is started again its events go to sinks from memory. */
static int open_spool(struct daemon_events *events, const struct daemon_event_settings *settings)
{
    int error = stats_spool_open(settings->spool.data, settings->spool_bytes, &events->spool);
    if (error == -EWOULDBLOCK) {
        log_warning("events",
                    "spool %s: another process has it open; events are kept in memory until this "
                    "one is started again",
                    settings->spool.data);
        error = stats_spool_open(NULL, 0, &events->spool);
    }
    if (error != 0)
        log_error("events", "spool %s: %s; name a folder that the daemon can write",
                  settings->spool.data, error_text(error));
    else
        stats_history_begin(events->history, stats_spool_next(events->spool));
    return error;
}

static int create_sinks(struct daemon_events *events, struct daemon_service *service,
                        const struct daemon_event_settings *settings)
{
    const struct daemon_sink_settings *sinks = settings->sinks.items;
    if (settings->sinks.count == 0)
        return 0;
    int error = open_spool(events, settings);
    for (size_t i = 0; i < settings->sinks.count && error == 0; i++) {
        error = daemon_sink_create(service, events->spool, &sinks[i], &events->sinks[i]);
        if (error == 0)
            events->sink_count++;
    }
    return error;
}

static int create_collector(struct daemon_events *events, const struct daemon_service *service,
                            const struct daemon_settings *settings)
{
    const struct stats_collector_options options = {
        .format = &events->format,
        .queues = service->queues,
        .queue_count = service->shared.workers + (service->tap != NULL ? 1 : 0),
        .history = events->history,
        .spool = events->spool,
        .shard = events->shard,
        .rate = settings->events.rate,
    };
    return stats_collector_create(&options, &events->collector);
}

int daemon_events_create(struct daemon_service *service, struct daemon_events **events)
{
    const struct daemon_settings *settings = &service->snapshot->settings;
    struct daemon_events *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->format.source = &service->source;
    int error = stats_shard_create(service->shared.registry, &created->shard);
    if (error == 0)
        error = stats_history_create(settings->stats.history_bytes, &created->history);
    if (error != 0) {
        daemon_events_destroy(created);
        return error;
    }
    *events = created;
    return 0;
}

int daemon_events_open(struct daemon_events *events, struct daemon_service *service)
{
    const struct daemon_settings *settings = &service->snapshot->settings;
    int error = load_pseudonym_key(events, &settings->events);
    if (error == 0)
        error = create_sinks(events, service, &settings->events);
    if (error == 0)
        error = create_collector(events, service, settings);
    return error;
}

struct stats_history *daemon_events_history(const struct daemon_events *events)
{
    return events->history;
}

/* ---- running ------------------------------------------------------------------------------ */

int daemon_events_start(struct daemon_events *events)
{
    int error = 0;
    for (size_t i = 0; i < events->sink_count && error == 0; i++)
        error = stats_sink_start(events->sinks[i]);
    return error == 0 ? stats_collector_start(events->collector) : error;
}

void daemon_events_stop(struct daemon_events *events)
{
    if (events != NULL)
        stats_collector_stop(events->collector);
}

void daemon_events_reopen(struct daemon_events *events)
{
    for (size_t i = 0; i < events->sink_count; i++)
        stats_sink_reopen(events->sinks[i]);
}

void daemon_events_fill(struct daemon_events *events, struct stats_json *json)
{
    stats_json_begin_array(json, "sinks");
    for (size_t i = 0; i < events->sink_count; i++) {
        struct stats_sink_status status;
        stats_sink_status(events->sinks[i], &status);
        stats_json_begin_object(json, NULL);
        stats_json_text(json, "name", stats_sink_name(events->sinks[i]));
        stats_json_uint(json, "delivered", status.delivered);
        stats_json_uint(json, "waiting", status.waiting);
        stats_json_uint(json, "lost", status.lost);
        stats_json_slice(json, "problem",
                         status.problem[0] != '\0' ? slice_of_text(status.problem)
                                                   : (struct slice){0});
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
}

/* Sinks deliver what is left, each up to its first failure. */
void daemon_events_destroy(struct daemon_events *events)
{
    if (events == NULL)
        return;
    stats_collector_destroy(events->collector);
    if (events->spool != NULL)
        stats_spool_interrupt(events->spool);
    for (size_t i = 0; i < events->sink_count; i++)
        stats_sink_destroy(events->sinks[i]);
    stats_spool_close(events->spool);
    stats_history_destroy(events->history);
    free(events);
}
