/* SPDX-License-Identifier: Apache-2.0 */
#include "list_int.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/hash.h"
#include "vector_int.h"

/*
 * A number is kept as the integer that its digits make behind a leading 1, which keeps leading
 * zeros apart and makes 0 free to mean an empty slot.
 */
struct number_set {
    struct rule_vector keys; /* of uint64_t, in the order of adding; empty once sealed */
    uint64_t *slots;
    size_t capacity;
    size_t count;
    uint32_t lengths; /* bit n: some number has n digits */
};

struct text_entry {
    uint32_t first; /* in text_set.bytes */
    uint32_t length;
};

struct text_set {
    struct rule_vector bytes;   /* of char */
    struct rule_vector entries; /* of text_entry */
    uint32_t *slots;            /* 1 + index of the entry; 0: empty */
    size_t capacity;
    size_t count;
    uint64_t lengths; /* bit n: some text has n bytes; used for prefixes only */
};

struct rule_list {
    struct number_set numbers[RULE_LIST_ENTRY_COUNT];
    struct text_set texts[RULE_LIST_ENTRY_COUNT];
    bool sealed;
};

/* Nobody but the operator chooses what is in a table, so the hash needs no secret. */
static const struct hash_key text_key = {{UINT64_C(0x72756c65), UINT64_C(0x6c697374)}};

int rule_list_create(struct rule_list **list)
{
    struct rule_list *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    for (int i = 0; i < RULE_LIST_ENTRY_COUNT; i++) {
        made->numbers[i].keys = RULE_VECTOR_OF(uint64_t);
        made->texts[i].bytes = RULE_VECTOR_OF(char);
        made->texts[i].entries = RULE_VECTOR_OF(struct text_entry);
    }
    *list = made;
    return 0;
}

static struct slice without_plus(struct slice number)
{
    return number.length > 0 && number.data[0] == '+' ? slice_from(number, 1) : number;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* 0 when it is not 1..RULE_LIST_DIGITS_MAX digits. */
static uint64_t number_key(struct slice digits)
{
    if (digits.length == 0 || digits.length > RULE_LIST_DIGITS_MAX)
        return 0;
    uint64_t key = 1;
    for (size_t i = 0; i < digits.length; i++) {
        if (!is_digit(digits.data[i]))
            return 0;
        key = key * 10 + (uint64_t)(digits.data[i] - '0');
    }
    return key;
}

int rule_list_add_number(struct rule_list *list, enum rule_list_entry entry, struct slice number)
{
    assert(!list->sealed);
    struct number_set *set = &list->numbers[entry];
    struct slice digits = without_plus(number);
    uint64_t key = number_key(digits);
    if (key == 0)
        return -EBADMSG;

    int error = rule_vector_push(&set->keys, &key);
    if (error != 0)
        return error;
    set->count++;
    set->lengths |= UINT32_C(1) << digits.length;
    return 0;
}

int rule_list_add_text(struct rule_list *list, enum rule_list_entry entry, struct slice text)
{
    assert(!list->sealed);
    struct text_set *set = &list->texts[entry];
    if (text.length == 0)
        return -EBADMSG;
    if (text.length > (entry == RULE_LIST_PREFIX ? RULE_LIST_TEXT_PREFIX_MAX : RULE_LIST_TEXT_MAX))
        return -EFBIG;
    if (set->bytes.count + text.length > UINT32_MAX || set->count == UINT32_MAX - 1)
        return -ENOMEM;

    struct text_entry added = {(uint32_t)set->bytes.count, (uint32_t)text.length};
    int error = rule_vector_reserve(&set->bytes, text.length);
    if (error == 0)
        error = rule_vector_push(&set->entries, &added);
    if (error != 0)
        return error;
    memcpy((char *)set->bytes.items + set->bytes.count, text.data, text.length);
    set->bytes.count += text.length;
    set->count++;
    if (entry == RULE_LIST_PREFIX)
        set->lengths |= UINT64_C(1) << text.length;
    return 0;
}

/* Three slots in four are used: any capacity will do, so none is wasted on a power of two. */
static size_t capacity_for(size_t count)
{
    return count + count / 3 + 1;
}

/* Maps the hash's whole range onto 0..capacity-1. */
static size_t slot_of(uint64_t hash, size_t capacity)
{
    return (size_t)(((unsigned __int128)hash * capacity) >> 64);
}

static uint64_t number_hash(uint64_t key)
{
    key ^= key >> 32;
    key *= UINT64_C(0xd6e8feb86659fd93);
    key ^= key >> 32;
    key *= UINT64_C(0xd6e8feb86659fd93);
    key ^= key >> 32;
    return key;
}

/* The slot that holds the key, or the empty one where it belongs. */
static uint64_t *number_slot(uint64_t *slots, size_t capacity, uint64_t key)
{
    size_t at = slot_of(number_hash(key), capacity);
    while (slots[at] != 0 && slots[at] != key)
        at = at + 1 < capacity ? at + 1 : 0;
    return &slots[at];
}

static int seal_numbers(struct number_set *set)
{
    if (set->count == 0)
        return 0;
    size_t capacity = capacity_for(set->count);
    uint64_t *slots = calloc(capacity, sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;

    const uint64_t *keys = set->keys.items;
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        uint64_t *slot = number_slot(slots, capacity, keys[i]);
        if (*slot == 0)
            count++;
        *slot = keys[i];
    }
    rule_vector_clear(&set->keys);
    set->slots = slots;
    set->capacity = capacity;
    set->count = count;
    return 0;
}

static struct slice entry_text(const struct text_set *set, size_t index)
{
    const struct text_entry *entry = (const struct text_entry *)set->entries.items + index;
    return slice_make((const char *)set->bytes.items + entry->first, entry->length);
}

static uint32_t *text_slot(const struct text_set *set, struct slice text)
{
    size_t at = slot_of(hash_slice(&text_key, text), set->capacity);
    while (set->slots[at] != 0 && !slice_equal(entry_text(set, set->slots[at] - 1), text))
        at = at + 1 < set->capacity ? at + 1 : 0;
    return &set->slots[at];
}

static int seal_texts(struct text_set *set)
{
    if (set->count == 0)
        return 0;
    set->capacity = capacity_for(set->count);
    set->slots = calloc(set->capacity, sizeof(*set->slots));
    if (set->slots == NULL)
        return -ENOMEM;

    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        uint32_t *slot = text_slot(set, entry_text(set, i));
        if (*slot == 0) {
            *slot = (uint32_t)(i + 1);
            count++;
        }
    }
    set->count = count;
    return 0;
}

int rule_list_seal(struct rule_list *list)
{
    assert(!list->sealed);
    for (int i = 0; i < RULE_LIST_ENTRY_COUNT; i++) {
        int error = seal_numbers(&list->numbers[i]);
        if (error == 0)
            error = seal_texts(&list->texts[i]);
        if (error != 0)
            return error;
    }
    list->sealed = true;
    return 0;
}

bool rule_list_holds_texts(const struct rule_list *list)
{
    return list->texts[RULE_LIST_EXACT].count > 0 || list->texts[RULE_LIST_PREFIX].count > 0;
}

size_t rule_list_count(const struct rule_list *list)
{
    size_t count = 0;
    for (int i = 0; i < RULE_LIST_ENTRY_COUNT; i++)
        count += list->numbers[i].count + list->texts[i].count;
    return count;
}

static bool has_number(const struct number_set *set, uint64_t key)
{
    return set->count > 0 && key != 0 && *number_slot(set->slots, set->capacity, key) != 0;
}

static bool has_number_prefix(const struct number_set *set, struct slice digits)
{
    if (set->count == 0)
        return false;
    uint64_t key = 1;
    for (size_t i = 0; i < digits.length && i < RULE_LIST_DIGITS_MAX; i++) {
        if (!is_digit(digits.data[i]))
            return false;
        key = key * 10 + (uint64_t)(digits.data[i] - '0');
        if ((set->lengths >> (i + 1) & 1) != 0 && has_number(set, key))
            return true;
    }
    return false;
}

static bool has_text(const struct text_set *set, struct slice text)
{
    return set->count > 0 && *text_slot(set, text) != 0;
}

static bool has_text_prefix(const struct text_set *set, struct slice text)
{
    for (uint64_t lengths = set->lengths; lengths != 0; lengths &= lengths - 1) {
        size_t length = (size_t)__builtin_ctzll(lengths);
        if (length > text.length)
            return false;
        if (has_text(set, slice_first(text, length)))
            return true;
    }
    return false;
}

bool rule_list_has(const struct rule_list *list, const struct rule_value *subject)
{
    assert(list->sealed && subject->known);
    if (subject->type == RULE_NUMBER) {
        struct slice digits = without_plus(subject->text);
        if (has_number(&list->numbers[RULE_LIST_EXACT], number_key(digits)) ||
            has_number_prefix(&list->numbers[RULE_LIST_PREFIX], digits))
            return true;
    }
    return has_text(&list->texts[RULE_LIST_EXACT], subject->text) ||
           has_text_prefix(&list->texts[RULE_LIST_PREFIX], subject->text);
}

void rule_list_destroy(struct rule_list *list)
{
    if (list == NULL)
        return;
    for (int i = 0; i < RULE_LIST_ENTRY_COUNT; i++) {
        rule_vector_clear(&list->numbers[i].keys);
        free(list->numbers[i].slots);
        rule_vector_clear(&list->texts[i].bytes);
        rule_vector_clear(&list->texts[i].entries);
        free(list->texts[i].slots);
    }
    free(list);
}
