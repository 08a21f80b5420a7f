/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic: messages for a rig, and the servers and clients that they make.
 */
#ifndef RINGFENCE_TESTS_TRANSACTION_TRAFFIC_H
#define RINGFENCE_TESTS_TRANSACTION_TRAFFIC_H

#include "unit/transaction/rig.h"

struct rig_message {
    char text[RIG_TEXT_LIMIT];
    struct smsg view;
    struct tp_packet packet;
};

static inline void rig_scan(const struct rig *rig, struct rig_message *message)
{
    ck_assert_msg(smsg_scan(&message->view, slice_of_text(message->text)) == 0, "%s",
                  message->text);
    message->packet = (struct tp_packet){
        .bytes = message->view.bytes,
        .source = rig_address("192.0.2.1:5070"),
        .listener = 3,
        .received_us = rig->now_us,
    };
}

/* What a request or response differs in; NULL takes the usual text. */
struct rig_parts {
    const char *via;    /* behind "SIP/2.0/UDP " */
    const char *branch; /* instead of `via` */
    const char *uri;
    const char *from_tag;
    const char *to_tag; /* NULL: none */
    const char *call_id;
    unsigned cseq;
};

static inline void rig_headers(const struct rig_parts *parts, const char *method, char *text,
                               size_t capacity)
{
    char via[512];
    snprintf(via, sizeof(via), "192.0.2.1:5070;branch=%s",
             parts->branch != NULL ? parts->branch : "z9hG4bKone");
    snprintf(
        text, capacity,
        "Via: SIP/2.0/UDP %s\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:alice@example.com>;tag=%s\r\n"
        "To: <sip:bob@example.com>%s%s\r\n"
        "Call-ID: %s\r\n"
        "CSeq: %u %s\r\n"
        "Content-Length: 0\r\n\r\n",
        parts->via != NULL ? parts->via : via, parts->from_tag != NULL ? parts->from_tag : "alice",
        parts->to_tag ? ";tag=" : "", parts->to_tag != NULL ? parts->to_tag : "",
        parts->call_id != NULL ? parts->call_id : "call-1", parts->cseq ? parts->cseq : 1, method);
}

static inline struct rig_message *rig_request(const struct rig *rig, struct rig_message *message,
                                              const char *method, struct rig_parts parts)
{
    char headers[1536];
    rig_headers(&parts, method, headers, sizeof(headers));
    snprintf(message->text, sizeof(message->text), "%s %s SIP/2.0\r\n%s", method,
             parts.uri != NULL ? parts.uri : "sip:bob@example.com", headers);
    rig_scan(rig, message);
    return message;
}

static inline struct rig_message *rig_response(const struct rig *rig, struct rig_message *message,
                                               unsigned status, const char *method,
                                               struct rig_parts parts)
{
    char headers[1536];
    rig_headers(&parts, method, headers, sizeof(headers));
    snprintf(message->text, sizeof(message->text), "SIP/2.0 %u Text\r\n%s", status, headers);
    rig_scan(rig, message);
    return message;
}

static inline enum txn_request_result rig_receive_request(struct rig *rig, const char *method,
                                                          struct rig_parts parts)
{
    struct rig_message message;
    rig_request(rig, &message, method, parts);
    return txn_receive_request(rig->layer, &message.view, &message.packet);
}

static inline enum txn_response_result
rig_receive_response(struct rig *rig, unsigned status, const char *method, struct rig_parts parts)
{
    struct rig_message message;
    rig_response(rig, &message, status, method, parts);
    return txn_receive_response(rig->layer, &message.view, &message.packet);
}

/* ---- servers ----------------------------------------------------------------------------- */

static inline struct txn_server *rig_server(struct rig *rig, const char *method,
                                            struct rig_parts parts)
{
    struct rig_message message;
    rig_request(rig, &message, method, parts);
    ck_assert_int_eq(txn_receive_request(rig->layer, &message.view, &message.packet),
                     TXN_REQUEST_NEW);
    struct txn_server *server;
    ck_assert_int_eq(txn_server_create(rig->layer, &message.view, &message.packet, 7, rig, &server),
                     0);
    return server;
}

static inline void rig_respond(struct rig *rig, struct txn_server *server, unsigned status,
                               const char *method, struct rig_parts parts)
{
    struct rig_message message;
    rig_response(rig, &message, status, method, parts);
    txn_server_respond(server, (uint16_t)status, message.view.bytes, rig->now_us);
}

/* ---- clients ----------------------------------------------------------------------------- */

/* What a client told its user. */
struct rig_user {
    struct rig *rig;
    unsigned responses;
    unsigned timeouts;
    unsigned failures;
    uint16_t last_status;
    int last_error;
    uint64_t ended_us; /* since START_US */
    void (*hook)(struct rig_user *user, struct txn_client *client);
};

static inline void rig_on_response(void *user, struct txn_client *client,
                                   const struct smsg *response, const struct tp_packet *packet)
{
    struct rig_user *told = user;
    told->responses++;
    told->last_status = response->status;
    told->ended_us = packet->received_us - START_US;
    if (told->hook != NULL)
        told->hook(told, client);
}

static inline void rig_on_timeout(void *user, struct txn_client *client, uint64_t now_us)
{
    struct rig_user *told = user;
    told->timeouts++;
    told->ended_us = now_us - START_US;
    if (told->hook != NULL)
        told->hook(told, client);
}

static inline void rig_on_failed(void *user, struct txn_client *client, int error, uint64_t now_us)
{
    struct rig_user *told = user;
    told->failures++;
    told->last_error = error;
    told->ended_us = now_us - START_US;
    if (told->hook != NULL)
        told->hook(told, client);
}

static const struct txn_client_events rig_events = {rig_on_response, rig_on_timeout, rig_on_failed};

static inline int rig_client_try(struct rig *rig, const char *method, struct rig_parts parts,
                                 struct rig_user *user, struct txn_client **client)
{
    struct rig_message message;
    rig_request(rig, &message, method, parts);
    struct tp_address to = rig_address("198.51.100.9:5062");
    return txn_client_create(rig->layer, (enum smsg_method)message.view.method, message.view.bytes,
                             message.view.via.branch, message.view.call_id, 5, &to, &rig_events,
                             user, rig->now_us, client);
}

static inline struct txn_client *rig_client(struct rig *rig, const char *method,
                                            struct rig_parts parts, struct rig_user *user)
{
    struct txn_client *client;
    ck_assert_int_eq(rig_client_try(rig, method, parts, user, &client), 0);
    return client;
}

#endif
