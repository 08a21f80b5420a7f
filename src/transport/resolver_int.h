/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the resolver.
 *
 * dns_answer.c reads what a server sent, dns_cache.c keeps it by name and type, dns_walk.c goes
 * from a name to targets over what the cache holds, dns_query.c asks (c-ares), resolver.c is the
 * thread that does so in time. The first three know neither sockets nor clocks.
 */
#ifndef RINGFENCE_TRANSPORT_RESOLVER_INT_H
#define RINGFENCE_TRANSPORT_RESOLVER_INT_H

#include "base/list.h"
#include "runtime/loop.h"
#include "runtime/wheel.h"
#include "transport/resolver.h"

enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_NAPTR = 35
};

/* More records of one name than this are cut off (and the answer is still used). */
#define DNS_RECORD_LIMIT 32
#define DNS_ALIAS_LIMIT  8 /* CNAMEs in a row */

struct dns_record {
    struct tp_address address;    /* A, AAAA; without port */
    uint16_t order;               /* NAPTR: order; SRV: priority */
    uint16_t preference;          /* NAPTR: preference; SRV: weight */
    uint16_t port;                /* SRV */
    int8_t protocol;              /* NAPTR: what its service means to us, -1: nothing */
    char name[TP_DNS_NAME_BYTES]; /* SRV: target; NAPTR: replacement; lower case, no final dot */
};

struct dns_answer {
    uint32_t ttl_s; /* the least of what was used; of none at all: of the SOA (RFC 2308) */
    bool absent;    /* there is no such name, or none of this type */
    char alias[TP_DNS_NAME_BYTES]; /* the end of a chain of CNAMEs whose records did not come along
                                    */
    size_t count;
    struct dns_record records[DNS_RECORD_LIMIT];
};

/* name: lower case, as it was asked. 0; ERROR_MALFORMED; ERROR_UNAVAILABLE when the server says
 * that it failed. */
int tp_dns_answer_parse(const uint8_t *bytes, size_t length, const char *name, enum dns_type type,
                        struct dns_answer *answer) MUST_CHECK;
const char *tp_dns_type_text(enum dns_type type);

/* ---- dns_cache.c --------------------------------------------------------------------------- */
struct dns_cache;

/* Asks; the answer goes to tp_dns_cache_store() or tp_dns_cache_fail(). A failure may come at once.
 */
typedef void dns_ask_fn(void *argument, const char *name, enum dns_type type);

enum dns_state { DNS_KNOWN, DNS_ABSENT, DNS_WAITING, DNS_FAILED };

struct dns_look {
    const struct dns_answer *answer; /* of DNS_KNOWN and DNS_ABSENT; until the next change */
    uint64_t expires_us;
    uint64_t again_us; /* when it is worth looking again though nothing came in */
    bool stale;
    int failure; /* why DNS failed last, 0: it did not */
};

int tp_dns_cache_create(const struct tp_resolver_settings *settings, dns_ask_fn *ask,
                        void *argument, struct dns_cache **cache) MUST_CHECK;
enum dns_state tp_dns_cache_look(struct dns_cache *cache, const char *name, enum dns_type type,
                                 uint64_t now_us, struct dns_look *look);
void tp_dns_cache_store(struct dns_cache *cache, const char *name, enum dns_type type,
                        const struct dns_answer *answer, uint64_t now_us);
void tp_dns_cache_fail(struct dns_cache *cache, const char *name, enum dns_type type, int failure,
                       uint64_t now_us);
/* One bit of 64 by name and type: what a walk has looked at is a mask of these, so that an answer
 * makes only those walk again that (very likely) want it. */
uint64_t tp_dns_cache_bit(const struct dns_cache *cache, const char *name, enum dns_type type);
/* Forgets what nobody has looked at since then. */
void tp_dns_cache_sweep(struct dns_cache *cache, uint64_t since_us);
size_t tp_dns_cache_count(const struct dns_cache *cache);
void tp_dns_cache_destroy(struct dns_cache *cache);

/* ---- dns_walk.c ---------------------------------------------------------------------------- */
struct dns_result {
    size_t count;
    struct tp_target targets[TP_TARGET_LIMIT];
    uint64_t expires_us;
    uint64_t again_us;
    uint64_t looked_at; /* tp_dns_cache_bit() of all that it depends on */
    bool waiting;       /* an answer is under way that may add something */
    bool stale;
    char problem[TP_PROBLEM_BYTES];
};

/* RFC 3263 sections 4.1 and 4.2, over what the cache holds (which asks for what it lacks). */
void tp_dns_walk(struct dns_cache *cache, const struct tp_name *name, unsigned protocols,
                 uint64_t now_us, struct dns_result *result);

/* ---- dns_query.c --------------------------------------------------------------------------- */
struct dns_client;

/* failure: 0, or why there are no bytes. */
typedef void dns_answered_fn(void *argument, const char *name, enum dns_type type, int failure,
                             const uint8_t *bytes, size_t length);

int tp_dns_client_create(struct rt_loop *loop, struct rt_wheel *wheel,
                         const struct tp_resolver_settings *settings, dns_answered_fn *answered,
                         void *argument, struct dns_client **client) MUST_CHECK;
void tp_dns_client_ask(struct dns_client *client, const char *name, enum dns_type type);
void tp_dns_client_destroy(struct dns_client *client);

#endif
