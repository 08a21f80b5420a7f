/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "top_canvas_int.h"

enum { ENCODED_MAXIMUM = 1024 };

/* From nothing to full. */
static const char *const spark_glyphs[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const ascii_glyphs[] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};

enum { LEVELS = sizeof(spark_glyphs) / sizeof(spark_glyphs[0]) - 1 };

int top_canvas_create(size_t rows, size_t columns, bool ascii, struct top_canvas *canvas)
{
    struct top_cell *cells = calloc(rows * columns + 1, sizeof(*cells));
    if (cells == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < rows * columns; i++)
        cells[i] = (struct top_cell){.bytes = " ", .length = 1, .style = CLI_PLAIN};
    *canvas = (struct top_canvas){cells, rows, columns, ascii};
    return 0;
}

void top_canvas_destroy(struct top_canvas *canvas)
{
    free(canvas->cells);
    *canvas = (struct top_canvas){0};
}

/* ---- text ----------------------------------------------------------------------------------- */

/* NULL outside of the area. */
static struct top_cell *cell_at(const struct top_area *area, size_t row, size_t column)
{
    const struct top_canvas *canvas = area->canvas;
    if (row >= area->rows || column >= area->columns || area->row + row >= canvas->rows ||
        area->column + column >= canvas->columns)
        return NULL;
    return &canvas->cells[(area->row + row) * canvas->columns + area->column + column];
}

/* The character that the text, which is UTF-8, begins with. */
static struct slice first_character(struct slice text)
{
    size_t length = 1;
    while (length < text.length && ((unsigned char)text.data[length] & 0xc0) == 0x80)
        length++;
    return slice_first(text, length);
}

static void set_cell(struct top_cell *cell, struct slice character, unsigned style)
{
    if (cell == NULL)
        return;
    cell->length = (uint8_t)(character.length < sizeof(cell->bytes) ? character.length : 0);
    memcpy(cell->bytes, character.data, cell->length);
    cell->style = (uint8_t)style;
}

/* What combines with the character before it joins its cell, as long as there is room. */
static void join_cell(struct top_cell *cell, struct slice character)
{
    if (cell == NULL || cell->length + character.length >= sizeof(cell->bytes))
        return;
    memcpy(cell->bytes + cell->length, character.data, character.length);
    cell->length = (uint8_t)(cell->length + character.length);
}

/* Encoded text, at most so many columns of it. */
static size_t put_encoded(const struct top_area *area, size_t row, size_t column, size_t columns,
                          unsigned style, struct slice text)
{
    size_t used = 0;
    while (text.length > 0) {
        struct slice character = first_character(text);
        text = slice_from(text, character.length);
        if (area->canvas->ascii && character.length > 1)
            character = SLICE("?");
        size_t width = cli_width(character);
        if (width == 0) {
            if (used > 0)
                join_cell(cell_at(area, row, column + used - 1), character);
            continue;
        }
        if (used + width > columns || cell_at(area, row, column + used + width - 1) == NULL)
            break;
        set_cell(cell_at(area, row, column + used), character, style);
        if (width == 2)
            set_cell(cell_at(area, row, column + used + 1), SLICE(""), style);
        used += width;
    }
    return used;
}

static struct slice encode(const char *text, char memory[ENCODED_MAXIMUM])
{
    struct buffer buffer = buffer_over(memory, ENCODED_MAXIMUM);
    struct slice whole = slice_of_text(text);
    encode_terminal(&buffer, slice_first(whole, ENCODED_MAXIMUM / 4));
    return buffer_slice(&buffer);
}

size_t top_put(const struct top_area *area, size_t row, size_t column, size_t columns,
               unsigned style, const char *text)
{
    char memory[ENCODED_MAXIMUM];
    return put_encoded(area, row, column, columns, style, encode(text, memory));
}

size_t top_put_right(const struct top_area *area, size_t row, size_t column, size_t columns,
                     unsigned style, const char *text)
{
    char memory[ENCODED_MAXIMUM];
    struct slice shown = encode(text, memory);
    size_t width = cli_width(shown);
    size_t blank = width < columns ? columns - width : 0;
    return blank + put_encoded(area, row, column + blank, columns - blank, style, shown);
}

/* ---- figures as pictures -------------------------------------------------------------------- */

static const char *glyph(const struct top_area *area, size_t level)
{
    return area->canvas->ascii ? ascii_glyphs[level] : spark_glyphs[level];
}

void top_put_spark(const struct top_area *area, size_t row, size_t column, size_t columns,
                   unsigned style, const struct top_series *series)
{
    size_t shown = columns < TOP_HISTORY ? columns : TOP_HISTORY;
    if (shown > series->next)
        shown = (size_t)series->next;
    double largest = 0;
    for (size_t i = 1; i <= shown; i++) {
        double value = series->values[(series->next - i) % TOP_HISTORY];
        largest = value > largest ? value : largest;
    }
    for (size_t i = 1; i <= shown; i++) {
        double value = series->values[(series->next - i) % TOP_HISTORY];
        size_t level = largest > 0 ? (size_t)(value / largest * LEVELS + 0.5) : 0;
        if (value > 0 && level == 0)
            level = 1; /* little is not nothing */
        set_cell(cell_at(area, row, column + columns - i), slice_of_text(glyph(area, level)),
                 style);
    }
}

void top_put_bar(const struct top_area *area, size_t row, size_t column, size_t columns,
                 unsigned style, double part)
{
    size_t filled = (size_t)(part * (double)columns + 0.5);
    if (part > 0 && filled == 0)
        filled = 1;
    for (size_t i = 0; i < columns && i < filled; i++)
        set_cell(cell_at(area, row, column + i), slice_of_text(glyph(area, LEVELS)), style);
}

void top_style_row(const struct top_area *area, size_t row, unsigned style)
{
    struct top_cell *cell;
    for (size_t column = 0; (cell = cell_at(area, row, column)) != NULL; column++)
        cell->style = (uint8_t)style;
}

/* Columns up to the last that is not blank. */
static size_t used_columns(const struct top_canvas *canvas, size_t row)
{
    const struct top_cell *cells = &canvas->cells[row * canvas->columns];
    size_t length = canvas->columns;
    while (length > 0 && cells[length - 1].length == 1 && cells[length - 1].bytes[0] == ' ')
        length--;
    return length;
}

bool top_row_is_blank(const struct top_canvas *canvas, size_t row)
{
    return used_columns(canvas, row) == 0;
}

void top_print_row(const struct top_canvas *canvas, size_t row, FILE *stream)
{
    const struct top_cell *cells = &canvas->cells[row * canvas->columns];
    size_t length = used_columns(canvas, row);
    for (size_t i = 0; i < length; i++)
        fwrite(cells[i].bytes, 1, cells[i].length, stream); /* encoded when they were put there */
    fputc('\n', stream);
}
