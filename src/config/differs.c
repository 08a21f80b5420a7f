/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "schema_int.h"

/* The walk along two objects of one section. */
struct walk {
    struct buffer path;
    char memory[512];
    size_t named;
    void (*visit)(const char *path, void *argument);
    void *argument;
};

static void compare_objects(struct walk *walk, const struct conf_section *section,
                            const void *old_object, const void *new_object, bool all);

static void name_path(struct walk *walk)
{
    walk->memory[walk->path.length] = '\0';
    walk->named++;
    walk->visit(walk->memory, walk->argument);
}

static bool same_texts(const struct conf_text_list *a, const struct conf_text_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!slice_equal(a->items[i], b->items[i]))
            return false;
    return true;
}

static bool same_value(const struct conf_row *row, const void *a, const void *b)
{
    switch (row->type) {
    case CONF_TEXT:
        return slice_equal(*(const struct slice *)a, *(const struct slice *)b);
    case CONF_TEXT_LIST:
        return same_texts(a, b);
    case CONF_CUSTOM:
        assert(row->format->equal != NULL);
        return row->format->equal(a, b);
    default:
        return memcmp(a, b, row->size) == 0;
    }
}

static const void *item_at(const struct conf_section *section, const struct conf_object_list *list,
                           size_t at)
{
    return (const char *)list->items + at * section->object_size;
}

/* The item that stands for the same thing as `item`, which is at position `at` of its own list. */
static const void *partner_of(const struct conf_section *section, const void *item, size_t at,
                              const struct conf_object_list *list)
{
    const struct conf_row *identity = conf_section_identity(section);

    if (identity == NULL)
        return at < list->count ? item_at(section, list, at) : NULL;
    for (size_t i = 0; i < list->count; i++) {
        /* Lists mostly keep their order, so the search begins at the same position. */
        const void *candidate = item_at(section, list, (at + i) % list->count);

        if (same_value(identity, conf_row_field_const(identity, item),
                       conf_row_field_const(identity, candidate)))
            return candidate;
    }
    return NULL;
}

static void append_item(struct walk *walk, const struct conf_section *section, const void *item,
                        size_t at)
{
    const struct conf_row *identity = conf_section_identity(section);

    if (identity == NULL) {
        buffer_format(&walk->path, "[%zu]", at + 1);
        return;
    }
    buffer_append_char(&walk->path, '[');
    buffer_append(&walk->path, *(const struct slice *)conf_row_field_const(identity, item));
    buffer_append_char(&walk->path, ']');
}

static void cut_path(struct walk *walk, size_t length)
{
    walk->path.length = length;
    walk->path.overflow = false;
}

/* Names the items of a list that the other list does not have. */
static void name_missing(struct walk *walk, const struct conf_section *section,
                         const struct conf_object_list *list, const struct conf_object_list *other)
{
    const size_t length = walk->path.length;

    for (size_t i = 0; i < list->count; i++) {
        const void *item = item_at(section, list, i);

        if (partner_of(section, item, i, other) != NULL)
            continue;
        append_item(walk, section, item, i);
        name_path(walk);
        cut_path(walk, length);
    }
}

static void compare_lists(struct walk *walk, const struct conf_row *row,
                          const struct conf_object_list *old_list,
                          const struct conf_object_list *new_list, bool all)
{
    const struct conf_section *section = row->section;
    const size_t length = walk->path.length;

    if (all) {
        name_missing(walk, section, old_list, new_list);
        name_missing(walk, section, new_list, old_list);
    }
    for (size_t i = 0; i < new_list->count; i++) {
        const void *item = item_at(section, new_list, i);
        const void *partner = partner_of(section, item, i, old_list);

        if (partner == NULL)
            continue;
        append_item(walk, section, item, i);
        compare_objects(walk, section, partner, item, all);
        cut_path(walk, length);
    }
}

static void compare_objects(struct walk *walk, const struct conf_section *section,
                            const void *old_object, const void *new_object, bool all)
{
    const size_t length = walk->path.length;

    for (size_t i = 0; i < section->row_count; i++) {
        const struct conf_row *row = &section->rows[i];
        const void *old_field = conf_row_field_const(row, old_object);
        const void *new_field = conf_row_field_const(row, new_object);
        bool flagged = all || (row->flags & CONF_NEEDS_RESTART) != 0;

        if (length > 0)
            buffer_append_char(&walk->path, '.');
        buffer_append_text(&walk->path, row->key);
        if (row->type == CONF_SECTION)
            compare_objects(walk, row->section, old_field, new_field, flagged);
        else if (row->type == CONF_SECTION_LIST)
            compare_lists(walk, row, old_field, new_field, flagged);
        else if (flagged && !same_value(row, old_field, new_field))
            name_path(walk);
        cut_path(walk, length);
    }
}

size_t conf_section_differs(const struct conf_section *section, const void *old_object,
                            const void *new_object, void (*visit)(const char *path, void *argument),
                            void *argument)
{
    struct walk walk = {.visit = visit, .argument = argument};

    walk.path = buffer_over(walk.memory, sizeof(walk.memory) - 1);
    compare_objects(&walk, section, old_object, new_object, false);
    return walk.named;
}
