/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap: the thread that listens: interfaces and capture agents in, verdicts into stats and events.
 */
#ifndef RINGFENCE_DAEMON_TAP_INT_H
#define RINGFENCE_DAEMON_TAP_INT_H

#include <pthread.h>

#include "daemon/observer.h"
#include "daemon_int.h"
#include "tap/calls.h"
#include "tap/live.h"

enum { TAP_PROBLEM_BYTES = 256 };

struct tap_hep_input;

/* An interface, there or not. */
struct tap_port {
    struct daemon_tap *tap;
    const char *name;
    struct tap_live *live; /* NULL: waiting for it */
    struct rt_watch *watch;
    struct tap_live_figures before; /* of earlier openings */
    struct tap_live_figures now;    /* ... and this one */
    uint64_t lost;                  /* times that it went */
    char problem[TAP_PROBLEM_BYTES];
};

/* What `status` shows; copied under the lock. */
struct tap_shown {
    struct tap_counts counts;
    struct tap_calls_figures calls;
    size_t waiting_bytes;
    struct {
        bool listening;
        bool down; /* there, but set down */
        struct tap_live_figures figures;
        uint64_t lost;
        char problem[TAP_PROBLEM_BYTES];
    } ports[TAP_INTERFACES_MAX];
};

/* Beside each call. */
struct tap_noted {
    bool judged;
    bool answered;
    bool ended;
};

struct daemon_tap {
    struct daemon_shared *shared;
    struct arena *arena; /* texts of the first snapshot's settings, which outlive it */
    struct rt_thread *thread;
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    struct reclaim_reader *reader;
    struct stats_shard *stats;
    struct stats_event_queue *events;
    struct daemon_snapshot *snapshot; /* the one that was adopted */
    struct daemon_observer *observer;
    struct tap_path *path;
    struct tap_calls *calls;
    struct rt_timer upkeep;
    uint64_t heard_wall_us; /* the latest message's clock, 0: none yet, */
    uint64_t heard_us;      /* ... and the loop's then */
    uint64_t tried_us;      /* when what is not there was last looked for */
    uint64_t event_sequence;
    struct tap_counts counted; /* what the counters have of the path's */
    uint64_t dropped_counted;
    char filter[4096];
    struct tap_live_settings capture; /* but the interface */
    size_t port_count;
    struct tap_port ports[TAP_INTERFACES_MAX];
    struct tap_hep_input *hep; /* NULL: none */
    struct conf_network_list hep_sources;
    pthread_mutex_t lock; /* of `shown` only */
    struct tap_shown shown;
};

/* ---- tap_record.c -------------------------------------------------------------------------- */

/* Hooks of the calls. */
void tap_record_message(void *context, struct tap_call *call, const struct tap_message *message,
                        bool initial);
void tap_record_done(void *context, struct tap_call *call);

/* ---- tap_hep.c ----------------------------------------------------------------------------- */

/* Opens the addresses; what fails is logged. */
int tap_hep_open(struct daemon_tap *tap, const struct conf_address_list *addresses,
                 struct tap_hep_input **input) MUST_CHECK;
/* NULL is allowed. */
void tap_hep_close(struct tap_hep_input *input);

#endif
