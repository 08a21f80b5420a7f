/* SPDX-License-Identifier: Apache-2.0 */
#include "redirect_int.h"

/* RFC 3326: why the caller cancels goes along with the CANCEL that we send. */
static struct slice reason_lines(struct proxy *proxy, const struct smsg *cancel)
{
    const struct smsg_header *header = smsg_first(cancel, SMSG_HEADER_REASON);
    size_t begun = proxy->scratch.length;
    for (; header != NULL; header = smsg_next(cancel, header))
        buffer_append(&proxy->scratch,
                      slice_make(cancel->bytes.data + header->start, header->end - header->start));
    return proxy->scratch.overflow
               ? SLICE("")
               : slice_make(proxy->scratch.data + begun, proxy->scratch.length - begun);
}

static void cancel_live(struct proxy *proxy, const struct proxy_request *request,
                        struct txn_server *server)
{
    struct proxy_context *context = txn_server_user(server);
    uint64_t now_us = request->packet->received_us;
    if (context == NULL)
        return;
    if (!context->parked) {
        context->cancelled = true;
        txn_client_cancel(context->client, reason_lines(proxy, request->message), now_us);
        return;
    }
    /* Nothing went downstream: the INVITE ends here (DESIGN section 2). */
    proxy_invite_unpark(context);
    proxy_respond_late(proxy, server, 487, now_us);
    proxy_context_free(context);
}

/* CANCEL is hop by hop (section 16.10); one whose INVITE we do not know may belong to an earlier
 * life of this process and travels on with the branch that the INVITE had. */
void proxy_receive_cancel(struct proxy *proxy, const struct proxy_request *request)
{
    struct txn_server *server = NULL;
    struct proxy_path path;
    switch (
        txn_find_cancelled(proxy->parts.transactions, request->message, request->packet, &server)) {
    case TXN_INVITE_LIVE:
        proxy_reply(proxy, request, 200, SLICE(""), SLICE(""));
        cancel_live(proxy, request, server);
        return;
    case TXN_INVITE_OVER:
        proxy_reply(proxy, request, 200, SLICE(""), SLICE(""));
        return;
    case TXN_INVITE_NONE:
        break;
    }
    if (proxy_redirect_concerns(request)) {
        proxy_reply(proxy, request, 481, SLICE(""), SLICE(""));
        return;
    }
    if (request->message->max_forwards == 0) {
        proxy_reply(proxy, request, 483, SLICE(""), SLICE(""));
        return;
    }
    int status = proxy_find_path(proxy, request, &path);
    if (status == PROXY_SILENCE)
        return;
    if (status != 0) {
        /* No way on means that no INVITE went on either. */
        bool stray = status == 404 || status == 503 || status == 480;
        proxy_reply(proxy, request, stray ? 481 : (uint16_t)status, SLICE(""), SLICE(""));
        return;
    }
    stats_count(proxy->parts.stats, STATS_STATELESS_CANCELS);
    proxy_relay_stateless(proxy, request, &path);
}
