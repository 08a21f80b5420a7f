/* SPDX-License-Identifier: Apache-2.0 */
#define ZLIB_CONST
#include "base/unpack.h"

#include <errno.h>
#include <limits.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

/* XZ_MEMORY: more than the highest preset of xz needs, less than a hostile file could ask for. */
enum { FIRST_OUTPUT = 64 * 1024, XZ_MEMORY = 128 * 1024 * 1024, GZIP_WINDOW = 15 + 32 };

/* What has come out so far; it grows up to one byte more than the limit, which tells too much. */
struct output {
    char *data;
    size_t length;
    size_t capacity;
    size_t limit;
};

static int make_room(struct output *output)
{
    if (output->length > output->limit)
        return -EFBIG;
    if (output->length < output->capacity)
        return 0;
    size_t capacity = output->capacity > 0 ? output->capacity : FIRST_OUTPUT / 2;
    capacity = capacity <= output->limit / 2 ? capacity * 2 : output->limit + 1;
    char *data = realloc(output->data, capacity + 1);
    if (data == NULL)
        return -ENOMEM;
    output->data = data;
    output->capacity = capacity;
    return 0;
}

static uInt as_much(size_t count)
{
    return count < UINT_MAX ? (uInt)count : UINT_MAX;
}

static int gzip_step(z_stream *stream, struct slice *bytes, struct output *output)
{
    stream->next_in = (const Bytef *)bytes->data;
    stream->avail_in = as_much(bytes->length);
    stream->next_out = (Bytef *)output->data + output->length;
    stream->avail_out = as_much(output->capacity - output->length);
    int result = inflate(stream, Z_NO_FLUSH);
    *bytes = slice_between((const char *)stream->next_in, slice_past(*bytes));
    output->length = (size_t)((char *)stream->next_out - output->data);
    return result;
}

static int unpack_gzip(struct slice bytes, struct output *output)
{
    z_stream stream = {.next_in = NULL};
    if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
        return -ENOMEM;
    int error = 0;
    int result = Z_OK;
    while (error == 0 && (result != Z_STREAM_END || bytes.length > 0)) {
        if (result == Z_STREAM_END && inflateReset(&stream) != Z_OK)
            error = -EBADMSG;
        if (error == 0)
            error = make_room(output);
        if (error != 0)
            break;
        result = gzip_step(&stream, &bytes, output);
        if (result == Z_MEM_ERROR)
            error = -ENOMEM;
        else if ((result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) ||
                 (result != Z_STREAM_END && bytes.length == 0 && output->length < output->capacity))
            error = -EBADMSG;
    }
    inflateEnd(&stream);
    return error;
}

static int unpack_zstd(struct slice bytes, struct output *output)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (stream == NULL)
        return -ENOMEM;
    ZSTD_inBuffer in = {bytes.data, bytes.length, 0};
    size_t result = 1;
    int error = 0;
    while (error == 0 && (result != 0 || in.pos < in.size)) {
        error = make_room(output);
        if (error != 0)
            break;
        ZSTD_outBuffer out = {output->data, output->capacity, output->length};
        result = ZSTD_decompressStream(stream, &out, &in);
        output->length = out.pos;
        if (ZSTD_isError(result) ||
            (result != 0 && in.pos == in.size && output->length < output->capacity))
            error = -EBADMSG;
    }
    ZSTD_freeDStream(stream);
    return error;
}

static int unpack_xz(struct slice bytes, struct output *output)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&stream, XZ_MEMORY, LZMA_CONCATENATED) != LZMA_OK)
        return -ENOMEM;
    lzma_ret result = LZMA_OK;
    int error = 0;
    stream.next_in = (const uint8_t *)bytes.data;
    stream.avail_in = bytes.length;
    while (error == 0 && result != LZMA_STREAM_END) {
        error = make_room(output);
        if (error != 0)
            break;
        stream.next_out = (uint8_t *)output->data + output->length;
        stream.avail_out = output->capacity - output->length;
        result = lzma_code(&stream, LZMA_FINISH);
        output->length = output->capacity - stream.avail_out;
        if (result == LZMA_MEM_ERROR || result == LZMA_MEMLIMIT_ERROR)
            error = -ENOMEM;
        else if (result != LZMA_OK && result != LZMA_STREAM_END &&
                 !(result == LZMA_BUF_ERROR && stream.avail_out == 0))
            error = -EBADMSG;
    }
    lzma_end(&stream);
    return error;
}

static const struct format {
    const char *name;
    struct slice magic;
    int (*unpack)(struct slice bytes, struct output *output);
} formats[] = {
    {"gzip", SLICE_LITERAL("\x1f\x8b"), unpack_gzip},
    {"zstd", SLICE_LITERAL("\x28\xb5\x2f\xfd"), unpack_zstd},
    {"xz",
     SLICE_LITERAL("\xfd"
                   "7zXZ\x00"),
     unpack_xz},
};

static const struct format *format_of(struct slice bytes)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (slice_starts_with(bytes, formats[i].magic))
            return &formats[i];
    return NULL;
}

const char *unpack_format(struct slice bytes)
{
    const struct format *format = format_of(bytes);
    return format != NULL ? format->name : NULL;
}

int unpack_bytes(struct slice bytes, size_t limit, char **text, size_t *length)
{
    const struct format *format = format_of(bytes);
    struct output output = {.limit = limit < SIZE_MAX / 4 ? limit : SIZE_MAX / 4};
    if (format == NULL)
        return -EBADMSG;
    int error = make_room(&output);
    if (error == 0)
        error = format->unpack(bytes, &output);
    if (error == 0 && output.length > output.limit)
        error = -EFBIG;
    if (error != 0) {
        free(output.data);
        return error;
    }
    output.data[output.length] = '\0';
    *text = output.data;
    *length = output.length;
    return 0;
}
