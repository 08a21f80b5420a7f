/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/unpack.h"
#include "load_int.h"

#define LINE_FILE_MAX ((size_t)1 << 30)

struct slice rule_line_entry(struct slice line)
{
    size_t end = 0;
    for (;;) {
        end += slice_find(slice_from(line, end), '#');
        if (end == line.length || end == 0 || line.data[end - 1] == ' ' ||
            line.data[end - 1] == '\t')
            break;
        end++;
    }
    return slice_trim(slice_first(line, end));
}

static void report_unreadable(struct rule_loader *loader, const struct rule_owner *owner,
                              const struct conf_node *node, int error)
{
    struct conf_quote name, quote;
    rule_loader_error(loader, node, "%s %s: cannot read %s: %s", owner->kind,
                      conf_quote(&name, owner->id), conf_quote(&quote, node->text),
                      error_text(error));
    conf_report_hint(loader->report, "the path is taken from the folder of the rule file");
}

int rule_line_file_find(struct rule_loader *loader, const struct rule_owner *owner,
                        const struct conf_node *node, struct rule_line_file *file)
{
    struct conf_quote name, quote;
    struct slice path = node->text;
    int error = 0;
    file->memory = NULL;
    file->good = false;
    if (path.length == 0 || memchr(path.data, '\0', path.length) != NULL)
        error = -ENOENT;
    if (error == 0)
        error = file_beside(conf_document_name(loader->document), path.data, file->path,
                            sizeof(file->path));
    if (error == 0 && stat(file->path, &file->status) != 0)
        error = -errno;
    if (error != 0) {
        report_unreadable(loader, owner, node, error);
        return 0;
    }
    /* A pipe would hold up the loading, and a device might never end. */
    file->good = S_ISREG(file->status.st_mode);
    if (!file->good)
        rule_loader_error(loader, node, "%s %s: %s is not a regular file", owner->kind,
                          conf_quote(&name, owner->id), conf_quote(&quote, path));
    return 0;
}

int rule_line_file_read(struct rule_loader *loader, const struct rule_owner *owner,
                        const struct conf_node *node, struct rule_line_file *file)
{
    size_t length = 0;
    int error = file_read(file->path, LINE_FILE_MAX, &file->memory, &length);
    file->text = slice_make(file->memory, length);
    if (error == 0 || error == -ENOMEM)
        return error;
    file->memory = NULL;
    file->good = false;
    report_unreadable(loader, owner, node, error);
    return 0;
}

static int unpack(struct rule_loader *loader, const struct rule_owner *owner,
                  const struct conf_node *node, const char *format, struct rule_line_file *file)
{
    struct conf_quote name, quote;
    char *text = NULL;
    size_t length = 0;
    int error = unpack_bytes(file->text, LINE_FILE_MAX, &text, &length);
    if (error == -ENOMEM)
        return error;
    free(file->memory);
    file->memory = text;
    file->text = slice_make(text, length);
    file->good = error == 0;
    if (file->good)
        return 0;
    rule_loader_error(loader, node, "%s %s: cannot unpack %s (%s): %s", owner->kind,
                      conf_quote(&name, owner->id), conf_quote(&quote, node->text), format,
                      error == -EBADMSG ? "damaged or cut short" : error_text(error));
    conf_report_expect(loader->report, "a whole file of at most %zu MiB unpacked",
                       LINE_FILE_MAX >> 20);
    return 0;
}

int rule_line_file_unpack(struct rule_loader *loader, const struct rule_owner *owner,
                          const struct conf_node *node, struct rule_line_file *file)
{
    const char *format = unpack_format(file->text);
    int error = format != NULL ? unpack(loader, owner, node, format, file) : 0;
    if (slice_starts_with(file->text, SLICE("\xff\xfe")) ||
        slice_starts_with(file->text, SLICE("\xfe\xff"))) {
        struct conf_quote name, quote;
        rule_loader_error(loader, node, "%s %s: %s is UTF-16, not UTF-8", owner->kind,
                          conf_quote(&name, owner->id), conf_quote(&quote, node->text));
        conf_report_hint(loader->report, "iconv -f UTF-16 -t UTF-8 converts it");
        file->good = false;
        return error;
    }
    if (slice_starts_with(file->text, SLICE("\xef\xbb\xbf")))
        file->text = slice_from(file->text, 3);
    return error;
}

int rule_line_file_load(struct rule_loader *loader, const struct rule_owner *owner,
                        const struct conf_node *node, struct rule_line_file *file)
{
    int error = rule_line_file_find(loader, owner, node, file);
    if (error == 0 && file->good)
        error = rule_line_file_read(loader, owner, node, file);
    if (error == 0 && file->good) {
        rule_loader_digest(loader, file->text);
        error = rule_line_file_unpack(loader, owner, node, file);
    }
    return error;
}
