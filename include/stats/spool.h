/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool: event lines on disk, bounded, from which every sink is served at its own pace.
 *
 * One writer (the collector), one reader per sink, each on a thread of its own. Lines are appended
 * to segment files; a reader acknowledges what it has delivered, and its position is kept in a file
 * beside them. So a sink that was gone catches up, over a restart too, and every event is delivered
 * at least once as long as the spool is within its bound. Beyond it the oldest segment goes; a
 * reader that had not read it counts what it lost.
 *
 * What a crash costs: lines are handed to the kernel before anybody else sees them, so killing the
 * process loses none. Every record has a checksum; a record that was torn by a power failure is cut
 * off at the next start, one that was damaged later is passed over and counted. A position is
 * written after the delivery, so what lies between is delivered again and never left out.
 */
#ifndef RINGFENCE_STATS_SPOOL_H
#define RINGFENCE_STATS_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum { STATS_SPOOL_READERS = 16 };

struct stats_spool;

/*
 * The folder is made when it does not exist; NULL: nothing goes to disk, and what a few MiB of
 * memory do not hold is lost. -errno; -EWOULDBLOCK when another process has the folder open.
 * bytes: the bound of all segments together.
 */
int stats_spool_open(const char *folder, uint64_t bytes, struct stats_spool **spool) MUST_CHECK;

/* The number that the next line gets: one more than the last one that is on disk, 1 at first. */
uint64_t stats_spool_next(const struct stats_spool *spool);

/* ---- the writer ---------------------------------------------------------------------------- */

/* Takes a line into memory. Where the disk takes nothing for long the oldest lines in memory go. */
void stats_spool_append(struct stats_spool *spool, uint64_t seq, struct slice line);
/* Hands what was taken to the kernel, and wakes readers. A disk that refuses is logged, tried again
 * at the next flush, and readers are served from memory meanwhile. */
void stats_spool_flush(struct stats_spool *spool);

/* ---- readers ------------------------------------------------------------------------------- */

struct stats_spool_reader;

struct stats_spool_record {
    uint64_t seq;
    struct slice line; /* with its LF */
};

/* name: of the position's file, letters, digits, '-' and '_'. A new reader begins with what comes
 * next. ERROR_LIMIT beyond STATS_SPOOL_READERS. */
int stats_spool_reader_open(struct stats_spool *spool, const char *name,
                            struct stats_spool_reader **reader) MUST_CHECK;

/*
 * The records after those of the read before, at most `count`, in order; valid until the next read.
 * Waits for at most wait_us when there are none; returns how many.
 */
size_t stats_spool_read(struct stats_spool_reader *reader, struct stats_spool_record *records,
                        size_t count, uint64_t wait_us);

/* Everything up to this number has been delivered. Written to disk at most once a second. */
void stats_spool_acknowledge(struct stats_spool_reader *reader, uint64_t seq);

/* Since it was opened: lines that were gone before it could read them. */
uint64_t stats_spool_lost(const struct stats_spool_reader *reader);
/* Lines that are not acknowledged. */
uint64_t stats_spool_waiting(const struct stats_spool_reader *reader);

/* Any thread: a read that waits returns, and so does each later one, at once. */
void stats_spool_interrupt(struct stats_spool *spool);

/* Writes the position. NULL is allowed. */
void stats_spool_reader_close(struct stats_spool_reader *reader);

/* Readers are closed before. NULL is allowed. */
void stats_spool_close(struct stats_spool *spool);

#endif
