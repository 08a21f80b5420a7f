/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal: changes that a comparison found, kept until it is known whether they may be made.
 */
#ifndef RINGFENCE_REPUTATION_JOURNAL_INT_H
#define RINGFENCE_REPUTATION_JOURNAL_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "reputation/replica.h"
#include "reputation/statement.h"

struct rep_journal;

int rep_journal_create(struct rep_journal **journal) MUST_CHECK;

/* value == NULL: the key is to be removed. */
int rep_journal_append(struct rep_journal *journal, const struct rep_key *key,
                       const struct rep_value *value) MUST_CHECK;

/* The oldest record, taken out; false when there is none. A raw key's text is valid until the next
 * call of anything here. */
bool rep_journal_take(struct rep_journal *journal, struct rep_key *key, struct rep_value *value,
                      bool *remove);

uint64_t rep_journal_count(const struct rep_journal *journal);
void rep_journal_clear(struct rep_journal *journal);
void rep_journal_destroy(struct rep_journal *journal);

#endif
