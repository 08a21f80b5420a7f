/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "literal_int.h"
#include "load_int.h"

enum { BAD_LINES_SHOWN = 20 };

/* What an entry without a star is. */
enum entry_kind { ENTRY_NUMBER, ENTRY_PREFIX, ENTRY_TEXT };

struct table_loader {
    struct rule_loader *loader;
    struct rule_table *table;
    struct slice name;
};

static void report_entry(struct table_loader *table, const struct conf_place *place,
                         enum entry_kind kind, struct slice entry, int error, bool same)
{
    static const char *const kinds[] = {"number", "prefix", "text that can be listed"};
    struct conf_report *report = table->loader->report;
    struct conf_quote name, quote;
    if (error == -EEXIST) {
        conf_report_add(report, same ? CONF_WARNING : CONF_ERROR, place,
                        "table %s: %s stands here twice%s", conf_quote(&name, table->name),
                        conf_quote(&quote, entry), same ? "" : ", with different values");
        return;
    }
    conf_report_add(report, CONF_ERROR, place, "table %s: %s is not a %s",
                    conf_quote(&name, table->name), conf_quote(&quote, entry), kinds[kind]);
    if (kind == ENTRY_TEXT)
        conf_report_expect(report, "1 to %d bytes, or a prefix of 1 to %d and a *",
                           RULE_LIST_TEXT_MAX, RULE_LIST_TEXT_PREFIX_MAX);
    else
        conf_report_expect(report,
                           "+ and up to %d digits, without spaces; a * behind makes a prefix",
                           RULE_LIST_DIGITS_MAX);
}

/* entry_place and value_place may be the same. -ENOMEM is the only failure. */
static int add_entry(struct table_loader *table, enum entry_kind kind, struct slice entry,
                     const struct conf_place *entry_place, struct slice text,
                     const struct conf_place *value_place)
{
    enum rule_type type = rule_table_type(table->table);
    struct conf_quote name, quote, shown;
    struct rule_value value;
    if (rule_literal_of_type(type, text, &value) != 0) {
        conf_report_add(table->loader->report, CONF_ERROR, value_place,
                        "table %s: the value of %s is %s, which is not %s",
                        conf_quote(&name, table->name), conf_quote(&shown, entry),
                        conf_quote(&quote, text), rule_type_with_article(type));
        return 0;
    }
    struct slice bare = entry;
    bool star = entry.length > 0 && entry.data[entry.length - 1] == '*';
    bare.length -= star ? 1 : 0;
    enum rule_list_entry how = star || kind == ENTRY_PREFIX ? RULE_LIST_PREFIX : RULE_LIST_EXACT;
    bool same = false;
    int error = kind == ENTRY_TEXT ? rule_table_add_text(table->table, how, bare, &value, &same)
                                   : rule_table_add_number(table->table, how, bare, &value, &same);
    if (error != 0 && error != -ENOMEM)
        report_entry(table, entry_place, kind, entry, error, same);
    return error == -ENOMEM ? error : 0;
}

static int load_entries(struct table_loader *table, const struct conf_node *entries,
                        enum entry_kind kind)
{
    const struct conf_document *document = table->loader->document;
    if (entries == NULL)
        return 0;
    for (const struct conf_node *node = entries->first; node != NULL; node = node->next) {
        struct conf_place key = conf_node_key_place(document, node);
        struct conf_place value = conf_node_place(document, node);
        if (node->kind != CONF_NODE_SCALAR) {
            struct conf_quote quote;
            rule_loader_error(table->loader, node, "the value of %s is a %s",
                              conf_quote(&quote, node->key), conf_node_kind_name(node));
            continue;
        }
        int error = add_entry(table, kind, node->key, &key, node->text, &value);
        if (error != 0)
            return error;
    }
    return 0;
}

static int load_line(struct table_loader *table, const struct conf_place *line_place,
                     struct slice entry, enum entry_kind kind)
{
    size_t blank = 0;
    while (blank < entry.length && entry.data[blank] != ' ' && entry.data[blank] != '\t')
        blank++;
    struct slice value = slice_trim(slice_from(entry, blank));
    return add_entry(table, kind, slice_first(entry, blank), line_place, value, line_place);
}

static int load_lines(struct table_loader *table, const struct rule_line_file *file,
                      enum entry_kind kind)
{
    struct conf_report *report = table->loader->report;
    size_t before = conf_report_count(report, CONF_ERROR);
    struct slice text = file->text;
    for (uint32_t number = 1; text.length > 0; number++) {
        struct slice line = slice_first(text, slice_find(text, '\n'));
        text = slice_from(text, line.length + 1);
        struct slice entry = rule_line_entry(line);
        if (entry.length == 0)
            continue;
        const struct conf_place place = {
            .file = slice_of_text(file->path),
            .line = number,
            .column = (uint32_t)(entry.data - line.data) + 1,
            .width = (uint32_t)(entry.length < 200 ? entry.length : 200),
            .source = line,
        };
        int error = load_line(table, &place, entry, kind);
        if (error != 0)
            return error;
        /* A file of another format would fill the report and hide everything else. */
        if (conf_report_count(report, CONF_ERROR) - before >= BAD_LINES_SHOWN)
            break;
    }
    return 0;
}

static int load_file(struct table_loader *table, const struct conf_node *node, enum entry_kind kind)
{
    const struct rule_owner owner = {"table", table->name};
    struct rule_line_file file;
    int error = rule_line_file_load(table->loader, &owner, node, &file);
    if (error != 0 || file.memory == NULL)
        return error;
    error = load_lines(table, &file, kind);
    free(file.memory);
    return error;
}

static int fill_table(struct table_loader *table, const struct rule_table_draft *draft)
{
    int error = load_entries(table, draft->numbers.node, ENTRY_NUMBER);
    if (error == 0)
        error = load_entries(table, draft->prefixes.node, ENTRY_PREFIX);
    if (error == 0)
        error = load_entries(table, draft->texts.node, ENTRY_TEXT);
    if (error == 0 && draft->file.node != NULL)
        error = load_file(table, draft->file.node,
                          draft->texts.node != NULL ? ENTRY_TEXT : ENTRY_NUMBER);
    return error;
}

/* A table or list of the name has been met before; the report knows. */
static bool is_taken(struct rule_loader *loader, const struct conf_node *node)
{
    const struct rule_named_table *table = rule_set_table(loader->set, node->key);
    struct conf_quote quote;
    if (table == NULL)
        return false;
    struct conf_place place = conf_node_key_place(loader->document, node);
    conf_report_add(loader->report, CONF_ERROR, &place,
                    "table %s is defined twice; the first is in %s, line %u",
                    conf_quote(&quote, node->key), table->place.file, table->place.line);
    return true;
}

/* Even a table with errors gets its place, so that conditions which use it are not blamed too. */
static int load_table(struct rule_loader *loader, const struct conf_node *node)
{
    struct rule_named_table named = {.place = rule_loader_place(loader, node)};
    struct rule_table_draft draft;
    int error = conf_section_load(loader->document, node, &rule_table_section, loader->drafts,
                                  loader->report, &draft);
    if (error != 0 && error != ERROR_CONFIG)
        return error;
    bool is_wrong = error != 0;
    named.place.line = node->key_line;
    named.place.column = node->key_column;
    named.name = arena_copy(loader->set->arena, node->key);
    if (named.name.data == NULL)
        return -ENOMEM;
    error = rule_table_create((enum rule_type)draft.type, loader->set->arena, &named.table);
    if (error != 0)
        return error;
    struct table_loader table = {loader, named.table, node->key};
    /* Without its type, no value of it can be right. */
    if (!is_wrong)
        error = fill_table(&table, &draft);
    if (error == 0)
        error = rule_vector_push(&loader->set->tables, &named);
    if (error != 0)
        rule_table_destroy(named.table);
    return error;
}

int rule_load_tables(struct rule_loader *loader, const struct conf_node *tables)
{
    if (tables == NULL)
        return 0;
    for (const struct conf_node *node = tables->first; node != NULL; node = node->next) {
        if (!rule_loader_name_fits(loader, node, "table", true) || is_taken(loader, node))
            continue;
        int error = load_table(loader, node);
        if (error != 0)
            return error;
    }
    return 0;
}
