/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replica: the reputation of every known number, in this process.
 *
 * One writer thread; any number of lock-free readers, which need no registration, never wait for a
 * writer that was interrupted, and see each entry whole: as it was before a change or after it.
 * About 15 bytes a number at ten million; grows and shrinks by 4 KiB pages of one of 4096
 * partitions at a time, so no operation takes longer than copying one partition (some 50 us).
 *
 * Authority: a number beats a prefix, the longest prefix that is not expired wins. A prefix of
 * fewer digits than min_block_prefix cannot block: its list `block` acts as `watch` and its score
 * counts as at most REP_SHORT_PREFIX_SCORE. Expiry is enforced by the reader.
 */
#ifndef RINGFENCE_REPUTATION_REPLICA_H
#define RINGFENCE_REPUTATION_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "reputation/entry.h"

struct rep_replica;

struct rep_replica_options {
    uint64_t capacity;         /* numbers to have room for; address space only. 0: 16 million */
    unsigned min_block_prefix; /* digits; 0: the default of 7 */
    uint64_t seed[2];          /* secret; places keys */
};

enum rep_kind { REP_KIND_NUMBER, REP_KIND_PREFIX, REP_KIND_RAW, REP_KIND_COUNT };

/* What an entry is filed under: packed for numbers and prefixes, text for raw. */
struct rep_key {
    enum rep_kind kind;
    uint64_t packed;
    struct slice text;
};

int rep_replica_create(const struct rep_replica_options *options,
                       struct rep_replica **replica) MUST_CHECK;

/* No reader may be left. NULL is allowed. */
void rep_replica_destroy(struct rep_replica *replica);

/* ---- readers, any thread ---- */

/*
 * A number by its packed key (rep_pack_digits): the number itself, else its longest prefix. False
 * when nothing is known; *finding is always filled.
 */
bool rep_replica_find(const struct rep_replica *replica, uint64_t packed, uint64_t now_wall_s,
                      struct rep_finding *finding);

/* Starts loading what rep_replica_find() will touch: call it for a whole batch, then find. */
void rep_replica_prefetch(const struct rep_replica *replica, uint64_t packed);

/* As many finds with their memory accesses overlapped: some 55 ns each where a single one takes 150
 * (ten million numbers, batches of 16). */
void rep_replica_find_batch(const struct rep_replica *replica, const uint64_t *packed, size_t count,
                            uint64_t now_wall_s, struct rep_finding *findings);

/* A text that is no number, byte for byte. Identified by a 51-bit keyed hash. */
bool rep_replica_find_raw(const struct rep_replica *replica, struct slice text, uint64_t now_wall_s,
                          struct rep_finding *finding);

/* What exactly this key holds, without prefixes and without any reduction. */
bool rep_replica_get(const struct rep_replica *replica, const struct rep_key *key,
                     uint64_t now_wall_s, struct rep_entry *entry);

/* ---- figures, any thread; a snapshot ---- */

struct rep_replica_figures {
    uint64_t entries[REP_KIND_COUNT];
    uint64_t bytes;          /* resident in pages and directories */
    uint64_t short_prefixes; /* prefixes present that ask to block and are too short for it */
    uint64_t expired;        /* entries removed because their time was over */
    uint64_t rebuilds;       /* partitions that grew or shrank */
};

void rep_replica_figures(const struct rep_replica *replica, struct rep_replica_figures *figures);

/* ---- the writer's thread only ---- */

/* ERROR_LIMIT when the capacity is used up, -EINVAL for a key that is out of range. *changed (may
 * be NULL) tells whether anything but the generation differs now. */
int rep_replica_set(struct rep_replica *replica, const struct rep_key *key,
                    const struct rep_entry *entry, bool *changed) MUST_CHECK;

/* Another value of an entry that is there, which stays as seen or unseen by the resync under way as
 * it was. ERROR_NOT_FOUND, ERROR_LIMIT. */
int rep_replica_renew(struct rep_replica *replica, const struct rep_key *key,
                      const struct rep_entry *entry) MUST_CHECK;

/* False when it was not there. */
bool rep_replica_remove(struct rep_replica *replica, const struct rep_key *key);

/*
 * Full resync: rep_replica_begin() starts a new generation; whatever is set or touched from then
 * on belongs to it. rep_replica_stale() counts what does not, and rep_replica_drop_stale() removes
 * that, a bounded number of partitions a call: true while there is more to do.
 */
void rep_replica_begin(struct rep_replica *replica);
/* Marks an entry as seen; false when the key does not hold exactly this entry. The expiry may
 * differ by tolerance_s: it is derived from a remaining time and rounds differently each time. */
bool rep_replica_touch(struct rep_replica *replica, const struct rep_key *key,
                       const struct rep_entry *entry, uint64_t tolerance_s);
uint64_t rep_replica_stale(const struct rep_replica *replica);
bool rep_replica_drop_stale(struct rep_replica *replica, unsigned partitions);
/* As that, but only of what expires by then: it is over, not withdrawn. */
bool rep_replica_drop_stale_expiring(struct rep_replica *replica, unsigned partitions,
                                     uint64_t until_wall_s);
/* Brings what an abandoned resync left stale to the current generation, in steps like these;
 * rep_replica_begin() does what is left of that at once (0.1 s at ten million entries). */
bool rep_replica_settle(struct rep_replica *replica, unsigned partitions);
/* The next of these three begins at the first partition again. */
void rep_replica_restart(struct rep_replica *replica);

/* Removes expired entries of the next so many partitions, round robin; returns how many. */
uint64_t rep_replica_sweep(struct rep_replica *replica, uint64_t now_wall_s, unsigned partitions);

/*
 * Every entry once, partition by partition: *cursor starts at 0 and is 0 again after the last
 * partition. Entries set meanwhile may be missed. The text of a raw key is valid in the call.
 */
typedef void rep_replica_visit_fn(void *argument, const struct rep_key *key,
                                  const struct rep_entry *entry);
void rep_replica_each(const struct rep_replica *replica, uint64_t *cursor, unsigned partitions,
                      rep_replica_visit_fn *visit, void *argument);

#endif
