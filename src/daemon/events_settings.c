/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"
#include "daemon/settings.h"
#include "stats/spool.h"

/* "never", or a duration. */
static int parse_fsync(struct conf_load *load, const struct conf_row *row,
                       const struct conf_node *node, void *field)
{
    uint64_t *fsync_us = field;
    struct conf_quote quote;
    (void)row;
    if (node->kind == CONF_NODE_SCALAR && slice_equal(node->text, SLICE("never"))) {
        *fsync_us = UINT64_MAX;
        return 0;
    }
    if (node->kind == CONF_NODE_SCALAR && conf_value_duration(node->text, fsync_us) == 0)
        return 0;
    if (node->kind == CONF_NODE_SCALAR)
        conf_load_error(load, node, "%s is no time between two fsyncs",
                        conf_load_quote(load, node, &quote));
    else
        conf_load_error(load, node, "a %s is no time between two fsyncs",
                        conf_node_kind_name(node));
    conf_report_expect(load->report, "a duration such as 1s, 0s for each batch, or never");
    return ERROR_CONFIG;
}

static bool equal_fsync(const void *a, const void *b)
{
    return *(const uint64_t *)a == *(const uint64_t *)b;
}

static const struct conf_format format_fsync = {
    .name = "duration or never",
    .example = "1s",
    .size = sizeof(uint64_t),
    .parse = parse_fsync,
    .equal = equal_fsync,
};

static const struct conf_choice sink_choices[] = {
#define SINK_CHOICE(identifier, word, help) {(word), DAEMON_SINK_##identifier, (help)},
    DAEMON_SINK_TABLE(SINK_CHOICE)
#undef SINK_CHOICE
        {NULL, 0, NULL},
};

#define SINK(key_, type_, member)                                \
    .key = (key_), .type = (type_), .flags = CONF_NEEDS_RESTART, \
    CONF_FIELD(struct daemon_sink_settings, member)

static const struct conf_row sink_rows[] = {
    {.key = "kind",
     .type = CONF_CHOICE,
     .flags = CONF_REQUIRED | CONF_NEEDS_RESTART,
     CONF_FIELD(struct daemon_sink_settings, kind),
     .choices = sink_choices,
     .help = "Where events go."},
    {SINK("name", CONF_TEXT, name), .min = 1, .max = 32,
     .help = "Tells sinks apart, in counts and in the spool; its kind unless given. Letters, "
             "digits, - and _. A sink that is renamed begins anew."},
    {SINK("path", CONF_TEXT, path), .min = 1, .max = 3900,
     .help = "The file, or the socket of the syslog daemon (/dev/log unless given)."},
    {SINK("rotate_size", CONF_SIZE, rotate_bytes), .fallback = "256M", .max = CONF_GIB(1024),
     .help =
         "File: one that would become larger is put aside, as path.20261128T221530Z. 0: never."},
    {SINK("rotate_every", CONF_DURATION, rotate_us), .fallback = "24h", .max = CONF_DAYS(366),
     .help = "File: a new one begins with each such period in UTC. 0: never."},
    {SINK("keep", CONF_INTEGER, keep), .fallback = "14", .max = 100000,
     .help = "File: so many that were put aside are kept; 0: all."},
    {SINK("fsync", CONF_CUSTOM, fsync_us), .format = &format_fsync, .fallback = "1s",
     .help = "File: lines are brought to disk as often as this; 0s: before a batch of them counts "
             "as delivered; never: when the kernel sees fit. Only a power failure makes a "
             "difference."},
    {SINK("stream", CONF_TEXT, stream), .fallback = "rf:events", .min = 1, .max = 200,
     .help = "Redis: the key of the stream. Each entry has one field, event."},
    {SINK("maximum", CONF_INTEGER, maximum), .fallback = "1000000", .max = INT64_MAX / 2,
     .unit = "entries",
     .help = "Redis: the stream is trimmed to about so many (MAXLEN ~). 0: never."},
    {SINK("host", CONF_TEXT, host), .max = 253,
     .help = "Redis: a server of its own. Without it and `socket` the one of `reputation`, found "
             "in the same way."},
    {SINK("port", CONF_INTEGER, port), .fallback = "6379", .min = 1, .max = 65535,
     .help = "Redis: the port of `host`."},
    {SINK("socket", CONF_TEXT, unix_socket), .max = 107,
     .help = "Redis: a Unix socket instead of `host`."},
    {SINK("username", CONF_TEXT, username), .max = 255,
     .help = "Redis: account; it needs +xadd on the stream. With `password_file` it replaces that "
             "of `reputation`."},
    {SINK("password_file", CONF_TEXT, password_file), .max = 4000,
     .help = "Redis: file whose first line is the password."},
    {SINK("database", CONF_INTEGER, database), .fallback = "0", .max = 1 << 20,
     .help = "Redis: number of the database of `host` or `socket`."},
};

static bool is_name(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_';
        if (!fine)
            return false;
    }
    return true;
}

static int check_sink(struct conf_load *load, const struct conf_node *node, void *object)
{
    struct daemon_sink_settings *sink = object;
    struct conf_quote quote;
    if (!is_name(sink->name)) {
        conf_load_error(load, node != NULL ? conf_node_get(node, "name") : NULL,
                        "%s is no name of a sink", conf_quote(&quote, sink->name));
        conf_report_expect(load->report, "letters, digits, - and _");
        return ERROR_CONFIG;
    }
    if (sink->kind == DAEMON_SINK_FILE && sink->path.length == 0) {
        conf_load_error(load, node, "a file sink without a path");
        conf_report_hint(load->report, "path: /var/log/ringfence/events.jsonl");
        return ERROR_CONFIG;
    }
    if (sink->name.length == 0)
        sink->name = slice_of_text(sink_choices[sink->kind].name);
    if (sink->kind == DAEMON_SINK_SYSLOG && sink->path.length == 0)
        sink->path = SLICE("/dev/log");
    return 0;
}

static const struct conf_section sink_section = {
    .name = "sink",
    .identity = "name",
    .help = "Where events go, each of them at least once.",
    CONF_ROWS(sink_rows),
    CONF_OBJECT(struct daemon_sink_settings),
    .check = check_sink,
};

static const struct conf_row event_rows[] = {
    {.key = "rate",
     .type = CONF_INTEGER,
     CONF_FIELD(struct daemon_event_settings, rate),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1000",
     .min = 0,
     .max = 1000000,
     .unit = "events per second",
     .help = "Of one rule no more single events than this go out in a second; the others are "
             "counted in one `aggregate` event a second. 0: no limit. Counts are exact either "
             "way."},
    {.key = "pseudonymise",
     .type = CONF_BOOLEAN,
     CONF_FIELD(struct daemon_event_settings, pseudonymise),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "false",
     .help = "Show a keyed hash instead of each number, the same for the same number. Country, "
             "region and kind are still shown."},
    {.key = "pseudonym_key",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_event_settings, pseudonym_key),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "/var/lib/ringfence/pseudonym.key",
     .min = 1,
     .max = 4000,
     .help = "The key of those hashes: 64 hexadecimal digits, made at the first start. Nodes whose "
             "events are looked at together share one."},
    {.key = "sinks",
     .type = CONF_SECTION_LIST,
     CONF_FIELD(struct daemon_event_settings, sinks),
     .flags = CONF_NEEDS_RESTART,
     .max = STATS_SPOOL_READERS,
     .section = &sink_section,
     .help = "Where events go beside the stats socket."},
    {.key = "spool",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_event_settings, spool),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "/var/lib/ringfence/events",
     .min = 1,
     .max = 3900,
     .help = "Folder from which sinks are served, so that one that was gone catches up. Only made "
             "when there are sinks."},
    {.key = "spool_size",
     .type = CONF_SIZE,
     CONF_FIELD(struct daemon_event_settings, spool_bytes),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1G",
     .min = CONF_MIB(1),
     .max = CONF_GIB(1024),
     .help = "What the spool may take. Beyond it the oldest events go, and a sink that has not had "
             "them counts them as lost. A million events take some 800 MB."},
};

static int check_events(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct daemon_event_settings *events = object;
    const struct daemon_sink_settings *sinks = events->sinks.items;
    struct conf_quote quote;
    for (size_t i = 0; i < events->sinks.count; i++)
        for (size_t j = 0; j < i; j++)
            if (slice_equal(sinks[i].name, sinks[j].name)) {
                conf_load_error(load, node != NULL ? conf_node_get(node, "sinks") : NULL,
                                "two sinks are called %s", conf_quote(&quote, sinks[i].name));
                conf_report_hint(load->report, "name: of its own for one of them");
                return ERROR_CONFIG;
            }
    return 0;
}

const struct conf_section daemon_event_section = {
    .name = "events",
    .help = "What is told of each interception, and where it goes (docs/events.md).",
    CONF_ROWS(event_rows),
    CONF_OBJECT(struct daemon_event_settings),
    .check = check_events,
};
