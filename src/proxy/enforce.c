/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encode.h"
#include "proxy_int.h"

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
    path->strip_tags = true;
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
    path->request_uri = slice_of_text(text);
    if (smsg_uri_parse(path->request_uri, &uri) != 0)
        return 500;
    struct tp_address address;
    const struct proxy_trunk *to = NULL;
    bool literal = tp_address_from_host(uri.host, uri.port != 0 ? uri.port : 5060, &address) == 0;
    if (literal)
        to = proxy_plan_neighbour(plan, &address);
    if (to != NULL) {
        int listener = proxy_trunk_listener(to, &address);
        if (listener < 0)
            return 500;
        path->to = to;
        path->next_hop = address;
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
    if (status != 0)
        return status;
    path->extra = history_lines(
        proxy, message, path->request_uri.data != NULL ? path->request_uri : message->request_uri);
    return proxy->scratch.overflow ? 513 : 0;
}

/* ---- counts and events --------------------------------------------------------------------- */

static void count_rules(struct proxy *proxy, const struct rule_outcome *outcome)
{
    const struct screen_policy *policy = proxy->snapshot.policy;
    for (uint32_t i = 0; i < outcome->fired_count; i++) {
        const struct rule_fired *fired = &outcome->fired[i];
        stats_count_label(proxy->parts.stats,
                          fired->shadow ? STATS_FAMILY_RULES_SHADOW : STATS_FAMILY_RULES,
                          screen_policy_rule_label(policy, fired->rule, fired->shadow));
    }
    stats_add(proxy->parts.stats, STATS_REGEX_LIMIT,
              (uint64_t)outcome->regex_limited + outcome->regex_too_long);
    stats_add(proxy->parts.stats, STATS_REGEX_SKIPPED, outcome->regex_skipped);
}

static void fill_rules(struct stats_event *event, const struct proxy *proxy,
                       const struct rule_outcome *outcome)
{
    for (uint32_t i = 0; i < outcome->fired_count && i < STATS_EVENT_RULES; i++) {
        event->rules[i].label = screen_policy_rule_label(
            proxy->snapshot.policy, outcome->fired[i].rule, outcome->fired[i].shadow);
        event->rules[i].points = outcome->fired[i].points;
        event->rules[i].shadow = outcome->fired[i].shadow;
        event->rule_count++;
    }
}

static void number_text(char *array, size_t capacity, const struct num_number *number)
{
    if (number->valid)
        stats_event_text(array, capacity, slice_make(number->text, number->length));
}

static void fill_parties(struct stats_event *event, const struct proxy *proxy)
{
    const struct screen_facts *facts = screen_engine_facts(proxy->parts.screening);
    const struct smsg_decoded *decoded = screen_engine_decoded(proxy->parts.screening);
    stats_event_text(event->caller_raw, sizeof(event->caller_raw), decoded->from.user);
    stats_event_text(event->callee_raw, sizeof(event->callee_raw), decoded->request_uri.user);
    number_text(event->caller, sizeof(event->caller), &facts->caller);
    number_text(event->callee, sizeof(event->callee), &facts->callee);
    if (facts->diverting_present)
        number_text(event->diverting, sizeof(event->diverting), &facts->diverting);
    stats_event_text(event->caller_country, sizeof(event->caller_country),
                     slice_of_text(facts->caller.iso));
    stats_event_text(event->callee_country, sizeof(event->callee_country),
                     slice_of_text(facts->callee.iso));
}

/* outcome: of the rules, NULL when they did not run. */
static uint8_t missing_of(const struct screen_verdict *verdict, const struct rule_outcome *outcome)
{
    bool patterns = outcome != NULL && outcome->regex_skipped > 0;
    bool reputation = verdict->degraded && !verdict->reputation_known;
    return (uint8_t)(reputation << STATS_MISSING_REPUTATION | patterns << STATS_MISSING_PATTERNS);
}

static void write_event(struct proxy *proxy, const struct proxy_request *request,
                        const struct screen_verdict *verdict, const struct proxy_trunk *to,
                        uint16_t status, uint32_t type)
{
    const struct rule_outcome *outcome = screen_engine_outcome(proxy->parts.screening);
    struct stats_event *event = stats_event_begin(proxy->parts.events);
    if (event == NULL) {
        stats_count(proxy->parts.stats, STATS_EVENTS_LOST);
        return;
    }
    event->wall_us = proxy_wall(proxy, request->packet->received_us);
    event->sequence = ++proxy->event_sequence;
    event->worker = (uint16_t)proxy->parts.worker;
    event->kind = STATS_EVENT_VERDICT;
    event->action = (uint8_t)proxy->parts.labels->actions[verdict->action];
    event->reason = (uint8_t)proxy->parts.labels->authorities[verdict->authority];
    event->score = verdict->score;
    event->degraded = verdict->degraded;
    event->missing = missing_of(verdict, verdict->rules_ran ? outcome : NULL);
    event->would_have = verdict->action == RULE_ALLOW;
    event->code = status;
    event->trunk_in = request->from->label_in;
    event->trunk_out = status == 0 && to != NULL ? to->label_out : 0;
    event->type = type;
    event->screening_ns = verdict->screening_ns;
    stats_event_text(event->rules_version, sizeof(event->rules_version),
                     slice_of_text(rule_set_version(screen_policy_rules(proxy->snapshot.policy))));
    stats_event_text(event->call_id, sizeof(event->call_id), request->message->call_id);
    fill_parties(event, proxy);
    if (verdict->rules_ran)
        fill_rules(event, proxy, outcome);
    stats_event_commit(proxy->parts.events);
}

/* A type that Redis names is registered at its first interception: a mutex once a type. */
static uint32_t reputation_type_label(struct proxy *proxy, const struct screen_verdict *verdict)
{
    uint32_t *label = &proxy->type_labels[verdict->type_id];
    if (*label == 0)
        *label =
            stats_label(proxy->parts.registry, STATS_FAMILY_TYPES, slice_of_text(verdict->type));
    return *label;
}

void proxy_record_verdict(struct proxy *proxy, const struct proxy_request *request,
                          const struct screen_verdict *verdict, const struct proxy_trunk *to,
                          uint16_t status)
{
    const struct proxy_parts *parts = &proxy->parts;
    uint32_t type = verdict->type_label;
    bool fired = false;
    stats_count_label(parts->stats, STATS_FAMILY_VERDICTS, parts->labels->actions[verdict->action]);
    stats_count_label(parts->stats, STATS_FAMILY_REASONS,
                      parts->labels->authorities[verdict->authority]);
    if (verdict->degraded)
        stats_count(parts->stats, STATS_VERDICTS_DEGRADED);
    if (verdict->rules_ran) {
        const struct rule_outcome *outcome = screen_engine_outcome(parts->screening);
        count_rules(proxy, outcome);
        fired = outcome->fired_count > 0;
    }
    if (verdict->action == RULE_ALLOW && !fired)
        return;
    if (verdict->type_id != 0)
        type = reputation_type_label(proxy, verdict);
    if (verdict->action != RULE_ALLOW)
        stats_count_label(parts->stats, STATS_FAMILY_TYPES, type);
    if (verdict->action == RULE_BLOCK)
        stats_count_label(parts->stats, STATS_FAMILY_TRUNK_BLOCKED, request->from->label_blocked);
    if (parts->events != NULL)
        write_event(proxy, request, verdict, to, status, type);
}
