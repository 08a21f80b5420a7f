/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory: entries out of a CSV file, on the writer's thread.
 */
#ifndef RINGFENCE_REPUTATION_MEMORY_INT_H
#define RINGFENCE_REPUTATION_MEMORY_INT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "reputation/names.h"
#include "reputation/replica.h"
#include "reputation/row.h"

/* The replica holds exactly the file's entries afterwards; on a failure it is unchanged and message
 * says where. Of two lines for one key the later counts, except that allow beats the other lists.
 */
int rep_memory_load(const char *path, struct rep_replica *replica, struct rep_names *types,
                    struct rep_names *sources, uint64_t now_wall_s, char *message,
                    size_t capacity) MUST_CHECK;

/* A row's key and entry. -EBADMSG for a number that is none, -ERANGE for other values. */
int rep_row_entry(const struct rep_row *row, struct rep_names *types, struct rep_names *sources,
                  struct rep_key *key, struct rep_entry *entry) MUST_CHECK;

#endif
