/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_line: one event as one line of JSON (docs/events.md holds its members).
 */
#ifndef RINGFENCE_STATS_EVENT_LINE_H
#define RINGFENCE_STATS_EVENT_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/siphash.h"
#include "stats/event.h"
#include "stats/stream.h"

/* Pointers are borrowed. */
struct stats_event_format {
    const struct stats_source *source;
    /* NULL: numbers are shown. Else each is shown as a keyed hash: the same number always as the
     * same text, and nobody without the key can tell which number it is. */
    const struct hash_key *pseudonyms;
};

/* What an aggregate stands for instead of single events. */
struct stats_aggregate {
    uint64_t count;
    uint64_t from_us; /* wall time of the first and of the last */
    uint64_t until_us;
};

/* "~" and 32 hexadecimal digits. */
#define STATS_PSEUDONYM_TEXT 33
void stats_pseudonym_append(struct buffer *out, const struct hash_key *key, struct slice number);

/*
 * Appends the line with its LF. aggregate: NULL, or of STATS_EVENT_AGGREGATE, whose event is the
 * first of those it stands for; only what they have in common is shown.
 */
void stats_event_line(const struct stats_event_format *format, uint64_t seq,
                      const struct stats_event *event, const struct stats_aggregate *aggregate,
                      struct buffer *out);

#endif
