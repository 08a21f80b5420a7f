/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal: text for people: columns that line up, colour where wanted, a progress bar.
 *
 * Everything that could hold a peer's bytes passes encode_terminal() here.
 */
#ifndef RINGFENCE_CLI_TERMINAL_H
#define RINGFENCE_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/slice.h"

/* X(name, escape sequence) */
#define CLI_STYLE_TABLE(X)    \
    X(CLI_PLAIN, "\x1b[0m")   \
    X(CLI_BOLD, "\x1b[1m")    \
    X(CLI_DIM, "\x1b[2m")     \
    X(CLI_RED, "\x1b[31m")    \
    X(CLI_GREEN, "\x1b[32m")  \
    X(CLI_YELLOW, "\x1b[33m") \
    X(CLI_CYAN, "\x1b[36m")

enum cli_style {
#define CLI_STYLE_ROW(name, escape) name,
    CLI_STYLE_TABLE(CLI_STYLE_ROW)
#undef CLI_STYLE_ROW
};

/* A stream and what it can show. */
struct cli_output {
    FILE *stream;
    bool colour;
    bool terminal;
};

/* Columns that a terminal uses: two for East Asian wide characters, none for combining ones. */
size_t cli_width(struct slice text);

/* Encoded for a terminal; style CLI_PLAIN adds nothing. */
void cli_print(const struct cli_output *output, enum cli_style style, struct slice text);

/* The same, in a column of that many places: shorter text is filled up with blanks. */
void cli_print_left(const struct cli_output *output, enum cli_style style, struct slice text,
                    size_t columns);
void cli_print_right(const struct cli_output *output, enum cli_style style, struct slice text,
                     size_t columns);

/* Columns that the text takes once it is encoded. */
size_t cli_shown_width(struct slice text);

/* Words up to column 80, and the end of the line; further lines begin below the first one, which
 * begins in `column`. */
void cli_print_wrapped(const struct cli_output *output, enum cli_style style, size_t column,
                       struct slice text);

/* Columns of the terminal; SIZE_MAX where lines have no end. */
size_t cli_columns(const struct cli_output *output);

/* "3d 4h", "12m 5s", "0s": the two largest units. */
void cli_format_duration(uint64_t seconds, char *text, size_t capacity);
/* "1,234,567" */
void cli_format_count(uint64_t value, char *text, size_t capacity);

/* A bar on one line of a terminal; nothing elsewhere. Time is a parameter. */
struct cli_progress {
    const struct cli_output *output;
    const char *what; /* "numbers" */
    uint64_t total;   /* of `done`; 0: not known */
    uint64_t started_us;
    uint64_t shown_us; /* 0: not shown yet */
};

/* done: of total (bytes, say); count: of what is being done. At most ten times a second. */
void cli_progress_show(struct cli_progress *progress, uint64_t done, uint64_t count,
                       uint64_t now_us);
/* Takes the bar away. */
void cli_progress_clear(struct cli_progress *progress);

/* The bar's line, for tests: "  42% [####------] 1,234 numbers  600/s  0:07 left". */
void cli_progress_format(const struct cli_progress *progress, uint64_t done, uint64_t count,
                         uint64_t now_us, char *text, size_t capacity);

#endif
