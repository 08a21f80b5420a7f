/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/settings.h"

#include "base/log.h"
#include "transport/transport.h"

static const struct conf_choice backend_choices[] = {
    {"redis", REP_BACKEND_REDIS, "the keys of docs/redis.md"},
    {"memory", REP_BACKEND_MEMORY, "a CSV file, and what `ringfence number` adds"},
    {NULL, 0, NULL},
};

static const struct conf_choice mode_choices[] = {
    {"replica", REP_MODE_REPLICA, "hold everything in the process and follow changes"},
    {"lookup", REP_MODE_LOOKUP, "ask Redis for each call, within the deadline of screening"},
    {NULL, 0, NULL},
};

static const struct conf_row reputation_rows[] = {
    {.key = "store",
     .type = CONF_CHOICE,
     CONF_FIELD(struct daemon_reputation_settings, backend),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "memory",
     .choices = backend_choices,
     .help = "Where reputation comes from."},
    {.key = "mode",
     .type = CONF_CHOICE,
     CONF_FIELD(struct daemon_reputation_settings, mode),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "replica",
     .choices = mode_choices,
     .help = "How workers read a Redis store."},
    {.key = "host",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_reputation_settings, host),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "127.0.0.1",
     .min = 1,
     .max = 255,
     .help = "Redis server."},
    {.key = "port",
     .type = CONF_INTEGER,
     CONF_FIELD(struct daemon_reputation_settings, port),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "6379",
     .min = 1,
     .max = 65535,
     .help = "Its port."},
    {.key = "socket",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_reputation_settings, unix_socket),
     .flags = CONF_NEEDS_RESTART,
     .max = 107,
     .help = "Its Unix socket, instead of host and port."},
    {.key = "username",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_reputation_settings, username),
     .flags = CONF_NEEDS_RESTART,
     .max = 128,
     .help = "ACL user; it needs no right to write the reputation keys."},
    {.key = "password",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_reputation_settings, password),
     .flags = CONF_NEEDS_RESTART | CONF_SECRET,
     .max = 512,
     .help = "Its password."},
    {.key = "database",
     .type = CONF_INTEGER,
     CONF_FIELD(struct daemon_reputation_settings, database),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "0",
     .min = 0,
     .max = 1024,
     .help = "Database number."},
    {.key = "connect_timeout",
     .type = CONF_DURATION,
     CONF_FIELD(struct daemon_reputation_settings, connect_timeout_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "2s",
     .min = CONF_MS(10),
     .max = CONF_MINUTES(1),
     .help = "After this time a connection attempt has failed."},
    {.key = "reply_timeout",
     .type = CONF_DURATION,
     CONF_FIELD(struct daemon_reputation_settings, reply_timeout_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "5s",
     .min = CONF_MS(100),
     .max = CONF_MINUTES(5),
     .help = "After this silence a connection is given up and made anew."},
    {.key = "min_block_prefix",
     .type = CONF_INTEGER,
     CONF_FIELD(struct daemon_reputation_settings, min_block_prefix),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "7",
     .min = 1,
     .max = 15,
     .unit = "digits",
     .help = "A shorter prefix cannot block: one wrong key must not silence a region."},
    {.key = "hold_percent",
     .type = CONF_PERCENT,
     CONF_FIELD(struct daemon_reputation_settings, hold_percent),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "20%",
     .min = 1,
     .max = 100,
     .help = "A resync that would change more of the entries waits for an operator."},
    {.key = "capacity",
     .type = CONF_INTEGER,
     CONF_FIELD(struct daemon_reputation_settings, capacity),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "16000000",
     .min = 1000,
     .max = 1000000000,
     .unit = "numbers",
     .help = "How many numbers the replica has room for."},
    {.key = "csv",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_reputation_settings, csv),
     .flags = CONF_NEEDS_RESTART,
     .max = 4000,
     .help = "CSV file of the memory store, read at start and at each reload."},
    {.key = "saved",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_reputation_settings, saved),
     .flags = CONF_NEEDS_RESTART,
     .max = 4000,
     .help = "File that the replica is saved to, so that a start without Redis is armed."},
};

static int check_reputation(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct daemon_reputation_settings *settings = object;
    if (settings->backend != REP_BACKEND_MEMORY || settings->mode == REP_MODE_REPLICA)
        return 0;
    conf_load_error(load, node != NULL ? conf_node_get(node, "mode") : NULL,
                    "mode lookup needs store redis");
    conf_report_expect(load->report, "mode: replica, or store: redis");
    return ERROR_CONFIG;
}

static const struct conf_section reputation_section = {
    .name = "reputation",
    .help = "What is known about numbers.",
    CONF_ROWS(reputation_rows),
    CONF_OBJECT(struct daemon_reputation_settings),
    .check = check_reputation,
};

static const struct conf_choice level_choices[] = {
    {"error", LOG_LEVEL_ERROR, NULL},   {"warning", LOG_LEVEL_WARNING, NULL},
    {"notice", LOG_LEVEL_NOTICE, NULL}, {"info", LOG_LEVEL_INFO, NULL},
    {"debug", LOG_LEVEL_DEBUG, NULL},   {NULL, 0, NULL},
};

static const struct conf_row log_rows[] = {
    {.key = "level",
     .type = CONF_CHOICE,
     CONF_FIELD(struct daemon_log_settings, level),
     .fallback = "notice",
     .choices = level_choices,
     .help = "The least severe lines that are written."},
    {.key = "file",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_log_settings, file),
     .flags = CONF_NEEDS_RESTART,
     .max = 4000,
     .help = "Opened again on SIGUSR1; without it lines go to standard error."},
};

static const struct conf_section log_section = {
    .name = "log",
    .help = "What the daemon writes about itself.",
    CONF_ROWS(log_rows),
    CONF_OBJECT(struct daemon_log_settings),
};

static const struct conf_row daemon_rows[] = {
    {.key = "listen",
     .type = CONF_SECTION_LIST,
     CONF_FIELD(struct daemon_settings, proxy.listeners),
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = TP_LISTENER_LIMIT,
     .section = &proxy_listen_section,
     .help = "Addresses that SIP is received on."},
    {.key = "trunks",
     .type = CONF_SECTION_LIST,
     CONF_FIELD(struct daemon_settings, proxy.trunks),
     .flags = CONF_REQUIRED,
     .min = 1,
     .section = &proxy_trunk_section,
     .help = "The neighbours."},
    {.key = "routes",
     .type = CONF_SECTION_LIST,
     CONF_FIELD(struct daemon_settings, proxy.routes),
     .section = &proxy_route_section,
     .help = "Which trunk a request goes to."},
    {.key = "numbering",
     .type = CONF_SECTION_LIST,
     CONF_FIELD(struct daemon_settings, proxy.numberings),
     .section = &proxy_numbering_section,
     .help = "Tables that rewrite peers' numbers."},
    {.key = "dns",
     .type = CONF_SECTION,
     CONF_FIELD(struct daemon_settings, dns),
     .section = &tp_dns_section,
     .help = "How targets of trunks that are names are resolved."},
    {.key = "rules",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct daemon_settings, rules),
     .min = 1,
     .max = 4000,
     .help = "Rule files; relative names stand beside this file."},
    {.key = "screening",
     .type = CONF_SECTION,
     CONF_FIELD(struct daemon_settings, screening),
     .section = &screen_section,
     .help = "How verdicts are reached and enforced."},
    {.key = "reputation",
     .type = CONF_SECTION,
     CONF_FIELD(struct daemon_settings, reputation),
     .section = &reputation_section,
     .help = "What is known about numbers."},
    {.key = "limits",
     .type = CONF_SECTION,
     CONF_FIELD(struct daemon_settings, proxy.limits),
     .section = &proxy_limits_section,
     .help = "Hard limits."},
    {.key = "stats",
     .type = CONF_SECTION,
     CONF_FIELD(struct daemon_settings, stats),
     .section = &ctl_stats_section,
     .help = "The socket that publishes counts and events."},
    {.key = "control",
     .type = CONF_SECTION,
     CONF_FIELD(struct daemon_settings, control),
     .section = &ctl_control_section,
     .help = "The socket of the ringfence command."},
    {.key = "log",
     .type = CONF_SECTION,
     CONF_FIELD(struct daemon_settings, log),
     .section = &log_section,
     .help = "What the daemon writes about itself."},
    {.key = "workers",
     .type = CONF_INTEGER,
     CONF_FIELD(struct daemon_settings, workers),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "0",
     .min = 0,
     .max = 256,
     .help = "Worker threads; 0 for one per processor."},
    {.key = "pin_workers",
     .type = CONF_BOOLEAN,
     CONF_FIELD(struct daemon_settings, pin_workers),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "true",
     .help = "Keep each worker on a processor of its own."},
    {.key = "busy_poll",
     .type = CONF_DURATION,
     CONF_FIELD(struct daemon_settings, busy_poll_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "0s",
     .max = CONF_MS(10),
     .help = "How long a worker may go on looking for datagrams before it sleeps (100us is a good "
             "value). Takes the time of waking out of the time to ring and pays with processor "
             "time; it adapts, so that a quiet worker sleeps. 0: off."},
    {.key = "receive_buffer",
     .type = CONF_SIZE,
     CONF_FIELD(struct daemon_settings, receive_buffer),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "8M",
     .min = CONF_KIB(64),
     .max = CONF_GIB(1),
     .help = "Kernel buffer of each SIP socket, in and out."},
    {.key = "ring",
     .type = CONF_SIZE,
     CONF_FIELD(struct daemon_settings, ring_bytes),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1M",
     .min = CONF_KIB(512),
     .max = CONF_MIB(256),
     .help = "Buffer between each pair of workers."},
    {.key = "drain",
     .type = CONF_DURATION,
     CONF_FIELD(struct daemon_settings, drain_us),
     .fallback = "10s",
     .min = 0,
     .max = CONF_HOURS(24),
     .help = "How long a stop waits for calls under way."},
    {.key = "node",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_settings, node),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "ringfence",
     .min = 1,
     .max = 64,
     .help = "This box's name in events."},
    {.key = "user",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_settings, user),
     .flags = CONF_NEEDS_RESTART,
     .max = 64,
     .help = "Whom to become after binding, when started by root."},
    {.key = "group",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_settings, group),
     .flags = CONF_NEEDS_RESTART,
     .max = 64,
     .help = "The same for the group; the user's own by default."},
    {.key = "key_file",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_settings, key_file),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "/var/lib/ringfence/key",
     .min = 1,
     .max = 4000,
     .help =
         "The key of branches and Record-Route: 64 hexadecimal digits, made at the first start. "
         "The nodes of a site share one."},
};

static bool same_listener(const struct proxy_listen_settings *a,
                          const struct proxy_listen_settings *b)
{
    return conf_format_address.equal(&a->address, &b->address);
}

static int check_daemon(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct daemon_settings *settings = object;
    const struct proxy_listen_settings *listeners = settings->proxy.listeners.items;
    for (size_t i = 0; i < settings->proxy.listeners.count; i++)
        for (size_t j = 0; j < i; j++)
            if (same_listener(&listeners[i], &listeners[j])) {
                conf_load_error(load, node != NULL ? conf_node_get(node, "listen") : NULL,
                                "entries %zu and %zu of listen have the same address", j + 1,
                                i + 1);
                return ERROR_CONFIG;
            }
    return 0;
}

const struct conf_section daemon_section = {
    .name = "configuration",
    .help = "The configuration of ringfenced.",
    CONF_ROWS(daemon_rows),
    CONF_OBJECT(struct daemon_settings),
    .check = check_daemon,
};

void daemon_reputation_convert(const struct daemon_reputation_settings *from,
                               struct rep_settings *to)
{
    rep_settings_default(to);
    to->backend = (enum rep_backend)from->backend;
    to->mode = (enum rep_mode)from->mode;
    to->host = from->host.data;
    to->port = from->port;
    to->unix_socket = from->unix_socket.data;
    to->username = from->username.data;
    to->password = from->password.data;
    to->database = from->database;
    to->connect_timeout_ms = (unsigned)(from->connect_timeout_us / 1000);
    to->reply_timeout_ms = (unsigned)(from->reply_timeout_us / 1000);
    to->min_block_prefix = from->min_block_prefix;
    to->hold_percent = (unsigned)from->hold_percent;
    to->capacity = from->capacity;
    to->csv_path = from->csv.data;
    to->saved_path = from->saved.data;
}
