/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_int.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "config/suggest.h"
#include "names_int.h"

static int load_object(struct conf_load *load, struct conf_scope *scope, void *object);

/* ---- messages ------------------------------------------------------------------------------- */

/* `trunk "sbc-a": health: ` for the scope; the outermost section needs no name. */
static void append_scope(struct buffer *buffer, const struct conf_scope *scope)
{
    struct conf_quote quote;

    if (scope->outer == NULL)
        return;
    append_scope(buffer, scope->outer);
    if (scope->position == 0)
        buffer_append_text(buffer, scope->outer->row->key);
    else if (scope->identity.data != NULL)
        buffer_format(buffer, "%s %s", scope->section->name, conf_quote(&quote, scope->identity));
    else
        buffer_format(buffer, "%s %zu", scope->section->name, scope->position);
    buffer_append_literal(buffer, ": ");
}

/* The place of the node, or of the innermost section that is written down. */
static struct conf_place place_of(const struct conf_load *load, const struct conf_node *node)
{
    const struct conf_scope *scope = load->scope;
    struct conf_place place;

    while (node == NULL && scope != NULL) {
        node = scope->node;
        scope = scope->outer;
    }
    if (node == NULL)
        return (struct conf_place){.file = slice_of_text(conf_document_name(load->document))};
    place = conf_node_place(load->document, node);
    if (load->scope->row != NULL && (load->scope->row->flags & CONF_SECRET) != 0)
        place.source = (struct slice){0};
    return place;
}

__attribute__((format(printf, 4, 0))) static void report_at(struct conf_load *load,
                                                            enum conf_severity severity,
                                                            const struct conf_place *place,
                                                            const char *format, va_list arguments)
{
    char prefix[256];
    char message[768];
    struct buffer buffer = buffer_over(prefix, sizeof(prefix) - 1);

    append_scope(&buffer, load->scope);
    prefix[buffer.length] = '\0';
    vsnprintf(message, sizeof(message), format, arguments);
    conf_report_add(load->report, severity, place, "%s%s", prefix, message);
}

void conf_load_error(struct conf_load *load, const struct conf_node *node, const char *format, ...)
{
    va_list arguments;

    load->failed = true;
    va_start(arguments, format);
    if (load->document != NULL) {
        struct conf_place place = place_of(load, node);

        report_at(load, CONF_ERROR, &place, format, arguments);
    } else {
        report_at(load, CONF_ERROR, NULL, format, arguments);
    }
    va_end(arguments);
}

void conf_load_warning(struct conf_load *load, const struct conf_node *node, const char *format,
                       ...)
{
    struct conf_place place = {0};
    va_list arguments;

    if (load->document != NULL)
        place = place_of(load, node);
    va_start(arguments, format);
    report_at(load, CONF_WARNING, &place, format, arguments);
    va_end(arguments);
}

/* An error at a key instead of its value. */
static void key_error(struct conf_load *load, const struct conf_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void key_error(struct conf_load *load, const struct conf_node *node, const char *format, ...)
{
    struct conf_place place = conf_node_key_place(load->document, node);
    va_list arguments;

    load->failed = true;
    va_start(arguments, format);
    report_at(load, CONF_ERROR, &place, format, arguments);
    va_end(arguments);
}

/* ---- sections ------------------------------------------------------------------------------- */

const struct conf_row *conf_section_identity(const struct conf_section *section)
{
    for (size_t i = 0; section->identity != NULL && i < section->row_count; i++)
        if (strcmp(section->rows[i].key, section->identity) == 0)
            return &section->rows[i];
    return NULL;
}

static void report_unknown(struct conf_load *load, const struct conf_section *section,
                           const struct conf_node *node)
{
    struct conf_suggestion suggestion = conf_suggestion_for(node->key);
    struct conf_quote quote;
    char memory[512];
    struct buffer buffer = buffer_over(memory, sizeof(memory) - 1);

    buffer_append_literal(&buffer, "one of ");
    for (size_t i = 0; i < section->row_count; i++) {
        conf_suggestion_offer(&suggestion, slice_of_text(section->rows[i].key));
        if (i > 0)
            buffer_append_literal(&buffer, ", ");
        buffer_append_text(&buffer, section->rows[i].key);
    }
    memory[buffer.length] = '\0';
    key_error(load, node, "%s is not a known setting", conf_quote(&quote, node->key));
    if (suggestion.best.data != NULL)
        conf_report_hint(load->report, "did you mean \"%.*s\"?", SLICE_ARGS(suggestion.best));
    else if (slice_equal(node->key, SLICE("<<")))
        conf_report_hint(load->report, "YAML merge keys are not supported; write the keys out");
    else
        conf_report_expect(load->report, "%s%s", memory, buffer.overflow ? ", ..." : "");
}

static bool is_known(const struct conf_section *section, struct slice key)
{
    for (size_t i = 0; i < section->row_count; i++)
        if (slice_equal(key, slice_of_text(section->rows[i].key)))
            return true;
    return false;
}

/* Stops once the report is full: a hostile file may have a million keys. */
static void check_keys(struct conf_load *load, const struct conf_scope *scope)
{
    for (const struct conf_node *child = scope->node->first; child != NULL; child = child->next) {
        if (is_known(scope->section, child->key))
            continue;
        if (conf_report_count(load->report, CONF_ERROR) > CONF_REPORT_LIMIT)
            return;
        report_unknown(load, scope->section, child);
    }
}

static int load_nested(struct conf_load *load, const struct conf_scope *outer,
                       const struct conf_node *node, void *field)
{
    struct conf_scope scope = {.outer = outer, .section = outer->row->section, .node = node};

    return load_object(load, &scope, field);
}

static void report_same_identity(const struct conf_name *again, const struct conf_name *first,
                                 void *argument)
{
    struct conf_load *load = argument;
    struct conf_quote quote;

    conf_load_error(load, conf_node_get(again->node, load->scope->row->section->identity),
                    "%s %s is defined twice; the first is on line %" PRIu32,
                    load->scope->row->section->name, conf_quote(&quote, again->name),
                    first->node->line);
}

/* Items with the same identity are most likely one that was copied and not renamed. */
static int check_identities(struct conf_load *load, const struct conf_node *node)
{
    const char *identity = load->scope->row->section->identity;
    struct conf_name *names;
    size_t count = 0;

    if (identity == NULL || node->count < 2)
        return 0;
    names = arena_alloc(load->arena, node->count * sizeof(names[0]));
    if (names == NULL)
        return -ENOMEM;
    for (const struct conf_node *item = node->first; item != NULL; item = item->next) {
        const struct conf_node *name = conf_node_get(item, identity);

        if (name != NULL && name->kind == CONF_NODE_SCALAR)
            names[count++] = (struct conf_name){name->text, item};
    }
    conf_names_check(names, count, report_same_identity, load);
    return 0;
}

static bool check_item_count(struct conf_load *load, const struct conf_row *row,
                             const struct conf_node *node)
{
    const struct conf_bounds bounds = conf_row_bounds(row);
    const int64_t count = node->kind == CONF_NODE_SEQUENCE ? (int64_t)node->count : 0;
    char memory[64];
    struct buffer buffer = buffer_over(memory, sizeof(memory) - 1);

    if (count >= bounds.min && count <= bounds.max)
        return true;
    conf_row_append_range(&buffer, row);
    memory[buffer.length] = '\0';
    key_error(load, node, "%s has %" PRId64 " items", row->key, count);
    conf_report_expect(load->report, "%s", memory);
    return false;
}

static int load_list(struct conf_load *load, const struct conf_scope *outer,
                     const struct conf_node *node, struct conf_object_list *list)
{
    const struct conf_row *row = outer->row;
    const struct conf_section *section = row->section;
    struct conf_scope scope = {.outer = outer, .section = section};
    char *object;

    if (node->kind != CONF_NODE_SEQUENCE && !conf_node_is_null(node)) {
        conf_load_error(load, node, "%s is a %s", row->key, conf_node_kind_name(node));
        conf_report_expect(load->report, "a list of sections, each of which begins with \"- \"");
        return 0;
    }
    if (!check_item_count(load, row, node))
        return 0;
    if (node->count > SIZE_MAX / section->object_size)
        return -ENOMEM;
    object = arena_zalloc(load->arena, node->count * section->object_size);
    if (object == NULL)
        return -ENOMEM;
    *list = (struct conf_object_list){object, node->count};
    for (const struct conf_node *item = node->first; item != NULL; item = item->next) {
        const struct conf_node *name =
            section->identity != NULL ? conf_node_get(item, section->identity) : NULL;
        int error;

        scope.node = item;
        scope.position++;
        scope.row = NULL;
        scope.identity =
            name != NULL && name->kind == CONF_NODE_SCALAR ? name->text : (struct slice){0};
        error = load_object(load, &scope, object);
        if (error)
            return error;
        object += section->object_size;
    }
    return check_identities(load, node);
}

/* A row that is not in the file. */
static int load_absent(struct conf_load *load, const struct conf_scope *scope, void *field)
{
    const struct conf_row *row = scope->row;

    if (scope->node != NULL && (row->flags & CONF_REQUIRED) != 0) {
        conf_load_error(load, NULL, "\"%s\" is missing", row->key);
        conf_report_hint(load->report, "%s", row->help);
    }
    if (row->type == CONF_SECTION)
        return load_nested(load, scope, NULL, field);
    if (row->type == CONF_SECTION_LIST)
        return 0;

    int error = conf_row_read_fallback(load, row, field);

    assert(error != ERROR_CONFIG); /* conf_section_verify() would have found it in a test */
    return error;
}

static int load_present(struct conf_load *load, const struct conf_scope *scope,
                        const struct conf_node *node, void *field)
{
    const struct conf_row *row = scope->row;
    int error;

    if (row->type == CONF_SECTION)
        return load_nested(load, scope, node, field);
    if (row->type == CONF_SECTION_LIST)
        return load_list(load, scope, node, field);
    if (conf_node_is_null(node)) {
        key_error(load, node, "%s has no value", row->key);
        if (row->fallback != NULL)
            conf_report_hint(load->report, "without this line it is %s", row->fallback);
        return 0;
    }
    error = conf_row_read(load, row, node, field);
    if (error != ERROR_CONFIG)
        return error;
    load->failed = true;
    return 0;
}

/* 0 or -ENOMEM; errors in the file only set load->failed. */
static int load_rows(struct conf_load *load, struct conf_scope *scope, void *object)
{
    for (size_t i = 0; i < scope->section->row_count; i++) {
        const struct conf_row *row = &scope->section->rows[i];
        const struct conf_node *node =
            scope->node != NULL ? conf_node_get(scope->node, row->key) : NULL;
        int error;

        scope->row = row;
        error = node != NULL ? load_present(load, scope, node, conf_row_field(row, object))
                             : load_absent(load, scope, conf_row_field(row, object));
        if (error)
            return error;
    }
    scope->row = NULL;
    return 0;
}

static int load_object(struct conf_load *load, struct conf_scope *scope, void *object)
{
    const struct conf_scope *outer = load->scope;
    const bool failed_before = load->failed;
    int error = 0;

    load->scope = scope;
    load->failed = false;
    memset(object, 0, scope->section->object_size);
    if (scope->position > 0 && conf_node_is_null(scope->node)) {
        conf_load_error(load, NULL, "nothing stands behind this \"-\"");
        conf_report_expect(load->report, "a section (lines of key: value)");
        goto out;
    }
    if (scope->node != NULL && scope->node->kind != CONF_NODE_MAPPING &&
        !conf_node_is_null(scope->node)) {
        conf_load_error(load, NULL, "this is a %s", conf_node_kind_name(scope->node));
        conf_report_expect(load->report, "a section (lines of key: value)");
        goto out;
    }
    if (scope->node != NULL)
        check_keys(load, scope);
    error = load_rows(load, scope, object);
    if (!error && !load->failed && scope->section->check != NULL) {
        error = scope->section->check(load, scope->node, object);
        if (error == ERROR_CONFIG) {
            load->failed = true;
            error = 0;
        }
    }
out:
    load->failed = load->failed || failed_before;
    load->scope = outer;
    return error;
}

int conf_section_load(const struct conf_document *document, const struct conf_node *node,
                      const struct conf_section *section, struct arena *arena,
                      struct conf_report *report, void *object)
{
    struct conf_scope scope = {.section = section, .node = node};
    struct conf_load load = {.document = document, .arena = arena, .report = report};
    int error = load_object(&load, &scope, object);

    if (error)
        return error;
    return load.failed ? ERROR_CONFIG : 0;
}
