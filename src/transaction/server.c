/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server transactions: RFC 3261 section 17.2 with RFC 6026 section 7.1.
 *
 *   INVITE      Proceeding --2xx--> Accepted (L)           other: Trying --1xx--> Proceeding
 *               Proceeding --300-699--> Completed (G, H)          any --final--> Completed (J)
 *               Completed --ACK--> Confirmed (I)
 *
 * Accepted, Confirmed and the Completed of other methods are lingering records.
 */
#include <assert.h>
#include <errno.h>

#include "transaction_int.h"

static void server_detach(struct txn_server *server)
{
    rt_timer_cancel(server->layer->wheel, &server->timer);
    hash_table_remove(server->layer->table, server->entry.hash, server);
}

static void server_release(struct txn_server *server)
{
    struct txn_layer *layer = server->layer;
    txn_message_free(layer, server->request);
    txn_message_free(layer, server->response);
    layer->source_counts[server->source_slot]--;
    txn_layer_leave_call(layer, server->call_slot);
    pool_put(layer->servers, server);
    txn_layer_report_gauges(layer);
}

/* It goes on as a record that repeats its last response, if one is kept. */
static void server_linger(struct txn_server *server, enum txn_kind kind, uint64_t now_us)
{
    server_detach(server);
    txn_linger_add(server->layer, kind, &server->entry, server->response, server->reliable, now_us);
    server->response = NULL;
    server_release(server);
}

static void server_set_timer(struct txn_server *server, uint64_t now_us)
{
    uint64_t left = server->end_us > now_us ? server->end_us - now_us : 0;
    bool repeats = !server->reliable && server->interval_us < left;
    rt_timer_set(server->layer->wheel, &server->timer, now_us,
                 repeats ? server->interval_us : left);
}

static void server_fire(struct rt_timer *timer, uint64_t now_us)
{
    struct txn_server *server = LIST_ENTRY(timer, struct txn_server, timer);
    struct txn_layer *layer = server->layer;
    if (now_us >= server->end_us) {
        /* Timer H, section 17.2.1: no ACK came, terminated. */
        server_detach(server);
        server_release(server);
        return;
    }
    /* Timer G, section 17.2.1: again, after twice the time, at most T2. */
    if (server->response != NULL) {
        txn_message_send(layer, server->response, 0);
        stats_count(layer->stats, STATS_RETRANSMISSIONS_OUT);
    }
    server->interval_us *= 2;
    if (server->interval_us > layer->settings.t2_us)
        server->interval_us = layer->settings.t2_us;
    server_set_timer(server, now_us);
}

/* ---- requests ---------------------------------------------------------------------------- */

static enum txn_request_result receive_ack(struct txn_entry *entry, const struct tp_packet *packet)
{
    if (entry->kind == TXN_LINGER_INVITE_SERVER_ACCEPTED)
        return TXN_REQUEST_ACK; /* RFC 6026 section 7.1: passed to the user */
    if (entry->kind == TXN_LIVE_SERVER) {
        struct txn_server *server = (struct txn_server *)entry;
        /* Completed to Confirmed, Timer I of T4 (section 17.2.1). In Proceeding there is nothing
         * to acknowledge. */
        if (server->state == TXN_SERVER_COMPLETED) {
            txn_message_free(server->layer, server->response);
            server->response = NULL;
            server_linger(server, TXN_LINGER_INVITE_SERVER_CONFIRMED, packet->received_us);
        }
    }
    return TXN_REQUEST_ABSORBED;
}

/* Sections 17.2.1 and 17.2.2: the last response again, if there is one. */
static void receive_again(struct txn_layer *layer, const struct txn_entry *entry)
{
    const struct txn_message *response = entry->kind == TXN_LIVE_SERVER
                                             ? ((const struct txn_server *)entry)->response
                                             : ((const struct txn_linger *)entry)->message;
    stats_count(layer->stats, STATS_RETRANSMISSIONS_IN);
    if (response != NULL) {
        txn_message_send(layer, response, 0);
        stats_count(layer->stats, STATS_RETRANSMISSIONS_OUT);
    }
}

enum txn_request_result txn_receive_request(struct txn_layer *layer, const struct smsg *request,
                                            const struct tp_packet *packet)
{
    bool is_ack = request->method == SMSG_METHOD_ACK;
    struct txn_key key =
        txn_key_of_request(layer, request, is_ack ? SMSG_METHOD_INVITE : request->method);
    struct txn_entry *entry = txn_key_find(layer, &key);
    if (entry == NULL)
        return is_ack ? TXN_REQUEST_ACK : TXN_REQUEST_NEW;
    if (is_ack)
        return receive_ack(entry, packet);
    receive_again(layer, entry);
    return TXN_REQUEST_ABSORBED;
}

enum txn_invite_state txn_find_cancelled(struct txn_layer *layer, const struct smsg *cancel,
                                         const struct tp_packet *packet, struct txn_server **server)
{
    (void)packet;
    struct txn_key key = txn_key_of_request(layer, cancel, SMSG_METHOD_INVITE);
    struct txn_entry *entry = txn_key_find(layer, &key);
    if (entry == NULL)
        return TXN_INVITE_NONE;
    struct txn_server *found = (struct txn_server *)entry;
    if (entry->kind != TXN_LIVE_SERVER || found->state == TXN_SERVER_COMPLETED)
        return TXN_INVITE_OVER;
    *server = found;
    return TXN_INVITE_LIVE;
}

/* Everything but the table; what fails leaves nothing behind. */
static struct txn_server *server_make(struct txn_layer *layer, const struct smsg *request,
                                      const struct tp_packet *packet, uint32_t source_slot)
{
    uint32_t call_slot;
    if (txn_layer_is_full(layer) ||
        layer->source_counts[source_slot] >= layer->settings.per_source_limit ||
        !txn_layer_enter_call(layer, request->call_id, &call_slot))
        return NULL;

    struct txn_server *server = pool_get(layer->servers);
    if (server == NULL) {
        txn_layer_leave_call(layer, call_slot);
        return NULL;
    }
    layer->source_counts[source_slot]++;
    server->layer = layer;
    server->call_slot = call_slot;
    server->source_slot = (uint16_t)source_slot;
    rt_timer_init(&server->timer, server_fire);
    server->request = txn_message_keep(layer, packet->listener, &packet->source, request->bytes);
    if (server->request == NULL) {
        server_release(server);
        return NULL;
    }
    return server;
}

int txn_server_create(struct txn_layer *layer, const struct smsg *request,
                      const struct tp_packet *packet, uint32_t source_slot, void *user,
                      struct txn_server **server)
{
    assert(request->method != SMSG_METHOD_ACK && source_slot < TXN_SOURCE_SLOTS);
    struct txn_server *made = server_make(layer, request, packet, source_slot);
    if (made == NULL) {
        stats_count(layer->stats, STATS_TRANSACTIONS_REFUSED);
        return ERROR_LIMIT;
    }
    struct txn_key key = txn_key_of_request(layer, request, request->method);
    made->entry = txn_key_entry(&key, TXN_LIVE_SERVER);
    made->with_cookie = key.with_cookie;
    made->user = user;
    made->source = packet->source;
    made->listener = packet->listener;
    made->connection = packet->connection;
    made->created_us = packet->received_us;
    made->is_invite = request->method == SMSG_METHOD_INVITE;
    made->state = made->is_invite ? TXN_SERVER_PROCEEDING : TXN_SERVER_TRYING;
    made->reliable = txn_layer_is_reliable(layer, packet->listener);
    txn_reply_to(request, packet, &made->reply);
    if (hash_table_insert(layer->table, key.hash, made) != 0) {
        server_release(made);
        stats_count(layer->stats, STATS_TRANSACTIONS_REFUSED);
        return -ENOMEM;
    }
    txn_layer_report_gauges(layer);
    *server = made;
    return 0;
}

void *txn_server_user(const struct txn_server *server)
{
    return server->user;
}

struct slice txn_server_request(const struct txn_server *server)
{
    return message_bytes(server->request);
}

struct slice txn_server_received(const struct txn_server *server)
{
    return server->reply.received;
}

uint64_t txn_server_connection(const struct txn_server *server)
{
    return server->connection;
}

uint16_t txn_server_rport(const struct txn_server *server)
{
    return server->reply.rport;
}

uint16_t txn_server_listener(const struct txn_server *server)
{
    return server->listener;
}

struct tp_address txn_server_source(const struct txn_server *server)
{
    return server->source;
}

/* ---- responses --------------------------------------------------------------------------- */

static void keep_response(struct txn_server *server, struct slice bytes)
{
    txn_message_free(server->layer, server->response);
    server->response = txn_message_keep(server->layer, server->listener, &server->reply.to, bytes);
    if (server->response != NULL)
        server->response->connection = server->connection;
}

/* Without the magic cookie an ACK is told by the To tag of the response (section 17.2.3). */
static void learn_response_tag(struct txn_server *server, struct slice bytes)
{
    struct smsg *response = &server->layer->scanned;
    if (!server->with_cookie && smsg_scan(response, bytes) == 0)
        server->entry.response_tag = txn_key_tag(server->layer, response->to.tag);
}

/* Proceeding to Completed: Timer G of T1, Timer H of 64*T1 (section 17.2.1). */
static void server_complete_invite(struct txn_server *server, uint64_t now_us)
{
    struct txn_layer *layer = server->layer;
    server->state = TXN_SERVER_COMPLETED;
    server->user = NULL;
    txn_message_free(layer, server->request);
    server->request = NULL;
    server->interval_us = layer->settings.t1_us;
    server->end_us = now_us + 64 * layer->settings.t1_us;
    server_set_timer(server, now_us);
    txn_layer_report_gauges(layer);
}

void txn_server_respond(struct txn_server *server, uint16_t status, struct slice bytes,
                        uint64_t now_us)
{
    struct txn_layer *layer = server->layer;
    assert(server->state != TXN_SERVER_COMPLETED);
    txn_respond(&layer->output, server->listener, server->connection, &server->reply.to, bytes);

    if (status < 200) {
        server->state = TXN_SERVER_PROCEEDING;
        keep_response(server, bytes);
        txn_layer_report_gauges(layer);
        return;
    }
    learn_response_tag(server, bytes);
    if (server->is_invite && status < 300) {
        /* RFC 6026 section 7.1: whoever answered repeats the 2xx; here it is only absorbed. */
        txn_message_free(layer, server->response);
        server->response = NULL;
        server_linger(server, TXN_LINGER_INVITE_SERVER_ACCEPTED, now_us);
        return;
    }
    keep_response(server, bytes);
    if (server->is_invite)
        server_complete_invite(server, now_us);
    else
        server_linger(server, TXN_LINGER_SERVER_COMPLETED, now_us); /* section 17.2.2 */
}

void txn_server_abandon(struct txn_server *server)
{
    assert(server->state != TXN_SERVER_COMPLETED);
    server_detach(server);
    server_release(server);
}
