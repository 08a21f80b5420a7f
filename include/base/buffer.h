/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer: a bounded writer over memory that the caller owns.
 *
 * The first append that does not fit sets `overflow` and writes nothing; everything after it is
 * ignored too, so a caller composes freely and checks once (sticky error).
 */
#ifndef RINGFENCE_BASE_BUFFER_H
#define RINGFENCE_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

struct buffer {
    char *data;
    size_t capacity;
    size_t length;
    bool overflow;
};

static inline struct buffer buffer_over(char *memory, size_t capacity)
{
    return (struct buffer){memory, capacity, 0, false};
}

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return (struct slice){buffer->data, buffer->length};
}

static inline void buffer_append_bytes(struct buffer *buffer, const void *bytes, size_t length)
{
    if (buffer->overflow || length > buffer->capacity - buffer->length) {
        buffer->overflow = true;
        return;
    }
    if (length > 0)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
}

static inline void buffer_append(struct buffer *buffer, struct slice slice)
{
    buffer_append_bytes(buffer, slice.data, slice.length);
}

#define buffer_append_literal(buffer, text) buffer_append_bytes((buffer), "" text, sizeof(text) - 1)

static inline void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append_bytes(buffer, text, strlen(text));
}

static inline void buffer_append_char(struct buffer *buffer, char byte)
{
    buffer_append_bytes(buffer, &byte, 1);
}

/* Decimal, without printf. */
void buffer_append_uint(struct buffer *buffer, uint64_t value);
void buffer_append_int(struct buffer *buffer, int64_t value);

/* Exactly `digits` lower-case hexadecimal digits, most significant first. */
void buffer_append_hex(struct buffer *buffer, uint64_t value, unsigned digits);

/* Cold paths only. */
void buffer_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
