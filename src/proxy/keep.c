/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy_int.h"

static void keep_rules(struct screen_recent_call *call, const struct proxy *proxy)
{
    const struct screen_policy *policy = proxy->snapshot.policy;
    const struct rule_outcome *outcome = screen_engine_outcome(proxy->parts.screening);
    call->rules_fired = (uint16_t)outcome->fired_total;
    for (uint32_t i = 0; i < outcome->fired_count && i < SCREEN_RECENT_RULES; i++) {
        const struct rule_fired *fired = &outcome->fired[i];
        const struct screen_rule_labels *labels = screen_policy_rule_labels(policy, fired->rule);
        call->rules[call->rule_count++] = (struct screen_recent_rule){
            fired->shadow ? labels->rules_shadow : labels->rules, fired->points, fired->shadow};
    }
}

void proxy_keep_call(struct proxy *proxy, const struct proxy_request *request,
                     const struct screen_verdict *verdict, uint16_t status)
{
    const struct screen_settings *settings = screen_policy_settings(proxy->snapshot.policy);
    if (settings->explain_keep_us == 0)
        return;
    struct screen_recent_call call = {
        .wall_us = proxy_wall(proxy, request->packet->received_us),
        .call_hash = proxy_call_hash(proxy->parts.marks, request->message->call_id),
        .trunk = request->from->mark,
        .screening_ns = verdict->screening_ns,
        .finding = verdict->finding,
        .diverting = *screen_engine_diverting(proxy->parts.screening),
        .status = status,
        .action = (uint8_t)verdict->action,
        .authority = (uint8_t)verdict->authority,
        .profile = (uint8_t)verdict->profile,
        .score = verdict->score,
        .reputation_known = verdict->reputation_known,
        .degraded = verdict->degraded,
        .over_budget = verdict->over_budget,
        .hurried = proxy_is_hurried(proxy, request),
    };
    call.source_known = proxy_source_address(&request->packet->source, &call.source);
    stats_event_text(call.rules_version, sizeof(call.rules_version),
                     slice_of_text(rule_set_version(screen_policy_rules(proxy->snapshot.policy))));
    if (verdict->rules_ran)
        keep_rules(&call, proxy);
    screen_recent_keep(proxy->parts.recent, &call, request->message);
}
