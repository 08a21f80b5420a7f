/* SPDX-License-Identifier: Apache-2.0 */
/*
 * saved: the replica as a file, so that a node that starts without Redis is not empty-handed.
 *
 * Written a few partitions at a time by the writer's thread under a temporary name, then synced and
 * renamed. Layout (little-endian, this machine's only): header, names of types and sources,
 * records, trailer; a digest chained over blocks of 64 KiB covers everything before it. A file that
 * was cut, altered, or written by another version is refused with the reason.
 */
#ifndef RINGFENCE_REPUTATION_SAVED_INT_H
#define RINGFENCE_REPUTATION_SAVED_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "reputation/names.h"
#include "reputation/replica.h"

struct rep_saved; /* a file being written */

/* -errno. */
int rep_saved_begin(const char *path, const struct rep_names *types,
                    const struct rep_names *sources, uint64_t wall_s,
                    struct rep_saved **saved) MUST_CHECK;

/* The next so many partitions; *more tells whether there are further ones. After the last one the
 * file stands under its name. On failure call rep_saved_abandon(). */
int rep_saved_write(struct rep_saved *saved, const struct rep_replica *replica, unsigned partitions,
                    bool *more) MUST_CHECK;

/* Removes what was not finished; frees. NULL is allowed. */
void rep_saved_abandon(struct rep_saved *saved);

/* Loads a file into an empty replica; the reason of a refusal is left in message. -ENOENT when
 * there is no file. Expired entries are left out. */
int rep_saved_load(const char *path, uint64_t now_wall_s, struct rep_replica *replica,
                   struct rep_names *types, struct rep_names *sources, uint64_t *written_wall_s,
                   char *message, size_t capacity) MUST_CHECK;

#endif
