/* SPDX-License-Identifier: Apache-2.0 */
/*
 * throttle: what one target has asked for by overload control (RFC 7339, RFC 7415), and which calls
 * may still go to it.
 *
 * A target answers whichever worker has asked it, and means all of us: so what it says stands in
 * one place for all workers, a few words that are read and written as a whole. What is in force is
 * one word, replaced by compare-and-swap, so that one of them reports a change. The bucket of a
 * rate is shared too, as the target counts what it gets, not from whom: workers with a share each
 * would leave unused what one of them does not need. It is touched only while a rate is in force.
 * All are relaxed: a worker that sees a value a moment late sends one more call.
 */
#ifndef RINGFENCE_PROXY_THROTTLE_H
#define RINGFENCE_PROXY_THROTTLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "message/overload.h"

/* All zero: nothing was ever asked for. What each call reads, and what each response writes. */
struct proxy_throttle {
    _Alignas(64) _Atomic uint64_t word; /* what is in force; 0: nothing */
    _Atomic uint64_t begun_us;
    _Atomic uint64_t due_ns; /* of a rate: when the bucket is empty */
    _Alignas(64) _Atomic uint64_t sequence;
    _Atomic uint64_t heard_us; /* when that sequence was, roughly */
};

/* What became of a value that a response carried. */
enum proxy_throttle_news {
    PROXY_THROTTLE_SAME, /* nothing new, or of a response that came before (section 5.4) */
    PROXY_THROTTLE_BEGUN,
    PROXY_THROTTLE_CHANGED,
    PROXY_THROTTLE_ENDED,
    PROXY_THROTTLE_STALE,  /* older than what is known (section 4.4) */
    PROXY_THROTTLE_REFUSED /* an algorithm that we did not offer, or a value beyond its range */
};

struct proxy_throttle_view {
    enum smsg_overload_algorithm algorithm; /* NONE: nothing is in force, the rest says nothing */
    uint32_t value;                         /* loss: per cent; rate: requests per second */
    uint64_t begun_us;
    uint64_t until_us;
};

/* A response carried this, which said->told or ends it. No longer than validity_max_us counts. */
enum proxy_throttle_news proxy_throttle_hear(struct proxy_throttle *throttle,
                                             const struct smsg_overload *said,
                                             uint64_t validity_max_us, uint64_t now_us);

/* Its time was over: true for the first who notices. */
bool proxy_throttle_expire(struct proxy_throttle *throttle, uint64_t now_us);

/*
 * Whether a request that can be refused may go there now. lot: its own, of 16 bits, by which a loss
 * takes its share. A rate is a leaky bucket (RFC 7415 section 3.5.1), and only looked into here.
 */
bool proxy_throttle_admits(const struct proxy_throttle *throttle, uint32_t lot, uint64_t now_us);

/* Any request was sent there: those that must not be refused take their place in the bucket, too,
 * so that the others have what is left (RFC 7415 section 3.5.2). */
void proxy_throttle_spend(struct proxy_throttle *throttle, uint64_t now_us);

/* Whether it is worth asking: nothing was in force that nobody has noticed the end of. */
static inline bool proxy_throttle_is_set(const struct proxy_throttle *throttle)
{
    return atomic_load_explicit(&throttle->word, memory_order_relaxed) != 0;
}

struct proxy_throttle_view proxy_throttle_view(const struct proxy_throttle *throttle,
                                               uint64_t now_us);
/* Forgets everything. */
void proxy_throttle_clear(struct proxy_throttle *throttle);

#endif
