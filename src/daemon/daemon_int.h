/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the daemon, shared by the files of this folder.
 */
#ifndef RINGFENCE_DAEMON_INT_H
#define RINGFENCE_DAEMON_INT_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/log.h"
#include "base/reclaim.h"
#include "control/control_server.h"
#include "control/metrics_server.h"
#include "control/stats_server.h"
#include "daemon/service.h"
#include "life_int.h"
#include "runtime/mailbox.h"
#include "runtime/process.h"
#include "runtime/thread.h"
#include "runtime/wheel.h"

/* What workers share. Immutable once they run, but for `current`. */
struct daemon_shared {
    struct ident_marks marks;
    struct proxy_labels labels;
    struct stats_registry *registry;
    struct tp_group *group;
    struct rep_store *store;
    struct screen_limiter *limiter;
    struct proxy_health *health;
    struct proxy_admission *admission;
    struct proxy_load *load;
    struct reclaim *reclaim;
    struct hash_key table_keys[2];
    size_t workers;
    uint64_t busy_poll_us;
    bool pin;
    /* Replaced by the control thread (release), read by workers once a turn (acquire). What was
     * there before is retired to `reclaim`. */
    _Atomic(struct daemon_snapshot *) current;
    /* Odd from when a reload begins until every worker has adopted what came of it. Relaxed. */
    _Atomic uint32_t reloading;
};

/*
 * How long a worker was busy at once, from waking to waiting again: so long a message may have had
 * to wait. Written by the worker, read relaxed by the control thread.
 */
struct daemon_turns {
    _Atomic uint64_t count;
    _Atomic uint64_t longest_us;        /* since the start */
    _Atomic uint64_t reload_longest_us; /* while the latest reload was under way */
};

/* ---- worker.c ---------------------------------------------------------------------------- */
struct daemon_worker;

int daemon_worker_create(struct daemon_shared *shared, size_t index,
                         struct daemon_worker **worker) MUST_CHECK;
int daemon_worker_start(struct daemon_worker *worker) MUST_CHECK;
struct stats_event_queue *daemon_worker_events(const struct daemon_worker *worker);
/* Any thread: new calls are refused from now on, or served again. */
void daemon_worker_drain(struct daemon_worker *worker, bool draining);
/* Any thread: grows with each turn of the worker's loop, at least a few times a second. */
uint64_t daemon_worker_turn_count(const struct daemon_worker *worker);
/* Any thread: so that a sleeping worker adopts a new snapshot and lets go of the old one. */
void daemon_worker_nudge(struct daemon_worker *worker);
/* Any thread: whether the worker has finished a turn with the current snapshot (acquire: what it
 * did with the old one is over). */
bool daemon_worker_has_adopted(const struct daemon_worker *worker);
const struct daemon_turns *daemon_worker_turns(const struct daemon_worker *worker);
/* On the worker's thread only; NULL when no calls are kept. */
const struct screen_recent *daemon_worker_recent(const struct daemon_worker *worker);
/* Any thread: as rt_mailbox_post(), on the worker's thread and with the worker as target. */
int daemon_worker_post(struct daemon_worker *worker, rt_message_fn *letter,
                       void *argument) MUST_CHECK;
/* Ends its thread; its events can still be read. NULL is allowed, also below. */
void daemon_worker_stop(struct daemon_worker *worker);
void daemon_worker_destroy(struct daemon_worker *worker);

struct daemon_tap;

/* ---- tap.c --------------------------------------------------------------------------------- */
/* Opens interfaces and addresses, which takes rights; what fails is logged. */
int daemon_tap_create(struct daemon_shared *shared, struct daemon_tap **tap) MUST_CHECK;
int daemon_tap_start(struct daemon_tap *tap) MUST_CHECK;
struct stats_event_queue *daemon_tap_events(const struct daemon_tap *tap);
/* Members "tap" and "interfaces". Any thread. */
void daemon_tap_fill(struct daemon_tap *tap, struct stats_json *json);
void daemon_tap_stop(struct daemon_tap *tap);
void daemon_tap_destroy(struct daemon_tap *tap);

/* ---- service.c --------------------------------------------------------------------------- */
struct daemon_service {
    const char *config_path;
    const char *program;                /* this one's path, as it was started */
    struct daemon_upgrade *upgrade;     /* to a process that takes over; NULL: none */
    struct daemon_successor *successor; /* this process took over from another; else NULL */
    struct arena *arena;                /* what lives as long as the service */
    struct daemon_shared shared;
    struct screen_ledger *ledger;
    struct tp_resolver *resolver;
    struct daemon_snapshot *snapshot; /* the current one; the control thread's own view */
    struct daemon_worker **workers;
    struct daemon_tap *tap; /* mode tap, which has no workers; else NULL */
    struct stats_event_queue **queues;
    struct rt_loop *loop;
    struct rt_wheel *wheel;
    struct rt_mailbox *mailbox;
    struct rt_signals *signals;
    struct ctl_control_server *control;
    struct ctl_stats_server *stats;
    struct ctl_metrics_server *metrics; /* NULL: not configured */
    struct stats_shard *shard;          /* of the control thread */
    struct daemon_events *events;
    struct stats_source source;
    struct screen_engine *explainer;
    struct list_link queries;         /* of `explain`, that a worker has not answered yet */
    struct rt_thread *builder;        /* of the reload under way; NULL when it has ended */
    struct daemon_reload_job *reload; /* under way, or NULL */
    bool reload_again;                /* SIGHUP came while it was */
    struct rt_timer housekeeping;
    uint64_t started_us;
    uint64_t counting_us; /* since when no call has been missed by the limits */
    struct daemon_life life;
    uint32_t reloads;
    char reload_failure[256]; /* why the latest reload was refused; "" */
};

/* ---- reload.c ---------------------------------------------------------------------------- */
/* reply may be NULL (SIGHUP). Returns CTL_LATER, or a negative code when one is under way. */
int daemon_reload(struct daemon_service *service, struct ctl_reply *reply) MUST_CHECK;
/* The longest turn of any worker: since the start, and during the latest reload. */
struct daemon_stalls {
    uint64_t longest_us;
    uint64_t reload_us;
};
struct daemon_stalls daemon_stalls(const struct daemon_service *service);
/* At the end of the service: a reload that still waits for workers is answered now. */
void daemon_reload_settle(struct daemon_service *service);
/* For SIGHUP: while a reload is under way, another follows it. */
void daemon_reload_by_signal(struct daemon_service *service);

/* ---- rules.c ------------------------------------------------------------------------------- */
int daemon_command_rules(void *context, const struct ctl_request *request, struct ctl_reply *reply);
int daemon_command_rules_rearm(void *context, const struct ctl_request *request,
                               struct ctl_reply *reply);
/* Members "budget" and "budget_used"; nothing for NULL. */
void daemon_fill_budget(struct stats_json *json, const struct screen_budget *budget,
                        uint64_t wall_us);
void daemon_fill_demoted(const struct daemon_service *service, struct stats_json *json);

/* ---- gauges.c ------------------------------------------------------------------------------ */
/* What the control thread knows, as gauges of its own shard. */
void daemon_gauges_publish(const struct daemon_service *service);

/* ---- commands.c, explain.c, status.c ----------------------------------------------------- */
extern const struct ctl_command daemon_commands[];
extern const size_t daemon_command_count;
/* Seconds since 1970. */
int64_t daemon_wall_s(void);
int daemon_command_status(void *context, const struct ctl_request *request,
                          struct ctl_reply *reply);
int daemon_command_explain(void *context, const struct ctl_request *request,
                           struct ctl_reply *reply);
/* Answers what workers, which are gone, have left open. */
void daemon_explain_abandon(struct daemon_service *service);

#endif
