/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "load_int.h"

#define LINE_FILE_MAX ((size_t)1 << 30)

/* What stands on a line before a comment, without blanks around it. */
struct slice rule_line_entry(struct slice line)
{
    size_t end = 0;
    while (end < line.length && !(line.data[end] == '#' && (end == 0 || line.data[end - 1] == ' ' ||
                                                            line.data[end - 1] == '\t')))
        end++;
    return slice_trim(slice_first(line, end));
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

int rule_line_file_read(struct rule_loader *loader, const struct rule_owner *owner,
                        const struct conf_node *node, struct rule_line_file *file)
{
    struct conf_quote name, quote;
    size_t length = 0;
    file->memory = NULL;
    int error = find_file(loader, node->text, file->path, sizeof(file->path));
    if (error == -EINVAL) {
        rule_loader_error(loader, node, "%s %s: %s is not a regular file", owner->kind,
                          conf_quote(&name, owner->id), conf_quote(&quote, node->text));
        return 0;
    }
    if (error == 0)
        error = file_read(file->path, LINE_FILE_MAX, &file->memory, &length);
    if (error == -ENOMEM)
        return error;
    if (error != 0) {
        file->memory = NULL;
        rule_loader_error(loader, node, "%s %s: cannot read %s: %s", owner->kind,
                          conf_quote(&name, owner->id), conf_quote(&quote, node->text),
                          error_text(error));
        conf_report_hint(loader->report, "the path is taken from the folder of the rule file");
        return 0;
    }
    file->text = slice_make(file->memory, length);
    rule_loader_digest(loader, file->text);
    if (slice_starts_with(file->text, SLICE("\xef\xbb\xbf")))
        file->text = slice_from(file->text, 3);
    return 0;
}
