/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "failover_int.h"
#include "overload_int.h"
#include "redirect_int.h"
#include "proxy_int.h"
#include "transaction/elsewhere.h"

/* What requests of each method are allowed at ourselves, for OPTIONS. */
static const char options_extra[] =
    "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY, MESSAGE\r\n"
    "Accept: application/sdp\r\n";

void proxy_labels_register(struct proxy_labels *labels, struct stats_registry *registry)
{
    memset(labels, 0, sizeof(*labels));
    screen_tally_register(&labels->tally, registry);
    for (unsigned i = 0; i < RULE_ACTION_COUNT; i++)
        labels->actions[i] = stats_label(registry, STATS_FAMILY_VERDICTS,
                                         slice_of_text(rule_action_name((enum rule_action_kind)i)));
    for (unsigned i = 0; i < SCREEN_AUTHORITY_COUNT; i++)
        labels->authorities[i] =
            stats_label(registry, STATS_FAMILY_REASONS,
                        slice_of_text(screen_authority_text((enum screen_authority)i)));
    for (unsigned i = 0; i < PROXY_LIMIT_COUNT; i++)
        labels->limits[i] = stats_label(registry, STATS_FAMILY_LIMITED,
                                        slice_of_text(proxy_limit_key((enum proxy_limit)i)));
    for (unsigned i = 0; i < SMSG_BAD_COUNT; i++)
        labels->malformed[i] =
            stats_label(registry, STATS_FAMILY_MALFORMED, slice_of_text(smsg_bad_rows[i].key));
    for (unsigned i = 0; i < PROXY_BOUNDARY_COUNT; i++)
        labels->boundary[i] =
            stats_label(registry, STATS_FAMILY_BOUNDARY, slice_of_text(proxy_boundary_key(i)));
    static const uint16_t refusals[] = {200, 302, 400, 403, 404, 405, 408, 416, 420, 480, 481,
                                        482, 483, 486, 487, 500, 501, 503, 505, 513, 603, 608};
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        char text[8];
        snprintf(text, sizeof(text), "%u", refusals[i]);
        labels->refused[refusals[i]] =
            stats_label(registry, STATS_FAMILY_REFUSED, slice_of_text(text));
    }
}

/* A URI without transport means UDP; "tls" has no better word since RFC 3261 section 26.2.2
 * withdrew it, and is what peers write and read. */
static void append_transport(struct buffer *text, uint8_t protocol)
{
    if (protocol == TP_PROTOCOL_UDP)
        return;
    buffer_append_literal(text, ";transport=");
    buffer_append_text(text, tp_protocol_rows[protocol].word);
}

static void compose_listener(const struct tp_listener_settings *settings,
                             struct proxy_listener *listener)
{
    char host_memory[300];
    struct buffer host = buffer_over(host_memory, sizeof(host_memory));
    if (settings->advertise.length > 0)
        buffer_append(&host, settings->advertise);
    else
        tp_address_append(&host, &settings->address);

    struct buffer text = buffer_over(listener->memory, sizeof(listener->memory));
    buffer_append_literal(&text, "Via: SIP/2.0/");
    buffer_append_text(&text, tp_protocol_rows[settings->protocol].via);
    buffer_append_char(&text, ' ');
    buffer_append(&text, buffer_slice(&host));
    buffer_append_literal(&text, ";rport;branch=");
    listener->via = buffer_slice(&text);
    size_t begun = text.length;
    buffer_append(&text, slice_first(listener->via, listener->via.length - 7));
    buffer_append_literal(&text, "oc;oc-algo=\"loss,rate\";branch=");
    listener->via_asking = slice_make(text.data + begun, text.length - begun);
    begun = text.length;
    buffer_append_literal(&text, "Record-Route: <sip:");
    buffer_append(&text, buffer_slice(&host));
    append_transport(&text, settings->protocol);
    buffer_append_literal(&text, ";lr;rf=");
    listener->record_route = slice_make(text.data + begun, text.length - begun);
    listener->route_start = slice_from(listener->record_route, sizeof("Record-Route: ") - 1);
    if (settings->protocol == TP_PROTOCOL_TLS) {
        begun = text.length;
        buffer_append_literal(&text, "Record-Route: <sips:");
        buffer_append(&text, buffer_slice(&host));
        buffer_append_literal(&text, ";lr;rf=");
        listener->sips_route = slice_make(text.data + begun, text.length - begun);
    }
    /* The configuration bounds advertise to 255 bytes. */
    assert(!text.overflow);
}

int proxy_create(const struct proxy_parts *parts, const struct proxy_snapshot *snapshot,
                 struct proxy **proxy)
{
    int error = -ENOMEM;
    size_t listeners = tp_group_listener_count(parts->group);
    struct proxy *created = calloc(1, sizeof(*created));
    if (created == NULL)
        goto out;
    created->parts = *parts;
    created->snapshot = *snapshot;
    list_init(&created->parked_calls);
    created->output = malloc(PROXY_OUTPUT_BYTES);
    created->listeners = calloc(listeners, sizeof(*created->listeners));
    created->resumed = malloc(TP_DATAGRAM_LIMIT);
    if (proxy_demands_create(&created->demands) != 0)
        goto out;
    if (created->output == NULL || created->resumed == NULL || created->listeners == NULL)
        goto out;
    created->listener_count = listeners;
    for (size_t i = 0; i < listeners; i++)
        compose_listener(tp_group_listener(parts->group, i), &created->listeners[i]);
    error = pool_create(sizeof(struct proxy_context), snapshot->limits->transactions,
                        &created->contexts);
    if (error != 0)
        goto out;
    *proxy = created;
    created = NULL;
out:
    proxy_destroy(created);
    return error;
}

void proxy_destroy(struct proxy *proxy)
{
    if (proxy == NULL)
        return;
    proxy_prober_destroy(proxy->prober);
    pool_destroy(proxy->contexts);
    proxy_demands_destroy(proxy->demands);
    free(proxy->listeners);
    free(proxy->output);
    free(proxy->resumed);
    free(proxy);
}

void proxy_adopt(struct proxy *proxy, const struct proxy_snapshot *snapshot)
{
    proxy->snapshot = *snapshot;
    proxy_invite_decide_parked(proxy, clock_monotonic_us());
}

void proxy_set_wall_offset(struct proxy *proxy, int64_t offset_us)
{
    proxy->wall_offset_us = offset_us;
}

uint64_t proxy_wall(const struct proxy *proxy, uint64_t now_us)
{
    return now_us + (uint64_t)proxy->wall_offset_us;
}

void proxy_drain(struct proxy *proxy)
{
    proxy->draining = true;
    proxy_invite_decide_parked(proxy, clock_monotonic_us());
}

void proxy_undrain(struct proxy *proxy)
{
    proxy->draining = false;
}

uint32_t proxy_parked(const struct proxy *proxy)
{
    return proxy->parked;
}

struct ident_hop proxy_hop(const struct smsg *message)
{
    return (struct ident_hop){
        .branch = message->via.branch,
        .host = message->via.host,
        .port = message->via.port,
        .call_id = message->call_id,
        .from_tag = message->from.tag,
        .cseq = message->cseq,
    };
}

void proxy_send(struct proxy *proxy, uint16_t listener, const struct tp_address *to,
                struct slice bytes)
{
    proxy->parts.output.send(proxy->parts.output.argument, listener, to, bytes, 0);
}

struct proxy_context *proxy_context_create(struct proxy *proxy, const struct proxy_request *request)
{
    struct proxy_context *context = pool_get(proxy->contexts);
    if (context != NULL) {
        context->proxy = proxy;
        context->received_us = request->packet->received_us;
        context->method = request->message->method;
        context->feedback = request->feedback;
        rt_timer_init(&context->timer, proxy_timer_fired);
        if (txn_server_create(proxy->parts.transactions, request->message, request->packet,
                              request->from->label_in, context, &context->server) == 0)
            return context;
        proxy_context_free(context);
    }
    stats_count(proxy->parts.stats, STATS_TRANSACTIONS_REFUSED);
    proxy_reply(proxy, request, 503, SLICE(""), SLICE(""));
    return NULL;
}

void proxy_context_free(struct proxy_context *context)
{
    struct proxy *proxy = context->proxy;
    rt_timer_cancel(proxy->parts.wheel, &context->timer);
    if (context->parked) {
        list_remove(&context->waiting);
        proxy->parked--;
    }
    pool_put(proxy->contexts, context);
}

/* Section 16.3: what is refused whatever it asks for. 0: it may pass. */
static uint16_t validate(struct proxy *proxy, const struct proxy_request *request,
                         struct slice *extra)
{
    const struct smsg *message = request->message;
    if (message->max_forwards == 0) {
        stats_count(proxy->parts.stats, STATS_LOOPS);
        return 483;
    }
    const struct smsg_header *required = smsg_first(message, SMSG_HEADER_PROXY_REQUIRE);
    if (required == NULL)
        return 0;
    buffer_append_literal(&proxy->scratch, "Unsupported: ");
    size_t begun = proxy->scratch.length;
    for (; required != NULL; required = smsg_next(message, required)) {
        buffer_append_text(&proxy->scratch, proxy->scratch.length > begun ? ", " : "");
        buffer_append(&proxy->scratch, smsg_value(message, required));
    }
    /* A folded value must not break the line that it is quoted on. */
    for (size_t i = begun; i < proxy->scratch.length; i++)
        if (proxy->scratch.data[i] == '\r' || proxy->scratch.data[i] == '\n')
            proxy->scratch.data[i] = ' ';
    buffer_append_literal(&proxy->scratch, "\r\n");
    if (!proxy->scratch.overflow)
        *extra = buffer_slice(&proxy->scratch);
    return 420;
}

static void relay_other(struct proxy *proxy, const struct proxy_request *request,
                        const struct proxy_path *path)
{
    struct proxy_context *context = proxy_context_create(proxy, request);
    if (context != NULL)
        proxy_relay(proxy, request, path, context);
}

static void receive_new(struct proxy *proxy, const struct proxy_request *request)
{
    const struct smsg *message = request->message;
    bool asked = proxy_redirect_concerns(request);
    if (!asked && proxy_is_for_us(proxy, request)) {
        proxy_reply(proxy, request, proxy->draining ? 503 : 200, SLICE(""),
                    proxy->draining ? SLICE("") : SLICE(options_extra));
        return;
    }
    if (proxy_feedback_refuses(proxy, request))
        return;
    if (asked) {
        proxy_redirect_receive(proxy, request);
        return;
    }
    struct slice extra = SLICE("");
    uint16_t refused = validate(proxy, request, &extra);
    if (refused != 0) {
        proxy_reply(proxy, request, refused, SLICE(""), extra);
        return;
    }
    struct proxy_path path;
    int status = proxy_find_path(proxy, request, &path);
    if (status == PROXY_SILENCE)
        return;
    if (status != 0)
        proxy_reply(proxy, request, (uint16_t)status, SLICE(""), proxy_refusal_lines(status));
    else if (message->method == SMSG_METHOD_INVITE)
        proxy_receive_invite(proxy, request, &path);
    else
        relay_other(proxy, request, &path);
}

/* An ACK that ends nowhere here: to a 2xx, or, after a restart, to a refusal by the next hop. */
static void receive_ack(struct proxy *proxy, const struct proxy_request *request)
{
    struct ident_hop hop = proxy_hop(request->message);
    if (ident_tag_verify(proxy->parts.marks, &hop, request->message->to.tag))
        return; /* to a refusal that we sent without state */
    struct proxy_path path;
    if (request->message->max_forwards == 0 || proxy_find_path(proxy, request, &path) != 0)
        return;
    if (request->from->redirect != NULL && !path.in_dialog)
        return; /* nothing was sent on that it could be for */
    proxy_relay_stateless(proxy, request, &path);
}

/*
 * The process before us may have got a request over a connection after it had written down what it
 * has, and the peer has turned to us since: its CANCEL, or the ACK to its refusal, which matches
 * nothing here, goes there. The ACK to a 2xx has a route of its own.
 */
static bool pass_back_unmatched(struct proxy *proxy, const struct proxy_request *request)
{
    const struct smsg *message = request->message;
    bool belongs_to_another =
        message->method == SMSG_METHOD_CANCEL ||
        (message->method == SMSG_METHOD_ACK && smsg_first(message, SMSG_HEADER_ROUTE) == NULL);
    if (proxy->predecessor.pass == NULL || !belongs_to_another ||
        !tp_protocol_rows[request->packet->protocol].stream ||
        !proxy->predecessor.pass(proxy->predecessor.argument, request->packet))
        return false;
    stats_count(proxy->parts.stats, STATS_PASSED_BACK);
    return true;
}

static void receive_request(struct proxy *proxy, struct proxy_request *request)
{
    stats_count(proxy->parts.stats, STATS_REQUESTS);
    switch (txn_receive_request(proxy->parts.transactions, request->message, request->packet)) {
    case TXN_REQUEST_ABSORBED:
        return;
    case TXN_REQUEST_ACK:
        if (!pass_back_unmatched(proxy, request))
            receive_ack(proxy, request);
        return;
    case TXN_REQUEST_NEW:
        break;
    }
    if (pass_back_unmatched(proxy, request))
        return;
    request->feedback = (uint8_t)proxy_feedback_begin(proxy, request);
    if (request->message->method == SMSG_METHOD_CANCEL)
        proxy_receive_cancel(proxy, request);
    else if (request->message->method == SMSG_METHOD_ACK)
        receive_ack(proxy, request);
    else
        receive_new(proxy, request);
}

/*
 * One in so many messages has its stages timed, which takes a few looks at the clock: about two
 * nanoseconds for each message in the mean. A prime, so that no rhythm of calls hides a kind.
 */
#define TIMED_EVERY 61

/* What smsg_scan() says. */
static int scan(struct proxy *proxy, struct slice bytes)
{
    proxy->timed = proxy->until_timed == 0;
    proxy->until_timed = proxy->timed ? TIMED_EVERY - 1 : proxy->until_timed - 1;
    if (!proxy->timed)
        return smsg_scan(&proxy->message, bytes);
    uint64_t begun_ns = clock_monotonic_ns();
    int error = smsg_scan(&proxy->message, bytes);
    stats_record(proxy->parts.stats, STATS_HISTOGRAM_STAGE_SCAN, clock_monotonic_ns() - begun_ns);
    return error;
}

void proxy_set_predecessor(struct proxy *proxy, const struct proxy_predecessor *predecessor)
{
    proxy->predecessor =
        predecessor != NULL ? *predecessor : (struct proxy_predecessor){NULL, NULL, 0};
}

/* Part of a transaction that the process before us still has: it goes there, whoever sent it. */
static bool pass_back(struct proxy *proxy, const struct tp_packet *packet)
{
    const struct proxy_predecessor *predecessor = &proxy->predecessor;
    const struct smsg *message = &proxy->message;
    if (smsg_scan(&proxy->message, packet->bytes) != 0)
        return false;
    bool is_its = message->is_request
                      ? txn_request_is_elsewhere(proxy->parts.transactions, message)
                      : ident_branch_generation(message->via.branch) == predecessor->generation;
    return is_its && predecessor->pass(predecessor->argument, packet);
}

void proxy_receive(struct proxy *proxy, const struct tp_packet *packet)
{
    const struct proxy_trunk *from =
        proxy_plan_source(proxy->snapshot.plan, packet->listener, &packet->source);
    if (proxy->predecessor.pass != NULL && pass_back(proxy, packet)) {
        stats_count(proxy->parts.stats, STATS_PASSED_BACK);
        return;
    }
    if (from == NULL) {
        stats_count(proxy->parts.stats, STATS_UNKNOWN_SOURCE);
        return;
    }
    proxy_feedback_measure(proxy, packet);
    proxy->scratch = buffer_over(proxy->scratch_memory, sizeof(proxy->scratch_memory));
    struct proxy_request request = {.message = &proxy->message, .packet = packet, .from = from};
    if (scan(proxy, packet->bytes) != 0)
        proxy_refuse_malformed(proxy, &request);
    else if (proxy->message.is_request)
        receive_request(proxy, &request);
    else
        proxy_receive_response(proxy, packet);
    proxy->timed = false; /* what a timer does later belongs to no message */
}
