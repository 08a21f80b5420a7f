/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "transport_int.h"

enum { NAME_LIMIT = 253, /* RFC 1035 section 2.3.4, as text */ DEFAULT_PORT = 5060 };

/* What a name is compared by: an address, or a lower-case host. */
struct name {
    struct tp_address address; /* family 0: `host` counts; the port counts in both cases */
    uint8_t length;
    char host[NAME_LIMIT];
};

struct entry {
    struct entry *next;
    struct name name;
    uint16_t listener;
};

struct names {
    struct hash_key key;
    struct hash_table *table;
    struct entry *first;
};

static int name_make(struct slice host, uint16_t port, struct name *name)
{
    if (port == 0)
        port = DEFAULT_PORT;
    name->length = 0;
    if (tp_address_from_host(host, port, &name->address) == 0)
        return 0;

    /* RFC 1034 section 3.1: the name written with its root dot is the same name. */
    if (host.length > 0 && host.data[host.length - 1] == '.')
        host.length--;
    if (host.length == 0 || host.length > NAME_LIMIT)
        return ERROR_MALFORMED;
    name->address = (struct tp_address){.port = port};
    name->length = (uint8_t)host.length;
    for (size_t i = 0; i < host.length; i++) {
        char byte = host.data[i];
        name->host[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
    }
    return 0;
}

/* The address is all zero but its port where the host counts. */
static uint64_t name_hash(const struct names *names, const struct name *name)
{
    uint64_t host = name->length > 0 ? hash_siphash13(&names->key, name->host, name->length) : 0;
    return tp_address_hash(&names->key, &name->address, host);
}

static bool name_match(const void *object, const void *key)
{
    const struct name *a = &((const struct entry *)object)->name;
    const struct name *b = key;
    return a->length == b->length && memcmp(a->host, b->host, a->length) == 0 &&
           tp_address_equal(&a->address, &b->address);
}

int tp_names_create(const struct hash_key *key, struct names **names)
{
    struct names *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->key = *key;
    int error = hash_table_create(TP_LISTENER_LIMIT, &made->table);
    if (error != 0) {
        free(made);
        return error;
    }
    *names = made;
    return 0;
}

static int add(struct names *names, const struct name *name, uint16_t listener)
{
    uint64_t hash = name_hash(names, name);
    if (hash_table_find(names->table, hash, name_match, name) != NULL)
        return 0;
    struct entry *entry = malloc(sizeof(*entry));
    if (entry == NULL)
        return -ENOMEM;
    *entry = (struct entry){names->first, *name, listener};
    int error = hash_table_insert(names->table, hash, entry);
    if (error != 0) {
        free(entry);
        return error;
    }
    names->first = entry;
    return 0;
}

int tp_names_add(struct names *names, struct slice text, uint16_t listener)
{
    struct name name;
    struct tp_address address;
    if (tp_address_parse(text, DEFAULT_PORT, &address) == 0)
        return tp_names_add_address(names, &address, listener);

    size_t colon = slice_find(text, ':');
    uint64_t port = 0;
    if (colon < text.length &&
        (slice_to_uint64(slice_from(text, colon + 1), UINT16_MAX, &port) != 0 || port == 0))
        return ERROR_MALFORMED;
    int error = name_make(slice_first(text, colon), (uint16_t)port, &name);
    return error != 0 ? error : add(names, &name, listener);
}

int tp_names_add_address(struct names *names, const struct tp_address *address, uint16_t listener)
{
    struct name name = {.address = *address, .length = 0};
    return add(names, &name, listener);
}

int tp_names_find(const struct names *names, struct slice host, uint16_t port)
{
    struct name name;
    if (name_make(host, port, &name) != 0)
        return -1;
    const struct entry *entry =
        hash_table_find(names->table, name_hash(names, &name), name_match, &name);
    return entry != NULL ? entry->listener : -1;
}

void tp_names_destroy(struct names *names)
{
    if (names == NULL)
        return;
    while (names->first != NULL) {
        struct entry *entry = names->first;
        names->first = entry->next;
        free(entry);
    }
    hash_table_destroy(names->table);
    free(names);
}
