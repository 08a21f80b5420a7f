/* SPDX-License-Identifier: Apache-2.0 */
/* Every entry in turn, and a whole table at once. */
#include "replica_int.h"

#include <errno.h>

struct each {
    const struct rep_replica *replica;
    enum rep_kind kind;
    rep_replica_visit_fn *visit;
    void *argument;
};

static void each_entry(void *argument, uint64_t value, const struct rep_entry *entry)
{
    const struct each *each = argument;
    struct rep_key key = {.kind = each->kind};
    if (each->kind == REP_KIND_RAW) {
        const struct raw_text *text = hash_table_find(each->replica->raw_texts, value, NULL, NULL);
        if (text == NULL)
            return;
        key.text = slice_make(text->bytes, text->length);
    } else {
        key.packed = value;
    }
    each->visit(each->argument, &key, entry);
}

void rep_replica_each(const struct rep_replica *replica, uint64_t *cursor, unsigned partitions,
                      rep_replica_visit_fn *visit, void *argument)
{
    uint32_t first = (uint32_t)*cursor, last = 0;
    for (unsigned i = 0; i < REP_KIND_COUNT; i++) {
        struct each each = {replica, (enum rep_kind)i, visit, argument};
        rep_table_each(replica->table[i], first, partitions, each_entry, &each);
        uint32_t count = rep_table_partitions(replica->table[i]);
        last = count > last ? count : last;
    }
    *cursor = first + partitions < last ? first + partitions : 0;
}

void rep_replica_each_raw(const struct rep_replica *replica, rep_replica_visit_fn *visit,
                          void *argument)
{
    struct each each = {replica, REP_KIND_RAW, visit, argument};
    const struct rep_table *table = replica->table[REP_KIND_RAW];
    rep_table_each(table, 0, rep_table_partitions(table), each_entry, &each);
}

/* ---- adoption ------------------------------------------------------------------------------ */

struct insertion {
    struct rep_replica *replica;
    int code;
};

static void insert_entry(void *argument, const struct rep_key *key, const struct rep_entry *entry)
{
    struct insertion *insertion = argument;
    if (insertion->code == 0)
        insertion->code = rep_replica_set(insertion->replica, key, entry, NULL);
}

static void count_entry(void *argument, const struct rep_key *key, const struct rep_entry *entry)
{
    struct insertion *insertion = argument;
    char digits[REP_DIGITS_MAXIMUM + 1];
    if (rep_unpack_digits(key->packed, digits) == 0) {
        insertion->code = -EINVAL;
        return;
    }
    rep_replica_announce_prefix(insertion->replica, key->packed);
    rep_replica_count_prefix(insertion->replica, key->packed, NULL, entry);
}

static int for_all(struct rep_replica *replica, enum rep_kind kind, const struct rep_table *table,
                   rep_replica_visit_fn *visit)
{
    struct insertion insertion = {.replica = replica};
    struct each each = {replica, kind, visit, &insertion};
    rep_table_each(table, 0, rep_table_partitions(table), each_entry, &each);
    return insertion.code;
}

int rep_replica_adopt(struct rep_replica *replica, enum rep_kind kind, struct rep_table *table)
{
    struct rep_table **own = &replica->table[kind];
    int code = 0;
    if (rep_table_partitions(table) != rep_table_partitions(*own)) {
        code = for_all(replica, kind, table, insert_entry);
    } else {
        if (kind == REP_KIND_PREFIX)
            code = for_all(replica, kind, table, count_entry);
        struct rep_table *empty = *own;
        *own = table;
        table = empty;
    }
    rep_table_destroy(table);
    return code;
}
