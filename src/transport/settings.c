/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/settings.h"

#include <errno.h>

#include "base/random.h"
#include "config/document.h"

#define DNS_PORT 53

static const struct conf_row dns_rows[] = {
    {.key = "servers",
     .type = CONF_CUSTOM,
     CONF_FIELD(struct tp_dns_settings, servers),
     .format = &conf_format_address_list,
     .argument = DNS_PORT,
     .flags = CONF_NEEDS_RESTART,
     .help = "DNS servers, in the order in which they are asked; without any, those of "
             "/etc/resolv.conf. Names of trunks are only as good as they: use resolvers of your "
             "own, near by."},
    {.key = "timeout",
     .type = CONF_DURATION,
     CONF_FIELD(struct tp_dns_settings, timeout_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1s",
     .min = CONF_MS(50),
     .max = CONF_SECONDS(30),
     .help = "How long a server has for an answer; twice as long in each further round."},
    {.key = "tries",
     .type = CONF_INTEGER,
     CONF_FIELD(struct tp_dns_settings, tries),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "2",
     .min = 1,
     .max = 10,
     .unit = "rounds",
     .help = "How often each server is asked before the question has failed."},
    {.key = "min_ttl",
     .type = CONF_DURATION,
     CONF_FIELD(struct tp_dns_settings, min_ttl_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "5s",
     .min = CONF_SECONDS(1),
     .max = CONF_HOURS(1),
     .help = "Records that say less are kept so long all the same."},
    {.key = "max_ttl",
     .type = CONF_DURATION,
     CONF_FIELD(struct tp_dns_settings, max_ttl_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1h",
     .min = CONF_SECONDS(1),
     .max = CONF_DAYS(7),
     .help = "Records that say more are asked for again after this time."},
    {.key = "negative_ttl",
     .type = CONF_DURATION,
     CONF_FIELD(struct tp_dns_settings, negative_ttl_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1m",
     .min = CONF_SECONDS(1),
     .max = CONF_HOURS(3),
     .help = "The longest that the answer that there is no such record is believed."},
    {.key = "stale",
     .type = CONF_DURATION,
     CONF_FIELD(struct tp_dns_settings, stale_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "1d",
     .max = CONF_DAYS(7),
     .help = "How long beyond its time a record is used while no server answers. Then the name "
             "resolves to nothing, and calls to it get 503."},
    {.key = "remember",
     .type = CONF_DURATION,
     CONF_FIELD(struct tp_dns_settings, remember_us),
     .flags = CONF_NEEDS_RESTART,
     .fallback = "4h",
     .max = CONF_DAYS(7),
     .help = "How long an address that a name does not mean any more still counts as the trunk's "
             "for the calls under way there."},
    {.key = "start_wait",
     .type = CONF_DURATION,
     CONF_FIELD(struct tp_dns_settings, start_wait_us),
     .fallback = "3s",
     .max = CONF_MINUTES(1),
     .help = "How long the start, and a reload, waits for names to be resolved before calls are "
             "taken without."},
};

static int check_dns(struct conf_load *load, const struct conf_node *node, void *object)
{
    const struct tp_dns_settings *dns = object;
    if (dns->min_ttl_us <= dns->max_ttl_us)
        return 0;
    conf_load_error(load, node != NULL ? conf_node_get(node, "max_ttl") : NULL,
                    "max_ttl is shorter than min_ttl");
    conf_report_expect(load->report, "at least as long as min_ttl");
    return ERROR_CONFIG;
}

const struct conf_section tp_dns_section = {
    .name = "dns",
    .help = "How targets of trunks that are names are resolved.",
    CONF_ROWS(dns_rows),
    CONF_OBJECT(struct tp_dns_settings),
    .check = check_dns,
};

int tp_dns_convert(const struct tp_dns_settings *from, unsigned protocols, struct arena *arena,
                   struct tp_resolver_settings *to)
{
    struct tp_address *servers = arena_zalloc(arena, (from->servers.count + 1) * sizeof(*servers));
    if (servers == NULL)
        return -ENOMEM;
    *to = (struct tp_resolver_settings){
        .servers = servers,
        .server_count = from->servers.count,
        .timeout_us = from->timeout_us,
        .tries = from->tries,
        .min_ttl_us = from->min_ttl_us,
        .max_ttl_us = from->max_ttl_us,
        .negative_ttl_us = from->negative_ttl_us,
        .stale_us = from->stale_us,
        .remember_us = from->remember_us,
        .protocols = protocols,
    };
    for (size_t i = 0; i < from->servers.count; i++) {
        int error = tp_address_from_sockaddr(&from->servers.items[i].socket.any, &servers[i]);
        if (error != 0)
            return error;
    }
    return random_bytes(&to->seed, sizeof(to->seed));
}
