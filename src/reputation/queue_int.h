/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: names of keys that changed and are to be read again, first come first served, each once.
 */
#ifndef RINGFENCE_REPUTATION_QUEUE_INT_H
#define RINGFENCE_REPUTATION_QUEUE_INT_H

#include <stddef.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/slice.h"

struct rep_queue;

int rep_queue_create(size_t limit, const struct hash_key *seed,
                     struct rep_queue **queue) MUST_CHECK;

/* 0 also when the name is waiting already; ERROR_LIMIT, -ENOMEM. */
int rep_queue_push(struct rep_queue *queue, struct slice text) MUST_CHECK;

/* The oldest name, absent when there is none; valid until rep_queue_drop(). */
struct slice rep_queue_first(const struct rep_queue *queue);
void rep_queue_drop(struct rep_queue *queue);

size_t rep_queue_count(const struct rep_queue *queue);
void rep_queue_clear(struct rep_queue *queue);
void rep_queue_destroy(struct rep_queue *queue);

#endif
