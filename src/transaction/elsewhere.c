/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys are in a table of their own, which goes as a whole when the other process does.
 */
#include "transaction/elsewhere.h"

#include <errno.h>
#include <stdlib.h>

#include "transaction_int.h"

static bool is_server(const struct txn_entry *entry)
{
    return entry->kind == TXN_LIVE_SERVER || entry->kind == TXN_LINGER_INVITE_SERVER_ACCEPTED ||
           entry->kind == TXN_LINGER_INVITE_SERVER_CONFIRMED ||
           entry->kind == TXN_LINGER_SERVER_COMPLETED;
}

struct server_visit {
    void (*visit)(void *argument, const struct txn_handed *server);
    void *argument;
};

static void visit_server(void *object, void *argument)
{
    const struct txn_entry *entry = object;
    const struct server_visit *each = argument;
    if (!is_server(entry))
        return;
    const struct txn_handed handed = {entry->hash, entry->check};
    each->visit(each->argument, &handed);
}

void txn_layer_each_server(const struct txn_layer *layer,
                           void (*visit)(void *argument, const struct txn_handed *server),
                           void *argument)
{
    struct server_visit each = {visit, argument};
    hash_table_each(layer->table, visit_server, &each);
}

int txn_layer_note_elsewhere(struct txn_layer *layer, const struct txn_handed *servers,
                             size_t count)
{
    if (count == 0)
        return 0;
    layer->handed = malloc(count * sizeof(*servers));
    int error = layer->handed != NULL ? hash_table_create(count, &layer->elsewhere) : -ENOMEM;
    for (size_t i = 0; i < count && error == 0; i++) {
        layer->handed[i] = servers[i];
        error = hash_table_insert(layer->elsewhere, servers[i].hash, &layer->handed[i]);
    }
    if (error != 0)
        txn_layer_forget_elsewhere(layer);
    return error;
}

static bool handed_match(const void *object, const void *key)
{
    return ((const struct txn_handed *)object)->check == *(const uint64_t *)key;
}

bool txn_request_is_elsewhere(const struct txn_layer *layer, const struct smsg *request)
{
    if (layer->elsewhere == NULL)
        return false;
    bool of_invite = request->method == SMSG_METHOD_ACK || request->method == SMSG_METHOD_CANCEL;
    struct txn_key key =
        txn_key_of_request(layer, request, of_invite ? SMSG_METHOD_INVITE : request->method);
    return hash_table_find(layer->elsewhere, key.hash, handed_match, &key.check) != NULL;
}

void txn_layer_forget_elsewhere(struct txn_layer *layer)
{
    hash_table_destroy(layer->elsewhere);
    free(layer->handed);
    layer->elsewhere = NULL;
    layer->handed = NULL;
}
