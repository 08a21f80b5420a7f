/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks_portable: the marks of marks_int.h in plain C, eight bytes in a register.
 */
#ifndef RINGFENCE_MESSAGE_MARKS_PORTABLE_INT_H
#define RINGFENCE_MESSAGE_MARKS_PORTABLE_INT_H

#include <stdint.h>

enum {
    MARKS_LINES = 64, /* sizes of the blocks */
    MARKS_COLONS = 32,
    MARKS_SPAN = 16,
};

#define MARKS_EACH(byte) (0x0101010101010101u * (uint64_t)(byte))

/* The first byte lowest on every machine; compilers make one load of it. */
static inline uint64_t marks_word(const char *block)
{
    uint64_t word = 0;

    for (unsigned i = 0; i < 8; i++)
        word |= (uint64_t)(unsigned char)block[i] << (8 * i);
    return word;
}

/* 0x80 in each byte of the word that is below the limit, which is at most 0x80; else 0. */
static inline uint64_t marks_below(uint64_t word, unsigned limit)
{
    return ~((word & MARKS_EACH(0x7f)) + MARKS_EACH(0x80 - limit)) & ~word & MARKS_EACH(0x80);
}

static inline uint64_t marks_equal(uint64_t word, char byte)
{
    return marks_below(word ^ MARKS_EACH((unsigned char)byte), 1);
}

/* The eight top bits next to each other: the product carries the one of byte i to bit 56 + i. */
static inline uint64_t marks_gather(uint64_t top_bits)
{
    return ((top_bits >> 7) * 0x0102040810204080u) >> 56;
}

static inline uint64_t marks_stops_portable(const char *block)
{
    uint64_t marks = 0;

    for (unsigned i = 0; i < MARKS_LINES; i += 8)
        marks |= marks_gather(marks_below(marks_word(block + i), '\r' + 1)) << i;
    return marks;
}

static inline uint32_t marks_colons_portable(const char *block)
{
    uint64_t marks = 0;

    for (unsigned i = 0; i < MARKS_COLONS; i += 8)
        marks |= marks_gather(marks_equal(marks_word(block + i), ':')) << i;
    return (uint32_t)marks;
}

static inline uint64_t marks_in(uint64_t word, char low, char high)
{
    return marks_below(word, (unsigned)high + 1) & ~marks_below(word, (unsigned)low);
}

static inline unsigned marks_beyond_word_portable(const char *block)
{
    uint64_t marks = 0;

    for (unsigned i = 0; i < MARKS_SPAN; i += 8) {
        uint64_t word = marks_word(block + i);
        uint64_t good = marks_in(word | MARKS_EACH(0x20), 'a', 'z') | marks_in(word, '0', '9') |
                        marks_in(word, '-', '.') | marks_equal(word, '_');

        marks |= marks_gather(~good & MARKS_EACH(0x80)) << i;
    }
    return (unsigned)marks;
}

static inline unsigned marks_invisible_portable(const char *block)
{
    uint64_t marks = 0;

    for (unsigned i = 0; i < MARKS_SPAN; i += 8) {
        uint64_t good = marks_in(marks_word(block + i), '!', '~');

        marks |= marks_gather(~good & MARKS_EACH(0x80)) << i;
    }
    return (unsigned)marks;
}

static inline unsigned marks_beyond_uri_portable(const char *block)
{
    uint64_t marks = 0;

    for (unsigned i = 0; i < MARKS_SPAN; i += 8) {
        uint64_t word = marks_word(block + i);
        uint64_t bad = ~marks_in(word, '!', '~') | marks_equal(word, '"') | marks_equal(word, '<') |
                       marks_equal(word, '>') | marks_equal(word, '\\');

        marks |= marks_gather(bad & MARKS_EACH(0x80)) << i;
    }
    return (unsigned)marks;
}

static inline unsigned marks_either_portable(const char *block, char a, char b)
{
    uint64_t marks = 0;

    for (unsigned i = 0; i < MARKS_SPAN; i += 8) {
        uint64_t word = marks_word(block + i);

        marks |= marks_gather(marks_equal(word, a) | marks_equal(word, b)) << i;
    }
    return (unsigned)marks;
}

#endif
