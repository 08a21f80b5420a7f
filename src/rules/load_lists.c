/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "lexer_int.h"
#include "ruleset_int.h"

enum { LIST_NAME_MAX = 64, BAD_LINES_SHOWN = 20 };

#define LIST_FILE_MAX ((size_t)1 << 30)

/* What an entry without a star is. */
enum entry_kind { ENTRY_NUMBER, ENTRY_NUMBER_PREFIX, ENTRY_TEXT };

struct list_loader {
    struct rule_loader *loader;
    struct rule_list *list;
    struct slice name;
};

/* -EBADMSG or -EFBIG when it is wrong, -ENOMEM. */
static int add_entry(struct rule_list *list, enum entry_kind kind, struct slice entry)
{
    bool star = entry.length > 0 && entry.data[entry.length - 1] == '*';
    if (star)
        entry.length--;
    enum rule_list_entry how =
        star || kind == ENTRY_NUMBER_PREFIX ? RULE_LIST_PREFIX : RULE_LIST_EXACT;
    return kind == ENTRY_TEXT ? rule_list_add_text(list, how, entry)
                              : rule_list_add_number(list, how, entry);
}

static void report_entry(struct list_loader *list, const struct conf_place *place,
                         enum entry_kind kind, struct slice entry)
{
    struct conf_report *report = list->loader->report;
    struct conf_quote name, quote;
    conf_report_add(report, CONF_ERROR, place, "list %s: %s is not a %s",
                    conf_quote(&name, list->name), conf_quote(&quote, entry),
                    kind == ENTRY_TEXT            ? "text that can be listed"
                    : kind == ENTRY_NUMBER_PREFIX ? "prefix"
                                                  : "number");
    if (kind == ENTRY_TEXT) {
        conf_report_expect(report, "1 to %d bytes, or a prefix of 1 to %d and a *",
                           RULE_LIST_TEXT_MAX, RULE_LIST_TEXT_PREFIX_MAX);
        return;
    }
    conf_report_expect(report, "+ and up to %d digits, without spaces; a * behind makes a prefix",
                       RULE_LIST_DIGITS_MAX);
    if (entry.length > 0 && strchr("+0123456789", entry.data[0]) == NULL)
        conf_report_hint(report, "other texts belong under texts:");
}

static int load_entries(struct list_loader *list, const struct conf_node *entries,
                        enum entry_kind kind)
{
    const struct conf_document *document = list->loader->document;
    if (entries == NULL)
        return 0;
    for (const struct conf_node *entry = entries->first; entry != NULL; entry = entry->next) {
        struct conf_place place;
        if (entry->kind != CONF_NODE_SCALAR) {
            rule_loader_error(list->loader, entry, "an entry is a %s", conf_node_kind_name(entry));
            conf_report_expect(list->loader->report, "a text");
            continue;
        }
        int error = add_entry(list->list, kind, entry->text);
        if (error == -ENOMEM)
            return error;
        if (error != 0) {
            place = conf_node_place(document, entry);
            report_entry(list, &place, kind, entry->text);
        }
    }
    return 0;
}

/* What stands on a line before a comment, without blanks around it. */
static struct slice entry_of_line(struct slice line)
{
    size_t end = 0;
    while (end < line.length && !(line.data[end] == '#' && (end == 0 || line.data[end - 1] == ' ' ||
                                                            line.data[end - 1] == '\t')))
        end++;
    return slice_trim(slice_first(line, end));
}

static int load_lines(struct list_loader *list, const char *path, struct slice text,
                      enum entry_kind kind)
{
    uint32_t bad = 0;
    if (slice_starts_with(text, SLICE("\xef\xbb\xbf")))
        text = slice_from(text, 3);
    for (uint32_t number = 1; text.length > 0; number++) {
        struct slice line = slice_first(text, slice_find(text, '\n'));
        text = slice_from(text, line.length + 1);
        struct slice entry = entry_of_line(line);
        if (entry.length == 0)
            continue;
        int error = add_entry(list->list, kind, entry);
        if (error == -ENOMEM)
            return error;
        if (error == 0)
            continue;
        /* A file of another format would fill the report and hide everything else. */
        if (++bad > BAD_LINES_SHOWN)
            break;
        struct conf_place place = {
            .file = slice_of_text(path),
            .line = number,
            .column = (uint32_t)(entry.data - line.data) + 1,
            .width = (uint32_t)(entry.length < 200 ? entry.length : 200),
            .source = slice_trim(line).length > 0 ? line : entry,
        };
        report_entry(list, &place, kind, entry);
    }
    return 0;
}

/* A pipe would hold up the loading, and a device might never end. */
static int find_file(const struct rule_loader *loader, struct slice name, char *path, size_t size)
{
    struct stat status;
    if (name.length == 0 || memchr(name.data, '\0', name.length) != NULL)
        return -ENOENT;
    int error = file_beside(conf_document_name(loader->document), name.data, path, size);
    if (error == 0 && stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        error = -EINVAL;
    return error;
}

static int load_file(struct list_loader *list, const struct conf_node *node, enum entry_kind kind)
{
    struct rule_loader *loader = list->loader;
    struct conf_quote name, quote;
    char path[PATH_MAX];
    char *text = NULL;
    size_t length = 0;
    int error = find_file(loader, node->text, path, sizeof(path));
    if (error == -EINVAL) {
        rule_loader_error(loader, node, "list %s: %s is not a regular file",
                          conf_quote(&name, list->name), conf_quote(&quote, node->text));
        return 0;
    }
    if (error == 0)
        error = file_read(path, LIST_FILE_MAX, &text, &length);
    if (error == -ENOMEM)
        return error;
    if (error != 0) {
        rule_loader_error(loader, node, "list %s: cannot read %s: %s",
                          conf_quote(&name, list->name), conf_quote(&quote, node->text),
                          error_text(error));
        conf_report_hint(loader->report, "the path is taken from the folder of the rule file");
        return 0;
    }
    rule_loader_digest(loader, slice_make(text, length));
    error = load_lines(list, path, slice_make(text, length), kind);
    free(text);
    return error;
}

/* A list's name must be one word of a condition, and no other one. */
static bool is_list_name(struct slice name)
{
    if (name.length == 0 || name.length > LIST_NAME_MAX || rule_lexer_is_keyword(name))
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (!rule_lexer_is_name_byte(name.data[i]))
            return false;
    return strchr("0123456789.-", name.data[0]) == NULL;
}

static bool check_name(struct rule_loader *loader, const struct conf_node *node)
{
    struct conf_quote quote;
    const struct rule_named_list *same = rule_set_list(loader->set, node->key);
    struct conf_place place = conf_node_key_place(loader->document, node);
    if (!is_list_name(node->key)) {
        conf_report_add(loader->report, CONF_ERROR, &place, "%s cannot be the name of a list",
                        conf_quote(&quote, node->key));
        conf_report_expect(loader->report,
                           "a letter, then letters, digits, \"-\", \"_\"; at most %d; no keyword",
                           LIST_NAME_MAX);
        return false;
    }
    if (same != NULL) {
        conf_report_add(loader->report, CONF_ERROR, &place,
                        "list %s is defined twice; the first is in %s, line %u",
                        conf_quote(&quote, node->key), same->place.file, same->place.line);
        return false;
    }
    return true;
}

/* Even a list with errors gets its place, so that conditions which use it are not blamed too. */
static int load_list(struct rule_loader *loader, const struct conf_node *node)
{
    struct rule_named_list named = {.place = rule_loader_place(loader, node)};
    struct rule_list_draft draft;
    int error = conf_section_load(loader->document, node, &rule_list_section, loader->drafts,
                                  loader->report, &draft);
    if (error != 0 && error != ERROR_CONFIG)
        return error;
    named.place.line = node->key_line;
    named.place.column = node->key_column;
    named.name = arena_copy(loader->set->arena, node->key);
    if (named.name.data == NULL)
        return -ENOMEM;
    error = rule_list_create(&named.list);
    if (error != 0)
        return error;

    struct list_loader list = {loader, named.list, node->key};
    error = load_entries(&list, draft.numbers.node, ENTRY_NUMBER);
    if (error == 0)
        error = load_entries(&list, draft.prefixes.node, ENTRY_NUMBER_PREFIX);
    if (error == 0)
        error = load_entries(&list, draft.texts.node, ENTRY_TEXT);
    if (error == 0 && draft.file.node != NULL)
        error =
            load_file(&list, draft.file.node, draft.texts.node != NULL ? ENTRY_TEXT : ENTRY_NUMBER);
    if (error == 0)
        error = rule_list_seal(named.list);
    if (error == 0)
        error = rule_vector_push(&loader->set->lists, &named);
    if (error != 0)
        rule_list_destroy(named.list);
    return error;
}

int rule_load_lists(struct rule_loader *loader, const struct conf_node *lists)
{
    if (lists == NULL)
        return 0;
    for (const struct conf_node *node = lists->first; node != NULL; node = node->next) {
        int error = check_name(loader, node) ? load_list(loader, node) : 0;
        if (error != 0)
            return error;
    }
    return 0;
}
