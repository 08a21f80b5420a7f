/* SPDX-License-Identifier: Apache-2.0 */
/*
 * saver: writes the saved file on a thread of its own, so that the disk holds up nobody.
 *
 * All functions are the service thread's.
 */
#ifndef RINGFENCE_REPUTATION_SAVER_INT_H
#define RINGFENCE_REPUTATION_SAVER_INT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "runtime/thread.h"
#include "saved_int.h"

/* All zero: idle. */
struct rep_saver {
    struct rep_saving *saving;
    struct rt_thread *thread;
    atomic_bool finished;
    int code;
    uint64_t began_us;
};

/* Begins to write; not while it is busy. Takes the saving, whatever becomes of it. */
int rep_saver_begin(struct rep_saver *saver, struct rep_saving *saving) MUST_CHECK;

static inline bool rep_saver_is_busy(const struct rep_saver *saver)
{
    return saver->thread != NULL;
}

/* True once, when what was begun is over: its result and how long it took. */
bool rep_saver_poll(struct rep_saver *saver, int *code, uint64_t *took_us);

/* Gives up what is under way, and waits for that: a few milliseconds, or as long as the disk takes
 * to sync. True when it was finished all the same. */
bool rep_saver_cancel(struct rep_saver *saver);

#endif
