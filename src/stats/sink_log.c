/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/sink_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/journal.h"
#include "stats/history.h"

#define SEND_WAIT_US 1000000

enum { PREFIX_BYTES = 128 };

/* A text of a peer cannot be mistaken for a key: within it quotes are escaped. */
struct slice stats_event_line_text(struct slice line, const char *key)
{
    char memory[64];
    struct buffer wanted = buffer_over(memory, sizeof(memory));
    buffer_append_char(&wanted, '"');
    buffer_append_text(&wanted, key);
    buffer_append_literal(&wanted, "\":\"");
    const char *found =
        wanted.overflow ? NULL : memmem(line.data, line.length, wanted.data, wanted.length);
    if (found == NULL)
        return (struct slice){0};
    const char *begin = found + wanted.length;
    const char *past = line.data + line.length;
    const char *end = begin;
    while (end < past && *end != '"')
        end += *end == '\\' ? 2 : 1;
    return slice_between(begin, end < past ? end : past);
}

/* "verdict: block on trunk carrier, loan-agent": for people; fields are for programs. */
static void append_summary(struct buffer *out, struct slice line)
{
    struct slice event = stats_event_line_text(line, "event");
    struct slice action = stats_event_line_text(line, "action");
    struct slice trunk = stats_event_line_text(line, "trunk_in");
    struct slice type = stats_event_line_text(line, "type");
    buffer_append(out, event);
    buffer_append_literal(out, ": ");
    buffer_append(out, action);
    buffer_append_literal(out, " on trunk ");
    buffer_append(out, trunk.data != NULL ? trunk : SLICE("-"));
    if (type.data != NULL) {
        buffer_append_literal(out, ", ");
        buffer_append(out, type);
    }
}

/* ---- journald ------------------------------------------------------------------------------ */

/* X(field, key) */
#define JOURNAL_FIELD_TABLE(X)          \
    X("RINGFENCE_ID", "id")             \
    X("RINGFENCE_KIND", "event")        \
    X("RINGFENCE_ACTION", "action")     \
    X("RINGFENCE_REASON", "reason")     \
    X("RINGFENCE_TYPE", "type")         \
    X("RINGFENCE_TRUNK_IN", "trunk_in") \
    X("RINGFENCE_NODE", "node")         \
    X("RINGFENCE_CALL_ID", "call_id")   \
    X("RINGFENCE_ALERT", "alert")

static int send_to_journal(struct slice line)
{
    static const struct {
        const char *field;
        const char *key;
    } rows[] = {
#define JOURNAL_FIELD_ROW(field, key) {(field), (key)},
        JOURNAL_FIELD_TABLE(JOURNAL_FIELD_ROW)
#undef JOURNAL_FIELD_ROW
    };
    struct rt_journal_field fields[RT_JOURNAL_FIELDS];
    char memory[512];
    struct buffer summary = buffer_over(memory, sizeof(memory));
    size_t count = 0;
    append_summary(&summary, line);
    bool alert = stats_event_line_text(line, "alert").data != NULL;
    fields[count++] = (struct rt_journal_field){"MESSAGE", buffer_slice(&summary)};
    fields[count++] = (struct rt_journal_field){"PRIORITY", alert ? SLICE("4") : SLICE("6")};
    fields[count++] = (struct rt_journal_field){"SYSLOG_IDENTIFIER", SLICE("ringfenced")};
    fields[count++] =
        (struct rt_journal_field){"RINGFENCE_EVENT", slice_first(line, line.length - 1)};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice text = stats_event_line_text(line, rows[i].key);
        if (text.data != NULL)
            fields[count++] = (struct rt_journal_field){rows[i].field, text};
    }
    return rt_journal_send(fields, count);
}

static int deliver_to_journal(void *outlet, const struct stats_spool_record *records, size_t count,
                              size_t *accepted, struct buffer *problem)
{
    (void)outlet;
    while (*accepted < count) {
        int error = send_to_journal(records[*accepted].line);
        if (error != 0) {
            buffer_format(problem, "journald: %s", error_text(error));
            return error;
        }
        ++*accepted;
    }
    return 0;
}

static void destroy_journal(void *outlet)
{
    free(outlet);
}

const struct stats_sink_actions stats_sink_journal_actions = {.deliver = deliver_to_journal,
                                                              .destroy = destroy_journal};

int stats_sink_journal_create(void **outlet)
{
    *outlet = NULL; /* the library keeps the socket */
    return 0;
}

/* ---- syslog -------------------------------------------------------------------------------- */

struct syslog_outlet {
    const char *path;
    int descriptor; /* -1: not connected */
};

static int connect_to_syslog(struct syslog_outlet *outlet)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval wait = {SEND_WAIT_US / 1000000, SEND_WAIT_US % 1000000};
    if (outlet->descriptor >= 0)
        return 0;
    if (strlen(outlet->path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, outlet->path, strlen(outlet->path));
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) != 0 ||
        connect(descriptor, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int error = -errno;
        close(descriptor);
        return error;
    }
    outlet->descriptor = descriptor;
    return 0;
}

/* RFC 3164, as programs write to the local socket: the daemon there adds the host. */
static void compose(struct buffer *out, struct slice line)
{
    time_t now = (time_t)(clock_wall_us() / 1000000);
    struct tm parts;
    char stamp[32];
    bool alert = stats_event_line_text(line, "alert").data != NULL;
    localtime_r(&now, &parts);
    strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &parts);
    buffer_format(out,
                  "<%d>%s ringfenced[%d]: @cee: ", LOG_LOCAL0 | (alert ? LOG_WARNING : LOG_INFO),
                  stamp, (int)getpid());
    buffer_append(out, slice_first(line, line.length - 1));
}

static int deliver_to_syslog(void *argument, const struct stats_spool_record *records, size_t count,
                             size_t *accepted, struct buffer *problem)
{
    struct syslog_outlet *outlet = argument;
    char memory[STATS_EVENT_LINE_MAXIMUM + PREFIX_BYTES];
    int error = connect_to_syslog(outlet);
    while (error == 0 && *accepted < count) {
        struct buffer text = buffer_over(memory, sizeof(memory));
        compose(&text, records[*accepted].line);
        if (send(outlet->descriptor, text.data, text.length, MSG_NOSIGNAL) < 0)
            error = -errno;
        else
            ++*accepted;
    }
    if (error == 0)
        return 0;
    buffer_format(problem, "%.100s: %s", outlet->path, error_text(error));
    if (outlet->descriptor >= 0 && error != -EAGAIN) {
        close(outlet->descriptor);
        outlet->descriptor = -1;
    }
    return error;
}

static void destroy_syslog(void *argument)
{
    struct syslog_outlet *outlet = argument;
    if (outlet->descriptor >= 0)
        close(outlet->descriptor);
    free(outlet);
}

const struct stats_sink_actions stats_sink_syslog_actions = {.deliver = deliver_to_syslog,
                                                             .destroy = destroy_syslog};

int stats_sink_syslog_create(const char *path, void **outlet)
{
    struct syslog_outlet *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->path = path;
    made->descriptor = -1;
    *outlet = made;
    return 0;
}
