/* SPDX-License-Identifier: Apache-2.0 */
#include "program_int.h"

#include <assert.h>
#include <errno.h>

struct compiler {
    struct rule_program *program;
    struct arena *arena;
    unsigned depth; /* of the stack at this point */
};

void rule_program_init(struct rule_program *program)
{
    *program = (struct rule_program){
        .operations = RULE_VECTOR_OF(struct rule_operation),
        .constants = RULE_VECTOR_OF(struct rule_value),
        .lists = RULE_VECTOR_OF(const struct rule_list *),
        .regexes = RULE_VECTOR_OF(struct rule_regex *),
        .tables = RULE_VECTOR_OF(const struct rule_table *),
        .networks = RULE_VECTOR_OF(const struct rule_networks *),
    };
}

void rule_program_clear(struct rule_program *program)
{
    struct rule_regex **regexes = program->regexes.items;
    for (size_t i = 0; i < program->regexes.count; i++)
        rule_regex_destroy(regexes[i]);
    if (program->patterns != NULL)
        hash_table_destroy(program->patterns);
    program->patterns = NULL;
    rule_vector_clear(&program->regexes);
    rule_vector_clear(&program->lists);
    rule_vector_clear(&program->tables);
    rule_vector_clear(&program->networks);
    rule_vector_clear(&program->constants);
    rule_vector_clear(&program->operations);
}

static const unsigned char pops[] = {
#define POPS_ROW(name, function, pops) [name] = (pops),
    RULE_OPERATION_TABLE(POPS_ROW)
#undef POPS_ROW
};

/* All return 0 or -ENOMEM. */
static int emit_node(struct compiler *compiler, const struct rule_node *node);

static int emit(struct compiler *compiler, enum rule_operation_code code, size_t a, size_t b)
{
    struct rule_operation operation = {(uint16_t)code, (uint16_t)a, (uint32_t)b};
    assert(compiler->depth >= pops[code]);
    compiler->depth = compiler->depth - pops[code] + 1;
    assert(a <= UINT16_MAX && b <= UINT32_MAX && compiler->depth <= RULE_STACK_MAX);
    return rule_vector_push(&compiler->program->operations, &operation);
}

/* Lets the operation at `at` go on at the next one that is emitted. */
static void patch(struct compiler *compiler, size_t at)
{
    struct rule_operation *operations = compiler->program->operations.items;
    operations[at].b = (uint32_t)compiler->program->operations.count;
}

static int add_constant(struct compiler *compiler, const struct rule_value *value)
{
    struct rule_value kept = *value;
    if (kept.type == RULE_TEXT || kept.type == RULE_NUMBER) {
        kept.text = arena_copy(compiler->arena, value->text);
        if (kept.text.data == NULL)
            return -ENOMEM;
    }
    return rule_vector_push(&compiler->program->constants, &kept);
}

static int emit_constant(struct compiler *compiler, enum rule_operation_code code,
                         const struct rule_value *value)
{
    int error = add_constant(compiler, value);
    return error != 0 ? error : emit(compiler, code, 0, compiler->program->constants.count - 1);
}

static int emit_value(struct compiler *compiler, const struct rule_node *node)
{
    return emit_constant(compiler, RULE_DO_VALUE, &node->value);
}

static int emit_header(struct compiler *compiler, const struct rule_node *node)
{
    return emit_constant(compiler,
                         node->kind == RULE_NODE_HEADER ? RULE_DO_HEADER : RULE_DO_HAS_HEADER,
                         &node->value);
}

static int emit_feature(struct compiler *compiler, const struct rule_node *node)
{
    compiler->program->features[node->feature / 64] |= UINT64_C(1) << (node->feature % 64);
    return emit(compiler, RULE_DO_FEATURE, node->feature, (size_t)node->type);
}

static int emit_unary(struct compiler *compiler, const struct rule_node *node)
{
    int error = emit_node(compiler, node->first);
    if (error != 0)
        return error;
    return emit(compiler, node->kind == RULE_NODE_NOT ? RULE_DO_NOT : RULE_DO_KNOWN, 0, 0);
}

/*
 * x1, test, x2, combine, test, x3, combine ...: a test that decides the chain goes to the end of
 * the whole chain. After RULE_DO_IF_KNOWN nothing is to be combined, since it dropped the value.
 */
static int emit_chain(struct compiler *compiler, const struct rule_node *node,
                      enum rule_operation_code test, int combine)
{
    struct rule_vector *operations = &compiler->program->operations;
    struct rule_vector tests = RULE_VECTOR_OF(size_t);
    int error = emit_node(compiler, node->first);
    for (const struct rule_node *child = node->first->next; error == 0 && child != NULL;
         child = child->next) {
        size_t at = operations->count;
        error = rule_vector_push(&tests, &at);
        if (error == 0)
            error = emit(compiler, test, 0, 0);
        if (combine == 0)
            compiler->depth--;
        if (error == 0)
            error = emit_node(compiler, child);
        if (error == 0 && combine != 0)
            error = emit(compiler, (enum rule_operation_code)combine, 0, 0);
    }
    const size_t *test_at = tests.items;
    for (size_t i = 0; error == 0 && i < tests.count; i++)
        patch(compiler, test_at[i]);
    rule_vector_clear(&tests);
    return error;
}

static int emit_and(struct compiler *compiler, const struct rule_node *node)
{
    return emit_chain(compiler, node, RULE_DO_IF_FALSE, RULE_DO_AND);
}

static int emit_or(struct compiler *compiler, const struct rule_node *node)
{
    return emit_chain(compiler, node, RULE_DO_IF_TRUE, RULE_DO_OR);
}

static int emit_else(struct compiler *compiler, const struct rule_node *node)
{
    return emit_chain(compiler, node, RULE_DO_IF_KNOWN, 0);
}

static int emit_binary(struct compiler *compiler, const struct rule_node *node,
                       enum rule_operation_code code, size_t a)
{
    int error = emit_node(compiler, node->first);
    if (error == 0)
        error = emit_node(compiler, node->first->next);
    return error != 0 ? error : emit(compiler, code, a, 0);
}

static int emit_compare(struct compiler *compiler, const struct rule_node *node)
{
    return emit_binary(compiler, node, RULE_DO_COMPARE, node->relation);
}

/* The subject, then all literals as one run of constants. */
static int emit_any(struct compiler *compiler, const struct rule_node *node,
                    enum rule_operation_code code)
{
    int error = emit_node(compiler, node->first);
    size_t first = compiler->program->constants.count;
    for (const struct rule_node *value = node->first->next; error == 0 && value != NULL;
         value = value->next)
        error = add_constant(compiler, &value->value);
    return error != 0 ? error : emit(compiler, code, node->count - 1, first);
}

static int emit_in_values(struct compiler *compiler, const struct rule_node *node)
{
    return emit_any(compiler, node, RULE_DO_ANY_OF);
}

static int emit_part(struct compiler *compiler, const struct rule_node *node)
{
    bool is_prefix = node->kind == RULE_NODE_STARTS_WITH;
    if (node->bracketed)
        return emit_any(compiler, node, is_prefix ? RULE_DO_STARTS_WITH_ANY : RULE_DO_CONTAINS_ANY);
    return emit_binary(compiler, node, is_prefix ? RULE_DO_STARTS_WITH : RULE_DO_CONTAINS, 0);
}

static int emit_in_list(struct compiler *compiler, const struct rule_node *node)
{
    struct rule_vector *lists = &compiler->program->lists;
    int error = emit_node(compiler, node->first);
    if (error == 0)
        error = rule_vector_push(lists, &node->list);
    return error != 0 ? error : emit(compiler, RULE_DO_IN_LIST, 0, lists->count - 1);
}

/* A pattern that the program has a regular expression for; in the arena. */
struct pattern {
    struct slice text;
    bool ignore_case;
    size_t index;
};

static bool is_pattern(const void *object, const void *key)
{
    const struct pattern *a = object;
    const struct pattern *b = key;
    return a->ignore_case == b->ignore_case && slice_equal(a->text, b->text);
}

/* Only the operator writes patterns. */
static uint64_t pattern_hash(const struct pattern *pattern)
{
    const struct hash_key key = {{UINT64_C(0x72756c65), pattern->ignore_case}};
    return hash_slice(&key, pattern->text);
}

/* Notes the regular expression that was just added. */
static int remember_pattern(struct compiler *compiler, const struct pattern *pattern)
{
    struct rule_program *program = compiler->program;
    struct pattern *kept = arena_zalloc(compiler->arena, sizeof(*kept));
    if (kept == NULL)
        return -ENOMEM;
    *kept = *pattern;
    kept->text = arena_copy(compiler->arena, pattern->text);
    if (kept->text.data == NULL)
        return -ENOMEM;
    return hash_table_insert(program->patterns, pattern_hash(pattern), kept);
}

struct pattern_search {
    size_t index;
    struct slice text;
};

static void match_index(void *object, void *argument)
{
    const struct pattern *pattern = object;
    struct pattern_search *search = argument;
    if (pattern->index == search->index)
        search->text = pattern->text;
}

struct slice rule_program_pattern(const struct rule_program *program, size_t regex)
{
    struct pattern_search search = {regex, SLICE("")};
    if (program->patterns != NULL)
        hash_table_each(program->patterns, match_index, &search);
    return search.text;
}

static int add_regex(struct compiler *compiler, struct pattern *pattern,
                     struct rule_regex_error *problem)
{
    struct rule_vector *regexes = &compiler->program->regexes;
    struct rule_regex *regex = NULL;
    int error = rule_vector_reserve(regexes, 1);
    if (error == 0)
        error = rule_regex_create(pattern->text, pattern->ignore_case, &regex, problem);
    if (error != 0)
        return error;
    pattern->index = regexes->count;
    error = rule_vector_push(regexes, &regex);
    return error != 0 ? error : remember_pattern(compiler, pattern);
}

/* Rules that ask the same share one regular expression. */
static int find_regex(struct compiler *compiler, struct pattern *pattern,
                      struct rule_regex_error *problem)
{
    struct rule_program *program = compiler->program;
    if (program->patterns == NULL) {
        int error = hash_table_create(0, &program->patterns);
        if (error != 0)
            return error;
    }
    const struct pattern *same =
        hash_table_find(program->patterns, pattern_hash(pattern), is_pattern, pattern);
    if (same == NULL)
        return add_regex(compiler, pattern, problem);
    pattern->index = same->index;
    return 0;
}

static int emit_matches(struct compiler *compiler, const struct rule_node *node)
{
    struct pattern pattern = {node->value.text, node->ignore_case, 0};
    struct rule_regex_error problem = {.offset = 0};
    int error = emit_node(compiler, node->first);
    if (error == 0)
        error = find_regex(compiler, &pattern, &problem);
    assert(error != -EBADMSG); /* the checker has seen it */
    return error != 0 ? error : emit(compiler, RULE_DO_MATCHES, 0, pattern.index);
}

static int emit_arithmetic(struct compiler *compiler, const struct rule_node *node)
{
    return emit_binary(compiler, node, RULE_DO_ARITHMETIC, node->arithmetic);
}

static int emit_lookup(struct compiler *compiler, const struct rule_node *node)
{
    struct rule_vector *tables = &compiler->program->tables;
    int error = emit_node(compiler, node->first);
    if (error == 0)
        error = rule_vector_push(tables, &node->table);
    return error != 0 ? error : emit(compiler, RULE_DO_LOOKUP, 0, tables->count - 1);
}

static int emit_in_networks(struct compiler *compiler, const struct rule_node *node)
{
    struct rule_vector *networks = &compiler->program->networks;
    int error = emit_node(compiler, node->first);
    if (error == 0)
        error = rule_vector_push(networks, &node->networks);
    return error != 0 ? error : emit(compiler, RULE_DO_IN_NETWORKS, 0, networks->count - 1);
}

static int emit_node(struct compiler *compiler, const struct rule_node *node)
{
    static int (*const emitters[])(struct compiler *, const struct rule_node *) = {
        [RULE_NODE_VALUE] = emit_value,
        [RULE_NODE_FEATURE] = emit_feature,
        [RULE_NODE_HEADER] = emit_header,
        [RULE_NODE_HAS_HEADER] = emit_header,
        [RULE_NODE_KNOWN] = emit_unary,
        [RULE_NODE_ELSE] = emit_else,
        [RULE_NODE_NOT] = emit_unary,
        [RULE_NODE_AND] = emit_and,
        [RULE_NODE_OR] = emit_or,
        [RULE_NODE_COMPARE] = emit_compare,
        [RULE_NODE_IN_LIST] = emit_in_list,
        [RULE_NODE_IN_VALUES] = emit_in_values,
        [RULE_NODE_STARTS_WITH] = emit_part,
        [RULE_NODE_CONTAINS] = emit_part,
        [RULE_NODE_MATCHES] = emit_matches,
        [RULE_NODE_ARITHMETIC] = emit_arithmetic,
        [RULE_NODE_LOOKUP] = emit_lookup,
        [RULE_NODE_IN_NETWORKS] = emit_in_networks,
    };
    assert(emitters[node->kind] != NULL);
    return emitters[node->kind](compiler, node);
}

int rule_program_add(struct rule_program *program, const struct rule_node *root,
                     struct arena *arena, struct rule_span *span)
{
    struct compiler compiler = {program, arena, 0};
    size_t first = program->operations.count;
    int error = emit_node(&compiler, root);
    if (error != 0)
        return error;
    assert(compiler.depth == 1);
    if (program->operations.count > UINT32_MAX || program->constants.count > UINT32_MAX)
        return -ENOMEM;
    *span = (struct rule_span){(uint32_t)first, (uint32_t)program->operations.count};
    return 0;
}
