/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top_canvas: cells that `ringfence top` draws on.
 */
#ifndef RINGFENCE_CLI_TOP_CANVAS_INT_H
#define RINGFENCE_CLI_TOP_CANVAS_INT_H

#include <stdio.h>

#include "base/error.h"
#include "top_int.h"

struct top_cell {
    char bytes[15]; /* a character with what combines with it; "" behind a wide one */
    uint8_t length;
    uint8_t style; /* enum cli_style, TOP_REVERSE added */
};

enum { TOP_REVERSE = 0x80 };

struct top_canvas {
    struct top_cell *cells;
    size_t rows;
    size_t columns;
    bool ascii; /* nothing but ASCII may be drawn */
};

int top_canvas_create(size_t rows, size_t columns, bool ascii,
                      struct top_canvas *canvas) MUST_CHECK;
void top_canvas_destroy(struct top_canvas *canvas);

/* Where something is drawn: what does not fit is cut. */
struct top_area {
    struct top_canvas *canvas;
    size_t row, column;
    size_t rows, columns;
};

/* Text of anybody, encoded for terminals; returns the columns used, at most `columns`. */
size_t top_put(const struct top_area *area, size_t row, size_t column, size_t columns,
               unsigned style, const char *text);
size_t top_put_right(const struct top_area *area, size_t row, size_t column, size_t columns,
                     unsigned style, const char *text);
/* The newest values of a series at the right end, scaled to the largest of them. */
void top_put_spark(const struct top_area *area, size_t row, size_t column, size_t columns,
                   unsigned style, const struct top_series *series);
/* A bar of that part (0..1) of the columns. */
void top_put_bar(const struct top_area *area, size_t row, size_t column, size_t columns,
                 unsigned style, double part);
void top_style_row(const struct top_area *area, size_t row, unsigned style);

bool top_row_is_blank(const struct top_canvas *canvas, size_t row);
/* A row as plain text, without blanks at its end. */
void top_print_row(const struct top_canvas *canvas, size_t row, FILE *stream);

/* ---- top_draw.c ------------------------------------------------------------------------------ */
void top_draw(const struct top_model *model, const struct top_view *view,
              struct top_canvas *canvas);

#endif
