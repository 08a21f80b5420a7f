/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health: which targets of trunks serve; one table that all workers read and mark.
 *
 * One worker, the prober, opens and closes the places of the table and sends OPTIONS (probe.h);
 * every worker marks what its own calls show. One prober rather than one per worker: a peer with
 * eight workers in front of it would be asked eight times as often, and workers could disagree
 * about it. What all must agree on is a few words per target, so these are relaxed atomics and
 * nobody waits for anybody: a mark that is seen a moment late sends one more call the wrong way,
 * which failover mends.
 *
 * A pulse, once found, stays readable for the life of the table. The place of a target that is gone
 * may come to mean another one; a mark that was under way then falls on that one, and the next
 * answer clears it.
 */
#ifndef RINGFENCE_PROXY_HEALTH_H
#define RINGFENCE_PROXY_HEALTH_H

#include <stdatomic.h>

#include "proxy/settings.h"
#include "proxy/throttle.h"
#include "transport/target.h"

/* X(identifier, text): why a target is down, or was last */
#define PROXY_CAUSE_TABLE(X)                         \
    X(NONE, "none")                                  \
    X(PROBE, "probe")             /* OPTIONS */      \
    X(SILENCE, "no answer")       /* from traffic */ \
    X(UNREACHABLE, "unreachable") /* send error or ICMP */

enum proxy_cause {
#define PROXY_CAUSE_ROW(identifier, text) PROXY_CAUSE_##identifier,
    PROXY_CAUSE_TABLE(PROXY_CAUSE_ROW)
#undef PROXY_CAUSE_ROW
        PROXY_CAUSE_COUNT
};

/* X(identifier, text) */
#define PROXY_STATE_TABLE(X)                                       \
    X(UP, "up")                                                    \
    X(RETURNING, "returning") /* takes a growing share */          \
    X(AVOIDED, "avoided")     /* it asked for it by Retry-After */ \
    X(DOWN, "down")

enum proxy_state {
#define PROXY_STATE_ROW(identifier, text) PROXY_STATE_##identifier,
    PROXY_STATE_TABLE(PROXY_STATE_ROW)
#undef PROXY_STATE_ROW
        PROXY_STATE_COUNT
};

const char *proxy_cause_text(enum proxy_cause cause);
const char *proxy_state_text(enum proxy_state state);

struct proxy_health;
struct proxy_pulse;

/* What is known of one target. Times are of the monotonic clock; 0: never. */
struct proxy_view {
    enum proxy_state state;
    enum proxy_cause cause;
    uint64_t since_us;  /* when it came into this state; 0: always was */
    uint64_t until_us;  /* avoided: until then */
    uint64_t heard_us;  /* about when it last answered */
    uint64_t probed_us; /* when it last answered a probe */
    uint32_t failures;  /* in a row, from traffic */
    uint16_t status; /* that it last answered a probe, or a call that failed over, with; 0: none */
};

/* targets: at most so many are known; others count as up. */
int proxy_health_create(uint32_t targets, struct proxy_health **health) MUST_CHECK;

/* Any thread. NULL when the target is not known (yet); health may be NULL. trunk: its mark. */
struct proxy_pulse *proxy_health_find(const struct proxy_health *health, uint32_t trunk,
                                      uint64_t target);

/* The prober only. Finds or adds; NULL when the table is full. */
struct proxy_pulse *proxy_health_open(struct proxy_health *health, uint32_t trunk, uint64_t target);
void proxy_health_close(struct proxy_health *health, struct proxy_pulse *pulse);
/* What the prober keeps beside it; NULL when it was opened. */
void *proxy_pulse_watch(const struct proxy_pulse *pulse);
void proxy_pulse_set_watch(struct proxy_pulse *pulse, void *watch);

/* NULL is allowed. */
void proxy_health_destroy(struct proxy_health *health);

/* ---- any thread; a pulse of NULL serves and remembers nothing ------------------------------ */

/* Neither down nor avoided. */
bool proxy_pulse_serves(const struct proxy_pulse *pulse, uint64_t now_us);

/* Whether a target that serves takes this call: one that came back takes a share of them that grows
 * over slow_start_us. lot: the call's, of 16 bits; each call has the same answer on all workers. */
bool proxy_pulse_takes(const struct proxy_pulse *pulse, uint64_t slow_start_us, uint32_t lot,
                       uint64_t now_us);

/* It answered something. Noted about ten times a second at most, so that workers share the line of
 * memory. True when that ends a `down` that traffic had caused. */
bool proxy_pulse_heard(struct proxy_pulse *pulse, uint64_t now_us);

/* A request sent at begun_us got no answer, or could not be sent. So many in a row while nothing
 * else was heard mark it down. True when this one did. */
bool proxy_pulse_failed(struct proxy_pulse *pulse, enum proxy_cause cause, uint64_t begun_us,
                        uint32_t limit, uint64_t now_us);

/* ICMP says that it cannot be reached. Anybody can write that, so it only makes calls that are
 * without an answer go on sooner, and a probe leave at once. */
void proxy_pulse_hint(struct proxy_pulse *pulse, uint64_t now_us);
bool proxy_pulse_hinted(const struct proxy_pulse *pulse, uint64_t since_us);

/* It asked by 503 with Retry-After to be left alone until then. */
void proxy_pulse_avoid(struct proxy_pulse *pulse, uint64_t until_us, uint64_t now_us);

/* What it asks for by overload control; NULL of NULL. */
struct proxy_throttle *proxy_pulse_throttle(struct proxy_pulse *pulse);

/* The final code of a call that went on to another target. */
void proxy_pulse_refused(struct proxy_pulse *pulse, uint16_t status);

/* Of the prober: enough probes in a row failed, or were answered. True when the state changed. */
bool proxy_pulse_set_down(struct proxy_pulse *pulse, enum proxy_cause cause, uint64_t now_us);
bool proxy_pulse_set_up(struct proxy_pulse *pulse, uint64_t now_us);
void proxy_pulse_probed(struct proxy_pulse *pulse, uint16_t status, uint64_t now_us);

struct proxy_view proxy_pulse_view(const struct proxy_pulse *pulse, uint64_t slow_start_us,
                                   uint64_t now_us);

#endif
