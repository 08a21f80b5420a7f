/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: problems found in configuration and rule files, gathered so that one run shows them all.
 *
 * Every text is kept as it was given and passes an encoder on its way out (terminal or JSON), so a
 * file cannot send control bytes to a terminal. After CONF_REPORT_LIMIT problems only the counts
 * grow. Owned by one thread.
 */
#ifndef RINGFENCE_CONFIG_REPORT_H
#define RINGFENCE_CONFIG_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define CONF_REPORT_LIMIT 200

enum conf_severity { CONF_ERROR, CONF_WARNING };

/* Where a problem is. Lines and columns count from 1, columns in characters; line 0 means the file
 * as a whole. The slices need to live only until conf_report_add() returns. */
struct conf_place {
    struct slice file;
    uint32_t line;
    uint32_t column;
    uint32_t width;      /* characters to underline; 0 and 1 give a lone caret */
    struct slice source; /* the whole source line without its line break; may be absent */
};

/* All texts belong to the report; those that are absent are NULL. */
struct conf_problem {
    enum conf_severity severity;
    const char *file;
    uint32_t line;
    uint32_t column;
    uint32_t width;
    const char *message;
    const char *expected;
    const char *hint;
    const char *source; /* a long line is cut to what surrounds the column */
    uint32_t caret;     /* the column's position within `source`, in characters from 1 */
};

/* Memory for conf_quote(). */
struct conf_quote {
    char text[96];
};

/* A value as messages show it: in quotes, a long one cut with "...". Returns quote->text. */
const char *conf_quote(struct conf_quote *quote, struct slice value);

struct conf_report;

int conf_report_create(struct conf_report **report) MUST_CHECK;

/* place == NULL: no file is to blame (a command line option, say). Memory running out loses the
 * text, never the count. */
void conf_report_add(struct conf_report *report, enum conf_severity severity,
                     const struct conf_place *place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds to the latest problem what would have been right ("expected: ..."). */
void conf_report_expect(struct conf_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds to the latest problem what to do ("did you mean ...?"). */
void conf_report_hint(struct conf_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Problems seen, those beyond the limit included. */
size_t conf_report_count(const struct conf_report *report, enum conf_severity severity);

/* Calls visit for each problem kept, in the order found. */
void conf_report_each(const struct conf_report *report,
                      void (*visit)(const struct conf_problem *problem, void *argument),
                      void *argument);

/* As a compiler does: file:line:column: error: message, then the source line and a caret. */
void conf_report_print(const struct conf_report *report, FILE *stream, bool colour);

/*
 * {"errors":N,"warnings":N,"problems":[{...}]}. Problems that no longer fit into the buffer are
 * left out whole and counted as "omitted", so the text is valid JSON whenever the buffer has room
 * for the frame (about 100 bytes); below that the buffer overflows.
 */
void conf_report_json(const struct conf_report *report, struct buffer *buffer);

/* NULL is allowed. */
void conf_report_destroy(struct conf_report *report);

#endif
