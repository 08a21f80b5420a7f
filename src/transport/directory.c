/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "stream_int.h"

struct place {
    struct tp_address address;
    uint16_t listener;
    uint64_t id;
};

/* Locked when an accepted connection begins or ends, and by a worker that has no connection of its
 * own to an address: never for a message that finds one. */
struct directory {
    pthread_mutex_t lock;
    struct hash_key key;
    struct hash_table *table;
};

static bool is_same(const void *object, const void *key)
{
    const struct place *a = object, *b = key;
    return a->listener == b->listener && tp_address_equal(&a->address, &b->address) &&
           (b->id == 0 || a->id == b->id);
}

static struct place *find(struct directory *directory, const struct place *key, uint64_t *hash)
{
    *hash = tp_address_hash(&directory->key, &key->address, key->listener);
    return hash_table_find(directory->table, *hash, is_same, key);
}

int tp_directory_create(const struct hash_key *key, struct directory **directory)
{
    struct directory *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->key = *key;
    int error = hash_table_create(64, &made->table);
    if (error != 0) {
        free(made);
        return error;
    }
    pthread_mutex_init(&made->lock, NULL);
    *directory = made;
    return 0;
}

int tp_directory_add(struct directory *directory, uint16_t listener,
                     const struct tp_address *address, uint64_t id)
{
    struct place *place = malloc(sizeof(*place));
    if (place == NULL)
        return -ENOMEM;
    *place = (struct place){*address, listener, id};
    uint64_t hash = tp_address_hash(&directory->key, address, listener);
    pthread_mutex_lock(&directory->lock);
    int error = hash_table_insert(directory->table, hash, place);
    pthread_mutex_unlock(&directory->lock);
    if (error != 0)
        free(place);
    return error;
}

void tp_directory_remove(struct directory *directory, uint16_t listener,
                         const struct tp_address *address, uint64_t id)
{
    uint64_t hash;
    const struct place key = {*address, listener, id};
    pthread_mutex_lock(&directory->lock);
    struct place *place = find(directory, &key, &hash);
    if (place != NULL)
        hash_table_remove(directory->table, hash, place);
    pthread_mutex_unlock(&directory->lock);
    free(place);
}

uint64_t tp_directory_find(struct directory *directory, uint16_t listener,
                           const struct tp_address *address)
{
    uint64_t hash;
    const struct place key = {*address, listener, 0};
    pthread_mutex_lock(&directory->lock);
    const struct place *place = find(directory, &key, &hash);
    uint64_t id = place != NULL ? place->id : 0;
    pthread_mutex_unlock(&directory->lock);
    return id;
}

static void free_place(void *object, void *argument)
{
    (void)argument;
    free(object);
}

void tp_directory_destroy(struct directory *directory)
{
    if (directory == NULL)
        return;
    hash_table_each(directory->table, free_place, NULL);
    hash_table_destroy(directory->table);
    pthread_mutex_destroy(&directory->lock);
    free(directory);
}
