/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target: where a request can be sent, and the order in which a call tries several.
 *
 * Within a priority, targets are drawn by weight as RFC 2782 draws SRV records, but the draw
 * follows from the call (rendezvous hashing): the same call gets the same order in every process
 * that knows the key, as RFC 3263 section 4.4 asks of what keeps no state, and a target that comes
 * or goes moves only the calls that it wins or loses.
 */
#ifndef RINGFENCE_TRANSPORT_TARGET_H
#define RINGFENCE_TRANSPORT_TARGET_H

#include "transport/address.h"

/* X(identifier, word in a URI, in a Via, service of NAPTR, prefix of SRV names, default port,
 *   stream: messages in a stream of bytes, not datagrams) */
#define TP_PROTOCOL_TABLE(X)                                   \
    X(UDP, "udp", "UDP", "SIP+D2U", "_sip._udp.", 5060, false) \
    X(TCP, "tcp", "TCP", "SIP+D2T", "_sip._tcp.", 5060, true)  \
    X(TLS, "tls", "TLS", "SIPS+D2T", "_sips._tcp.", 5061, true)

enum tp_protocol {
#define TP_PROTOCOL_ROW(identifier, word, via, service, prefix, port, stream) \
    TP_PROTOCOL_##identifier,
    TP_PROTOCOL_TABLE(TP_PROTOCOL_ROW)
#undef TP_PROTOCOL_ROW
        TP_PROTOCOL_COUNT
};

/* A set of protocols is a mask of these. */
#define TP_PROTOCOL_BIT(protocol) (1U << (unsigned)(protocol))

struct tp_target {
    struct tp_address address;
    uint64_t identity; /* tp_target_identity(): of the address, the same in every process */
    uint32_t weight;   /* 0: hardly ever before others of its priority */
    uint16_t priority; /* lower ones first */
    uint8_t protocol;  /* enum tp_protocol */
};

struct tp_protocol_row {
    const char *word;
    const char *via;
    const char *service;
    const char *prefix;
    uint16_t port;
    bool stream;
};
extern const struct tp_protocol_row tp_protocol_rows[TP_PROTOCOL_COUNT];

/* Of a URI's transport parameter, or of a Via; -1: none of ours. */
int tp_protocol_of(struct slice word);

/* A configured target: "sip:carrier.example;transport=udp", "carrier.example:5070",
 * "10.0.0.1:5060", "[2001:db8::1]". */
struct tp_name {
    struct slice host; /* of the text; without brackets */
    uint16_t port;     /* 0: not written */
    int8_t protocol;   /* -1: not written */
    bool secure;       /* sips: */
};

/* ERROR_MALFORMED for what is no such text, a host name longer than DNS has them included. */
int tp_name_parse(struct slice text, struct tp_name *name) MUST_CHECK;

uint64_t tp_target_identity(const struct tp_address *address, uint8_t protocol);

/* The place of something with this weight in the draw of a call: lower goes first. call: a keyed
 * hash of the Call-ID. */
double tp_draw(uint64_t call, uint64_t identity, uint32_t weight);

#endif
