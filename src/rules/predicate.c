/* SPDX-License-Identifier: Apache-2.0 */
#include "predicate_int.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "rules/catalogue.h"

/*
 * How likely a value has a key, in thousandths. Guesses, which decide only by which of its
 * predicates a rule is found: a number hits one line in millions, a country or a flag every second
 * call.
 */
enum {
    PASS_NUMBER = 1,
    PASS_LONG_PREFIX = 2,
    PASS_SHORT_PREFIX = 200,
    PASS_PART = 8,
    PASS_LIST = 10,
    PASS_TEXT_PREFIX = 20,
    PASS_INTEGER = 40,
    PASS_TEXT = 60,
    PASS_RANGE = 300,
    PASS_FLAG = 500,
    PASS_ALL = 1000,
    LONG_PREFIX = 6 /* bytes: + and a country code, and more */
};

/* In operations. A result costs as much to remember as COST_COMPARISON operations to run again. */
enum {
    COST_PLAIN = 1,
    COST_COMPARISON = 3,
    COST_SEARCH = 3,
    COST_LIST = 4,
    COST_REGEX = 40,
    FIRST_SLOTS = 64,
    HEADERS_SEEN = 1024
};

struct decoder {
    struct rule_predicates *predicates;
    const struct rule_program *program;
    const struct rule_catalogue *catalogue;
    struct rule_predicate *predicate;
    uint32_t at;
};

static const struct rule_operation *operation_at(const struct rule_program *program, uint32_t at)
{
    return (const struct rule_operation *)program->operations.items + at;
}

static const struct rule_value *constant_at(const struct rule_program *program, uint32_t index)
{
    return (const struct rule_value *)program->constants.items + index;
}

void rule_predicates_init(struct rule_predicates *predicates)
{
    *predicates = (struct rule_predicates){
        .items = RULE_VECTOR_OF(struct rule_predicate),
        .keys = RULE_VECTOR_OF(struct rule_key),
        .conjuncts = RULE_VECTOR_OF(uint32_t),
        .rules = RULE_VECTOR_OF(struct rule_conjuncts),
        .headers = RULE_VECTOR_OF(struct slice),
    };
}

void rule_predicates_clear(struct rule_predicates *predicates)
{
    rule_vector_clear(&predicates->items);
    rule_vector_clear(&predicates->keys);
    rule_vector_clear(&predicates->conjuncts);
    rule_vector_clear(&predicates->rules);
    rule_vector_clear(&predicates->headers);
    free(predicates->slots);
    predicates->slots = NULL;
    predicates->slot_count = 0;
}

/* ---- equal code ------------------------------------------------------------------------------ */

/* What `b` of an operation is. Those not listed compare by number, which is always right, but may
 * miss that two are the same. */
enum operand {
    OPERAND_NUMBER,
    OPERAND_TARGET,
    OPERAND_CONSTANT,
    OPERAND_CONSTANTS,
    OPERAND_LIST,
    OPERAND_TABLE,
    OPERAND_NETWORKS
};

static enum operand operand_of(unsigned code)
{
    switch (code) {
    case RULE_DO_VALUE:
    case RULE_DO_HEADER:
    case RULE_DO_HAS_HEADER:
        return OPERAND_CONSTANT;
    case RULE_DO_ANY_OF:
    case RULE_DO_STARTS_WITH_ANY:
    case RULE_DO_CONTAINS_ANY:
        return OPERAND_CONSTANTS;
    case RULE_DO_IF_FALSE:
    case RULE_DO_IF_TRUE:
    case RULE_DO_IF_KNOWN:
        return OPERAND_TARGET;
    case RULE_DO_IN_LIST:
        return OPERAND_LIST;
    case RULE_DO_LOOKUP:
        return OPERAND_TABLE;
    case RULE_DO_IN_NETWORKS:
        return OPERAND_NETWORKS;
    default:
        return OPERAND_NUMBER;
    }
}

int64_t rule_key_order(const struct rule_value *value)
{
    if (value->type == RULE_FLAG)
        return value->flag;
    if (value->type != RULE_RATIO)
        return value->integer;
    /* The bits of a double order like integers of sign and magnitude; both zeros are one value. */
    double ratio = value->ratio + 0.0;
    int64_t bits;
    memcpy(&bits, &ratio, sizeof(bits));
    return bits >= 0 ? bits : INT64_MIN - bits;
}

static bool has_order(enum rule_type type)
{
    return type != RULE_SET && type != RULE_ADDRESS && !rule_type_is_textual(type);
}

static bool same_value(const struct rule_value *a, const struct rule_value *b)
{
    if (a->type != b->type || a->known != b->known)
        return false;
    if (has_order(a->type))
        return rule_key_order(a) == rule_key_order(b);
    return a->type != RULE_SET && rule_values_equal(a, b);
}

static uint64_t hash_value(uint64_t hash, const struct rule_value *value)
{
    uint64_t more = rule_type_is_textual(value->type) ? rule_key_text(value->text)
                    : has_order(value->type)          ? (uint64_t)rule_key_order(value)
                                                      : 0;
    return (hash ^ more) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t hash_code(const struct rule_program *program, struct rule_span span)
{
    uint64_t hash = span.past - span.first;
    for (uint32_t at = span.first; at < span.past; at++) {
        const struct rule_operation *operation = operation_at(program, at);
        hash = ((hash << 7 | hash >> 57) ^ operation->code ^ ((uint64_t)operation->a << 16)) *
               UINT64_C(0xd6e8feb86659fd93);
        enum operand operand = operand_of(operation->code);
        if (operand == OPERAND_NUMBER)
            hash ^= operation->b;
        if (operand == OPERAND_CONSTANT || operand == OPERAND_CONSTANTS)
            hash = hash_value(hash, constant_at(program, operation->b));
        hash ^= hash >> 29;
    }
    return hash;
}

static bool same_operand(const struct rule_program *program, struct rule_span a, struct rule_span b,
                         uint32_t i)
{
    const struct rule_operation *x = operation_at(program, a.first + i);
    const struct rule_operation *y = operation_at(program, b.first + i);
    const struct rule_list *const *lists = program->lists.items;
    const struct rule_table *const *tables = program->tables.items;
    const struct rule_networks *const *networks = program->networks.items;
    switch (operand_of(x->code)) {
    case OPERAND_TARGET:
        return x->b - a.first == y->b - b.first;
    case OPERAND_CONSTANT:
        return same_value(constant_at(program, x->b), constant_at(program, y->b));
    case OPERAND_CONSTANTS:
        for (uint32_t k = 0; k < x->a; k++)
            if (!same_value(constant_at(program, x->b + k), constant_at(program, y->b + k)))
                return false;
        return true;
    case OPERAND_LIST:
        return lists[x->b] == lists[y->b];
    case OPERAND_TABLE:
        return tables[x->b] == tables[y->b];
    case OPERAND_NETWORKS:
        return networks[x->b] == networks[y->b];
    case OPERAND_NUMBER:
        break;
    }
    return x->b == y->b;
}

bool rule_program_same(const struct rule_program *program, struct rule_span a, struct rule_span b)
{
    if (a.past - a.first != b.past - b.first)
        return false;
    for (uint32_t i = 0; i < a.past - a.first; i++) {
        const struct rule_operation *x = operation_at(program, a.first + i);
        const struct rule_operation *y = operation_at(program, b.first + i);
        if (x->code != y->code || x->a != y->a || !same_operand(program, a, b, i))
            return false;
    }
    return true;
}

/* ---- keys of predicates ---------------------------------------------------------------------- */

static int add_key(struct decoder *decoder, struct rule_key key, unsigned pass)
{
    struct rule_predicate *predicate = decoder->predicate;
    unsigned sum = predicate->pass + pass;
    predicate->pass = (uint16_t)(sum < PASS_ALL ? sum : PASS_ALL);
    if (predicate->key_count > 0 && predicate->source != key.source)
        predicate->is_plain = false;
    predicate->source = key.source;
    predicate->key_count++;
    return rule_vector_push(&decoder->predicates->keys, &key);
}

static unsigned pass_of_choice(const struct decoder *decoder, rule_source_id source)
{
    const char *choices =
        rule_source_is_header(source) ? NULL : decoder->catalogue->features[source].choices;
    unsigned count = 1;
    if (choices == NULL || choices[0] == '\0')
        return PASS_TEXT;
    for (; *choices != '\0'; choices++)
        count += *choices == ' ';
    return PASS_ALL / count > PASS_TEXT ? PASS_ALL / count : PASS_TEXT;
}

static int add_equal(struct decoder *decoder, rule_source_id source, enum rule_type type,
                     const struct rule_value *value)
{
    bool textual = rule_type_is_textual(type);
    struct rule_key key = {.kind = RULE_KEY_EQUAL, .source = source};
    key.hash = textual ? rule_key_text(value->text) : (uint64_t)rule_key_order(value);
    if (textual)
        key.length = value->text.length < UINT8_MAX ? (uint8_t)value->text.length : UINT8_MAX;
    unsigned pass = type == RULE_NUMBER ? PASS_NUMBER
                    : type == RULE_FLAG ? PASS_FLAG
                    : textual           ? pass_of_choice(decoder, source)
                                        : PASS_INTEGER;
    return add_key(decoder, key, pass);
}

static int add_prefix(struct decoder *decoder, rule_source_id source, enum rule_type type,
                      const struct rule_value *value)
{
    struct slice text = slice_first(value->text, RULE_PREFIX_MAX);
    struct rule_key key = {RULE_KEY_PREFIX, (uint8_t)text.length, source, {rule_key_text(text)}};
    if (text.length < value->text.length)
        decoder->predicate->is_exact = false;
    unsigned pass = type != RULE_NUMBER          ? PASS_TEXT_PREFIX
                    : text.length >= LONG_PREFIX ? PASS_LONG_PREFIX
                                                 : PASS_SHORT_PREFIX;
    return add_key(decoder, key, pass);
}

static int add_part(struct decoder *decoder, rule_source_id source, enum rule_type type,
                    const struct rule_value *value)
{
    struct slice text = slice_first(value->text, RULE_GRAM_MAX);
    struct rule_key key = {RULE_KEY_GRAM, (uint8_t)text.length, source, {0}};
    (void)type;
    key.hash = rule_key_gram(text.data, (unsigned)text.length);
    decoder->predicate->is_exact = false;
    return add_key(decoder, key, PASS_PART);
}

static int add_range(struct decoder *decoder, rule_source_id source, bool at_least,
                     const struct rule_value *value)
{
    struct rule_key key = {.kind = at_least ? RULE_KEY_AT_LEAST : RULE_KEY_AT_MOST,
                           .source = source};
    key.bound = rule_key_order(value);
    decoder->predicate->is_exact = false;
    return add_key(decoder, key, PASS_RANGE);
}

/* A comparison tells something of the value, unless it is `!=` or of other types. */
static int decode_compare(struct decoder *decoder, rule_source_id source, enum rule_type type,
                          const struct rule_value *value, unsigned relation, bool swapped)
{
    static const unsigned char turned[] = {
        [RULE_EQUAL] = RULE_EQUAL, [RULE_DIFFERENT] = RULE_DIFFERENT,
        [RULE_LESS] = RULE_MORE,   [RULE_AT_MOST] = RULE_AT_LEAST,
        [RULE_MORE] = RULE_LESS,   [RULE_AT_LEAST] = RULE_AT_MOST,
    };
    if (swapped)
        relation = turned[relation];
    bool textual = rule_type_is_textual(type);
    if (relation == RULE_DIFFERENT || !(textual || has_order(type)) || !value->known ||
        (textual ? !rule_type_is_textual(value->type) : value->type != type))
        return -ENOENT;
    if (relation == RULE_EQUAL)
        return add_equal(decoder, source, type, value);
    return add_range(decoder, source, relation == RULE_MORE || relation == RULE_AT_LEAST, value);
}

typedef int add_text_fn(struct decoder *decoder, rule_source_id source, enum rule_type type,
                        const struct rule_value *value);

/* An empty text is a part of everything, and a set is searched for whole texts. */
static int decode_texts(struct decoder *decoder, rule_source_id source, enum rule_type type,
                        uint32_t first, uint32_t count, add_text_fn *add)
{
    int error = rule_type_is_textual(type) ? 0 : -ENOENT;
    for (uint32_t i = 0; error == 0 && i < count; i++) {
        const struct rule_value *value = constant_at(decoder->program, first + i);
        error = value->text.length > 0 ? add(decoder, source, type, value) : -ENOENT;
    }
    return error;
}

static int decode_any_of(struct decoder *decoder, rule_source_id source, enum rule_type type,
                         const struct rule_operation *operation)
{
    int error = operation->a > 0 ? 0 : -ENOENT;
    for (uint32_t i = 0; error == 0 && i < operation->a; i++)
        error = decode_compare(decoder, source, type,
                               constant_at(decoder->program, operation->b + i), RULE_EQUAL, false);
    return error;
}

static int decode_list(struct decoder *decoder, rule_source_id source, enum rule_type type,
                       uint32_t number)
{
    const struct rule_list *const *lists = decoder->program->lists.items;
    struct rule_key key = {.kind = RULE_KEY_LIST, .source = source};
    key.list = lists[number];
    return rule_type_is_textual(type) ? add_key(decoder, key, PASS_LIST) : -ENOENT;
}

/* Behind the source: a constant and an operation with both. */
static int decode_binary(struct decoder *decoder, rule_source_id source, enum rule_type type,
                         uint32_t constant)
{
    const struct rule_operation *operation = operation_at(decoder->program, decoder->at++);
    const struct rule_value *value = constant_at(decoder->program, constant);
    switch (operation->code) {
    case RULE_DO_COMPARE:
        return decode_compare(decoder, source, type, value, operation->a, false);
    case RULE_DO_STARTS_WITH:
        return decode_texts(decoder, source, type, constant, 1, add_prefix);
    case RULE_DO_CONTAINS:
        return decode_texts(decoder, source, type, constant, 1, add_part);
    default:
        return -ENOENT;
    }
}

static int decode_flag(struct decoder *decoder, rule_source_id source, enum rule_type type,
                       bool flag)
{
    struct rule_value value = rule_flag(flag);
    return type == RULE_FLAG ? add_equal(decoder, source, type, &value) : -ENOENT;
}

/* The number of a header as a source, by its name's spelling; -ENOENT when there are too many. */
static int find_header(struct decoder *decoder, struct slice name, rule_source_id *source)
{
    struct rule_vector *headers = &decoder->predicates->headers;
    const struct slice *names = headers->items;
    size_t index = 0;
    while (index < headers->count && !slice_equal(names[index], name))
        index++;
    if (index == HEADERS_SEEN)
        return -ENOENT;
    *source = (rule_source_id)(RULE_FEATURE_MAX + index);
    return index < headers->count ? 0 : rule_vector_push(headers, &name);
}

static int decode_source(struct decoder *decoder, const struct rule_operation *operation,
                         rule_source_id *source, enum rule_type *type)
{
    *type = RULE_TEXT;
    if (operation->code == RULE_DO_HEADER)
        return find_header(decoder, constant_at(decoder->program, operation->b)->text, source);
    *source = operation->a;
    *type = (enum rule_type)operation->b;
    return operation->code == RULE_DO_FEATURE ? 0 : -ENOENT;
}

/* One test of one value against constants; leaves `at` behind it. -ENOENT for anything else. */
static int decode_atom(struct decoder *decoder, uint32_t past)
{
    const struct rule_operation *operation = operation_at(decoder->program, decoder->at++);
    bool swapped = operation->code == RULE_DO_VALUE;
    uint32_t constant = operation->b;
    if (swapped && past - decoder->at >= 2)
        operation = operation_at(decoder->program, decoder->at++);
    rule_source_id source;
    enum rule_type type;
    int error = decode_source(decoder, operation, &source, &type);
    if (error != 0)
        return error;
    if (decoder->at == past)
        return decode_flag(decoder, source, type, true);

    operation = operation_at(decoder->program, decoder->at++);
    if (swapped)
        return operation->code != RULE_DO_COMPARE
                   ? -ENOENT
                   : decode_compare(decoder, source, type, constant_at(decoder->program, constant),
                                    operation->a, true);
    switch (operation->code) {
    case RULE_DO_NOT:
        return decode_flag(decoder, source, type, false);
    case RULE_DO_IF_TRUE:
    case RULE_DO_OR:
        decoder->at--;
        return decode_flag(decoder, source, type, true);
    case RULE_DO_IN_LIST:
        return decode_list(decoder, source, type, operation->b);
    case RULE_DO_ANY_OF:
        return decode_any_of(decoder, source, type, operation);
    case RULE_DO_STARTS_WITH_ANY:
        return decode_texts(decoder, source, type, operation->b, operation->a, add_prefix);
    case RULE_DO_CONTAINS_ANY:
        return decode_texts(decoder, source, type, operation->b, operation->a, add_part);
    case RULE_DO_VALUE:
        return decoder->at < past ? decode_binary(decoder, source, type, operation->b) : -ENOENT;
    default:
        return -ENOENT;
    }
}

/* An atom, or several with `or` between them: a value must have a key of one of them. */
static int decode_atoms(struct decoder *decoder, uint32_t past)
{
    int error = decode_atom(decoder, past);
    while (error == 0 && decoder->at < past) {
        const struct rule_operation *test = operation_at(decoder->program, decoder->at++);
        if (test->code != RULE_DO_IF_TRUE || test->b != past || decoder->at == past)
            return -ENOENT;
        error = decode_atom(decoder, past);
        if (error == 0 && (decoder->at == past ||
                           operation_at(decoder->program, decoder->at++)->code != RULE_DO_OR))
            return -ENOENT;
    }
    return error;
}

static void find_cost(const struct rule_program *program, struct rule_predicate *predicate)
{
    unsigned cost = 0;
    for (uint32_t at = predicate->span.first; at < predicate->span.past; at++) {
        unsigned code = operation_at(program, at)->code;
        cost += code == RULE_DO_MATCHES                                    ? COST_REGEX
                : code == RULE_DO_IN_LIST                                  ? COST_LIST
                : code == RULE_DO_CONTAINS || code == RULE_DO_CONTAINS_ANY ? COST_SEARCH
                                                                           : COST_PLAIN;
    }
    predicate->cost = (uint8_t)(cost < UINT8_MAX ? cost : UINT8_MAX);
}

static enum rule_predicate_shape shape_of(const struct rule_program *program, struct rule_span span)
{
    uint32_t count = span.past - span.first;
    const struct rule_operation *operations = operation_at(program, span.first);
    if (operations[0].code != RULE_DO_FEATURE)
        return RULE_SHAPE_CODE;
    if (count == 1)
        return RULE_SHAPE_FLAG;
    if (count == 2 && operations[1].code == RULE_DO_NOT)
        return RULE_SHAPE_NO_FLAG;
    bool compares =
        count == 3 && operations[1].code == RULE_DO_VALUE && operations[2].code == RULE_DO_COMPARE;
    return compares ? RULE_SHAPE_COMPARE : RULE_SHAPE_CODE;
}

static int describe(struct decoder *decoder)
{
    struct rule_predicate *predicate = decoder->predicate;
    struct rule_vector *keys = &decoder->predicates->keys;
    predicate->first_key = (uint32_t)keys->count;
    predicate->is_exact = true;
    predicate->is_plain = true;
    predicate->shape = (uint8_t)shape_of(decoder->program, predicate->span);
    find_cost(decoder->program, predicate);
    decoder->at = predicate->span.first;
    int error = decode_atoms(decoder, predicate->span.past);
    predicate->is_exact = predicate->is_exact && error == 0 && predicate->key_count == 1;
    if (error != -ENOENT)
        return error;
    keys->count = predicate->first_key;
    predicate->key_count = 0;
    predicate->pass = PASS_ALL;
    predicate->is_plain = false;
    return 0;
}

/* ---- conditions ------------------------------------------------------------------------------ */

static uint32_t *find_slot(struct rule_predicates *predicates, const struct rule_program *program,
                           struct rule_span span)
{
    const struct rule_predicate *items = predicates->items.items;
    size_t mask = predicates->slot_count - 1;
    size_t at = hash_code(program, span) & mask;
    while (predicates->slots[at] != 0 &&
           !rule_program_same(program, items[predicates->slots[at] - 1].span, span))
        at = (at + 1) & mask;
    return &predicates->slots[at];
}

static int grow_slots(struct rule_predicates *predicates, const struct rule_program *program)
{
    const struct rule_predicate *items = predicates->items.items;
    size_t count = predicates->slot_count > 0 ? predicates->slot_count * 2 : FIRST_SLOTS;
    uint32_t *slots = calloc(count, sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;
    free(predicates->slots);
    predicates->slots = slots;
    predicates->slot_count = count;
    for (size_t i = 0; i < predicates->items.count; i++)
        *find_slot(predicates, program, items[i].span) = (uint32_t)(i + 1);
    return 0;
}

static int add_conjunct(struct decoder *decoder, struct rule_span span)
{
    struct rule_predicates *predicates = decoder->predicates;
    if (predicates->items.count >= predicates->slot_count / 2) {
        int error = grow_slots(predicates, decoder->program);
        if (error != 0)
            return error;
    }
    uint32_t *slot = find_slot(predicates, decoder->program, span);
    if (*slot == 0) {
        struct rule_predicate made = {.span = span, .memo = RULE_NO_MEMO};
        decoder->predicate = &made;
        int error = describe(decoder);
        if (error == 0)
            error = rule_vector_push(&predicates->items, &made);
        if (error != 0)
            return error;
        *slot = (uint32_t)predicates->items.count;
    }
    uint32_t number = *slot - 1;
    ((struct rule_predicate *)predicates->items.items)[number].uses++;
    return rule_vector_push(&predicates->conjuncts, &number);
}

/*
 * A chain of `and` is x1, IF_FALSE past, x2, AND, IF_FALSE past, x3, AND: the operations that jump
 * to its very end are those between its operands. Nesting is bounded by the parser.
 */
static int split(struct decoder *decoder, struct rule_span span) /* NOLINT(misc-no-recursion) */
{
    uint32_t first = span.first;
    uint32_t ands = 0;
    if (operation_at(decoder->program, span.past - 1)->code != RULE_DO_AND)
        return add_conjunct(decoder, span);
    for (uint32_t at = span.first; at < span.past; at++) {
        const struct rule_operation *operation = operation_at(decoder->program, at);
        if (operation->code != RULE_DO_IF_FALSE || operation->b != span.past)
            continue;
        int error = split(decoder, (struct rule_span){first, at - ands});
        if (error != 0)
            return error;
        first = at + 1;
        ands = 1;
    }
    assert(ands == 1);
    return split(decoder, (struct rule_span){first, span.past - 1});
}

int rule_predicates_add(struct rule_predicates *predicates, const struct rule_program *program,
                        const struct rule_catalogue *catalogue, struct rule_span span)
{
    struct decoder decoder = {predicates, program, catalogue, NULL, 0};
    struct rule_conjuncts conjuncts = {(uint32_t)predicates->conjuncts.count, 0};
    int error = span.past > span.first ? split(&decoder, span) : 0;
    conjuncts.count = (uint32_t)predicates->conjuncts.count - conjuncts.first;
    return error != 0 ? error : rule_vector_push(&predicates->rules, &conjuncts);
}

/* Cheap ones first, and among them those that are false most often. Conditions are short. */
static void order(const struct rule_predicate *items, uint32_t *numbers, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint32_t moved = numbers[i];
        uint32_t weight = items[moved].cost * (uint32_t)PASS_ALL + items[moved].pass;
        uint32_t at = i;
        while (at > 0 &&
               items[numbers[at - 1]].cost * (uint32_t)PASS_ALL + items[numbers[at - 1]].pass >
                   weight) {
            numbers[at] = numbers[at - 1];
            at--;
        }
        numbers[at] = moved;
    }
}

void rule_predicates_finish(struct rule_predicates *predicates)
{
    struct rule_predicate *items = predicates->items.items;
    const struct rule_conjuncts *rules = predicates->rules.items;
    uint32_t memos = 0;
    for (size_t i = 0; i < predicates->items.count; i++)
        if (items[i].uses > 1 && items[i].cost > COST_COMPARISON && memos < RULE_MEMO_MAX)
            items[i].memo = (uint16_t)memos++;
    for (size_t i = 0; i < predicates->rules.count; i++)
        if (rules[i].count > 1)
            order(items, (uint32_t *)predicates->conjuncts.items + rules[i].first, rules[i].count);
    free(predicates->slots);
    predicates->slots = NULL;
    predicates->slot_count = 0;
}
