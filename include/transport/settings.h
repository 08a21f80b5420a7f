/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: the `dns` section of the configuration.
 */
#ifndef RINGFENCE_TRANSPORT_SETTINGS_H
#define RINGFENCE_TRANSPORT_SETTINGS_H

#include "base/arena.h"
#include "config/address.h"
#include "config/schema.h"
#include "transport/resolver.h"

struct tp_dns_settings {
    struct conf_address_list servers;
    uint64_t timeout_us;
    uint32_t tries;
    uint64_t min_ttl_us;
    uint64_t max_ttl_us;
    uint64_t negative_ttl_us;
    uint64_t stale_us;
    uint64_t remember_us;
    uint64_t start_wait_us; /* at the start, and of a reload */
};

extern const struct conf_section tp_dns_section;

/* What tp_resolver_start() wants; memory is the arena's. */
int tp_dns_convert(const struct tp_dns_settings *from, struct arena *arena,
                   struct tp_resolver_settings *to) MUST_CHECK;

#endif
