/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "index_int.h"
#include "ruleset_int.h"

/*
 * LEAF: so few rules are evaluated sooner than told apart. LEVELS: a rule may be found below its
 * key and below "unknown" at each level, so levels multiply its postings; no condition that people
 * write has more tests that matter. SHARED: rules for which a predicate without keys is asked.
 */
enum { LEAF = 6, LEVELS = 5, SHARED = 4, CONJUNCTS_SEEN = 32 };

/* A rule on its way down the tree. */
struct item {
    uint32_t rule;
    uint32_t used; /* bit i: its conjunct i was decided above */
    bool is_sure;  /* all of these are known to be true, or unknown for the features of the path */
};

/* How one item is found in a node. */
struct placement {
    const struct rule_predicate *predicate; /* a test; NULL: by key */
    struct rule_key key;
    struct item below; /* the item, with the conjunct used */
    bool exact;        /* below.is_sure stays when the key is met */
};

struct builder {
    const struct rule_set *set;
    struct rule_index *index;
    uint32_t *shared;            /* for each predicate, the items of the node that have it */
    rule_source_id path[LEVELS]; /* unknown values above */
    unsigned path_length;
    uint64_t groups; /* made so far */
};

static int build(struct builder *builder, const struct item *items, size_t count, unsigned level,
                 rule_branch *branch);

static const struct rule_predicate *predicate_of(const struct builder *builder, uint32_t rule,
                                                 uint32_t conjunct)
{
    const struct rule_predicates *predicates = &builder->index->predicates;
    const struct rule_conjuncts *conjuncts =
        (const struct rule_conjuncts *)predicates->rules.items + rule;
    const uint32_t *numbers = (const uint32_t *)predicates->conjuncts.items + conjuncts->first;
    return (const struct rule_predicate *)predicates->items.items + numbers[conjunct];
}

static uint32_t conjuncts_of(const struct builder *builder, uint32_t rule)
{
    const struct rule_conjuncts *conjuncts = builder->index->predicates.rules.items;
    return conjuncts[rule].count;
}

static uint32_t number_of(const struct builder *builder, const struct rule_predicate *predicate)
{
    return (uint32_t)(predicate -
                      (const struct rule_predicate *)builder->index->predicates.items.items);
}

/* ---- postings -------------------------------------------------------------------------------- */

static int add_posting(struct builder *builder, struct rule_run *run, uint32_t rule)
{
    run->count++;
    return rule_vector_push(&builder->index->postings, &rule);
}

static struct rule_run postings_start(const struct builder *builder)
{
    return (struct rule_run){(uint32_t)builder->index->postings.count, 0};
}

static int add_node(struct builder *builder, const struct rule_index_node *node,
                    rule_branch *branch)
{
    struct rule_vector *nodes = &builder->index->nodes;
    *branch = RULE_BRANCH_NODE(nodes->count);
    return rule_vector_push(nodes, node);
}

static int build_leaf(struct builder *builder, const struct item *items, size_t count,
                      rule_branch *branch)
{
    struct rule_index_node node = {.rules = postings_start(builder)};
    int error = 0;
    if (count == 1) {
        *branch = RULE_BRANCH_RULE(items[0].rule);
        return 0;
    }
    for (size_t i = 0; error == 0 && i < count; i++)
        error = add_posting(builder, &node.rules, items[i].rule);
    return error != 0 ? error : add_node(builder, &node, branch);
}

/* Dates could keep such a rule from being asked at all, so one with dates is evaluated. */
static bool is_sure(const struct builder *builder, const struct item *item)
{
    const struct rule_entry *entry =
        (const struct rule_entry *)builder->set->entries.items + item->rule;
    uint32_t count = conjuncts_of(builder, item->rule);
    return item->is_sure && builder->path_length > 0 && count < CONJUNCTS_SEEN &&
           item->used == (UINT32_C(1) << count) - 1 && entry->starts_us == INT64_MIN &&
           entry->expires_us == INT64_MAX;
}

/* ---- placing --------------------------------------------------------------------------------- */

/* Which of its predicates finds the item here: the one that passes the fewest calls; or count. */
static uint32_t choose(const struct builder *builder, const struct item *item)
{
    uint32_t count = conjuncts_of(builder, item->rule);
    uint32_t best = count;
    unsigned best_pass = 0;
    for (uint32_t i = 0; i < count && i < CONJUNCTS_SEEN; i++) {
        const struct rule_predicate *predicate = predicate_of(builder, item->rule, i);
        bool is_shared = builder->shared[number_of(builder, predicate)] >= SHARED;
        if ((item->used >> i & 1) != 0 || (predicate->key_count == 0 && !is_shared))
            continue;
        if (best == count || predicate->pass < best_pass) {
            best = i;
            best_pass = predicate->pass;
        }
    }
    return best;
}

static int place_item(struct builder *builder, const struct item *item, uint32_t conjunct,
                      struct rule_vector *placements)
{
    const struct rule_predicate *predicate = predicate_of(builder, item->rule, conjunct);
    const struct rule_key *keys = builder->index->predicates.keys.items;
    struct placement placement = {.below = *item, .exact = predicate->is_exact};
    placement.below.used |= UINT32_C(1) << conjunct;
    placement.below.is_sure = item->is_sure && predicate->is_plain;
    if (predicate->key_count == 0) {
        placement.predicate = predicate;
        return rule_vector_push(placements, &placement);
    }
    int error = 0;
    for (uint32_t i = 0; error == 0 && i < predicate->key_count; i++) {
        placement.key = keys[predicate->first_key + i];
        error = rule_vector_push(placements, &placement);
    }
    return error;
}

static void count_shared(struct builder *builder, const struct item *items, size_t count, bool add)
{
    for (size_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < conjuncts_of(builder, items[i].rule); k++) {
            uint32_t number = number_of(builder, predicate_of(builder, items[i].rule, k));
            builder->shared[number] = add ? builder->shared[number] + 1 : 0;
        }
    }
}

/* Sorts the items into placements, postings and those that are unknown for sure. */
static int place(struct builder *builder, const struct item *items, size_t count,
                 struct rule_index_node *node, struct rule_vector *placements)
{
    int error = 0;
    count_shared(builder, items, count, true);
    node->sure = postings_start(builder);
    for (size_t i = 0; error == 0 && i < count; i++)
        if (is_sure(builder, &items[i]))
            error = add_posting(builder, &node->sure, items[i].rule);
    node->rules = postings_start(builder);
    for (size_t i = 0; error == 0 && i < count; i++) {
        if (is_sure(builder, &items[i]))
            continue;
        uint32_t conjunct = choose(builder, &items[i]);
        error = conjunct == conjuncts_of(builder, items[i].rule)
                    ? add_posting(builder, &node->rules, items[i].rule)
                    : place_item(builder, &items[i], conjunct, placements);
    }
    count_shared(builder, items, count, false);
    if (error != 0 || node->sure.count == 0)
        return error;
    node->sure_inputs = (struct rule_run){(uint32_t)builder->index->inputs.count, 0};
    for (unsigned i = 0; error == 0 && i < builder->path_length; i++) {
        node->sure_inputs.count++;
        error = rule_vector_push(&builder->index->inputs, &builder->path[i]);
    }
    return error;
}

static int order_of(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* By feature, kind and key, tests last; equal ones in the order of the rules. */
static int compare_placements(const void *first, const void *second)
{
    const struct placement *a = first;
    const struct placement *b = second;
    if (a->predicate != NULL || b->predicate != NULL) {
        int order = order_of((uintptr_t)a->predicate, (uintptr_t)b->predicate);
        return order != 0 ? order : order_of(a->below.rule, b->below.rule);
    }
    if (a->key.source != b->key.source)
        return a->key.source < b->key.source ? -1 : 1;
    if (a->key.kind != b->key.kind)
        return a->key.kind < b->key.kind ? -1 : 1;
    int order = 0;
    if (a->key.kind == RULE_KEY_AT_LEAST)
        order = (a->key.bound > b->key.bound) - (a->key.bound < b->key.bound);
    else if (a->key.kind == RULE_KEY_AT_MOST)
        order = (a->key.bound < b->key.bound) - (a->key.bound > b->key.bound);
    else if (a->key.kind == RULE_KEY_LIST)
        order = order_of((uintptr_t)a->key.list, (uintptr_t)b->key.list);
    else
        order = order_of(a->key.hash, b->key.hash);
    return order != 0 ? order : order_of(a->below.rule, b->below.rule);
}

/* ---- branches -------------------------------------------------------------------------------- */

/* The next level for a run of placements, each item once. known: the key is met. */
static int build_below(struct builder *builder, const struct placement *placements, size_t count,
                       bool known, unsigned level, rule_branch *branch)
{
    struct item *items = malloc(count * sizeof(*items));
    size_t used = 0;
    if (items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct placement *placement = &placements[i];
        if (used > 0 && items[used - 1].rule == placement->below.rule)
            continue;
        items[used] = placement->below;
        items[used].is_sure = placement->below.is_sure && (!known || placement->exact);
        used++;
    }
    int error = build(builder, items, used, level + 1, branch);
    free(items);
    return error;
}

static int compare_rules(const void *first, const void *second)
{
    const struct placement *a = first;
    const struct placement *b = second;
    return order_of(a->below.rule, b->below.rule);
}

/* Where the feature is unknown: all that the group holds, in order, each rule once. Rules that are
 * found by several features are in no such list "for sure". */
static int build_unknown(struct builder *builder, const struct placement *placements, size_t count,
                         rule_source_id source, unsigned level, rule_branch *branch)
{
    struct placement *sorted = malloc(count * sizeof(*sorted));
    if (sorted == NULL)
        return -ENOMEM;
    memcpy(sorted, placements, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_rules);
    builder->path[builder->path_length++] = source;
    int error = build_below(builder, sorted, count, false, level, branch);
    builder->path_length--;
    free(sorted);
    return error;
}

static int add_slot(struct builder *builder, struct rule_index_group *group,
                    const struct rule_key *key, rule_branch branch)
{
    struct rule_index *index = builder->index;
    const struct rule_index_slot slot = {
        rule_index_hash(group->seed, (enum rule_key_kind)key->kind, key->hash), branch};
    if (key->kind == RULE_KEY_EQUAL) {
        uint32_t length = key->length < UINT8_MAX ? key->length : UINT32_MAX;
        group->equal_length = length > group->equal_length ? length : group->equal_length;
        group->has_equal = true;
    }
    if (key->kind == RULE_KEY_PREFIX)
        group->lengths |= UINT64_C(1) << key->length;
    if (key->kind == RULE_KEY_GRAM) {
        uint64_t *filter = (uint64_t *)index->filters.items + group->filter;
        filter[key->hash >> 58] |= UINT64_C(1) << (key->hash >> 52 & 63);
        group->gram_lengths |= (uint8_t)(1U << key->length);
    }
    return rule_vector_push(&index->keys, &slot);
}

static int add_bounds(struct builder *builder, struct rule_index_group *group,
                      const struct placement *placements, size_t count)
{
    struct rule_vector *bounds = &builder->index->bounds;
    struct rule_run *run =
        placements->key.kind == RULE_KEY_AT_LEAST ? &group->at_least : &group->at_most;
    *run = (struct rule_run){(uint32_t)bounds->count, (uint32_t)count};
    int error = rule_vector_reserve(bounds, count);
    for (size_t i = 0; error == 0 && i < count; i++) {
        const struct rule_index_bound bound = {placements[i].key.bound, placements[i].below.rule};
        error = rule_vector_push(bounds, &bound);
    }
    return error;
}

static int add_filter(struct builder *builder, struct rule_index_group *group)
{
    static const uint64_t empty[RULE_FILTER_WORDS];
    struct rule_vector *filters = &builder->index->filters;
    group->filter = (uint32_t)filters->count;
    int error = rule_vector_reserve(filters, RULE_FILTER_WORDS);
    for (size_t i = 0; error == 0 && i < RULE_FILTER_WORDS; i++)
        error = rule_vector_push(filters, &empty[i]);
    return error;
}

/* All thresholds of one side are found together. */
static bool same_key(const struct rule_key *a, const struct rule_key *b)
{
    if (a->source != b->source || a->kind != b->kind)
        return false;
    if (a->kind == RULE_KEY_AT_LEAST || a->kind == RULE_KEY_AT_MOST)
        return true;
    return a->kind == RULE_KEY_LIST ? a->list == b->list : a->hash == b->hash;
}

/* The placements of one key, or of all thresholds of one side. */
static int build_key(struct builder *builder, const struct placement *placements, size_t count,
                     unsigned level, struct rule_index_group *group, struct rule_vector *lists)
{
    const struct rule_key *key = &placements->key;
    rule_branch branch = RULE_BRANCH_NONE;
    int error = 0;
    if (key->kind == RULE_KEY_AT_LEAST || key->kind == RULE_KEY_AT_MOST)
        return add_bounds(builder, group, placements, count);
    if (key->kind == RULE_KEY_GRAM && group->gram_lengths == 0)
        error = add_filter(builder, group);
    if (error == 0)
        error = build_below(builder, placements, count, true, level, &branch);
    if (error != 0)
        return error;
    if (key->kind != RULE_KEY_LIST)
        return add_slot(builder, group, key, branch);
    const struct rule_index_list list = {key->list, branch};
    return rule_vector_push(lists, &list);
}

/* Appends all items of a vector to another one. */
static int append(struct rule_vector *to, const struct rule_vector *from, struct rule_run *run)
{
    *run = (struct rule_run){(uint32_t)to->count, (uint32_t)from->count};
    int error = rule_vector_reserve(to, from->count);
    for (size_t i = 0; error == 0 && i < from->count; i++)
        error = rule_vector_push(to, (const char *)from->items + i * from->size);
    return error;
}

static struct rule_index_group start_group(struct builder *builder, rule_source_id source)
{
    return (struct rule_index_group){
        .source = source,
        .type = (uint8_t)(rule_source_is_header(source)
                              ? RULE_TEXT
                              : builder->set->catalogue->features[source].type),
        .seed = ++builder->groups * UINT64_C(0x9e3779b97f4a7c15),
        .unknown = RULE_BRANCH_NONE,
    };
}

/* One feature's placements; its branches are built first, so that the group itself is complete. */
static int build_group(struct builder *builder, const struct placement *placements, size_t count,
                       unsigned level, struct rule_index_group *group)
{
    struct rule_vector lists = RULE_VECTOR_OF(struct rule_index_list);
    int error = 0;
    *group = start_group(builder, placements->key.source);
    for (size_t first = 0, past = 0; error == 0 && first < count; first = past) {
        for (past = first; past < count && same_key(&placements[first].key, &placements[past].key);)
            past++;
        error = build_key(builder, &placements[first], past - first, level, group, &lists);
    }
    if (error == 0)
        error = append(&builder->index->lists, &lists, &group->lists);
    rule_vector_clear(&lists);
    return error != 0
               ? error
               : build_unknown(builder, placements, count, group->source, level, &group->unknown);
}

static int build_groups(struct builder *builder, const struct placement *placements, size_t count,
                        unsigned level, struct rule_index_node *node)
{
    struct rule_vector groups = RULE_VECTOR_OF(struct rule_index_group);
    struct rule_index_group group;
    int error = 0;
    for (size_t first = 0, past = 0; error == 0 && first < count; first = past) {
        for (past = first;
             past < count && placements[past].key.source == placements[first].key.source;)
            past++;
        error = build_group(builder, &placements[first], past - first, level, &group);
        if (error == 0)
            error = rule_vector_push(&groups, &group);
    }
    if (error == 0)
        error = append(&builder->index->groups, &groups, &node->groups);
    rule_vector_clear(&groups);
    return error;
}

static int build_test(struct builder *builder, const struct placement *placements, size_t count,
                      unsigned level, struct rule_index_test *test)
{
    const struct rule_predicate *predicate = placements->predicate;
    *test =
        (struct rule_index_test){number_of(builder, predicate), RULE_BRANCH_NONE, RULE_BRANCH_NONE};
    int error = build_below(builder, placements, count, true, level, &test->when_true);
    if (error != 0)
        return error;
    return build_below(builder, placements, count, false, level, &test->unknown);
}

static int build_tests(struct builder *builder, const struct placement *placements, size_t count,
                       unsigned level, struct rule_index_node *node)
{
    struct rule_vector tests = RULE_VECTOR_OF(struct rule_index_test);
    struct rule_index_test test;
    int error = 0;
    for (size_t first = 0, past = 0; error == 0 && first < count; first = past) {
        for (past = first;
             past < count && placements[past].predicate == placements[first].predicate;)
            past++;
        error = build_test(builder, &placements[first], past - first, level, &test);
        if (error == 0)
            error = rule_vector_push(&tests, &test);
    }
    if (error == 0)
        error = append(&builder->index->tests, &tests, &node->tests);
    rule_vector_clear(&tests);
    return error;
}

/* Recursion ends at LEVELS. */
static int build(struct builder *builder, const struct item *items, size_t count, unsigned level,
                 rule_branch *branch) /* NOLINT(misc-no-recursion) */
{
    struct rule_vector placements = RULE_VECTOR_OF(struct placement);
    struct rule_index_node node = {.rules = {0, 0}};
    *branch = RULE_BRANCH_NONE;
    if (count == 0)
        return 0;
    if (count <= LEAF || level == LEVELS)
        return build_leaf(builder, items, count, branch);
    int error = place(builder, items, count, &node, &placements);
    if (error != 0)
        goto out;
    struct placement *sorted = placements.items;
    if (placements.count > 0)
        qsort(sorted, placements.count, sizeof(*sorted), compare_placements);
    size_t keyed = 0;
    while (keyed < placements.count && sorted[keyed].predicate == NULL)
        keyed++;
    if (keyed > 0)
        error = build_groups(builder, sorted, keyed, level, &node);
    if (error == 0 && keyed < placements.count)
        error = build_tests(builder, sorted + keyed, placements.count - keyed, level, &node);
    if (error == 0)
        error = add_node(builder, &node, branch);
out:
    rule_vector_clear(&placements);
    return error;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Half of the slots at most are used, so that most look-ups end at the first one. */
static int fill_slots(struct rule_index *index)
{
    const struct rule_index_slot *keys = index->keys.items;
    size_t count = 16;
    while (count < index->keys.count * 2)
        count *= 2;
    index->slots = calloc(count, sizeof(*index->slots));
    if (index->slots == NULL)
        return -ENOMEM;
    index->slot_mask = count - 1;
    for (size_t i = 0; i < index->keys.count; i++) {
        uint64_t at = keys[i].hash & index->slot_mask;
        while (index->slots[at].hash != 0)
            at = (at + 1) & index->slot_mask;
        index->slots[at] = keys[i];
    }
    rule_vector_clear(&index->keys);
    return 0;
}

static int take_apart(struct builder *builder)
{
    const struct rule_set *set = builder->set;
    const struct rule_entry *entries = set->entries.items;
    struct rule_predicates *predicates = &builder->index->predicates;
    int error = 0;
    for (size_t i = 0; error == 0 && i < set->entries.count; i++) {
        struct rule_span span =
            entries[i].mode != RULE_OFF ? entries[i].span : (struct rule_span){0, 0};
        error = rule_predicates_add(predicates, &set->program, set->catalogue, span);
    }
    if (error != 0)
        return error;
    rule_predicates_finish(predicates);
    builder->shared = calloc(predicates->items.count + 1, sizeof(*builder->shared));
    return builder->shared != NULL ? 0 : -ENOMEM;
}

static int build_root(struct builder *builder)
{
    const struct rule_set *set = builder->set;
    const struct rule_entry *entries = set->entries.items;
    struct item *items = calloc(set->entries.count + 1, sizeof(*items));
    size_t count = 0;
    if (items == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < set->entries.count; i++)
        if (entries[i].mode != RULE_OFF)
            items[count++] = (struct item){i, 0, true};
    int error = build(builder, items, count, 0, &builder->index->root);
    free(items);
    return error;
}

static struct rule_index *allocate(void)
{
    struct rule_index *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return NULL;
    rule_predicates_init(&made->predicates);
    made->root = RULE_BRANCH_NONE;
    made->nodes = RULE_VECTOR_OF(struct rule_index_node);
    made->groups = RULE_VECTOR_OF(struct rule_index_group);
    made->lists = RULE_VECTOR_OF(struct rule_index_list);
    made->tests = RULE_VECTOR_OF(struct rule_index_test);
    made->bounds = RULE_VECTOR_OF(struct rule_index_bound);
    made->postings = RULE_VECTOR_OF(uint32_t);
    made->inputs = RULE_VECTOR_OF(rule_source_id);
    made->filters = RULE_VECTOR_OF(uint64_t);
    made->keys = RULE_VECTOR_OF(struct rule_index_slot);
    return made;
}

int rule_index_create(const struct rule_set *set, struct rule_index **index)
{
    struct builder builder = {.set = set, .index = allocate()};
    assert(set->entries.count <= RULE_INDEXED_MAX);
    if (builder.index == NULL)
        return -ENOMEM;
    int error = take_apart(&builder);
    if (error == 0)
        error = build_root(&builder);
    if (error == 0)
        error = fill_slots(builder.index);
    free(builder.shared);
    if (error != 0) {
        rule_index_destroy(builder.index);
        return error;
    }
    *index = builder.index;
    return 0;
}

void rule_index_destroy(struct rule_index *index)
{
    if (index == NULL)
        return;
    rule_predicates_clear(&index->predicates);
    rule_vector_clear(&index->nodes);
    rule_vector_clear(&index->groups);
    rule_vector_clear(&index->lists);
    rule_vector_clear(&index->tests);
    rule_vector_clear(&index->bounds);
    rule_vector_clear(&index->postings);
    rule_vector_clear(&index->inputs);
    rule_vector_clear(&index->filters);
    rule_vector_clear(&index->keys);
    free(index->slots);
    free(index);
}
