/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admit: a call beyond a limit is refused at once, with the trunk's code and without Retry-After,
 * which would make an SBC keep all calls away. Emergency calls meet none of this.
 */
#include "admission_int.h"
#include "proxy/admission.h"

#define SECOND_US UINT64_C(1000000)

static uint64_t source_of(const struct proxy *proxy, const struct proxy_request *request)
{
    struct tp_address host = request->packet->source;
    host.port = 0;
    return hash_siphash13(&proxy->parts.marks->tag, &host, sizeof(host));
}

static uint64_t caller_of(const struct proxy *proxy)
{
    const struct num_number *caller = &screen_engine_facts(proxy->parts.screening)->caller;
    return hash_slice(&proxy->parts.marks->tag, slice_make(caller->text, caller->length));
}

static uint16_t refuse(struct proxy *proxy, const struct proxy_trunk *trunk, enum proxy_limit limit)
{
    stats_count_label(proxy->parts.stats, STATS_FAMILY_LIMITED, proxy->parts.labels->limits[limit]);
    stats_count_label(proxy->parts.stats, STATS_FAMILY_TRUNK_LIMITED, trunk->label_limited);

    return trunk->limits.code;
}

static bool within_rate(struct proxy *proxy, const struct proxy_trunk *trunk,
                        enum proxy_limit limit, uint64_t who, uint64_t now_us)
{
    uint32_t count = proxy_limit_of(&trunk->limits, limit);
    return count == 0 || proxy->parts.limiter == NULL ||
           screen_limiter_pass(proxy->parts.limiter, proxy_limit_hash(limit, trunk->mark, who),
                               count, SECOND_US, now_us);
}

uint16_t proxy_admit_request(struct proxy *proxy, const struct proxy_request *request)
{
    const struct proxy_trunk *from = request->from;
    uint64_t now_us = request->packet->received_us;
    if ((from->limits.rate == 0 && from->limits.source_rate == 0) ||
        screen_is_emergency(request->message, &from->screen))
        return 0;
    if (from->limits.source_rate > 0 &&
        !within_rate(proxy, from, PROXY_LIMIT_SOURCE_RATE, source_of(proxy, request), now_us))
        return refuse(proxy, from, PROXY_LIMIT_SOURCE_RATE);
    if (!within_rate(proxy, from, PROXY_LIMIT_RATE, 0, now_us))
        return refuse(proxy, from, PROXY_LIMIT_RATE);
    return 0;
}

/* False: there are as many as the limit has. */
static bool enter(struct proxy *proxy, const struct proxy_trunk *trunk, enum proxy_limit limit,
                  uint64_t who, uint32_t *place)
{
    uint32_t most = proxy_limit_of(&trunk->limits, limit);
    return most == 0 || proxy->parts.admission == NULL ||
           proxy_admission_enter(proxy->parts.admission, proxy_limit_hash(limit, trunk->mark, who),
                                 most, place);
}

uint16_t proxy_admit_call(struct proxy *proxy, const struct proxy_request *request,
                          const struct proxy_trunk *to, uint32_t places[CALL_HELD])
{
    const struct proxy_trunk *from = request->from;
    uint64_t now_us = request->packet->received_us;
    bool by_caller = from->limits.caller_rate > 0 || from->limits.caller_calls > 0;
    uint64_t caller = by_caller ? caller_of(proxy) : 0;
    uint64_t source = from->limits.source_calls > 0 ? source_of(proxy, request) : 0;
    memset(places, 0, CALL_HELD * sizeof(places[0]));
    if (!within_rate(proxy, from, PROXY_LIMIT_CALLER_RATE, caller, now_us))
        return refuse(proxy, from, PROXY_LIMIT_CALLER_RATE);
    if (!within_rate(proxy, to, PROXY_LIMIT_RATE_OUT, 0, now_us))
        return refuse(proxy, to, PROXY_LIMIT_RATE_OUT);
    const struct {
        const struct proxy_trunk *trunk;
        enum proxy_limit limit;
        uint64_t who;
    } rows[CALL_HELD] = {
        {from, PROXY_LIMIT_CALLER_CALLS, caller},
        {from, PROXY_LIMIT_SOURCE_CALLS, source},
        {from, PROXY_LIMIT_CALLS, 0},
        {to, PROXY_LIMIT_CALLS_OUT, 0},
    };
    for (size_t i = 0; i < CALL_HELD; i++) {
        if (enter(proxy, rows[i].trunk, rows[i].limit, rows[i].who, &places[i]))
            continue;
        proxy_admission_give_back(proxy, places);
        memset(places, 0, CALL_HELD * sizeof(places[0]));
        return refuse(proxy, rows[i].trunk, rows[i].limit);
    }
    return 0;
}

void proxy_admission_give_back(struct proxy *proxy, const uint32_t places[CALL_HELD])
{
    for (size_t i = 0; i < CALL_HELD; i++)
        proxy_admission_leave(proxy->parts.admission, places[i]);
}
