/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poison: tells AddressSanitizer about memory that our own allocators hold back.
 *
 * Without it a use after pool_put(), slab_free() or arena_reset() would go unseen. Nothing in
 * ordinary builds.
 */
#ifndef RINGFENCE_BASE_POISON_INT_H
#define RINGFENCE_BASE_POISON_INT_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON_ACTIVE 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POISON_ACTIVE 1
#endif

#ifdef POISON_ACTIVE
#include <sanitizer/asan_interface.h>

static inline void poison(void *memory, size_t length)
{
    ASAN_POISON_MEMORY_REGION(memory, length);
}

static inline void unpoison(void *memory, size_t length)
{
    ASAN_UNPOISON_MEMORY_REGION(memory, length);
}
#else
static inline void poison(void *memory, size_t length)
{
    (void)memory;
    (void)length;
}

static inline void unpoison(void *memory, size_t length)
{
    (void)memory;
    (void)length;
}
#endif

#endif
