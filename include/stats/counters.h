/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters: what is counted, each as one row; cheap for the thread that counts.
 *
 * Every thread that counts has a shard of its own (no atomic read-modify-write: a relaxed load and
 * store by the only writer). Readers add the shards up, so totals are exact and monotonic. A
 * labelled family has one cell per label; labels are registered once and keep their id for the life
 * of the process, so a reload never moves or resets a count.
 */
#ifndef RINGFENCE_STATS_COUNTERS_H
#define RINGFENCE_STATS_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

/* X(identifier, name, help) */
#define STATS_COUNTER_TABLE(X)                                                                    \
    X(DATAGRAMS_RECEIVED, "datagrams_received", "datagrams received on SIP sockets")              \
    X(DATAGRAMS_SENT, "datagrams_sent", "datagrams handed to the kernel")                         \
    X(DATAGRAMS_HANDED_OVER, "datagrams_handed_over", "datagrams passed to the owning worker")    \
    X(DATAGRAMS_FRAGMENTED, "datagrams_fragmented", "datagrams sent that exceed 1472 bytes")      \
    X(RING_FULL, "ring_full", "datagrams lost because the ring to the owner was full")            \
    X(SEND_FAILED, "send_failed", "datagrams that the kernel refused to send")                    \
    X(UNKNOWN_SOURCE, "unknown_source", "datagrams from addresses of no trunk, met with silence") \
    X(REQUESTS, "requests", "well-formed requests from trunks")                                   \
    X(RESPONSES, "responses", "well-formed responses from trunks")                                \
    X(RETRANSMISSIONS_IN, "retransmissions_in", "repeated requests and responses absorbed")       \
    X(RETRANSMISSIONS_OUT, "retransmissions_out", "requests and responses sent again by a timer") \
    X(CALLS, "calls", "initial INVITEs that were judged")                                         \
    X(CALLS_WITHOUT_RECORD, "calls_without_record",                                               \
      "calls that went on without a record because the table was full")                           \
    X(CALLS_ANSWERED, "calls_answered", "calls answered by a 2xx")                                \
    X(CALLS_ENDED, "calls_ended", "call records that ended")                                      \
    X(CALLS_ENDED_BYE, "calls_ended_bye", "calls ended by BYE")                                   \
    X(CALLS_ENDED_FAILED, "calls_ended_failed", "calls that ended without an answer")             \
    X(CALLS_ENDED_GONE, "calls_ended_gone", "calls ended by 481 or 408 within the dialog")        \
    X(CALLS_ENDED_EXPIRED, "calls_ended_expired", "calls ended by Session-Expires")               \
    X(CALLS_ENDED_MAXIMUM, "calls_ended_maximum", "calls ended by max_call")                      \
    X(VERDICTS_DEGRADED, "verdicts_degraded", "verdicts given with an input missing by fault")    \
    X(VERDICTS_PARKED, "verdicts_parked", "verdicts that had to wait for an input")               \
    X(VERDICTS_DEADLINE, "verdicts_deadline", "verdicts given at the deadline")                   \
    X(PARKED_REFUSED, "parked_refused", "verdicts not parked because of the limit")               \
    X(EMERGENCY_CALLS, "emergency_calls", "calls to emergency numbers")                           \
    X(CALLS_REFUSED_OVERLOAD, "calls_refused_overload", "new calls refused under overload")       \
    X(TAG_HEADERS_REMOVED, "tag_headers_removed", "our own tag headers removed from untrusted")   \
    X(STATELESS_RESPONSES, "stateless_responses", "responses of earlier lives passed on")         \
    X(STATELESS_CANCELS, "stateless_cancels", "CANCELs of earlier lives passed on")               \
    X(STRAY_RESPONSES, "stray_responses", "responses that match nothing and do not verify")       \
    X(STRAY_ACKS, "stray_acks", "ACKs dropped because their route does not verify")               \
    X(FORGED_ROUTES, "forged_routes", "requests whose Record-Route mark does not verify")         \
    X(LOOPS, "loops", "requests refused by Max-Forwards or loop detection")                       \
    X(NO_ROUTE, "no_route", "requests for which no route exists")                                 \
    X(FOREIGN_NEXT_HOP, "foreign_next_hop", "requests refused for a next hop outside the trunk")  \
    X(TIMER_C, "timer_c", "INVITEs ended by Timer C")                                             \
    X(TRANSACTIONS_REFUSED, "transactions_refused", "requests refused because a table is full")   \
    X(REGEX_LIMIT, "regex_limit", "regular expressions stopped at their match limit")             \
    X(REGEX_SKIPPED, "regex_skipped", "regular expressions left unknown under overload")          \
    X(EVENTS_LOST, "events_lost", "event records lost because the ring was full")

enum stats_counter {
#define STATS_COUNTER_ROW(identifier, name, help) STATS_##identifier,
    STATS_COUNTER_TABLE(STATS_COUNTER_ROW)
#undef STATS_COUNTER_ROW
        STATS_COUNTER_COUNT
};

/* X(identifier, name, label name, capacity, help). The last label of a full family is "other". */
#define STATS_FAMILY_TABLE(X)                                                              \
    X(VERDICTS, "verdicts", "action", 16, "verdicts by action")                            \
    X(RULES, "rules", "rule", 16384, "calls on which an enforced rule fired")              \
    X(RULES_SHADOW, "rules_shadow", "rule", 16384, "calls on which a shadow rule fired")   \
    X(TYPES, "types", "type", 256, "tagged, diverted and blocked calls by scam type")      \
    X(TRUNK_CALLS_IN, "trunk_calls_in", "trunk", 1024, "initial INVITEs by ingress trunk") \
    X(TRUNK_CALLS_OUT, "trunk_calls_out", "trunk", 1024, "INVITEs sent by egress trunk")   \
    X(TRUNK_BLOCKED, "trunk_blocked", "trunk", 1024, "blocked calls by ingress trunk")     \
    X(TRUNK_ANSWERED, "trunk_answered", "trunk", 1024, "answered calls by egress trunk")   \
    X(MALFORMED, "malformed", "reason", 64, "messages refused or dropped by reason")       \
    X(REFUSED, "refused", "code", 64, "final codes that this program answered itself")     \
    X(REASONS, "reasons", "reason", 64, "verdicts by the authority that decided")

enum stats_family {
#define STATS_FAMILY_ROW(identifier, name, label, capacity, help) STATS_FAMILY_##identifier,
    STATS_FAMILY_TABLE(STATS_FAMILY_ROW)
#undef STATS_FAMILY_ROW
        STATS_FAMILY_COUNT
};

/* X(identifier, name, help): values in nanoseconds, log-linear buckets of 1/16 relative width. */
#define STATS_HISTOGRAM_TABLE(X)                                                                \
    X(SCREENING, "screening", "time spent on features, rules and score of a call")              \
    X(FORWARDING, "forwarding", "from the receipt of an initial INVITE to its forwarding")      \
    X(POST_DIAL_DELAY, "post_dial_delay", "from the INVITE of a call to its ringing or answer") \
    X(CALL_DURATION, "call_duration", "from the answer of a call to its end")

enum stats_histogram {
#define STATS_HISTOGRAM_ROW(identifier, name, help) STATS_HISTOGRAM_##identifier,
    STATS_HISTOGRAM_TABLE(STATS_HISTOGRAM_ROW)
#undef STATS_HISTOGRAM_ROW
        STATS_HISTOGRAM_COUNT
};

/* X(identifier, name, help): a gauge is the sum over shards of what each reports last. */
#define STATS_GAUGE_TABLE(X)                                                                     \
    X(TRANSACTIONS, "transactions", "transactions that are not over")                            \
    X(TRANSACTIONS_LINGERING, "transactions_lingering", "records kept only for retransmissions") \
    X(CALLS_HELD, "calls_held", "call records held")                                             \
    X(CALLS_PARKED, "calls_parked", "calls waiting for a pending input")                         \
    X(TRANSACTION_BYTES, "transaction_bytes", "message copies held by transactions")

enum stats_gauge {
#define STATS_GAUGE_ROW(identifier, name, help) STATS_GAUGE_##identifier,
    STATS_GAUGE_TABLE(STATS_GAUGE_ROW)
#undef STATS_GAUGE_ROW
        STATS_GAUGE_COUNT
};

#define STATS_HISTOGRAM_BUCKETS (64 * 16)

/* The inside is public only for the inline counting functions below. */
struct stats_shard {
    _Atomic uint64_t counters[STATS_COUNTER_COUNT];
    _Atomic uint64_t gauges[STATS_GAUGE_COUNT];
    _Atomic uint64_t *families[STATS_FAMILY_COUNT];
    _Atomic uint64_t (*histograms)[STATS_HISTOGRAM_BUCKETS];
    _Atomic uint64_t histogram_sums[STATS_HISTOGRAM_COUNT];
    struct stats_shard *next; /* the registry's */
};

static inline void stats_cell_add(_Atomic uint64_t *cell, uint64_t amount)
{
    /* One writer: no lock prefix is needed, only that a reader never sees a torn value. */
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

static inline void stats_add(struct stats_shard *shard, enum stats_counter counter, uint64_t amount)
{
    stats_cell_add(&shard->counters[counter], amount);
}

static inline void stats_count(struct stats_shard *shard, enum stats_counter counter)
{
    stats_add(shard, counter, 1);
}

/* label: from stats_label(); 0 is "other". */
static inline void stats_count_label(struct stats_shard *shard, enum stats_family family,
                                     uint32_t label)
{
    stats_cell_add(&shard->families[family][label], 1);
}

static inline void stats_gauge_set(struct stats_shard *shard, enum stats_gauge gauge,
                                   uint64_t value)
{
    atomic_store_explicit(&shard->gauges[gauge], value, memory_order_relaxed);
}

void stats_record(struct stats_shard *shard, enum stats_histogram histogram, uint64_t nanoseconds);

struct stats_registry;

int stats_registry_create(struct stats_registry **registry) MUST_CHECK;

/* A zeroed shard, owned by the registry until it is destroyed. Any thread. */
int stats_shard_create(struct stats_registry *registry, struct stats_shard **shard) MUST_CHECK;

/* The id of a label, registered at first use; 0 ("other") when the family is full. Any thread
 * (a mutex inside): for load and reload, not for calls. */
uint32_t stats_label(struct stats_registry *registry, enum stats_family family, struct slice name);

/* Sums over all shards. */
uint64_t stats_total(const struct stats_registry *registry, enum stats_counter counter);
uint64_t stats_gauge_total(const struct stats_registry *registry, enum stats_gauge gauge);
uint64_t stats_label_total(const struct stats_registry *registry, enum stats_family family,
                           uint32_t label);
/* How many labels a family has, "other" included; and the name of one, valid for good. */
uint32_t stats_label_count(const struct stats_registry *registry, enum stats_family family);
struct slice stats_label_name(const struct stats_registry *registry, enum stats_family family,
                              uint32_t label);
/* The value below which `quantile` (0..1) of all recorded ones lie; 0 when there is none. */
uint64_t stats_quantile(const struct stats_registry *registry, enum stats_histogram histogram,
                        double quantile);

/* No shard may be in use any more. NULL is allowed. */
void stats_registry_destroy(struct stats_registry *registry);

#endif
