/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: the sections of the configuration that say how messages travel: `dns`, `streams`, and
 * the certificates of a listen address and of a trunk.
 */
#ifndef RINGFENCE_TRANSPORT_SETTINGS_H
#define RINGFENCE_TRANSPORT_SETTINGS_H

#include "base/arena.h"
#include "config/address.h"
#include "config/schema.h"
#include "transport/resolver.h"
#include "transport/transport.h"

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

/* What tp_resolver_start() wants; memory is the arena's. protocols: as tp_resolver_settings has it.
 */
int tp_dns_convert(const struct tp_dns_settings *from, unsigned protocols, struct arena *arena,
                   struct tp_resolver_settings *to) MUST_CHECK;

/* Of struct tp_stream_settings. */
extern const struct conf_section tp_stream_section;

/* `tls` of a listen address and of a trunk. */
struct tp_certificate_settings {
    struct slice certificate;
    struct slice key;
    struct slice authorities;
    struct conf_text_list names; /* of a trunk only, as the next */
    bool mutual;
};

extern const struct conf_section tp_listener_tls_section;
extern const struct conf_section tp_peer_tls_section;

/* What tp_tls_create() wants; texts stay the settings'. fallback: whose certificate and authorities
 * count where there are none; NULL: nobody's. */
struct tp_tls_settings tp_certificate_convert(const struct tp_certificate_settings *settings,
                                              const struct tp_certificate_settings *fallback);

#endif
