/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an INVITE ends before its final response: RFC 3261 section 9.1, and users who leave.
 */
#include <assert.h>

#include "message/compose.h"
#include "transaction_int.h"

static bool compose_cancel(struct txn_client *client, struct slice extra, struct buffer *out)
{
    struct smsg *invite = &client->layer->scanned;
    return smsg_scan(invite, message_bytes(client->request)) == 0 &&
           smsg_compose_cancel(out, invite, extra) == 0;
}

/* A transaction of its own, with the branch of its INVITE; there is nobody to tell how it ends. */
static void send_cancel(struct txn_client *client, struct slice extra, uint64_t now_us)
{
    struct txn_layer *layer = client->layer;
    struct buffer buffer = buffer_over(layer->composed, TP_DATAGRAM_LIMIT);
    client->cancel_sent = true;
    client->cancel_waits = false;
    if (compose_cancel(client, extra, &buffer)) {
        struct txn_client_start start = {
            .method = SMSG_METHOD_CANCEL,
            .bytes = buffer_slice(&buffer),
            .branch = layer->scanned.via.branch,
            .to = &client->request->to,
            .call_slot = TXN_NO_CALL_SLOT,
            .listener = client->request->listener,
        };
        struct txn_client *cancel;
        /* Without room for a transaction, once is better than not at all. */
        if (txn_client_start(layer, &start, now_us, &cancel) != 0)
            layer->output.send(layer->output.argument, start.listener, start.to, start.bytes, 0);
    }
    /* Section 9.1: without a final response within 64*T1 it counts as cancelled. */
    client->interval_us = 0;
    client->end_us = now_us + 64 * layer->settings.t1_us;
    txn_client_set_timer(client, now_us);
}

void txn_cancel_provisional(struct txn_client *client, uint64_t now_us)
{
    if (!client->cancel_waits)
        return;
    struct slice extra =
        client->cancel_extra != NULL ? message_bytes(client->cancel_extra) : slice_make(NULL, 0);
    send_cancel(client, extra, now_us);
}

void txn_client_cancel(struct txn_client *client, struct slice extra, uint64_t now_us)
{
    assert(client->method == SMSG_METHOD_INVITE);
    if (client->state == TXN_CLIENT_OVER || client->cancel_waits || client->cancel_sent)
        return;
    if (client->state == TXN_CLIENT_PROCEEDING) {
        send_cancel(client, extra, now_us);
        return;
    }
    client->cancel_waits = true;
    if (extra.length > 0)
        client->cancel_extra =
            txn_message_keep(client->layer, client->request->listener, &client->request->to, extra);
}

void txn_client_abandon(struct txn_client *client, uint64_t now_us)
{
    if (client->state == TXN_CLIENT_OVER)
        return;
    client->events = NULL;
    client->user = NULL;
    if (client->end_us == UINT64_MAX) {
        /* Timer C went with the user. */
        client->end_us = now_us + 64 * client->layer->settings.t1_us;
        txn_client_set_timer(client, now_us);
    }
}

void txn_client_give_up(struct txn_client *client, uint64_t now_us)
{
    if (client->state == TXN_CLIENT_OVER)
        return;
    if (client->method == SMSG_METHOD_INVITE)
        txn_client_cancel(client, SLICE(""), now_us);
    client->interval_us = 0;
    txn_client_set_timer(client, now_us);
    txn_client_abandon(client, now_us);
}
