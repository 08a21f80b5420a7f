/* SPDX-License-Identifier: Apache-2.0 */
#define ZLIB_CONST
#include "base/unpack_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/unpack.h"

/* XZ_MEMORY as in base/unpack.c. */
enum {
    INPUT_BYTES = 256 * 1024,
    OUTPUT_BYTES = 1024 * 1024,
    XZ_MEMORY = 128 * 1024 * 1024,
    GZIP_WINDOW = 15 + 32,
    MAGIC_BYTES = 6,
};

struct codec;

struct unpack_stream {
    const struct codec *codec;
    int fd;
    int error;
    bool at_end;  /* of the file */
    bool between; /* packed files behind one another: none is begun */
    uint64_t size;
    uint64_t position;
    size_t input_at;
    size_t input_length;
    z_stream gzip;
    lzma_stream xz;
    ZSTD_DStream *zstd;
    char input[INPUT_BYTES];
};

/* What has been read and not been taken yet, and room for what comes out. */
struct step {
    const char *in;
    size_t in_length;
    char *out;
    size_t out_length;
    bool last; /* nothing follows */
};

/* A step takes from the front of `in` and writes to the front of `out`; 0 or an error. */
struct codec {
    const char *name;
    int (*begin)(struct unpack_stream *stream);
    int (*step)(struct unpack_stream *stream, struct step *step);
    void (*end)(struct unpack_stream *stream);
};

/* ---- not packed ---------------------------------------------------------------------------- */

static int plain_begin(struct unpack_stream *stream)
{
    stream->between = true;
    return 0;
}

static int plain_step(struct unpack_stream *stream, struct step *step)
{
    size_t length = step->in_length < step->out_length ? step->in_length : step->out_length;
    (void)stream;
    memcpy(step->out, step->in, length);
    step->in += length;
    step->out += length;
    return 0;
}

static void plain_end(struct unpack_stream *stream)
{
    (void)stream;
}

/* ---- gzip ---------------------------------------------------------------------------------- */

static int gzip_begin(struct unpack_stream *stream)
{
    return inflateInit2(&stream->gzip, GZIP_WINDOW) == Z_OK ? 0 : -ENOMEM;
}

static int gzip_step(struct unpack_stream *stream, struct step *step)
{
    z_stream *gzip = &stream->gzip;
    if (stream->between && step->in_length > 0 && inflateReset(gzip) != Z_OK)
        return -EBADMSG;
    gzip->next_in = (const Bytef *)step->in;
    gzip->avail_in = (uInt)step->in_length;
    gzip->next_out = (Bytef *)step->out;
    gzip->avail_out = (uInt)step->out_length;
    int result = inflate(gzip, Z_NO_FLUSH);
    step->in = (const char *)gzip->next_in;
    step->out = (char *)gzip->next_out;
    stream->between = result == Z_STREAM_END;
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR ? 0
           : result == Z_MEM_ERROR                                           ? -ENOMEM
                                                                             : -EBADMSG;
}

static void gzip_end(struct unpack_stream *stream)
{
    inflateEnd(&stream->gzip);
}

/* ---- xz ------------------------------------------------------------------------------------ */

static int xz_begin(struct unpack_stream *stream)
{
    stream->xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_decoder(&stream->xz, XZ_MEMORY, LZMA_CONCATENATED) == LZMA_OK ? 0 : -ENOMEM;
}

static int xz_step(struct unpack_stream *stream, struct step *step)
{
    lzma_stream *xz = &stream->xz;
    xz->next_in = (const uint8_t *)step->in;
    xz->avail_in = step->in_length;
    xz->next_out = (uint8_t *)step->out;
    xz->avail_out = step->out_length;
    lzma_ret result = lzma_code(xz, step->last ? LZMA_FINISH : LZMA_RUN);
    step->in = (const char *)xz->next_in;
    step->out = (char *)xz->next_out;
    stream->between = result == LZMA_STREAM_END;
    return result == LZMA_OK || result == LZMA_STREAM_END || result == LZMA_BUF_ERROR ? 0
           : result == LZMA_MEM_ERROR || result == LZMA_MEMLIMIT_ERROR                ? -ENOMEM
                                                                                      : -EBADMSG;
}

static void xz_end(struct unpack_stream *stream)
{
    lzma_end(&stream->xz);
}

/* ---- zstd ---------------------------------------------------------------------------------- */

static int zstd_begin(struct unpack_stream *stream)
{
    stream->zstd = ZSTD_createDStream();
    return stream->zstd != NULL ? 0 : -ENOMEM;
}

static int zstd_step(struct unpack_stream *stream, struct step *step)
{
    ZSTD_inBuffer in = {step->in, step->in_length, 0};
    ZSTD_outBuffer out = {step->out, step->out_length, 0};
    size_t result = ZSTD_decompressStream(stream->zstd, &out, &in);
    if (ZSTD_isError(result))
        return -EBADMSG;
    /* 0: a frame is complete; without new bytes it says how many the next one begins with. */
    if (in.pos > 0 || out.pos > 0)
        stream->between = result == 0;
    step->in += in.pos;
    step->out += out.pos;
    return 0;
}

static void zstd_end(struct unpack_stream *stream)
{
    ZSTD_freeDStream(stream->zstd);
}

/* The first one is what no magic tells. */
static const struct codec codecs[] = {
    {"", plain_begin, plain_step, plain_end},
    {"gzip", gzip_begin, gzip_step, gzip_end},
    {"xz", xz_begin, xz_step, xz_end},
    {"zstd", zstd_begin, zstd_step, zstd_end},
};

/* ---- reading ------------------------------------------------------------------------------- */

/* More of the file behind what has not been taken. */
static int fill(struct unpack_stream *stream)
{
    if (stream->input_at == stream->input_length) {
        stream->input_at = 0;
        stream->input_length = 0;
    }
    ssize_t got;
    do
        got = read(stream->fd, stream->input + stream->input_length,
                   sizeof(stream->input) - stream->input_length);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    stream->at_end = got == 0;
    stream->input_length += (size_t)got;
    stream->position += (size_t)got;
    return 0;
}

/* 0 with *length, which is 0 at the end only. */
static int unpack(struct unpack_stream *stream, char *out, size_t capacity, size_t *length)
{
    for (;;) {
        if (stream->input_at == stream->input_length && !stream->at_end) {
            int error = fill(stream);
            if (error != 0)
                return error;
        }
        struct step step = {
            .in = stream->input + stream->input_at,
            .in_length = stream->input_length - stream->input_at,
            .out = out,
            .out_length = capacity,
            .last = stream->at_end,
        };
        int error = stream->codec->step(stream, &step);
        stream->input_at = (size_t)(step.in - stream->input);
        *length = (size_t)(step.out - out);
        if (error != 0 || *length > 0)
            return error;
        if (stream->at_end && stream->input_at == stream->input_length)
            return stream->between ? 0 : -EBADMSG;
    }
}

static ssize_t read_cookie(void *cookie, char *out, size_t capacity)
{
    struct unpack_stream *stream = cookie;
    size_t length = 0;
    if (stream->error == 0 && capacity > 0)
        stream->error = unpack(stream, out, capacity, &length);
    /* What came before the damage is handed out first. */
    if (stream->error != 0 && length == 0) {
        errno = -stream->error;
        return -1;
    }
    return (ssize_t)length;
}

static int close_cookie(void *cookie)
{
    struct unpack_stream *stream = cookie;
    if (stream->codec != NULL)
        stream->codec->end(stream);
    if (stream->fd > STDIN_FILENO)
        close(stream->fd);
    free(stream);
    return 0;
}

static int open_file(const char *path, struct unpack_stream *stream)
{
    struct stat status;
    bool standard = path[0] == '-' && path[1] == '\0';
    stream->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (stream->fd < 0 || fstat(stream->fd, &status) != 0)
        return -errno;
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    stream->size = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    return 0;
}

static int begin_codec(struct unpack_stream *stream)
{
    int error = 0;
    while (error == 0 && stream->input_length < MAGIC_BYTES && !stream->at_end)
        error = fill(stream);
    if (error != 0)
        return error;
    const char *format = unpack_format(slice_make(stream->input, stream->input_length));
    const struct codec *codec = &codecs[0];
    for (size_t i = 1; format != NULL && i < sizeof(codecs) / sizeof(codecs[0]); i++)
        if (strcmp(codecs[i].name, format) == 0)
            codec = &codecs[i];
    error = codec->begin(stream);
    if (error == 0)
        stream->codec = codec;
    return error;
}

int unpack_stream_open(const char *path, struct unpack_stream **stream, FILE **file)
{
    static const cookie_io_functions_t functions = {.read = read_cookie, .close = close_cookie};
    struct unpack_stream *created = calloc(1, sizeof(*created));
    FILE *opened = NULL;
    if (created == NULL)
        return -ENOMEM;
    int error = open_file(path, created);
    if (error == 0)
        error = begin_codec(created);
    if (error == 0) {
        opened = fopencookie(created, "r", functions);
        error = opened != NULL ? 0 : -ENOMEM;
    }
    if (error != 0) {
        close_cookie(created);
        return error;
    }
    /* Readers take some bytes at a time; without a buffer it would be one call each. */
    (void)setvbuf(opened, NULL, _IOFBF, OUTPUT_BYTES);
    *stream = created;
    *file = opened;
    return 0;
}

const char *unpack_stream_format(const struct unpack_stream *stream)
{
    return stream->codec->name;
}

uint64_t unpack_stream_position(const struct unpack_stream *stream)
{
    return stream->position;
}

uint64_t unpack_stream_size(const struct unpack_stream *stream)
{
    return stream->size;
}

int unpack_stream_error(const struct unpack_stream *stream)
{
    return stream->error;
}
