/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks: which bytes of a block are of a kind, as a word with one bit a byte, the first byte
 * lowest.
 *
 * Blocks are read whole and may start anywhere. The variants give the same words: SSE2, which every
 * x86-64 has, and plain C, eight bytes in a register.
 */
#ifndef RINGFENCE_MESSAGE_MARKS_INT_H
#define RINGFENCE_MESSAGE_MARKS_INT_H

#include "marks_portable_int.h"

#if defined __SSE2__ && !defined SMSG_PORTABLE
#include "marks_sse2_int.h"

#define MARKS_VARIANT(name) name##_sse2
#else
#define MARKS_VARIANT(name) name##_portable
#endif

/* ---- what the readers use ---- */

/* CR, LF and the control bytes below. */
static inline uint64_t marks_stops(const char *block)
{
    return MARKS_VARIANT(marks_stops)(block);
}

static inline uint32_t marks_colons(const char *block)
{
    return MARKS_VARIANT(marks_colons)(block);
}

/* Bytes that are no letter, digit, '-', '.' or '_'. */
static inline unsigned marks_beyond_word(const char *block)
{
    return MARKS_VARIANT(marks_beyond_word)(block);
}

/* Bytes that are no visible ASCII. */
static inline unsigned marks_invisible(const char *block)
{
    return MARKS_VARIANT(marks_invisible)(block);
}

/* Bytes that may not stand in a URI between < and >. */
static inline unsigned marks_beyond_uri(const char *block)
{
    return MARKS_VARIANT(marks_beyond_uri)(block);
}

static inline unsigned marks_either(const char *block, char a, char b)
{
    return MARKS_VARIANT(marks_either)(block, a, b);
}

#endif
