/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry_int: what the table finds, what a message looks for, and copies of messages.
 */
#ifndef RINGFENCE_TRANSACTION_ENTRY_INT_H
#define RINGFENCE_TRANSACTION_ENTRY_INT_H

#include "transaction/transaction.h"

/*
 * What lingers: X(state, duration in T1, in T4, at least in seconds, also when reliable)
 *
 * Timer L, M: RFC 6026 section 7.1 and 7.2. Timer I, J, K: RFC 3261 section 17.2.1, 17.2.2 and
 * 17.1.2.2. Timer D: section 17.1.1.2, where the peer's T1 is unknown, hence the minimum.
 */
#define TXN_LINGER_TABLE(X)                                    \
    X(INVITE_SERVER_ACCEPTED, 64, 0, 0, true)    /* Timer L */ \
    X(INVITE_SERVER_CONFIRMED, 0, 1, 0, false)   /* Timer I */ \
    X(SERVER_COMPLETED, 64, 0, 0, false)         /* Timer J */ \
    X(INVITE_CLIENT_ACCEPTED, 64, 0, 0, true)    /* Timer M */ \
    X(INVITE_CLIENT_COMPLETED, 64, 0, 32, false) /* Timer D */ \
    X(CLIENT_COMPLETED, 0, 1, 0, false)          /* Timer K */

enum txn_kind {
#define TXN_LINGER_ROW(identifier, t1, t4, seconds, always) TXN_LINGER_##identifier,
    TXN_LINGER_TABLE(TXN_LINGER_ROW)
#undef TXN_LINGER_ROW
        TXN_LINGER_COUNT,
    TXN_LIVE_SERVER = TXN_LINGER_COUNT,
    TXN_LIVE_CLIENT
};

/* The key of an object in the table. Tags are compared only without the magic cookie (section
 * 17.2.3): hashes of the To tags of the request and of the final response, else 0. */
struct txn_entry {
    uint64_t hash;
    uint64_t check;
    uint32_t request_tag;
    uint32_t response_tag;
    uint8_t kind; /* enum txn_kind */
};

/* What a message looks for. */
struct txn_key {
    uint64_t hash;
    uint64_t check;
    uint32_t tag;
    bool with_cookie;
    bool tag_of_response; /* an ACK: its To tag is the one that our response had */
};

/* A copy of a message with where it goes, in one block of the slab. */
struct txn_message {
    uint64_t connection; /* of a response: that its request came by; else 0 */
    struct tp_address to;
    uint16_t listener;
    uint32_t length;
    char bytes[];
};

static inline struct slice message_bytes(const struct txn_message *message)
{
    return slice_make(message->bytes, message->length);
}

/* ---- key.c ------------------------------------------------------------------------------- */

/* method: the one of the transaction, so INVITE for an ACK; text: as the request has it. */
struct txn_key txn_key_of_request(const struct txn_layer *layer, const struct smsg *request,
                                  enum smsg_method method);
struct txn_key txn_key_of_client(const struct txn_layer *layer, struct slice branch,
                                 enum smsg_method method);
uint32_t txn_key_tag(const struct txn_layer *layer, struct slice tag);
struct txn_entry txn_key_entry(const struct txn_key *key, enum txn_kind kind);
struct txn_entry *txn_key_find(const struct txn_layer *layer, const struct txn_key *key);

#endif
