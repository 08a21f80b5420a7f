/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum {
    IPV4_BYTES = 4,
    IPV6_BYTES = 16,
    IPV4_BITS = 32,
    IPV6_BITS = 128,
    MAPPED_BITS = 96, /* of the prefix ::ffff:0:0 that marks IPv4 within IPv6 */
    PORT_MAXIMUM = 65535
};

static const uint8_t mapped_prefix[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};

/*
 * Four decimal numbers without leading zeros, as inet_pton() has it, which this stands in for: each
 * message holds half a dozen of them.
 */
static bool ipv4_parse(struct slice text, uint8_t bytes[IPV4_BYTES])
{
    const char *at = text.data;
    const char *past = slice_past(text);
    for (unsigned i = 0; i < IPV4_BYTES; i++) {
        if (i > 0 && (at == past || *at++ != '.'))
            return false;
        const char *first = at;
        unsigned value = 0;
        while (at < past && *at >= '0' && *at <= '9' && value <= UINT8_MAX)
            value = value * 10 + (unsigned)(*at++ - '0');
        if (at == first || value > UINT8_MAX || (*first == '0' && at - first > 1))
            return false;
        bytes[i] = (uint8_t)value;
    }
    return at == past;
}

/* A literal of either family without brackets; IPv6 is left as it was written. */
static int literal_parse(struct slice text, struct tp_address *address)
{
    char terminated[INET6_ADDRSTRLEN];
    *address = (struct tp_address){.family = 4};
    if (ipv4_parse(text, address->bytes))
        return 0;
    if (text.length >= sizeof(terminated) || slice_find(text, ':') == text.length ||
        slice_find(text, '\0') < text.length)
        return ERROR_MALFORMED;
    memcpy(terminated, text.data, text.length);
    terminated[text.length] = '\0';
    *address = (struct tp_address){.family = 6};
    return inet_pton(AF_INET6, terminated, address->bytes) == 1 ? 0 : ERROR_MALFORMED;
}

static bool is_mapped(const struct tp_address *address)
{
    return address->family == 6 &&
           memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static void unmap(struct tp_address *address)
{
    if (!is_mapped(address))
        return;
    memmove(address->bytes, address->bytes + sizeof(mapped_prefix), IPV4_BYTES);
    memset(address->bytes + IPV4_BYTES, 0, IPV6_BYTES - IPV4_BYTES);
    address->family = 4;
}

int tp_address_from_host(struct slice host, uint16_t port, struct tp_address *address)
{
    bool bracketed = host.length >= 2 && host.data[0] == '[' && host.data[host.length - 1] == ']';
    if (bracketed)
        host = slice_make(host.data + 1, host.length - 2);

    struct tp_address read;
    int error = literal_parse(host, &read);
    if (error != 0)
        return error;
    if (bracketed && read.family != 6)
        return ERROR_MALFORMED;
    unmap(&read);
    read.port = port;
    *address = read;
    return 0;
}

static int port_parse(struct slice text, uint16_t *port)
{
    uint64_t value;
    if (slice_to_uint64(text, PORT_MAXIMUM, &value) != 0 || value == 0)
        return ERROR_MALFORMED;
    *port = (uint16_t)value;
    return 0;
}

/* Where the host ends: behind the bracket, or before the only colon, or at the end. */
static size_t host_length(struct slice text)
{
    if (text.length > 0 && text.data[0] == '[') {
        size_t bracket = slice_find(text, ']');
        return bracket < text.length ? bracket + 1 : text.length;
    }
    size_t colon = slice_find(text, ':');
    struct slice behind = slice_from(text, colon + 1);
    bool is_bare_ipv6 = slice_find(behind, ':') < behind.length;
    return is_bare_ipv6 ? text.length : colon;
}

int tp_address_parse(struct slice text, uint16_t default_port, struct tp_address *address)
{
    size_t length = host_length(text);
    uint16_t port = default_port;
    if (length < text.length) {
        if (text.data[length] != ':')
            return ERROR_MALFORMED;
        int error = port_parse(slice_from(text, length + 1), &port);
        if (error != 0)
            return error;
    }
    return tp_address_from_host(slice_first(text, length), port, address);
}

static bool host_bits_are_zero(const struct tp_address *address, unsigned bits)
{
    unsigned width = address->family == 6 ? IPV6_BYTES : IPV4_BYTES;
    for (unsigned i = bits / 8; i < width; i++) {
        uint8_t host_mask = (uint8_t)(i == bits / 8 ? 0xffU >> (bits % 8) : 0xffU);
        if ((address->bytes[i] & host_mask) != 0)
            return false;
    }
    return true;
}

int tp_network_parse(struct slice text, struct tp_network *network)
{
    size_t slash = slice_find(text, '/');
    struct tp_address address;
    int error = literal_parse(slice_first(text, slash), &address);
    if (error != 0)
        return error;

    uint64_t maximum = address.family == 6 ? IPV6_BITS : IPV4_BITS;
    uint64_t bits = maximum;
    if (slash < text.length && slice_to_uint64(slice_from(text, slash + 1), maximum, &bits) != 0)
        return ERROR_MALFORMED;
    if (!host_bits_are_zero(&address, (unsigned)bits))
        return ERROR_MALFORMED;
    /* Its marker lies in the first 96 bits, so fewer of them would have left host bits set. */
    if (is_mapped(&address)) {
        unmap(&address);
        bits -= MAPPED_BITS;
    }
    *network = (struct tp_network){address, (uint8_t)bits};
    return 0;
}

bool tp_network_contains(const struct tp_network *network, const struct tp_address *address)
{
    if (network->address.family != address->family || address->family == 0)
        return false;
    size_t whole = network->bits / 8U;
    unsigned rest = network->bits % 8U;
    if (memcmp(network->address.bytes, address->bytes, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    unsigned difference = (unsigned)network->address.bytes[whole] ^ address->bytes[whole];
    return difference >> (8 - rest) == 0;
}

uint64_t tp_address_hash(const struct hash_key *key, const struct tp_address *address,
                         uint64_t more)
{
    uint64_t words[3] = {0, 0, (uint64_t)address->family << 16 | address->port};
    memcpy(words, address->bytes, sizeof(address->bytes));
    uint64_t hash = hash_mix(words[0] ^ key->word[0], words[1] ^ key->word[1]);
    return hash_mix(hash ^ words[2], more ^ key->word[1]);
}

bool tp_address_equal(const struct tp_address *a, const struct tp_address *b)
{
    return a->port == b->port && tp_address_same_host(a, b);
}

bool tp_address_same_host(const struct tp_address *a, const struct tp_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void tp_address_append_host(struct buffer *buffer, const struct tp_address *address, bool brackets)
{
    if (address->family == 4) {
        for (unsigned i = 0; i < IPV4_BYTES; i++) {
            if (i > 0)
                buffer_append_char(buffer, '.');
            buffer_append_uint(buffer, address->bytes[i]);
        }
    } else if (address->family == 6) {
        char text[INET6_ADDRSTRLEN];
        if (inet_ntop(AF_INET6, address->bytes, text, sizeof(text)) == NULL)
            return;
        if (brackets)
            buffer_append_char(buffer, '[');
        buffer_append_text(buffer, text);
        if (brackets)
            buffer_append_char(buffer, ']');
    } else {
        buffer_append_literal(buffer, "none");
    }
}

void tp_address_append(struct buffer *buffer, const struct tp_address *address)
{
    tp_address_append_host(buffer, address, true);
    if (address->family != 0) {
        buffer_append_char(buffer, ':');
        buffer_append_uint(buffer, address->port);
    }
}

const char *tp_address_text(const struct tp_address *address, char text[TP_ADDRESS_TEXT])
{
    struct buffer buffer = buffer_over(text, TP_ADDRESS_TEXT - 1);
    tp_address_append(&buffer, address);
    text[buffer.length] = '\0';
    return text;
}

socklen_t tp_address_to_sockaddr(const struct tp_address *address, struct sockaddr_storage *out)
{
    if (address->family == 4) {
        struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&ipv4.sin_addr, address->bytes, IPV4_BYTES);
        memcpy(out, &ipv4, sizeof(ipv4));
        return sizeof(ipv4);
    }
    if (address->family == 6) {
        struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
        memcpy(&ipv6.sin6_addr, address->bytes, IPV6_BYTES);
        memcpy(out, &ipv6, sizeof(ipv6));
        return sizeof(ipv6);
    }
    return 0;
}

int tp_address_from_sockaddr(const struct sockaddr *from, struct tp_address *address)
{
    struct tp_address read = {.family = 0};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, from, sizeof(ipv4));
        read.family = 4;
        read.port = ntohs(ipv4.sin_port);
        memcpy(read.bytes, &ipv4.sin_addr, IPV4_BYTES);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, from, sizeof(ipv6));
        read.family = 6;
        read.port = ntohs(ipv6.sin6_port);
        memcpy(read.bytes, &ipv6.sin6_addr, IPV6_BYTES);
        unmap(&read);
    } else {
        return -EAFNOSUPPORT;
    }
    *address = read;
    return 0;
}
