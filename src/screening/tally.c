/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/tally.h"

#include <assert.h>
#include <string.h>

static const struct {
    enum stats_family country;
    enum stats_family region;
    enum stats_family kind;
} families[2] = {
    [NUM_CALLER] = {STATS_FAMILY_CALLER_COUNTRY, STATS_FAMILY_CALLER_REGION,
                    STATS_FAMILY_CALLER_KIND},
    [NUM_CALLEE] = {STATS_FAMILY_CALLEE_COUNTRY, STATS_FAMILY_CALLEE_REGION,
                    STATS_FAMILY_CALLEE_KIND},
};

/* ---- places in the tables ------------------------------------------------------------------ */

/* Codes are two letters from A to Z; anything else (none, so far) shares the last place. */
static unsigned country_place(const char iso[3])
{
    unsigned first = (unsigned)(unsigned char)iso[0] - 'A';
    unsigned second = (unsigned)(unsigned char)iso[1] - 'A';
    return first < 26 && second < 26 ? first * 26 + second : SCREEN_TALLY_COUNTRIES - 1;
}

/* Where the text at this address stands, or the free place where it would. */
static unsigned region_place(const struct screen_tally *tally, const char *region)
{
    unsigned place = (unsigned)(((uintptr_t)region * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
    while (tally->regions[place] != NULL && tally->regions[place] != region)
        place = (place + 1) % SCREEN_TALLY_REGIONS;
    return place;
}

_Static_assert(SCREEN_TALLY_REGIONS == 256, "a place is the highest byte of a product");

/* ---- registering --------------------------------------------------------------------------- */

struct registering {
    struct screen_tally *tally;
    struct stats_registry *registry;
    unsigned count;
};

static void register_region(const char *region, void *argument)
{
    struct registering *registering = argument;
    struct screen_tally *tally = registering->tally;
    unsigned place = region_place(tally, region);
    if (tally->regions[place] != NULL)
        return;
    /* The plan is ours; half of the places stay free, so that a search ends soon. */
    assert(registering->count < SCREEN_TALLY_REGIONS / 2);
    registering->count++;
    tally->regions[place] = region;
    for (unsigned role = NUM_CALLER; role <= NUM_CALLEE; role++)
        tally->parties[role].regions[place] =
            stats_label(registering->registry, families[role].region, slice_of_text(region));
}

static void register_party(struct screen_tally_party *party, struct stats_registry *registry,
                           unsigned role)
{
    for (size_t i = 0; i < num_country_total(); i++) {
        const char *iso = num_country_at(i)->iso;
        party->countries[country_place(iso)] =
            stats_label(registry, families[role].country, slice_of_text(iso));
    }
    for (unsigned i = 0; i < NUM_KIND_COUNT; i++)
        party->kinds[i] = stats_label(registry, families[role].kind,
                                      slice_of_text(num_kind_text((enum num_kind)i)));
    party->unknown_country = stats_label(registry, families[role].country, SLICE("unknown"));
    party->unknown_region = stats_label(registry, families[role].region, SLICE("unknown"));
}

void screen_tally_register(struct screen_tally *tally, struct stats_registry *registry)
{
    static const char *const missing[STATS_MISSING_COUNT] = {
#define MISSING_WORD(name, word) [name] = (word),
        STATS_MISSING_TABLE(MISSING_WORD)
#undef MISSING_WORD
    };
    struct registering registering = {tally, registry, 0};
    memset(tally, 0, sizeof(*tally));
    for (unsigned role = NUM_CALLER; role <= NUM_CALLEE; role++)
        register_party(&tally->parties[role], registry, role);
    num_plan_each_region(register_region, &registering);
    for (unsigned i = 0; i < STATS_MISSING_COUNT; i++)
        tally->missing[i] = stats_label(registry, STATS_FAMILY_DEGRADED, slice_of_text(missing[i]));
}

/* ---- counting ------------------------------------------------------------------------------ */

static void count_party(const struct screen_tally *tally, struct stats_shard *shard, unsigned role,
                        const struct num_number *number)
{
    const struct screen_tally_party *party = &tally->parties[role];
    uint32_t country = party->unknown_country;
    uint32_t region = party->unknown_region;
    uint32_t kind = party->kinds[NUM_UNKNOWN];
    if (number != NULL && number->valid) {
        country = party->countries[country_place(number->iso)];
        kind = party->kinds[number->kind];
        if (number->region != NULL)
            region = party->regions[region_place(tally, number->region)];
    }
    stats_count_label(shard, families[role].country, country);
    stats_count_label(shard, families[role].region, region);
    stats_count_label(shard, families[role].kind, kind);
}

void screen_tally_call(const struct screen_tally *tally, struct stats_shard *shard,
                       const struct screen_facts *facts)
{
    count_party(tally, shard, NUM_CALLER, facts != NULL ? &facts->caller : NULL);
    count_party(tally, shard, NUM_CALLEE, facts != NULL ? &facts->callee : NULL);
}

void screen_tally_degraded(const struct screen_tally *tally, struct stats_shard *shard,
                           uint8_t missing)
{
    for (unsigned i = 0; i < STATS_MISSING_COUNT; i++)
        if ((missing >> i & 1) != 0)
            stats_count_label(shard, STATS_FAMILY_DEGRADED, tally->missing[i]);
    if (missing == 0)
        stats_count_label(shard, STATS_FAMILY_DEGRADED, 0);
}
