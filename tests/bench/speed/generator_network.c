/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#include <stdlib.h>
#include <string.h>

#define LATE_NS (20 * (GENERATOR_SECOND / 1000))
#define ROOM    1024 /* at first; doubled when it is full */

struct kept {
    uint64_t due;
    size_t length;
    char *bytes;
};

/* What is kept waits in the order of its coming, which is that of its time. */
struct generator_network {
    double lost;
    double doubled;
    double late;
    uint64_t delay; /* of everything; 0: as usual */
    uint64_t random;
    char *latest; /* what was handed out last */
    struct kept *kept;
    uint64_t head;
    uint64_t tail;
    uint64_t mask;
};

static uint64_t counts[NETWORK_LATE + 1];

struct generator_network *network_create(const struct generator_settings *settings)
{
    static uint64_t number = 0;
    if (settings->lost + settings->doubled + settings->late <= 0 && !settings->steer)
        return NULL;
    struct generator_network *network = generator_zeroed(1, sizeof(*network));
    network->lost = settings->lost / 100;
    network->doubled = settings->doubled / 100;
    network->late = settings->late / 100;
    network->random = UINT64_C(0x9e3779b97f4a7c15) * ++number;
    network->mask = ROOM - 1;
    network->kept = generator_zeroed(ROOM, sizeof(*network->kept));
    return network;
}

void network_slow_down(struct generator_network *network, uint64_t delay)
{
    network->delay = delay;
}

static enum network_fate draw(struct generator_network *network)
{
    network->random ^= network->random << 13;
    network->random ^= network->random >> 7;
    network->random ^= network->random << 17;
    double drawn = (double)(network->random >> 11) / 9007199254740992.0;
    if (drawn < network->lost)
        return NETWORK_LOST;
    if (network->delay > 0)
        return NETWORK_LATE;
    drawn -= network->lost;
    if (drawn < network->doubled)
        return NETWORK_DOUBLED;
    return drawn - network->doubled < network->late ? NETWORK_LATE : NETWORK_PASSES;
}

enum network_fate network_draw(struct generator_network *network)
{
    enum network_fate fate = draw(network);
    counts[fate]++;
    return fate;
}

uint64_t network_count(enum network_fate fate)
{
    return counts[fate];
}

static void grow(struct generator_network *network)
{
    uint64_t mask = network->mask * 2 + 1;
    struct kept *kept = generator_zeroed(mask + 1, sizeof(*kept));
    for (uint64_t i = network->head; i != network->tail; i++)
        kept[i & mask] = network->kept[i & network->mask];
    free(network->kept);
    network->kept = kept;
    network->mask = mask;
}

void network_keep(struct generator_network *network, const char *bytes, size_t length, uint64_t now)
{
    if (network->tail - network->head > network->mask)
        grow(network);
    struct kept *kept = &network->kept[network->tail++ & network->mask];
    kept->due = now + (network->delay > 0 ? network->delay : LATE_NS);
    kept->length = length;
    kept->bytes = generator_zeroed(1, length + 1);
    memcpy(kept->bytes, bytes, length);
}

size_t network_due(struct generator_network *network, uint64_t now, const char **bytes)
{
    struct kept *kept = &network->kept[network->head & network->mask];
    if (network->head == network->tail || kept->due > now)
        return 0;
    network->head++;
    free(network->latest);
    *bytes = network->latest = kept->bytes;
    return kept->length;
}

void network_destroy(struct generator_network *network)
{
    if (network == NULL)
        return;
    while (network->head != network->tail)
        free(network->kept[network->head++ & network->mask].bytes);
    free(network->latest);
    free(network->kept);
    free(network);
}
