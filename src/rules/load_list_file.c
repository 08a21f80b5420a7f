/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "load_int.h"

enum { BAD_LINES_SHOWN = 20, QUOTED_BYTES = 200 };

/* File systems stamp changes by a clock that ticks: within SETTLE_NS a second change may look like
 * the first. */
#define SETTLE_NS INT64_C(2000000000)

/* ---- lines --------------------------------------------------------------------------------- */

static int load_line(struct rule_list_loader *list, const char *path, struct slice line,
                     enum rule_list_form form, uint32_t number)
{
    struct slice entry = rule_line_entry(line);
    if (entry.length == 0)
        return 0;
    const struct conf_place place = {
        .file = slice_of_text(path),
        .line = number,
        .column = (uint32_t)(entry.data - line.data) + 1,
        .width = (uint32_t)(entry.length < QUOTED_BYTES ? entry.length : QUOTED_BYTES),
        .source = line,
    };
    return rule_load_entry(list, form, entry, number, &place);
}

static size_t count_lines(struct slice text)
{
    size_t lines = 1;
    for (size_t at = slice_find(text, '\n'); at < text.length; lines++) {
        text = slice_from(text, at + 1);
        at = slice_find(text, '\n');
    }
    return lines;
}

static int load_lines(struct rule_list_loader *list, const char *path, struct slice text,
                      enum rule_list_form form)
{
    struct conf_report *report = list->loader->report;
    size_t errors = conf_report_count(report, CONF_ERROR);
    bool is_numbers = form == RULE_FORM_NUMBER;
    int error = is_numbers ? rule_list_expect(list->named->list, count_lines(text)) : 0;
    for (uint32_t number = 1; error == 0 && text.length > 0; number++) {
        struct slice line = slice_first(text, slice_find(text, '\n'));
        text = slice_from(text, line.length + 1);
        /* Nearly every line is a number and no more. */
        if (is_numbers &&
            rule_list_add_number(list->named->list, RULE_LIST_EXACT, line, number) == 0)
            continue;
        error = load_line(list, path, line, form, number);
        /* A file of another format would fill the report and hide everything else. */
        if (conf_report_count(report, CONF_ERROR) >= errors + BAD_LINES_SHOWN)
            break;
    }
    return error;
}

/* ---- sharing --------------------------------------------------------------------------------- */

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static void identify(const struct stat *status, struct rule_list_origin *origin)
{
    struct timespec now;
    origin->device = (uint64_t)status->st_dev;
    origin->inode = (uint64_t)status->st_ino;
    origin->size = (uint64_t)status->st_size;
    origin->modified_ns = nanoseconds(&status->st_mtim);
    origin->changed_ns = nanoseconds(&status->st_ctim);
    clock_gettime(CLOCK_REALTIME, &now);
    origin->settled = nanoseconds(&now) - origin->changed_ns >= SETTLE_NS;
}

static bool same_file(const struct rule_list_origin *a, const struct rule_list_origin *b)
{
    return b->settled && a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

/* The list of the previous set by that name, when the rule file says the same of it. */
static const struct rule_named_list *find_previous(const struct rule_list_loader *list)
{
    const struct rule_set *previous = list->loader->previous;
    const struct rule_named_list *same =
        previous != NULL ? rule_set_list(previous, list->name) : NULL;
    bool usable = same != NULL && same->origin.content != 0 &&
                  same->origin.written == list->named->origin.written;
    return usable ? same : NULL;
}

static void share(struct rule_list_loader *list, const struct rule_named_list *previous)
{
    struct rule_named_list *named = list->named;
    rule_list_destroy(named->list);
    named->list = rule_list_share(previous->list);
    named->origin.content = previous->origin.content;
}

static uint64_t hash_content(struct slice bytes)
{
    const struct hash_key key = {{UINT64_C(0x72756c65), UINT64_C(0x636f6e74656e74)}};
    uint64_t hash = hash_siphash13(&key, bytes.data, bytes.length);
    return hash != 0 ? hash : 1;
}

static void digest_content(struct rule_loader *loader, uint64_t content)
{
    rule_loader_digest(loader, slice_make((const char *)&content, sizeof(content)));
}

/* ---- the file -------------------------------------------------------------------------------- */

static int read_file(struct rule_list_loader *list, const struct rule_owner *owner,
                     const struct conf_node *node, const struct rule_named_list *previous,
                     enum rule_list_form form, struct rule_line_file *file)
{
    struct rule_list_origin *origin = &list->named->origin;
    int error = rule_line_file_read(list->loader, owner, node, file);
    if (error != 0 || !file->good)
        return error;
    origin->content = hash_content(file->text);
    if (previous != NULL && previous->origin.content == origin->content) {
        share(list, previous);
        return 0;
    }
    error = rule_line_file_unpack(list->loader, owner, node, file);
    return error != 0 || !file->good ? error : load_lines(list, file->path, file->text, form);
}

int rule_load_list_file(struct rule_list_loader *list, const struct conf_node *node,
                        enum rule_list_form form)
{
    /* Networks belong to their set. */
    const struct rule_named_list *previous = form != RULE_FORM_NETWORK ? find_previous(list) : NULL;
    const struct rule_owner owner = {"list", list->name};
    struct rule_line_file file;
    int error = rule_line_file_find(list->loader, &owner, node, &file);
    if (error == 0 && file.good) {
        identify(&file.status, &list->named->origin);
        if (previous != NULL && same_file(&list->named->origin, &previous->origin))
            share(list, previous);
        else
            error = read_file(list, &owner, node, previous, form, &file);
    }
    list->has_error = list->has_error || !file.good;
    digest_content(list->loader, list->named->origin.content);
    free(file.memory);
    return error;
}
