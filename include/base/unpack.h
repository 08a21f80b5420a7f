/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack: files as gzip, zstd and xz leave them, by their first bytes. Never on a call path.
 */
#ifndef RINGFENCE_BASE_UNPACK_H
#define RINGFENCE_BASE_UNPACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

/* "gzip", "zstd" or "xz"; NULL when the bytes begin like none of them. */
const char *unpack_format(struct slice bytes);

/*
 * Unpacks the whole into malloc()ed memory with a NUL behind it. Several packed files behind one
 * another are one text. -EBADMSG when they are damaged, cut or not packed, -EFBIG beyond the limit,
 * -ENOMEM.
 */
int unpack_bytes(struct slice bytes, size_t limit, char **text, size_t *length) MUST_CHECK;

#endif
