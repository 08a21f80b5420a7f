/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: a bounded table of short texts (scam types, sources) with ids that never change.
 *
 * Reading is lock-free from any thread; interning takes a mutex only for a text not seen before.
 * Names are never removed: a process meets few, and ids are stored in ten million entries.
 */
#ifndef RINGFENCE_REPUTATION_NAMES_H
#define RINGFENCE_REPUTATION_NAMES_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum {
    REP_NAME_MAXIMUM = 47,  /* bytes; longer texts are cut */
    REP_TYPE_LIMIT = 255,   /* ids of scam types: 1..254, and 255 for what exceeds them */
    REP_SOURCE_LIMIT = 127, /* ids of sources: 1..126, and 127 for what exceeds them */
};

struct rep_names;

/* limit: the highest id, which stands for every text that no longer fits ("other"). At most 255. */
int rep_names_create(unsigned limit, struct rep_names **names) MUST_CHECK;

/* 0 for an empty text. Any thread. */
uint8_t rep_names_intern(struct rep_names *names, struct slice text);

/* "" for 0 and for ids not given out. Valid as long as the table. Any thread. */
const char *rep_names_text(const struct rep_names *names, uint8_t id);

/* How many distinct names are held, and how many intern calls found no room. */
unsigned rep_names_count(const struct rep_names *names);
uint64_t rep_names_refused(const struct rep_names *names);

/* NULL is allowed. */
void rep_names_destroy(struct rep_names *names);

#endif
