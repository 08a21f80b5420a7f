/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: the whole configuration file as one struct.
 */
#ifndef RINGFENCE_DAEMON_SETTINGS_H
#define RINGFENCE_DAEMON_SETTINGS_H

#include "control/settings.h"
#include "proxy/settings.h"
#include "reputation/store.h"
#include "screening/policy.h"
#include "tap/settings.h"
#include "transport/settings.h"

/* A source of statements about numbers. */
struct daemon_source_settings {
    struct slice name;
    uint32_t weight;
    uint64_t half_life_us;
    struct conf_text_list may;
};

struct daemon_reputation_settings {
    int backend; /* enum rep_backend */
    int mode;    /* enum rep_mode */
    struct slice host;
    uint16_t port;
    struct slice unix_socket;
    struct slice username;
    struct slice password;
    struct slice password_file;
    uint32_t database;
    struct conf_text_list sentinels;
    struct slice sentinel_master;
    struct slice sentinel_username;
    struct slice sentinel_password;
    struct slice sentinel_password_file;
    struct conf_text_list cluster;
    struct conf_text_list address_map;
    struct conf_object_list sources;    /* struct daemon_source_settings */
    struct rep_source_rows source_rows; /* the same, converted while loading */
    int combine;                        /* enum rep_combine */
    int follow;                         /* enum rep_follow */
    uint64_t compare_interval_us;
    uint32_t lookup_in_flight;
    uint64_t lookup_cache_us;
    uint64_t connect_timeout_us;
    uint64_t reply_timeout_us;
    uint32_t min_block_prefix;
    double hold_percent;
    uint64_t capacity;
    struct slice csv;
    struct slice saved;
    uint64_t saved_age_us;
};

struct daemon_log_settings {
    int level; /* enum log_level */
    struct slice file;
};

/* X(identifier, word, help) */
#define DAEMON_SINK_TABLE(X)                                      \
    X(FILE, "file", "lines in the file `path`, which is rotated") \
    X(REDIS, "redis", "entries of the stream `stream`")           \
    X(JOURNAL, "journal", "entries of journald, with fields")     \
    X(SYSLOG, "syslog", "messages to the syslog daemon whose socket is `path`")

enum daemon_sink_kind {
#define DAEMON_SINK_ROW(identifier, word, help) DAEMON_SINK_##identifier,
    DAEMON_SINK_TABLE(DAEMON_SINK_ROW)
#undef DAEMON_SINK_ROW
};

struct daemon_sink_settings {
    struct slice name; /* absent: the word of its kind */
    int kind;          /* enum daemon_sink_kind */
    struct slice path;
    uint64_t rotate_bytes;
    uint64_t rotate_us;
    uint32_t keep;
    uint64_t fsync_us; /* UINT64_MAX: never */
    struct slice stream;
    uint64_t maximum;
    struct slice host; /* Redis of its own; absent, and so socket: that of `reputation` */
    uint16_t port;
    struct slice unix_socket;
    struct slice username;
    struct slice password_file;
    uint32_t database;
};

struct daemon_event_settings {
    uint32_t rate; /* single events of one rule in a second; 0: no limit */
    bool pseudonymise;
    struct slice pseudonym_key;
    struct conf_object_list sinks; /* struct daemon_sink_settings */
    struct slice spool;
    uint64_t spool_bytes;
};

extern const struct conf_section daemon_event_section;

/* X(identifier, word, help) */
#define DAEMON_MODE_TABLE(X)                                         \
    X(INLINE, "inline", "calls pass through, verdicts are enforced") \
    X(TAP, "tap", "calls are only seen (section tap); nothing is sent, no SIP address is opened")

enum daemon_mode {
#define DAEMON_MODE_ROW(identifier, word, help) DAEMON_MODE_##identifier,
    DAEMON_MODE_TABLE(DAEMON_MODE_ROW)
#undef DAEMON_MODE_ROW
};

struct daemon_settings {
    int mode; /* enum daemon_mode */
    struct tap_settings tap;
    struct proxy_settings proxy; /* listen, numbering, trunks, routes, limits */
    struct screen_settings screening;
    struct daemon_reputation_settings reputation;
    struct ctl_stats_settings stats;
    struct ctl_metrics_settings metrics;
    struct daemon_event_settings events;
    struct ctl_control_settings control;
    struct daemon_log_settings log;
    struct tp_dns_settings dns;
    struct tp_stream_settings streams;
    struct conf_text_list rules;
    uint32_t workers; /* 0: one per processor */
    bool pin_workers;
    uint64_t busy_poll_us;
    uint64_t drain_us;
    uint64_t receive_buffer;
    uint64_t ring_bytes;
    struct slice node;
    struct slice user;
    struct slice group;
    struct slice key_file;
};

extern const struct conf_section daemon_section;

extern const struct conf_section daemon_source_section;

/* The rows of reputation.sources, made in the arena. -ENOMEM. */
int daemon_sources_convert(const struct conf_object_list *from, struct arena *arena,
                           struct rep_source_rows *to) MUST_CHECK;

/* What the reputation folder wants; texts point into the settings. */
void daemon_reputation_convert(const struct daemon_reputation_settings *from,
                               struct rep_settings *to);

#endif
