/* SPDX-License-Identifier: Apache-2.0 */
#include "part_int.h"

#include <assert.h>
#include <errno.h>

/*
 * Operations run on a stack of parts instead of values. Whatever was one tree when it was compiled
 * is one run of operations without a hole, so each part can be evaluated by itself.
 */
struct taker {
    const struct rule_set *set;
    struct arena *arena;
    struct rule_part *stack[RULE_STACK_MAX];
    unsigned depth;
    /* The values of an "or else" that has not ended: each is dropped when it is unknown. */
    struct {
        struct rule_part *value;
        uint32_t target;
    } fallbacks[RULE_STACK_MAX];
    unsigned fallback_count;
    uint32_t at; /* of the operation under way */
    bool no_memory;
    struct rule_part spare; /* stands for all parts then */
};

static struct rule_part *new_part(struct taker *taker, enum rule_part_kind kind, uint32_t begin)
{
    struct rule_part *part = arena_alloc(taker->arena, sizeof(*part));
    if (part == NULL) {
        taker->no_memory = true;
        part = &taker->spare;
    }
    *part = (struct rule_part){.kind = kind,
                               .result = RULE_UNKNOWN,
                               .text = SLICE(""),
                               .begin = begin,
                               .past = taker->at + 1};
    return part;
}

static void push(struct taker *taker, struct rule_part *part)
{
    assert(taker->depth < RULE_STACK_MAX);
    taker->stack[taker->depth++] = part;
}

static struct rule_part *pop(struct taker *taker)
{
    assert(taker->depth > 0);
    return taker->stack[--taker->depth];
}

static void set_text(struct taker *taker, struct rule_part *part, struct buffer *text)
{
    static const struct slice dots = SLICE_LITERAL("...");
    struct slice written = buffer_slice(text);
    if (text->overflow) {
        /* Never within a character of UTF-8. */
        size_t length = written.length < text->capacity - dots.length
                            ? written.length
                            : text->capacity - dots.length;
        while (length > 0 && ((unsigned char)written.data[length] & 0xc0) == 0x80)
            length--;
        memcpy(text->data + length, dots.data, dots.length);
        written.length = length + dots.length;
    }
    part->text = arena_copy(taker->arena, written);
    if (part->text.data == NULL) {
        taker->no_memory = true;
        part->text = SLICE("");
    }
}

static void take_marks(struct rule_part *part, const struct rule_part *from)
{
    for (size_t i = 0; i < RULE_FEATURE_WORDS; i++)
        part->features[i] |= from->features[i];
    part->has_header = part->has_header || from->has_header;
}

static void append(struct rule_part *part, struct rule_part *child)
{
    if (part->last == NULL)
        part->first = child;
    else
        part->last->next = child;
    part->last = child;
    take_marks(part, child);
}

/* A value that stands where something true or false is asked for is a test. */
static struct rule_part *as_test(struct rule_part *part)
{
    if (part->kind == RULE_PART_VALUE)
        part->kind = RULE_PART_TEST;
    return part;
}

/* ---- texts ---------------------------------------------------------------------------------- */

static void write_part(struct buffer *out,
                       const struct rule_part *part) /* NOLINT(misc-no-recursion) */
{
    const char *between = part->kind == RULE_PART_ALL ? " and " : " or ";
    if (part->kind == RULE_PART_TEST || part->kind == RULE_PART_VALUE) {
        buffer_append(out, part->text);
        return;
    }
    if (part->kind == RULE_PART_NOT)
        buffer_append_literal(out, "not ");
    else
        buffer_append_char(out, '(');
    for (const struct rule_part *child = part->first; child != NULL; child = child->next) {
        if (child != part->first)
            buffer_append_text(out, between);
        write_part(out, child);
    }
    if (part->kind != RULE_PART_NOT)
        buffer_append_char(out, ')');
}

/* ---- one operation -------------------------------------------------------------------------- */

static const struct rule_value *constant(const struct taker *taker, uint32_t index)
{
    return (const struct rule_value *)taker->set->program.constants.items + index;
}

static void take_leaf(struct taker *taker, const struct rule_operation *operation)
{
    char memory[RULE_PART_TEXT_MAX];
    struct buffer text = buffer_over(memory, sizeof(memory));
    struct rule_part *part = new_part(taker, RULE_PART_VALUE, taker->at);
    if (operation->code == RULE_DO_FEATURE) {
        buffer_append_text(&text, taker->set->catalogue->features[operation->a].name);
        part->features[operation->a / 64] |= UINT64_C(1) << (operation->a % 64);
        part->feature = operation->a;
        if (operation->b == RULE_FLAG)
            part->shape = RULE_PART_FLAG;
    } else if (operation->code == RULE_DO_VALUE) {
        part->values = constant(taker, operation->b);
        part->value_count = 1;
        rule_value_write(&text, part->values);
    } else {
        buffer_append_text(&text, operation->code == RULE_DO_HEADER ? "header(" : "has_header(");
        rule_part_write_text(&text, constant(taker, operation->b)->text);
        buffer_append_char(&text, ')');
        part->has_header = true;
    }
    set_text(taker, part, &text);
    push(taker, part);
}

static bool is_feature(const struct rule_part *part)
{
    return part->past == part->begin + 1 && part->values == NULL && !part->has_header;
}

static bool is_constant(const struct rule_part *part)
{
    return part->past == part->begin + 1 && part->values != NULL;
}

/* A comparison of a feature with a constant, whichever stands first. */
static void set_shape(struct rule_part *part, const struct rule_part *left,
                      const struct rule_part *right, unsigned relation)
{
    static const enum rule_part_shape shapes[] = {
        [RULE_EQUAL] = RULE_PART_EQUAL, [RULE_DIFFERENT] = RULE_PART_UNEQUAL,
        [RULE_LESS] = RULE_PART_LESS,   [RULE_AT_MOST] = RULE_PART_AT_MOST,
        [RULE_MORE] = RULE_PART_MORE,   [RULE_AT_LEAST] = RULE_PART_AT_LEAST,
    };
    static const enum rule_part_shape turned[] = {
        [RULE_EQUAL] = RULE_PART_EQUAL, [RULE_DIFFERENT] = RULE_PART_UNEQUAL,
        [RULE_LESS] = RULE_PART_MORE,   [RULE_AT_MOST] = RULE_PART_AT_LEAST,
        [RULE_MORE] = RULE_PART_LESS,   [RULE_AT_LEAST] = RULE_PART_AT_MOST,
    };
    bool swapped = is_constant(left);
    const struct rule_part *feature = swapped ? right : left;
    const struct rule_part *value = swapped ? left : right;
    if (!is_feature(feature) || !is_constant(value))
        return;
    part->shape = swapped ? turned[relation] : shapes[relation];
    part->feature = feature->feature;
    part->values = value->values;
    part->value_count = 1;
}

static void take_binary(struct taker *taker, const struct rule_operation *operation)
{
    char memory[RULE_PART_TEXT_MAX];
    struct buffer text = buffer_over(memory, sizeof(memory));
    struct rule_part *right = pop(taker);
    struct rule_part *left = pop(taker);
    struct rule_part *part = new_part(taker, RULE_PART_VALUE, left->begin);
    bool bracketed = operation->code == RULE_DO_ARITHMETIC;
    if (bracketed)
        buffer_append_char(&text, '(');
    write_part(&text, left);
    buffer_append_text(&text, rule_part_sign(operation));
    write_part(&text, right);
    if (bracketed)
        buffer_append_char(&text, ')');
    take_marks(part, left);
    take_marks(part, right);
    if (operation->code == RULE_DO_COMPARE)
        set_shape(part, left, right, operation->a);
    set_text(taker, part, &text);
    push(taker, part);
}

/* An operation on one value with an operand of its own. */
static void take_unary(struct taker *taker, const struct rule_operation *operation)
{
    char memory[RULE_PART_TEXT_MAX];
    struct buffer text = buffer_over(memory, sizeof(memory));
    struct rule_part *subject = pop(taker);
    struct rule_part *part = new_part(taker, RULE_PART_VALUE, subject->begin);
    bool is_call = operation->code == RULE_DO_KNOWN || operation->code == RULE_DO_LOOKUP;
    if (is_call)
        buffer_append_text(&text, operation->code == RULE_DO_KNOWN ? "known(" : "lookup(");
    write_part(&text, subject);
    rule_part_write_operand(&text, taker->set, operation);
    if (is_call)
        buffer_append_char(&text, ')');
    take_marks(part, subject);
    if (operation->code == RULE_DO_ANY_OF && operation->a > 0 && is_feature(subject)) {
        part->shape = RULE_PART_EQUAL;
        part->feature = subject->feature;
        part->values = constant(taker, operation->b);
        part->value_count = operation->a;
    }
    set_text(taker, part, &text);
    push(taker, part);
}

static void take_not(struct taker *taker)
{
    struct rule_part *subject = as_test(pop(taker));
    struct rule_part *part = new_part(taker, RULE_PART_NOT, subject->begin);
    append(part, subject);
    push(taker, part);
}

/* Chains of the same are one. */
static void take_junction(struct taker *taker, enum rule_part_kind kind)
{
    struct rule_part *right = as_test(pop(taker));
    struct rule_part *left = as_test(pop(taker));
    struct rule_part *part = new_part(taker, kind, left->begin);
    struct rule_part *const sides[] = {left, right};
    for (size_t i = 0; i < 2; i++) {
        struct rule_part *child = sides[i]->kind == kind ? sides[i]->first : sides[i];
        while (child != NULL) {
            struct rule_part *next = child->next;
            child->next = NULL;
            append(part, child);
            child = next;
        }
    }
    push(taker, part);
}

/* The last of the values that an "or else" tries has been taken. */
static void end_fallbacks(struct taker *taker)
{
    while (taker->fallback_count > 0 &&
           taker->fallbacks[taker->fallback_count - 1].target == taker->at) {
        char memory[RULE_PART_TEXT_MAX];
        struct buffer text = buffer_over(memory, sizeof(memory));
        struct rule_part *value = taker->fallbacks[--taker->fallback_count].value;
        struct rule_part *other = pop(taker);
        struct rule_part *part = new_part(taker, RULE_PART_VALUE, value->begin);
        part->past = taker->at;
        write_part(&text, value);
        buffer_append_literal(&text, " or else ");
        write_part(&text, other);
        take_marks(part, value);
        take_marks(part, other);
        set_text(taker, part, &text);
        push(taker, part);
    }
}

static void take(struct taker *taker, const struct rule_operation *operation)
{
    switch (operation->code) {
    case RULE_DO_FEATURE:
    case RULE_DO_VALUE:
    case RULE_DO_HEADER:
    case RULE_DO_HAS_HEADER:
        take_leaf(taker, operation);
        break;
    case RULE_DO_NOT:
        take_not(taker);
        break;
    case RULE_DO_AND:
        take_junction(taker, RULE_PART_ALL);
        break;
    case RULE_DO_OR:
        take_junction(taker, RULE_PART_ANY);
        break;
    case RULE_DO_IF_FALSE: /* only saves time: the value stays */
    case RULE_DO_IF_TRUE:
        break;
    case RULE_DO_IF_KNOWN:
        taker->fallbacks[taker->fallback_count].value = pop(taker);
        taker->fallbacks[taker->fallback_count++].target = operation->b;
        break;
    case RULE_DO_COMPARE:
    case RULE_DO_ARITHMETIC:
    case RULE_DO_STARTS_WITH:
    case RULE_DO_CONTAINS:
        take_binary(taker, operation);
        break;
    default:
        take_unary(taker, operation);
        break;
    }
}

int rule_set_parts(const struct rule_set *set, size_t rule, struct arena *arena,
                   struct rule_part **root)
{
    const struct rule_entry *entry = (const struct rule_entry *)set->entries.items + rule;
    const struct rule_operation *operations = set->program.operations.items;
    assert(rule < set->entries.count);
    struct taker taker;
    taker.set = set;
    taker.arena = arena;
    taker.depth = 0;
    taker.fallback_count = 0;
    taker.no_memory = false;
    for (taker.at = entry->span.first; !taker.no_memory && taker.at < entry->span.past;
         taker.at++) {
        end_fallbacks(&taker);
        take(&taker, &operations[taker.at]);
    }
    end_fallbacks(&taker);
    if (taker.no_memory)
        return -ENOMEM;
    assert(taker.depth == 1 && taker.fallback_count == 0);
    *root = as_test(taker.stack[0]);
    return 0;
}

/* ---- results -------------------------------------------------------------------------------- */

/* The depth of a tree is limited when it is compiled. */
static void run_part(const struct rule_set *set, struct rule_scratch *scratch,
                     const struct rule_inputs *inputs,
                     struct rule_part *part) /* NOLINT(misc-no-recursion) */
{
    const struct rule_span span = {part->begin, part->past};
    part->result = rule_program_run(&set->program, span, inputs, scratch);
    for (struct rule_part *child = part->first; child != NULL; child = child->next)
        run_part(set, scratch, inputs, child);
}

void rule_set_run_parts(const struct rule_set *set, struct rule_scratch *scratch,
                        const struct rule_inputs *inputs, uint64_t wall_us, struct rule_part *root)
{
    scratch->now_us = wall_us > INT64_MAX ? INT64_MAX : (int64_t)wall_us;
    run_part(set, scratch, inputs, root);
}

/* ---- scorecards ----------------------------------------------------------------------------- */

/* The bound opens the next bin, so a value of its own bin is the one below. */
static struct rule_value below(const struct rule_value *bound)
{
    struct rule_value value = *bound;
    if (value.type == RULE_RATIO)
        value.ratio -= 0.01;
    else if (value.integer > INT64_MIN)
        value.integer--;
    return value;
}

void rule_set_card_values(const struct rule_set *set, size_t rule,
                          void (*visit)(void *context, uint16_t feature,
                                        const struct rule_value *value),
                          void *context)
{
    const struct rule_entry *entry = (const struct rule_entry *)set->entries.items + rule;
    const struct rule_operation *operations = set->program.operations.items;
    assert(rule < set->entries.count);
    for (size_t i = 0; entry->card != NULL && i < entry->card->count; i++) {
        const struct rule_card_feature *feature = &entry->card->features[i];
        const struct rule_operation *operation = &operations[feature->span.first];
        if (operation->code != RULE_DO_FEATURE || feature->span.past != feature->span.first + 1)
            continue;
        for (size_t j = 0; j < feature->count; j++) {
            const struct rule_bin *bin = &feature->bins[j];
            for (uint32_t k = 0; bin->kind != RULE_BIN_REST && k < bin->count; k++) {
                struct rule_value value = bin->values[k];
                value.type = set->catalogue->features[operation->a].type;
                visit(context, operation->a, &value);
                if (bin->kind != RULE_BIN_BELOW)
                    continue;
                value = below(&value);
                visit(context, operation->a, &value);
            }
        }
    }
}
