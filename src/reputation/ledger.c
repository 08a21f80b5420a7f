/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_int.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "replica_int.h"

/* What an entry takes beside its record, in hash table, heap and allocator; measured. */
enum { OVERHEAD_BYTES = 44 };

/* Behind it the statements, then the text of a raw key. */
struct record {
    uint64_t due_s;
    uint64_t packed;
    uint64_t expires_s;
    uint32_t place; /* in the heap */
    uint8_t kind;
    uint8_t count;
    uint8_t text_length;
    struct rep_statement item[];
};

struct rep_ledger {
    struct rep_replica *replica;
    const struct rep_authority *authority;
    struct hash_key seed;
    struct hash_table *records;
    struct record **heap; /* the earliest first */
    uint32_t length, capacity;
    /* Read by `status` on other threads. */
    _Atomic uint64_t count, bytes;
};

int rep_ledger_create(struct rep_replica *replica, const struct rep_authority *authority,
                      uint64_t seed, struct rep_ledger **ledger)
{
    struct rep_ledger *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->replica = replica;
    created->authority = authority;
    created->seed = (struct hash_key){{seed, ~seed}};
    int code = hash_table_create(64, &created->records);
    if (code != 0)
        rep_ledger_destroy(created);
    else
        *ledger = created;
    return code;
}

void rep_ledger_destroy(struct rep_ledger *ledger)
{
    if (ledger == NULL)
        return;
    for (uint32_t i = 0; i < ledger->length; i++)
        free(ledger->heap[i]);
    free(ledger->heap);
    if (ledger->records != NULL)
        hash_table_destroy(ledger->records);
    free(ledger);
}

/* ---- the heap ------------------------------------------------------------------------------ */

static void put_at(struct rep_ledger *ledger, uint32_t place, struct record *record)
{
    ledger->heap[place] = record;
    record->place = place;
}

static void rise(struct rep_ledger *ledger, struct record *record)
{
    uint32_t place = record->place;
    while (place > 0 && ledger->heap[(place - 1) / 2]->due_s > record->due_s) {
        put_at(ledger, place, ledger->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put_at(ledger, place, record);
}

static void sink(struct rep_ledger *ledger, struct record *record)
{
    uint32_t place = record->place;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= ledger->length)
            break;
        if (child + 1 < ledger->length &&
            ledger->heap[child + 1]->due_s < ledger->heap[child]->due_s)
            child++;
        if (ledger->heap[child]->due_s >= record->due_s)
            break;
        put_at(ledger, place, ledger->heap[child]);
        place = child;
    }
    put_at(ledger, place, record);
}

static int reserve(struct rep_ledger *ledger)
{
    if (ledger->length < ledger->capacity)
        return 0;
    uint32_t capacity = ledger->capacity > 0 ? ledger->capacity * 2 : 64;
    struct record **grown = realloc(ledger->heap, capacity * sizeof(struct record *));
    if (grown == NULL)
        return -ENOMEM;
    ledger->heap = grown;
    ledger->capacity = capacity;
    return 0;
}

/* ---- records ------------------------------------------------------------------------------- */

static size_t record_size(const struct record *record)
{
    return sizeof(*record) + record->count * sizeof(record->item[0]) + record->text_length;
}

static struct slice record_text(const struct record *record)
{
    return slice_make((const char *)&record->item[record->count], record->text_length);
}

static struct rep_key record_key(const struct record *record)
{
    return (struct rep_key){(enum rep_kind)record->kind, record->packed, record_text(record)};
}

static bool record_matches(const void *object, const void *wanted)
{
    const struct record *record = object;
    const struct rep_key *key = wanted;
    return record->kind == key->kind && record->packed == key->packed &&
           (key->kind != REP_KIND_RAW || slice_equal(record_text(record), key->text));
}

static uint64_t hash_of(const struct rep_ledger *ledger, const struct rep_key *key)
{
    return key->kind == REP_KIND_RAW ? hash_slice(&ledger->seed, key->text)
                                     : hash_mix(key->packed ^ ledger->seed.word[0], key->kind);
}

static struct record *find(const struct rep_ledger *ledger, const struct rep_key *key)
{
    return ledger->length == 0
               ? NULL
               : hash_table_find(ledger->records, hash_of(ledger, key), record_matches, key);
}

static void account(struct rep_ledger *ledger, const struct record *record, bool added)
{
    uint64_t one = added ? 1 : UINT64_MAX;
    atomic_fetch_add_explicit(&ledger->count, one, memory_order_relaxed);
    atomic_fetch_add_explicit(&ledger->bytes, one * (record_size(record) + OVERHEAD_BYTES),
                              memory_order_relaxed);
}

static void forget(struct rep_ledger *ledger, struct record *record)
{
    struct rep_key key = record_key(record);
    struct record *last = ledger->heap[--ledger->length];
    if (last != record) {
        put_at(ledger, record->place, last);
        rise(ledger, last);
        sink(ledger, last);
    }
    account(ledger, record, false);
    hash_table_remove(ledger->records, hash_of(ledger, &key), record);
    free(record);
}

static void forget_key(struct rep_ledger *ledger, const struct rep_key *key)
{
    struct record *record = find(ledger, key);
    if (record != NULL)
        forget(ledger, record);
}

static int keep(struct rep_ledger *ledger, const struct rep_key *key,
                const struct rep_statements *said, uint64_t due_s)
{
    size_t text_length = key->kind == REP_KIND_RAW ? key->text.length : 0;
    forget_key(ledger, key);
    int code = reserve(ledger);
    if (code != 0)
        return code;
    struct record *record =
        malloc(sizeof(*record) + said->count * sizeof(record->item[0]) + text_length);
    if (record == NULL)
        return -ENOMEM;
    *record = (struct record){
        .due_s = due_s,
        .packed = key->packed,
        .expires_s = said->expires_s,
        .kind = (uint8_t)key->kind,
        .count = (uint8_t)said->count,
        .text_length = (uint8_t)text_length,
    };
    memcpy(record->item, said->item, said->count * sizeof(record->item[0]));
    if (text_length > 0)
        memcpy(&record->item[record->count], key->text.data, text_length);
    code = hash_table_insert(ledger->records, hash_of(ledger, key), record);
    if (code != 0) {
        free(record);
        return code;
    }
    record->place = ledger->length++;
    rise(ledger, record);
    account(ledger, record, true);
    return 0;
}

static void statements_of(const struct record *record, struct rep_statements *said)
{
    said->expires_s = record->expires_s;
    said->count = record->count;
    memcpy(said->item, record->item, record->count * sizeof(record->item[0]));
}

/* ---- as the replica ------------------------------------------------------------------------ */

int rep_ledger_set(struct rep_ledger *ledger, const struct rep_key *key,
                   const struct rep_value *value, bool *changed)
{
    int code = 0;
    if (value->changes_s != 0)
        code = keep(ledger, key, &value->said, value->changes_s);
    else
        forget_key(ledger, key);
    return code != 0 ? code : rep_replica_set(ledger->replica, key, &value->entry, changed);
}

bool rep_ledger_remove(struct rep_ledger *ledger, const struct rep_key *key)
{
    forget_key(ledger, key);
    return rep_replica_remove(ledger->replica, key);
}

bool rep_ledger_knows(const struct rep_ledger *ledger, const struct rep_key *key,
                      const struct rep_value *value, uint64_t tolerance_s)
{
    const struct record *record = find(ledger, key);
    if (record == NULL || value->changes_s == 0)
        return false;
    struct rep_statements said;
    statements_of(record, &said);
    return rep_statements_equal(&said, &value->said, tolerance_s);
}

bool rep_ledger_touch(struct rep_ledger *ledger, const struct rep_key *key,
                      const struct rep_value *value, uint64_t tolerance_s)
{
    bool known = rep_ledger_knows(ledger, key, value, tolerance_s);
    struct rep_entry held;
    if (!known)
        return value->changes_s == 0 && find(ledger, key) == NULL &&
               rep_replica_touch(ledger->replica, key, &value->entry, tolerance_s);
    /* The entry is what it was when it was made last; the statements say the rest. */
    return rep_replica_get(ledger->replica, key, 0, &held) &&
           rep_replica_touch(ledger->replica, key, &held, 0);
}

static void renew(struct rep_ledger *ledger, struct record *record, uint64_t now_wall_s)
{
    struct rep_key key = record_key(record);
    struct rep_statements said;
    struct rep_value value;
    struct rep_entry held;
    statements_of(record, &said);
    if (!rep_replica_get(ledger->replica, &key, 0, &held)) {
        forget(ledger, record);
    } else if (!rep_combine(ledger->authority, &said, now_wall_s, &value)) {
        rep_replica_remove(ledger->replica, &key);
        forget(ledger, record);
    } else if (rep_replica_renew(ledger->replica, &key, &value.entry) != 0) {
        /* No room to put it elsewhere: in a second again. */
        record->due_s = now_wall_s + 1;
        sink(ledger, record);
    } else if (value.changes_s == 0) {
        forget(ledger, record);
    } else {
        record->due_s = value.changes_s;
        sink(ledger, record);
    }
}

unsigned rep_ledger_advance(struct rep_ledger *ledger, uint64_t now_wall_s, unsigned limit)
{
    unsigned done = 0;
    while (done < limit && ledger->length > 0 && ledger->heap[0]->due_s <= now_wall_s) {
        renew(ledger, ledger->heap[0], now_wall_s);
        done++;
    }
    return done;
}

uint64_t rep_ledger_count(const struct rep_ledger *ledger)
{
    return atomic_load_explicit(&ledger->count, memory_order_relaxed);
}

uint64_t rep_ledger_bytes(const struct rep_ledger *ledger)
{
    return atomic_load_explicit(&ledger->bytes, memory_order_relaxed);
}

/* ---- for the saved file -------------------------------------------------------------------- */

void rep_ledger_each(const struct rep_ledger *ledger, rep_ledger_visit_fn *visit, void *argument)
{
    for (uint32_t i = 0; ledger != NULL && i < ledger->length; i++) {
        struct rep_key key = record_key(ledger->heap[i]);
        struct rep_statements said;
        statements_of(ledger->heap[i], &said);
        visit(argument, &key, &said);
    }
}

int rep_ledger_restore(struct rep_ledger *ledger, const struct rep_key *key,
                       const struct rep_statements *said)
{
    return keep(ledger, key, said, 0);
}
