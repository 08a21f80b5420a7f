/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "load_int.h"
#include "network_int.h"

enum { OVERLAPS_SOUGHT = 1024, OVERLAPS_SHOWN = 20 };

/* -EEXIST when it adds nothing. */
static int add_network(struct rule_list_loader *list, struct slice entry)
{
    struct conf_network network;
    if (conf_network_parse(entry, &network) != 0)
        return -EBADMSG;
    /* A search of each among all takes squared time. */
    bool covered =
        list->networks.count < OVERLAPS_SOUGHT && rule_network_covers(&list->networks, &network);
    int error = rule_network_add(&list->networks, &network);
    return error == 0 && covered ? -EEXIST : error;
}

static int add_entry(struct rule_list_loader *loader, enum rule_list_form form, struct slice entry,
                     rule_list_line line)
{
    struct rule_list *list = loader->named->list;
    if (form == RULE_FORM_NETWORK)
        return add_network(loader, entry);
    if (form != RULE_FORM_TEXT)
        return rule_list_add_entry(list, form == RULE_FORM_NUMBER_PREFIX, entry, line);
    bool star = entry.length > 0 && entry.data[entry.length - 1] == '*';
    if (star)
        entry.length--;
    return rule_list_add_text(list, star ? RULE_LIST_PREFIX : RULE_LIST_EXACT, entry, line);
}

static void report_number(struct conf_report *report, int error, struct slice entry)
{
    if (error == -ERANGE) {
        conf_report_expect(report, "two numbers of equally many digits, the smaller one first: "
                                   "+861000..+861999; a * behind makes all that begin so");
        return;
    }
    if (error == -EINVAL) {
        conf_report_expect(report,
                           "behind the number at most a value of 1 to %d bytes and a time: "
                           "+86170*,35,2027-06-30",
                           RULE_LIST_VALUE_MAX);
        return;
    }
    conf_report_expect(report, "+ and up to %d digits, without spaces; a * behind makes a prefix",
                       RULE_LIST_DIGITS_MAX);
    if (entry.length > 0 && strchr("+0123456789", entry.data[0]) == NULL)
        conf_report_hint(report, "other texts belong under texts:");
}

static const char *form_name(enum rule_list_form form, int error)
{
    if (form == RULE_FORM_TEXT)
        return "text that can be listed";
    if (form == RULE_FORM_NETWORK)
        return "network";
    if (error == -ERANGE)
        return "range";
    if (error == -EINVAL)
        return "number with a value or a time";
    return form == RULE_FORM_NUMBER_PREFIX ? "prefix" : "number";
}

static void report_entry(struct rule_list_loader *list, const struct conf_place *place,
                         enum rule_list_form form, int error, struct slice entry)
{
    struct conf_report *report = list->loader->report;
    struct conf_quote name, quote;
    if (error == -EEXIST && ++list->covered_networks > OVERLAPS_SHOWN)
        return;
    if (error == -EEXIST) {
        conf_report_add(report, CONF_WARNING, place, "list %s: a network above holds all of %s",
                        conf_quote(&name, list->name), conf_quote(&quote, entry));
        return;
    }
    list->has_error = true;
    conf_report_add(report, CONF_ERROR, place, "list %s: %s is not a %s",
                    conf_quote(&name, list->name), conf_quote(&quote, entry),
                    form_name(form, error));
    if (form == RULE_FORM_TEXT)
        conf_report_expect(report, "1 to %d bytes, or a prefix of 1 to %d and a *",
                           RULE_LIST_TEXT_MAX, RULE_LIST_TEXT_PREFIX_MAX);
    else if (form == RULE_FORM_NETWORK)
        conf_report_expect(report, "an address, or a network without bits behind its prefix: "
                                   "10.0.0.0/8, 2001:db8::/32");
    else
        report_number(report, error, entry);
}

int rule_load_entry(struct rule_list_loader *list, enum rule_list_form form, struct slice entry,
                    rule_list_line line, const struct conf_place *place)
{
    int error = add_entry(list, form, entry, line);
    if (error == 0 || error == -ENOMEM)
        return error;
    report_entry(list, place, form, error, entry);
    return 0;
}

/* Takes more bytes into the hash of what is written. */
static void digest(struct rule_list_loader *list, struct slice bytes)
{
    const struct hash_key key = {{list->named->origin.written, UINT64_C(0x6c697374)}};
    list->named->origin.written =
        hash_siphash13(&key, bytes.data != NULL ? bytes.data : "", bytes.length);
}

static int load_entries(struct rule_list_loader *list, const struct conf_node *entries,
                        enum rule_list_form form)
{
    const char form_byte = (char)('0' + form);
    if (entries == NULL)
        return 0;
    digest(list, slice_make(&form_byte, 1));
    for (const struct conf_node *entry = entries->first; entry != NULL; entry = entry->next) {
        if (entry->kind != CONF_NODE_SCALAR) {
            rule_loader_error(list->loader, entry, "an entry is a %s", conf_node_kind_name(entry));
            conf_report_expect(list->loader->report, "a text");
            list->has_error = true;
            continue;
        }
        struct conf_place place = conf_node_place(list->loader->document, entry);
        digest(list, entry->text);
        int error =
            rule_load_entry(list, form, entry->text, RULE_LIST_INLINE | entry->line, &place);
        if (error != 0)
            return error;
    }
    return 0;
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

static int fill_list(struct rule_list_loader *list, const struct rule_list_draft *draft)
{
    enum rule_list_form form = draft->networks.node != NULL ? RULE_FORM_NETWORK
                               : draft->texts.node != NULL  ? RULE_FORM_TEXT
                                                            : RULE_FORM_NUMBER;
    int error = load_entries(list, draft->numbers.node, RULE_FORM_NUMBER);
    if (error == 0)
        error = load_entries(list, draft->prefixes.node, RULE_FORM_NUMBER_PREFIX);
    if (error == 0)
        error = load_entries(list, draft->texts.node, RULE_FORM_TEXT);
    if (error == 0)
        error = load_entries(list, draft->networks.node, RULE_FORM_NETWORK);
    if (error == 0 && draft->file.node != NULL)
        error = rule_load_list_file(list, draft->file.node, form);
    return error;
}

static void append_line(struct buffer *text, rule_list_line line)
{
    buffer_append_text(text, (line & RULE_LIST_INLINE) != 0 ? "line " : "the file's line ");
    buffer_append_uint(text, line & ~RULE_LIST_INLINE);
}

static void report_flaw(struct rule_list_loader *list, const struct rule_list_flaw *flaw,
                        const char *what, const char *relation)
{
    struct conf_quote name;
    char memory[256];
    struct buffer text = buffer_over(memory, sizeof(memory) - 1);
    const struct conf_place place = rule_list_place(list->named);
    if (flaw->count == 0)
        return;
    for (size_t i = 0; i < flaw->count && i < RULE_LIST_EXAMPLES; i++) {
        buffer_append_text(&text, i > 0 ? "; " : "");
        bool together = flaw->examples[i].line == flaw->examples[i].first;
        buffer_append_text(&text, together ? "both are on " : "");
        append_line(&text, flaw->examples[i].line);
        if (together)
            continue;
        buffer_append_text(&text, relation);
        append_line(&text, flaw->examples[i].first);
    }
    memory[text.length] = '\0';
    conf_report_add(list->loader->report, CONF_WARNING, &place, "list %s: %zu %s %s",
                    conf_quote(&name, list->name), flaw->count,
                    flaw->count == 1 ? "entry" : "entries", what);
    conf_report_hint(list->loader->report, "%s%s", memory,
                     flaw->count > RULE_LIST_EXAMPLES ? "; ..." : "");
}

/* Of a list that is right otherwise. */
static void report_flaws(struct rule_list_loader *list)
{
    const struct rule_list_flaws *flaws = rule_list_flaws(list->named->list);
    if (list->has_error)
        return;
    report_flaw(list, &flaws->repeated, "given more than once; the last one counts", " repeats ");
    report_flaw(list, &flaws->covered, "within a range or prefix that says the same",
                " lies within ");
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
    named.source =
        arena_copy(loader->set->arena, conf_node_key_place(loader->document, node).source);
    if (named.name.data == NULL || named.source.data == NULL)
        return -ENOMEM;
    error = rule_list_create(&named.list);
    if (error != 0)
        return error;

    struct rule_list *own = named.list;
    struct rule_list_loader list = {loader, &named, node->key, RULE_VECTOR_OF(struct rule_range),
                                    0,      false};
    error = fill_list(&list, &draft);
    if (error == 0 && named.list == own)
        error = rule_list_seal(own);
    if (error == 0)
        report_flaws(&list);
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
