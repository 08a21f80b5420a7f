/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages: 4 KiB pages out of one reserved address range, named by 32-bit numbers.
 *
 * The range is reserved at creation and never given back, so a reader that still holds the number
 * of a freed page reads some other page's words, never unmapped memory; versions tell it so.
 */
#ifndef RINGFENCE_REPUTATION_PAGES_INT_H
#define RINGFENCE_REPUTATION_PAGES_INT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { REP_PAGE_BYTES = 4096, REP_PAGE_WORDS = REP_PAGE_BYTES / 4 };

typedef _Atomic uint32_t rep_word;

struct rep_pages {
    rep_word *base;
    void *mapping;
    size_t mapping_bytes;
    uint32_t limit;
    uint32_t next;                  /* pages below were handed out at some time */
    uint32_t free_head;             /* 1 + number of the first free page, 0 for none */
    _Atomic uint32_t used, touched; /* for figures from other threads */
};

int rep_pages_open(struct rep_pages *pages, uint32_t limit) MUST_CHECK;
void rep_pages_close(struct rep_pages *pages);

/* The page's words are zero. ERROR_LIMIT when all are in use. */
int rep_pages_take(struct rep_pages *pages, uint32_t *number) MUST_CHECK;
void rep_pages_give(struct rep_pages *pages, uint32_t number);

static inline rep_word *rep_pages_at(const struct rep_pages *pages, uint32_t number)
{
    return pages->base + (size_t)number * REP_PAGE_WORDS;
}

#endif
