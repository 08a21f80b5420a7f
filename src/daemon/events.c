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

static int create_collector(struct daemon_events *events, const struct daemon_service *service,
                            const struct daemon_settings *settings)
{
    const struct stats_collector_options options = {
        .format = &events->format,
        .queues = service->queues,
        .queue_count = service->shared.workers + (service->tap != NULL ? 1 : 0),
        .history = events->history,
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
    int error = load_pseudonym_key(created, &settings->events);
    if (error == 0)
        error = stats_shard_create(service->shared.registry, &created->shard);
    if (error == 0)
        error = stats_history_create(settings->stats.history_bytes, &created->history);
    if (error == 0)
        error = create_collector(created, service, settings);
    if (error != 0) {
        daemon_events_destroy(created);
        return error;
    }
    *events = created;
    return 0;
}

struct stats_history *daemon_events_history(const struct daemon_events *events)
{
    return events->history;
}

/* ---- running ------------------------------------------------------------------------------ */

int daemon_events_start(struct daemon_events *events)
{
    return stats_collector_start(events->collector);
}

void daemon_events_stop(struct daemon_events *events)
{
    if (events != NULL)
        stats_collector_stop(events->collector);
}

void daemon_events_destroy(struct daemon_events *events)
{
    if (events == NULL)
        return;
    stats_collector_destroy(events->collector);
    stats_history_destroy(events->history);
    free(events);
}
