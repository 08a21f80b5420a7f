/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "schema_int.h"

struct verify {
    struct conf_report *report;
    struct arena *arena;
    const struct conf_section *section;
    const struct conf_row *row;
    bool failed;
};

static void fault(struct verify *verify, const char *text)
{
    verify->failed = true;
    conf_report_add(
        verify->report, CONF_ERROR, NULL, "rows of %s: %s: %s", verify->section->name,
        verify->row != NULL && verify->row->key != NULL ? verify->row->key : "(section)", text);
}

static void verify_size(struct verify *verify)
{
    const struct conf_row *row = verify->row;
    size_t size = conf_type_size(row->type);

    if (row->type == CONF_SECTION && row->section != NULL)
        size = row->section->object_size;
    if (row->type == CONF_CUSTOM && row->format != NULL)
        size = row->format->size;
    if (row->type == CONF_INTEGER && (row->size == 1 || row->size == 2 || row->size == 4))
        size = row->size;
    else if (row->type == CONF_INTEGER)
        size = sizeof(int64_t);
    if (row->size != size)
        fault(verify, "the field does not have the size of the type");
    if (row->offset + row->size > verify->section->object_size)
        fault(verify, "the field is outside the object");
}

static void verify_limits(struct verify *verify)
{
    const struct conf_row *row = verify->row;
    const struct conf_bounds bounds = conf_row_bounds(row);
    const bool may_be_negative = row->type == CONF_INTEGER;
    int64_t most = INT64_MAX;

    if (row->type == CONF_INTEGER && row->size < sizeof(int64_t))
        most = ((int64_t)1 << (row->size * 8)) - 1;
    if (bounds.min > bounds.max)
        fault(verify, "min is larger than max");
    if (bounds.min < 0 && !may_be_negative)
        fault(verify, "min is negative");
    if (bounds.max > most || bounds.min < -(most / 2) - 1 ||
        (bounds.min < 0 && bounds.max > most / 2))
        fault(verify, "the field cannot hold min..max");
}

/* What a type needs beside its field. */
static void verify_parts(struct verify *verify, bool restart)
{
    const struct conf_row *row = verify->row;

    if (row->help == NULL)
        fault(verify, "has no help");
    if (row->type == CONF_CHOICE && (row->choices == NULL || row->choices[0].name == NULL))
        fault(verify, "has no choices");
    if ((row->type == CONF_SECTION || row->type == CONF_SECTION_LIST) && row->section == NULL)
        fault(verify, "has no section");
    if (row->type == CONF_CUSTOM && row->format == NULL)
        fault(verify, "has no format");
    if (row->type == CONF_CUSTOM && row->format != NULL && restart && row->format->equal == NULL)
        fault(verify, "needs a restart, but its format cannot be compared");
    if ((row->flags & CONF_REQUIRED) != 0 && row->fallback != NULL)
        fault(verify, "is required and has a default");
    for (const struct conf_row *other = verify->section->rows; other < row; other++)
        if (strcmp(other->key, row->key) == 0)
            fault(verify, "stands in two rows");
}

static int verify_fallback(struct verify *verify)
{
    union {
        char bytes[1024];
        uint64_t word;
        void *pointer;
    } field = {{0}};
    struct conf_scope scope = {.section = verify->section, .row = verify->row};
    struct conf_load load = {.arena = verify->arena, .report = verify->report, .scope = &scope};
    int error;

    if (verify->row->size > sizeof(field)) {
        fault(verify, "the field is larger than 1 KiB");
        return 0;
    }
    error = conf_row_read_fallback(&load, verify->row, &field);
    if (error == ERROR_CONFIG)
        fault(verify, "the default is not valid");
    return error == ERROR_CONFIG ? 0 : error;
}

/* 0 or -ENOMEM. */
static int verify_section(struct verify *verify, const struct conf_section *section, bool restart)
{
    const struct conf_section *outer = verify->section;
    const struct conf_row *identity = conf_section_identity(section);
    int error = 0;

    verify->section = section;
    verify->row = NULL;
    if (section->identity != NULL && (identity == NULL || identity->type != CONF_TEXT))
        fault(verify, "the identity is not a row of type text");
    for (size_t i = 0; i < section->row_count && !error; i++) {
        const struct conf_row *row = &section->rows[i];
        bool row_restart = restart || (row->flags & CONF_NEEDS_RESTART) != 0;

        verify->row = row;
        if (row->key == NULL) {
            fault(verify, "a row has no key");
            continue;
        }
        bool failed_before = verify->failed;

        verify->failed = false;
        verify_parts(verify, row_restart);
        verify_size(verify);
        verify_limits(verify);
        if (!verify->failed && row->section != NULL)
            error = verify_section(verify, row->section, row_restart);
        else if (!verify->failed)
            error = verify_fallback(verify);
        verify->failed = verify->failed || failed_before;
    }
    verify->section = outer;
    return error;
}

int conf_section_verify(const struct conf_section *section, struct conf_report *report)
{
    struct verify verify = {.report = report};
    int error = arena_create(4096, 0, &verify.arena);

    if (error)
        return error;
    error = verify_section(&verify, section, false);
    arena_destroy(verify.arena);
    if (error)
        return error;
    return verify.failed ? ERROR_CONFIG : 0;
}
