/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger: the statements behind those entries that change by themselves.
 *
 * The replica holds what counts now, in 12 bytes a number. Where several statements end at
 * different times, or a score fades, that is not enough to know what counts next: only for such
 * keys the statements are kept here, beside it, ordered by when the entry is to be made anew. An
 * ordinary entry (one statement that merely expires, or several that never do) is not in here and
 * costs nothing more; one that is takes some 100 bytes with two statements, 12 for each further.
 *
 * The writer's own. An entry that left the replica in another way (swept, stale) is forgotten when
 * it is due.
 */
#ifndef RINGFENCE_REPUTATION_LEDGER_INT_H
#define RINGFENCE_REPUTATION_LEDGER_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "reputation/replica.h"
#include "reputation/statement.h"

struct rep_ledger;

/* Both must outlive it. */
int rep_ledger_create(struct rep_replica *replica, const struct rep_authority *authority,
                      uint64_t seed, struct rep_ledger **ledger) MUST_CHECK;
/* NULL is allowed. */
void rep_ledger_destroy(struct rep_ledger *ledger);

/* As rep_replica_set(), _remove() and _touch(), of the ledger and its replica. */
int rep_ledger_set(struct rep_ledger *ledger, const struct rep_key *key,
                   const struct rep_value *value, bool *changed) MUST_CHECK;
bool rep_ledger_remove(struct rep_ledger *ledger, const struct rep_key *key);
bool rep_ledger_touch(struct rep_ledger *ledger, const struct rep_key *key,
                      const struct rep_value *value, uint64_t tolerance_s);

/* Whether these statements are known behind the entry, which may be late by a moment. */
bool rep_ledger_knows(const struct rep_ledger *ledger, const struct rep_key *key,
                      const struct rep_value *value, uint64_t tolerance_s);

/* Makes the entries anew that are due, at most `limit`; how many it was. */
unsigned rep_ledger_advance(struct rep_ledger *ledger, uint64_t now_wall_s, unsigned limit);

uint64_t rep_ledger_count(const struct rep_ledger *ledger);
uint64_t rep_ledger_bytes(const struct rep_ledger *ledger);

/* ---- for the saved file -------------------------------------------------------------------- */

/* A ledger that is NULL has none. */
typedef void rep_ledger_visit_fn(void *argument, const struct rep_key *key,
                                 const struct rep_statements *said);
void rep_ledger_each(const struct rep_ledger *ledger, rep_ledger_visit_fn *visit, void *argument);

/* Statements of an entry that the replica holds; due at once. */
int rep_ledger_restore(struct rep_ledger *ledger, const struct rep_key *key,
                       const struct rep_statements *said) MUST_CHECK;

#endif
