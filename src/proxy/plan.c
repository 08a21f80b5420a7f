/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/plan.h"

#include <stdlib.h>

#include "plan_int.h"

struct tp_address proxy_source_masked(const struct tp_address *address, unsigned bits)
{
    struct tp_address masked = {.family = address->family};
    unsigned whole = bits / 8;
    memcpy(masked.bytes, address->bytes, whole);
    if (bits % 8 != 0)
        masked.bytes[whole] = (uint8_t)(address->bytes[whole] & (0xff00U >> (bits % 8)));
    return masked;
}

uint64_t proxy_source_hash(const struct proxy_plan *plan, const struct tp_address *masked,
                           unsigned bits, uint32_t network_id)
{
    return tp_address_hash(&plan->key, masked, (uint64_t)network_id << 32 | bits);
}

bool proxy_source_match(const void *object, const void *key)
{
    const struct proxy_source *source = object;
    const struct proxy_source_key *wanted = key;
    return source->network.bits == wanted->bits && source->network_id == wanted->network_id &&
           tp_address_same_host(&source->network.address, wanted->masked);
}

size_t proxy_plan_trunk_count(const struct proxy_plan *plan)
{
    return plan->trunk_count;
}

const struct proxy_trunk *proxy_plan_trunk(const struct proxy_plan *plan, size_t index)
{
    return &plan->trunks[index];
}

const struct proxy_trunk *proxy_plan_find_trunk(const struct proxy_plan *plan, struct slice name)
{
    for (size_t i = 0; i < plan->trunk_count; i++)
        if (slice_equal(plan->trunks[i].screen.name, name))
            return &plan->trunks[i];
    return NULL;
}

const struct proxy_trunk *proxy_plan_trunk_by_mark(const struct proxy_plan *plan, uint32_t mark)
{
    for (size_t i = 0; i < plan->trunk_count; i++)
        if (plan->trunks[i].mark == mark)
            return &plan->trunks[i];
    return NULL;
}

static const struct proxy_trunk *find_source(const struct proxy_plan *plan, uint32_t network_id,
                                             const struct tp_address *address)
{
    for (size_t i = 0; i < plan->length_count; i++) {
        if (plan->lengths[i].family != address->family)
            continue;
        unsigned bits = plan->lengths[i].bits;
        struct tp_address masked = proxy_source_masked(address, bits);
        struct proxy_source_key key = {&masked, bits, network_id};
        const struct proxy_source *source =
            hash_table_find(plan->source_table, proxy_source_hash(plan, &masked, bits, network_id),
                            proxy_source_match, &key);
        if (source != NULL)
            return &plan->trunks[source->trunk];
    }
    return NULL;
}

const struct proxy_trunk *proxy_plan_source(const struct proxy_plan *plan, uint16_t listener,
                                            const struct tp_address *source)
{
    return find_source(plan, plan->listener_networks[listener], source);
}

const struct proxy_trunk *proxy_plan_neighbour(const struct proxy_plan *plan,
                                               const struct tp_address *address)
{
    return find_source(plan, PROXY_ANY_NETWORK, address);
}

uint8_t proxy_plan_protocol(const struct proxy_plan *plan, uint16_t listener)
{
    return plan->listener_protocols[listener];
}

struct tp_tls *proxy_plan_tls(const struct proxy_plan *plan, uint16_t listener)
{
    return plan->listener_tls[listener];
}

const struct proxy_trunk *proxy_plan_route(const struct proxy_plan *plan,
                                           const struct proxy_trunk *from, struct slice user)
{
    uint32_t index;
    if (!num_trie_find_longest(from->routes, user, &index, NULL))
        return NULL;
    return &plan->trunks[index];
}

void proxy_plan_destroy(struct proxy_plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->trunk_count; i++) {
        struct proxy_trunk *trunk = &plan->trunks[i];
        num_trie_destroy(trunk->routes);
        num_trie_destroy(trunk->originates);
        screen_budget_close(trunk->screen.blocks);
        for (size_t j = 0; j < trunk->target_count; j++)
            if (trunk->targets[j].name != NULL)
                tp_destination_close(trunk->targets[j].name);
        tp_tls_release(trunk->tls);
        free(trunk->number_rules);
        free(trunk->sources);
        free(trunk->targets);
    }
    for (size_t i = 0; i < TP_LISTENER_LIMIT; i++)
        tp_tls_release(plan->listener_tls[i]);
    free(plan->trunks);
    if (plan->source_table != NULL)
        hash_table_destroy(plan->source_table);
    free(plan->sources);
    free(plan);
}
