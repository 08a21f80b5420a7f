/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buffer_append_uint(struct buffer *buffer, uint64_t value)
{
    char digits[20]; /* of 2^64 - 1 */
    size_t first = sizeof(digits);
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buffer_append_bytes(buffer, digits + first, sizeof(digits) - first);
}

void buffer_append_int(struct buffer *buffer, int64_t value)
{
    if (value >= 0) {
        buffer_append_uint(buffer, (uint64_t)value);
        return;
    }

    /* Sign and digits are one append, or a full buffer would keep a lone minus. */
    char memory[24];
    struct buffer text = buffer_over(memory, sizeof(memory));
    buffer_append_char(&text, '-');
    buffer_append_uint(&text, 0 - (uint64_t)value);
    buffer_append(buffer, buffer_slice(&text));
}

void buffer_append_hex(struct buffer *buffer, uint64_t value, unsigned digits)
{
    char text[16];
    if (digits > sizeof(text))
        digits = sizeof(text);
    for (unsigned i = digits; i > 0; i--) {
        text[i - 1] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
    buffer_append_bytes(buffer, text, digits);
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    char scratch[512];
    va_list arguments;

    if (buffer->overflow)
        return;
    va_start(arguments, format);
    int length = vsnprintf(scratch, sizeof(scratch), format, arguments);
    va_end(arguments);

    if (length >= 0 && (size_t)length < sizeof(scratch)) {
        buffer_append_bytes(buffer, scratch, (size_t)length);
        return;
    }

    char *text = NULL;
    va_start(arguments, format);
    length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->overflow = true;
        return;
    }
    buffer_append_bytes(buffer, text, (size_t)length);
    free(text);
}
