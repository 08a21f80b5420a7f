/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "plan_int.h"

/* Targets of one trunk that a call is ordered over; what is beyond has a chance at the next call.
 */
#define CANDIDATE_LIMIT 128

bool proxy_trunk_owns(const struct proxy_trunk *trunk, const struct tp_address *address,
                      uint64_t now_us)
{
    for (size_t i = 0; i < trunk->source_count; i++)
        if (tp_network_contains(&trunk->sources[i], address))
            return true;
    for (size_t i = 0; i < trunk->target_count; i++) {
        const struct proxy_target *target = &trunk->targets[i];
        if (target->name != NULL
                ? tp_targets_know(tp_destination_targets(target->name), address, now_us)
                : tp_address_same_host(&target->fixed.address, address))
            return true;
    }
    return false;
}

int proxy_trunk_listener(const struct proxy_trunk *trunk, const struct tp_address *address,
                         int protocol)
{
    return trunk->listeners[protocol][address->family == 6 ? 1 : 0];
}

static int listener_of(const struct proxy_trunk *trunk, const struct tp_target *target)
{
    return proxy_trunk_listener(trunk, &target->address, target->protocol);
}

/* ---- from an address to a target ----------------------------------------------------------- */

/* One of what a target means now; NULL: it has no more. */
static const struct tp_target *meaning_at(const struct proxy_target *target, size_t index)
{
    if (target->name != NULL) {
        const struct tp_targets *found = tp_destination_targets(target->name);
        return index < found->count ? &found->targets[index] : NULL;
    }
    return index == 0 && target->host.data == NULL ? &target->fixed : NULL;
}

int proxy_trunk_protocol(const struct proxy_trunk *trunk, const struct tp_address *address)
{
    const struct tp_target *first = NULL, *same_host = NULL, *target;
    if (trunk->only_protocol >= 0)
        return trunk->only_protocol;
    for (size_t i = 0; i < trunk->target_count; i++)
        for (size_t j = 0; (target = meaning_at(&trunk->targets[i], j)) != NULL; j++) {
            if (tp_address_equal(&target->address, address))
                return target->protocol;
            first = first != NULL ? first : target;
            if (same_host == NULL && tp_address_same_host(&target->address, address))
                same_host = target;
        }
    first = same_host != NULL ? same_host : first;
    if (first != NULL)
        return first->protocol;
    for (int i = 0; i < TP_PROTOCOL_COUNT; i++)
        if (proxy_trunk_listener(trunk, address, i) >= 0)
            return i;
    return TP_PROTOCOL_UDP;
}

/* The name of a target without its port. */
static struct slice host_of(const struct proxy_target *target)
{
    return slice_first(target->host, slice_find(target->host, ':'));
}

static bool find_among(const struct proxy_trunk *trunk, const struct tp_address *address,
                       int protocol, struct slice *host)
{
    const struct tp_target *target;
    for (size_t i = 0; i < trunk->target_count; i++)
        for (size_t j = 0; (target = meaning_at(&trunk->targets[i], j)) != NULL; j++)
            if (target->protocol == protocol && tp_address_equal(&target->address, address)) {
                *host = host_of(&trunk->targets[i]);
                return true;
            }
    return false;
}

const struct proxy_trunk *proxy_plan_target(const struct proxy_plan *plan, uint16_t listener,
                                            const struct tp_address *address,
                                            char memory[TP_ADDRESS_TEXT], struct slice *host)
{
    const struct proxy_trunk *found = NULL;
    *host = slice_make(NULL, 0);
    for (size_t i = 0; i < plan->trunk_count && found == NULL; i++)
        if (proxy_trunk_listener(&plan->trunks[i], address, plan->listener_protocols[listener]) ==
                listener &&
            find_among(&plan->trunks[i], address, plan->listener_protocols[listener], host))
            found = &plan->trunks[i];
    if (found == NULL)
        found = proxy_plan_source(plan, listener, address);
    if (host->length == 0) {
        struct buffer text = buffer_over(memory, TP_ADDRESS_TEXT);
        tp_address_append_host(&text, address, false);
        *host = buffer_slice(&text);
    }
    return found;
}

/* ---- the order of a call ------------------------------------------------------------------- */

struct candidate {
    struct proxy_choice choice;
    uint32_t priority; /* the trunk's */
    uint32_t inner;    /* priority that DNS gave */
    double draw;       /* among the trunk's targets */
    double inner_draw;
};

struct candidates {
    const struct proxy_trunk *trunk;
    uint64_t call; /* hash of the Call-ID */
    size_t count;
    struct candidate items[CANDIDATE_LIMIT];
};

static bool goes_before(const struct candidate *a, const struct candidate *b)
{
    if (a->priority != b->priority)
        return a->priority < b->priority;
    if (a->draw != b->draw)
        return a->draw < b->draw;
    if (a->inner != b->inner)
        return a->inner < b->inner;
    return a->inner_draw < b->inner_draw;
}

/* Kept in order; few enough that moving them is cheap. */
static void insert(struct candidates *all, const struct candidate *candidate)
{
    size_t at = all->count;
    if (listener_of(all->trunk, candidate->choice.target) < 0)
        return; /* of a family or protocol that the trunk's network does not have */
    if (at == CANDIDATE_LIMIT) {
        if (!goes_before(candidate, &all->items[at - 1]))
            return;
        at--;
    } else {
        all->count++;
    }
    for (; at > 0 && goes_before(candidate, &all->items[at - 1]); at--)
        all->items[at] = all->items[at - 1];
    all->items[at] = *candidate;
}

static void add_name(struct candidates *all, const struct proxy_target *target,
                     struct candidate *candidate)
{
    const struct tp_targets *found = tp_destination_targets(target->name);
    for (size_t i = 0; i < found->count; i++) {
        candidate->choice.target = &found->targets[i];
        candidate->inner = found->targets[i].priority;
        candidate->inner_draw =
            tp_draw(all->call, found->targets[i].identity, found->targets[i].weight);
        insert(all, candidate);
    }
}

static void add_target(struct candidates *all, const struct proxy_target *target)
{
    struct candidate candidate = {
        .choice = {.target = &target->fixed, .host = target->host},
        .priority = target->priority,
        .draw = tp_draw(all->call, target->identity, target->weight),
    };
    if (target->name != NULL)
        add_name(all, target, &candidate);
    else if (target->host.data == NULL)
        insert(all, &candidate);
}

size_t proxy_trunk_order(const struct proxy_trunk *trunk, const struct hash_key *key,
                         struct slice call_id, struct proxy_choice *choices, size_t capacity)
{
    struct candidates all;
    if (capacity == 0)
        return 0;
    /* Most trunks have one target, and nothing to draw. */
    if (trunk->target_count == 1 && trunk->targets[0].host.data == NULL) {
        choices[0] = (struct proxy_choice){.target = &trunk->targets[0].fixed};
        return listener_of(trunk, choices[0].target) >= 0 ? 1 : 0;
    }
    all.trunk = trunk;
    all.call = hash_slice(key, call_id);
    all.count = 0;
    for (size_t i = 0; i < trunk->target_count; i++)
        add_target(&all, &trunk->targets[i]);
    size_t count = all.count < capacity ? all.count : capacity;
    for (size_t i = 0; i < count; i++)
        choices[i] = all.items[i].choice;
    return count;
}

static struct proxy_pulse *pulse_of(const struct proxy_trunk *trunk,
                                    const struct proxy_health *health,
                                    const struct proxy_choice *choice)
{
    return proxy_health_find(health, trunk->mark, choice->target->identity);
}

/* The targets of a call in its order, and which of them a wish leaves. */
struct field {
    size_t count;
    struct proxy_choice choices[PROXY_CHOICES];
    struct proxy_pulse *pulses[PROXY_CHOICES];
    uint32_t left; /* mask of places */
    uint32_t lot;  /* see proxy_pulse_takes() */
};

static uint32_t left_by(const struct proxy_wish *wish, const struct field *field)
{
    uint32_t left = ((UINT32_C(1) << field->count) - 1) & ~wish->tried;
    for (size_t i = 0; wish->only_tls && i < field->count; i++)
        if (field->choices[i].target->protocol != TP_PROTOCOL_TLS)
            left &= ~(UINT32_C(1) << i);
    return left;
}

/* The first of those that are left for which `leniency` says so: 0 serves and takes the call, 1
 * serves, 2 any. */
static bool choose_by(const struct proxy_trunk *trunk, const struct field *field, unsigned leniency,
                      uint64_t now_us, struct proxy_chosen *chosen)
{
    for (uint8_t i = 0; i < field->count; i++) {
        struct proxy_pulse *pulse = field->pulses[i];
        if ((field->left >> i & 1) == 0 || (leniency < 2 && !proxy_pulse_serves(pulse, now_us)) ||
            (leniency < 1 &&
             !proxy_pulse_takes(pulse, trunk->health.slow_start_us, field->lot, now_us)))
            continue;
        chosen->choice = field->choices[i];
        chosen->pulse = pulse;
        chosen->place = i;
        return true;
    }
    return false;
}

/* A mask of those that have asked for fewer requests, and so not for this one. Each draws a lot of
 * its own, so that what one sheds is shed by the next in the same share only. */
static uint32_t held_back(const struct proxy_trunk *trunk, const struct hash_key *key,
                          const struct proxy_wish *wish, const struct field *field)
{
    uint32_t mask = 0;
    if (!wish->yields || !trunk->overload.ask)
        return 0;
    for (size_t i = 0; i < field->count; i++) {
        const struct proxy_throttle *throttle = proxy_pulse_throttle(field->pulses[i]);
        if (throttle == NULL || !proxy_throttle_is_set(throttle))
            continue;
        uint64_t hash =
            hash_mix(hash_slice(key, wish->call_id), field->choices[i].target->identity);
        if (!proxy_throttle_admits(throttle, (uint32_t)(hash & UINT16_MAX), wish->now_us))
            mask |= UINT32_C(1) << i;
    }
    return mask & field->left;
}

static bool is_any_returning(const struct proxy_trunk *trunk, const struct field *field,
                             uint64_t now_us)
{
    for (size_t i = 0; i < field->count; i++)
        if (!proxy_pulse_takes(field->pulses[i], trunk->health.slow_start_us, UINT16_MAX, now_us))
            return true;
    return false;
}

/* Of other bits than those that chose the worker and the order. */
static uint32_t lot_of(const struct hash_key *key, struct slice call_id)
{
    return (uint32_t)(hash_mix(hash_slice(key, call_id), 1) & UINT16_MAX);
}

int proxy_trunk_choose(const struct proxy_trunk *trunk, const struct proxy_health *health,
                       const struct hash_key *key, const struct proxy_wish *wish,
                       struct proxy_chosen *chosen)
{
    struct field field;
    field.count = proxy_trunk_order(trunk, key, wish->call_id, field.choices, PROXY_CHOICES);
    for (size_t i = 0; i < field.count; i++)
        field.pulses[i] = pulse_of(trunk, health, &field.choices[i]);
    field.left = left_by(wish, &field);
    uint32_t all = (UINT32_C(1) << field.count) - 1;
    if (field.left == 0)
        return (all & ~wish->tried) == 0 ? ERROR_NOT_FOUND : -EPROTONOSUPPORT;
    /* What is held back now may be free when the call fails over. */
    chosen->others = (uint8_t)(__builtin_popcount(field.left) - 1);
    uint32_t held = held_back(trunk, key, wish, &field);
    field.left &= ~held;
    field.lot = is_any_returning(trunk, &field, wish->now_us) ? lot_of(key, wish->call_id) : 0;
    if (choose_by(trunk, &field, 0, wish->now_us, chosen) ||
        choose_by(trunk, &field, 1, wish->now_us, chosen) ||
        (!wish->only_serving && choose_by(trunk, &field, 2, wish->now_us, chosen))) {
        chosen->passed_over = (held & ((UINT32_C(1) << chosen->place) - 1)) != 0;
        return 0;
    }
    if (held != 0)
        return ERROR_LIMIT;
    return wish->only_serving ? ERROR_UNAVAILABLE : ERROR_NOT_FOUND;
}

bool proxy_trunk_place(const struct proxy_trunk *trunk, const struct proxy_health *health,
                       const struct hash_key *key, struct slice call_id, uint8_t place,
                       bool only_tls, struct proxy_chosen *chosen)
{
    struct proxy_choice choices[PROXY_CHOICES];
    size_t count = proxy_trunk_order(trunk, key, call_id, choices, PROXY_CHOICES);
    if (count == 0)
        return false;
    chosen->place = place < count ? place : 0;
    while (only_tls && chosen->place + 1U < count &&
           choices[chosen->place].target->protocol != TP_PROTOCOL_TLS)
        chosen->place++;
    chosen->choice = choices[chosen->place];
    chosen->pulse = pulse_of(trunk, health, &chosen->choice);
    chosen->others = (uint8_t)(count - 1);
    chosen->passed_over = false;
    return true;
}
