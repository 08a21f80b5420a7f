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

static const struct conf_choice follow_choices[] = {
    {"auto", REP_FOLLOW_AUTO, "the first of the others that the server and its policy allow"},
    {"tracking", REP_FOLLOW_TRACKING, "CLIENT TRACKING; Redis 6.0 or later"},
    {"notifications", REP_FOLLOW_NOTIFICATIONS,
     "keyspace notifications (notify-keyspace-events KA), and a comparison now and then"},
    {"comparing", REP_FOLLOW_COMPARING, "read everything again and again"},
    {NULL, 0, NULL},
};

static const struct conf_choice combine_choices[] = {
#define COMBINE_CHOICE(name, word, help) {word, name, help},
    REP_COMBINE_TABLE(COMBINE_CHOICE)
#undef COMBINE_CHOICE
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
     .help = "Redis server: a name, an IPv4 or an IPv6 address."},
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
    {.key = "password_file",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_reputation_settings, password_file),
     .flags = CONF_NEEDS_RESTART,
     .max = 4000,
     .help = "File whose first line is that password, read at start."},
    {.key = "database",
     .type = CONF_INTEGER,
     CONF_FIELD(struct daemon_reputation_settings, database),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "0",
     .min = 0,
     .max = 1024,
     .help = "Database number; a cluster has only 0."},
    {.key = "sentinels",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct daemon_reputation_settings, sentinels),
     .flags = CONF_NEEDS_RESTART,
     .min = 3,
     .max = 270,
     .help = "Sentinels, each as host:port, that name the server instead of host and port; at most "
             "16."},
    {.key = "sentinel_master",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_reputation_settings, sentinel_master),
     .flags = CONF_NEEDS_RESTART,
     .max = 128,
     .help = "What the sentinels call it."},
    {.key = "sentinel_username",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_reputation_settings, sentinel_username),
     .flags = CONF_NEEDS_RESTART,
     .max = 128,
     .help = "ACL user at the sentinels."},
    {.key = "sentinel_password",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_reputation_settings, sentinel_password),
     .flags = CONF_NEEDS_RESTART | CONF_SECRET,
     .max = 512,
     .help = "Its password."},
    {.key = "sentinel_password_file",
     .type = CONF_TEXT,
     CONF_FIELD(struct daemon_reputation_settings, sentinel_password_file),
     .flags = CONF_NEEDS_RESTART,
     .max = 4000,
     .help = "File whose first line is that password."},
    {.key = "cluster",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct daemon_reputation_settings, cluster),
     .flags = CONF_NEEDS_RESTART,
     .min = 3,
     .max = 270,
     .help =
         "Some nodes of a Redis Cluster, each as host:port, instead of host and port; they name "
         "the others. At most 64."},
    {.key = "address_map",
     .type = CONF_TEXT_LIST,
     CONF_FIELD(struct daemon_reputation_settings, address_map),
     .flags = CONF_NEEDS_RESTART,
     .min = 5,
     .max = 540,
     .help = "Where to connect instead of a server that is named: name:port=host:port or "
             "name:port=unix:/path. For tunnels and translated addresses."},
    {.key = "sources",
     .type = CONF_SECTION_LIST,
     CONF_FIELD(struct daemon_reputation_settings, sources),
     .flags = CONF_NEEDS_RESTART,
     .max = REP_SOURCE_ROWS,
     .section = &daemon_source_section,
     .help = "Sources whose statements stand beside each other, each in a field of its own "
             "(docs/redis.md)."},
    {.key = "combine",
     .type = CONF_CHOICE,
     CONF_FIELD(struct daemon_reputation_settings, combine),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "highest",
     .choices = combine_choices,
     .help = "What the scores of several sources come to."},
    {.key = "follow",
     .type = CONF_CHOICE,
     CONF_FIELD(struct daemon_reputation_settings, follow),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "auto",
     .choices = follow_choices,
     .help = "How changes are learned in mode replica."},
    {.key = "compare_interval",
     .type = CONF_DURATION,
     CONF_FIELD(struct daemon_reputation_settings, compare_interval_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "10s",
     .min = CONF_MS(100),
     .max = CONF_HOURS(6),
     .help = "How long after a comparison the next begins where changes are not told; six times as "
             "long with keyspace notifications."},
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
     .help = "When more of the entries would change within an hour, that waits for an operator."},
    {.key = "capacity",
     .type = CONF_INTEGER,
     CONF_FIELD(struct daemon_reputation_settings, capacity),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "16000000",
     .min = 1000,
     .max = 1000000000,
     .unit = "numbers",
     .help = "How many numbers the replica has room for."},
    {.key = "lookup_cache",
     .type = CONF_DURATION,
     CONF_FIELD(struct daemon_reputation_settings, lookup_cache_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "500ms",
     .min = CONF_MS(1),
     .max = CONF_MINUTES(10),
     .help = "Mode lookup: how long an answer is used again, also that nothing is known."},
    {.key = "lookup_in_flight",
     .type = CONF_INTEGER,
     CONF_FIELD(struct daemon_reputation_settings, lookup_in_flight),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1024",
     .min = 1,
     .max = 65536,
     .help = "Mode lookup: questions of one worker that wait for Redis; further calls are judged "
             "without an answer."},
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
    {.key = "saved_age",
     .type = CONF_DURATION,
     CONF_FIELD(struct daemon_reputation_settings, saved_age_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "7d",
     .min = CONF_MINUTES(1),
     .max = CONF_DAYS(366),
     .help = "A saved file that equalled Redis longer ago than this is refused at start."},
};

static int refuse(struct conf_load *load, const struct conf_node *node, const char *key,
                  const char *wrong, const char *right)
{
    conf_load_error(load, node != NULL ? conf_node_get(node, key) : NULL, "%s", wrong);
    conf_report_expect(load->report, "%s", right);
    return ERROR_CONFIG;
}

/* The first text that is no server (or no pair of them, split by '='), or none. */
static struct slice bad_server(const struct conf_text_list *list, bool pairs)
{
    for (size_t i = 0; i < list->count; i++) {
        struct slice text = list->items[i];
        if (pairs ? !rep_is_address_pair(text) : !rep_is_server(text))
            return text;
    }
    return slice_make(NULL, 0);
}

static int check_servers(struct conf_load *load, const struct conf_node *node, const char *key,
                         const struct conf_text_list *list, bool pairs, size_t limit)
{
    struct conf_quote quote;
    const struct conf_node *place = node != NULL ? conf_node_get(node, key) : NULL;
    struct slice bad = bad_server(list, pairs);
    if (bad.data == NULL && list->count <= limit)
        return 0;
    if (bad.data != NULL)
        conf_load_error(load, place, "%s of %s is not a server", conf_quote(&quote, bad), key);
    else
        conf_load_error(load, place, "%zu servers in %s", list->count, key);
    if (bad.data != NULL)
        conf_report_expect(load->report, "%s",
                           pairs ? "10.0.0.1:6379=127.0.0.1:16379 or "
                                   "10.0.0.1:6379=unix:/run/redis-a.sock"
                                 : "redis-a.example.net:6379, 10.0.0.1:6379 or [2001:db8::1]:6379");
    else
        conf_report_expect(load->report, "at most %zu", limit);
    return ERROR_CONFIG;
}

static int check_reputation(struct conf_load *load, const struct conf_node *node, void *object)
{
    struct daemon_reputation_settings *settings = object;
    bool sentinel = settings->sentinels.count > 0, cluster = settings->cluster.count > 0;
    if (settings->backend == REP_BACKEND_MEMORY && settings->mode != REP_MODE_REPLICA)
        return refuse(load, node, "mode", "mode lookup needs store redis",
                      "mode: replica, or store: redis");
    if (sentinel && cluster)
        return refuse(load, node, "cluster", "both sentinels and cluster are set",
                      "one of them: a cluster has no sentinels");
    if (sentinel && settings->sentinel_master.length == 0)
        return refuse(load, node, "sentinels", "sentinels without sentinel_master",
                      "sentinel_master: the name after \"sentinel monitor\" in their files");
    if ((sentinel || cluster) && settings->unix_socket.length > 0)
        return refuse(load, node, "socket", "socket beside sentinels or cluster",
                      "an address_map where servers are reached by sockets");
    if (cluster && settings->database != 0)
        return refuse(load, node, "database", "a cluster has no other database than 0",
                      "database: 0");
    if (settings->password.length > 0 && settings->password_file.length > 0)
        return refuse(load, node, "password_file", "both password and password_file are set",
                      "one of them");
    int error =
        check_servers(load, node, "sentinels", &settings->sentinels, false, REP_SENTINEL_LIMIT);
    if (error == 0)
        error = check_servers(load, node, "cluster", &settings->cluster, false, REP_SEED_LIMIT);
    if (error == 0)
        error = check_servers(load, node, "address_map", &settings->address_map, true, SIZE_MAX);
    if (error == 0)
        error = daemon_sources_convert(&settings->sources, load->arena, &settings->source_rows);
    return error;
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

static const struct conf_choice daemon_mode_choices[] = {
#define DAEMON_MODE_ROW(identifier, word, help) {word, DAEMON_MODE_##identifier, help},
    DAEMON_MODE_TABLE(DAEMON_MODE_ROW)
#undef DAEMON_MODE_ROW
        {NULL, 0, NULL},
};

static const struct conf_row daemon_rows[] = {
    {.key = "mode",
     .type = CONF_CHOICE,
     CONF_FIELD(struct daemon_settings, mode),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "inline",
     .choices = daemon_mode_choices,
     .help = "How the daemon comes to the calls."},
    {.key = "tap",
     .type = CONF_SECTION,
     CONF_FIELD(struct daemon_settings, tap),
     .section = &tap_section,
     .help = "Listening without taking part, when `mode` is tap."},
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
    {.key = "streams",
     .type = CONF_SECTION,
     CONF_FIELD(struct daemon_settings, streams),
     .section = &tp_stream_section,
     .help = "Connections of the transports tcp and tls."},
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
    {.key = "metrics",
     .type = CONF_SECTION,
     CONF_FIELD(struct daemon_settings, metrics),
     .section = &ctl_metrics_section,
     .help = "The same counts over HTTP, for Prometheus."},
    {.key = "events",
     .type = CONF_SECTION,
     CONF_FIELD(struct daemon_settings, events),
     .section = &daemon_event_section,
     .help = "What is told of each interception, and where it goes."},
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

/* TCP and TLS share their ports, UDP has ports of its own. */
static bool same_listener(const struct proxy_listen_settings *a,
                          const struct proxy_listen_settings *b)
{
    return conf_format_address.equal(&a->address, &b->address) &&
           tp_protocol_rows[a->transport].stream == tp_protocol_rows[b->transport].stream;
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
    if (settings->mode == DAEMON_MODE_TAP && settings->tap.interfaces.count == 0 &&
        settings->tap.hep.count == 0) {
        conf_load_error(load, node != NULL ? conf_node_get(node, "mode") : NULL,
                        "mode tap without anything to listen to");
        conf_report_hint(load->report, "tap: {interfaces: [eth1]}");
        return ERROR_CONFIG;
    }
    if (settings->mode == DAEMON_MODE_TAP && settings->reputation.mode == REP_MODE_LOOKUP) {
        conf_load_error(load, node != NULL ? conf_node_get(node, "mode") : NULL,
                        "mode tap does not ask Redis for each call");
        conf_report_hint(load->report, "reputation: {mode: replica}");
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

static struct rep_texts texts_of(const struct conf_text_list *list)
{
    return (struct rep_texts){list->items, list->count};
}

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
    to->password_file = from->password_file.data;
    to->database = from->database;
    to->sentinels = texts_of(&from->sentinels);
    to->sentinel_master = from->sentinel_master.data;
    to->sentinel_username = from->sentinel_username.data;
    to->sentinel_password = from->sentinel_password.data;
    to->sentinel_password_file = from->sentinel_password_file.data;
    to->cluster = texts_of(&from->cluster);
    to->address_map = texts_of(&from->address_map);
    to->sources = from->source_rows;
    to->combine = (enum rep_combine)from->combine;
    to->follow = (enum rep_follow)from->follow;
    to->compare_interval_ms = (unsigned)(from->compare_interval_us / 1000);
    to->lookup_in_flight = from->lookup_in_flight;
    to->lookup_cache_ms = (unsigned)(from->lookup_cache_us / 1000);
    to->connect_timeout_ms = (unsigned)(from->connect_timeout_us / 1000);
    to->reply_timeout_ms = (unsigned)(from->reply_timeout_us / 1000);
    to->min_block_prefix = from->min_block_prefix;
    to->hold_percent = (unsigned)from->hold_percent;
    to->capacity = from->capacity;
    to->csv_path = from->csv.data;
    to->saved_path = from->saved.data;
    to->saved_age_s = from->saved_age_us / 1000000;
}
