/* SPDX-License-Identifier: Apache-2.0 */
#include "control/stats_server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "connection_int.h"
#include "listener_int.h"
#include "stats/json.h"
#include "stats_request_int.h"

/* The history is looked at so often while somebody wants events. */
#define EVENTS_US ((uint64_t)20000)
/* Readers that took nothing are looked for so often. */
#define STALL_CHECK_US ((uint64_t)500000)

enum {
    EVENTS_PER_TICK = 2048, /* so that a burst does not keep the loop from its other work */
    EVENTS_PER_REPLAY = 256,
    /* A gap is told when the queue is down to this part, not for each single line that fits. */
    GAP_DIVISOR = 2,
};

/* Readers with one interval share their lines, deltas included. */
struct group {
    struct list_link link;
    struct list_link readers;
    uint64_t interval_us;
    uint64_t due_us;
    struct stats_stream *stream;
};

struct reader {
    struct list_link link;       /* of the server */
    struct list_link group_link; /* of its group */
    struct ctl_stats_server *server;
    struct group *group;
    struct ctl_connection *connection;
    struct ctl_stats_request request;
    bool replaying;    /* takes its events from the history, until it has those of all others */
    uint64_t replayed; /* number of the last one that it has, or did without */
    uint64_t missed_counts;
    uint64_t missed_events;
    uint64_t taken; /* bytes it had taken when it last took some */
    uint64_t taken_us;
};

struct ctl_stats_server {
    struct rt_loop *loop;
    struct ctl_stats_settings settings;
    struct stats_source source;
    struct stats_history *history;
    uint64_t told;                     /* number of the last event that live readers have */
    struct stats_history_entry *entry; /* the one that is being told */
    struct ctl_listener *listener;
    struct stats_stream *stream; /* for lines that are not counts */
    struct list_link groups;
    struct list_link readers;
    size_t reader_count;
    size_t event_readers;
    uint64_t stall_check_us;
    int timer; /* -1 until started */
    struct rt_watch *timer_watch;
};

static void wake_soon(struct ctl_stats_server *server, uint64_t wait_us)
{
    if (server->timer < 0)
        return;
    if (wait_us == 0)
        wait_us = 1; /* 0 would disarm it */
    const struct itimerspec when = {.it_value = {.tv_sec = (time_t)(wait_us / 1000000),
                                                 .tv_nsec = (long)(wait_us % 1000000) * 1000}};
    int error = timerfd_settime(server->timer, 0, &when, NULL);
    assert(error == 0);
    (void)error;
}

/* ---- sending ------------------------------------------------------------------------------ */

static bool send_text(struct reader *reader, struct slice text)
{
    struct ctl_line *line;
    if (ctl_line_create(text, &line) != 0)
        return false;
    int error = ctl_connection_send(reader->connection, line);
    ctl_line_release(line);
    return error == 0;
}

/* True when the reader knows of everything that it missed. */
static bool tell_gap(struct reader *reader)
{
    struct slice text;
    if (reader->missed_counts + reader->missed_events == 0)
        return true;
    if (stats_stream_gap(reader->server->stream, clock_wall_us(), reader->missed_counts,
                         reader->missed_events, &text) != 0 ||
        !ctl_connection_has_room(reader->connection, text.length, GAP_DIVISOR) ||
        !send_text(reader, text))
        return false;
    reader->missed_counts = 0;
    reader->missed_events = 0;
    return true;
}

static void deliver(struct reader *reader, struct ctl_line *line, uint64_t *missed)
{
    if (!tell_gap(reader) || ctl_connection_send(reader->connection, line) != 0)
        (*missed)++;
}

static void tell_error(struct reader *reader, struct slice message)
{
    char memory[1024];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    struct stats_json json = stats_json_into(&buffer);
    stats_json_begin_object(&json, NULL);
    stats_json_text(&json, "kind", "error");
    stats_json_uint(&json, "schema", STATS_SCHEMA);
    stats_json_slice(&json, "message", message);
    stats_json_end_object(&json);
    buffer_append_char(&buffer, '\n');
    if (!buffer.overflow)
        (void)send_text(reader, buffer_slice(&buffer)); /* a full queue has told it already */
}

/* ---- groups ------------------------------------------------------------------------------- */

static struct group *find_group(struct ctl_stats_server *server, uint64_t interval_us)
{
    for (struct list_link *link = server->groups.next; link != &server->groups; link = link->next) {
        struct group *group = LIST_ENTRY(link, struct group, link);
        if (group->interval_us == interval_us)
            return group;
    }
    return NULL;
}

static int create_group(struct ctl_stats_server *server, uint64_t interval_us, struct group **group)
{
    struct group *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    uint64_t now_us = rt_loop_now(server->loop);
    int error = stats_stream_create(&server->source, now_us, &made->stream);
    if (error != 0) {
        free(made);
        return error;
    }
    made->interval_us = interval_us;
    made->due_us = now_us + interval_us;
    list_init(&made->readers);
    list_append(&server->groups, &made->link);
    wake_soon(server, 1);
    *group = made;
    return 0;
}

static void leave_group(struct reader *reader)
{
    struct group *group = reader->group;
    if (group == NULL)
        return;
    reader->group = NULL;
    list_remove(&reader->group_link);
    if (!list_is_empty(&group->readers))
        return;
    list_remove(&group->link);
    stats_stream_destroy(group->stream);
    free(group);
}

static int join_group(struct reader *reader, uint64_t interval_us)
{
    struct group *group = find_group(reader->server, interval_us);
    if (group == NULL) {
        int error = create_group(reader->server, interval_us, &group);
        if (error != 0)
            return error;
    }
    if (group == reader->group)
        return 0;
    leave_group(reader);
    list_append(&group->readers, &reader->group_link);
    reader->group = group;
    return 0;
}

static void send_counts(struct group *group, uint64_t now_us, uint64_t wall_us)
{
    struct slice text;
    struct ctl_line *line;
    /* Without memory this line is left out; the next one holds what it would have said. */
    if (stats_stream_counts(group->stream, wall_us, now_us, &text) != 0 ||
        ctl_line_create(text, &line) != 0)
        return;
    for (struct list_link *link = group->readers.next; link != &group->readers; link = link->next) {
        struct reader *reader = LIST_ENTRY(link, struct reader, group_link);
        if (reader->request.counts)
            deliver(reader, line, &reader->missed_counts);
    }
    ctl_line_release(line);
}

/* Sends what is due; returns the time until the next. */
static uint64_t tick_groups(struct ctl_stats_server *server, uint64_t now_us, uint64_t wall_us)
{
    uint64_t wait_us = UINT64_MAX;
    for (struct list_link *link = server->groups.next; link != &server->groups; link = link->next) {
        struct group *group = LIST_ENTRY(link, struct group, link);
        if (group->due_us <= now_us) {
            send_counts(group, now_us, wall_us);
            group->due_us += group->interval_us;
            if (group->due_us <= now_us)
                group->due_us = now_us + group->interval_us;
        }
        if (group->due_us - now_us < wait_us)
            wait_us = group->due_us - now_us;
    }
    return wait_us;
}

/* ---- events ------------------------------------------------------------------------------- */

static bool wants(const struct reader *reader, const struct stats_history_entry *entry)
{
    return stats_filter_matches(&reader->request.filter, reader->server->source.registry,
                                &entry->tags);
}

static void fan_out(struct ctl_stats_server *server, const struct stats_history_entry *entry)
{
    struct ctl_line *line = NULL;
    bool made = ctl_line_create(slice_make(entry->line, entry->length), &line) == 0;
    for (struct list_link *link = server->readers.next; link != &server->readers;
         link = link->next) {
        struct reader *reader = LIST_ENTRY(link, struct reader, link);
        if (!reader->request.events || reader->replaying || !wants(reader, entry))
            continue;
        if (made)
            deliver(reader, line, &reader->missed_events);
        else
            reader->missed_events++;
    }
    ctl_line_release(line);
}

/* Events that fell out of the history before this server saw them: nobody knows who wanted them. */
static void note_missed(struct ctl_stats_server *server, uint64_t missed)
{
    for (struct list_link *link = server->readers.next; link != &server->readers;
         link = link->next) {
        struct reader *reader = LIST_ENTRY(link, struct reader, link);
        if (reader->request.events && !reader->replaying)
            reader->missed_events += missed;
    }
}

/* True when there may be more. */
static bool tell_live(struct ctl_stats_server *server)
{
    for (size_t i = 0; i < EVENTS_PER_TICK; i++) {
        struct stats_history_entry *entry = server->entry;
        if (stats_history_next(server->history, server->told, entry) != 0)
            return false;
        if (entry->seq > server->told + 1)
            note_missed(server, entry->seq - server->told - 1);
        server->told = entry->seq;
        fan_out(server, entry);
    }
    return true;
}

/* Only as much as its queue takes well: the history waits for it. True when it may take more. */
static bool replay(struct reader *reader)
{
    struct ctl_stats_server *server = reader->server;
    for (size_t i = 0; i < EVENTS_PER_REPLAY; i++) {
        struct stats_history_entry *entry = server->entry;
        if (reader->replayed >= server->told ||
            stats_history_next(server->history, reader->replayed, entry) != 0) {
            reader->replaying = false;
            return false;
        }
        if (entry->seq > reader->replayed + 1)
            reader->missed_events += entry->seq - reader->replayed - 1;
        reader->replayed = entry->seq - 1;
        if (!tell_gap(reader) ||
            !ctl_connection_has_room(reader->connection, entry->length, GAP_DIVISOR))
            return false;
        reader->replayed = entry->seq;
        if (wants(reader, entry) && !send_text(reader, slice_make(entry->line, entry->length)))
            reader->missed_events++;
    }
    return true;
}

static bool replay_all(struct ctl_stats_server *server)
{
    bool more = false;
    for (struct list_link *link = server->readers.next; link != &server->readers;
         link = link->next) {
        struct reader *reader = LIST_ENTRY(link, struct reader, link);
        if (reader->replaying && replay(reader))
            more = true;
    }
    return more;
}

static uint64_t tick_events(struct ctl_stats_server *server)
{
    if (server->event_readers == 0) {
        server->told = stats_history_span(server->history).newest;
        return UINT64_MAX;
    }
    bool more = tell_live(server);
    more = replay_all(server) || more;
    return more ? 0 : EVENTS_US;
}

/* Where that cannot be, an error line says so, and everything that is held follows. */
static void begin_replay(struct reader *reader, const struct ctl_stats_request *wanted)
{
    struct ctl_stats_server *server = reader->server;
    struct stats_history_span span = stats_history_span(server->history);
    char epoch[STATS_EPOCH_TEXT], memory[256];
    struct buffer problem = buffer_over(memory, sizeof(memory));
    stats_epoch_text(&server->source.epoch, epoch);
    reader->replaying = true;
    reader->replayed = wanted->after;
    if (wanted->epoch[0] != '\0' && strcmp(wanted->epoch, epoch) != 0) {
        buffer_append_literal(&problem, "resume: this is another epoch: ");
        buffer_append_text(&problem, epoch);
    } else if (wanted->after > span.newest) {
        buffer_append_literal(&problem, "resume: ");
        buffer_append_uint(&problem, wanted->after);
        buffer_append_literal(&problem, " is beyond the newest event, ");
        buffer_append_uint(&problem, span.newest);
    } else {
        return;
    }
    buffer_append_literal(&problem, "; events follow from the oldest that is held");
    tell_error(reader, buffer_slice(&problem));
    reader->replayed = span.oldest - 1;
}

/* ---- readers ------------------------------------------------------------------------------ */

static void reader_destroy(struct reader *reader)
{
    leave_group(reader);
    list_remove(&reader->link);
    reader->server->reader_count--;
    if (reader->request.events)
        reader->server->event_readers--;
    ctl_connection_destroy(reader->connection);
    free(reader);
}

static void on_line(void *owner, struct slice line)
{
    struct reader *reader = owner;
    struct ctl_stats_request wanted = reader->request;
    char memory[512];
    struct buffer problem = buffer_over(memory, sizeof(memory));
    if (slice_trim(line).length == 0)
        return;
    int error = ctl_stats_request_parse(line, &wanted, &problem);
    if (error == 0)
        error = join_group(reader, wanted.interval_us);
    if (error != 0) {
        tell_error(reader, problem.length > 0 && !problem.overflow
                               ? buffer_slice(&problem)
                               : slice_of_text(error_text(error)));
        return;
    }
    if (wanted.events != reader->request.events)
        reader->server->event_readers += wanted.events ? 1 : (size_t)-1;
    reader->request = wanted;
    reader->replaying = reader->replaying && wanted.events;
    if (wanted.resume)
        begin_replay(reader, &wanted);
    if (wanted.events)
        wake_soon(reader->server, 1);
}

static void on_line_too_long(void *owner)
{
    struct reader *reader = owner;
    tell_error(reader, SLICE("a request has at most 4096 bytes"));
    ctl_connection_finish(reader->connection);
}

static void on_drained(void *owner)
{
    struct reader *reader = owner;
    (void)tell_gap(reader);
    if (reader->replaying)
        wake_soon(reader->server, 1);
}

static void on_closed(void *owner)
{
    reader_destroy(owner);
}

static const struct ctl_connection_events reader_events = {
    .line = on_line,
    .line_too_long = on_line_too_long,
    .drained = on_drained,
    .closed = on_closed,
};

static int greet(struct reader *reader)
{
    struct slice text;
    int error =
        stats_stream_hello(reader->server->stream, clock_wall_us(), reader->request.interval_us,
                           stats_history_span(reader->server->history), &text);
    return error != 0 ? error : send_text(reader, text) ? 0 : -ENOMEM;
}

static int reader_create(struct ctl_stats_server *server, int descriptor, struct reader **reader)
{
    struct reader *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        close(descriptor);
        return -ENOMEM;
    }
    made->server = server;
    made->request =
        (struct ctl_stats_request){.counts = true, .interval_us = server->settings.interval_us};
    made->taken_us = rt_loop_now(server->loop);
    list_init(&made->group_link);
    list_append(&server->readers, &made->link);
    server->reader_count++;

    const struct ctl_connection_limits limits = {CTL_STATS_REQUEST_MAXIMUM,
                                                 server->settings.queue_bytes};
    int error = ctl_connection_create(server->loop, descriptor, &limits, &reader_events, made,
                                      &made->connection);
    if (error != 0) {
        made->connection = NULL;
        reader_destroy(made);
        return error;
    }
    *reader = made;
    return 0;
}

static void on_accepted(void *owner, int descriptor)
{
    struct ctl_stats_server *server = owner;
    struct reader *reader;
    bool full = server->reader_count >= server->settings.clients;
    int error = reader_create(server, descriptor, &reader);
    if (error == 0 && full) {
        tell_error(reader, SLICE("too many readers: raise stats.clients or close others"));
        reader->request.counts = false;
        ctl_connection_finish(reader->connection);
        return;
    }
    if (error == 0) {
        error = greet(reader);
        if (error == 0)
            error = join_group(reader, reader->request.interval_us);
        if (error != 0)
            reader_destroy(reader);
    }
    if (error != 0)
        log_warning("stats", "a reader was turned away: %s", error_text(error));
}

static void close_stalled(struct ctl_stats_server *server, uint64_t now_us)
{
    struct list_link *next;
    for (struct list_link *link = server->readers.next; link != &server->readers; link = next) {
        struct reader *reader = LIST_ENTRY(link, struct reader, link);
        next = link->next;
        uint64_t taken = ctl_connection_sent(reader->connection);
        if (taken != reader->taken || ctl_connection_is_idle(reader->connection)) {
            reader->taken = taken;
            reader->taken_us = now_us;
        } else if (now_us - reader->taken_us >= server->settings.stalled_us) {
            log_info("stats", "a reader took nothing for %llu s and is closed",
                     (unsigned long long)(server->settings.stalled_us / 1000000));
            reader_destroy(reader);
        }
    }
}

/* ---- life --------------------------------------------------------------------------------- */

uint64_t ctl_stats_server_tick(struct ctl_stats_server *server, uint64_t now_us, uint64_t wall_us)
{
    uint64_t events_us = tick_events(server);
    uint64_t counts_us = tick_groups(server, now_us, wall_us);
    if (now_us - server->stall_check_us >= STALL_CHECK_US) {
        close_stalled(server, now_us);
        server->stall_check_us = now_us;
    }
    uint64_t wait_us = server->reader_count > 0 ? STALL_CHECK_US : UINT64_MAX;
    if (events_us < wait_us)
        wait_us = events_us;
    return counts_us < wait_us ? counts_us : wait_us;
}

static void on_timer(void *argument, int descriptor, unsigned ready)
{
    struct ctl_stats_server *server = argument;
    uint64_t expired;
    (void)ready;
    if (read(descriptor, &expired, sizeof(expired)) < 0)
        return; /* set anew meanwhile */
    uint64_t wait_us =
        ctl_stats_server_tick(server, rt_loop_refresh(server->loop), clock_wall_us());
    if (wait_us != UINT64_MAX)
        wake_soon(server, wait_us);
}

int ctl_stats_server_start(struct ctl_stats_server *server)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0)
        return -errno;
    int error =
        rt_watch_create(server->loop, timer, RT_READABLE, on_timer, server, &server->timer_watch);
    if (error != 0) {
        close(timer);
        return error;
    }
    server->timer = timer;
    wake_soon(server, 1);
    return 0;
}

int ctl_stats_server_create(struct rt_loop *loop, const struct ctl_stats_settings *settings,
                            const struct stats_source *source, struct stats_history *history,
                            struct ctl_stats_server **server)
{
    struct ctl_stats_server *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->loop = loop;
    made->settings = *settings;
    made->source = *source;
    made->timer = -1;
    made->stall_check_us = rt_loop_now(loop);
    made->history = history;
    made->told = stats_history_span(history).newest;
    list_init(&made->groups);
    list_init(&made->readers);

    int error = -ENOMEM;
    made->entry = malloc(sizeof(*made->entry));
    if (made->entry == NULL)
        goto out;
    error = stats_stream_create(source, rt_loop_now(loop), &made->stream);
    if (error == 0)
        error = ctl_listener_create(loop, &settings->socket, on_accepted, made, &made->listener);
    if (error != 0)
        goto out;
    *server = made;
    made = NULL;
out:
    ctl_stats_server_destroy(made);
    return error;
}

size_t ctl_stats_server_clients(const struct ctl_stats_server *server)
{
    return server->reader_count;
}

void ctl_stats_server_pause(struct ctl_stats_server *server, bool paused)
{
    ctl_listener_pause(server->listener, paused);
}

void ctl_stats_server_destroy(struct ctl_stats_server *server)
{
    if (server == NULL)
        return;
    ctl_listener_destroy(server->listener);
    struct list_link *link;
    while ((link = list_first(&server->readers)) != NULL)
        reader_destroy(LIST_ENTRY(link, struct reader, link));
    if (server->timer_watch != NULL)
        rt_watch_destroy(server->timer_watch);
    if (server->timer >= 0)
        close(server->timer);
    stats_stream_destroy(server->stream);
    free(server->entry);
    free(server);
}
