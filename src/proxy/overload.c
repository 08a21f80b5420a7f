/* SPDX-License-Identifier: Apache-2.0 */
#include "overload_int.h"

#define LINES_PER_SECOND 5

static void log_throttle(struct proxy *proxy, const struct proxy_trunk *trunk,
                         const struct proxy_throttle *throttle, const struct tp_address *target,
                         uint64_t now_us)
{
    char text[TP_ADDRESS_TEXT];
    uint32_t held_back;
    struct proxy_throttle_view view = proxy_throttle_view(throttle, now_us);
    if (!log_limit_pass(&proxy->log_overload, LINES_PER_SECOND, now_us, &held_back))
        return;
    if (view.algorithm == SMSG_OVERLOAD_NONE)
        log_notice("overload",
                   "trunk %.*s: target %s asks for nothing any more (%u lines held back)",
                   SLICE_ARGS(trunk->screen.name), tp_address_text(target, text), held_back);
    else
        log_warning(
            "overload", "trunk %.*s: target %s asks for %s %u%s (%u lines held back)",
            SLICE_ARGS(trunk->screen.name), tp_address_text(target, text),
            view.algorithm == SMSG_OVERLOAD_LOSS ? "fewer calls, by" : "at most", view.value,
            view.algorithm == SMSG_OVERLOAD_LOSS ? " per cent" : " requests per second", held_back);
}

void proxy_overload_hear(struct proxy *proxy, const struct proxy_trunk *trunk,
                         struct proxy_throttle *throttle, const struct tp_address *target,
                         const struct smsg *response, uint64_t now_us)
{
    struct smsg_overload said;
    if (throttle == NULL || !response->via.overload)
        return;
    if (smsg_overload_read(response->via.value, &said) != 0) {
        stats_count(proxy->parts.stats, STATS_OVERLOAD_MALFORMED);
        return;
    }
    /* As we wrote it: the target has no overload control (section 6). That it asks for nothing any
     * more can be said without "oc" (section 4.3). */
    if (!said.told && said.validity_ms != 0)
        return;
    switch (proxy_throttle_hear(throttle, &said, trunk->overload.validity_max_us, now_us)) {
    case PROXY_THROTTLE_BEGUN:
        stats_count(proxy->parts.stats, STATS_TARGETS_THROTTLED);
        log_throttle(proxy, trunk, throttle, target, now_us);
        break;
    case PROXY_THROTTLE_ENDED:
        log_throttle(proxy, trunk, throttle, target, now_us);
        break;
    case PROXY_THROTTLE_STALE:
        stats_count(proxy->parts.stats, STATS_OVERLOAD_STALE);
        break;
    case PROXY_THROTTLE_REFUSED:
        stats_count(proxy->parts.stats, STATS_OVERLOAD_MALFORMED);
        break;
    case PROXY_THROTTLE_SAME:
    case PROXY_THROTTLE_CHANGED:
        break;
    }
}

void proxy_overload_expire(struct proxy *proxy, const struct proxy_trunk *trunk,
                           struct proxy_throttle *throttle, const struct tp_address *target,
                           uint64_t now_us)
{
    if (trunk != NULL && proxy_throttle_expire(throttle, now_us))
        log_throttle(proxy, trunk, throttle, target, now_us);
}

struct proxy_throttle *proxy_overload_find(const struct proxy *proxy,
                                           const struct proxy_trunk *trunk,
                                           struct proxy_pulse *pulse, uint16_t listener,
                                           const struct tp_address *target)
{
    if (trunk == NULL || !trunk->overload.ask)
        return NULL;
    /* Within a dialog a Contact says where to, which often is a target all the same. */
    if (pulse == NULL) {
        uint8_t protocol = proxy_plan_protocol(proxy->snapshot.plan, listener);
        pulse = proxy_health_find(proxy->parts.health, trunk->mark,
                                  tp_target_identity(target, protocol));
    }
    return proxy_pulse_throttle(pulse);
}

struct slice proxy_overload_via(const struct proxy *proxy, const struct proxy_trunk *trunk,
                                uint16_t listener)
{
    const struct proxy_listener *from = &proxy->listeners[listener];
    return trunk->overload.ask ? from->via_asking : from->via;
}
