/* SPDX-License-Identifier: Apache-2.0 */
#include "control/settings.h"

#include <errno.h>
#include <sys/un.h>

/* The name that a socket has before it is complete is four bytes longer (socket.c). */
enum { PATH_MAXIMUM = sizeof(((struct sockaddr_un *)0)->sun_path) - 5 };

static int parse_mode(struct conf_load *load, const struct conf_row *row,
                      const struct conf_node *node, void *field)
{
    (void)row;
    uint32_t mode = 0;
    bool good = node->kind == CONF_NODE_SCALAR && node->text.length >= 3 && node->text.length <= 4;
    for (size_t i = 0; good && i < node->text.length; i++) {
        char digit = node->text.data[i];
        good = digit >= '0' && digit <= '7';
        mode = mode << 3 | ((uint32_t)digit & 7);
    }
    if (!good || mode > 0777) {
        if (node->kind == CONF_NODE_SCALAR)
            conf_load_error(load, node, "\"%.*s\" is no file mode", SLICE_ARGS(node->text));
        else
            conf_load_error(load, node, "a %s is no file mode", conf_node_kind_name(node));
        conf_report_expect(load->report, "three octal digits such as 0660");
        return ERROR_CONFIG;
    }
    *(uint32_t *)field = mode;
    return 0;
}

static bool equal_mode(const void *a, const void *b)
{
    return *(const uint32_t *)a == *(const uint32_t *)b;
}

static const struct conf_format format_mode = {
    .name = "file mode",
    .example = "0660",
    .size = sizeof(uint32_t),
    .parse = parse_mode,
    .equal = equal_mode,
    .pattern = "^[0-7]{3,4}$",
};

#define SOCKET_ROWS(structure, default_path, who)                                               \
    {.key = "socket",                                                                           \
     .type = CONF_TEXT,                                                                         \
     .flags = CONF_NEEDS_RESTART,                                                               \
     CONF_FIELD(structure, socket.path),                                                        \
     .min = 1,                                                                                  \
     .max = PATH_MAXIMUM,                                                                       \
     .fallback = (default_path),                                                                \
     .help = "Path of the Unix socket. Its folder must exist and be writable for the daemon."}, \
        {.key = "mode",                                                                         \
         .type = CONF_CUSTOM,                                                                   \
         .flags = CONF_NEEDS_RESTART,                                                           \
         CONF_FIELD(structure, socket.mode),                                                    \
         .format = &format_mode,                                                                \
         .fallback = "0660",                                                                    \
         .help = "Permissions of the socket: who may connect may " who "."},                    \
    {                                                                                           \
        .key = "group", .type = CONF_TEXT, .flags = CONF_NEEDS_RESTART,                         \
        CONF_FIELD(structure, socket.group), .max = 255,                                        \
        .help = "Group that owns the socket; the daemon's own group unless given."              \
    }

static const struct conf_row control_rows[] = {
    SOCKET_ROWS(struct ctl_control_settings, CTL_DEFAULT_CONTROL_SOCKET, "read the daemon's state"),
    {.key = "change_group",
     .type = CONF_TEXT,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct ctl_control_settings, change_group),
     .max = 255,
     .help = "Members of this group may change things (reload, number set, drain). Root and the "
             "daemon's own user always may. Every change is written to the log."},
    {.key = "clients",
     .type = CONF_INTEGER,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct ctl_control_settings, clients),
     .min = 1,
     .max = 1024,
     .fallback = "64",
     .help = "Connections at once. Beyond it the one that has been idle longest is closed."},
};

const struct conf_section ctl_control_section = {
    .name = "control",
    .help = "Socket on which the command `ringfence` talks to the daemon.",
    CONF_ROWS(control_rows),
    CONF_OBJECT(struct ctl_control_settings),
};

static const struct conf_row stats_rows[] = {
    SOCKET_ROWS(struct ctl_stats_settings, CTL_DEFAULT_STATS_SOCKET, "read counts and events"),
    {.key = "interval",
     .type = CONF_DURATION,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct ctl_stats_settings, interval_us),
     .min = CONF_MS(100),
     .max = CONF_HOURS(1),
     .fallback = "1s",
     .help = "Time between two lines of counts, for readers that do not ask otherwise."},
    {.key = "clients",
     .type = CONF_INTEGER,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct ctl_stats_settings, clients),
     .min = 1,
     .max = 10000,
     .fallback = "512",
     .help = "Readers at once; more are told so and closed."},
    {.key = "queue",
     .type = CONF_SIZE,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct ctl_stats_settings, queue_bytes),
     .min = CONF_KIB(64),
     .max = CONF_MIB(256),
     .fallback = "1M",
     .help = "What is kept for a slow reader. Beyond it lines are dropped, and it is told how "
             "many."},
    {.key = "history",
     .type = CONF_SIZE,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct ctl_stats_settings, history_bytes),
     .min = CONF_KIB(64),
     .max = CONF_GIB(1),
     .fallback = "4M",
     .help = "The latest events that are kept in memory, so that a reader that comes back may ask "
             "for those that it missed. A thousand events take about a megabyte."},
    {.key = "stalled",
     .type = CONF_DURATION,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct ctl_stats_settings, stalled_us),
     .min = CONF_SECONDS(1),
     .max = CONF_DAYS(1),
     .fallback = "10m",
     .help = "A reader with a full queue that takes nothing for so long is closed."},
};

const struct conf_section ctl_stats_section = {
    .name = "stats",
    .help = "Socket on which counts and events are published (docs/stats.md).",
    CONF_ROWS(stats_rows),
    CONF_OBJECT(struct ctl_stats_settings),
};

static const struct conf_row metrics_rows[] = {
    {.key = "listen",
     .type = CONF_CUSTOM,
     .format = &conf_format_address,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct ctl_metrics_settings, listen),
     .help = "Address and port for HTTP, such as 127.0.0.1:9560; none unless given. There is no "
             "password: whoever reaches it may read, so keep it on loopback or in a network of "
             "your own."},
    SOCKET_ROWS(struct ctl_metrics_settings, NULL, "read the counts"),
    {.key = "clients",
     .type = CONF_INTEGER,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct ctl_metrics_settings, clients),
     .min = 1,
     .max = 256,
     .fallback = "16",
     .help = "Connections at once; more wait until one of them is done."},
    {.key = "labels",
     .type = CONF_INTEGER,
     .flags = CONF_NEEDS_RESTART,
     CONF_FIELD(struct ctl_metrics_settings, labels),
     .min = 1,
     .max = 20000,
     .fallback = "1000",
     .help = "Series of a family, such as one for each rule. What later ones count is added to the "
             "label \"other\"."},
};

const struct conf_section ctl_metrics_section = {
    .name = "metrics",
    .help = "HTTP for Prometheus (docs/metrics.md).",
    CONF_ROWS(metrics_rows),
    CONF_OBJECT(struct ctl_metrics_settings),
};
