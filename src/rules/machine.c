/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "program_int.h"

struct run {
    const struct rule_program *program;
    const struct rule_inputs *inputs;
    struct rule_scratch *scratch;
    struct rule_value *top; /* behind the last value */
    uint32_t next;          /* operation */
};

static void push(struct run *run, struct rule_value value)
{
    *run->top++ = value;
}

/* Replaces the last value. */
static void answer(struct run *run, bool flag)
{
    run->top[-1] = rule_flag(flag);
}

static void answer_unknown(struct run *run)
{
    run->top[-1] = rule_unknown(RULE_FLAG);
}

static const struct rule_value *constant(const struct run *run, uint32_t index)
{
    return (const struct rule_value *)run->program->constants.items + index;
}

/* Takes the right operand off; false when the answer is already given: one of them is unknown. */
static bool take_right(struct run *run)
{
    run->top--;
    if (run->top[-1].known && run->top[0].known)
        return true;
    answer_unknown(run);
    return false;
}

static void do_feature(struct run *run, const struct rule_operation *operation)
{
    const struct rule_value *value = run->inputs->fetch(run->inputs->context, operation->a);
    if (rule_value_is_usable(value)) {
        assert(value->type == (enum rule_type)operation->b);
        push(run, *value);
        return;
    }
    run->scratch->unknown_features[operation->a / 64] |= UINT64_C(1) << (operation->a % 64);
    push(run, rule_unknown(RULE_FLAG));
}

static void do_value(struct run *run, const struct rule_operation *operation)
{
    push(run, *constant(run, operation->b));
}

static bool fetch_header(struct run *run, uint32_t name, struct rule_value *value)
{
    *value = rule_unknown(RULE_TEXT);
    return run->inputs->fetch_header != NULL &&
           run->inputs->fetch_header(run->inputs->context, constant(run, name)->text, value);
}

static void do_header(struct run *run, const struct rule_operation *operation)
{
    struct rule_value value;
    if (!fetch_header(run, operation->b, &value) || !value.known) {
        run->scratch->unknown_header = true;
        value = rule_unknown(RULE_TEXT);
    }
    push(run, value);
}

static void do_has_header(struct run *run, const struct rule_operation *operation)
{
    struct rule_value value;
    push(run, rule_flag(fetch_header(run, operation->b, &value)));
}

static void do_known(struct run *run, const struct rule_operation *operation)
{
    (void)operation;
    answer(run, run->top[-1].known);
}

static void do_not(struct run *run, const struct rule_operation *operation)
{
    (void)operation;
    if (run->top[-1].known)
        answer(run, !run->top[-1].flag);
}

static bool is_true(const struct rule_value *value)
{
    return value->known && value->flag;
}

static bool is_false(const struct rule_value *value)
{
    return value->known && !value->flag;
}

static void do_and(struct run *run, const struct rule_operation *operation)
{
    (void)operation;
    run->top--;
    if (is_false(&run->top[-1]) || is_false(&run->top[0]))
        answer(run, false);
    else if (!run->top[0].known)
        answer_unknown(run);
}

static void do_or(struct run *run, const struct rule_operation *operation)
{
    (void)operation;
    run->top--;
    if (is_true(&run->top[-1]) || is_true(&run->top[0]))
        answer(run, true);
    else if (!run->top[0].known)
        answer_unknown(run);
}

static void do_if_false(struct run *run, const struct rule_operation *operation)
{
    if (is_false(&run->top[-1]))
        run->next = operation->b;
}

static void do_if_true(struct run *run, const struct rule_operation *operation)
{
    if (is_true(&run->top[-1]))
        run->next = operation->b;
}

static void do_if_known(struct run *run, const struct rule_operation *operation)
{
    if (run->top[-1].known)
        run->next = operation->b;
    else
        run->top--;
}

static int order_of_integers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* -1, 0 or 1; texts are only ever asked for equality. Both are of comparable types. */
static int order_of(const struct rule_value *a, const struct rule_value *b)
{
    switch (a->type) {
    case RULE_TEXT:
    case RULE_NUMBER:
        return slice_equal(a->text, b->text) ? 0 : 1;
    case RULE_FLAG:
        return a->flag == b->flag ? 0 : 1;
    case RULE_RATIO:
        return (a->ratio > b->ratio) - (a->ratio < b->ratio);
    case RULE_INTEGER:
    case RULE_DURATION:
    case RULE_TIME:
        return order_of_integers(a->integer, b->integer);
    case RULE_ADDRESS:
        return memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes)) == 0 ? 0 : 1;
    case RULE_SET:
    case RULE_TYPE_COUNT:
        break;
    }
    assert(false); /* the checker compares no sets */
    return 1;
}

bool rule_values_equal(const struct rule_value *a, const struct rule_value *b)
{
    return order_of(a, b) == 0;
}

int rule_values_order(const struct rule_value *a, const struct rule_value *b)
{
    return order_of(a, b);
}

bool rule_values_compare(unsigned relation, const struct rule_value *a, const struct rule_value *b)
{
    /* Bit 0: holds when less, bit 1: when equal, bit 2: when more. */
    static const unsigned char holds[] = {
        [RULE_EQUAL] = 2,   [RULE_DIFFERENT] = 5, [RULE_LESS] = 1,
        [RULE_AT_MOST] = 3, [RULE_MORE] = 4,      [RULE_AT_LEAST] = 6,
    };
    return (holds[relation] >> (order_of(a, b) + 1) & 1) != 0;
}

static void do_compare(struct run *run, const struct rule_operation *operation)
{
    if (take_right(run))
        answer(run, rule_values_compare(operation->a, &run->top[-1], &run->top[0]));
}

static void do_in_list(struct run *run, const struct rule_operation *operation)
{
    const struct rule_list *const *lists = run->program->lists.items;
    if (run->top[-1].known)
        answer(run, rule_list_has(lists[operation->b], &run->top[-1], run->scratch->now_us));
}

static bool is_equal(const struct rule_value *subject, const struct rule_value *value)
{
    return order_of(subject, value) == 0;
}

static bool starts_with(const struct rule_value *subject, const struct rule_value *prefix)
{
    return slice_starts_with(subject->text, prefix->text);
}

static bool contains(const struct rule_value *subject, const struct rule_value *part)
{
    if (subject->type != RULE_SET)
        return part->text.length == 0 || (subject->text.length >= part->text.length &&
                                          memmem(subject->text.data, subject->text.length,
                                                 part->text.data, part->text.length) != NULL);
    for (size_t i = 0; i < subject->set.count; i++)
        if (slice_equal(subject->set.texts[i], part->text))
            return true;
    return false;
}

/* Whether the test holds for the last value and any of the operation's constants. */
static void do_any(struct run *run, const struct rule_operation *operation,
                   bool (*test)(const struct rule_value *, const struct rule_value *))
{
    const struct rule_value subject = run->top[-1];
    bool found = false;
    if (!subject.known)
        return;
    for (uint32_t i = 0; !found && i < operation->a; i++)
        found = test(&subject, constant(run, operation->b + i));
    answer(run, found);
}

static void do_any_of(struct run *run, const struct rule_operation *operation)
{
    do_any(run, operation, is_equal);
}

static void do_starts_with(struct run *run, const struct rule_operation *operation)
{
    (void)operation;
    if (take_right(run))
        answer(run, starts_with(&run->top[-1], &run->top[0]));
}

static void do_starts_with_any(struct run *run, const struct rule_operation *operation)
{
    do_any(run, operation, starts_with);
}

static void do_contains(struct run *run, const struct rule_operation *operation)
{
    (void)operation;
    if (take_right(run))
        answer(run, contains(&run->top[-1], &run->top[0]));
}

static void do_contains_any(struct run *run, const struct rule_operation *operation)
{
    do_any(run, operation, contains);
}

static void do_matches(struct run *run, const struct rule_operation *operation)
{
    struct rule_scratch *scratch = run->scratch;
    const struct rule_regex *const *regexes = run->program->regexes.items;
    if (!run->top[-1].known)
        return;
    if (run->inputs->skip_regex) {
        scratch->regex_skipped++;
        answer_unknown(run);
        return;
    }
    int found = rule_regex_match(regexes[operation->b], scratch->matcher, run->top[-1].text);
    if (found >= 0) {
        answer(run, found == 1);
        return;
    }
    if (found == -EFBIG)
        scratch->regex_too_long++;
    else
        scratch->regex_limited++;
    answer_unknown(run);
}

static void do_arithmetic(struct run *run, const struct rule_operation *operation)
{
    if (take_right(run))
        run->top[-1] = rule_arithmetic_do(operation->a, &run->top[-1], &run->top[0]);
}

static void do_lookup(struct run *run, const struct rule_operation *operation)
{
    const struct rule_table *const *tables = run->program->tables.items;
    const struct rule_value *found =
        run->top[-1].known ? rule_table_find(tables[operation->b], &run->top[-1]) : NULL;
    if (found != NULL)
        run->top[-1] = *found;
    else
        answer_unknown(run);
}

static void do_in_networks(struct run *run, const struct rule_operation *operation)
{
    const struct rule_networks *const *networks = run->program->networks.items;
    if (run->top[-1].known)
        answer(run, rule_networks_have(networks[operation->b], &run->top[-1].address));
}

const struct rule_value *rule_program_value(const struct rule_program *program,
                                            struct rule_span span, const struct rule_inputs *inputs,
                                            struct rule_scratch *scratch)
{
    static void (*const functions[])(struct run *, const struct rule_operation *) = {
#define FUNCTION_ROW(name, function, pops) [name] = (function),
        RULE_OPERATION_TABLE(FUNCTION_ROW)
#undef FUNCTION_ROW
    };
    const struct rule_operation *operations = program->operations.items;
    struct run run = {program, inputs, scratch, scratch->stack, span.first};
    while (run.next < span.past) {
        const struct rule_operation *operation = &operations[run.next++];
        functions[operation->code](&run, operation);
    }
    assert(run.top == scratch->stack + 1);
    return &scratch->stack[0];
}

enum rule_result rule_program_run(const struct rule_program *program, struct rule_span span,
                                  const struct rule_inputs *inputs, struct rule_scratch *scratch)
{
    const struct rule_value *result = rule_program_value(program, span, inputs, scratch);
    return !result->known ? RULE_UNKNOWN : result->flag ? RULE_TRUE : RULE_FALSE;
}
