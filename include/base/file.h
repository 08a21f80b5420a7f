/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: whole files in and out, for configuration, lists and keys. Never on a call path.
 */
#ifndef RINGFENCE_BASE_FILE_H
#define RINGFENCE_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/slice.h"

/* Reads the file into malloc()ed memory with a NUL behind it. -EFBIG beyond limit, else -errno. */
int file_read(const char *path, size_t limit, char **text, size_t *length) MUST_CHECK;

/* Writes to a temporary name beside it, fsyncs, renames: readers see the old or the new file. */
int file_write_atomic(const char *path, struct slice bytes, mode_t mode) MUST_CHECK;

/* Resolves `name` against the folder of `beside` unless absolute; -ENAMETOOLONG when cut. */
int file_beside(const char *beside, const char *name, char *path, size_t capacity) MUST_CHECK;

#endif
