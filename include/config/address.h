/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address: socket addresses and networks in configuration; literals only, never a DNS name.
 */
#ifndef RINGFENCE_CONFIG_ADDRESS_H
#define RINGFENCE_CONFIG_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "config/schema.h"

struct conf_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
    socklen_t length; /* of the part of `socket` in use; 0: not set */
};

struct conf_address_list {
    struct conf_address *items;
    size_t count;
};

/* Host bits are zero. An IPv4-mapped IPv6 network is kept as IPv4. */
struct conf_network {
    uint8_t address[16]; /* network order; IPv4 uses the first four */
    uint8_t bits;
    bool is_ipv6;
};

struct conf_network_list {
    struct conf_network *items;
    size_t count;
};

/*
 * "10.0.0.1:5060", "[2001:db8::1]:5060"; without a port (then the brackets are optional) where
 * default_port is not 0. 0, -EBADMSG, or -ERANGE for a port outside 1..65535.
 */
int conf_address_parse(struct slice text, uint16_t default_port,
                       struct conf_address *address) MUST_CHECK;

/* "10.0.0.0/8", "2001:db8::/32", or one address. -EBADMSG; -ERANGE for too many bits; -EINVAL when
 * bits behind the prefix are set (they are cleared in *network then). */
int conf_network_parse(struct slice text, struct conf_network *network) MUST_CHECK;

void conf_address_append(struct buffer *buffer, const struct conf_address *address);
void conf_network_append(struct buffer *buffer, const struct conf_network *network);

/* The IPv4-mapped form of an IPv6 address matches IPv4 networks. */
bool conf_network_contains(const struct conf_network *network, const struct sockaddr *address);
bool conf_network_list_contains(const struct conf_network_list *list,
                                const struct sockaddr *address);

/*
 * For rows of CONF_CUSTOM; row.argument is the default port, 0 when a port must be written.
 * Fields: struct conf_address, conf_address_list, conf_network_list. A list may be written as a
 * single scalar.
 */
extern const struct conf_format conf_format_address;
extern const struct conf_format conf_format_address_list;
extern const struct conf_format conf_format_network_list;

#endif
