/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "index_int.h"
#include "load_int.h"

enum { SET_CHUNK = 16 * 1024, DRAFT_CHUNK = 64 * 1024 };

/* One rule file on its way. */
struct rule_file {
    struct conf_document *document;
    struct rule_file_draft draft;
    const char *name; /* in the set's arena */
};

void rule_loader_digest(struct rule_loader *loader, struct slice bytes)
{
    const struct hash_key key = {{loader->digest, UINT64_C(0x76657273696f6e)}};
    loader->digest = hash_siphash24(&key, bytes.data != NULL ? bytes.data : "", bytes.length);
}

struct rule_place rule_loader_place(const struct rule_loader *loader, const struct conf_node *node)
{
    return (struct rule_place){loader->file, node->line, node->column};
}

__attribute__((format(printf, 4, 0))) static void report_at(struct rule_loader *loader,
                                                            enum conf_severity severity,
                                                            const struct conf_node *node,
                                                            const char *format, va_list arguments)
{
    char message[512];
    (void)vsnprintf(message, sizeof(message), format, arguments);
    struct conf_place place = conf_node_place(loader->document, node);
    conf_report_add(loader->report, severity, &place, "%s", message);
}

void rule_loader_error(struct rule_loader *loader, const struct conf_node *node, const char *format,
                       ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_at(loader, CONF_ERROR, node, format, arguments);
    va_end(arguments);
}

void rule_loader_warning(struct rule_loader *loader, const struct conf_node *node,
                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_at(loader, CONF_WARNING, node, format, arguments);
    va_end(arguments);
}

const char *rule_loader_keep(struct rule_loader *loader, struct slice text)
{
    return text.length > 0 ? arena_text(loader->set->arena, text) : "";
}

static int set_create(const struct rule_catalogue *catalogue, struct rule_set **set)
{
    assert(catalogue->count <= RULE_FEATURE_MAX);
    struct rule_set *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->catalogue = catalogue;
    made->lists = RULE_VECTOR_OF(struct rule_named_list);
    made->tables = RULE_VECTOR_OF(struct rule_named_table);
    made->budgets = RULE_VECTOR_OF(struct rule_trunk_budget);
    made->entries = RULE_VECTOR_OF(struct rule_entry);
    made->records = RULE_VECTOR_OF(struct rule_record *);
    made->steps = RULE_VECTOR_OF(struct rule_step);
    rule_program_init(&made->program);
    int error = arena_create(SET_CHUNK, 0, &made->arena);
    if (error == 0)
        error = hash_table_create(0, &made->by_id);
    if (error != 0) {
        rule_set_destroy(made);
        return error;
    }
    *set = made;
    return 0;
}

/* Makes the file the one that the loader reads. */
static void enter_file(struct rule_loader *loader, const struct rule_file *file)
{
    loader->document = file->document;
    loader->file = file->name;
}

/* The document is there; reads its rows and what conditions may name. */
static int begin_file(struct rule_loader *loader, struct rule_file *file)
{
    const char *name = conf_document_name(file->document);
    file->name = rule_loader_keep(loader, slice_of_text(name));
    if (file->name == NULL)
        return -ENOMEM;
    enter_file(loader, file);
    rule_loader_digest(loader, conf_document_source(file->document));
    int error = conf_section_load(file->document, conf_document_root(file->document),
                                  &rule_file_section, loader->drafts, loader->report, &file->draft);
    if (error != 0 && error != ERROR_CONFIG)
        return error;
    error = rule_load_lists(loader, file->draft.lists.node);
    if (error == 0)
        error = rule_load_tables(loader, file->draft.tables.node);
    return error != 0 ? error : rule_load_conditions(loader, file->draft.conditions.node);
}

static int finish_file(struct rule_loader *loader, const struct rule_file *file)
{
    const struct conf_node *root = conf_document_root(file->document);
    enter_file(loader, file);
    int error = 0;
    if (file->draft.rules.count > 0)
        error = rule_load_rules(loader, conf_node_get(root, "rules"), file->draft.rules.items);
    if (error == 0 && file->draft.groups.count > 0)
        error = rule_load_groups(loader, conf_node_get(root, "groups"), file->draft.groups.items);
    if (error == 0 && file->draft.cards.count > 0)
        error = rule_load_cards(loader, conf_node_get(root, "scorecards"), file->draft.cards.items);
    if (error == 0 && file->draft.budgets.count > 0)
        error =
            rule_load_budgets(loader, conf_node_get(root, "budgets"), file->draft.budgets.items);
    if (error == 0 && file->draft.steps.count > 0)
        error = rule_load_policy(loader, conf_node_get(root, "policy"), file->draft.steps.items);
    return error;
}

static void set_version(struct rule_set *set, uint64_t digest)
{
    struct buffer version = buffer_over(set->version, sizeof(set->version) - 1);
    buffer_append_hex(&version, digest, RULE_VERSION_DIGITS);
    set->version[version.length] = '\0';
}

/* documents[i] is NULL where the file could not be read; the report says so already. */
static int load_documents(const struct rule_catalogue *catalogue, struct rule_file *files,
                          size_t count, const struct rule_set *previous, struct conf_report *report,
                          struct rule_set **set)
{
    struct rule_loader loader = {.previous = previous,
                                 .report = report,
                                 .conditions = RULE_VECTOR_OF(struct rule_condition *)};
    int error = set_create(catalogue, &loader.set);
    if (error == 0)
        error = arena_create(DRAFT_CHUNK, 0, &loader.drafts);
    if (error == 0)
        error = hash_table_create(0, &loader.by_name);
    if (error != 0)
        goto out;
    loader.last_test = &loader.set->tests;
    for (size_t i = 0; error == 0 && i < count; i++)
        if (files[i].document != NULL)
            error = begin_file(&loader, &files[i]);
    if (error == 0)
        error = rule_check_conditions(&loader);
    for (size_t i = 0; error == 0 && i < count; i++)
        if (files[i].document != NULL)
            error = finish_file(&loader, &files[i]);
    if (error != 0)
        goto out;
    set_version(loader.set, loader.digest);
    *set = loader.set;
    loader.set = NULL;
out:
    rule_vector_clear(&loader.conditions);
    if (loader.by_name != NULL)
        hash_table_destroy(loader.by_name);
    arena_destroy(loader.drafts);
    rule_set_destroy(loader.set);
    return error;
}

/* Reads file i of those that `context` stands for. */
typedef int read_fn(const void *context, size_t index, struct conf_report *report,
                    struct conf_document **document);

static int load(const struct rule_catalogue *catalogue, read_fn *read, const void *context,
                size_t count, const struct rule_set *previous, struct conf_report *report,
                struct rule_set **set)
{
    size_t errors_before = conf_report_count(report, CONF_ERROR);
    struct rule_set *made = NULL;
    struct rule_file *files = calloc(count > 0 ? count : 1, sizeof(*files));
    if (files == NULL)
        return -ENOMEM;
    int error = 0;
    for (size_t i = 0; i < count; i++) {
        error = read(context, i, report, &files[i].document);
        if (error != 0 && error != ERROR_CONFIG)
            goto out;
    }
    error = load_documents(catalogue, files, count, previous, report, &made);
    if (error != 0)
        goto out;
    if (conf_report_count(report, CONF_ERROR) > errors_before) {
        error = ERROR_CONFIG;
        goto out;
    }
    if (made->entries.count <= RULE_INDEXED_MAX) {
        error = rule_index_create(made, &made->index);
        if (error != 0)
            goto out;
    }
    *set = made;
    made = NULL;
out:
    rule_set_destroy(made);
    for (size_t i = 0; i < count; i++)
        conf_document_destroy(files[i].document);
    free(files);
    return error;
}

static int read_path(const void *context, size_t index, struct conf_report *report,
                     struct conf_document **document)
{
    const char *const *paths = context;
    return conf_document_load(paths[index], NULL, report, document);
}

int rule_set_load(const struct rule_catalogue *catalogue, const char *const *paths, size_t count,
                  struct conf_report *report, struct rule_set **set)
{
    return load(catalogue, read_path, paths, count, NULL, report, set);
}

int rule_set_reload(const struct rule_catalogue *catalogue, const char *const *paths, size_t count,
                    const struct rule_set *previous, struct conf_report *report,
                    struct rule_set **set)
{
    return load(catalogue, read_path, paths, count, previous, report, set);
}

static int read_source(const void *context, size_t index, struct conf_report *report,
                       struct conf_document **document)
{
    const struct rule_source *source = (const struct rule_source *)context + index;
    return conf_document_parse(source->name, source->text, NULL, report, document);
}

int rule_set_parse(const struct rule_catalogue *catalogue, const struct rule_source *sources,
                   size_t count, struct conf_report *report, struct rule_set **set)
{
    return load(catalogue, read_source, sources, count, NULL, report, set);
}
