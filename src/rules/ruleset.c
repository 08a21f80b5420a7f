/* SPDX-License-Identifier: Apache-2.0 */
#include "ruleset_int.h"

#include <assert.h>
#include <stdlib.h>

#include "index_int.h"

static const char *const mode_names[] = {
#define RULE_MODE_ROW(name, word) [name] = (word),
    RULE_MODE_TABLE(RULE_MODE_ROW)
#undef RULE_MODE_ROW
};

/* Only the operator chooses ids, so the hash needs no secret. */
static const struct hash_key id_key = {{UINT64_C(0x72756c65), UINT64_C(0x69640000)}};

const char *rule_mode_name(enum rule_mode mode)
{
    assert((unsigned)mode < RULE_MODE_COUNT);
    return mode_names[mode];
}

void rule_set_destroy(struct rule_set *set)
{
    if (set == NULL)
        return;
    struct rule_named_list *lists = set->lists.items;
    for (size_t i = 0; i < set->lists.count; i++)
        rule_list_destroy(lists[i].list);
    rule_vector_clear(&set->lists);
    struct rule_named_table *tables = set->tables.items;
    for (size_t i = 0; i < set->tables.count; i++)
        rule_table_destroy(tables[i].table);
    rule_vector_clear(&set->tables);
    rule_vector_clear(&set->budgets);
    rule_vector_clear(&set->entries);
    rule_vector_clear(&set->records);
    rule_vector_clear(&set->steps);
    rule_index_destroy(set->index);
    rule_program_clear(&set->program);
    if (set->by_id != NULL)
        hash_table_destroy(set->by_id);
    arena_destroy(set->arena);
    free(set);
}

size_t rule_set_count(const struct rule_set *set)
{
    return set->records.count;
}

const struct rule_info *rule_set_rule(const struct rule_set *set, size_t index)
{
    struct rule_record *const *records = set->records.items;
    assert(index < set->records.count);
    return &records[index]->info;
}

uint64_t rule_id_hash(struct slice id)
{
    return hash_slice(&id_key, id);
}

bool rule_id_match(const void *record, const void *id)
{
    const struct rule_record *rule = record;
    const struct slice *wanted = id;
    return slice_equal(slice_of_text(rule->info.id), *wanted);
}

int rule_set_find(const struct rule_set *set, struct slice id)
{
    const struct rule_record *record =
        hash_table_find(set->by_id, rule_id_hash(id), rule_id_match, &id);
    return record != NULL ? (int)record->index : RULE_NONE;
}

size_t rule_set_step_count(const struct rule_set *set)
{
    return set->steps.count;
}

const struct rule_step *rule_set_step(const struct rule_set *set, size_t index)
{
    assert(index < set->steps.count);
    return (const struct rule_step *)set->steps.items + index;
}

size_t rule_set_budget_count(const struct rule_set *set)
{
    return set->budgets.count;
}

const struct rule_trunk_budget *rule_set_budget(const struct rule_set *set, size_t index)
{
    assert(index < set->budgets.count);
    return (const struct rule_trunk_budget *)set->budgets.items + index;
}

const struct rule_trunk_budget *rule_set_find_budget(const struct rule_set *set, struct slice trunk)
{
    const struct rule_trunk_budget *others = NULL;
    for (size_t i = 0; i < set->budgets.count; i++) {
        const struct rule_trunk_budget *budget = rule_set_budget(set, i);
        struct slice name = slice_of_text(budget->trunk);
        if (slice_equal(name, trunk))
            return budget;
        if (slice_equal(name, SLICE("*")))
            others = budget;
    }
    return others;
}

const char *rule_set_version(const struct rule_set *set)
{
    return set->version;
}

const struct rule_catalogue *rule_set_catalogue(const struct rule_set *set)
{
    return set->catalogue;
}

bool rule_set_uses(const struct rule_set *set, uint16_t feature)
{
    assert(feature < RULE_FEATURE_MAX);
    return (set->program.features[feature / 64] >> (feature % 64) & 1) != 0;
}

static bool has_list(const struct rule_set *set, const struct rule_list *list)
{
    const struct rule_named_list *lists = set->lists.items;
    for (size_t i = 0; i < set->lists.count; i++)
        if (lists[i].list == list)
            return true;
    return false;
}

size_t rule_set_list_bytes(const struct rule_set *set, const struct rule_set *other)
{
    const struct rule_named_list *lists = set->lists.items;
    size_t bytes = 0;
    for (size_t i = 0; i < set->lists.count; i++)
        if (other == NULL || !has_list(other, lists[i].list))
            bytes += rule_list_bytes(lists[i].list);
    return bytes;
}

const struct rule_named_list *rule_set_list(const struct rule_set *set, struct slice name)
{
    const struct rule_named_list *lists = set->lists.items;
    for (size_t i = 0; i < set->lists.count; i++)
        if (slice_equal(lists[i].name, name))
            return &lists[i];
    return NULL;
}

const struct rule_named_table *rule_set_table(const struct rule_set *set, struct slice name)
{
    const struct rule_named_table *tables = set->tables.items;
    for (size_t i = 0; i < set->tables.count; i++)
        if (slice_equal(tables[i].name, name))
            return &tables[i];
    return NULL;
}
