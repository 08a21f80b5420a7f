/* SPDX-License-Identifier: Apache-2.0 */
#include "boundary_int.h"
#include "failover_int.h"
#include "overload_int.h"
#include "path_int.h"

/* What one UDP datagram carries over IPv4; IPv6 has room for 20 bytes more, which nobody needs. */
#define UDP_PAYLOAD_LIMIT 65507
/* RFC 3261 section 18.1.1: more may not fit a path whose MTU nobody knows. */
#define UDP_SURE_BYTES 1300

/* Starts a text in the scratch; end_text() gives it. */
static size_t begin_text(const struct proxy *proxy)
{
    return proxy->scratch.length;
}

static struct slice end_text(const struct proxy *proxy, size_t begun)
{
    return slice_make(proxy->scratch.data + begun, proxy->scratch.length - begun);
}

/* RFC 3261 section 18.2.1 and RFC 3581: the Via that came in says where it really came from. */
static void edit_received(struct proxy *proxy, const struct proxy_request *request,
                          struct smsg_edit *edit)
{
    const struct smsg_via *via = &request->message->via;
    const struct tp_address *source = &request->packet->source;
    struct tp_address sent_by;
    bool same =
        tp_address_from_host(via->host, 0, &sent_by) == 0 && tp_address_same_host(&sent_by, source);
    if (via->rport_present) {
        size_t begun = begin_text(proxy);
        buffer_append_literal(&proxy->scratch, "rport=");
        buffer_append_uint(&proxy->scratch, source->port);
        smsg_edit_replace_slice(edit, via->rport, end_text(proxy, begun));
    }
    if (same && !via->rport_present && via->received.data == NULL)
        return;
    size_t begun = begin_text(proxy);
    if (via->received.data == NULL)
        buffer_append_literal(&proxy->scratch, ";received=");
    tp_address_append_host(&proxy->scratch, source, false);
    if (via->received.data != NULL)
        smsg_edit_replace_slice(edit, via->received, end_text(proxy, begun));
    else
        smsg_edit_insert(edit, (uint32_t)(slice_past(via->value) - request->message->bytes.data),
                         end_text(proxy, begun));
}

static void edit_via(struct proxy *proxy, const struct proxy_path *path,
                     const char branch[IDENT_BRANCH_LENGTH], struct smsg_edit *edit)
{
    size_t begun = begin_text(proxy);
    buffer_append(&proxy->scratch, proxy_overload_via(proxy, path->to, path->listener));
    buffer_append_bytes(&proxy->scratch, branch, IDENT_BRANCH_LENGTH);
    buffer_append_literal(&proxy->scratch, "\r\n");
    smsg_edit_push_header(edit, SMSG_HEADER_VIA, end_text(proxy, begun));
}

static void edit_max_forwards(struct proxy *proxy, const struct smsg *message,
                              struct smsg_edit *edit)
{
    const struct smsg_header *header = smsg_first(message, SMSG_HEADER_MAX_FORWARDS);
    if (header == NULL) {
        smsg_edit_append_header(edit, SLICE("Max-Forwards: 70\r\n"));
        return;
    }
    size_t begun = begin_text(proxy);
    buffer_append_uint(&proxy->scratch, (uint64_t)message->max_forwards - 1);
    smsg_edit_replace_slice(edit, smsg_value(message, header), end_text(proxy, begun));
}

size_t proxy_passage_lines(const struct proxy_passage *passage)
{
    return passage->listener_in == passage->listener_out ? 1 : 2;
}

/*
 * Section 16.6 item 4 and RFC 5658: one value when the request leaves by the listener that it came
 * in by, else two, the one that the next hop can reach on top. Of what is for a sips: URI they are
 * sips: URIs, too; not on a side without TLS, where nobody could reach that.
 */
void proxy_edit_record_route(struct proxy *proxy, const struct smsg *message,
                             const struct proxy_passage *passage, struct smsg_edit *edit)
{
    char mark[IDENT_ROUTE_LENGTH];
    ident_route_write(proxy->parts.marks, message->call_id, message->from.tag, passage->trunk_in,
                      passage->trunk_out, mark);
    const uint16_t listeners[2] = {passage->listener_out, passage->listener_in};
    const size_t lines = proxy_passage_lines(passage);
    size_t begun = begin_text(proxy);
    for (size_t i = 0; i < 2 && i < lines; i++) {
        const struct proxy_listener *listener = &proxy->listeners[listeners[i]];
        bool sips = passage->sips && listener->sips_route.length > 0;
        buffer_append(&proxy->scratch, sips ? listener->sips_route : listener->record_route);
        buffer_append_bytes(&proxy->scratch, mark, sizeof(mark));
        buffer_append_literal(&proxy->scratch, ">\r\n");
    }
    smsg_edit_push_header(edit, SMSG_HEADER_RECORD_ROUTE, end_text(proxy, begun));
}

/* The strict-router rewrite of section 16.4 has made the last Route value the Request-URI. */
static void edit_last_route(const struct smsg *message, struct smsg_edit *edit)
{
    const struct smsg_header *last = NULL;
    const struct smsg_header *header = smsg_first(message, SMSG_HEADER_ROUTE);
    for (; header != NULL; header = smsg_next(message, header))
        last = header;
    if (last == NULL)
        return;
    struct slice whole = smsg_value(message, last);
    struct slice rest = whole;
    struct slice value, final = whole;
    unsigned count = 0;
    for (; smsg_next_value(&rest, &value); count++)
        final = value;
    if (count <= 1) {
        smsg_edit_remove_header(edit, last);
        return;
    }
    /* From the comma before the last value to the end of the line's value. */
    const char *comma = final.data;
    while (comma > whole.data && *comma != ',')
        comma--;
    smsg_edit_replace_slice(edit, slice_between(comma, slice_past(whole)), SLICE(""));
}

static void edit_display(const struct smsg *message, struct slice display, struct smsg_edit *edit)
{
    const struct smsg_header *from = smsg_first(message, SMSG_HEADER_FROM);
    struct smsg_address address;
    if (display.data == NULL || from == NULL ||
        smsg_address_parse(smsg_value(message, from), &address) != 0)
        return;
    if (address.display.data != NULL && address.display.length > 0)
        smsg_edit_replace_slice(edit, address.display, slice_first(display, display.length - 1));
    else if (address.uri.data > message->bytes.data && address.uri.data[-1] == '<')
        smsg_edit_insert(edit, (uint32_t)(address.uri.data - 1 - message->bytes.data), display);
}

int proxy_compose_forward(struct proxy *proxy, const struct proxy_request *request,
                          const struct proxy_path *path, char branch[IDENT_BRANCH_LENGTH],
                          struct slice *bytes)
{
    const struct smsg *message = request->message;
    struct ident_hop hop = proxy_hop(message);
    ident_branch_write(proxy->parts.marks, &hop, path->place, path->loop, branch);

    struct smsg_edit edit;
    smsg_edit_begin(&edit, message);
    if (path->request_uri.data != NULL)
        smsg_edit_replace_slice(&edit, message->request_uri, path->request_uri);
    edit_via(proxy, path, branch, &edit);
    edit_received(proxy, request, &edit);
    proxy_feedback_edit_request(message, &edit);
    if (path->record_route) {
        const struct proxy_passage passage = {request->from->mark, path->to->mark,
                                              request->packet->listener, path->listener,
                                              path->sips};
        proxy_edit_record_route(proxy, message, &passage, &edit);
    }
    if (path->route_pops > 0)
        smsg_edit_pop_values(&edit, SMSG_HEADER_ROUTE, path->route_pops);
    if (path->pop_last_route)
        edit_last_route(message, &edit);
    edit_max_forwards(proxy, message, &edit);
    proxy_boundary_edit_request(proxy, request, path, &edit);
    edit_display(message, path->display, &edit);
    if (path->last_route.length > 0)
        smsg_edit_append_header(&edit, path->last_route);
    if (path->extra.length > 0)
        smsg_edit_append_header(&edit, path->extra);
    if (proxy->scratch.overflow)
        return ERROR_LIMIT;
    struct buffer out = buffer_over(proxy->output, PROXY_OUTPUT_BYTES);
    int error = smsg_edit_write(&edit, &out);
    *bytes = buffer_slice(&out);
    return error;
}

static void fail_relay(struct proxy *proxy, const struct proxy_request *request,
                       struct proxy_context *context, uint16_t status, struct slice reason)
{
    struct call_record *call = call_by_id(proxy->parts.calls, context->call);
    if (call != NULL && context->initial)
        call_finish(call, CALL_END_FAILED, status, request->packet->received_us);
    proxy_respond(proxy, context->server, request->message, status, reason, SLICE(""),
                  request->packet->received_us);
    proxy_context_free(context);
}

/* What a failover needs to know, and the marks of health. */
static void note_path(struct proxy_context *context, const struct proxy_path *path, uint64_t now_us)
{
    context->trunk_out = path->to->mark;
    context->reversed = path->reversed;
    context->pulse = path->pulse;
    context->attempt_us = now_us;
    context->target = path->next_hop;
    context->listener = path->listener;
    context->tried = UINT32_C(1) << path->place;
    context->others = path->others;
    context->retargeted = path->retargeted;
    context->record_route = path->record_route;
    context->sips = path->sips;
    struct call_record *call = call_by_id(context->proxy->parts.calls, context->call);
    if (call != NULL && context->initial)
        call_set_place_out(call, path->place);
    struct proxy_throttle *throttle =
        proxy_overload_find(context->proxy, path->to, path->pulse, path->listener, &path->next_hop);
    if (throttle != NULL)
        proxy_throttle_spend(throttle, now_us);
}

int proxy_fit_listener(struct proxy *proxy, const struct proxy_trunk *to,
                       const struct tp_address *next_hop, size_t length, uint16_t *listener)
{
    int other = proxy_trunk_listener(to, next_hop, TP_PROTOCOL_TCP);
    if (length <= UDP_SURE_BYTES)
        return 0;
    if (proxy_plan_protocol(proxy->snapshot.plan, *listener) != TP_PROTOCOL_UDP)
        return length <= TP_DATAGRAM_LIMIT ? 0 : ERROR_LIMIT;
    if (to->udp_size == PROXY_UDP_SIZE_REFUSE) {
        stats_count(proxy->parts.stats, STATS_TOO_LARGE_FOR_UDP);
        return ERROR_LIMIT;
    }
    if (to->udp_size == PROXY_UDP_SIZE_TCP && other >= 0) {
        stats_count(proxy->parts.stats, STATS_UDP_BECAME_TCP);
        *listener = (uint16_t)other;
        return 0;
    }
    return length <= UDP_PAYLOAD_LIMIT ? 0 : ERROR_LIMIT;
}

/* Composes the request so that it fits the transport that it leaves by, which may become another.
 */
static int compose_to_fit(struct proxy *proxy, const struct proxy_request *request,
                          struct proxy_path *path, char branch[IDENT_BRANCH_LENGTH],
                          struct slice *bytes)
{
    uint16_t listener = path->listener;
    int error = proxy_compose_forward(proxy, request, path, branch, bytes);
    if (error == 0)
        error = proxy_fit_listener(proxy, path->to, &path->next_hop, bytes->length, &listener);
    if (error != 0 || listener == path->listener)
        return error;
    path->listener = listener;
    return proxy_compose_forward(proxy, request, path, branch, bytes);
}

void proxy_relay(struct proxy *proxy, const struct proxy_request *request,
                 const struct proxy_path *wanted, struct proxy_context *context)
{
    struct proxy_path fitting = *wanted;
    const struct proxy_path *path = &fitting;
    char branch[IDENT_BRANCH_LENGTH];
    struct slice bytes;
    const struct smsg *message = request->message;
    uint64_t now_us = request->packet->received_us;
    struct slice reason;
    if (proxy_boundary_refuses(proxy, message, path->to, &reason)) {
        fail_relay(proxy, request, context, 500, reason);
        return;
    }
    int error = compose_to_fit(proxy, request, &fitting, branch, &bytes);
    if (error != 0) {
        fail_relay(proxy, request, context, 513, SLICE(""));
        return;
    }
    note_path(context, path, now_us);
    context->only_tls = proxy_needs_tls(request, path->to, path);
    context->grown = path->listener != wanted->listener;
    if (path->in_dialog) {
        struct slice caller_tag = path->reversed ? message->to.tag : message->from.tag;
        uint32_t trunk_in = path->reversed ? path->to->mark : request->from->mark;
        struct call_record *call =
            call_find(proxy->parts.calls, message->call_id, caller_tag, trunk_in);
        context->call = call != NULL ? call_id_of(call) : 0;
    }
    error =
        txn_client_create(proxy->parts.transactions, (enum smsg_method)message->method, bytes,
                          slice_make(branch, sizeof(branch)), message->call_id, path->listener,
                          &path->next_hop, &proxy_client_events, context, now_us, &context->client);
    if (error != 0) {
        stats_count(proxy->parts.stats, STATS_TRANSACTIONS_REFUSED);
        fail_relay(proxy, request, context, 503, SLICE(""));
        return;
    }
    proxy_trial_begin(context, path->to, now_us);
}

static void send_stateless(struct proxy *proxy, const struct proxy_request *request,
                           const struct proxy_path *path)
{
    struct proxy_path fitting = *path;
    char branch[IDENT_BRANCH_LENGTH];
    struct slice bytes;
    if (compose_to_fit(proxy, request, &fitting, branch, &bytes) == 0)
        proxy_send(proxy, fitting.listener, &fitting.next_hop, bytes);
}

/*
 * To which target its INVITE went, nobody knows any more: to the first of the order in which the
 * Call-ID puts them, or to a later one when some did not serve. Each gets it with the branch that
 * the INVITE would have had there; for all but one it matches nothing.
 */
void proxy_relay_stateless(struct proxy *proxy, const struct proxy_request *request,
                           const struct proxy_path *path)
{
    struct proxy_request again = *request;
    struct proxy_path other;
    send_stateless(proxy, request, path);
    for (again.place = 1; again.place <= path->others; again.place++) {
        proxy->scratch = buffer_over(proxy->scratch_memory, sizeof(proxy->scratch_memory));
        if (proxy_find_path(proxy, &again, &other) == 0)
            send_stateless(proxy, &again, &other);
    }
}
