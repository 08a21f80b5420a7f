/* SPDX-License-Identifier: Apache-2.0 */
#include "index_int.h"

#include <assert.h>
#include <string.h>

#include "ruleset_int.h"

static void follow(struct rule_search *search, rule_branch branch);

static void forget(struct rule_scratch *scratch)
{
    if (++scratch->epoch != 0)
        return;
    memset(scratch->memos, 0, RULE_MEMO_MAX * sizeof(*scratch->memos));
    scratch->epoch = 1;
}

/* Members are set one by one: clearing the whole would cost more than a search. */
void rule_index_start(struct rule_search *search, const struct rule_set *set,
                      const struct rule_inputs *inputs, struct rule_scratch *scratch,
                      struct rule_outcome *outcome)
{
    search->set = set;
    search->index = set->index;
    search->inputs = inputs;
    search->scratch = scratch;
    search->outcome = outcome;
    search->sure_count = 0;
    forget(scratch);
}

/* ---- predicates ------------------------------------------------------------------------------ */

static void mark(struct rule_scratch *scratch, unsigned feature)
{
    scratch->unknown_features[feature / 64] |= UINT64_C(1) << (feature % 64);
}

static void replay_marks(struct rule_scratch *scratch, const struct rule_memo *memo)
{
    for (unsigned i = 0; i < memo->mark_count; i++)
        mark(scratch, memo->marks[i]);
    scratch->unknown_header = scratch->unknown_header || memo->marks_header;
}

/* False when it met more unknown features than there is room for. */
static bool keep_marks(const struct rule_scratch *scratch, struct rule_memo *memo)
{
    memo->mark_count = 0;
    memo->marks_header = scratch->unknown_header;
    for (unsigned word = 0; word < RULE_FEATURE_WORDS; word++) {
        for (uint64_t bits = scratch->unknown_features[word]; bits != 0; bits &= bits - 1) {
            if (memo->mark_count == RULE_MEMO_FEATURES)
                return false;
            memo->marks[memo->mark_count++] =
                (uint8_t)(word * 64 + (unsigned)__builtin_ctzll(bits));
        }
    }
    return true;
}

/* Runs it with marks of its own, which are remembered, then adds those that were there before. */
static enum rule_result run_and_remember(struct rule_search *search,
                                         const struct rule_predicate *predicate,
                                         struct rule_memo *memo)
{
    struct rule_scratch *scratch = search->scratch;
    uint64_t before[RULE_FEATURE_WORDS];
    const bool header_before = scratch->unknown_header;
    memcpy(before, scratch->unknown_features, sizeof(before));
    memset(scratch->unknown_features, 0, sizeof(scratch->unknown_features));
    scratch->unknown_header = false;

    enum rule_result result =
        rule_program_run(&search->set->program, predicate->span, search->inputs, scratch);
    memo->result = (uint8_t)result;
    memo->epoch = keep_marks(scratch, memo) ? scratch->epoch : 0;
    for (unsigned i = 0; i < RULE_FEATURE_WORDS; i++)
        scratch->unknown_features[i] |= before[i];
    scratch->unknown_header = scratch->unknown_header || header_before;
    return result;
}

static enum rule_result run_simple(struct rule_search *search,
                                   const struct rule_predicate *predicate)
{
    const struct rule_program *program = &search->set->program;
    const struct rule_operation *operations =
        (const struct rule_operation *)program->operations.items + predicate->span.first;
    const struct rule_value *value =
        search->inputs->fetch(search->inputs->context, operations[0].a);
    if (!rule_value_is_usable(value)) {
        mark(search->scratch, operations[0].a);
        return RULE_UNKNOWN;
    }
    if (predicate->shape != RULE_SHAPE_COMPARE)
        return value->flag == (predicate->shape == RULE_SHAPE_FLAG) ? RULE_TRUE : RULE_FALSE;
    const struct rule_value *constants = program->constants.items;
    return rule_values_compare(operations[2].a, value, &constants[operations[1].b]) ? RULE_TRUE
                                                                                    : RULE_FALSE;
}

static enum rule_result run_predicate(struct rule_search *search, uint32_t number)
{
    const struct rule_predicate *predicate =
        (const struct rule_predicate *)search->index->predicates.items.items + number;
    if (predicate->shape != RULE_SHAPE_CODE)
        return run_simple(search, predicate);
    if (predicate->memo == RULE_NO_MEMO)
        return rule_program_run(&search->set->program, predicate->span, search->inputs,
                                search->scratch);
    struct rule_memo *memo = &search->scratch->memos[predicate->memo];
    if (memo->epoch != search->scratch->epoch)
        return run_and_remember(search, predicate, memo);
    replay_marks(search->scratch, memo);
    return (enum rule_result)memo->result;
}

enum rule_result rule_index_run(struct rule_search *search, uint32_t rule)
{
    const struct rule_predicates *predicates = &search->index->predicates;
    const struct rule_conjuncts *conjuncts =
        (const struct rule_conjuncts *)predicates->rules.items + rule;
    const uint32_t *numbers = (const uint32_t *)predicates->conjuncts.items + conjuncts->first;
    enum rule_result result = RULE_TRUE;
    for (uint32_t i = 0; i < conjuncts->count; i++) {
        enum rule_result one = run_predicate(search, numbers[i]);
        if (one == RULE_FALSE)
            return RULE_FALSE;
        if (one == RULE_UNKNOWN)
            result = RULE_UNKNOWN;
    }
    return result;
}

/* ---- values ---------------------------------------------------------------------------------- */

static void look_up(struct rule_search *search, const struct rule_index_group *group,
                    enum rule_key_kind kind, uint64_t key)
{
    const struct rule_index *index = search->index;
    uint64_t hash = rule_index_hash(group->seed, kind, key);
    for (uint64_t at = hash & index->slot_mask;; at = (at + 1) & index->slot_mask) {
        const struct rule_index_slot *slot = &index->slots[at];
        if (slot->hash == hash) {
            follow(search, slot->branch);
            return;
        }
        if (slot->hash == 0)
            return;
    }
}

/* One pass gives the hashes of all prefixes, then that of the whole. */
static void look_up_text(struct rule_search *search, const struct rule_index_group *group,
                         struct slice text)
{
    uint64_t hash = RULE_KEY_SEED;
    size_t at = 0;
    for (uint64_t lengths = group->lengths; lengths != 0; lengths &= lengths - 1) {
        size_t length = (size_t)__builtin_ctzll(lengths);
        if (length > text.length)
            break;
        for (; at < length; at++)
            hash = rule_key_step(hash, text.data[at]);
        look_up(search, group, RULE_KEY_PREFIX, hash);
    }
    if (!group->has_equal || text.length > group->equal_length)
        return;
    for (; at < text.length; at++)
        hash = rule_key_step(hash, text.data[at]);
    look_up(search, group, RULE_KEY_EQUAL, hash);
}

static void look_up_grams(struct rule_search *search, const struct rule_index_group *group,
                          struct slice text)
{
    const uint64_t *filter = (const uint64_t *)search->index->filters.items + group->filter;
    for (unsigned length = 1; length <= RULE_GRAM_MAX; length++) {
        if ((group->gram_lengths >> length & 1) == 0)
            continue;
        for (size_t at = 0; at + length <= text.length; at++) {
            uint64_t key = rule_key_gram(text.data + at, length);
            if ((filter[key >> 58] >> (key >> 52 & 63) & 1) != 0)
                look_up(search, group, RULE_KEY_GRAM, key);
        }
    }
}

/* The value is made ready once for all lists. */
static void look_up_lists(struct rule_search *search, const struct rule_index_group *group,
                          const struct rule_value *value)
{
    const struct rule_index_list *lists =
        (const struct rule_index_list *)search->index->lists.items + group->lists.first;
    struct rule_list_subject subject;
    rule_list_subject_init(&subject, value);
    for (uint32_t i = 0; i < group->lists.count; i++)
        if (rule_list_lookup(lists[i].list, &subject, search->scratch->now_us, NULL))
            follow(search, lists[i].branch);
}

static void look_up_bounds(struct rule_search *search, const struct rule_index_group *group,
                           int64_t order)
{
    const struct rule_index_bound *bounds = search->index->bounds.items;
    const struct rule_run low = group->at_least, high = group->at_most;
    for (uint32_t i = low.first; i < low.first + low.count && bounds[i].bound <= order; i++)
        rule_candidates_add(search->scratch->candidates, bounds[i].rule);
    for (uint32_t i = high.first; i < high.first + high.count && bounds[i].bound >= order; i++)
        rule_candidates_add(search->scratch->candidates, bounds[i].rule);
}

static const struct rule_value *fetch(const struct rule_search *search, rule_source_id source,
                                      struct rule_value *header)
{
    const struct rule_index *index = search->index;
    if (!rule_source_is_header(source))
        return search->inputs->fetch(search->inputs->context, source);
    const struct slice *names = index->predicates.headers.items;
    *header = rule_unknown(RULE_TEXT);
    return search->inputs->fetch_header != NULL &&
                   search->inputs->fetch_header(search->inputs->context,
                                                names[source - RULE_FEATURE_MAX], header)
               ? header
               : NULL;
}

static void search_group(struct rule_search *search, const struct rule_index_group *group)
{
    struct rule_value header;
    const struct rule_value *value = fetch(search, group->source, &header);
    if (!rule_value_is_usable(value)) {
        follow(search, group->unknown);
        return;
    }
    assert(value->type == (enum rule_type)group->type);
    if (rule_type_is_textual(value->type)) {
        look_up_text(search, group, value->text);
        if (group->gram_lengths != 0)
            look_up_grams(search, group, value->text);
        if (group->lists.count > 0)
            look_up_lists(search, group, value);
        return;
    }
    int64_t order = rule_key_order(value);
    if (group->has_equal)
        look_up(search, group, RULE_KEY_EQUAL, (uint64_t)order);
    look_up_bounds(search, group, order);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

void rule_index_merge(uint32_t *rules, uint32_t *count, const uint32_t *more, uint32_t more_count)
{
    uint32_t merged[RULE_UNKNOWN_MAX];
    uint32_t used = 0, i = 0, k = 0;
    if (*count == RULE_UNKNOWN_MAX && more[0] > rules[RULE_UNKNOWN_MAX - 1])
        return;
    while (used < RULE_UNKNOWN_MAX && (i < *count || k < more_count))
        merged[used++] =
            k == more_count || (i < *count && rules[i] < more[k]) ? rules[i++] : more[k++];
    memcpy(rules, merged, used * sizeof(*rules));
    *count = used;
}

static void add_sure(struct rule_search *search, const struct rule_index_node *node)
{
    const struct rule_index *index = search->index;
    const uint32_t *rules = (const uint32_t *)index->postings.items + node->sure.first;
    const rule_source_id *inputs =
        (const rule_source_id *)index->inputs.items + node->sure_inputs.first;
    rule_index_merge(search->sure, &search->sure_count, rules, node->sure.count);
    search->outcome->unknown_total += node->sure.count;
    for (uint32_t i = 0; i < node->sure_inputs.count; i++) {
        if (rule_source_is_header(inputs[i]))
            search->outcome->unknown_header = true;
        else
            search->outcome->unknown_features[inputs[i] / 64] |= UINT64_C(1) << (inputs[i] % 64);
    }
}

static void search_tests(struct rule_search *search, struct rule_run run)
{
    const struct rule_index_test *tests = search->index->tests.items;
    for (uint32_t i = run.first; i < run.first + run.count; i++) {
        enum rule_result result = run_predicate(search, tests[i].predicate);
        if (result == RULE_TRUE)
            follow(search, tests[i].when_true);
        else if (result == RULE_UNKNOWN)
            follow(search, tests[i].unknown);
    }
}

static void search_node(struct rule_search *search, const struct rule_index_node *node)
{
    const struct rule_index *index = search->index;
    const uint32_t *rules = index->postings.items;
    const struct rule_index_group *groups = index->groups.items;
    for (uint32_t i = node->rules.first; i < node->rules.first + node->rules.count; i++)
        rule_candidates_add(search->scratch->candidates, rules[i]);
    if (node->sure.count > 0)
        add_sure(search, node);
    for (uint32_t i = node->groups.first; i < node->groups.first + node->groups.count; i++)
        search_group(search, &groups[i]);
    if (node->tests.count > 0)
        search_tests(search, node->tests);
}

/* No path is longer than the builder's limit of levels. */
static void follow(struct rule_search *search, rule_branch branch) /* NOLINT(misc-no-recursion) */
{
    if (branch == RULE_BRANCH_NONE)
        return;
    if ((branch & 1) != 0)
        rule_candidates_add(search->scratch->candidates, branch >> 1);
    else
        search_node(search,
                    (const struct rule_index_node *)search->index->nodes.items + (branch >> 1));
}

void rule_index_search(struct rule_search *search)
{
    follow(search, search->index->root);
}
