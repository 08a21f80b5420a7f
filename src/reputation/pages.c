/* SPDX-License-Identifier: Apache-2.0 */
#include "pages_int.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

/* Huge pages spare the TLB miss that would otherwise cost as much as the cache miss. */
static const size_t huge_page_bytes = 2u << 20;

int rep_pages_open(struct rep_pages *pages, uint32_t limit)
{
    size_t bytes = (size_t)limit * REP_PAGE_BYTES + huge_page_bytes;
    void *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return -errno;
    uintptr_t first = ((uintptr_t)mapping + huge_page_bytes - 1) & ~(huge_page_bytes - 1);
    *pages = (struct rep_pages){
        .base = (rep_word *)first,
        .mapping = mapping,
        .mapping_bytes = bytes,
        .limit = limit,
    };
    /* Advice only: a kernel without huge pages serves small ones. */
    (void)madvise(pages->base, (size_t)limit * REP_PAGE_BYTES, MADV_HUGEPAGE);
    return 0;
}

void rep_pages_close(struct rep_pages *pages)
{
    if (pages->mapping != NULL)
        munmap(pages->mapping, pages->mapping_bytes);
    *pages = (struct rep_pages){0};
}

int rep_pages_take(struct rep_pages *pages, uint32_t *number)
{
    if (pages->free_head != 0) {
        uint32_t taken = pages->free_head - 1;
        rep_word *words = rep_pages_at(pages, taken);
        pages->free_head = atomic_load_explicit(&words[0], memory_order_relaxed);
        /* Release: a reader that still sees this page under its old owner and loads one of these
         * zeros also sees that the owner's directory has changed. */
        for (unsigned i = 0; i < REP_PAGE_WORDS; i++)
            atomic_store_explicit(&words[i], 0, memory_order_release);
        *number = taken;
    } else if (pages->next < pages->limit) {
        *number = pages->next++;
        atomic_store_explicit(&pages->touched, pages->next, memory_order_relaxed);
    } else {
        return ERROR_LIMIT;
    }
    atomic_fetch_add_explicit(&pages->used, 1, memory_order_relaxed);
    return 0;
}

void rep_pages_give(struct rep_pages *pages, uint32_t number)
{
    assert(number < pages->next);
    atomic_store_explicit(rep_pages_at(pages, number), pages->free_head, memory_order_release);
    pages->free_head = number + 1;
    atomic_fetch_sub_explicit(&pages->used, 1, memory_order_relaxed);
}
