/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mapping: ranges of zeroed memory straight from the kernel, for what is large.
 *
 * A range is reserved whole and grows in place: addresses stay, and only what it has grown to
 * counts as memory. From 2 MB on it lies on huge pages where the kernel has them for those who ask
 * (transparent_hugepage=madvise or always): random access to a table of tens of megabytes then
 * costs no TLB miss beside the cache miss. What stays below 2 MB keeps small pages and takes no
 * more memory than is touched.
 *
 * The first touch of a huge page costs the zeroing of 2 MB, 100 to 200 us. Whoever must not stall
 * touches such memory in the order of addresses, so that these costs come one at a time.
 */
#ifndef RINGFENCE_BASE_MAPPING_H
#define RINGFENCE_BASE_MAPPING_H

#include <stddef.h>

#include "base/error.h"

#define MAPPING_HUGE_BYTES ((size_t)2 << 20)

/* All zero: none. A copy is as good as the original as long as only one of them is used. */
struct mapping {
    unsigned char *start; /* aligned to MAPPING_HUGE_BYTES when `reserved` reaches it */
    size_t reserved;      /* whole pages */
    size_t usable;        /* bytes from the start on that may be touched */
};

/* Addresses only; nothing is usable yet. -ENOMEM is the only failure. */
int mapping_reserve(size_t bytes, struct mapping *mapping) MUST_CHECK;

/* Makes at least the first `bytes` usable, at most all that is reserved, in steps of 2 MB: so a
 * call into the kernel is as rare as that. -ENOMEM: as before. */
int mapping_extend(struct mapping *mapping, size_t bytes) MUST_CHECK;

/* Both at once. */
int mapping_create(size_t bytes, struct mapping *mapping) MUST_CHECK;

/* Gives the memory of these pages back; they read as zero again. Whole pages, on huge ones
 * multiples of MAPPING_HUGE_BYTES. */
void mapping_discard(const struct mapping *mapping, size_t offset, size_t bytes);

/* Harmless when there is none. */
void mapping_destroy(struct mapping *mapping);

#endif
