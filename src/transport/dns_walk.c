/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolver_int.h"

#define HIGHEST_PRIORITY UINT16_MAX
/* A weight is split among the addresses of a name without losing what is left over. */
#define WEIGHT_SCALE 256

struct walk {
    struct dns_cache *cache;
    uint64_t now_us;
    unsigned protocols; /* usable ones */
    uint16_t priority;  /* of what is added next */
    bool failed;        /* something could not be asked for */
    struct dns_result *result;
};

/* The first problem says most. */
#define complain(walk, ...)                                                                  \
    do {                                                                                     \
        if ((walk)->result->problem[0] == '\0')                                              \
            snprintf((walk)->result->problem, sizeof((walk)->result->problem), __VA_ARGS__); \
    } while (0)

/* Follows aliases that the server did not follow itself. */
static enum dns_state look(struct walk *walk, const char *name, enum dns_type type,
                           const struct dns_answer **answer)
{
    struct dns_look found;
    enum dns_state state = DNS_FAILED;
    const char *at = name;
    for (unsigned i = 0; i <= DNS_ALIAS_LIMIT; i++) {
        state = tp_dns_cache_look(walk->cache, at, type, walk->now_us, &found);
        walk->result->looked_at |= tp_dns_cache_bit(walk->cache, at, type);
        if (found.again_us < walk->result->again_us)
            walk->result->again_us = found.again_us;
        if (found.failure != 0)
            complain(walk, "%s %.100s: %s", tp_dns_type_text(type), at, error_text(found.failure));
        if (state == DNS_WAITING)
            walk->result->waiting = true;
        if (state == DNS_WAITING || state == DNS_FAILED)
            break;
        if (found.expires_us < walk->result->expires_us)
            walk->result->expires_us = found.expires_us;
        walk->result->stale = walk->result->stale || (found.stale && found.failure != 0);
        *answer = found.answer;
        if (found.answer->alias[0] == '\0')
            return state;
        at = found.answer->alias;
        state = DNS_FAILED;
    }
    if (state == DNS_FAILED) {
        complain(walk, "%s %.100s: too many aliases", tp_dns_type_text(type), name);
        walk->failed = true;
    }
    return state;
}

/* ---- A and AAAA ---------------------------------------------------------------------------- */

static void add_target(struct walk *walk, const struct dns_record *record, uint16_t port,
                       uint8_t protocol, uint32_t weight)
{
    struct dns_result *result = walk->result;
    if (result->count == TP_TARGET_LIMIT)
        return;
    struct tp_target *target = &result->targets[result->count++];
    *target = (struct tp_target){
        .address = record->address,
        .weight = weight,
        .priority = walk->priority,
        .protocol = protocol,
    };
    target->address.port = port;
    target->identity = tp_target_identity(&target->address, protocol);
}

/* The addresses of a host share its weight. */
static bool add_host(struct walk *walk, const char *host, enum dns_type type, uint16_t port,
                     uint8_t protocol, uint32_t weight)
{
    const struct dns_answer *answer;
    if (look(walk, host, type, &answer) != DNS_KNOWN)
        return false;
    uint32_t share = weight * WEIGHT_SCALE / (uint32_t)answer->count;
    for (size_t i = 0; i < answer->count; i++)
        add_target(walk, &answer->records[i], port, protocol, share);
    return answer->count > 0;
}

static void next_priority(struct walk *walk)
{
    if (walk->priority < HIGHEST_PRIORITY)
        walk->priority++;
}

/* IPv4 before IPv6 where a trunk can be reached by both: trunks agree on addresses, and one that
 * has published an AAAA record by mistake is common. */
static void add_plain_host(struct walk *walk, const char *host, uint16_t port, uint8_t protocol)
{
    bool found = add_host(walk, host, DNS_A, port, protocol, 1);
    next_priority(walk);
    found = add_host(walk, host, DNS_AAAA, port, protocol, 1) || found;
    next_priority(walk);
    if (!found)
        complain(walk, "%.100s has no address", host);
}

/* ---- SRV ----------------------------------------------------------------------------------- */

static int by_priority(const void *a, const void *b)
{
    const struct dns_record *const *left = a;
    const struct dns_record *const *right = b;
    return (*left)->order - (*right)->order;
}

/* The records of one priority: [first, past). */
static void add_srv_group(struct walk *walk, const struct dns_record **first,
                          const struct dns_record **past, uint8_t protocol)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    for (size_t i = 0; i < 2; i++) {
        for (const struct dns_record **at = first; at < past; at++)
            if ((*at)->name[0] != '\0')
                (void)add_host(walk, (*at)->name, types[i], (*at)->port, protocol,
                               (*at)->preference);
        next_priority(walk);
    }
}

/* RFC 2782. True when there are SRV records, whatever came of them. */
static bool add_service(struct walk *walk, const char *name, uint8_t protocol)
{
    const struct dns_answer *answer;
    const struct dns_record *sorted[DNS_RECORD_LIMIT];
    enum dns_state state = look(walk, name, DNS_SRV, &answer);
    if (state != DNS_KNOWN) {
        walk->failed = walk->failed || state == DNS_FAILED;
        return false;
    }
    size_t before = walk->result->count;
    for (size_t i = 0; i < answer->count; i++)
        sorted[i] = &answer->records[i];
    qsort(sorted, answer->count, sizeof(const struct dns_record *), by_priority);
    for (size_t first = 0, past; first < answer->count; first = past) {
        for (past = first; past < answer->count && sorted[past]->order == sorted[first]->order;)
            past++;
        add_srv_group(walk, sorted + first, sorted + past, protocol);
    }
    if (walk->result->count == before)
        complain(walk, "SRV %.100s names no host with an address", name);
    return true;
}

/* The SRV name of a protocol at a host. False: it would be too long. */
static bool service_name(char text[TP_DNS_NAME_BYTES], const char *host, int protocol)
{
    int length = snprintf(text, TP_DNS_NAME_BYTES, "%s%s", tp_protocol_rows[protocol].prefix, host);
    return length > 0 && length < TP_DNS_NAME_BYTES;
}

static bool add_service_of(struct walk *walk, const char *host, int protocol)
{
    char name[TP_DNS_NAME_BYTES];
    return service_name(name, host, protocol) && add_service(walk, name, (uint8_t)protocol);
}

/* ---- NAPTR --------------------------------------------------------------------------------- */

static int by_order(const void *a, const void *b)
{
    const struct dns_record *const *left = a;
    const struct dns_record *const *right = b;
    if ((*left)->order != (*right)->order)
        return (*left)->order - (*right)->order;
    return (*left)->preference - (*right)->preference;
}

/*
 * RFC 3263 section 4.1. True when there are NAPTR records for SIP, whatever came of them. A server
 * that fails on NAPTR alone is asked for SRV like one that has none: such servers exist, and SRV
 * names say no less.
 */
static bool add_by_naptr(struct walk *walk, const char *host)
{
    const struct dns_answer *answer;
    const struct dns_record *sorted[DNS_RECORD_LIMIT];
    size_t count = 0;
    bool any = false;
    if (look(walk, host, DNS_NAPTR, &answer) != DNS_KNOWN)
        return false;
    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];
        any = any || record->protocol >= 0;
        if (record->protocol >= 0 && (walk->protocols & TP_PROTOCOL_BIT(record->protocol)) != 0)
            sorted[count++] = record;
    }
    qsort(sorted, count, sizeof(const struct dns_record *), by_order);
    for (size_t i = 0; i < count; i++)
        (void)add_service(walk, sorted[i]->name, (uint8_t)sorted[i]->protocol);
    if (any && count == 0)
        complain(walk, "NAPTR %.100s offers no transport that is in use here", host);
    return any;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static int default_protocol(const struct tp_name *name)
{
    if (name->protocol == TP_PROTOCOL_TCP && name->secure)
        return TP_PROTOCOL_TLS;
    if (name->protocol >= 0)
        return name->protocol;
    return name->secure ? TP_PROTOCOL_TLS : TP_PROTOCOL_UDP;
}

static void add_by_name(struct walk *walk, const struct tp_name *name, const char *host)
{
    int protocol = default_protocol(name);
    bool found = false;
    if (name->port != 0) {
        add_plain_host(walk, host, name->port, (uint8_t)protocol);
        return;
    }
    if (name->protocol >= 0) {
        found = add_service_of(walk, host, protocol);
    } else {
        found = add_by_naptr(walk, host);
        if (walk->result->waiting)
            return; /* what stands behind NAPTR is asked once it is known to be needed */
        for (int i = 0; i < TP_PROTOCOL_COUNT && !found; i++)
            if ((walk->protocols & TP_PROTOCOL_BIT(i)) != 0)
                found = add_service_of(walk, host, i);
    }
    /* "No SRV records were found" is not "nobody could say": a plain address may be a web server.
     */
    if (!found && !walk->failed && !walk->result->waiting)
        add_plain_host(walk, host, tp_protocol_rows[protocol].port, (uint8_t)protocol);
}

void tp_dns_walk(struct dns_cache *cache, const struct tp_name *name, unsigned protocols,
                 uint64_t now_us, struct dns_result *result)
{
    char host[TP_DNS_NAME_BYTES];
    struct buffer text = buffer_over(host, sizeof(host) - 1);
    memset(result, 0, sizeof(*result));
    result->expires_us = result->again_us = UINT64_MAX;
    for (size_t i = 0; i < name->host.length; i++) {
        char byte = name->host.data[i];
        buffer_append_char(&text, (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte));
    }
    if (text.length > 0 && host[text.length - 1] == '.')
        text.length--;
    host[text.length] = '\0';
    struct walk walk = {
        .cache = cache,
        .now_us = now_us,
        .protocols = name->secure ? protocols & TP_PROTOCOL_BIT(TP_PROTOCOL_TLS) : protocols,
        .result = result,
    };
    if ((walk.protocols & TP_PROTOCOL_BIT(default_protocol(name))) == 0 &&
        (name->protocol >= 0 || name->port != 0 || walk.protocols == 0)) {
        complain(&walk, "transport %s is not in use here",
                 tp_protocol_rows[default_protocol(name)].word);
        return;
    }
    add_by_name(&walk, name, host);
}
