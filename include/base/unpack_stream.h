/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack_stream: a file, packed or not, as a stream that is unpacked while it is read.
 *
 * For files that are larger than memory. gzip, xz and zstd are told by their first bytes, so names
 * do not matter, and a pipe will do.
 */
#ifndef RINGFENCE_BASE_UNPACK_STREAM_H
#define RINGFENCE_BASE_UNPACK_STREAM_H

#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

struct unpack_stream;

/*
 * path: "-" is standard input. *file is for reading and cannot be rewound; the stream goes with it
 * at fclose(). A damaged or cut packed file ends in a read error with errno EBADMSG. -errno.
 */
int unpack_stream_open(const char *path, struct unpack_stream **stream, FILE **file) MUST_CHECK;

/* "gzip", "xz", "zstd", or "" when it is not packed. */
const char *unpack_stream_format(const struct unpack_stream *stream);

/* Bytes of the file that have been read, and its size; 0 when it is not known. For progress. */
uint64_t unpack_stream_position(const struct unpack_stream *stream);
uint64_t unpack_stream_size(const struct unpack_stream *stream);

/* What a read failed by: -EBADMSG, -ENOMEM or -errno; 0 when none has. */
int unpack_stream_error(const struct unpack_stream *stream);

#endif
