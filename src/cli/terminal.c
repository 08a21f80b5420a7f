/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/buffer.h"
#include "base/encode.h"

enum { BAR_COLUMNS = 24, LINE_COLUMNS = 80, PROGRESS_INTERVAL_US = 100000 };

static const char *const escapes[] = {
#define STYLE_ESCAPE(name, escape) [name] = (escape),
    CLI_STYLE_TABLE(STYLE_ESCAPE)
#undef STYLE_ESCAPE
};

/* ---- width -------------------------------------------------------------------------------- */

struct span {
    uint32_t first, last;
};

/* Unicode 15: East Asian Width W and F, joined where what lies between is not assigned. */
static const struct span wide_spans[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},
    {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0xa4cf},
    {0xa960, 0xa97c},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe10, 0xfe19},
    {0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18cff},
    {0x1b000, 0x1b2ff}, {0x1f200, 0x1f2ff}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
    {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

static const struct span combining_spans[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a},
    {0x064b, 0x065f}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x20d0, 0x20ff},
    {0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};

static bool in_spans(uint32_t code, const struct span *spans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code >= spans[i].first && code <= spans[i].last)
            return true;
    return false;
}

/* One character of text that an encoder has made valid UTF-8. */
static uint32_t next_code(struct slice text, size_t *at)
{
    unsigned char first = (unsigned char)text.data[(*at)++];
    unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    uint32_t code = more == 0 ? first : first & (0x3fU >> more);
    for (; more > 0 && *at < text.length; more--)
        code = code << 6 | ((unsigned char)text.data[(*at)++] & 0x3f);
    return code;
}

size_t cli_width(struct slice text)
{
    size_t width = 0;
    for (size_t at = 0; at < text.length;) {
        uint32_t code = next_code(text, &at);
        if (in_spans(code, combining_spans, sizeof(combining_spans) / sizeof(combining_spans[0])))
            continue;
        width += in_spans(code, wide_spans, sizeof(wide_spans) / sizeof(wide_spans[0])) ? 2 : 1;
    }
    return width;
}

/* ---- printing ----------------------------------------------------------------------------- */

/* malloc()ed; absent without memory. An encoder makes at most four bytes of one (\xHH). */
static struct buffer encoded(struct slice text)
{
    size_t capacity = text.length * 4 + 1;
    char *memory = malloc(capacity);
    struct buffer buffer = buffer_over(memory, memory != NULL ? capacity : 0);
    encode_terminal(&buffer, text);
    return buffer;
}

static void print_blanks(const struct cli_output *output, size_t count)
{
    fprintf(output->stream, "%*s", (int)count, "");
}

static void print_padded(const struct cli_output *output, enum cli_style style, struct slice text,
                         size_t columns, bool right)
{
    struct buffer shown = encoded(text);
    size_t width = cli_width(buffer_slice(&shown));
    bool styled = style != CLI_PLAIN && output->colour;
    if (right && width < columns)
        print_blanks(output, columns - width);
    if (styled)
        fputs(escapes[style], output->stream);
    fwrite(shown.data, 1, shown.length, output->stream);
    if (styled)
        fputs(escapes[CLI_PLAIN], output->stream);
    if (!right && width < columns)
        print_blanks(output, columns - width);
    free(shown.data);
}

void cli_print(const struct cli_output *output, enum cli_style style, struct slice text)
{
    print_padded(output, style, text, 0, false);
}

void cli_print_left(const struct cli_output *output, enum cli_style style, struct slice text,
                    size_t columns)
{
    print_padded(output, style, text, columns, false);
}

void cli_print_right(const struct cli_output *output, enum cli_style style, struct slice text,
                     size_t columns)
{
    print_padded(output, style, text, columns, true);
}

size_t cli_shown_width(struct slice text)
{
    struct buffer shown = encoded(text);
    size_t width = cli_width(buffer_slice(&shown));
    free(shown.data);
    return width;
}

void cli_print_wrapped(const struct cli_output *output, enum cli_style style, size_t column,
                       struct slice text)
{
    size_t at = column;
    while (text.length > 0) {
        struct slice word = slice_first(text, slice_find(text, ' '));
        size_t width = cli_shown_width(word);
        if (at > column && at + 1 + width > LINE_COLUMNS) {
            fputc('\n', output->stream);
            print_blanks(output, column);
            at = column;
        } else if (at > column) {
            print_blanks(output, 1);
            at++;
        }
        cli_print(output, style, word);
        at += width;
        text = slice_from(text, word.length < text.length ? word.length + 1 : word.length);
    }
    fputc('\n', output->stream);
}

size_t cli_columns(const struct cli_output *output)
{
    struct winsize size;
    if (!output->terminal || ioctl(fileno(output->stream), TIOCGWINSZ, &size) != 0 ||
        size.ws_col == 0)
        return SIZE_MAX;
    return size.ws_col;
}

/* ---- formats ------------------------------------------------------------------------------ */

void cli_format_duration(uint64_t seconds, char *text, size_t capacity)
{
    static const struct {
        uint64_t seconds;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t largest = 0;
    while (largest < 3 && seconds < units[largest].seconds)
        largest++;
    uint64_t rest = seconds % units[largest].seconds;
    int written =
        snprintf(text, capacity, "%llu%c", (unsigned long long)(seconds / units[largest].seconds),
                 units[largest].letter);
    if (largest < 3 && rest >= units[largest + 1].seconds && written > 0 &&
        (size_t)written < capacity)
        snprintf(text + written, capacity - (size_t)written, " %llu%c",
                 (unsigned long long)(rest / units[largest + 1].seconds),
                 units[largest + 1].letter);
}

void cli_format_count(uint64_t value, char *text, size_t capacity)
{
    char digits[24];
    int count = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    size_t at = 0;
    for (int i = 0; i < count && at + 2 < capacity; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
}

/* ---- progress ----------------------------------------------------------------------------- */

void cli_progress_format(const struct cli_progress *progress, uint64_t done, uint64_t count,
                         uint64_t now_us, char *text, size_t capacity)
{
    char counted[32];
    char bar[BAR_COLUMNS + 1];
    double seconds = (double)(now_us - progress->started_us) / 1e6;
    double rate = seconds > 0 ? (double)count / seconds : 0;
    cli_format_count(count, counted, sizeof(counted));
    if (progress->total == 0) {
        snprintf(text, capacity, "%s %s  %.0f/s", counted, progress->what, rate);
        return;
    }
    double part =
        (double)(done < progress->total ? done : progress->total) / (double)progress->total;
    size_t filled = (size_t)(part * BAR_COLUMNS);
    memset(bar, '-', BAR_COLUMNS);
    memset(bar, '#', filled);
    bar[BAR_COLUMNS] = '\0';
    int written = snprintf(text, capacity, "%3.0f%% [%s] %s %s  %.0f/s", part * 100, bar, counted,
                           progress->what, rate);
    /* An early guess is no guess. */
    if (part > 0.01 && seconds > 1 && written > 0 && (size_t)written < capacity) {
        uint64_t left = (uint64_t)(seconds / part * (1 - part) + 0.5);
        snprintf(text + written, capacity - (size_t)written, "  %llu:%02llu left",
                 (unsigned long long)(left / 60), (unsigned long long)(left % 60));
    }
}

void cli_progress_show(struct cli_progress *progress, uint64_t done, uint64_t count,
                       uint64_t now_us)
{
    char text[160];
    if (!progress->output->terminal ||
        (progress->shown_us != 0 && now_us - progress->shown_us < PROGRESS_INTERVAL_US))
        return;
    cli_progress_format(progress, done, count, now_us, text, sizeof(text));
    fprintf(progress->output->stream, "\r%s\x1b[K", text);
    fflush(progress->output->stream);
    progress->shown_us = now_us;
}

void cli_progress_clear(struct cli_progress *progress)
{
    if (progress->shown_us == 0)
        return;
    fputs("\r\x1b[K", progress->output->stream);
    fflush(progress->output->stream);
    progress->shown_us = 0;
}
