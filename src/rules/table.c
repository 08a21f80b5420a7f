/* SPDX-License-Identifier: Apache-2.0 */
#include "table_int.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "vector_int.h"

enum { FIRST_SLOTS = 64, KIND_SHIFT = 62 };

/*
 * A number's key is the integer that its digits make behind a leading 1, below 2^61, with the kind
 * of entry in the topmost bits; 0 means an empty slot.
 */
struct number_slot {
    uint64_t key;
    uint32_t value; /* index */
};

struct text_entry {
    struct slice text;
    uint32_t value;
    enum rule_list_entry entry;
};

struct text_key {
    struct slice text;
    enum rule_list_entry entry;
};

struct rule_table {
    enum rule_type type;
    struct arena *arena;
    struct rule_vector values; /* of struct rule_value */
    struct number_slot *slots; /* a power of two, at most three in four used */
    size_t capacity;
    size_t number_count;
    uint32_t prefix_lengths;      /* bit n: some prefix of a number has n digits */
    struct hash_table *texts;     /* of struct text_entry, in the arena */
    uint64_t text_prefix_lengths; /* the same for texts, in bytes */
};

/* Nobody but the operator chooses what is in a table, so the hash needs no secret. */
static const struct hash_key text_hash_key = {{UINT64_C(0x72756c65), UINT64_C(0x7461626c65)}};

int rule_table_create(enum rule_type type, struct arena *arena, struct rule_table **table)
{
    struct rule_table *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->type = type;
    made->arena = arena;
    made->values = RULE_VECTOR_OF(struct rule_value);
    int error = hash_table_create(0, &made->texts);
    if (error != 0) {
        free(made);
        return error;
    }
    *table = made;
    return 0;
}

enum rule_type rule_table_type(const struct rule_table *table)
{
    return table->type;
}

bool rule_table_holds_texts(const struct rule_table *table)
{
    return hash_table_count(table->texts) > 0;
}

size_t rule_table_count(const struct rule_table *table)
{
    return table->number_count + hash_table_count(table->texts);
}

static bool is_textual(enum rule_type type)
{
    return type == RULE_TEXT || type == RULE_NUMBER;
}

static bool values_equal(const struct rule_value *a, const struct rule_value *b)
{
    if (is_textual(a->type))
        return slice_equal(a->text, b->text);
    if (a->type == RULE_FLAG)
        return a->flag == b->flag;
    /* By order, since ratios are never compared bit by bit; neither is "not a number". */
    if (a->type == RULE_RATIO)
        return a->ratio <= b->ratio && a->ratio >= b->ratio;
    return a->integer == b->integer;
}

/* The index of the value; runs of entries with one value share it. */
static int keep_value(struct rule_table *table, const struct rule_value *value, uint32_t *index)
{
    const struct rule_value *values = table->values.items;
    size_t count = table->values.count;
    assert(value->type == table->type || is_textual(table->type));
    if (count > 0 && values_equal(&values[count - 1], value)) {
        *index = (uint32_t)(count - 1);
        return 0;
    }
    struct rule_value kept = *value;
    if (is_textual(kept.type)) {
        kept.text = arena_copy(table->arena, value->text);
        if (kept.text.data == NULL)
            return -ENOMEM;
    }
    if (count >= UINT32_MAX)
        return -ENOMEM;
    *index = (uint32_t)count;
    return rule_vector_push(&table->values, &kept);
}

static const struct rule_value *value_at(const struct rule_table *table, uint32_t index)
{
    return (const struct rule_value *)table->values.items + index;
}

static struct slice without_plus(struct slice number)
{
    return number.length > 0 && number.data[0] == '+' ? slice_from(number, 1) : number;
}

static uint64_t key_of(uint64_t digits, enum rule_list_entry entry)
{
    return digits | (uint64_t)entry << KIND_SHIFT;
}

static uint64_t mix(uint64_t key)
{
    key ^= key >> 32;
    key *= UINT64_C(0xd6e8feb86659fd93);
    key ^= key >> 32;
    key *= UINT64_C(0xd6e8feb86659fd93);
    return key ^ key >> 32;
}

/* The slot that holds the key, or the empty one where it belongs. */
static struct number_slot *slot_of(struct number_slot *slots, size_t capacity, uint64_t key)
{
    size_t at = mix(key) & (capacity - 1);
    while (slots[at].key != 0 && slots[at].key != key)
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

static int make_room(struct rule_table *table)
{
    if (table->number_count + 1 <= table->capacity / 4 * 3)
        return 0;
    size_t capacity = table->capacity > 0 ? table->capacity * 2 : FIRST_SLOTS;
    struct number_slot *slots = calloc(capacity, sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].key != 0)
            *slot_of(slots, capacity, table->slots[i].key) = table->slots[i];
    free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return 0;
}

/* 0 when it is not 1..RULE_LIST_DIGITS_MAX digits. */
static uint64_t digits_of(struct slice digits)
{
    uint64_t key = 1;
    if (digits.length == 0 || digits.length > RULE_LIST_DIGITS_MAX)
        return 0;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return 0;
        key = key * 10 + (uint64_t)(digits.data[i] - '0');
    }
    return key;
}

int rule_table_add_number(struct rule_table *table, enum rule_list_entry entry, struct slice number,
                          const struct rule_value *value, bool *same)
{
    struct slice digits = without_plus(number);
    uint64_t key = digits_of(digits);
    uint32_t index = 0;
    if (key == 0)
        return -EBADMSG;
    int error = make_room(table);
    if (error != 0)
        return error;
    struct number_slot *slot = slot_of(table->slots, table->capacity, key_of(key, entry));
    if (slot->key != 0) {
        *same = values_equal(value_at(table, slot->value), value);
        return -EEXIST;
    }
    error = keep_value(table, value, &index);
    if (error != 0)
        return error;
    *slot = (struct number_slot){key_of(key, entry), index};
    table->number_count++;
    if (entry == RULE_LIST_PREFIX)
        table->prefix_lengths |= UINT32_C(1) << digits.length;
    return 0;
}

static uint64_t text_hash(const struct text_key *key)
{
    return hash_slice(&text_hash_key, key->text) ^ (uint64_t)key->entry;
}

static bool text_matches(const void *object, const void *key)
{
    const struct text_entry *entry = object;
    const struct text_key *wanted = key;
    return entry->entry == wanted->entry && slice_equal(entry->text, wanted->text);
}

static const struct text_entry *find_text(const struct rule_table *table, struct slice text,
                                          enum rule_list_entry entry)
{
    const struct text_key key = {text, entry};
    return hash_table_find(table->texts, text_hash(&key), text_matches, &key);
}

int rule_table_add_text(struct rule_table *table, enum rule_list_entry entry, struct slice text,
                        const struct rule_value *value, bool *same)
{
    if (text.length == 0)
        return -EBADMSG;
    if (text.length > (entry == RULE_LIST_PREFIX ? RULE_LIST_TEXT_PREFIX_MAX : RULE_LIST_TEXT_MAX))
        return -EFBIG;
    const struct text_entry *present = find_text(table, text, entry);
    if (present != NULL) {
        *same = values_equal(value_at(table, present->value), value);
        return -EEXIST;
    }
    struct text_entry *added = arena_zalloc(table->arena, sizeof(*added));
    if (added == NULL)
        return -ENOMEM;
    added->entry = entry;
    added->text = arena_copy(table->arena, text);
    if (added->text.data == NULL)
        return -ENOMEM;
    int error = keep_value(table, value, &added->value);
    if (error != 0)
        return error;
    if (entry == RULE_LIST_PREFIX)
        table->text_prefix_lengths |= UINT64_C(1) << text.length;
    const struct text_key key = {added->text, entry};
    return hash_table_insert(table->texts, text_hash(&key), added);
}

static const struct rule_value *find_number(const struct rule_table *table, struct slice digits)
{
    const struct rule_value *found = NULL;
    uint64_t key = 1;
    if (table->number_count == 0)
        return NULL;
    for (size_t i = 0; i < digits.length; i++) {
        if (i >= RULE_LIST_DIGITS_MAX || digits.data[i] < '0' || digits.data[i] > '9')
            return found;
        key = key * 10 + (uint64_t)(digits.data[i] - '0');
        if ((table->prefix_lengths >> (i + 1) & 1) == 0)
            continue;
        const struct number_slot *slot =
            slot_of(table->slots, table->capacity, key_of(key, RULE_LIST_PREFIX));
        if (slot->key != 0)
            found = value_at(table, slot->value);
    }
    const struct number_slot *exact =
        slot_of(table->slots, table->capacity, key_of(key, RULE_LIST_EXACT));
    return exact->key != 0 ? value_at(table, exact->value) : found;
}

static const struct rule_value *find_text_value(const struct rule_table *table, struct slice text)
{
    if (!rule_table_holds_texts(table))
        return NULL;
    const struct text_entry *entry = find_text(table, text, RULE_LIST_EXACT);
    for (size_t length = RULE_LIST_TEXT_PREFIX_MAX; entry == NULL && length > 0; length--)
        if (length <= text.length && (table->text_prefix_lengths >> length & 1) != 0)
            entry = find_text(table, slice_first(text, length), RULE_LIST_PREFIX);
    return entry != NULL ? value_at(table, entry->value) : NULL;
}

const struct rule_value *rule_table_find(const struct rule_table *table,
                                         const struct rule_value *subject)
{
    const struct rule_value *found = NULL;
    assert(subject->known && is_textual(subject->type));
    if (subject->type == RULE_NUMBER)
        found = find_number(table, without_plus(subject->text));
    return found != NULL ? found : find_text_value(table, subject->text);
}

void rule_table_destroy(struct rule_table *table)
{
    if (table == NULL)
        return;
    rule_vector_clear(&table->values);
    hash_table_destroy(table->texts);
    free(table->slots);
    free(table);
}
