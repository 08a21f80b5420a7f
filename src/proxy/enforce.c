/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/encode.h"
#include "config/value.h"
#include "path_int.h"
#include "screening/report.h"

/* ---- block --------------------------------------------------------------------------------- */

static void append_603_plus(struct buffer *out, const struct screen_settings *settings)
{
    /* ATIS-1000099: who blocked, and where to complain. */
    buffer_append_literal(out, "Reason: Q.850;cause=21;text=\"v=");
    buffer_append(out, settings->analytics_name);
    if (settings->redress_url.length > 0) {
        buffer_append_literal(out, ";url=");
        buffer_append(out, settings->redress_url);
    }
    buffer_append_literal(out, "\";location=LN\r\n");
}

struct proxy_refusal proxy_block(struct proxy *proxy, enum rule_profile profile)
{
    static const struct slice phrases[RULE_PROFILE_COUNT] = {
        [RULE_PROFILE_403] = SLICE_LITERAL("Forbidden"),
        [RULE_PROFILE_603] = SLICE_LITERAL("Decline"),
        [RULE_PROFILE_603_PLUS] = SLICE_LITERAL("Network Blocked"),
    };
    struct buffer *scratch = &proxy->scratch;
    size_t begun = scratch->length;
    if (profile == RULE_PROFILE_603_PLUS)
        append_603_plus(scratch, screen_policy_settings(proxy->snapshot.policy));
    else
        buffer_append_literal(scratch, "Reason: Q.850;cause=21;text=\"Call rejected\"\r\n");
    return (struct proxy_refusal){
        .status = (uint16_t)rule_profile_status(profile),
        .reason = phrases[profile],
        .extra = slice_make(scratch->data + begun, scratch->length - begun),
    };
}

/* ---- tag ----------------------------------------------------------------------------------- */

static void append_rules(struct buffer *out, const struct proxy *proxy)
{
    const struct rule_set *rules = screen_policy_rules(proxy->snapshot.policy);
    const struct rule_outcome *outcome = screen_engine_outcome(proxy->parts.screening);
    bool first = true;
    for (uint32_t i = 0; i < outcome->fired_count; i++) {
        if (outcome->fired[i].shadow)
            continue;
        if (!first)
            buffer_append_literal(out, ", ");
        buffer_append_text(out, rule_set_rule(rules, outcome->fired[i].rule)->id);
        first = false;
    }
}

/* "疑似诈骗 Alice": the prefix before the name that is shown, in one quoted-string. */
static struct slice tagged_display(struct proxy *proxy, struct slice prefix)
{
    struct slice name = screen_engine_decoded(proxy->parts.screening)->from.display;
    char memory[256];
    struct buffer joined = buffer_over(memory, sizeof(memory));
    buffer_append(&joined, prefix);
    if (name.length > 0) {
        buffer_append_char(&joined, ' ');
        buffer_append(&joined, slice_first(name, 128));
    }
    size_t begun = proxy->scratch.length;
    encode_sip_quoted(&proxy->scratch, buffer_slice(&joined));
    buffer_append_char(&proxy->scratch, ' ');
    return slice_make(proxy->scratch.data + begun, proxy->scratch.length - begun);
}

void proxy_tag(struct proxy *proxy, const struct screen_verdict *verdict, struct proxy_path *path)
{
    const struct screen_settings *settings = screen_policy_settings(proxy->snapshot.policy);
    struct buffer *scratch = &proxy->scratch;
    path->tagged = true;
    if (settings->display_prefix.length > 0)
        path->display = tagged_display(proxy, settings->display_prefix);
    size_t begun = scratch->length;
    buffer_append(scratch, settings->score_header);
    buffer_append_literal(scratch, ": ");
    buffer_append_uint(scratch, verdict->score);
    buffer_append_literal(scratch, "\r\n");
    if (verdict->rules_ran && screen_engine_outcome(proxy->parts.screening)->fired_count > 0) {
        buffer_append(scratch, settings->reason_header);
        buffer_append_literal(scratch, ": ");
        append_rules(scratch, proxy);
        buffer_append_literal(scratch, "\r\n");
    }
    if (verdict->type[0] != '\0') {
        buffer_append(scratch, settings->type_header);
        buffer_append_literal(scratch, ": ");
        buffer_append_text(scratch, verdict->type);
        buffer_append_literal(scratch, "\r\n");
    }
    path->extra = slice_make(scratch->data + begun, scratch->length - begun);
}

/* ---- divert -------------------------------------------------------------------------------- */

/* The index parameter of the last History-Info entry; "" when there is none. */
static struct slice last_history_index(const struct smsg *message)
{
    struct slice index = SLICE("");
    const struct smsg_header *header = smsg_first(message, SMSG_HEADER_HISTORY_INFO);
    for (; header != NULL; header = smsg_next(message, header)) {
        struct slice rest = smsg_value(message, header);
        struct slice value;
        while (smsg_next_value(&rest, &value)) {
            struct smsg_address address;
            struct slice found, whole;
            if (smsg_address_parse(value, &address) == 0 &&
                smsg_param(address.params, "index", &found, &whole))
                index = found;
        }
    }
    return slice_first(index, 64);
}

/* RFC 7044 section 10.3: the callee that was asked for stays on record, and why it changed. */
static struct slice history_lines(struct proxy *proxy, const struct smsg *message,
                                  struct slice new_uri)
{
    struct buffer *scratch = &proxy->scratch;
    struct slice index = last_history_index(message);
    size_t begun = scratch->length;
    buffer_append_literal(scratch, "History-Info: ");
    if (index.length == 0) {
        index = SLICE("1");
        buffer_append_char(scratch, '<');
        buffer_append(scratch, message->request_uri);
        buffer_append_literal(scratch, ">;index=1, ");
    }
    buffer_append_char(scratch, '<');
    buffer_append(scratch, new_uri);
    buffer_append_literal(scratch, ";cause=302>;index=");
    buffer_append(scratch, index);
    buffer_append_literal(scratch, ".1;mp=");
    buffer_append(scratch, index);
    buffer_append_literal(scratch, "\r\n");
    return slice_make(scratch->data + begun, scratch->length - begun);
}

static int divert_to_uri(struct proxy *proxy, const struct proxy_request *request, const char *text,
                         struct proxy_path *path)
{
    struct smsg_uri uri;
    const struct proxy_plan *plan = proxy->snapshot.plan;
    struct slice aim = slice_of_text(text);
    path->request_uri = proxy_keep_scheme(proxy, request->message, aim);
    /* Where it leads is said by the one that is sips:, if either is. */
    if (slice_starts_with_nocase(path->request_uri, SLICE("sips:")))
        aim = path->request_uri;
    if (smsg_uri_parse(aim, &uri) != 0)
        return 500;
    path->sips = path->sips || proxy_uri_is_sips(&uri);
    struct tp_address address;
    const struct proxy_trunk *to = NULL;
    bool literal = tp_address_from_host(uri.host, proxy_uri_port(&uri), &address) == 0;
    if (literal)
        to = proxy_plan_neighbour(plan, &address);
    if (to != NULL) {
        int listener = proxy_uri_listener(to, &uri, &address);
        if (listener < 0)
            return 500;
        path->to = to;
        path->next_hop = address;
        proxy_path_fix(path);
        path->listener = (uint16_t)listener;
        return 0;
    }
    to = proxy_plan_route(plan, request->from, uri.user);
    if (to == NULL) {
        stats_count(proxy->parts.stats, STATS_NO_ROUTE);
        return 404;
    }
    return proxy_path_to_trunk(proxy, request, to, path);
}

int proxy_divert(struct proxy *proxy, const struct proxy_request *request,
                 const struct screen_verdict *verdict, struct proxy_path *path)
{
    const struct rule_action *demand = verdict->demand;
    const struct smsg *message = request->message;
    int status;
    /* What the table of routes had made of the Request-URI is void. */
    path->request_uri = slice_make(NULL, 0);
    if (demand->target_kind == RULE_TARGET_TRUNK) {
        const struct proxy_trunk *to =
            proxy_plan_find_trunk(proxy->snapshot.plan, slice_of_text(demand->target));
        status = to != NULL ? proxy_path_to_trunk(proxy, request, to, path) : 500;
    } else {
        status = divert_to_uri(proxy, request, demand->target, path);
    }
    if (status == 0)
        status = proxy_check_sips(proxy, request, path);
    if (status != 0)
        return status;
    path->extra = history_lines(
        proxy, message, path->request_uri.data != NULL ? path->request_uri : message->request_uri);
    return proxy->scratch.overflow ? 513 : 0;
}

/* ---- counts and events --------------------------------------------------------------------- */

/* One in so many judgements by rules is measured: some microseconds each, so nanoseconds a call. */
#define MEASURED_EVERY 1024

static void record_cost(void *context, uint32_t rule, uint64_t nanoseconds)
{
    struct proxy *proxy = context;
    const struct screen_rule_labels *labels =
        screen_policy_rule_labels(proxy->snapshot.policy, rule);
    stats_add_label(proxy->parts.stats, STATS_FAMILY_RULES_COST, labels->rules_cost, nanoseconds);
    stats_count_label(proxy->parts.stats, STATS_FAMILY_RULES_MEASURED, labels->rules_measured);
}

static void measure_rules(struct proxy *proxy)
{
    const struct rule_meter meter = {proxy, clock_monotonic_ns, record_cost};
    if (proxy->until_measured-- > 0)
        return;
    proxy->until_measured = MEASURED_EVERY - 1;
    screen_engine_measure(proxy->parts.screening, &meter);
}

static void count_rules(struct proxy *proxy, const struct rule_outcome *outcome, uint64_t wall_us)
{
    struct stats_shard *stats = proxy->parts.stats;
    for (uint32_t i = 0; i < outcome->fired_count; i++) {
        const struct rule_fired *fired = &outcome->fired[i];
        const struct screen_rule_labels *labels =
            screen_policy_rule_labels(proxy->snapshot.policy, fired->rule);
        if (fired->shadow)
            stats_count_label(stats, STATS_FAMILY_RULES_SHADOW, labels->rules_shadow);
        else
            stats_count_label(stats, STATS_FAMILY_RULES, labels->rules);
        stats_moment_set(stats, STATS_MOMENT_RULE_HIT, labels->rules, wall_us / 1000000);
    }
    stats_add(proxy->parts.stats, STATS_REGEX_LIMIT,
              (uint64_t)outcome->regex_limited + outcome->regex_too_long);
    stats_add(proxy->parts.stats, STATS_REGEX_SKIPPED, outcome->regex_skipped);
}

static void fill_alternative(struct stats_event *event, const struct proxy *proxy,
                             const struct screen_alternative *other)
{
    if (!other->differs)
        return;
    event->would_action = (uint8_t)proxy->parts.labels->actions[other->action];
    event->would_score = other->score;
    if (other->action == RULE_BLOCK)
        event->would_code = (uint16_t)rule_profile_status(other->profile);
}

/* What an event tells of: one call and what became of it. */
struct recorded {
    const struct proxy_request *request;
    const struct screen_verdict *verdict;
    const struct proxy_trunk *to;
    uint16_t status;
    uint32_t type;
    uint64_t wall_us;
};

static void fill_event(struct stats_event *event, struct proxy *proxy,
                       const struct recorded *recorded)
{
    const struct screen_verdict *verdict = recorded->verdict;
    event->wall_us = recorded->wall_us;
    event->sequence = ++proxy->event_sequence;
    event->worker = (uint16_t)proxy->parts.worker;
    event->kind = STATS_EVENT_VERDICT;
    event->action = (uint8_t)proxy->parts.labels->actions[verdict->action];
    event->reason = (uint8_t)proxy->parts.labels->authorities[verdict->authority];
    event->score = verdict->score;
    event->degraded = verdict->degraded;
    event->missing = screen_report_missing(proxy->parts.screening, verdict);
    event->would_have = verdict->action == RULE_ALLOW;
    fill_alternative(event, proxy, &verdict->would_get);
    event->code = recorded->status;
    event->trunk_in = recorded->request->from->label_in;
    event->trunk_out = recorded->status == 0 && recorded->to != NULL ? recorded->to->label_out : 0;
    event->type = recorded->type;
    event->screening_ns = verdict->screening_ns;
    stats_event_text(event->rules_version, sizeof(event->rules_version),
                     slice_of_text(rule_set_version(screen_policy_rules(proxy->snapshot.policy))));
    stats_event_text(event->call_id, sizeof(event->call_id), recorded->request->message->call_id);
    screen_report_parties(event, proxy->parts.screening);
}

static void write_event(struct proxy *proxy, const struct recorded *recorded)
{
    struct stats_event *event = stats_event_begin(proxy->parts.events);
    if (event == NULL) {
        stats_count(proxy->parts.stats, STATS_EVENTS_LOST);
        return;
    }
    fill_event(event, proxy, recorded);
    if (recorded->verdict->rules_ran)
        screen_report_rules(event, proxy->parts.screening, proxy->snapshot.policy);
    stats_event_commit(proxy->parts.events);
}

/* ---- alerts -------------------------------------------------------------------------------- */

static struct slice alert_text(char *memory, size_t capacity, const struct proxy *proxy,
                               const struct recorded *recorded, const struct screen_alert *alert)
{
    struct buffer text = buffer_over(memory, capacity);
    if (alert->kind == SCREEN_BUDGET_TRUNK) {
        buffer_append_literal(&text, "trunk \"");
        buffer_append(&text, recorded->request->from->screen.name);
        buffer_append_literal(&text, "\": its lists are beyond their budget of ");
    } else {
        buffer_append_literal(&text, "rule \"");
        buffer_append_text(
            &text, rule_set_rule(screen_policy_rules(proxy->snapshot.policy), alert->rule)->id);
        buffer_append_literal(&text, "\" is beyond its budget of ");
    }
    buffer_append_uint(&text, alert->limit->calls);
    buffer_append_char(&text, '/');
    conf_value_append_duration(&text, alert->limit->period_us);
    return buffer_slice(&text);
}

/* With the call that was the first beyond the budget, and its rule. */
static void write_alert(struct proxy *proxy, const struct recorded *recorded,
                        const struct screen_alert *alert, struct slice text)
{
    struct stats_event *event =
        proxy->parts.events != NULL ? stats_event_begin(proxy->parts.events) : NULL;
    if (event == NULL) {
        stats_count(proxy->parts.stats, STATS_EVENTS_LOST);
        return;
    }
    fill_event(event, proxy, recorded);
    event->kind = STATS_EVENT_ALERT;
    stats_event_text(event->alert, sizeof(event->alert), text);
    if (alert->kind == SCREEN_BUDGET_RULE) {
        event->rule_count = 1;
        event->rules[0].label =
            screen_policy_rule_labels(proxy->snapshot.policy, alert->rule)->rules;
        event->rules[0].shadow = true;
    }
    stats_event_commit(proxy->parts.events);
}

/* Rare by construction: once for each demotion, and once a period for each trunk. */
static void raise_alerts(struct proxy *proxy, const struct recorded *recorded)
{
    static const char *const remedies[] = {
        [SCREEN_BUDGET_RULE] = "in shadow until it is changed, or armed by `ringfence rules rearm`",
        [SCREEN_BUDGET_TRUNK] = "they block no more in this period",
    };
    const struct screen_alert *alerts = screen_engine_alerts(proxy->parts.screening);
    for (uint32_t i = 0; i < recorded->verdict->alert_count; i++) {
        char memory[256], shown[512];
        struct slice text = alert_text(memory, sizeof(memory), proxy, recorded, &alerts[i]);
        log_warning("budget", "%s: %s", log_slice(shown, sizeof(shown), text),
                    remedies[alerts[i].kind]);
        if (alerts[i].kind == SCREEN_BUDGET_RULE)
            stats_count(proxy->parts.stats, STATS_RULES_DEMOTED);
        write_alert(proxy, recorded, &alerts[i], text);
    }
}

/* ---- verdicts ------------------------------------------------------------------------------ */

/* A type that Redis names is registered at its first interception: a mutex once a type. */
static uint32_t reputation_type_label(struct proxy *proxy, const struct screen_verdict *verdict)
{
    uint32_t *label = &proxy->type_labels[verdict->type_id];
    if (*label == 0)
        *label =
            stats_label(proxy->parts.registry, STATS_FAMILY_TYPES, slice_of_text(verdict->type));
    return *label;
}

static void count_verdict(struct proxy *proxy, const struct recorded *recorded)
{
    const struct proxy_parts *parts = &proxy->parts;
    const struct screen_verdict *verdict = recorded->verdict;
    stats_count_label(parts->stats, STATS_FAMILY_VERDICTS, parts->labels->actions[verdict->action]);
    stats_count_label(parts->stats, STATS_FAMILY_REASONS,
                      parts->labels->authorities[verdict->authority]);
    screen_tally_call(&parts->labels->tally, parts->stats,
                      verdict->authority != SCREEN_AUTHORITY_EMERGENCY
                          ? screen_engine_facts(parts->screening)
                          : NULL);
    if (verdict->degraded) {
        stats_count(parts->stats, STATS_VERDICTS_DEGRADED);
        screen_tally_degraded(&parts->labels->tally, parts->stats,
                              screen_report_missing(parts->screening, verdict));
    }
    if (verdict->over_budget)
        stats_count_label(parts->stats, STATS_FAMILY_TRUNK_OVER_BUDGET,
                          recorded->request->from->label_over_budget);
    if (verdict->rules_ran)
        count_rules(proxy, screen_engine_outcome(parts->screening), recorded->wall_us);
}

void proxy_record_verdict(struct proxy *proxy, const struct proxy_request *request,
                          const struct screen_verdict *verdict, const struct proxy_trunk *to,
                          uint16_t status)
{
    const struct proxy_parts *parts = &proxy->parts;
    struct recorded recorded = {request,
                                verdict,
                                to,
                                status,
                                verdict->type_label,
                                proxy_wall(proxy, request->packet->received_us)};
    bool fired = verdict->rules_ran && screen_engine_outcome(parts->screening)->fired_count > 0;
    if (parts->recent != NULL)
        proxy_keep_call(proxy, request, verdict, status);
    count_verdict(proxy, &recorded);
    if (verdict->type_id != 0)
        recorded.type = reputation_type_label(proxy, verdict);
    if (verdict->alert_count > 0)
        raise_alerts(proxy, &recorded);
    if (verdict->action != RULE_ALLOW)
        stats_count_label(parts->stats, STATS_FAMILY_TYPES, recorded.type);
    if (verdict->action == RULE_BLOCK)
        stats_count_label(parts->stats, STATS_FAMILY_TRUNK_BLOCKED, request->from->label_blocked);
    if (parts->events != NULL &&
        (verdict->action != RULE_ALLOW || fired || verdict->would_get.differs))
        write_event(proxy, &recorded);
    if (verdict->rules_ran)
        measure_rules(proxy);
}
