/* SPDX-License-Identifier: Apache-2.0 */
/* The sinks that the configuration names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "events_int.h"
#include "reputation/event_stream.h"
#include "stats/sink_file.h"
#include "stats/sink_log.h"

/* ---- Redis --------------------------------------------------------------------------------- */

enum { REDIS_BATCH = 256 };

static int deliver_to_redis(void *outlet, const struct stats_spool_record *records, size_t count,
                            size_t *accepted, struct buffer *problem)
{
    struct slice events[REDIS_BATCH];
    if (count > REDIS_BATCH)
        count = REDIS_BATCH;
    for (size_t i = 0; i < count; i++)
        events[i] = slice_first(records[i].line, records[i].line.length - 1);
    return rep_event_stream_append(outlet, events, count, accepted, problem);
}

static void destroy_redis(void *outlet)
{
    rep_event_stream_destroy(outlet);
}

static const struct stats_sink_actions redis_actions = {.deliver = deliver_to_redis,
                                                        .destroy = destroy_redis};

static int create_redis(struct daemon_service *service, const struct daemon_sink_settings *sink,
                        void **outlet)
{
    struct rep_settings server;
    struct rep_event_stream *stream;
    daemon_reputation_convert(&service->snapshot->settings.reputation, &server);
    server.backend = REP_BACKEND_REDIS;
    if (sink->host.length > 0 || sink->unix_socket.length > 0) {
        rep_settings_default(&server);
        if (sink->host.length > 0)
            server.host = sink->host.data;
        server.port = sink->port;
        server.unix_socket = sink->unix_socket.data;
        server.database = sink->database;
    }
    if (sink->username.length > 0 || sink->password_file.length > 0) {
        server.username = sink->username.data;
        server.password = NULL;
        server.password_file = sink->password_file.data;
    }
    int error = rep_event_stream_create(&server, sink->stream.data, sink->maximum, &stream);
    if (error == 0)
        *outlet = stream;
    return error;
}

/* ---- the others ---------------------------------------------------------------------------- */

/* Texts of the settings go with the snapshot that they came from. */
static int create_file(struct daemon_service *service, const struct daemon_sink_settings *sink,
                       void **outlet)
{
    const struct stats_sink_file_settings settings = {
        .path = arena_text(service->arena, sink->path),
        .rotate_bytes = sink->rotate_bytes,
        .rotate_us = sink->rotate_us,
        .keep = sink->keep,
        .fsync_us = sink->fsync_us,
        .wall_us = clock_wall_us,
    };
    return settings.path != NULL ? stats_sink_file_create(&settings, outlet) : -ENOMEM;
}

static int create_journal(struct daemon_service *service, const struct daemon_sink_settings *sink,
                          void **outlet)
{
    (void)service;
    (void)sink;
    return stats_sink_journal_create(outlet);
}

static int create_syslog(struct daemon_service *service, const struct daemon_sink_settings *sink,
                         void **outlet)
{
    const char *path = arena_text(service->arena, sink->path);
    return path != NULL ? stats_sink_syslog_create(path, outlet) : -ENOMEM;
}

int daemon_sink_create(struct daemon_service *service, struct stats_spool *spool,
                       const struct daemon_sink_settings *settings, struct stats_sink **sink)
{
    static const struct {
        int (*create)(struct daemon_service *service, const struct daemon_sink_settings *sink,
                      void **outlet);
        const struct stats_sink_actions *actions;
    } kinds[] = {
        [DAEMON_SINK_FILE] = {create_file, &stats_sink_file_actions},
        [DAEMON_SINK_REDIS] = {create_redis, &redis_actions},
        [DAEMON_SINK_JOURNAL] = {create_journal, &stats_sink_journal_actions},
        [DAEMON_SINK_SYSLOG] = {create_syslog, &stats_sink_syslog_actions},
    };
    struct stats_sink_options options = {
        .name = settings->name.data,
        .actions = kinds[settings->kind].actions,
        .spool = spool,
        .registry = service->shared.registry,
    };
    int error = kinds[settings->kind].create(service, settings, &options.outlet);
    if (error == 0)
        error = stats_sink_create(&options, sink);
    if (error != 0)
        log_error("events", "sink %s cannot be made: %s", settings->name.data, error_text(error));
    return error;
}
