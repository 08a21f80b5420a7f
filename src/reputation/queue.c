/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"

struct name {
    struct list_link link;
    uint64_t hash;
    size_t length;
    char bytes[];
};

struct rep_queue {
    struct list_link names;
    struct hash_table *known;
    struct hash_key seed;
    size_t limit;
};

int rep_queue_create(size_t limit, const struct hash_key *seed, struct rep_queue **queue)
{
    struct rep_queue *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    list_init(&created->names);
    created->seed = *seed;
    created->limit = limit;
    int code = hash_table_create(64, &created->known);
    if (code != 0)
        free(created);
    else
        *queue = created;
    return code;
}

static bool name_matches(const void *object, const void *key)
{
    const struct name *name = object;
    return slice_equal(slice_make(name->bytes, name->length), *(const struct slice *)key);
}

int rep_queue_push(struct rep_queue *queue, struct slice text)
{
    uint64_t hash = hash_slice(&queue->seed, text);
    if (hash_table_find(queue->known, hash, name_matches, &text) != NULL)
        return 0;
    if (hash_table_count(queue->known) >= queue->limit)
        return ERROR_LIMIT;
    struct name *name = malloc(sizeof(*name) + text.length);
    if (name == NULL)
        return -ENOMEM;
    name->hash = hash;
    name->length = text.length;
    memcpy(name->bytes, text.data, text.length);
    int code = hash_table_insert(queue->known, hash, name);
    if (code != 0) {
        free(name);
        return code;
    }
    list_append(&queue->names, &name->link);
    return 0;
}

static struct name *first_name(const struct rep_queue *queue)
{
    struct list_link *link = queue->names.next;
    return link == &queue->names ? NULL : LIST_ENTRY(link, struct name, link);
}

struct slice rep_queue_first(const struct rep_queue *queue)
{
    const struct name *name = first_name(queue);
    return name != NULL ? slice_make(name->bytes, name->length) : slice_make(NULL, 0);
}

void rep_queue_drop(struct rep_queue *queue)
{
    struct name *name = first_name(queue);
    if (name == NULL)
        return;
    hash_table_remove(queue->known, name->hash, name);
    list_remove(&name->link);
    free(name);
}

size_t rep_queue_count(const struct rep_queue *queue)
{
    return hash_table_count(queue->known);
}

void rep_queue_clear(struct rep_queue *queue)
{
    while (first_name(queue) != NULL)
        rep_queue_drop(queue);
}

void rep_queue_destroy(struct rep_queue *queue)
{
    if (queue == NULL)
        return;
    rep_queue_clear(queue);
    hash_table_destroy(queue->known);
    free(queue);
}
