/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_record: how a line lies in a segment.
 *
 *     magic (4)  length (4)  seq (8)  checksum (8)  line (length)
 *
 * Little-endian. The checksum is SipHash-1-3 under a fixed key over length, seq and line: against
 * accidents, not against somebody who may write the folder.
 */
#ifndef RINGFENCE_STATS_SPOOL_RECORD_INT_H
#define RINGFENCE_STATS_SPOOL_RECORD_INT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "stats/history.h"
#include "stats/spool.h"

enum { SPOOL_RECORD_HEADER = 24 };
#define SPOOL_RECORD_MAXIMUM (SPOOL_RECORD_HEADER + STATS_EVENT_LINE_MAXIMUM)

void stats_spool_record_append(struct buffer *out, uint64_t seq, struct slice line);

/*
 * The record at the start of `bytes`: 0 with *size; ERROR_INCOMPLETE when it may go on behind them;
 * ERROR_MALFORMED when it is none or damaged.
 */
int stats_spool_record_parse(struct slice bytes, struct stats_spool_record *record,
                             size_t *size) MUST_CHECK;

/* Where behind the first byte the next record may begin: its magic, or as much of it as stands at
 * the end; bytes.length when nowhere. */
size_t stats_spool_record_search(struct slice bytes);

#endif
