/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mapping.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "poison_int.h"

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) & ~(unit - 1);
}

/* What was mapped beyond the range so that its start could be aligned. */
static void unmap_margin(uintptr_t from, uintptr_t to)
{
    if (from < to)
        munmap((void *)from, to - from);
}

int mapping_reserve(size_t bytes, struct mapping *mapping)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert(bytes > 0);
    if (bytes > SIZE_MAX / 4)
        return -ENOMEM;
    size_t reserved = round_up(bytes, page);
    size_t margin = reserved >= MAPPING_HUGE_BYTES ? MAPPING_HUGE_BYTES - page : 0;
    /* Without access, so that it counts towards no limit on memory yet. */
    void *memory = mmap(NULL, reserved + margin, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;

    uintptr_t first = (uintptr_t)memory;
    uintptr_t start = margin > 0 ? round_up(first, MAPPING_HUGE_BYTES) : first;
    unmap_margin(first, start);
    unmap_margin(start + reserved, first + reserved + margin);
    *mapping = (struct mapping){(unsigned char *)start, reserved, 0};
    return 0;
}

int mapping_extend(struct mapping *mapping, size_t bytes)
{
    assert(bytes <= mapping->reserved);
    if (bytes <= mapping->usable)
        return 0;
    size_t usable = round_up(bytes, MAPPING_HUGE_BYTES);
    if (usable > mapping->reserved)
        usable = mapping->reserved;
    if (mprotect(mapping->start + mapping->usable, usable - mapping->usable,
                 PROT_READ | PROT_WRITE) != 0)
        return -ENOMEM;
    /* The whole range once, as soon as it is large. Advice only: a kernel without huge pages serves
     * small ones. What was touched before, the kernel joins to a huge page when it finds time. */
    if (mapping->usable <= MAPPING_HUGE_BYTES && bytes >= MAPPING_HUGE_BYTES)
        (void)madvise(mapping->start, mapping->reserved, MADV_HUGEPAGE);
    mapping->usable = usable;
    return 0;
}

int mapping_create(size_t bytes, struct mapping *mapping)
{
    struct mapping made;
    int error = mapping_reserve(bytes, &made);
    if (error != 0)
        return error;
    error = mapping_extend(&made, made.reserved);
    if (error != 0)
        mapping_destroy(&made);
    else
        *mapping = made;
    return error;
}

void mapping_discard(const struct mapping *mapping, size_t offset, size_t bytes)
{
    assert(offset <= mapping->usable && bytes <= mapping->usable - offset);
    /* Of our own anonymous pages it cannot fail. */
    (void)madvise(mapping->start + offset, bytes, MADV_DONTNEED);
}

void mapping_destroy(struct mapping *mapping)
{
    if (mapping->start == NULL)
        return;
    /* Whoever gets these addresses next must find them clean. */
    unpoison(mapping->start, mapping->usable);
    munmap(mapping->start, mapping->reserved);
    *mapping = (struct mapping){NULL, 0, 0};
}
