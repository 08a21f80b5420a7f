/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client transactions: RFC 3261 section 17.1 with RFC 6026 section 7.2.
 *
 *   INVITE      Calling (A, B) --1xx--> Proceeding     other: Trying (E, F) --1xx--> Proceeding (E,
 * F) either --2xx--> Accepted (M)                 either --final--> Completed (K) either --300-699,
 * ACK--> Completed (D)
 *
 * Accepted and Completed are lingering records.
 */
#include <assert.h>
#include <errno.h>

#include "message/compose.h"
#include "transaction_int.h"

static uint64_t client_cookie(const struct txn_client *client)
{
    return (uint64_t)client->serial << 32 | pool_index(client->layer->clients, client);
}

void txn_client_set_timer(struct txn_client *client, uint64_t now_us)
{
    uint64_t delay = UINT64_MAX;
    if (client->end_us != UINT64_MAX)
        delay = client->end_us > now_us ? client->end_us - now_us : 0;
    if (client->interval_us != 0 && client->interval_us < delay)
        delay = client->interval_us;
    if (delay == UINT64_MAX)
        rt_timer_cancel(client->layer->wheel, &client->timer);
    else
        rt_timer_set(client->layer->wheel, &client->timer, now_us, delay);
}

/* From here on no message finds it; the object lives until client_release(). */
static void client_detach(struct txn_client *client)
{
    client->state = TXN_CLIENT_OVER;
    rt_timer_cancel(client->layer->wheel, &client->timer);
    hash_table_remove(client->layer->table, client->entry.hash, client);
}

static void client_release(struct txn_client *client)
{
    struct txn_layer *layer = client->layer;
    txn_message_free(layer, client->request);
    txn_message_free(layer, client->cancel_extra);
    txn_layer_leave_call(layer, client->call_slot);
    pool_put(layer->clients, client);
    txn_layer_report_gauges(layer);
}

static void client_retransmit(struct txn_client *client, uint64_t now_us)
{
    struct txn_layer *layer = client->layer;
    txn_message_send(layer, client->request, client_cookie(client));
    stats_count(layer->stats, STATS_RETRANSMISSIONS_OUT);

    client->interval_us *= 2; /* Timer A, section 17.1.1.2 */
    if (client->method != SMSG_METHOD_INVITE &&
        (client->interval_us > layer->settings.t2_us || client->state == TXN_CLIENT_PROCEEDING))
        client->interval_us = layer->settings.t2_us; /* Timer E, section 17.1.2.2 */
    txn_client_set_timer(client, now_us);
}

static void client_fire(struct rt_timer *timer, uint64_t now_us)
{
    struct txn_client *client = LIST_ENTRY(timer, struct txn_client, timer);
    if (now_us < client->end_us) {
        client_retransmit(client, now_us);
        return;
    }
    /* Timer B or F, or no final response within 64*T1 of a CANCEL (section 9.1). */
    client_detach(client);
    if (client->events != NULL)
        client->events->timeout(client->user, client, now_us);
    client_release(client);
}

static int enter(struct txn_layer *layer, const struct txn_key *key, struct txn_client *client)
{
    if (txn_key_find(layer, key) != NULL)
        return -EEXIST;
    return hash_table_insert(layer->table, key->hash, client);
}

int txn_client_start(struct txn_layer *layer, const struct txn_client_start *start, uint64_t now_us,
                     struct txn_client **client)
{
    struct txn_key key = txn_key_of_client(layer, start->branch, start->method);
    hash_table_prefetch(layer->table, key.hash); /* comes while the request is copied */
    struct txn_client *made = pool_get(layer->clients);
    if (made == NULL)
        return ERROR_LIMIT;

    made->layer = layer;
    made->call_slot = TXN_NO_CALL_SLOT;
    made->entry = txn_key_entry(&key, TXN_LIVE_CLIENT);
    rt_timer_init(&made->timer, client_fire);
    made->request = txn_message_keep(layer, start->listener, start->to, start->bytes);
    int error = made->request != NULL ? enter(layer, &key, made) : ERROR_LIMIT;
    if (error != 0) {
        client_release(made);
        return error;
    }
    made->call_slot = start->call_slot;
    made->events = start->events;
    made->user = start->user;
    made->method = (uint16_t)start->method;
    made->state = TXN_CLIENT_TRYING;
    made->reliable = txn_layer_is_reliable(layer, start->listener);
    made->serial = ++layer->next_serial;
    if (made->serial == 0)
        made->serial = ++layer->next_serial;
    made->created_us = now_us;
    /* Timers A and B, or E and F. */
    made->interval_us = made->reliable ? 0 : layer->settings.t1_us;
    made->end_us = now_us + 64 * layer->settings.t1_us;
    txn_client_set_timer(made, now_us);
    txn_message_send(layer, made->request, client_cookie(made));
    txn_layer_report_gauges(layer);
    *client = made;
    return 0;
}

int txn_client_create(struct txn_layer *layer, enum smsg_method method, struct slice bytes,
                      struct slice branch, struct slice call_id, uint16_t listener,
                      const struct tp_address *to, const struct txn_client_events *events,
                      void *user, uint64_t now_us, struct txn_client **client)
{
    assert(method != SMSG_METHOD_ACK);
    struct txn_client_start start = {
        .method = method,
        .bytes = bytes,
        .branch = branch,
        .to = to,
        .events = events,
        .user = user,
        .listener = listener,
    };
    int error = ERROR_LIMIT;
    if (!txn_layer_is_full(layer) && txn_layer_enter_call(layer, call_id, &start.call_slot)) {
        error = txn_client_start(layer, &start, now_us, client);
        if (error != 0)
            txn_layer_leave_call(layer, start.call_slot);
    }
    if (error != 0 && error != -EEXIST)
        stats_count(layer->stats, STATS_TRANSACTIONS_REFUSED);
    return error;
}

struct slice txn_client_request(const struct txn_client *client)
{
    return message_bytes(client->request);
}

/* ---- responses --------------------------------------------------------------------------- */

static enum txn_response_result receive_provisional(struct txn_client *client,
                                                    const struct smsg *response,
                                                    const struct tp_packet *packet)
{
    uint64_t now_us = packet->received_us;
    bool first = client->state == TXN_CLIENT_TRYING;
    client->state = TXN_CLIENT_PROCEEDING;
    if (first && client->method == SMSG_METHOD_INVITE) {
        /* Section 17.1.1.2: no more retransmissions and no Timer B; the user's Timer C instead, and
         * where there is no user, a bound of our own. */
        client->interval_us = 0;
        client->end_us =
            client->events != NULL ? UINT64_MAX : now_us + 64 * client->layer->settings.t1_us;
        txn_client_set_timer(client, now_us);
        txn_cancel_provisional(client, now_us);
    }
    /* Last, since it may abandon or cancel the client. */
    if (client->events != NULL)
        client->events->response(client->user, client, response, packet);
    return TXN_RESPONSE_HANDLED;
}

/* Section 17.1.1.3; kept for Timer D. NULL when it could not be kept. */
static struct txn_message *send_ack(struct txn_client *client, const struct smsg *response)
{
    struct txn_layer *layer = client->layer;
    struct smsg *invite = &layer->scanned;
    struct buffer buffer = buffer_over(layer->composed, TP_DATAGRAM_LIMIT);
    if (smsg_scan(invite, message_bytes(client->request)) != 0 ||
        smsg_compose_ack(&buffer, invite, response) != 0)
        return NULL;
    layer->output.send(layer->output.argument, client->request->listener, &client->request->to,
                       buffer_slice(&buffer), 0);
    return txn_message_keep(layer, client->request->listener, &client->request->to,
                            buffer_slice(&buffer));
}

static enum txn_response_result receive_final(struct txn_client *client,
                                              const struct smsg *response,
                                              const struct tp_packet *packet)
{
    struct txn_layer *layer = client->layer;
    bool is_invite = client->method == SMSG_METHOD_INVITE;
    bool is_answer = is_invite && response->status < 300;
    enum txn_response_result result = TXN_RESPONSE_HANDLED;

    struct txn_message *ack = is_invite && !is_answer ? send_ack(client, response) : NULL;
    client_detach(client);
    txn_linger_add(layer,
                   is_answer   ? TXN_LINGER_INVITE_CLIENT_ACCEPTED
                   : is_invite ? TXN_LINGER_INVITE_CLIENT_COMPLETED
                               : TXN_LINGER_CLIENT_COMPLETED,
                   &client->entry, ack, client->reliable, packet->received_us);
    if (client->events != NULL)
        client->events->response(client->user, client, response, packet);
    else if (is_answer)
        result = TXN_RESPONSE_REPEATED;
    client_release(client);
    return result;
}

static enum txn_response_result receive_lingering(struct txn_layer *layer,
                                                  const struct txn_linger *record,
                                                  const struct smsg *response)
{
    bool is_invite = record->entry.kind != TXN_LINGER_CLIENT_COMPLETED;
    /* RFC 6026 section 7.2: each 2xx goes to the user, from whatever branch of a fork. One may come
     * behind a non-2xx too, when a proxy further on forwards it as section 16.7 (5) demands. */
    if (is_invite && response->status >= 200 && response->status < 300)
        return TXN_RESPONSE_REPEATED;
    stats_count(layer->stats, STATS_RETRANSMISSIONS_IN);
    /* Section 17.1.1.2: a repeated final response has its ACK repeated. */
    if (record->message != NULL && response->status >= 300) {
        txn_message_send(layer, record->message, 0);
        stats_count(layer->stats, STATS_RETRANSMISSIONS_OUT);
    }
    return TXN_RESPONSE_HANDLED;
}

enum txn_response_result txn_receive_response(struct txn_layer *layer, const struct smsg *response,
                                              const struct tp_packet *packet)
{
    /* Section 17.1.3: the branch of the top Via and the method of CSeq. */
    struct txn_key key = txn_key_of_client(layer, response->via.branch, response->method);
    struct txn_entry *entry = txn_key_find(layer, &key);
    if (response->via.branch.data == NULL || entry == NULL)
        return TXN_RESPONSE_STRAY;
    if (entry->kind != TXN_LIVE_CLIENT)
        return receive_lingering(layer, (struct txn_linger *)entry, response);
    struct txn_client *client = (struct txn_client *)entry;
    if (response->status < 200)
        return receive_provisional(client, response, packet);
    return receive_final(client, response, packet);
}

void txn_layer_send_failed(struct txn_layer *layer, uint64_t cookie, int error, uint64_t now_us)
{
    struct txn_client *client = pool_at(layer->clients, (uint32_t)cookie);
    if (client == NULL || client->serial != cookie >> 32)
        return;
    /* The way out was full: a retransmission follows. */
    if (error == -EAGAIN || error == -ENOBUFS)
        return;
    /* Section 17.1.4; of an INVITE only in Calling, since then the peer has been heard. */
    if (client->method == SMSG_METHOD_INVITE && client->state == TXN_CLIENT_PROCEEDING)
        return;
    client_detach(client);
    if (client->events != NULL)
        client->events->failed(client->user, client, error, now_us);
    client_release(client);
}
