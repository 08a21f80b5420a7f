/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "transaction/elsewhere.h"
#include "transaction_int.h"

enum {
    /* Slots for each live transaction: two calls seldom share a counter, and where they do, the
     * limit is met early, never late. */
    CALL_SLOTS_PER_TRANSACTION = 4,
    TABLE_INITIAL = 1024
};

static int create_parts(struct txn_layer *layer)
{
    const struct txn_settings *settings = &layer->settings;
    uint64_t slots = 1024;
    while (slots < (uint64_t)settings->limit * CALL_SLOTS_PER_TRANSACTION)
        slots *= 2;
    if (slots > UINT32_MAX / 2)
        return -EINVAL;
    layer->call_mask = (uint32_t)slots - 1;
    layer->call_counts = calloc(slots, sizeof(layer->call_counts[0]));
    layer->composed = malloc(TP_DATAGRAM_LIMIT);
    if (layer->call_counts == NULL || layer->composed == NULL)
        return -ENOMEM;

    int error = hash_table_create(TABLE_INITIAL, &layer->table);
    if (error == 0)
        error = pool_create(sizeof(struct txn_server), settings->limit, &layer->servers);
    if (error == 0)
        error = pool_create(sizeof(struct txn_client), settings->limit, &layer->clients);
    if (error == 0)
        error = slab_create(settings->memory_limit, &layer->slab);
    return error != 0 ? error : txn_linger_create(layer);
}

int txn_layer_create(const struct txn_settings *settings, struct rt_wheel *wheel,
                     struct stats_shard *stats, const struct txn_output *output,
                     struct txn_layer **layer)
{
    struct txn_layer *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->settings = *settings;
    made->wheel = wheel;
    made->stats = stats;
    made->output = *output;
    int error = create_parts(made);
    if (error != 0) {
        txn_layer_destroy(made);
        return error;
    }
    *layer = made;
    return 0;
}

uint32_t txn_layer_live(const struct txn_layer *layer)
{
    return pool_used(layer->servers) + pool_used(layer->clients);
}

uint32_t txn_layer_lingering(const struct txn_layer *layer)
{
    return pool_used(layer->lingering);
}

size_t txn_layer_bytes(const struct txn_layer *layer)
{
    return slab_used(layer->slab);
}

void txn_layer_report_gauges(struct txn_layer *layer)
{
    stats_gauge_set(layer->stats, STATS_GAUGE_TRANSACTIONS, txn_layer_live(layer));
    stats_gauge_set(layer->stats, STATS_GAUGE_TRANSACTIONS_LINGERING, txn_layer_lingering(layer));
    stats_gauge_set(layer->stats, STATS_GAUGE_TRANSACTION_BYTES, txn_layer_bytes(layer));
}

bool txn_layer_is_reliable(const struct txn_layer *layer, uint16_t listener)
{
    return layer->output.reliable != NULL &&
           layer->output.reliable(layer->output.argument, listener);
}

bool txn_layer_is_full(const struct txn_layer *layer)
{
    return txn_layer_live(layer) >= layer->settings.limit;
}

bool txn_layer_enter_call(struct txn_layer *layer, struct slice call_id, uint32_t *slot)
{
    uint32_t place = (uint32_t)hash_slice(&layer->settings.key, call_id) & layer->call_mask;
    uint32_t limit = layer->settings.per_call_limit;
    if (limit > UINT16_MAX)
        limit = UINT16_MAX;
    if (layer->call_counts[place] >= limit)
        return false;
    layer->call_counts[place]++;
    *slot = place;
    return true;
}

void txn_layer_leave_call(struct txn_layer *layer, uint32_t slot)
{
    if (slot != TXN_NO_CALL_SLOT)
        layer->call_counts[slot]--;
}

struct txn_message *txn_message_keep(struct txn_layer *layer, uint16_t listener,
                                     const struct tp_address *to, struct slice bytes)
{
    if (bytes.length > TP_DATAGRAM_LIMIT)
        return NULL;
    size_t size = sizeof(struct txn_message) + bytes.length;
    struct txn_message *message;
    do
        message = slab_alloc(layer->slab, size);
    while (message == NULL && txn_linger_evict(layer));
    if (message == NULL)
        return NULL;
    message->connection = 0;
    message->to = *to;
    message->listener = listener;
    message->length = (uint32_t)bytes.length;
    if (bytes.length > 0)
        memcpy(message->bytes, bytes.data, bytes.length);
    return message;
}

void txn_message_free(struct txn_layer *layer, struct txn_message *message)
{
    if (message != NULL)
        slab_free(layer->slab, message, sizeof(*message) + message->length);
}

void txn_message_send(struct txn_layer *layer, const struct txn_message *message, uint64_t cookie)
{
    if (message->connection != 0)
        txn_respond(&layer->output, message->listener, message->connection, &message->to,
                    message_bytes(message));
    else
        layer->output.send(layer->output.argument, message->listener, &message->to,
                           message_bytes(message), cookie);
}

struct visit {
    void (*visit)(void *argument, const char *kind, const char *state, uint64_t age_us);
    void *argument;
    uint64_t now_us;
};

static void visit_entry(void *object, void *argument)
{
    static const char *const server_states[] = {"trying", "proceeding", "completed"};
    static const char *const client_states[] = {"trying", "proceeding", "over"};
    const struct visit *visit = argument;
    const struct txn_entry *entry = object;
    if (entry->kind == TXN_LIVE_SERVER) {
        const struct txn_server *server = object;
        visit->visit(visit->argument, server->is_invite ? "invite-server" : "server",
                     server_states[server->state], visit->now_us - server->created_us);
    } else if (entry->kind == TXN_LIVE_CLIENT) {
        const struct txn_client *client = object;
        bool is_invite = client->method == SMSG_METHOD_INVITE;
        const char *state = is_invite && client->state == TXN_CLIENT_TRYING
                                ? "calling"
                                : client_states[client->state];
        visit->visit(visit->argument, is_invite ? "invite-client" : "client", state,
                     visit->now_us - client->created_us);
    }
}

void txn_layer_each(const struct txn_layer *layer,
                    void (*visit)(void *argument, const char *kind, const char *state,
                                  uint64_t age_us),
                    void *argument, uint64_t now_us)
{
    struct visit each = {visit, argument, now_us};
    hash_table_each(layer->table, visit_entry, &each);
}

static void cancel_timer(void *object, void *argument)
{
    struct txn_layer *layer = argument;
    struct txn_entry *entry = object;
    if (entry->kind == TXN_LIVE_SERVER)
        rt_timer_cancel(layer->wheel, &((struct txn_server *)object)->timer);
    else if (entry->kind == TXN_LIVE_CLIENT)
        rt_timer_cancel(layer->wheel, &((struct txn_client *)object)->timer);
}

void txn_layer_destroy(struct txn_layer *layer)
{
    if (layer == NULL)
        return;
    if (layer->table != NULL)
        hash_table_each(layer->table, cancel_timer, layer);
    for (unsigned i = 0; i < TXN_LINGER_COUNT; i++)
        if (layer->queues[i].layer != NULL)
            rt_timer_cancel(layer->wheel, &layer->queues[i].timer);
    txn_layer_forget_elsewhere(layer);
    hash_table_destroy(layer->table);
    pool_destroy(layer->servers);
    pool_destroy(layer->clients);
    pool_destroy(layer->lingering);
    if (layer->slab != NULL)
        slab_destroy(layer->slab);
    free(layer->call_counts);
    free(layer->composed);
    free(layer);
}
