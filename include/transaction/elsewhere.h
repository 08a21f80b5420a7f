/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elsewhere: server transactions that another process has, while one hands over to the next.
 *
 * Only their keys are known here. Both layers have the same txn_settings.key.
 */
#ifndef RINGFENCE_TRANSACTION_ELSEWHERE_H
#define RINGFENCE_TRANSACTION_ELSEWHERE_H

#include "transaction/transaction.h"

/* Of a server transaction, under the layer's key (txn_settings); as one process tells another. */
struct txn_handed {
    uint64_t hash;
    uint64_t check;
};

/* Calls `visit` for each server transaction, live or lingering. */
void txn_layer_each_server(const struct txn_layer *layer,
                           void (*visit)(void *argument, const struct txn_handed *server),
                           void *argument);

/* Transactions that a layer with the same key has elsewhere. Once; -ENOMEM. */
int txn_layer_note_elsewhere(struct txn_layer *layer, const struct txn_handed *servers,
                             size_t count) MUST_CHECK;
/* Whether a request is part of one of these: it itself, its CANCEL, or the ACK to its refusal. */
bool txn_request_is_elsewhere(const struct txn_layer *layer, const struct smsg *request);
void txn_layer_forget_elsewhere(struct txn_layer *layer);

#endif
