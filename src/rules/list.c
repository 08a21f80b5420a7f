/* SPDX-License-Identifier: Apache-2.0 */
#include "list_int.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "list_table_int.h"
#include "literal_int.h"

struct rule_list {
    struct rule_number_table numbers[RULE_LIST_ENTRY_COUNT];
    struct rule_range_table ranges[RULE_LIST_ENTRY_COUNT];
    struct rule_text_table texts[RULE_LIST_ENTRY_COUNT];
    struct rule_vector details; /* of struct rule_list_detail; values are offsets until sealed */
    struct rule_vector values;  /* of char */
    struct rule_vector slots;   /* of uint32_t: 1 + detail by hash; empty once sealed */
    struct rule_list_flaws flaws;
    atomic_uint owners;
    bool sealed;
};

int rule_list_create(struct rule_list **list)
{
    struct rule_list *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    for (int i = 0; i < RULE_LIST_ENTRY_COUNT; i++) {
        made->numbers[i].drafts = RULE_VECTOR_OF(struct rule_list_number);
        made->ranges[i].ranges = RULE_VECTOR_OF(struct rule_list_range);
        made->ranges[i].lines = RULE_VECTOR_OF(rule_list_line);
        rule_text_table_init(&made->texts[i]);
    }
    made->details = RULE_VECTOR_OF(struct rule_list_detail);
    made->values = RULE_VECTOR_OF(char);
    made->slots = RULE_VECTOR_OF(uint32_t);
    atomic_init(&made->owners, 1);
    *list = made;
    return 0;
}

struct rule_list *rule_list_share(struct rule_list *list)
{
    atomic_fetch_add_explicit(&list->owners, 1, memory_order_relaxed);
    return list;
}

void rule_list_destroy(struct rule_list *list)
{
    /* Release and acquire: whoever frees it sees all that the other owners did with it. */
    if (list == NULL || atomic_fetch_sub_explicit(&list->owners, 1, memory_order_acq_rel) != 1)
        return;
    for (int i = 0; i < RULE_LIST_ENTRY_COUNT; i++) {
        rule_number_table_clear(&list->numbers[i]);
        rule_range_table_clear(&list->ranges[i]);
        rule_text_table_clear(&list->texts[i]);
    }
    rule_vector_clear(&list->details);
    rule_vector_clear(&list->values);
    rule_vector_clear(&list->slots);
    free(list);
}

/* ---- entries --------------------------------------------------------------------------------- */

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static struct slice without_plus(struct slice number)
{
    return number.length > 0 && number.data[0] == '+' ? slice_from(number, 1) : number;
}

/* 0 when it is not [+] and 1..RULE_LIST_DIGITS_MAX digits. */
static uint64_t number_key(struct slice number, unsigned *length)
{
    struct slice digits = without_plus(number);
    if (digits.length == 0 || digits.length > RULE_LIST_DIGITS_MAX)
        return 0;
    uint64_t key = 1;
    for (size_t i = 0; i < digits.length; i++) {
        if (!is_digit(digits.data[i]))
            return 0;
        key = key * 10 + (uint64_t)(digits.data[i] - '0');
    }
    *length = (unsigned)digits.length;
    return key;
}

static int add_number(struct rule_list *list, enum rule_list_entry kind, struct slice number,
                      uint32_t detail, rule_list_line line)
{
    struct rule_number_table *table = &list->numbers[kind];
    unsigned length;
    const struct rule_list_number draft = {number_key(number, &length), line, detail};
    assert(!list->sealed);
    if (draft.key == 0)
        return -EBADMSG;
    int error = rule_vector_push(&table->drafts, &draft);
    if (error != 0)
        return error;
    table->lengths |= UINT32_C(1) << length;
    table->has_details = table->has_details || detail != 0;
    return 0;
}

int rule_list_add_number(struct rule_list *list, enum rule_list_entry kind, struct slice number,
                         rule_list_line line)
{
    return add_number(list, kind, number, 0, line);
}

static int add_range(struct rule_list *list, enum rule_list_entry kind, struct slice low,
                     struct slice high, uint32_t detail, rule_list_line line)
{
    unsigned low_length = 0, high_length = 0;
    const struct rule_list_range range = {number_key(low, &low_length),
                                          number_key(high, &high_length), detail, 0};
    if (range.low == 0 || range.high == 0)
        return -EBADMSG;
    if (low_length != high_length || range.low > range.high)
        return -ERANGE;
    list->ranges[kind].lengths |= UINT32_C(1) << low_length;
    return rule_range_table_add(&list->ranges[kind], &range, line);
}

/* ---- details --------------------------------------------------------------------------------- */

enum { FIRST_DETAIL_SLOTS = 64 };

static struct slice value_of(const struct rule_list *list, const struct rule_list_detail *detail)
{
    size_t first = (size_t)(uintptr_t)detail->value.data;
    return detail->value.length > 0
               ? slice_make((const char *)list->values.items + first, detail->value.length)
               : SLICE("");
}

static uint64_t detail_hash(struct slice value, int64_t expires_us)
{
    uint64_t hash = (uint64_t)expires_us;
    for (size_t i = 0; i < value.length; i++)
        hash = (hash ^ (unsigned char)value.data[i]) * UINT64_C(0x100000001b3);
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint32_t *detail_slot(const struct rule_list *list, struct slice value, int64_t expires_us)
{
    const struct rule_list_detail *details = list->details.items;
    uint32_t *slots = list->slots.items;
    size_t mask = list->slots.count - 1;
    size_t at = detail_hash(value, expires_us) & mask;
    while (slots[at] != 0 && !(details[slots[at] - 1].expires_us == expires_us &&
                               slice_equal(value_of(list, &details[slots[at] - 1]), value)))
        at = (at + 1) & mask;
    return &slots[at];
}

static int grow_detail_slots(struct rule_list *list)
{
    const struct rule_list_detail *details = list->details.items;
    size_t count = list->slots.count > 0 ? list->slots.count * 2 : FIRST_DETAIL_SLOTS;
    rule_vector_clear(&list->slots);
    int error = rule_vector_reserve(&list->slots, count);
    if (error != 0)
        return error;
    memset(list->slots.items, 0, count * sizeof(uint32_t));
    list->slots.count = count;
    for (size_t i = 0; i < list->details.count; i++)
        *detail_slot(list, value_of(list, &details[i]), details[i].expires_us) = (uint32_t)(i + 1);
    return 0;
}

static int add_detail(struct rule_list *list, struct slice value, int64_t expires_us,
                      rule_list_line line)
{
    struct rule_value number;
    struct rule_list_detail detail = {.expires_us = expires_us, .line = line};
    detail.value = slice_make((const char *)(uintptr_t)list->values.count, value.length);
    if (rule_literal_of_type(RULE_INTEGER, value, &number) == 0) {
        detail.is_integer = true;
        detail.integer = number.integer;
    }
    int error = rule_vector_reserve(&list->values, value.length);
    if (error != 0)
        return error;
    if (value.length > 0)
        memcpy((char *)list->values.items + list->values.count, value.data, value.length);
    list->values.count += value.length;
    return rule_vector_push(&list->details, &detail);
}

/* Equal details are one. */
static int find_detail(struct rule_list *list, struct slice value, int64_t expires_us,
                       rule_list_line line, uint32_t *number)
{
    *number = 0;
    if (value.length == 0 && expires_us == INT64_MAX)
        return 0;
    if (list->details.count >= list->slots.count / 2) {
        int error = grow_detail_slots(list);
        if (error != 0)
            return error;
    }
    uint32_t *slot = detail_slot(list, value, expires_us);
    if (*slot == 0) {
        int error = add_detail(list, value, expires_us, line);
        if (error != 0)
            return error;
        *slot = (uint32_t)list->details.count;
    }
    *number = *slot;
    return 0;
}

/* A field in double quotes is a value whatever it looks like. */
static int read_field(struct slice field, struct slice *value, int64_t *expires_us)
{
    bool quoted = field.length >= 2 && field.data[0] == '"' && slice_past(field)[-1] == '"';
    if (!quoted && rule_literal_time(field, expires_us) == 0)
        return 0;
    if (quoted)
        field = slice_make(field.data + 1, field.length - 2);
    if (value->length > 0 || field.length == 0 || field.length > RULE_LIST_VALUE_MAX ||
        memchr(field.data, '"', field.length) != NULL)
        return -EINVAL;
    *value = field;
    return 0;
}

/* What stands behind the first comma. */
static int read_fields(struct rule_list *list, struct slice rest, rule_list_line line,
                       uint32_t *detail)
{
    struct slice value = SLICE("");
    int64_t expires_us = INT64_MAX;
    for (unsigned fields = 0;; fields++) {
        struct slice field = slice_first(rest, slice_find(rest, ','));
        int error = fields < 2 ? read_field(slice_trim(field), &value, &expires_us) : -EINVAL;
        if (error != 0)
            return error;
        if (field.length == rest.length)
            break;
        rest = slice_from(rest, field.length + 1);
    }
    return find_detail(list, value, expires_us, line, detail);
}

int rule_list_add_entry(struct rule_list *list, bool as_prefix, struct slice entry,
                        rule_list_line line)
{
    struct slice number = slice_first(entry, slice_find(entry, ','));
    uint32_t detail = 0;
    if (number.length < entry.length) {
        int error = read_fields(list, slice_from(entry, number.length + 1), line, &detail);
        if (error != 0)
            return error;
        number = slice_trim(number);
    }
    bool star = number.length > 0 && slice_past(number)[-1] == '*';
    if (star)
        number.length--;
    enum rule_list_entry kind = star || as_prefix ? RULE_LIST_PREFIX : RULE_LIST_EXACT;
    size_t dot = slice_find(number, '.');
    if (dot + 1 >= number.length || number.data[dot + 1] != '.')
        return add_number(list, kind, number, detail, line);
    return add_range(list, kind, slice_first(number, dot), slice_from(number, dot + 2), detail,
                     line);
}

int rule_list_add_text(struct rule_list *list, enum rule_list_entry kind, struct slice text,
                       rule_list_line line)
{
    assert(!list->sealed);
    if (text.length == 0)
        return -EBADMSG;
    if (text.length > (kind == RULE_LIST_PREFIX ? RULE_LIST_TEXT_PREFIX_MAX : RULE_LIST_TEXT_MAX))
        return -EFBIG;
    return rule_text_table_add(&list->texts[kind], text, line);
}

int rule_list_expect(struct rule_list *list, size_t numbers)
{
    return rule_vector_reserve(&list->numbers[RULE_LIST_EXACT].drafts, numbers);
}

/* ---- sealing --------------------------------------------------------------------------------- */

/* Whether an earlier look-up would say the same of a key without the entry itself. */
struct cover {
    const struct rule_list *list;
    uint32_t detail;
    rule_list_line line;
};

static bool covered_by_range(struct cover *cover, enum rule_list_entry kind, uint64_t key,
                             uint32_t found)
{
    const struct rule_range_table *table = &cover->list->ranges[kind];
    const struct rule_list_range *ranges = table->ranges.items;
    (void)key;
    if (found == 0 || ranges[found - 1].detail != cover->detail)
        return false;
    cover->line = ((const rule_list_line *)table->lines.items)[found - 1];
    return true;
}

/* A prefix of at most `most` digits, by itself or in a range. */
static bool covered_by_prefix(struct cover *cover, uint64_t key, unsigned digits, unsigned most)
{
    const struct rule_number_table *table = &cover->list->numbers[RULE_LIST_PREFIX];
    const struct rule_range_table *ranges = &cover->list->ranges[RULE_LIST_PREFIX];
    for (unsigned length = digits; length > 0; length--, key /= 10) {
        if (length <= most && (table->lengths >> length & 1) != 0) {
            size_t slot = rule_number_table_find(table, key);
            if (slot != SIZE_MAX && rule_number_table_detail(table, slot) == cover->detail) {
                cover->line = table->lines[slot];
                return true;
            }
        }
        if ((ranges->lengths >> length & 1) != 0 &&
            covered_by_range(cover, RULE_LIST_PREFIX, key, rule_range_table_find(ranges, key)))
            return true;
    }
    return false;
}

static unsigned digits_of(uint64_t key)
{
    unsigned digits = 0;
    for (; key >= 10; key /= 10)
        digits++;
    return digits;
}

static void find_covered_numbers(struct rule_list *list, enum rule_list_entry kind)
{
    const struct rule_number_table *table = &list->numbers[kind];
    bool is_prefix = kind == RULE_LIST_PREFIX;
    if (list->numbers[RULE_LIST_PREFIX].count == 0 &&
        list->ranges[RULE_LIST_PREFIX].ranges.count == 0 &&
        (is_prefix || list->ranges[RULE_LIST_EXACT].ranges.count == 0))
        return;
    for (size_t slot = 0; slot < table->buckets * 8; slot++) {
        uint64_t key = table->slots[slot];
        if (key == 0)
            continue;
        unsigned digits = digits_of(key);
        struct cover cover = {list, rule_number_table_detail(table, slot), 0};
        bool covered =
            (!is_prefix && covered_by_range(&cover, kind, key,
                                            rule_range_table_find(&list->ranges[kind], key))) ||
            covered_by_prefix(&cover, key, digits, is_prefix ? digits - 1 : digits);
        if (covered)
            rule_list_flaw_add(&list->flaws.covered, table->lines[slot], cover.line);
    }
}

static void find_covered_ranges(struct rule_list *list, enum rule_list_entry kind)
{
    const struct rule_range_table *table = &list->ranges[kind];
    const struct rule_list_range *ranges = table->ranges.items;
    const rule_list_line *lines = table->lines.items;
    for (size_t i = 0; i < table->ranges.count; i++) {
        struct cover cover = {list, ranges[i].detail, 0};
        uint32_t parent = ranges[i].parent;
        if (parent != 0 && ranges[parent - 1].high >= ranges[i].high &&
            covered_by_range(&cover, kind, ranges[i].low, parent))
            rule_list_flaw_add(&list->flaws.covered, lines[i], cover.line);
    }
}

static void place_values(struct rule_list *list)
{
    struct rule_list_detail *details = list->details.items;
    for (size_t i = 0; i < list->details.count; i++)
        details[i].value = value_of(list, &details[i]);
}

int rule_list_seal(struct rule_list *list)
{
    assert(!list->sealed);
    struct rule_list_flaw *repeated = &list->flaws.repeated;
    int error = 0;
    for (int i = 0; error == 0 && i < RULE_LIST_ENTRY_COUNT; i++) {
        error = rule_number_table_seal(&list->numbers[i], repeated);
        if (error == 0)
            error = rule_range_table_seal(&list->ranges[i], repeated);
        if (error == 0)
            error = rule_text_table_seal(&list->texts[i], repeated);
    }
    if (error != 0)
        return error;
    for (int i = 0; i < RULE_LIST_ENTRY_COUNT; i++) {
        find_covered_numbers(list, (enum rule_list_entry)i);
        find_covered_ranges(list, (enum rule_list_entry)i);
    }
    for (int i = 0; i < RULE_LIST_ENTRY_COUNT; i++) {
        free(list->numbers[i].lines);
        list->numbers[i].lines = NULL;
        rule_vector_clear(&list->ranges[i].lines);
    }
    rule_vector_clear(&list->slots);
    place_values(list);
    list->sealed = true;
    return 0;
}

/* ---- expiry ---------------------------------------------------------------------------------- */

static bool is_expired(const struct rule_list *list, uint32_t detail, int64_t now_us)
{
    const struct rule_list_detail *details = list->details.items;
    return detail != 0 && details[detail - 1].expires_us <= now_us;
}

static size_t count_expired(const struct rule_list *list, enum rule_list_entry kind, int64_t now_us)
{
    const struct rule_number_table *numbers = &list->numbers[kind];
    const struct rule_list_range *ranges = list->ranges[kind].ranges.items;
    size_t count = 0;
    for (size_t slot = 0; numbers->details != NULL && slot < numbers->buckets * 8; slot++)
        count += numbers->slots[slot] != 0 && is_expired(list, numbers->details[slot], now_us);
    for (size_t i = 0; i < list->ranges[kind].ranges.count; i++)
        count += is_expired(list, ranges[i].detail, now_us);
    return count;
}

size_t rule_list_expired(const struct rule_list *list, int64_t now_us, rule_list_line *first)
{
    const struct rule_list_detail *details = list->details.items;
    bool any = false;
    for (size_t i = 0; i < list->details.count; i++) {
        if (details[i].expires_us > now_us || (any && details[i].line >= *first))
            continue;
        *first = details[i].line;
        any = true;
    }
    return any ? count_expired(list, RULE_LIST_EXACT, now_us) +
                     count_expired(list, RULE_LIST_PREFIX, now_us)
               : 0;
}

const struct rule_list_flaws *rule_list_flaws(const struct rule_list *list)
{
    return &list->flaws;
}

bool rule_list_holds_texts(const struct rule_list *list)
{
    return list->texts[RULE_LIST_EXACT].count > 0 || list->texts[RULE_LIST_PREFIX].count > 0;
}

size_t rule_list_count(const struct rule_list *list)
{
    size_t count = 0;
    for (int i = 0; i < RULE_LIST_ENTRY_COUNT; i++)
        count += list->numbers[i].count + list->ranges[i].ranges.count + list->texts[i].count;
    return count;
}

size_t rule_list_bytes(const struct rule_list *list)
{
    size_t bytes = sizeof(*list) + list->values.capacity +
                   list->details.capacity * sizeof(struct rule_list_detail);
    for (int i = 0; i < RULE_LIST_ENTRY_COUNT; i++)
        bytes += rule_number_table_bytes(&list->numbers[i]) +
                 list->ranges[i].ranges.capacity * sizeof(struct rule_list_range) +
                 rule_text_table_bytes(&list->texts[i]);
    return bytes;
}

/* ---- look-ups -------------------------------------------------------------------------------- */

void rule_list_subject_init(struct rule_list_subject *subject, const struct rule_value *value)
{
    assert(value->known);
    subject->text = value->text;
    subject->digits = 0;
    subject->is_number = false;
    if (value->type != RULE_NUMBER)
        return;
    struct slice digits = without_plus(value->text);
    uint64_t key = 1;
    unsigned count = 0;
    for (; count < digits.length && count < RULE_LIST_DIGITS_MAX && is_digit(digits.data[count]);
         count++) {
        key = key * 10 + (uint64_t)(digits.data[count] - '0');
        subject->keys[count + 1] = key;
    }
    subject->digits = (uint8_t)count;
    subject->is_number = count > 0 && count == digits.length;
}

/* Whether an entry with that detail is there now. */
static bool accept(const struct rule_list *list, uint32_t number, int64_t now_us,
                   const struct rule_list_detail **found)
{
    *found = NULL;
    if (number == 0)
        return true;
    const struct rule_list_detail *detail =
        (const struct rule_list_detail *)list->details.items + number - 1;
    *found = detail;
    return now_us < detail->expires_us;
}

static bool find_number(const struct rule_list *list, enum rule_list_entry kind, uint64_t key,
                        int64_t now_us, const struct rule_list_detail **detail)
{
    const struct rule_number_table *table = &list->numbers[kind];
    size_t slot = rule_number_table_find(table, key);
    return slot != SIZE_MAX && accept(list, rule_number_table_detail(table, slot), now_us, detail);
}

static bool find_range(const struct rule_list *list, enum rule_list_entry kind, uint64_t key,
                       int64_t now_us, const struct rule_list_detail **detail)
{
    const struct rule_range_table *table = &list->ranges[kind];
    const struct rule_list_range *ranges = table->ranges.items;
    uint32_t found = rule_range_table_find(table, key);
    while (found != 0 && !accept(list, ranges[found - 1].detail, now_us, detail))
        found = rule_range_table_next(table, found, key);
    return found != 0;
}

static bool find_digits(const struct rule_list *list, const struct rule_list_subject *subject,
                        int64_t now_us, const struct rule_list_detail **detail)
{
    uint64_t whole = subject->keys[subject->digits];
    if (subject->is_number && (find_number(list, RULE_LIST_EXACT, whole, now_us, detail) ||
                               (list->ranges[RULE_LIST_EXACT].lengths != 0 &&
                                find_range(list, RULE_LIST_EXACT, whole, now_us, detail))))
        return true;
    uint32_t tabled = list->numbers[RULE_LIST_PREFIX].lengths;
    uint32_t ranged = list->ranges[RULE_LIST_PREFIX].lengths;
    uint32_t lengths = (tabled | ranged) & ((UINT32_C(2) << subject->digits) - 1);
    while (lengths != 0) {
        unsigned length = 31 - (unsigned)__builtin_clz(lengths);
        lengths &= ~(UINT32_C(1) << length);
        uint64_t key = subject->keys[length];
        if (((tabled >> length & 1) != 0 &&
             find_number(list, RULE_LIST_PREFIX, key, now_us, detail)) ||
            ((ranged >> length & 1) != 0 &&
             find_range(list, RULE_LIST_PREFIX, key, now_us, detail)))
            return true;
    }
    return false;
}

bool rule_list_lookup(const struct rule_list *list, const struct rule_list_subject *subject,
                      int64_t now_us, const struct rule_list_detail **detail)
{
    const struct rule_list_detail *ignored;
    assert(list->sealed);
    if (detail == NULL)
        detail = &ignored;
    *detail = NULL;
    if (subject->digits > 0 && find_digits(list, subject, now_us, detail))
        return true;
    *detail = NULL;
    return rule_text_table_has(&list->texts[RULE_LIST_EXACT], subject->text) ||
           rule_text_table_has_prefix(&list->texts[RULE_LIST_PREFIX], subject->text);
}

bool rule_list_has(const struct rule_list *list, const struct rule_value *value, int64_t now_us)
{
    struct rule_list_subject subject;
    rule_list_subject_init(&subject, value);
    return rule_list_lookup(list, &subject, now_us, NULL);
}
