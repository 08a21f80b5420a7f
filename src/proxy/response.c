/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "boundary_int.h"
#include "failover_int.h"
#include "overload_int.h"

#define FORGED_LINES_PER_SECOND 5

/* ---- responses that match a transaction ---------------------------------------------------- */

/* Session-Expires: delta-seconds, then parameters (RFC 4028 section 4). 0: absent. */
static uint64_t session_interval(const struct smsg *message)
{
    const struct smsg_header *header = smsg_first(message, SMSG_HEADER_SESSION_EXPIRES);
    uint64_t seconds;
    if (header == NULL)
        return 0;
    struct slice value = smsg_value(message, header);
    value = slice_trim(slice_first(value, slice_find(value, ';')));
    return slice_to_uint64(value, 86400 * 7, &seconds) == 0 ? seconds * 1000000 : 0;
}

static void note_initial(struct proxy *proxy, struct proxy_context *context,
                         struct call_record *call, const struct smsg *response, uint64_t now_us)
{
    if (response->status < 200) {
        if (response->status > 100)
            call_ringing(call, now_us);
    } else if (response->status < 300) {
        const struct proxy_trunk *to =
            proxy_plan_trunk_by_mark(proxy->snapshot.plan, context->trunk_out);
        call_answered(call, response->to.tag, session_interval(response), now_us);
        if (to != NULL)
            stats_count_label(proxy->parts.stats, STATS_FAMILY_TRUNK_ANSWERED, to->label_answered);
    } else {
        call_finish(call, CALL_END_FAILED, response->status, now_us);
    }
}

/* What a response says about the call that the request belongs to. */
static void note_call(struct proxy *proxy, struct proxy_context *context,
                      const struct smsg *response, uint64_t now_us)
{
    struct call_record *call =
        context->call != 0 ? call_by_id(proxy->parts.calls, context->call) : NULL;
    if (call == NULL)
        return;
    if (context->initial) {
        note_initial(proxy, context, call, response, now_us);
        return;
    }
    if (response->status < 200)
        return;
    bool challenged = response->status == 401 || response->status == 407;
    if (context->method == SMSG_METHOD_BYE && !challenged)
        call_finish_answer(call, context->reversed ? response->from.tag : response->to.tag,
                           CALL_END_BYE, now_us);
    else if (response->status == 481 || response->status == 408)
        call_finish(call, CALL_END_GONE, response->status, now_us);
    else if (response->status < 300 &&
             (context->method == SMSG_METHOD_INVITE || context->method == SMSG_METHOD_UPDATE))
        call_refreshed(call, session_interval(response), now_us);
}

/* Section 16.7 item 6: our upstream must not take a 503 of somebody behind us for one of ours. */
static void edit_unavailable(const struct smsg *response, struct smsg_edit *edit)
{
    if (response->status != 503)
        return;
    const char *status = response->bytes.data + sizeof("SIP/2.0 ") - 1;
    smsg_edit_replace_slice(edit, slice_between(status, slice_past(response->reason)),
                            SLICE("500 Server Internal Error"));
    const struct smsg_header *header = smsg_first(response, SMSG_HEADER_RETRY_AFTER);
    if (header != NULL)
        smsg_edit_remove_header(edit, header);
}

/* Section 16.7 item 3: without a Via below ours nothing says to whom it would go. */
static bool has_lower_via(const struct smsg *response)
{
    const struct smsg_header *via = smsg_first(response, SMSG_HEADER_VIA);
    if (smsg_next(response, via) != NULL)
        return true;
    struct slice value, rest = smsg_value(response, via);
    return memchr(rest.data, ',', rest.length) != NULL && smsg_next_value(&rest, &value) &&
           smsg_next_value(&rest, &value);
}

/* The trust boundary between who answered and who asked; server: NULL, that is not known. */
static void cross_boundary(struct proxy *proxy, const struct smsg *response,
                           const struct tp_packet *packet, const struct txn_server *server,
                           struct smsg_edit *edit)
{
    const struct proxy_plan *plan = proxy->snapshot.plan;
    const struct proxy_trunk *to = NULL;
    if (!proxy_boundary_concerns_response(response))
        return;
    if (server != NULL) {
        struct tp_address source = txn_server_source(server);
        to = proxy_plan_source(plan, txn_server_listener(server), &source);
    }
    const struct proxy_trunk *from = proxy_plan_source(plan, packet->listener, &packet->source);
    if (from != NULL)
        proxy_boundary_edit_response(proxy, response, from, to, edit);
}

/* Overload control between us and who asked; context: NULL, that is not known. */
static void tell_load(struct proxy *proxy, const struct smsg *response,
                      const struct tp_packet *packet, const struct proxy_context *context,
                      char memory[PROXY_FEEDBACK_BYTES], struct smsg_edit *edit)
{
    struct slice text = slice_make(NULL, 0);
    if (context != NULL && context->feedback != SMSG_OVERLOAD_NONE) {
        struct tp_address source = txn_server_source(context->server);
        const struct proxy_trunk *to =
            proxy_plan_source(proxy->snapshot.plan, txn_server_listener(context->server), &source);
        text = proxy_feedback_text(proxy, (enum smsg_overload_algorithm)context->feedback, to,
                                   packet->received_us, memory);
    }
    proxy_feedback_edit_response(response, text, edit);
}

/* The response without our Via, in proxy->output; context: NULL when there is none. */
static int compose_upstream(struct proxy *proxy, const struct smsg *response,
                            const struct tp_packet *packet, const struct proxy_context *context,
                            struct slice *bytes)
{
    char feedback[PROXY_FEEDBACK_BYTES];
    struct smsg_edit edit;
    if (!has_lower_via(response))
        return ERROR_MALFORMED;
    smsg_edit_begin(&edit, response);
    smsg_edit_pop_value(&edit, SMSG_HEADER_VIA);
    edit_unavailable(response, &edit);
    cross_boundary(proxy, response, packet, context != NULL ? context->server : NULL, &edit);
    tell_load(proxy, response, packet, context, feedback, &edit);
    struct buffer out = buffer_over(proxy->output, PROXY_OUTPUT_BYTES);
    int error = smsg_edit_write(&edit, &out);
    *bytes = buffer_slice(&out);
    return error;
}

void proxy_give_up(struct proxy_context *context, uint16_t status, uint64_t now_us)
{
    struct proxy *proxy = context->proxy;
    struct call_record *call =
        context->call != 0 ? call_by_id(proxy->parts.calls, context->call) : NULL;
    if (call != NULL && context->initial)
        call_finish(call, CALL_END_FAILED, status, now_us);
    else if (call != NULL && context->method == SMSG_METHOD_BYE)
        call_finish(call, CALL_END_BYE, status, now_us);
    else if (call != NULL && status == 408)
        call_finish(call, CALL_END_GONE, status, now_us);

    /* RFC 4320 section 4.2: a 408 to a non-INVITE comes too late for anybody to use. */
    if (status == 408 && context->method != SMSG_METHOD_INVITE)
        txn_server_abandon(context->server);
    else
        proxy_respond_late(proxy, context->server, status, now_us);
    proxy_context_free(context);
}

static void hear_load(struct proxy_context *context, const struct smsg *response, uint64_t now_us)
{
    struct proxy *proxy = context->proxy;
    const struct proxy_trunk *to =
        proxy_plan_trunk_by_mark(proxy->snapshot.plan, context->trunk_out);
    proxy_overload_hear(
        proxy, to,
        proxy_overload_find(proxy, to, context->pulse, context->listener, &context->target),
        &context->target, response, now_us);
}

static void client_response(void *user, struct txn_client *client, const struct smsg *response,
                            const struct tp_packet *packet)
{
    struct proxy_context *context = user;
    struct proxy *proxy = context->proxy;
    struct slice bytes;
    (void)client;
    proxy_trial_answered(context, packet->received_us);
    if (response->via.overload)
        hear_load(context, response, packet->received_us);
    if (response->status >= 300) {
        if (proxy_fail_over(context, response, packet->received_us))
            return;
        uint16_t best = proxy_best_status(context, response->status);
        if (best != response->status) {
            proxy_give_up(context, best, packet->received_us);
            return;
        }
    }
    int error =
        response->status == 100 ? 0 : compose_upstream(proxy, response, packet, context, &bytes);
    if (error != 0) {
        /* Nobody can be told this answer; a final one was the last. */
        if (response->status >= 200)
            proxy_give_up(context, 502, packet->received_us);
        return;
    }
    note_call(proxy, context, response, packet->received_us);
    if (response->status == 100)
        return; /* section 16.7 item 5: it was answered by ourselves */
    uint16_t status = response->status == 503 ? 500 : response->status;
    context->ringing = true;
    /* Section 16.7 item 2: each provisional but 100 starts Timer C anew. */
    if (status < 200 && context->method == SMSG_METHOD_INVITE)
        rt_timer_set(proxy->parts.wheel, &context->timer, packet->received_us,
                     proxy->snapshot.limits->timer_c_us);
    txn_server_respond(context->server, status, bytes, packet->received_us);
    if (status >= 200)
        proxy_context_free(context);
}

static void client_timeout(void *user, struct txn_client *client, uint64_t now_us)
{
    struct proxy_context *context = user;
    (void)client;
    proxy_note_failure(context, PROXY_CAUSE_SILENCE, now_us);
    if (!proxy_fail_over(context, NULL, now_us))
        proxy_give_up(context, proxy_best_status(context, 408), now_us);
}

static void client_failed(void *user, struct txn_client *client, int error, uint64_t now_us)
{
    struct proxy_context *context = user;
    (void)client;
    if (proxy_fall_back_to_udp(context, error, now_us))
        return;
    /* What is too long says nothing about the target. */
    if (error != -EMSGSIZE)
        proxy_note_failure(context, PROXY_CAUSE_UNREACHABLE, now_us);
    /* Section 16.9: as if a 503 had come, which section 16.7 makes a 500. */
    if (!proxy_fail_over(context, NULL, now_us))
        proxy_give_up(context, proxy_best_status(context, 500), now_us);
}

const struct txn_client_events proxy_client_events = {
    .response = client_response,
    .timeout = client_timeout,
    .failed = client_failed,
};

/* Timer C (section 16.8), or the deadline of a parked verdict. */
void proxy_timer_fired(struct rt_timer *timer, uint64_t now_us)
{
    struct proxy_context *context = LIST_ENTRY(timer, struct proxy_context, timer);
    if (context->parked) {
        proxy_invite_deadline(context, now_us);
        return;
    }
    if (context->trial) {
        proxy_trial_fired(context, now_us);
        return;
    }
    stats_count(context->proxy->parts.stats, STATS_TIMER_C);
    txn_client_cancel(context->client, SLICE(""), now_us);
}

/* ---- responses without a transaction ------------------------------------------------------- */

static void log_forged(struct proxy *proxy, const struct tp_packet *packet)
{
    uint32_t held_back;
    char source[TP_ADDRESS_TEXT];
    char call_id[128];
    if (!log_limit_pass(&proxy->log_forged, FORGED_LINES_PER_SECOND, packet->received_us,
                        &held_back))
        return;
    log_info("proxy", "stray %u response from %s dropped, Call-ID %s (%u similar lines held back)",
             proxy->message.status, tp_address_text(&packet->source, source),
             log_slice(call_id, sizeof(call_id), proxy->message.call_id), held_back);
}

/* Section 18.2.2, for the Via below ours: maddr, else received and rport, else sent-by. */
static int next_via_address(const struct smsg *message, struct tp_address *to)
{
    const struct smsg_via *via = &message->via;
    int protocol = tp_protocol_of(via->transport);
    uint16_t port = tp_protocol_rows[protocol >= 0 ? protocol : TP_PROTOCOL_UDP].port;
    uint64_t rport = 0;
    if (via->maddr.data != NULL &&
        tp_address_from_host(via->maddr, via->port != 0 ? via->port : port, to) == 0)
        return 0;
    struct slice value = slice_from(via->rport, sizeof("rport=") - 1);
    if (via->rport_present && value.length > 0 && slice_to_uint64(value, 65535, &rport) != 0)
        return ERROR_MALFORMED;
    port = rport != 0 ? (uint16_t)rport : via->port != 0 ? via->port : port;
    return tp_address_from_host(via->received.length > 0 ? via->received : via->host, port, to);
}

/* Section 18.2.2: by the transport of the Via; what we do not have by that name, as the trunk
 * speaks there. */
static int via_listener(const struct proxy_trunk *trunk, const struct smsg_via *via,
                        const struct tp_address *to)
{
    int protocol = tp_protocol_of(via->transport);
    if (protocol < 0 || proxy_trunk_listener(trunk, to, protocol) < 0)
        protocol = proxy_trunk_protocol(trunk, to);
    return proxy_trunk_listener(trunk, to, protocol);
}

/* The answers of a fork are children of one call: it lives until the last of them ends. A 2xx that
 * is only repeated changes nothing. */
static void note_fork(struct proxy *proxy, const struct proxy_trunk *trunk_in, uint64_t now_us)
{
    const struct smsg *response = &proxy->message;
    struct call_record *call =
        call_find(proxy->parts.calls, response->call_id, response->from.tag, trunk_in->mark);
    if (call != NULL && response->method == SMSG_METHOD_INVITE)
        call_answered(call, response->to.tag, session_interval(response), now_us);
}

/*
 * Section 16.7 item 5: an answer of a target that the request has left, while another is under way,
 * is the call's. The others are cancelled (item 10).
 */
static bool take_late_answer(struct proxy *proxy, const struct tp_packet *packet,
                             struct slice bytes)
{
    struct txn_server *server = NULL;
    const struct smsg *response = &proxy->message;
    if (response->method != SMSG_METHOD_INVITE ||
        txn_find_cancelled(proxy->parts.transactions, &proxy->relayed, packet, &server) !=
            TXN_INVITE_LIVE)
        return false;
    struct proxy_context *context = txn_server_user(server);
    if (context == NULL || context->parked)
        return false;
    stats_count(proxy->parts.stats, STATS_LATE_ANSWERS);
    note_call(proxy, context, response, packet->received_us);
    txn_server_respond(server, response->status, bytes, packet->received_us);
    txn_client_give_up(context->client, packet->received_us);
    proxy_context_free(context);
    return true;
}

/*
 * Our documented exception to RFC 6026: a response to a request of an earlier life of this process
 * travels on by its next Via when the branch proves that we sent the request, and only to a
 * neighbour. A 2xx that a fork sends after the first goes the same way.
 */
static void relay_stray(struct proxy *proxy, const struct tp_packet *packet, bool known)
{
    struct slice bytes;
    struct tp_address to;
    /* By value: composing does not change it, but scanning the result must not overwrite it. */
    struct slice branch = proxy->message.via.branch;
    if (compose_upstream(proxy, &proxy->message, packet, NULL, &bytes) != 0 ||
        smsg_scan(&proxy->relayed, bytes) != 0)
        goto stray;
    struct ident_hop hop = proxy_hop(&proxy->relayed);
    if (ident_branch_verify(proxy->parts.marks, &hop, branch) != 0)
        goto stray;
    if (proxy->message.status == 100)
        return; /* hop by hop */
    if (known && take_late_answer(proxy, packet, bytes))
        return;
    if (next_via_address(&proxy->relayed, &to) != 0)
        goto stray;
    const struct proxy_trunk *trunk = proxy_plan_neighbour(proxy->snapshot.plan, &to);
    int listener = trunk != NULL ? via_listener(trunk, &proxy->relayed.via, &to) : -1;
    if (listener < 0)
        goto stray;
    if (known)
        note_fork(proxy, trunk, packet->received_us);
    else
        stats_count(proxy->parts.stats, STATS_STATELESS_RESPONSES);
    proxy_send(proxy, (uint16_t)listener, &to, bytes);
    return;
stray:
    stats_count(proxy->parts.stats, STATS_STRAY_RESPONSES);
    log_forged(proxy, packet);
}

void proxy_receive_response(struct proxy *proxy, const struct tp_packet *packet)
{
    stats_count(proxy->parts.stats, STATS_RESPONSES);
    switch (txn_receive_response(proxy->parts.transactions, &proxy->message, packet)) {
    case TXN_RESPONSE_HANDLED:
        return;
    case TXN_RESPONSE_REPEATED:
        relay_stray(proxy, packet, true);
        return;
    case TXN_RESPONSE_STRAY:
        relay_stray(proxy, packet, false);
        return;
    }
}
