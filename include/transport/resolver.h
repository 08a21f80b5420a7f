/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver: names of next hops to addresses (RFC 3263), by a thread of its own.
 *
 * A destination is a name that somebody wants resolved for as long as he holds it. The resolver
 * asks DNS for NAPTR, SRV, A and AAAA records, keeps each as long as its TTL says (within bounds),
 * asks again before it expires, and goes on with what it had when DNS fails. Whatever comes of it
 * is published as an immutable list that any thread of the reclamation domain reads without a lock:
 * who sends a request never waits for DNS.
 */
#ifndef RINGFENCE_TRANSPORT_RESOLVER_H
#define RINGFENCE_TRANSPORT_RESOLVER_H

#include "base/reclaim.h"
#include "stats/counters.h"
#include "transport/target.h"

#define TP_TARGET_LIMIT   64 /* targets of one destination */
#define TP_FORMER_LIMIT   64 /* addresses that it had before */
#define TP_PROBLEM_BYTES  160
#define TP_DNS_NAME_BYTES 256 /* the longest name in text, with its NUL */

struct tp_resolver_settings {
    const struct tp_address *servers; /* none: those of /etc/resolv.conf */
    size_t server_count;
    uint64_t timeout_us; /* of one attempt */
    uint32_t tries;      /* per server */
    uint64_t min_ttl_us; /* bounds of what DNS says */
    uint64_t max_ttl_us;
    uint64_t negative_ttl_us; /* the most that "there is none" is believed */
    uint64_t stale_us;        /* how long after its end a record is used while DNS fails */
    uint64_t remember_us;     /* how long an address that is no target any more is still known */
    unsigned protocols;       /* that we can send by: mask of TP_PROTOCOL_BIT() */
    uint64_t seed;            /* of what spreads refreshes in time */
};

/* What a name resolves to; immutable once published. Targets are sorted by priority. */
struct tp_targets {
    uint64_t resolved_us;           /* the monotonic clock, as all of these; 0: never */
    uint64_t changed_us;            /* when the targets became these */
    uint64_t expires_us;            /* when the first of the records ends */
    bool stale;                     /* some record has ended and DNS does not answer */
    bool settled;                   /* DNS has answered, or failed to */
    char problem[TP_PROBLEM_BYTES]; /* what is wrong now; "" */
    size_t count;
    size_t former_count;
    struct tp_target targets[TP_TARGET_LIMIT];
    struct {
        struct tp_address address;
        uint64_t until_us;
    } former[TP_FORMER_LIMIT];
};

struct tp_resolver;
struct tp_destination;

/* Nothing is asked before tp_resolver_start(). */
int tp_resolver_create(struct tp_resolver **resolver) MUST_CHECK;

/* What is published is retired to the domain. The registry gets a shard for the resolver's counts.
 * ERROR_UNAVAILABLE when no DNS server can be used. */
int tp_resolver_start(struct tp_resolver *resolver, const struct tp_resolver_settings *settings,
                      struct reclaim *domain, struct stats_registry *registry) MUST_CHECK;

/* Waits until each destination has been answered, at most so long; true when all have. For those
 * who may wait: at the start, and before a reload takes effect. */
bool tp_resolver_settle(struct tp_resolver *resolver, uint64_t limit_us);

/* Joins the thread. Destinations stay readable. */
void tp_resolver_stop(struct tp_resolver *resolver);

/* All destinations must have been closed, the domain must be gone or collected. NULL is allowed. */
void tp_resolver_destroy(struct tp_resolver *resolver);

/* Any thread. The same name gives the same destination; each open needs its close. */
int tp_destination_open(struct tp_resolver *resolver, const struct tp_name *name,
                        struct tp_destination **destination) MUST_CHECK;
void tp_destination_close(struct tp_destination *destination);

/* Valid until the reader's next quiescent point; never NULL. */
const struct tp_targets *tp_destination_targets(const struct tp_destination *destination);

/* "sip:carrier.example:5070;transport=udp": as it was opened. */
const char *tp_destination_text(const struct tp_destination *destination);

/* Of the text: the same in every process. */
uint64_t tp_destination_identity(const struct tp_destination *destination);

/* Whether the host is one that the name resolves to, or did within remember_us. */
bool tp_targets_know(const struct tp_targets *targets, const struct tp_address *address,
                     uint64_t now_us);

#endif
