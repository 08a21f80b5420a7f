/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema: what loading, checking, comparing and describing rows share.
 */
#ifndef RINGFENCE_CONFIG_SCHEMA_INT_H
#define RINGFENCE_CONFIG_SCHEMA_INT_H

#include "base/buffer.h"
#include "config/schema.h"

/* Where loading stands: a section within its outer ones. */
struct conf_scope {
    const struct conf_scope *outer; /* NULL at the top */
    const struct conf_section *section;
    const struct conf_node *node; /* NULL when the section was left out */
    const struct conf_row *row;   /* being read */
    size_t position;              /* of a list item, from 1; 0: no list item */
    struct slice identity;        /* of a list item; may be absent */
};

/* Reads any type but sections; node is not NULL. 0, ERROR_CONFIG (reported) or -ENOMEM. */
int conf_row_read(struct conf_load *load, const struct conf_row *row, const struct conf_node *node,
                  void *field) MUST_CHECK;

/* Reads the row's fallback; fields of rows without one are left as they are. */
int conf_row_read_fallback(struct conf_load *load, const struct conf_row *row,
                           void *field) MUST_CHECK;

struct conf_bounds {
    int64_t min;
    int64_t max;
    bool has_min; /* worth mentioning */
    bool has_max;
};

struct conf_bounds conf_row_bounds(const struct conf_row *row);

/* "1ms to 5s", "at least 1", "at most 64k"; nothing where there are no limits. */
void conf_row_append_range(struct buffer *buffer, const struct conf_row *row);

/* The names, separated by commas. */
void conf_row_append_choices(struct buffer *buffer, const struct conf_row *row);

/* "duration, 1ms to 5s; needs a restart" */
void conf_row_append_facts(struct buffer *buffer, const struct conf_row *row);

/* Size of a type's field; 0 where it varies. */
size_t conf_type_size(enum conf_type type);

/* "duration", or the format's name. */
const char *conf_row_type_name(const struct conf_row *row);

/* The row that tells list items apart; NULL when the section names none. */
const struct conf_row *conf_section_identity(const struct conf_section *section);

static inline void *conf_row_field(const struct conf_row *row, void *object)
{
    return (char *)object + row->offset;
}

static inline const void *conf_row_field_const(const struct conf_row *row, const void *object)
{
    return (const char *)object + row->offset;
}

#endif
