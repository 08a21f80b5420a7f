/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address: an IP address with a port, compact and comparable; networks in CIDR notation.
 */
#ifndef RINGFENCE_TRANSPORT_ADDRESS_H
#define RINGFENCE_TRANSPORT_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/slice.h"

#define TP_ADDRESS_TEXT 64 /* "[ipv6]:port" with room to spare */

/* IPv4-mapped IPv6 addresses are stored as IPv4. Unused bytes are zero, so memcmp() compares. */
struct tp_address {
    uint8_t bytes[16];
    uint16_t port;  /* host order; 0: none */
    uint8_t family; /* 4, 6, or 0 for none */
    uint8_t reserved;
};

struct tp_network {
    struct tp_address address;
    uint8_t bits;
};

/* "10.0.0.1", "10.0.0.1:5060", "2001:db8::1", "[2001:db8::1]:5060"; without a port,
 * default_port. ERROR_MALFORMED for anything else, names included. */
int tp_address_parse(struct slice text, uint16_t default_port,
                     struct tp_address *address) MUST_CHECK;

/* host: an IP literal with or without brackets. */
int tp_address_from_host(struct slice host, uint16_t port, struct tp_address *address) MUST_CHECK;

/* "10.0.0.0/8", "2001:db8::/32"; a bare address is a network of one. Host bits must be zero. */
int tp_network_parse(struct slice text, struct tp_network *network) MUST_CHECK;
bool tp_network_contains(const struct tp_network *network, const struct tp_address *address);

bool tp_address_equal(const struct tp_address *a, const struct tp_address *b);
/* The port is not compared. */
bool tp_address_same_host(const struct tp_address *a, const struct tp_address *b);

/* For tables that only the operator fills (hash_mix()); `more` is hashed along. */
uint64_t tp_address_hash(const struct hash_key *key, const struct tp_address *address,
                         uint64_t more);

/* Only the host: IPv6 in brackets when `brackets`. */
void tp_address_append_host(struct buffer *buffer, const struct tp_address *address, bool brackets);
/* "10.0.0.1:5060", "[2001:db8::1]:5060". */
void tp_address_append(struct buffer *buffer, const struct tp_address *address);
/* The same into a caller's array of TP_ADDRESS_TEXT; returns it. */
const char *tp_address_text(const struct tp_address *address, char text[TP_ADDRESS_TEXT]);

socklen_t tp_address_to_sockaddr(const struct tp_address *address, struct sockaddr_storage *out);
int tp_address_from_sockaddr(const struct sockaddr *from, struct tp_address *address) MUST_CHECK;

#endif
