/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harness: parse a text, load a section, look at what was reported.
 */
#ifndef RINGFENCE_TESTS_CONFIG_HARNESS_H
#define RINGFENCE_TESTS_CONFIG_HARNESS_H

#include <check.h>
#include <stdlib.h>

#include "base/arena.h"
#include "config/document.h"
#include "config/schema.h"

struct harness {
    struct conf_report *report;
    struct conf_document *document;
    struct arena *arena;
};

static inline void harness_open(struct harness *harness)
{
    *harness = (struct harness){0};
    ck_assert_int_eq(conf_report_create(&harness->report), 0);
    ck_assert_int_eq(arena_create(4096, 0, &harness->arena), 0);
}

static inline void harness_close(struct harness *harness)
{
    conf_document_destroy(harness->document);
    arena_destroy(harness->arena);
    conf_report_destroy(harness->report);
}

static inline int harness_parse(struct harness *harness, const char *text)
{
    conf_document_destroy(harness->document);
    harness->document = NULL;
    return conf_document_parse("test.yaml", slice_of_text(text), NULL, harness->report,
                               &harness->document);
}

static inline int harness_load(struct harness *harness, const char *text,
                               const struct conf_section *section, void *object)
{
    ck_assert_int_eq(harness_parse(harness, text), 0);
    return conf_section_load(harness->document, conf_document_root(harness->document), section,
                             harness->arena, harness->report, object);
}

/* The report as it is printed; free() it. */
static inline char *harness_printed(const struct harness *harness)
{
    FILE *stream = tmpfile();

    ck_assert_ptr_nonnull(stream);
    conf_report_print(harness->report, stream, false);

    long length = ftell(stream);

    ck_assert_int_ge(length, 0);

    char *text = calloc(1, (size_t)length + 1);

    ck_assert_ptr_nonnull(text);
    rewind(stream);
    ck_assert_uint_eq(fread(text, 1, (size_t)length, stream), (size_t)length);
    fclose(stream);
    return text;
}

static inline void harness_assert_printed(const struct harness *harness, const char *expected)
{
    char *text = harness_printed(harness);

    ck_assert_str_eq(text, expected);
    free(text);
}

static inline void harness_assert_mentions(const struct harness *harness, const char *part)
{
    char *text = harness_printed(harness);

    ck_assert_msg(strstr(text, part) != NULL, "%s\n is not in:\n%s", part, text);
    free(text);
}

#endif
