/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "part_int.h"

/* An operation that was written over. */
struct undone {
    uint32_t at;
    struct rule_operation operation;
};

struct rule_trial {
    const struct rule_set *original;
    struct rule_set set;       /* borrows everything but the operations, constants and entries */
    struct rule_vector undone; /* of struct undone */
    bool altered;
    bool modes_altered;
    uint32_t no; /* constants: false, and behind it true */
};

static int copy_vector(const struct rule_vector *from, struct rule_vector *to)
{
    *to = (struct rule_vector){.size = from->size};
    int error = rule_vector_reserve(to, from->count + 1);
    if (error != 0)
        return error;
    if (from->count > 0)
        memcpy(to->items, from->items, from->count * from->size);
    to->count = from->count;
    return 0;
}

static int add_constants(struct rule_trial *trial)
{
    struct rule_vector *constants = &trial->set.program.constants;
    const struct rule_value values[] = {rule_flag(false), rule_flag(true)};
    trial->no = (uint32_t)constants->count;
    int error = rule_vector_push(constants, &values[0]);
    return error != 0 ? error : rule_vector_push(constants, &values[1]);
}

int rule_trial_create(const struct rule_set *set, struct rule_trial **trial)
{
    struct rule_trial *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->original = set;
    made->set = *set;
    made->set.index = NULL;
    made->undone = RULE_VECTOR_OF(struct undone);
    made->set.program.operations = (struct rule_vector){0};
    made->set.program.constants = (struct rule_vector){0};
    made->set.entries = (struct rule_vector){0};
    int error = copy_vector(&set->program.operations, &made->set.program.operations);
    if (error == 0)
        error = copy_vector(&set->program.constants, &made->set.program.constants);
    if (error == 0)
        error = copy_vector(&set->entries, &made->set.entries);
    if (error == 0)
        error = add_constants(made);
    if (error != 0) {
        rule_trial_destroy(made);
        return error;
    }
    *trial = made;
    return 0;
}

const struct rule_set *rule_trial_set(const struct rule_trial *trial)
{
    return trial->altered ? &trial->set : trial->original;
}

static int write_over(struct rule_trial *trial, uint32_t at, struct rule_operation operation)
{
    struct rule_operation *operations = trial->set.program.operations.items;
    const struct undone undone = {at, operations[at]};
    int error = rule_vector_push(&trial->undone, &undone);
    if (error == 0)
        operations[at] = operation;
    return error;
}

/* The test becomes a constant, and what is left of it is jumped over. */
static int turn_one(struct rule_trial *trial, uint32_t begin, uint32_t past, bool holds)
{
    const struct rule_operation value = {RULE_DO_VALUE, 0, trial->no + (holds ? 1U : 0U)};
    int error = write_over(trial, begin, value);
    if (error != 0 || past == begin + 1)
        return error;
    const struct rule_operation jump = {holds ? RULE_DO_IF_TRUE : RULE_DO_IF_FALSE, 0, past};
    return write_over(trial, begin + 1, jump);
}

int rule_trial_turn(struct rule_trial *trial, const struct rule_part *test, bool holds)
{
    const struct rule_program *program = &trial->original->program;
    const struct rule_operation *operations = program->operations.items;
    const struct rule_span span = {test->begin, test->past};
    const uint32_t length = test->past - test->begin;
    trial->altered = true;
    /* Operations in postfix order are a whole expression wherever they stand alike. */
    for (uint32_t at = 0; at + length <= program->operations.count; at++) {
        const struct rule_span other = {at, at + length};
        if (operations[at].code != operations[test->begin].code ||
            operations[at].a != operations[test->begin].a ||
            !rule_program_same(program, span, other))
            continue;
        int error = turn_one(trial, at, at + length, holds);
        if (error != 0)
            return error;
    }
    return 0;
}

void rule_trial_set_mode(struct rule_trial *trial, size_t rule, enum rule_mode mode)
{
    struct rule_entry *entry = (struct rule_entry *)trial->set.entries.items + rule;
    entry->mode = (uint8_t)mode;
    entry->rollout = RULE_ROLLOUT_ALL;
    trial->altered = true;
    trial->modes_altered = true;
}

void rule_trial_reset(struct rule_trial *trial)
{
    struct rule_operation *operations = trial->set.program.operations.items;
    const struct undone *undone = trial->undone.items;
    for (size_t i = trial->undone.count; i > 0; i--)
        operations[undone[i - 1].at] = undone[i - 1].operation;
    trial->undone.count = 0;
    if (trial->modes_altered)
        memcpy(trial->set.entries.items, trial->original->entries.items,
               trial->set.entries.count * sizeof(struct rule_entry));
    trial->altered = false;
    trial->modes_altered = false;
}

void rule_trial_destroy(struct rule_trial *trial)
{
    if (trial == NULL)
        return;
    rule_vector_clear(&trial->set.program.operations);
    rule_vector_clear(&trial->set.program.constants);
    rule_vector_clear(&trial->set.entries);
    rule_vector_clear(&trial->undone);
    free(trial);
}
