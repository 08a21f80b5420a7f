/* SPDX-License-Identifier: Apache-2.0 */
#include "reputation/replica.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "replica_int.h"
#include "reputation/names.h"

enum { DEFAULT_MIN_BLOCK_PREFIX = 7, PARTITION_ROOM = 4000 };

static const uint64_t default_capacity = 16000000;

/* Any value can be looked for: what is cut off here was no key, and is not taken for one. */
static const uint64_t packed_mask = (UINT64_C(1) << REP_TABLE_KEY_BITS) - 1;

static unsigned digits_of(uint64_t packed)
{
    unsigned digits = 0;
    for (; packed >= 10; packed /= 10)
        digits++;
    return digits;
}

static bool packed_is_valid(uint64_t packed)
{
    char digits[REP_DIGITS_MAXIMUM + 1];
    return rep_unpack_digits(packed, digits) > 0;
}

static bool is_too_short(const struct rep_replica *replica, unsigned digits)
{
    return digits < replica->min_block_prefix;
}

static uint64_t raw_key(const struct rep_replica *replica, struct slice text)
{
    return hash_slice(&replica->raw_seed, text) >> (64 - REP_TABLE_KEY_BITS);
}

static void prefix_removed(void *argument, uint64_t key, const struct rep_entry *entry)
{
    struct rep_replica *replica = argument;
    unsigned digits = digits_of(key);
    if (--replica->prefixes_of_length[digits] == 0)
        atomic_fetch_and_explicit(&replica->prefix_lengths, ~(UINT32_C(1) << digits),
                                  memory_order_release);
    if (is_too_short(replica, digits) && entry->list == REP_LIST_BLOCK)
        atomic_fetch_sub_explicit(&replica->short_prefixes, 1, memory_order_relaxed);
}

static void raw_removed(void *argument, uint64_t key, const struct rep_entry *entry)
{
    (void)entry;
    struct rep_replica *replica = argument;
    struct raw_text *text = hash_table_find(replica->raw_texts, key, NULL, NULL);
    if (text != NULL) {
        hash_table_remove(replica->raw_texts, key, text);
        free(text);
    }
}

static unsigned partition_bits_for(uint64_t capacity)
{
    unsigned bits = REP_TABLE_BITS_MINIMUM;
    while (bits < REP_TABLE_BITS_MAXIMUM && (capacity >> bits) > PARTITION_ROOM)
        bits++;
    return bits;
}

int rep_replica_table_create(struct rep_replica *replica, enum rep_kind kind, unsigned bits,
                             const uint64_t seed[2], struct rep_table **table)
{
    static rep_table_removed_fn *const removed[REP_KIND_COUNT] = {
        [REP_KIND_PREFIX] = prefix_removed,
        [REP_KIND_RAW] = raw_removed,
    };
    const struct rep_table_options options = {
        .partition_bits = bits,
        .seed = {seed[0], seed[1]},
        .removed = removed[kind],
        .argument = replica,
    };
    return rep_table_create(&options, table);
}

int rep_replica_create(const struct rep_replica_options *options, struct rep_replica **replica)
{
    struct rep_replica *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    created->min_block_prefix =
        options->min_block_prefix ? options->min_block_prefix : DEFAULT_MIN_BLOCK_PREFIX;
    created->raw_seed = (struct hash_key){{options->seed[0], options->seed[1]}};

    uint64_t capacity = options->capacity ? options->capacity : default_capacity;
    int code = hash_table_create(64, &created->raw_texts);
    for (unsigned i = 0; code == 0 && i < REP_KIND_COUNT; i++)
        code = rep_replica_table_create(
            created, (enum rep_kind)i,
            i == REP_KIND_NUMBER ? partition_bits_for(capacity) : REP_TABLE_BITS_MINIMUM,
            (const uint64_t[2]){options->seed[0] + i, options->seed[1]}, &created->table[i]);
    if (code != 0)
        rep_replica_destroy(created);
    else
        *replica = created;
    return code;
}

static void free_text(void *text, void *argument)
{
    (void)argument;
    free(text);
}

void rep_replica_destroy(struct rep_replica *replica)
{
    if (replica == NULL)
        return;
    for (unsigned i = 0; i < REP_KIND_COUNT; i++)
        rep_table_destroy(replica->table[i]);
    if (replica->raw_texts != NULL) {
        hash_table_each(replica->raw_texts, free_text, NULL);
        hash_table_destroy(replica->raw_texts);
    }
    free(replica);
}

/* ---- readers ------------------------------------------------------------------------------- */

static bool is_valid(const struct rep_entry *entry, uint64_t now_wall_s)
{
    return entry->expires_s == 0 || now_wall_s < entry->expires_s;
}

static bool table_find_valid(const struct rep_table *table, uint64_t key, uint64_t now_wall_s,
                             struct rep_entry *entry)
{
    return rep_table_find(table, key, entry) && is_valid(entry, now_wall_s);
}

static void limit_short_prefix(struct rep_finding *finding)
{
    if (finding->entry.list == REP_LIST_BLOCK) {
        finding->entry.list = REP_LIST_WATCH;
        finding->limited = true;
    }
    if (finding->entry.score > REP_SHORT_PREFIX_SCORE) {
        finding->entry.score = REP_SHORT_PREFIX_SCORE;
        finding->limited = true;
    }
}

static bool find_prefix(const struct rep_replica *replica, uint64_t packed, uint64_t now_wall_s,
                        struct rep_finding *finding)
{
    uint32_t lengths = atomic_load_explicit(&replica->prefix_lengths, memory_order_acquire);
    if (lengths == 0)
        return false;
    for (unsigned digits = digits_of(packed); digits > 0; digits--, packed /= 10) {
        struct rep_entry entry;
        if ((lengths >> digits & 1) == 0 ||
            !table_find_valid(replica->table[REP_KIND_PREFIX], packed, now_wall_s, &entry))
            continue;
        *finding = (struct rep_finding){
            .entry = entry, .match = REP_MATCH_PREFIX, .prefix_length = (uint8_t)digits};
        if (is_too_short(replica, digits))
            limit_short_prefix(finding);
        return true;
    }
    return false;
}

/* Below 2^51, so it is a key of the tables; what has more digits is nobody's number. */
static bool packed_in_range(uint64_t packed)
{
    return packed >= 10 && packed < UINT64_C(2000000000000000);
}

bool rep_replica_find(const struct rep_replica *replica, uint64_t packed, uint64_t now_wall_s,
                      struct rep_finding *finding)
{
    *finding = rep_finding_none();
    if (!packed_in_range(packed))
        return false;
    struct rep_entry entry;
    if (table_find_valid(replica->table[REP_KIND_NUMBER], packed, now_wall_s, &entry)) {
        *finding = (struct rep_finding){.entry = entry, .match = REP_MATCH_NUMBER};
        return true;
    }
    return find_prefix(replica, packed, now_wall_s, finding);
}

static void prefetch_prefixes(const struct rep_replica *replica, uint64_t packed)
{
    const struct rep_table *table = replica->table[REP_KIND_PREFIX];
    uint32_t lengths = atomic_load_explicit(&replica->prefix_lengths, memory_order_relaxed);
    if (lengths == 0 || !packed_in_range(packed))
        return;
    for (unsigned digits = digits_of(packed); digits > 0; digits--, packed /= 10)
        if ((lengths >> digits & 1) != 0)
            rep_table_prefetch(table, rep_table_mix(table, packed));
}

void rep_replica_prefetch(const struct rep_replica *replica, uint64_t packed)
{
    const struct rep_table *table = replica->table[REP_KIND_NUMBER];
    rep_table_prefetch(table, rep_table_mix(table, packed & packed_mask));
    prefetch_prefixes(replica, packed);
}

enum { BATCH = 16 };

/* The numbers themselves; those that are not there have their prefixes fetched already. */
static void find_batch_numbers(const struct rep_replica *replica, const uint64_t *packed,
                               size_t count, uint64_t now_wall_s, struct rep_finding *findings)
{
    const struct rep_table *table = replica->table[REP_KIND_NUMBER];
    uint64_t mixed[BATCH];
    for (size_t i = 0; i < count; i++) {
        mixed[i] = rep_table_mix(table, packed[i] & packed_mask);
        rep_table_prefetch(table, mixed[i]);
    }
    for (size_t i = 0; i < count; i++)
        rep_table_prefetch_overflow(table, mixed[i]);
    for (size_t i = 0; i < count; i++) {
        struct rep_entry entry;
        findings[i] = rep_finding_none();
        if (packed_in_range(packed[i]) && rep_table_find_mixed(table, mixed[i], &entry) &&
            is_valid(&entry, now_wall_s))
            findings[i] = (struct rep_finding){.entry = entry, .match = REP_MATCH_NUMBER};
        else
            prefetch_prefixes(replica, packed[i]);
    }
}

void rep_replica_find_batch(const struct rep_replica *replica, const uint64_t *packed, size_t count,
                            uint64_t now_wall_s, struct rep_finding *findings)
{
    while (count > 0) {
        size_t part = count < BATCH ? count : BATCH;
        find_batch_numbers(replica, packed, part, now_wall_s, findings);
        for (size_t i = 0; i < part; i++)
            if (findings[i].match == REP_MATCH_NONE && packed_in_range(packed[i]))
                find_prefix(replica, packed[i], now_wall_s, &findings[i]);
        packed += part;
        findings += part;
        count -= part;
    }
}

bool rep_replica_find_raw(const struct rep_replica *replica, struct slice text, uint64_t now_wall_s,
                          struct rep_finding *finding)
{
    *finding = rep_finding_none();
    struct rep_entry entry;
    if (text.length == 0 || text.length > REP_RAW_MAXIMUM ||
        !table_find_valid(replica->table[REP_KIND_RAW], raw_key(replica, text), now_wall_s, &entry))
        return false;
    *finding = (struct rep_finding){.entry = entry, .match = REP_MATCH_RAW};
    return true;
}

static bool table_key(const struct rep_replica *replica, const struct rep_key *key, uint64_t *value)
{
    if (key->kind == REP_KIND_RAW) {
        *value = raw_key(replica, key->text);
        return key->text.length > 0 && key->text.length <= REP_RAW_MAXIMUM;
    }
    *value = key->packed;
    return packed_is_valid(key->packed);
}

bool rep_replica_get(const struct rep_replica *replica, const struct rep_key *key,
                     uint64_t now_wall_s, struct rep_entry *entry)
{
    uint64_t value;
    return table_key(replica, key, &value) &&
           table_find_valid(replica->table[key->kind], value, now_wall_s, entry);
}

void rep_replica_figures(const struct rep_replica *replica, struct rep_replica_figures *figures)
{
    *figures = (struct rep_replica_figures){
        .short_prefixes = atomic_load_explicit(&replica->short_prefixes, memory_order_relaxed),
        .expired = atomic_load_explicit(&replica->expired, memory_order_relaxed),
    };
    for (unsigned i = 0; i < REP_KIND_COUNT; i++) {
        struct rep_table_figures table;
        rep_table_figures(replica->table[i], &table);
        figures->entries[i] = table.entries;
        figures->bytes += table.bytes;
        figures->rebuilds += table.rebuilds;
    }
}

/* ---- the writer ---------------------------------------------------------------------------- */

static int keep_raw_text(struct rep_replica *replica, uint64_t value, struct slice text)
{
    const struct raw_text *held = hash_table_find(replica->raw_texts, value, NULL, NULL);
    if (held != NULL)
        /* Two texts with one 51-bit hash: the first one keeps the place. */
        return slice_equal(slice_make(held->bytes, held->length), text) ? 0 : -EEXIST;
    struct raw_text *kept = malloc(sizeof(*kept) + text.length);
    if (kept == NULL)
        return -ENOMEM;
    kept->key = value;
    kept->length = text.length;
    memcpy(kept->bytes, text.data, text.length);
    int code = hash_table_insert(replica->raw_texts, value, kept);
    if (code != 0)
        free(kept);
    return code;
}

void rep_replica_announce_prefix(struct rep_replica *replica, uint64_t packed)
{
    atomic_fetch_or_explicit(&replica->prefix_lengths, UINT32_C(1) << digits_of(packed),
                             memory_order_release);
}

void rep_replica_count_prefix(struct rep_replica *replica, uint64_t packed,
                              const struct rep_entry *old, const struct rep_entry *entry)
{
    unsigned digits = digits_of(packed);
    if (old == NULL)
        replica->prefixes_of_length[digits]++;
    if (!is_too_short(replica, digits))
        return;
    uint64_t before = old != NULL && old->list == REP_LIST_BLOCK;
    uint64_t after = entry->list == REP_LIST_BLOCK;
    atomic_fetch_add_explicit(&replica->short_prefixes, after - before, memory_order_relaxed);
}

static bool entries_equal(const struct rep_entry *a, const struct rep_entry *b)
{
    return a->expires_s == b->expires_s && a->score == b->score && a->list == b->list &&
           a->type == b->type && a->source == b->source;
}

int rep_replica_set(struct rep_replica *replica, const struct rep_key *key,
                    const struct rep_entry *entry, bool *changed)
{
    uint64_t value;
    if (!table_key(replica, key, &value) || entry->score < REP_SCORE_UNKNOWN ||
        entry->score > REP_SCORE_MAXIMUM || entry->list >= REP_LIST_COUNT ||
        entry->source > REP_SOURCE_LIMIT)
        return -EINVAL;

    if (key->kind == REP_KIND_PREFIX)
        rep_replica_announce_prefix(replica, value);
    int code = key->kind == REP_KIND_RAW ? keep_raw_text(replica, value, key->text) : 0;
    if (code != 0)
        return code;

    struct rep_entry old;
    bool existed;
    code = rep_table_set(replica->table[key->kind], value, entry, &old, &existed);
    if (code != 0) {
        if (key->kind == REP_KIND_RAW && !existed)
            raw_removed(replica, value, entry);
        return code;
    }
    if (key->kind == REP_KIND_PREFIX)
        rep_replica_count_prefix(replica, value, existed ? &old : NULL, entry);
    if (changed != NULL)
        *changed = !existed || !entries_equal(&old, entry);
    return 0;
}

int rep_replica_renew(struct rep_replica *replica, const struct rep_key *key,
                      const struct rep_entry *entry)
{
    uint64_t value;
    struct rep_entry old;
    if (!table_key(replica, key, &value))
        return ERROR_NOT_FOUND;
    int code = rep_table_renew(replica->table[key->kind], value, entry, &old);
    if (code == 0 && key->kind == REP_KIND_PREFIX)
        rep_replica_count_prefix(replica, value, &old, entry);
    return code;
}

bool rep_replica_remove(struct rep_replica *replica, const struct rep_key *key)
{
    uint64_t value;
    return table_key(replica, key, &value) && rep_table_remove(replica->table[key->kind], value);
}

void rep_replica_begin(struct rep_replica *replica)
{
    for (unsigned i = 0; i < REP_KIND_COUNT; i++)
        rep_table_begin(replica->table[i]);
    replica->drop_next = 0;
}

bool rep_replica_touch(struct rep_replica *replica, const struct rep_key *key,
                       const struct rep_entry *entry, uint64_t tolerance_s)
{
    uint64_t value;
    return table_key(replica, key, &value) &&
           rep_table_touch(replica->table[key->kind], value, entry, tolerance_s);
}

uint64_t rep_replica_stale(const struct rep_replica *replica)
{
    uint64_t stale = 0;
    for (unsigned i = 0; i < REP_KIND_COUNT; i++)
        stale += rep_table_stale(replica->table[i]);
    return stale;
}

/* The next so many partitions of every table; true while there are further ones. */
static bool each_partition(struct rep_replica *replica, unsigned partitions, uint64_t until_s,
                           void (*work)(struct rep_table *table, uint32_t first, uint32_t count,
                                        uint64_t until_s))
{
    uint32_t last = 0;
    for (unsigned i = 0; i < REP_KIND_COUNT; i++) {
        work(replica->table[i], replica->drop_next, partitions, until_s);
        uint32_t count = rep_table_partitions(replica->table[i]);
        last = count > last ? count : last;
    }
    replica->drop_next += partitions;
    if (replica->drop_next < last)
        return true;
    replica->drop_next = 0;
    return false;
}

static void settle(struct rep_table *table, uint32_t first, uint32_t count, uint64_t unused)
{
    (void)unused;
    rep_table_settle(table, first, count);
}

bool rep_replica_settle(struct rep_replica *replica, unsigned partitions)
{
    return each_partition(replica, partitions, 0, settle);
}

bool rep_replica_drop_stale(struct rep_replica *replica, unsigned partitions)
{
    return each_partition(replica, partitions, 0, rep_table_drop_stale);
}

bool rep_replica_drop_stale_expiring(struct rep_replica *replica, unsigned partitions,
                                     uint64_t until_wall_s)
{
    return each_partition(replica, partitions, until_wall_s, rep_table_drop_stale);
}

void rep_replica_restart(struct rep_replica *replica)
{
    replica->drop_next = 0;
}

uint64_t rep_replica_sweep(struct rep_replica *replica, uint64_t now_wall_s, unsigned partitions)
{
    uint64_t removed = 0;
    uint32_t last = 0;
    for (unsigned i = 0; i < REP_KIND_COUNT; i++) {
        removed += rep_table_sweep(replica->table[i], now_wall_s, replica->sweep_next, partitions);
        uint32_t count = rep_table_partitions(replica->table[i]);
        last = count > last ? count : last;
    }
    replica->sweep_next =
        replica->sweep_next + partitions < last ? replica->sweep_next + partitions : 0;
    atomic_fetch_add_explicit(&replica->expired, removed, memory_order_relaxed);
    return removed;
}
