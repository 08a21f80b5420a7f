/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life_int: how a process ends, and how one hands over to the next.
 */
#ifndef RINGFENCE_DAEMON_LIFE_INT_H
#define RINGFENCE_DAEMON_LIFE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "control/control_server.h"

struct daemon_service;
struct daemon_successor;
struct daemon_upgrade;
struct daemon_worker;

/* ---- life.c ------------------------------------------------------------------------------ */
enum daemon_state {
    DAEMON_SERVING,
    DAEMON_DRAINING, /* by command: new calls are refused, the process stays */
    DAEMON_STOPPING  /* by signal: the same, and it ends with the last call or at stop_us */
};

/* When a worker was last seen to turn. */
struct daemon_pulse {
    uint64_t turns;
    uint64_t turned_us;
    bool reported; /* that it does not */
};

struct daemon_life {
    enum daemon_state state;
    bool signalled; /* to end */
    uint64_t stop_us;
    uint64_t feed_us; /* when the watchdog is fed next */
    uint64_t tell_us; /* when the status is looked at next */
    char told[128];
    struct daemon_pulse *pulses; /* [worker] */
};

/* READY=1: calls are served from now on. */
void daemon_life_begin(struct daemon_service *service);
/* A signal to end: drains first; the second one does not wait. */
void daemon_life_stop(struct daemon_service *service);
/* Drains and ends, without a signal: the process that took over was told to. */
void daemon_life_begin_stop(struct daemon_service *service);
/* From housekeeping: feeds the watchdog, tells the service manager. False: it is time to end. */
bool daemon_life_turn(struct daemon_service *service, uint64_t now_us) MUST_CHECK;
/* Members of `status`. */
void daemon_life_fill(const struct daemon_service *service, struct stats_json *json);
int daemon_command_drain(void *context, const struct ctl_request *request, struct ctl_reply *reply);
int daemon_command_undrain(void *context, const struct ctl_request *request,
                           struct ctl_reply *reply);

/* ---- upgrade.c --------------------------------------------------------------------------- */
int daemon_command_upgrade(void *context, const struct ctl_request *request,
                           struct ctl_reply *reply);
/* From housekeeping. False: another process serves, and nothing is left to do here. */
bool daemon_upgrade_turn(struct daemon_service *service, uint64_t now_us) MUST_CHECK;
/* Another process serves; this one finishes what it has. */
bool daemon_upgrade_is_served(const struct daemon_service *service);
/* At the end of the service: while workers run, and when they do not any more (NULL is allowed). */
void daemon_upgrade_abandon(struct daemon_service *service);
void daemon_upgrade_destroy(struct daemon_upgrade *upgrade);

/* ---- successor.c ------------------------------------------------------------------------- */
/* Receives what the process before has open, before anything is opened. *successor is to be
 * destroyed also on failure, which is logged. The channel becomes its own. */
int daemon_successor_create(struct daemon_service *service, int channel,
                            struct daemon_successor **successor) MUST_CHECK;
uint8_t daemon_successor_generation(const struct daemon_successor *successor);
uint64_t daemon_successor_counting_us(const struct daemon_successor *successor);
void daemon_successor_keys(const struct daemon_successor *successor, struct hash_key keys[2]);
/* When all is opened: that it is the same as before. Logged. */
int daemon_successor_check(struct daemon_successor *successor) MUST_CHECK;
/* Before workers are started: waits until the process before has let go of its sockets. */
int daemon_successor_take(struct daemon_successor *successor) MUST_CHECK;
/* When workers run. */
int daemon_successor_serving(struct daemon_successor *successor) MUST_CHECK;
/* This process was told to end: so is the one before it, which would serve on instead. */
void daemon_successor_stop(struct daemon_service *service);
/* No process before this one has transactions any more, or there was none. */
bool daemon_successor_is_alone(const struct daemon_service *service);
/* When the process before goes at the latest; 0 when there is none. */
uint64_t daemon_successor_leave_us(const struct daemon_service *service);
/* While it is not: what is awaited. */
void daemon_successor_describe(const struct daemon_service *service, char *text, size_t capacity);
/* Members of `status`. */
void daemon_successor_fill(const struct daemon_service *service, struct stats_json *json);
/* NULL is allowed. */
void daemon_successor_destroy(struct daemon_successor *successor);

/* ---- worker_hand.c ----------------------------------------------------------------------- */
/* The process that goes, on the worker's thread: no socket is read any more. */
void daemon_worker_pause(struct daemon_worker *worker);
/* When every worker has paused: what it has, as a file, and a link to the worker that continues. */
int daemon_worker_hand_over(struct daemon_worker *worker, int link, int *share) MUST_CHECK;
/* See tp_worker_end_streams(). */
void daemon_worker_end_streams(struct daemon_worker *worker);
void daemon_worker_ask_to_leave(struct daemon_worker *worker);
/* The other process is gone: sockets are read again. */
int daemon_worker_take_back(struct daemon_worker *worker) MUST_CHECK;
/* Any thread: nothing comes from the other process any more. */
bool daemon_worker_has_left(const struct daemon_worker *worker);

/* The process that comes, before the worker is started. The descriptors become the worker's. */
void daemon_worker_begin_with(struct daemon_worker *worker, int link, int share);
/* Any thread: no process before this one has transactions of the worker's calls. */
bool daemon_worker_is_alone(const struct daemon_worker *worker);

#endif
