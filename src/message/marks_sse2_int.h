/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks_sse2: the marks of marks_int.h by SSE2, which every x86-64 has.
 */
#ifndef RINGFENCE_MESSAGE_MARKS_SSE2_INT_H
#define RINGFENCE_MESSAGE_MARKS_SSE2_INT_H

#include <emmintrin.h>
#include <stdint.h>

static inline __m128i marks_load(const char *block)
{
    return _mm_loadu_si128((const __m128i *)(const void *)block);
}

static inline unsigned marks_bits(__m128i matches)
{
    return (unsigned)_mm_movemask_epi8(matches);
}

/* low <= byte <= high, without regard to signs. */
static inline __m128i marks_range(__m128i bytes, char low, char high)
{
    __m128i above = _mm_sub_epi8(bytes, _mm_set1_epi8(low));

    return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8((char)(high - low))), above);
}

static inline uint64_t marks_stops_16(const char *block)
{
    __m128i bytes = marks_load(block);

    return marks_bits(_mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8('\r')), bytes));
}

static inline uint64_t marks_stops_sse2(const char *block)
{
    return marks_stops_16(block) | marks_stops_16(block + 16) << 16 |
           marks_stops_16(block + 32) << 32 | marks_stops_16(block + 48) << 48;
}

static inline uint32_t marks_colons_sse2(const char *block)
{
    const __m128i colon = _mm_set1_epi8(':');

    return marks_bits(_mm_cmpeq_epi8(marks_load(block), colon)) |
           marks_bits(_mm_cmpeq_epi8(marks_load(block + 16), colon)) << 16;
}

static inline unsigned marks_beyond_word_sse2(const char *block)
{
    __m128i bytes = marks_load(block);
    __m128i letters = marks_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
    __m128i digits = marks_range(bytes, '0', '9');
    __m128i others =
        _mm_or_si128(marks_range(bytes, '-', '.'), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));

    return marks_bits(_mm_or_si128(_mm_or_si128(letters, digits), others)) ^ 0xffffu;
}

static inline unsigned marks_invisible_sse2(const char *block)
{
    return marks_bits(marks_range(marks_load(block), '!', '~')) ^ 0xffffu;
}

static inline unsigned marks_beyond_uri_sse2(const char *block)
{
    __m128i bytes = marks_load(block);
    /* '<' and '>' differ in one bit. */
    __m128i brackets =
        _mm_cmpeq_epi8(_mm_or_si128(bytes, _mm_set1_epi8('<' ^ '>')), _mm_set1_epi8('>'));
    __m128i quotes = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                  _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    __m128i good = _mm_andnot_si128(_mm_or_si128(brackets, quotes), marks_range(bytes, '!', '~'));

    return marks_bits(good) ^ 0xffffu;
}

static inline unsigned marks_either_sse2(const char *block, char a, char b)
{
    __m128i bytes = marks_load(block);

    return marks_bits(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(a)),
                                   _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b))));
}

#endif
