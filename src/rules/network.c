/* SPDX-License-Identifier: Apache-2.0 */
#include "network_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { IPV4_AT = 12, ADDRESS_BITS = 128, IPV4_BITS = 96 };

static int order_of(const struct rule_address *a, const struct rule_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

struct rule_address rule_network_first(const struct conf_network *network)
{
    struct rule_address address = {{[10] = 0xff, [11] = 0xff}};
    if (network->is_ipv6)
        memcpy(address.bytes, network->address, sizeof(address.bytes));
    else
        memcpy(address.bytes + IPV4_AT, network->address, sizeof(address.bytes) - IPV4_AT);
    return address;
}

static struct rule_range range_of(const struct conf_network *network)
{
    struct rule_range range;
    range.first = rule_network_first(network);
    range.last = range.first;
    unsigned bits = network->is_ipv6 ? network->bits : IPV4_BITS + (unsigned)network->bits;
    for (unsigned bit = bits; bit < ADDRESS_BITS; bit++)
        range.last.bytes[bit / 8] = (uint8_t)(range.last.bytes[bit / 8] | (0x80U >> (bit % 8)));
    return range;
}

int rule_network_add(struct rule_vector *ranges, const struct conf_network *network)
{
    struct rule_range range = range_of(network);
    return rule_vector_push(ranges, &range);
}

bool rule_network_covers(const struct rule_vector *ranges, const struct conf_network *network)
{
    const struct rule_range *items = ranges->items;
    const struct rule_range range = range_of(network);
    for (size_t i = 0; i < ranges->count; i++)
        if (order_of(&items[i].first, &range.first) <= 0 &&
            order_of(&items[i].last, &range.last) >= 0)
            return true;
    return false;
}

static int by_first(const void *a, const void *b)
{
    return order_of(&((const struct rule_range *)a)->first, &((const struct rule_range *)b)->first);
}

/* Networks either lie within one another or are apart, so only the last range kept can hold the
 * next one. */
static size_t merge(struct rule_range *ranges, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || order_of(&ranges[i].last, &ranges[kept - 1].last) > 0)
            ranges[kept++] = ranges[i];
    return kept;
}

int rule_networks_seal(struct rule_vector *ranges, struct arena *arena,
                       struct rule_networks **networks)
{
    int error = -ENOMEM;
    struct rule_range *items = ranges->items;
    if (ranges->count > 1)
        qsort(items, ranges->count, sizeof(*items), by_first);
    size_t count = merge(items, ranges->count);
    struct rule_networks *made = arena_alloc(arena, sizeof(*made));
    struct rule_range *kept = arena_alloc(arena, (count + 1) * sizeof(*kept));
    if (made == NULL || kept == NULL)
        goto out;
    if (count > 0)
        memcpy(kept, items, count * sizeof(*kept));
    *made = (struct rule_networks){kept, count};
    *networks = made;
    error = 0;
out:
    rule_vector_clear(ranges);
    return error;
}

bool rule_networks_have(const struct rule_networks *networks, const struct rule_address *address)
{
    /* Ranges below `low` begin at or before the address, those from `high` on behind it. */
    size_t low = 0, high = networks->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order_of(&networks->ranges[middle].first, address) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && order_of(&networks->ranges[low - 1].last, address) >= 0;
}
