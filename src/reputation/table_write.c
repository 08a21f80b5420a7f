/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's half. table_int.h says why the stores come in this order. */
#include "table_layout_int.h"

#include <assert.h>

/* 87.5% full: beyond, an entry too often finds none of its nine lines free. */
enum { PAGE_TARGET = PAGE_SLOTS * 7 / 8 };

/* A key's partition as it is now. */
struct target {
    uint32_t partition;
    uint64_t remainder;
    struct span span;
};

static struct span current_span(const struct rep_table *table, uint32_t partition)
{
    return span_of(table, partition,
                   atomic_load_explicit(&table->directory[partition], memory_order_relaxed));
}

static struct target target_of(const struct rep_table *table, uint64_t key)
{
    uint64_t mixed = rep_permutation_forward(&table->permutation, key);
    uint32_t partition = (uint32_t)(mixed >> table->remainder_bits);
    return (struct target){partition, mixed & ((UINT64_C(1) << table->remainder_bits) - 1),
                           current_span(table, partition)};
}

/* Sets and clears bits of a header and counts its version. */
static void header_change(rep_word *line, uint32_t set, uint32_t clear)
{
    uint32_t header = word_load(line);
    word_store(line, ((header | set) & ~clear) + LINE_VERSION);
}

static uint32_t overflow_bit(uint32_t alternative)
{
    return UINT32_C(1) << (LINE_SLOTS + alternative - 1);
}

/* Puts a slot into its first free alternative and makes it visible; false when there is none. */
static bool place_free(const struct rep_table *table, struct span span, const struct rep_slot *slot)
{
    struct position position = {.home = span_home(table, span, rep_slot_remainder(slot))};
    for (; position.alternative <= LINE_ALTERNATIVES; position.alternative++) {
        rep_word *line = line_at(table, span, &position);
        uint32_t in_use = word_load(line) & LINE_FULL;
        if (in_use == LINE_FULL)
            continue;
        position.slot = (unsigned)__builtin_ctz(~in_use);
        rep_word *words = line_slot(line, position.slot);
        for (unsigned i = 0; i < REP_SLOT_WORDS; i++)
            word_store(&words[i], slot->word[i]);
        header_change(line, UINT32_C(1) << position.slot, 0);
        if (position.alternative > 0)
            header_change(span_line(table, span, position.home), overflow_bit(position.alternative),
                          0);
        return true;
    }
    return false;
}

static bool line_has_guest_of(const struct rep_table *table, struct span span, rep_word *line,
                              uint32_t home)
{
    uint32_t header = word_load(line);
    for (unsigned i = 0; i < LINE_SLOTS; i++) {
        struct rep_slot slot = line_load(line, i);
        if ((header >> i & 1) != 0 && span_home(table, span, rep_slot_remainder(&slot)) == home)
            return true;
    }
    return false;
}

static void clear(const struct rep_table *table, struct span span, const struct position *position)
{
    rep_word *line = line_at(table, span, position);
    header_change(line, 0, UINT32_C(1) << position->slot);
    if (position->alternative > 0 && !line_has_guest_of(table, span, line, position->home))
        header_change(span_line(table, span, position->home), 0,
                      overflow_bit(position->alternative));
}

/* Which alternative of its home a line is. */
static uint32_t alternative_of(struct span span, uint32_t home, uint32_t line)
{
    uint32_t alternative = 0;
    while (span_alternative(span, home, alternative) != line)
        alternative++;
    return alternative;
}

/* Moves one entry of a full line to another of its own alternatives; false when all are full. */
static bool evict(const struct rep_table *table, struct span span, uint32_t line)
{
    for (unsigned i = 0; i < LINE_SLOTS; i++) {
        struct rep_slot slot = line_load(span_line(table, span, line), i);
        if (!place_free(table, span, &slot))
            continue;
        uint32_t home = span_home(table, span, rep_slot_remainder(&slot));
        clear(table, span, &(struct position){home, alternative_of(span, home, line), i});
        return true;
    }
    return false;
}

/* Frees a place in one of the nine lines of a home that are all full. */
static bool make_room(const struct rep_table *table, struct span span, uint32_t home)
{
    for (uint32_t i = 0; i <= LINE_ALTERNATIVES; i++)
        if (evict(table, span, span_alternative(span, home, i)))
            return true;
    return false;
}

static bool place(const struct rep_table *table, struct span span, const struct rep_slot *slot)
{
    return place_free(table, span, slot) ||
           (make_room(table, span, span_home(table, span, rep_slot_remainder(slot))) &&
            place_free(table, span, slot));
}

static void give_pages(struct rep_table *table, const rep_word *ids, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++)
        rep_pages_give(&table->pages, word_load(&ids[i]));
}

/* Copies a partition into fresh pages; false when an entry found no place in them. */
static bool copy_span(const struct rep_table *table, struct span from, struct span to)
{
    for (uint32_t i = 0; i < from.lines; i++) {
        rep_word *line = span_line(table, from, i);
        uint32_t header = word_load(line);
        for (unsigned j = 0; j < LINE_SLOTS; j++) {
            struct rep_slot slot = line_load(line, j);
            if ((header >> j & 1) != 0 && !place(table, to, &slot))
                return false;
        }
    }
    return true;
}

/* Gives a partition `pages` pages, or a few more where its entries do not fit so many. */
static int rebuild(struct rep_table *table, uint32_t partition, uint32_t pages)
{
    _Atomic uint64_t *entry = &table->directory[partition];
    uint64_t directory = atomic_load_explicit(entry, memory_order_relaxed);
    struct span from = span_of(table, partition, directory);
    uint64_t version = (directory >> DIRECTORY_PAGES_BITS) + 1;
    rep_word *ids = table->ids[partition][version & 1];

    uint32_t taken = 0;
    for (; pages <= PARTITION_PAGES; pages++) {
        while (taken < pages) {
            uint32_t id;
            int code = rep_pages_take(&table->pages, &id);
            if (code != 0) {
                give_pages(table, ids, taken);
                return code;
            }
            word_store(&ids[taken++], id);
        }
        if (copy_span(table, from, (struct span){ids, pages * PAGE_LINES})) {
            atomic_store_explicit(entry, version << DIRECTORY_PAGES_BITS | pages,
                                  memory_order_release);
            give_pages(table, from.ids, from.lines / PAGE_LINES);
            atomic_fetch_add_explicit(&table->rebuilds, 1, memory_order_relaxed);
            return 0;
        }
        give_pages(table, ids, taken);
        taken = 0;
    }
    return ERROR_LIMIT;
}

static uint32_t pages_for(uint32_t entries)
{
    uint32_t pages = (entries + PAGE_TARGET - 1) / PAGE_TARGET;
    return pages < PARTITION_PAGES ? pages : PARTITION_PAGES;
}

/* Two pages too many before it shrinks, so that a count going up and down does not copy each time.
 */
static void shrink(struct rep_table *table, uint32_t partition)
{
    uint32_t pages = current_span(table, partition).lines / PAGE_LINES;
    uint32_t needed = pages_for(table->count[partition]);
    if (needed + 2 > pages && (needed > 0 || pages == 0))
        return;
    /* Out of pages: it stays as roomy as it is. */
    int code = rebuild(table, partition, needed);
    (void)code;
}

static int place_growing(struct rep_table *table, struct target *target,
                         const struct rep_slot *slot, uint32_t entries)
{
    uint32_t pages = target->span.lines / PAGE_LINES;
    uint32_t wanted = pages_for(entries);
    for (;;) {
        if (pages < wanted) {
            int code = rebuild(table, target->partition, wanted);
            if (code != 0 && (pages == 0 || wanted == pages + 1))
                return code;
            target->span = current_span(table, target->partition);
            pages = target->span.lines / PAGE_LINES;
        }
        if (place(table, target->span, slot))
            return 0;
        if (pages >= PARTITION_PAGES)
            return ERROR_LIMIT;
        wanted = pages + 1;
    }
}

static int insert(struct rep_table *table, struct target *target, const struct rep_slot *slot)
{
    int code = place_growing(table, target, slot, table->count[target->partition] + 1u);
    if (code != 0)
        return code;
    table->count[target->partition]++;
    table->seen++;
    atomic_fetch_add_explicit(&table->entries, 1, memory_order_relaxed);
    return 0;
}

/* A free place among the alternatives of a key that has none, at the price of growing. */
static int find_room(struct rep_table *table, struct target *target)
{
    uint32_t pages = target->span.lines / PAGE_LINES;
    if (make_room(table, target->span, span_home(table, target->span, target->remainder)))
        return 0;
    if (pages >= PARTITION_PAGES)
        return ERROR_LIMIT;
    int code = rebuild(table, target->partition, pages + 1);
    target->span = current_span(table, target->partition);
    return code;
}

/* The new slot becomes visible before the old one goes: readers find the one or the other. The old
 * one is looked for each time, since making room may move it. */
static int replace(struct rep_table *table, struct target *target, const struct rep_slot *slot)
{
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        struct position position;
        struct rep_slot old;
        bool found = locate(table, target->span, target->remainder, &position, &old);
        assert(found);
        (void)found;
        if (place_free(table, target->span, slot)) {
            clear(table, target->span, &position);
            return 0;
        }
        int code = find_room(table, target);
        if (code != 0)
            return code;
    }
    return ERROR_LIMIT;
}

static int update(struct rep_table *table, struct target *target, const struct position *position,
                  const struct rep_slot *old, const struct rep_slot *slot)
{
    bool first = old->word[0] != slot->word[0], last = old->word[2] != slot->word[2];
    int code = 0;
    if (first && last) {
        code = replace(table, target, slot);
    } else if (first || last) {
        rep_word *line = line_at(table, target->span, position);
        unsigned word = first ? 0 : 2;
        word_store(&line_slot(line, position->slot)[word], slot->word[word]);
        header_change(line, 0, 0);
    }
    if (code == 0 && rep_slot_generation(old) != rep_slot_generation(slot))
        table->seen++;
    return code;
}

int rep_table_set(struct rep_table *table, uint64_t key, const struct rep_entry *entry,
                  struct rep_entry *old, bool *existed)
{
    struct target target = target_of(table, key);
    struct rep_slot slot = rep_slot_make(target.remainder, entry, table->generation);
    struct rep_slot previous;
    struct position position;
    *existed = locate(table, target.span, target.remainder, &position, &previous);
    if (!*existed)
        return insert(table, &target, &slot);
    *old = rep_slot_entry(&previous);
    return update(table, &target, &position, &previous, &slot);
}

int rep_table_renew(struct rep_table *table, uint64_t key, const struct rep_entry *entry,
                    struct rep_entry *old)
{
    struct target target = target_of(table, key);
    struct rep_slot previous;
    struct position position;
    if (!locate(table, target.span, target.remainder, &position, &previous))
        return ERROR_NOT_FOUND;
    struct rep_slot slot = rep_slot_make(target.remainder, entry, rep_slot_generation(&previous));
    *old = rep_slot_entry(&previous);
    return update(table, &target, &position, &previous, &slot);
}

bool rep_table_touch(struct rep_table *table, uint64_t key, const struct rep_entry *entry,
                     uint64_t tolerance_s)
{
    struct target target = target_of(table, key);
    struct rep_slot slot = rep_slot_make(target.remainder, entry, table->generation);
    struct rep_slot previous;
    struct position position;
    if (!locate(table, target.span, target.remainder, &position, &previous) ||
        previous.word[2] != slot.word[2])
        return false;
    uint32_t had = previous.word[0] >> 1, has = slot.word[0] >> 1;
    uint32_t difference = had > has ? had - has : has - had;
    if (difference > tolerance_s || (had == 0) != (has == 0))
        return false;
    slot.word[0] = had << 1 | (table->generation & 1);
    /* One word at most differs: it is changed in place and cannot fail. */
    return update(table, &target, &position, &previous, &slot) == 0;
}

static void take_out(struct rep_table *table, uint32_t partition, struct span span,
                     const struct position *position, const struct rep_slot *slot)
{
    clear(table, span, position);
    table->count[partition]--;
    if (rep_slot_generation(slot) == (table->generation & 1))
        table->seen--;
    atomic_fetch_sub_explicit(&table->entries, 1, memory_order_relaxed);
    if (table->removed != NULL) {
        uint64_t mixed = (uint64_t)partition << table->remainder_bits | rep_slot_remainder(slot);
        struct rep_entry entry = rep_slot_entry(slot);
        table->removed(table->argument, rep_permutation_backward(&table->permutation, mixed),
                       &entry);
    }
}

bool rep_table_remove(struct rep_table *table, uint64_t key)
{
    struct target target = target_of(table, key);
    struct rep_slot slot;
    struct position position;
    if (!locate(table, target.span, target.remainder, &position, &slot))
        return false;
    take_out(table, target.partition, target.span, &position, &slot);
    shrink(table, target.partition);
    return true;
}

/* Walks the entries of one partition; the visitor may take the entry out. */
typedef void walk_fn(struct rep_table *table, uint32_t partition, struct span span,
                     const struct position *position, const struct rep_slot *slot, void *argument);

static void walk(struct rep_table *table, uint32_t partition, walk_fn *visit, void *argument)
{
    struct span span = current_span(table, partition);
    for (uint32_t i = 0; i < span.lines; i++) {
        rep_word *line = span_line(table, span, i);
        uint32_t header = word_load(line);
        for (unsigned j = 0; j < LINE_SLOTS; j++) {
            if ((header >> j & 1) == 0)
                continue;
            struct rep_slot slot = line_load(line, j);
            uint32_t home = span_home(table, span, rep_slot_remainder(&slot));
            struct position position = {home, alternative_of(span, home, i), j};
            visit(table, partition, span, &position, &slot, argument);
        }
    }
}

static void make_current(struct rep_table *table, uint32_t partition, struct span span,
                         const struct position *position, const struct rep_slot *slot,
                         void *argument)
{
    (void)partition;
    (void)argument;
    if (rep_slot_generation(slot) == (table->generation & 1))
        return;
    rep_word *line = line_at(table, span, position);
    word_store(line_slot(line, position->slot), slot->word[0] ^ 1);
    header_change(line, 0, 0);
    table->seen++;
}

uint64_t rep_table_stale(const struct rep_table *table)
{
    return atomic_load_explicit(&table->entries, memory_order_relaxed) - table->seen;
}

void rep_table_begin(struct rep_table *table)
{
    /* One bit tells two generations apart: what an abandoned resync left behind is brought to the
     * current one first. */
    rep_table_settle(table, 0, table->partitions);
    table->generation ^= 1;
    table->seen = 0;
}

void rep_table_settle(struct rep_table *table, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i - first < count && i < table->partitions; i++)
        if (rep_table_stale(table) > 0)
            walk(table, i, make_current, NULL);
}

static void drop_if_stale(struct rep_table *table, uint32_t partition, struct span span,
                          const struct position *position, const struct rep_slot *slot,
                          void *argument)
{
    const uint32_t *last = argument;
    uint32_t expiry = slot->word[0] >> 1;
    if (rep_slot_generation(slot) != (table->generation & 1) &&
        (last == NULL || (expiry != 0 && expiry <= *last)))
        take_out(table, partition, span, position, slot);
}

void rep_table_drop_stale(struct rep_table *table, uint32_t first, uint32_t count, uint64_t until_s)
{
    uint32_t last = rep_slot_expiry(until_s);
    for (uint32_t i = first; i - first < count && i < table->partitions; i++) {
        walk(table, i, drop_if_stale, until_s > 0 ? &last : NULL);
        shrink(table, i);
    }
}

struct sweep {
    uint32_t expiry;
    uint64_t removed;
};

static void drop_if_expired(struct rep_table *table, uint32_t partition, struct span span,
                            const struct position *position, const struct rep_slot *slot,
                            void *argument)
{
    struct sweep *sweep = argument;
    uint32_t expiry = slot->word[0] >> 1;
    if (expiry == 0 || expiry > sweep->expiry)
        return;
    take_out(table, partition, span, position, slot);
    sweep->removed++;
}

uint64_t rep_table_sweep(struct rep_table *table, uint64_t now_s, uint32_t first, uint32_t count)
{
    struct sweep sweep = {.expiry = rep_slot_expiry(now_s)};
    for (uint32_t i = first; i - first < count && i < table->partitions; i++) {
        uint64_t before = sweep.removed;
        walk(table, i, drop_if_expired, &sweep);
        if (sweep.removed != before)
            shrink(table, i);
    }
    return sweep.removed;
}

void rep_table_each(const struct rep_table *table, uint32_t first, uint32_t count,
                    rep_table_visit_fn *visit, void *argument)
{
    for (uint32_t i = first; i - first < count && i < table->partitions; i++) {
        struct span span = current_span(table, i);
        for (uint32_t j = 0; j < span.lines; j++) {
            rep_word *line = span_line(table, span, j);
            uint32_t header = word_load(line);
            for (unsigned k = 0; k < LINE_SLOTS; k++) {
                if ((header >> k & 1) == 0)
                    continue;
                struct rep_slot slot = line_load(line, k);
                uint64_t mixed = (uint64_t)i << table->remainder_bits | rep_slot_remainder(&slot);
                struct rep_entry entry = rep_slot_entry(&slot);
                visit(argument, rep_permutation_backward(&table->permutation, mixed), &entry);
            }
        }
    }
}
