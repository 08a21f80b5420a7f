/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "plan_build_int.h"

static const struct proxy_listen_settings *listener_at(const struct proxy_settings *settings,
                                                       size_t index)
{
    return &((const struct proxy_listen_settings *)settings->listeners.items)[index];
}

uint32_t proxy_network_id(const struct proxy_settings *settings, struct slice name)
{
    for (size_t i = 0; i < settings->listeners.count; i++)
        if (slice_equal(listener_at(settings, i)->network, name))
            return (uint32_t)i;
    return PROXY_ANY_NETWORK - 1;
}

/* ---- certificates -------------------------------------------------------------------------- */

/* The file was sound when the settings were read: what is wrong now came in between. */
static int create_tls(struct proxy_builder *b, const struct tp_tls_settings *settings,
                      struct tp_tls **tls)
{
    struct tp_tls_problem problem;
    int error = tp_tls_create(settings, &problem, tls);
    if (error != ERROR_CONFIG)
        return error;
    proxy_complain(b, "%s", problem.text);
    return 0;
}

int proxy_build_listeners(struct proxy_builder *b)
{
    const struct proxy_settings *settings = b->settings;
    struct proxy_plan *plan = b->plan;
    int error = 0;
    for (size_t i = 0; i < settings->listeners.count && i < TP_LISTENER_LIMIT && error == 0; i++) {
        const struct proxy_listen_settings *listener = listener_at(settings, i);
        plan->listener_networks[i] = proxy_network_id(settings, listener->network);
        plan->listener_protocols[i] = (uint8_t)listener->transport;
        if (listener->transport == TP_PROTOCOL_TLS) {
            const struct tp_tls_settings tls = tp_certificate_convert(&listener->tls, NULL);
            error = create_tls(b, &tls, &plan->listener_tls[i]);
        }
    }
    return error;
}

static bool says_something(const struct tp_certificate_settings *tls)
{
    return tls->certificate.length > 0 || tls->authorities.length > 0 || tls->names.count > 0 ||
           tls->mutual;
}

/* What the trunk leaves open is as at the listener that it is reached by. */
static int build_certificates(struct proxy_builder *b, const struct proxy_trunk_settings *from,
                              struct proxy_trunk *trunk)
{
    const int16_t *listeners = trunk->listeners[TP_PROTOCOL_TLS];
    int listener = listeners[0] >= 0 ? listeners[0] : listeners[1];
    if (!says_something(&from->tls))
        return 0;
    if (listener < 0) {
        proxy_complain(b,
                       "trunk \"%.*s\": tls, but no listen address in network \"%.*s\" has "
                       "transport tls",
                       SLICE_ARGS(from->name), SLICE_ARGS(from->network));
        return 0;
    }
    const struct tp_tls_settings tls =
        tp_certificate_convert(&from->tls, &listener_at(b->settings, (size_t)listener)->tls);
    return create_tls(b, &tls, &trunk->tls);
}

/* ---- listeners ----------------------------------------------------------------------------- */

static void find_listeners(const struct proxy_settings *settings, struct proxy_trunk *trunk)
{
    memset(trunk->listeners, 0xff, sizeof(trunk->listeners)); /* -1: none */
    trunk->only_protocol = -1;
    bool several = false;
    for (size_t i = 0; i < settings->listeners.count; i++) {
        const struct proxy_listen_settings *listener = listener_at(settings, i);
        size_t family = listener->address.socket.any.sa_family == AF_INET6 ? 1 : 0;
        int16_t *place = &trunk->listeners[listener->transport][family];
        if (!slice_equal(listener->network, trunk->network))
            continue;
        if (*place < 0)
            *place = (int16_t)i;
        several =
            several || (trunk->only_protocol >= 0 && trunk->only_protocol != listener->transport);
        trunk->only_protocol = (int8_t)listener->transport;
    }
    if (several)
        trunk->only_protocol = -1;
}

int proxy_build_transports(struct proxy_builder *b, const struct proxy_trunk_settings *from,
                           struct proxy_trunk *trunk)
{
    find_listeners(b->settings, trunk);
    trunk->udp_size = (uint8_t)from->udp_size;
    trunk->sips = (uint8_t)from->sips;
    trunk->connections = from->connections;
    if (b->registry != NULL)
        trunk->label_connections =
            stats_label(b->registry, STATS_FAMILY_TRUNK_CONNECTIONS, trunk->screen.name);
    if (proxy_network_id(b->settings, from->network) == PROXY_ANY_NETWORK - 1) {
        proxy_complain(b, "trunk \"%.*s\": no listen address stands in network \"%.*s\"",
                       SLICE_ARGS(from->name), SLICE_ARGS(from->network));
        return 0;
    }
    const int16_t *streams = trunk->listeners[TP_PROTOCOL_TCP];
    if (from->udp_size == PROXY_UDP_SIZE_TCP && streams[0] < 0 && streams[1] < 0)
        proxy_complain(b,
                       "trunk \"%.*s\": udp_size tcp, but no listen address in network \"%.*s\" "
                       "has transport tcp",
                       SLICE_ARGS(from->name), SLICE_ARGS(from->network));
    return build_certificates(b, from, trunk);
}

void proxy_check_reach(struct proxy_builder *b, const struct proxy_trunk *trunk,
                       struct slice target, int protocol, int family)
{
    const int16_t *listeners = trunk->listeners[protocol];
    bool v4 = listeners[0] >= 0, v6 = listeners[1] >= 0;
    if (family == 0 ? v4 || v6 : family == 4 ? v4 : v6)
        return;
    proxy_complain(b,
                   "trunk \"%.*s\": no listen address in network \"%.*s\" can reach the target "
                   "\"%.*s\": there is none of transport %s%s",
                   SLICE_ARGS(trunk->screen.name), SLICE_ARGS(trunk->network), SLICE_ARGS(target),
                   tp_protocol_rows[protocol].word,
                   family == 4   ? " over IPv4"
                   : family == 6 ? " over IPv6"
                                 : "");
}
