/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "list_table_int.h"

struct text_entry {
    uint32_t first; /* in bytes */
    uint32_t length;
    rule_list_line line;
};

/* Nobody but the operator chooses what is in a table, so the hash needs no secret. */
static const struct hash_key text_key = {{UINT64_C(0x72756c65), UINT64_C(0x6c697374)}};

void rule_text_table_init(struct rule_text_table *table)
{
    *table = (struct rule_text_table){
        .bytes = RULE_VECTOR_OF(char),
        .entries = RULE_VECTOR_OF(struct text_entry),
    };
}

int rule_text_table_add(struct rule_text_table *table, struct slice text, rule_list_line line)
{
    if (table->bytes.count + text.length > UINT32_MAX || table->entries.count == UINT32_MAX - 1)
        return -ENOMEM;
    struct text_entry added = {(uint32_t)table->bytes.count, (uint32_t)text.length, line};
    int error = rule_vector_reserve(&table->bytes, text.length);
    if (error == 0)
        error = rule_vector_push(&table->entries, &added);
    if (error != 0)
        return error;
    memcpy((char *)table->bytes.items + table->bytes.count, text.data, text.length);
    table->bytes.count += text.length;
    table->count++;
    if (text.length <= RULE_LIST_TEXT_PREFIX_MAX)
        table->lengths |= UINT64_C(1) << text.length;
    return 0;
}

static const struct text_entry *entry_at(const struct rule_text_table *table, size_t index)
{
    return (const struct text_entry *)table->entries.items + index;
}

static struct slice entry_text(const struct rule_text_table *table, size_t index)
{
    const struct text_entry *entry = entry_at(table, index);
    return slice_make((const char *)table->bytes.items + entry->first, entry->length);
}

static uint32_t *text_slot(const struct rule_text_table *table, struct slice text)
{
    size_t at = rule_list_slot(hash_slice(&text_key, text), table->capacity);
    while (table->slots[at] != 0 && !slice_equal(entry_text(table, table->slots[at] - 1), text))
        at = at + 1 < table->capacity ? at + 1 : 0;
    return &table->slots[at];
}

int rule_text_table_seal(struct rule_text_table *table, struct rule_list_flaw *repeated)
{
    if (table->count == 0)
        return 0;
    /* Three slots in four are used. */
    table->capacity = table->count + table->count / 3 + 1;
    table->slots = calloc(table->capacity, sizeof(*table->slots));
    if (table->slots == NULL)
        return -ENOMEM;
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++) {
        uint32_t *slot = text_slot(table, entry_text(table, i));
        if (*slot != 0) {
            rule_list_flaw_add(repeated, entry_at(table, i)->line,
                               entry_at(table, *slot - 1)->line);
            continue;
        }
        *slot = (uint32_t)(i + 1);
        count++;
    }
    table->count = count;
    return 0;
}

bool rule_text_table_has(const struct rule_text_table *table, struct slice text)
{
    return table->count > 0 && text.length <= RULE_LIST_TEXT_MAX && *text_slot(table, text) != 0;
}

bool rule_text_table_has_prefix(const struct rule_text_table *table, struct slice text)
{
    for (uint64_t lengths = table->lengths; lengths != 0; lengths &= lengths - 1) {
        size_t length = (size_t)__builtin_ctzll(lengths);
        if (length > text.length)
            return false;
        if (rule_text_table_has(table, slice_first(text, length)))
            return true;
    }
    return false;
}

size_t rule_text_table_bytes(const struct rule_text_table *table)
{
    return table->bytes.capacity + table->entries.capacity * sizeof(struct text_entry) +
           table->capacity * sizeof(*table->slots);
}

void rule_text_table_clear(struct rule_text_table *table)
{
    rule_vector_clear(&table->bytes);
    rule_vector_clear(&table->entries);
    free(table->slots);
    table->slots = NULL;
}
