/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "network_int.h"
#include "load_int.h"

enum { BAD_LINES_SHOWN = 20, OVERLAPS_SOUGHT = 1024 };

/* What an entry without a star is. */
enum entry_kind { ENTRY_NUMBER, ENTRY_NUMBER_PREFIX, ENTRY_TEXT, ENTRY_NETWORK };

struct list_loader {
    struct rule_loader *loader;
    struct rule_list *list;
    struct slice name;
    struct rule_vector networks; /* of struct rule_range */
};

/* -EBADMSG or -EFBIG when it is wrong, -EEXIST when it adds nothing, -ENOMEM. */
static int add_entry(struct list_loader *loader, enum entry_kind kind, struct slice entry)
{
    struct rule_list *list = loader->list;
    if (kind == ENTRY_NETWORK) {
        struct conf_network network;
        if (conf_network_parse(entry, &network) != 0)
            return -EBADMSG;
        /* A search of each among all takes squared time. */
        bool covered = loader->networks.count < OVERLAPS_SOUGHT &&
                       rule_network_covers(&loader->networks, &network);
        int error = rule_network_add(&loader->networks, &network);
        return error == 0 && covered ? -EEXIST : error;
    }
    bool star = entry.length > 0 && entry.data[entry.length - 1] == '*';
    if (star)
        entry.length--;
    enum rule_list_entry how =
        star || kind == ENTRY_NUMBER_PREFIX ? RULE_LIST_PREFIX : RULE_LIST_EXACT;
    return kind == ENTRY_TEXT ? rule_list_add_text(list, how, entry)
                              : rule_list_add_number(list, how, entry);
}

static void report_entry(struct list_loader *list, const struct conf_place *place,
                         enum entry_kind kind, struct slice entry, int error)
{
    struct conf_report *report = list->loader->report;
    struct conf_quote name, quote;
    if (error == -EEXIST) {
        conf_report_add(report, CONF_WARNING, place, "list %s: a network above holds all of %s",
                        conf_quote(&name, list->name), conf_quote(&quote, entry));
        return;
    }
    conf_report_add(report, CONF_ERROR, place, "list %s: %s is not a %s",
                    conf_quote(&name, list->name), conf_quote(&quote, entry),
                    kind == ENTRY_TEXT            ? "text that can be listed"
                    : kind == ENTRY_NETWORK       ? "network"
                    : kind == ENTRY_NUMBER_PREFIX ? "prefix"
                                                  : "number");
    if (kind == ENTRY_TEXT) {
        conf_report_expect(report, "1 to %d bytes, or a prefix of 1 to %d and a *",
                           RULE_LIST_TEXT_MAX, RULE_LIST_TEXT_PREFIX_MAX);
        return;
    }
    if (kind == ENTRY_NETWORK) {
        conf_report_expect(report, "an address, or a network without bits behind its prefix: "
                                   "10.0.0.0/8, 2001:db8::/32");
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
        int error = add_entry(list, kind, entry->text);
        if (error == -ENOMEM)
            return error;
        if (error != 0) {
            place = conf_node_place(document, entry);
            report_entry(list, &place, kind, entry->text, error);
        }
    }
    return 0;
}

static int load_lines(struct list_loader *list, const char *path, struct slice text,
                      enum entry_kind kind)
{
    uint32_t bad = 0, covered = 0;
    for (uint32_t number = 1; text.length > 0; number++) {
        struct slice line = slice_first(text, slice_find(text, '\n'));
        text = slice_from(text, line.length + 1);
        struct slice entry = rule_line_entry(line);
        if (entry.length == 0)
            continue;
        int error = add_entry(list, kind, entry);
        if (error == -ENOMEM)
            return error;
        if (error == 0)
            continue;
        /* A file of another format would fill the report and hide everything else. */
        if (error != -EEXIST && ++bad > BAD_LINES_SHOWN)
            break;
        if (error == -EEXIST && ++covered > BAD_LINES_SHOWN)
            continue;
        struct conf_place place = {
            .file = slice_of_text(path),
            .line = number,
            .column = (uint32_t)(entry.data - line.data) + 1,
            .width = (uint32_t)(entry.length < 200 ? entry.length : 200),
            .source = slice_trim(line).length > 0 ? line : entry,
        };
        report_entry(list, &place, kind, entry, error);
    }
    return 0;
}

static int load_file(struct list_loader *list, const struct conf_node *node, enum entry_kind kind)
{
    const struct rule_owner owner = {"list", list->name};
    struct rule_line_file file;
    int error = rule_line_file_read(list->loader, &owner, node, &file);
    if (error != 0 || file.memory == NULL)
        return error;
    error = load_lines(list, file.path, file.text, kind);
    free(file.memory);
    return error;
}

static bool check_name(struct rule_loader *loader, const struct conf_node *node)
{
    struct conf_quote quote;
    const struct rule_named_list *same = rule_set_list(loader->set, node->key);
    struct conf_place place = conf_node_key_place(loader->document, node);
    if (!rule_loader_name_fits(loader, node, "list", true))
        return false;
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

    struct list_loader list = {loader, named.list, node->key, RULE_VECTOR_OF(struct rule_range)};
    error = load_entries(&list, draft.numbers.node, ENTRY_NUMBER);
    if (error == 0)
        error = load_entries(&list, draft.prefixes.node, ENTRY_NUMBER_PREFIX);
    if (error == 0)
        error = load_entries(&list, draft.texts.node, ENTRY_TEXT);
    if (error == 0)
        error = load_entries(&list, draft.networks.node, ENTRY_NETWORK);
    if (error == 0 && draft.file.node != NULL)
        error = load_file(&list, draft.file.node,
                          draft.networks.node != NULL ? ENTRY_NETWORK
                          : draft.texts.node != NULL  ? ENTRY_TEXT
                                                      : ENTRY_NUMBER);
    if (error == 0)
        error = rule_list_seal(named.list);
    if (error == 0 && draft.networks.node != NULL) {
        struct rule_networks *networks = NULL;
        error = rule_networks_seal(&list.networks, loader->set->arena, &networks);
        named.networks = networks;
    }
    rule_vector_clear(&list.networks);
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
