/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory: entries out of a CSV file, on the writer's thread.
 */
#ifndef RINGFENCE_REPUTATION_MEMORY_INT_H
#define RINGFENCE_REPUTATION_MEMORY_INT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "ledger_int.h"
#include "reputation/names.h"
#include "reputation/replica.h"
#include "reputation/row.h"

/* Where a file's entries go. */
struct rep_memory {
    struct rep_replica *replica;
    struct rep_ledger *ledger; /* of that replica */
    const struct rep_authority *authority;
    struct rep_names *types, *sources;
};

/* The replica holds exactly the file's entries afterwards; on a failure it is unchanged and message
 * says where. Several lines for one key are the statements of several sources; of two lines of one
 * source the later counts, except that allow beats the other lists. */
int rep_memory_load(const struct rep_memory *memory, const char *path, uint64_t now_wall_s,
                    char *message, size_t capacity) MUST_CHECK;

/* A row's key and statement. -EBADMSG for a number that is none, -ERANGE for other values. */
int rep_row_statement(const struct rep_row *row, struct rep_names *types, struct rep_names *sources,
                      struct rep_key *key, struct rep_statement *statement) MUST_CHECK;

#endif
