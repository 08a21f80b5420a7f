/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failover: a request goes to the next target of its trunk when one fails (RFC 3263 section 4.3,
 * RFC 3261 sections 16.8 and 16.9).
 *
 * What was sent is kept by its client transaction. The next attempt is that copy with another
 * branch, and where it shows the target or the way out, with the new ones: so tags and diversions
 * need not be decided again. The attempt's number in the branch is the target's place in the order
 * that the Call-ID gives, so that what travels without state can be given each target's branch.
 */
#include <errno.h>

#include "failover_int.h"
#include "overload_int.h"

/* How often a request without an answer looks whether its target has been found down meanwhile. */
#define GLANCE_US UINT64_C(250000)

/* NULL when a reload has removed it. */
static const struct proxy_trunk *trunk_of(const struct proxy_context *context)
{
    return proxy_plan_trunk_by_mark(context->proxy->snapshot.plan, context->trunk_out);
}

/* ---- marks --------------------------------------------------------------------------------- */

void proxy_log_health(const struct proxy_trunk *trunk, const struct tp_address *target,
                      const char *what, enum proxy_cause cause)
{
    char text[TP_ADDRESS_TEXT];
    log_warning("health", "trunk %.*s: target %s is %s (%s)", SLICE_ARGS(trunk->screen.name),
                tp_address_text(target, text), what, proxy_cause_text(cause));
}

void proxy_note_failure(struct proxy_context *context, enum proxy_cause cause, uint64_t now_us)
{
    const struct proxy_trunk *trunk = trunk_of(context);
    if (trunk == NULL || context->heard ||
        !proxy_pulse_failed(context->pulse, cause, context->attempt_us, trunk->health.failures,
                            now_us))
        return;
    stats_count(context->proxy->parts.stats, STATS_TARGETS_DOWN);
    proxy_log_health(trunk, &context->target, "down", cause);
}

/* Retry-After: seconds, then comment and parameters (section 20.33). 0: none, or none that counts.
 */
static uint64_t retry_after(const struct smsg *response)
{
    const struct smsg_header *header = smsg_first(response, SMSG_HEADER_RETRY_AFTER);
    uint64_t seconds;
    if (header == NULL)
        return 0;
    struct slice value = smsg_value(response, header);
    size_t end = 0;
    while (end < value.length && value.data[end] >= '0' && value.data[end] <= '9')
        end++;
    return slice_to_uint64(slice_first(value, end), UINT32_MAX, &seconds) == 0 ? seconds * 1000000
                                                                               : 0;
}

static void note_unavailable(struct proxy_context *context, const struct proxy_trunk *trunk,
                             const struct smsg *response, uint64_t now_us)
{
    uint64_t wait_us = retry_after(response);
    if (wait_us > trunk->health.retry_after_max_us)
        wait_us = trunk->health.retry_after_max_us;
    if (wait_us == 0 || context->pulse == NULL)
        return;
    /* What it asks for by overload control says the same, and leaves emergency calls alone. */
    if (trunk->overload.ask &&
        proxy_throttle_view(proxy_pulse_throttle(context->pulse), now_us).algorithm !=
            SMSG_OVERLOAD_NONE)
        return;
    if (proxy_pulse_serves(context->pulse, now_us)) {
        char text[TP_ADDRESS_TEXT];
        stats_count(context->proxy->parts.stats, STATS_TARGETS_AVOIDED);
        log_notice("health", "trunk %.*s: target %s asks to be left alone for %llu s",
                   SLICE_ARGS(trunk->screen.name), tp_address_text(&context->target, text),
                   (unsigned long long)(wait_us / 1000000));
    }
    proxy_pulse_avoid(context->pulse, now_us + wait_us, now_us);
}

/* ---- the next attempt ---------------------------------------------------------------------- */

/* The Request-URI that showed the last target shows the new one. */
static void edit_request_uri(struct proxy *proxy, const struct smsg *sent,
                             const struct proxy_chosen *chosen, struct smsg_edit *edit)
{
    struct smsg_uri uri;
    if (smsg_uri_parse(sent->request_uri, &uri) != 0 || uri.host.length == 0)
        return;
    const char *host = uri.host.data - (uri.host_is_ipv6 ? 1 : 0);
    const char *end = slice_past(uri.host) + (uri.host_is_ipv6 ? 1 : 0);
    const char *past = slice_past(sent->request_uri);
    while (end < past && (*end == ':' || (*end >= '0' && *end <= '9')))
        end++;
    size_t begun = proxy->scratch.length;
    if (chosen->choice.host.data != NULL)
        buffer_append(&proxy->scratch, chosen->choice.host);
    else
        tp_address_append(&proxy->scratch, &chosen->choice.target->address);
    smsg_edit_replace_slice(edit, slice_between(host, end),
                            slice_make(proxy->scratch.data + begun, proxy->scratch.length - begun));
}

/* What our branch vouches for stands in the Via below it. */
static int lower_hop(const struct smsg *sent, struct ident_hop *hop)
{
    const struct smsg_header *via = smsg_first(sent, SMSG_HEADER_VIA);
    const struct smsg_header *below = via != NULL ? smsg_next(sent, via) : NULL;
    struct smsg_via parsed;
    struct slice value, rest;
    if (below == NULL)
        return ERROR_MALFORMED;
    rest = smsg_value(sent, below);
    if (!smsg_next_value(&rest, &value) || smsg_via_parse(value, &parsed) != 0)
        return ERROR_MALFORMED;
    *hop = proxy_hop(sent);
    hop->branch = parsed.branch;
    hop->host = parsed.host;
    hop->port = parsed.port;
    return 0;
}

static const struct proxy_trunk *trunk_in_of(const struct proxy_context *context)
{
    struct tp_address source = txn_server_source(context->server);
    return proxy_plan_source(context->proxy->snapshot.plan, txn_server_listener(context->server),
                             &source);
}

static void edit_route(struct proxy_context *context, const struct smsg *sent, uint16_t listener,
                       struct smsg_edit *edit)
{
    struct proxy *proxy = context->proxy;
    const struct proxy_trunk *from = trunk_in_of(context);
    struct proxy_passage passage = {from != NULL ? from->mark : 0, context->trunk_out,
                                    txn_server_listener(context->server), context->listener,
                                    context->sips};
    const struct smsg_header *line = smsg_first(sent, SMSG_HEADER_RECORD_ROUTE);
    for (size_t i = proxy_passage_lines(&passage); i > 0 && line != NULL; i--) {
        smsg_edit_remove_header(edit, line);
        line = smsg_next(sent, line);
    }
    passage.listener_out = listener;
    proxy_edit_record_route(proxy, sent, &passage, edit);
}

/* Our Via, and Record-Route where the way out is another. */
static void edit_way_out(struct proxy_context *context, const struct proxy_trunk *trunk,
                         const struct smsg *sent, uint16_t listener,
                         const char branch[IDENT_BRANCH_LENGTH], struct smsg_edit *edit)
{
    struct proxy *proxy = context->proxy;
    const struct smsg_header *via = smsg_first(sent, SMSG_HEADER_VIA);
    size_t begun = proxy->scratch.length;
    buffer_append(&proxy->scratch, proxy_overload_via(proxy, trunk, listener));
    buffer_append_bytes(&proxy->scratch, branch, IDENT_BRANCH_LENGTH);
    buffer_append_literal(&proxy->scratch, "\r\n");
    smsg_edit_replace(edit, via->start, via->end - via->start,
                      slice_make(proxy->scratch.data + begun, proxy->scratch.length - begun));
    if (context->record_route && listener != context->listener)
        edit_route(context, sent, listener, edit);
}

/* `bytes` are in proxy->output. */
static int write_attempt(struct proxy *proxy, struct smsg_edit *edit, struct slice *bytes)
{
    if (proxy->scratch.overflow)
        return ERROR_LIMIT;
    struct buffer out = buffer_over(proxy->output, PROXY_OUTPUT_BYTES);
    int error = smsg_edit_write(edit, &out);
    *bytes = buffer_slice(&out);
    return error;
}

/* The request as it goes to the target; `bytes` are in proxy->output. */
static int compose_attempt(struct proxy_context *context, const struct proxy_trunk *trunk,
                           const struct smsg *sent, const struct proxy_chosen *chosen,
                           uint16_t listener, char branch[IDENT_BRANCH_LENGTH], struct slice *bytes)
{
    struct proxy *proxy = context->proxy;
    struct smsg_edit edit;
    struct ident_hop hop;
    int error = lower_hop(sent, &hop);
    if (error != 0)
        return error;
    ident_branch_write(proxy->parts.marks, &hop, chosen->place, ident_branch_loop(sent->via.branch),
                       branch);
    smsg_edit_begin(&edit, sent);
    if (context->retargeted)
        edit_request_uri(proxy, sent, chosen, &edit);
    edit_way_out(context, trunk, sent, listener, branch, &edit);
    return write_attempt(proxy, &edit, bytes);
}

static int compose_to_fit(struct proxy_context *context, const struct proxy_trunk *trunk,
                          const struct smsg *sent, const struct proxy_chosen *chosen,
                          uint16_t *listener, char branch[IDENT_BRANCH_LENGTH], struct slice *bytes)
{
    const struct tp_target *target = chosen->choice.target;
    int wanted = proxy_trunk_listener(trunk, &target->address, target->protocol);
    if (wanted < 0)
        return ERROR_UNAVAILABLE;
    *listener = (uint16_t)wanted;
    int error = compose_attempt(context, trunk, sent, chosen, *listener, branch, bytes);
    if (error == 0)
        error =
            proxy_fit_listener(context->proxy, trunk, &target->address, bytes->length, listener);
    if (error != 0 || *listener == wanted)
        return error;
    return compose_attempt(context, trunk, sent, chosen, *listener, branch, bytes);
}

static void note_attempt(struct proxy_context *context, const struct proxy_trunk *trunk,
                         const struct proxy_chosen *chosen, uint16_t listener, uint64_t now_us)
{
    struct proxy *proxy = context->proxy;
    struct call_record *call = call_by_id(proxy->parts.calls, context->call);
    context->pulse = chosen->pulse;
    context->target = chosen->choice.target->address;
    context->attempt_us = now_us;
    context->heard = false;
    context->listener = listener;
    context->grown =
        proxy_plan_protocol(proxy->snapshot.plan, listener) != chosen->choice.target->protocol;
    context->tried |= UINT32_C(1) << chosen->place;
    context->others--;
    struct proxy_throttle *throttle =
        proxy_overload_find(proxy, trunk, chosen->pulse, listener, &context->target);
    if (throttle != NULL)
        proxy_throttle_spend(throttle, now_us);
    if (call != NULL && context->initial)
        call_set_place_out(call, chosen->place);
    stats_count(proxy->parts.stats, STATS_FAILOVERS);
    stats_count_label(proxy->parts.stats, STATS_FAMILY_TRUNK_FAILOVERS, trunk->label_failovers);
}

/* Emergency calls try what is down even with `all_down: refuse`, and what asks for fewer calls. */
static bool is_emergency(const struct proxy_context *context, const struct smsg *sent)
{
    const struct proxy_trunk *from = trunk_in_of(context);
    return from != NULL && screen_is_emergency(sent, &from->screen);
}

static bool try_next(struct proxy_context *context, const struct proxy_trunk *trunk,
                     bool only_serving, uint64_t now_us)
{
    struct proxy *proxy = context->proxy;
    struct smsg *sent = &proxy->relayed; /* free: no answer is being relayed */
    struct proxy_chosen chosen;
    struct slice bytes;
    char branch[IDENT_BRANCH_LENGTH];
    proxy->scratch = buffer_over(proxy->scratch_memory, sizeof(proxy->scratch_memory));
    if (smsg_scan(sent, txn_client_request(context->client)) != 0)
        return false;
    bool refuses = trunk->health.all_down == PROXY_ALL_DOWN_REFUSE;
    bool urgent = (refuses || trunk->overload.ask) && is_emergency(context, sent);
    const struct proxy_wish wish = {
        .call_id = sent->call_id,
        .tried = context->tried,
        .only_serving = only_serving || (refuses && !urgent),
        .yields = !urgent,
        .only_tls = context->only_tls,
        .now_us = now_us,
    };
    if (proxy_trunk_choose(trunk, proxy->parts.health, &proxy->parts.marks->steering, &wish,
                           &chosen) != 0)
        return false;
    uint16_t listener;
    if (compose_to_fit(context, trunk, sent, &chosen, &listener, branch, &bytes) != 0)
        return false;
    struct txn_client *client;
    if (txn_client_create(proxy->parts.transactions, (enum smsg_method)context->method, bytes,
                          slice_make(branch, sizeof(branch)), sent->call_id, listener,
                          &chosen.choice.target->address, &proxy_client_events, context, now_us,
                          &client) != 0)
        return false;
    context->client = client;
    note_attempt(context, trunk, &chosen, listener, now_us);
    proxy_trial_begin(context, trunk, now_us);
    return true;
}

/* ---- trials -------------------------------------------------------------------------------- */

static uint64_t budget_end(const struct proxy_context *context, const struct proxy_trunk *trunk)
{
    return context->received_us + trunk->failover.budget_us;
}

/* The last of several targets has what is left of the budget, the others their trial. */
static uint64_t trial_end(const struct proxy_context *context, const struct proxy_trunk *trunk)
{
    uint64_t budget_us = budget_end(context, trunk);
    uint64_t trial_us = context->attempt_us + trunk->failover.trial_us;
    if (context->others == 0)
        return budget_us > trial_us ? budget_us : trial_us;
    return budget_us < trial_us ? budget_us : trial_us;
}

static void look_again(struct proxy_context *context, uint64_t now_us)
{
    uint64_t left = context->trial_until_us > now_us ? context->trial_until_us - now_us : 0;
    rt_timer_set(context->proxy->parts.wheel, &context->timer, now_us,
                 left < GLANCE_US ? left : GLANCE_US);
}

static void begin_timer_c(struct proxy_context *context, uint64_t now_us)
{
    if (context->method == SMSG_METHOD_INVITE)
        rt_timer_set(context->proxy->parts.wheel, &context->timer, now_us,
                     context->proxy->snapshot.limits->timer_c_us);
    else
        rt_timer_cancel(context->proxy->parts.wheel, &context->timer);
}

void proxy_trial_begin(struct proxy_context *context, const struct proxy_trunk *trunk,
                       uint64_t now_us)
{
    bool first = (context->tried & (context->tried - 1)) == 0;
    context->trial = context->others > 0 || !first;
    if (!context->trial) {
        begin_timer_c(context, now_us);
        return;
    }
    context->trial_until_us = trial_end(context, trunk);
    look_again(context, now_us);
}

void proxy_trial_answered(struct proxy_context *context, uint64_t now_us)
{
    context->heard = true;
    if (proxy_pulse_heard(context->pulse, now_us)) {
        const struct proxy_trunk *trunk = trunk_of(context);
        if (trunk != NULL)
            proxy_log_health(trunk, &context->target, "up", PROXY_CAUSE_NONE);
    }
    if (!context->trial)
        return;
    context->trial = false;
    begin_timer_c(context, now_us);
}

/* The target is left while its transaction lives on: it is cancelled when it wakes up. */
static bool leave_target(struct proxy_context *context, const struct proxy_trunk *trunk,
                         bool only_serving, uint64_t now_us)
{
    struct txn_client *left = context->client;
    if (context->cancelled || context->others == 0 || now_us >= budget_end(context, trunk) ||
        !try_next(context, trunk, only_serving, now_us))
        return false;
    txn_client_give_up(left, now_us);
    return true;
}

void proxy_trial_fired(struct proxy_context *context, uint64_t now_us)
{
    const struct proxy_trunk *trunk = trunk_of(context);
    bool over = trunk == NULL || now_us >= context->trial_until_us;
    bool hinted = proxy_pulse_hinted(context->pulse, context->attempt_us);
    if (over || hinted)
        proxy_note_failure(context, hinted ? PROXY_CAUSE_UNREACHABLE : PROXY_CAUSE_SILENCE, now_us);
    bool lost = over || hinted || !proxy_pulse_serves(context->pulse, now_us);
    if (lost && trunk != NULL && leave_target(context, trunk, !over, now_us))
        return;
    if (!over) {
        look_again(context, now_us);
        return;
    }
    txn_client_give_up(context->client, now_us);
    proxy_give_up(context, context->cancelled ? 487 : proxy_best_status(context, 408), now_us);
}

/* ---- TCP that cannot be had ---------------------------------------------------------------- */

/* Section 18.1.1 names a reset and "protocol not supported"; firewalls are silent. A target that
 * got it all the same sees a retransmission, since the branch is the same. */
static bool has_no_tcp(int error)
{
    static const int errors[] = {ECONNREFUSED, ECONNRESET, ENOPROTOOPT, EPROTONOSUPPORT, ETIMEDOUT};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (error == -errors[i])
            return true;
    return false;
}

bool proxy_fall_back_to_udp(struct proxy_context *context, int error, uint64_t now_us)
{
    struct proxy *proxy = context->proxy;
    const struct proxy_trunk *trunk = trunk_of(context);
    struct smsg *sent = &proxy->relayed; /* free: no answer is being relayed */
    struct smsg_edit edit;
    struct slice bytes;
    char branch[IDENT_BRANCH_LENGTH];
    if (trunk == NULL || !context->grown || context->cancelled || !has_no_tcp(error))
        return false;
    int listener = proxy_trunk_listener(trunk, &context->target, TP_PROTOCOL_UDP);
    proxy->scratch = buffer_over(proxy->scratch_memory, sizeof(proxy->scratch_memory));
    if (listener < 0 || smsg_scan(sent, txn_client_request(context->client)) != 0)
        return false;
    memcpy(branch, sent->via.branch.data, sizeof(branch));
    smsg_edit_begin(&edit, sent);
    edit_way_out(context, trunk, sent, (uint16_t)listener, branch, &edit);
    if (write_attempt(proxy, &edit, &bytes) != 0 ||
        txn_client_create(proxy->parts.transactions, (enum smsg_method)context->method, bytes,
                          slice_make(branch, sizeof(branch)), sent->call_id, (uint16_t)listener,
                          &context->target, &proxy_client_events, context, now_us,
                          &context->client) != 0)
        return false;
    context->listener = (uint16_t)listener;
    context->grown = false;
    stats_count(proxy->parts.stats, STATS_TCP_BECAME_UDP);
    proxy_trial_begin(context, trunk, now_us);
    return true;
}

/* ---- responses ----------------------------------------------------------------------------- */

/* The number behind "cause=" of one value of Reason; 0: none. */
static uint64_t cause_of(struct slice value)
{
    const char *at = memmem(value.data, value.length, "cause=", 6);
    uint64_t cause = 0;
    if (at == NULL)
        return 0;
    for (at += 6; at < slice_past(value) && *at >= '0' && *at <= '9' && cause < 1000; at++)
        cause = cause * 10 + (uint64_t)(*at - '0');
    return cause;
}

/*
 * RFC 3326: somebody on the way rejected the call itself, which another way would not change: a 6xx
 * (603, 607, 608) carried in another code, or "call rejected" of ISUP, which ATIS-1000099 has too.
 */
static bool is_verdict(const struct smsg *response)
{
    const struct smsg_header *header = smsg_first(response, SMSG_HEADER_REASON);
    for (; header != NULL; header = smsg_next(response, header)) {
        struct slice value, rest = smsg_value(response, header);
        while (smsg_next_value(&rest, &value)) {
            uint64_t cause = cause_of(value);
            if ((slice_starts_with_nocase(value, SLICE("SIP")) && cause >= 600) ||
                (slice_starts_with_nocase(value, SLICE("Q.850")) && cause == 21))
                return true;
        }
    }
    return false;
}

/* Section 16.7 item 6: of the lowest class; a 503 of somebody behind us is a 500 of ours. */
static void keep_best(struct proxy_context *context, uint16_t status)
{
    if (status == 503)
        status = 500;
    if (context->best_status == 0 || status / 100 < context->best_status / 100)
        context->best_status = status;
}

uint16_t proxy_best_status(const struct proxy_context *context, uint16_t status)
{
    bool better = context->best_status != 0 && context->best_status / 100 < status / 100;
    return better && status < 600 ? context->best_status : status;
}

bool proxy_fail_over(struct proxy_context *context, const struct smsg *response, uint64_t now_us)
{
    const struct proxy_trunk *trunk = trunk_of(context);
    if (trunk == NULL || context->parked)
        return false;
    if (response != NULL && response->status == 503)
        note_unavailable(context, trunk, response, now_us);
    if (context->others == 0 || context->cancelled || context->ringing ||
        now_us >= budget_end(context, trunk))
        return false;
    if (response != NULL) {
        if (!proxy_fails_over_after(&trunk->failover, response->status) || is_verdict(response))
            return false;
        proxy_pulse_refused(context->pulse, response->status);
    }
    if (!try_next(context, trunk, false, now_us))
        return false;
    if (response != NULL)
        keep_best(context, response->status);
    return true;
}
