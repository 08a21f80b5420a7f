/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: the bytes of a file and where its lines begin.
 *
 * Only what every editor and libyaml agree on counts as a line break (LF, CR LF, CR); the other
 * breaks of YAML 1.1 (U+0085, U+2028, U+2029) are refused together with control characters, so that
 * all line numbers mean the same thing.
 */
#ifndef RINGFENCE_CONFIG_SOURCE_INT_H
#define RINGFENCE_CONFIG_SOURCE_INT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "config/report.h"

struct conf_source {
    const char *name;
    char *memory;
    struct slice text; /* within memory, without a byte order mark */
    uint32_t *lines;   /* offset of each line's first byte */
    uint32_t line_count;

    /* The place last asked for. Questions come in file order, so that one line of megabytes is
     * walked once and not once per node. */
    uint32_t at_line, at_column, at_offset;
};

/* Takes over malloc()ed memory (also on failure) of at most 1 GiB. 0, -ENOMEM, or ERROR_CONFIG when
 * the text is not clean UTF-8. The name must outlive the source. */
int conf_source_open(const char *name, char *memory, size_t length, struct conf_report *report,
                     struct conf_source *source) MUST_CHECK;
void conf_source_close(struct conf_source *source);

/* Line from 1, without its break; empty beyond the end. */
struct slice conf_source_line(const struct conf_source *source, uint32_t line);

/* Byte offset of a place given as libyaml does: line and column from 0, in characters. */
uint32_t conf_source_offset(struct conf_source *source, size_t line, size_t column);

/* libyaml counts one more line at the end of a file that lacks the last line break: such a place
 * becomes the end of the last line. Line and column from 1. */
void conf_source_clamp(const struct conf_source *source, uint32_t *line, uint32_t *column);

/* The place of a line and column from 1, clamped. */
struct conf_place conf_source_place(const struct conf_source *source, uint32_t line,
                                    uint32_t column, uint32_t width);

#endif
