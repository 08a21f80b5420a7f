/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction_int.h"

static struct txn_linger *queue_pop(struct txn_queue *queue)
{
    struct txn_layer *layer = queue->layer;
    struct txn_linger *record = queue->first;
    queue->first = record->next;
    if (queue->first == NULL)
        queue->last = NULL;
    hash_table_remove(layer->table, record->entry.hash, record);
    txn_message_free(layer, record->message);
    pool_put(layer->lingering, record);
    return queue->first;
}

static void queue_fire(struct rt_timer *timer, uint64_t now_us)
{
    struct txn_queue *queue = LIST_ENTRY(timer, struct txn_queue, timer);
    struct txn_linger *record = queue->first;
    while (record != NULL && record->due_us <= now_us)
        record = queue_pop(queue);
    if (record != NULL)
        rt_timer_set(queue->layer->wheel, timer, now_us, record->due_us - now_us);
    txn_layer_report_gauges(queue->layer);
}

static void queue_append(struct txn_queue *queue, struct txn_linger *record)
{
    if (queue->last != NULL)
        queue->last->next = record;
    else
        queue->first = record;
    queue->last = record;
}

int txn_linger_create(struct txn_layer *layer)
{
    static const struct {
        uint8_t t1;
        uint8_t t4;
        uint8_t seconds;
        bool always;
    } rows[] = {
#define TXN_LINGER_ROW(identifier, t1, t4, seconds, always) {t1, t4, seconds, always},
        TXN_LINGER_TABLE(TXN_LINGER_ROW)
#undef TXN_LINGER_ROW
    };
    for (unsigned i = 0; i < TXN_LINGER_COUNT; i++) {
        struct txn_queue *queue = &layer->queues[i];
        uint64_t least = rows[i].seconds * UINT64_C(1000000);
        queue->layer = layer;
        queue->duration_us =
            layer->settings.t1_us * rows[i].t1 + layer->settings.t4_us * rows[i].t4;
        if (queue->duration_us < least)
            queue->duration_us = least;
        queue->also_when_reliable = rows[i].always;
        rt_timer_init(&queue->timer, queue_fire);
    }
    return pool_create(sizeof(struct txn_linger), layer->settings.lingering_limit,
                       &layer->lingering);
}

bool txn_linger_evict(struct txn_layer *layer)
{
    struct txn_queue *oldest = NULL;
    for (unsigned i = 0; i < TXN_LINGER_COUNT; i++) {
        struct txn_queue *queue = &layer->queues[i];
        if (queue->first != NULL &&
            (oldest == NULL || queue->first->due_us < oldest->first->due_us))
            oldest = queue;
    }
    if (oldest == NULL)
        return false;
    /* The timer may then fire before the next record is due, which does no harm. */
    if (queue_pop(oldest) == NULL)
        rt_timer_cancel(layer->wheel, &oldest->timer);
    return true;
}

void txn_linger_add(struct txn_layer *layer, enum txn_kind kind, const struct txn_entry *key,
                    struct txn_message *message, bool reliable, uint64_t now_us)
{
    struct txn_queue *queue = &layer->queues[kind];
    if (reliable && !queue->also_when_reliable) {
        txn_message_free(layer, message);
        return;
    }
    if (pool_used(layer->lingering) == pool_limit(layer->lingering))
        txn_linger_evict(layer);

    struct txn_linger *record = pool_get(layer->lingering);
    if (record == NULL) {
        txn_message_free(layer, message);
        return;
    }
    record->entry = *key;
    record->entry.kind = (uint8_t)kind;
    record->message = message;
    record->due_us = now_us + queue->duration_us;
    if (hash_table_insert(layer->table, key->hash, record) != 0) {
        txn_message_free(layer, message);
        pool_put(layer->lingering, record);
        return;
    }
    /* Messages from other workers carry the time of their batch, so it may step back a little:
     * such a record stays until the one before it goes. */
    queue_append(queue, record);
    if (!rt_timer_is_set(&queue->timer))
        rt_timer_set(layer->wheel, &queue->timer, now_us, record->due_us - now_us);
}
