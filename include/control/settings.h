/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: the sections `control`, `stats` and `metrics` of the configuration.
 */
#ifndef RINGFENCE_CONTROL_SETTINGS_H
#define RINGFENCE_CONTROL_SETTINGS_H

#include <stdint.h>

#include "base/slice.h"
#include "config/address.h"
#include "config/schema.h"

#define CTL_DEFAULT_CONTROL_SOCKET "/run/ringfence/control.sock"
#define CTL_DEFAULT_STATS_SOCKET   "/run/ringfence/stats.sock"

/* Texts have a NUL behind them and live in the arena they were loaded into. */
struct ctl_socket_settings {
    struct slice path;
    uint32_t mode;      /* permission bits of the socket's file */
    struct slice group; /* that owns the file; absent: the process's own */
};

struct ctl_control_settings {
    struct ctl_socket_settings socket;
    struct slice change_group; /* its members may change things; absent: only root and ourselves */
    uint32_t clients;
};

struct ctl_stats_settings {
    struct ctl_socket_settings socket;
    uint64_t interval_us; /* between two `counts` lines, unless a reader asks otherwise */
    uint32_t clients;
    uint64_t queue_bytes;   /* per reader; beyond it lines are dropped and a gap is told */
    uint64_t history_bytes; /* of events that readers may ask for again */
    uint64_t stalled_us;    /* a reader that took nothing for so long is closed */
};

struct ctl_metrics_settings {
    struct conf_address listen;        /* its length is 0 where there is none */
    struct ctl_socket_settings socket; /* its path is absent where there is none */
    uint32_t clients;                  /* connections at once; more wait */
    uint32_t labels;                   /* of a family, that get a series of their own */
};

/* Their objects are the structs above. */
extern const struct conf_section ctl_control_section;
extern const struct conf_section ctl_stats_section;
extern const struct conf_section ctl_metrics_section;

#endif
