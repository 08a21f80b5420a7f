/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen: the same message on two interfaces, and on both sides of a proxy, counts once.
 *
 * What stays the same from hop to hop names a message: its method or status, Call-ID, CSeq, tags,
 * RSeq and the Via of the first sender. One with the same name and the same topmost Via within the
 * window is a duplicate; later it is a retransmission, which counts. One with the same name and
 * another topmost Via is the same message on another hop, retransmitted or not.
 *
 * A table of fixed size: where it is full the oldest of a few is overwritten, so under a flood
 * messages count twice rather than memory growing. The clock is the packets' own.
 */
#ifndef RINGFENCE_TAP_SEEN_H
#define RINGFENCE_TAP_SEEN_H

#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "message/scan.h"

struct tap_seen;

struct tap_seen_settings {
    uint32_t messages; /* that are remembered */
    /* Two interfaces see a packet at about the same time; RFC 3261 repeats after 500 ms at the
     * earliest (T1). */
    uint64_t duplicate_us;
    uint64_t other_leg_us; /* Timer B and F: as long as a transaction may last */
    struct hash_key key;
};

enum tap_copy { TAP_COPY_FIRST, TAP_COPY_DUPLICATE, TAP_COPY_OTHER_LEG };

int tap_seen_create(const struct tap_seen_settings *settings, struct tap_seen **seen) MUST_CHECK;

/* What scans badly is named by all of its bytes. */
enum tap_copy tap_seen_note(struct tap_seen *seen, const struct smsg *message, uint64_t wall_us);

/* NULL is allowed. */
void tap_seen_destroy(struct tap_seen *seen);

#endif
