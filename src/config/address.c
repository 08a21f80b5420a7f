/* SPDX-License-Identifier: Apache-2.0 */
#include "config/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* The longest literal is below INET6_ADDRSTRLEN. 0 or -EBADMSG. */
static int parse_literal(int family, struct slice text, void *bytes)
{
    char memory[INET6_ADDRSTRLEN];

    if (text.length >= sizeof(memory) || slice_find(text, '\0') < text.length)
        return -EBADMSG;
    if (text.length > 0)
        memcpy(memory, text.data, text.length);
    memory[text.length] = '\0';
    return inet_pton(family, memory, bytes) == 1 ? 0 : -EBADMSG;
}

/* Splits "host:port", "[host]:port" and, for a default port, the same without a port. */
static int split_port(struct slice text, uint16_t default_port, struct slice *host, bool *is_ipv6,
                      uint64_t *port)
{
    size_t length = slice_find(text, ':');
    struct slice rest;

    *is_ipv6 = text.length > 0 && text.data[0] == '[';
    if (*is_ipv6) {
        length = slice_find(text, ']');
        if (length == text.length)
            return -EBADMSG;
        *host = slice_first(slice_from(text, 1), length - 1);
        rest = slice_from(text, length + 1);
    } else if (default_port != 0 &&
               slice_find(slice_from(text, length + 1), ':') + length + 1 < text.length) {
        /* Two colons and no brackets: IPv6, and all of it is the host. */
        *is_ipv6 = true;
        *host = text;
        rest = slice_from(text, text.length);
    } else {
        *host = slice_first(text, length);
        rest = slice_from(text, length);
    }
    *port = default_port;
    if (rest.length == 0)
        return default_port != 0 ? 0 : -EBADMSG;
    if (rest.data[0] != ':')
        return -EBADMSG;

    int error = slice_to_uint64(slice_from(rest, 1), UINT16_MAX, port);

    return !error && *port == 0 ? -ERANGE : error;
}

int conf_address_parse(struct slice text, uint16_t default_port, struct conf_address *address)
{
    struct conf_address result;
    struct slice host;
    bool is_ipv6;
    uint64_t port;
    int error = split_port(text, default_port, &host, &is_ipv6, &port);

    if (error)
        return error;
    memset(&result, 0, sizeof(result));
    if (is_ipv6) {
        result.length = sizeof(result.socket.v6);
        result.socket.v6.sin6_family = AF_INET6;
        result.socket.v6.sin6_port = htons((uint16_t)port);
        error = parse_literal(AF_INET6, host, &result.socket.v6.sin6_addr);
    } else {
        result.length = sizeof(result.socket.v4);
        result.socket.v4.sin_family = AF_INET;
        result.socket.v4.sin_port = htons((uint16_t)port);
        error = parse_literal(AF_INET, host, &result.socket.v4.sin_addr);
    }
    if (!error)
        *address = result;
    return error;
}

/* Clears what stands behind the prefix; true when anything did. */
static bool clear_host_bits(struct conf_network *network)
{
    const size_t size = network->is_ipv6 ? 16 : 4;
    uint8_t lost = 0;

    for (size_t i = 0; i < size; i++) {
        unsigned kept = network->bits <= i * 8 ? 0 : network->bits - (unsigned)i * 8;
        uint8_t mask = (uint8_t)(kept >= 8 ? 0xff : 0xff00U >> kept);

        lost = (uint8_t)(lost | (network->address[i] & ~mask));
        network->address[i] &= mask;
    }
    return lost != 0;
}

static void unmap(struct conf_network *network)
{
    if (!network->is_ipv6 || network->bits < 96 ||
        memcmp(network->address, mapped_prefix, sizeof(mapped_prefix)) != 0)
        return;
    memmove(network->address, network->address + 12, 4);
    memset(network->address + 4, 0, 12);
    network->bits = (uint8_t)(network->bits - 96);
    network->is_ipv6 = false;
}

/* On -EINVAL the network is what was probably meant: without the bits behind the prefix. */
int conf_network_parse(struct slice text, struct conf_network *network)
{
    const size_t slash = slice_find(text, '/');
    const struct slice host = slice_first(text, slash);
    struct conf_network result = {.is_ipv6 = slice_find(host, ':') < host.length};
    uint64_t bits = result.is_ipv6 ? 128 : 32;
    int error = parse_literal(result.is_ipv6 ? AF_INET6 : AF_INET, host, result.address);

    if (!error && slash < text.length)
        error = slice_to_uint64(slice_from(text, slash + 1), bits, &bits);
    if (error)
        return error;
    result.bits = (uint8_t)bits;
    error = clear_host_bits(&result) ? -EINVAL : 0;
    unmap(&result);
    *network = result;
    return error;
}

void conf_address_append(struct buffer *buffer, const struct conf_address *address)
{
    char host[INET6_ADDRSTRLEN];

    if (address->length == 0)
        return;
    if (address->socket.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->socket.v6.sin6_addr, host, sizeof(host));
        buffer_append_char(buffer, '[');
        buffer_append_text(buffer, host);
        buffer_append_literal(buffer, "]:");
        buffer_append_uint(buffer, ntohs(address->socket.v6.sin6_port));
        return;
    }
    inet_ntop(AF_INET, &address->socket.v4.sin_addr, host, sizeof(host));
    buffer_append_text(buffer, host);
    buffer_append_char(buffer, ':');
    buffer_append_uint(buffer, ntohs(address->socket.v4.sin_port));
}

void conf_network_append(struct buffer *buffer, const struct conf_network *network)
{
    char host[INET6_ADDRSTRLEN];

    inet_ntop(network->is_ipv6 ? AF_INET6 : AF_INET, network->address, host, sizeof(host));
    buffer_append_text(buffer, host);
    buffer_append_char(buffer, '/');
    buffer_append_uint(buffer, network->bits);
}

static bool prefix_matches(const struct conf_network *network, const uint8_t *bytes)
{
    const size_t whole = network->bits / 8;
    const unsigned rest = network->bits % 8;

    if (memcmp(network->address, bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->address[whole] ^ bytes[whole]) & (0xff00U >> rest) & 0xff) == 0;
}

bool conf_network_contains(const struct conf_network *network, const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;

        return !network->is_ipv6 && prefix_matches(network, (const uint8_t *)&v4->sin_addr);
    }
    if (address->sa_family != AF_INET6)
        return false;

    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    const uint8_t *bytes = v6->sin6_addr.s6_addr;

    if (network->is_ipv6)
        return prefix_matches(network, bytes);
    return memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0 &&
           prefix_matches(network, bytes + sizeof(mapped_prefix));
}

bool conf_network_list_contains(const struct conf_network_list *list,
                                const struct sockaddr *address)
{
    for (size_t i = 0; i < list->count; i++)
        if (conf_network_contains(&list->items[i], address))
            return true;
    return false;
}

/* ---- formats -------------------------------------------------------------------------------- */

static int read_address(struct conf_load *load, const struct conf_row *row,
                        const struct conf_node *node, void *field)
{
    struct conf_quote quote;
    int error = -EBADMSG;

    if (node->kind == CONF_NODE_SCALAR)
        error = conf_address_parse(node->text, (uint16_t)row->argument, field);
    if (!error)
        return 0;
    if (node->kind != CONF_NODE_SCALAR)
        conf_load_error(load, node, "%s is a %s", row->key, conf_node_kind_name(node));
    else
        conf_load_error(load, node, "%s %s %s", row->key, conf_load_quote(load, node, &quote),
                        error == -ERANGE ? "has a port outside 1 to 65535" : "is not an address");
    conf_report_expect(load->report, "an IP address%s such as %s or [2001:db8::1]:5060",
                       row->argument == 0 ? " and port" : "", conf_format_address.example);
    return ERROR_CONFIG;
}

static int read_network(struct conf_load *load, const struct conf_row *row,
                        const struct conf_node *node, void *field)
{
    struct conf_quote quote;
    const char *value = conf_load_quote(load, node, &quote);
    struct conf_network *network = field;
    int error = conf_network_parse(node->text, network);

    if (!error)
        return 0;
    if (error == -EINVAL) {
        char meant[64];
        struct buffer buffer = buffer_over(meant, sizeof(meant) - 1);

        conf_network_append(&buffer, network);
        meant[buffer.length] = '\0';
        conf_load_error(load, node, "%s %s has bits behind its prefix", row->key, value);
        conf_report_hint(load->report, "the network is %s", meant);
        return ERROR_CONFIG;
    }
    conf_load_error(load, node, "%s %s %s", row->key, value,
                    error == -ERANGE ? "has too many prefix bits" : "is not an address");
    conf_report_expect(load->report, "an address or network such as 10.0.0.1, 10.0.0.0/8 or "
                                     "2001:db8::/32");
    return ERROR_CONFIG;
}

typedef int read_item_fn(struct conf_load *load, const struct conf_row *row,
                         const struct conf_node *node, void *field);

/* All items are read, so that every bad one is reported. */
static int read_items(struct conf_load *load, const struct conf_row *row,
                      const struct conf_node *node, read_item_fn *read, size_t item_size,
                      void **items, size_t *count)
{
    const struct conf_node *item;
    bool failed = false;
    int error = conf_load_items(load, row, node, &item, count);

    if (error)
        return error;

    char *at = arena_zalloc(load->arena, (*count + 1) * item_size);

    if (at == NULL)
        return -ENOMEM;
    *items = at;
    for (; item != NULL; item = item->next, at += item_size) {
        error = read(load, row, item, at);
        if (error == -ENOMEM)
            return error;
        failed = failed || error;
    }
    return failed ? ERROR_CONFIG : 0;
}

static int read_address_list(struct conf_load *load, const struct conf_row *row,
                             const struct conf_node *node, void *field)
{
    struct conf_address_list *list = field;
    void *items = NULL;
    int error =
        read_items(load, row, node, read_address, sizeof(list->items[0]), &items, &list->count);

    list->items = items;
    return error;
}

static int read_network_list(struct conf_load *load, const struct conf_row *row,
                             const struct conf_node *node, void *field)
{
    struct conf_network_list *list = field;
    void *items = NULL;
    int error =
        read_items(load, row, node, read_network, sizeof(list->items[0]), &items, &list->count);

    list->items = items;
    return error;
}

/* Whole objects can be compared by bytes: the parsers zero what they do not set. */
static bool address_equal(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct conf_address)) == 0;
}

static bool address_list_equal(const void *a, const void *b)
{
    const struct conf_address_list *left = a;
    const struct conf_address_list *right = b;

    return left->count == right->count &&
           (left->count == 0 ||
            memcmp(left->items, right->items, left->count * sizeof(left->items[0])) == 0);
}

static bool network_list_equal(const void *a, const void *b)
{
    const struct conf_network_list *left = a;
    const struct conf_network_list *right = b;

    return left->count == right->count &&
           (left->count == 0 ||
            memcmp(left->items, right->items, left->count * sizeof(left->items[0])) == 0);
}

const struct conf_format conf_format_address = {
    .name = "address",
    .example = "10.0.0.1:5060",
    .size = sizeof(struct conf_address),
    .parse = read_address,
    .equal = address_equal,
};

const struct conf_format conf_format_address_list = {
    .name = "list of addresses",
    .example = "[\"10.0.0.1:5060\", \"[2001:db8::1]:5060\"]",
    .size = sizeof(struct conf_address_list),
    .parse = read_address_list,
    .equal = address_list_equal,
    .shape = CONF_SHAPE_SCALAR_OR_LIST,
};

const struct conf_format conf_format_network_list = {
    .name = "list of networks",
    .example = "[10.0.0.0/8, \"2001:db8::/32\"]",
    .size = sizeof(struct conf_network_list),
    .parse = read_network_list,
    .equal = network_list_equal,
    .shape = CONF_SHAPE_SCALAR_OR_LIST,
};
