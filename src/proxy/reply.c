/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encode.h"
#include "overload_int.h"

#define MALFORMED_LINES_PER_SECOND 5

static void count_refusal(struct proxy *proxy, uint16_t status)
{
    if (status >= 200 && status < 700)
        stats_count_label(proxy->parts.stats, STATS_FAMILY_REFUSED,
                          proxy->parts.labels->refused[status]);
}

/* As a reply of a transaction (section 18.2.2); where the Via cannot be read, back to the source.
 */
static void reply_to(const struct proxy_request *request, struct txn_reply *reply)
{
    txn_reply_to(request->message, request->packet, reply);
    if (request->message->via.host.data == NULL)
        reply->to = request->packet->source;
}

void proxy_reply(struct proxy *proxy, const struct proxy_request *request, uint16_t status,
                 struct slice reason, struct slice extra)
{
    if (request->message->method == SMSG_METHOD_ACK)
        return; /* section 17: nothing answers an ACK */
    char tag[IDENT_TAG_LENGTH];
    struct txn_reply reply;
    struct ident_hop hop = proxy_hop(request->message);
    ident_tag_write(proxy->parts.marks, &hop, tag);
    reply_to(request, &reply);

    char feedback[PROXY_FEEDBACK_BYTES];
    enum smsg_overload_algorithm algorithm = (enum smsg_overload_algorithm)request->feedback;
    const struct smsg_response response = {
        .status = status,
        .reason = reason.length > 0 ? reason : slice_make(NULL, 0),
        .to_tag = slice_make(tag, sizeof(tag)),
        .received = reply.received,
        .rport = reply.rport,
        .overload = proxy_feedback_text(proxy, algorithm, request->from,
                                        request->packet->received_us, feedback),
        .extra = extra,
    };
    struct buffer out = buffer_over(proxy->output, PROXY_OUTPUT_BYTES);
    if (smsg_compose_response(&out, request->message, &response) != 0)
        return;
    count_refusal(proxy, status);
    txn_respond(&proxy->parts.output, request->packet->listener, request->packet->connection,
                &reply.to, buffer_slice(&out));
}

/* What the sender of a request that a transaction has is told; found out only for those that offer
 * to be told. */
static struct slice feedback_to(struct proxy *proxy, const struct txn_server *server,
                                const struct smsg *message, uint64_t now_us,
                                char memory[PROXY_FEEDBACK_BYTES])
{
    if (!message->via.overload)
        return slice_make(NULL, 0);
    struct tp_address source = txn_server_source(server);
    const struct proxy_trunk *from =
        proxy_plan_source(proxy->snapshot.plan, txn_server_listener(server), &source);
    return proxy_feedback_text(proxy, proxy_feedback_of(from, message), from, now_us, memory);
}

struct slice proxy_retry_after(struct proxy *proxy, uint64_t us)
{
    size_t begun = proxy->scratch.length;
    if (us == 0)
        return SLICE("");
    buffer_append_literal(&proxy->scratch, "Retry-After: ");
    buffer_append_uint(&proxy->scratch, (us + 999999) / 1000000);
    buffer_append_literal(&proxy->scratch, "\r\n");
    return slice_make(proxy->scratch.data + begun, proxy->scratch.length - begun);
}

void proxy_respond(struct proxy *proxy, struct txn_server *server, const struct smsg *message,
                   uint16_t status, struct slice reason, struct slice extra, uint64_t now_us)
{
    char tag[IDENT_TAG_LENGTH];
    struct ident_hop hop = proxy_hop(message);
    bool tagged = status != 100; /* section 8.2.6.2 */
    if (tagged)
        ident_tag_write(proxy->parts.marks, &hop, tag);
    char feedback[PROXY_FEEDBACK_BYTES];
    const struct smsg_response response = {
        .status = status,
        .reason = reason.length > 0 ? reason : slice_make(NULL, 0),
        .overload = feedback_to(proxy, server, message, now_us, feedback),
        .to_tag = tagged ? slice_make(tag, sizeof(tag)) : SLICE(""),
        .received = txn_server_received(server),
        .rport = txn_server_rport(server),
        .extra = extra,
    };
    struct buffer out = buffer_over(proxy->output, PROXY_OUTPUT_BYTES);
    if (smsg_compose_response(&out, message, &response) != 0) {
        if (status >= 200)
            txn_server_abandon(server);
        return;
    }
    count_refusal(proxy, status);
    txn_server_respond(server, status, buffer_slice(&out), now_us);
}

void proxy_respond_late(struct proxy *proxy, struct txn_server *server, uint16_t status,
                        uint64_t now_us)
{
    /* `relayed` is free here: no answer is being relayed while a timer or failure is handled. */
    if (smsg_scan(&proxy->relayed, txn_server_request(server)) != 0) {
        txn_server_abandon(server);
        return;
    }
    proxy_respond(proxy, server, &proxy->relayed, status, SLICE(""), SLICE(""), now_us);
}

static void log_malformed(struct proxy *proxy, const struct proxy_request *request,
                          const struct smsg_bad_row *row)
{
    uint32_t held_back;
    if (!log_limit_pass(&proxy->log_malformed, MALFORMED_LINES_PER_SECOND,
                        request->packet->received_us, &held_back))
        return;
    char source[TP_ADDRESS_TEXT];
    char start[128];
    struct slice bytes = request->packet->bytes;
    struct slice line = slice_first(bytes, slice_find(bytes, '\n'));
    log_warning("proxy", "trunk %.*s, %s: %s: \"%s\" (%u similar lines held back)",
                SLICE_ARGS(request->from->screen.name),
                tp_address_text(&request->packet->source, source), row->text,
                log_slice(start, sizeof(start), slice_first(line, 80)), held_back);
}

void proxy_refuse_malformed(struct proxy *proxy, const struct proxy_request *request)
{
    const struct smsg *message = request->message;
    const struct smsg_bad_row *row = &smsg_bad_rows[message->bad];
    stats_count_label(proxy->parts.stats, STATS_FAMILY_MALFORMED,
                      proxy->parts.labels->malformed[message->bad]);
    if (message->bad == SMSG_BAD_KEEPALIVE)
        return;
    log_malformed(proxy, request, row);
    if (message->is_request && row->answer != 0)
        proxy_reply(proxy, request, row->answer, SLICE(""), SLICE(""));
}
