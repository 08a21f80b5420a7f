/* SPDX-License-Identifier: Apache-2.0 */
/*
 * saved: the replica as a file, so that a node that starts without Redis is not empty-handed.
 *
 * The file holds the tables as they lie in memory (saved_format_int.h). Loading reads their pages
 * to where they stay, on several processors, and verifies each block before anybody can look into
 * it: ten million numbers take some 0.1 s. They are read and not mapped: huge pages keep a lookup
 * free of TLB misses, and a file that is cut or altered later harms nobody.
 */
#ifndef RINGFENCE_REPUTATION_SAVED_INT_H
#define RINGFENCE_REPUTATION_SAVED_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "ledger_int.h"
#include "reputation/names.h"
#include "reputation/replica.h"

struct rep_saving; /* a file to be written */

/* On the writer's thread: keeps what only that may look at (the raw texts, the ledger). wall_s:
 * when the replica was last known to equal Redis. -ENOMEM, -ENAMETOOLONG. */
int rep_saving_create(const char *path, const struct rep_replica *replica,
                      const struct rep_ledger *ledger, const struct rep_names *types,
                      const struct rep_names *sources, uint64_t wall_s,
                      struct rep_saving **saving) MUST_CHECK;

/* On any thread, beside the writer: writes under a temporary name, syncs, renames. -errno; then
 * there is what was there before. -ECANCELED after rep_saving_cancel(), of any thread. */
int rep_saving_run(struct rep_saving *saving) MUST_CHECK;
void rep_saving_cancel(struct rep_saving *saving);
/* NULL is allowed. */
void rep_saving_destroy(struct rep_saving *saving);

struct rep_saved_limits {
    uint64_t now_wall_s;
    uint64_t age_s; /* a file that is older is refused; 0: no limit */
};

struct rep_saved_figures {
    uint64_t written_wall_s;
    uint64_t entries, expired; /* the expired ones were left out */
};

/* Loads a file into an empty replica without readers, and what changes by itself into its ledger,
 * where all of it is due at once (NULL: that is left out); the reason of a refusal is left in
 * message, and the replica is empty or holds some raw texts. -ENOENT when there is no file. */
int rep_saved_load(const char *path, const struct rep_saved_limits *limits,
                   struct rep_replica *replica, struct rep_ledger *ledger, struct rep_names *types,
                   struct rep_names *sources, struct rep_saved_figures *figures, char *message,
                   size_t capacity) MUST_CHECK;

#endif
