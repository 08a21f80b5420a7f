/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed: the digits of a number in one 64-bit word.
 *
 * The packed form is the decimal value of "1" followed by the digits: +8613800138000 is
 * 18613800138000. The leading 1 keeps leading zeros apart, so packing is injective. Up to 18 digits
 * fit; E.164 allows 15. 0 is never a packed number and stands for "none".
 */
#ifndef RINGFENCE_NUMBER_PACKED_H
#define RINGFENCE_NUMBER_PACKED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define NUM_PACKED_DIGITS 18
/* "+", the digits and a NUL. */
#define NUM_PACKED_TEXT (NUM_PACKED_DIGITS + 2)

/* `number`: 1 to 18 digits with or without a leading '+', nothing else; false otherwise. */
static inline bool num_pack(struct slice number, uint64_t *packed)
{
    if (number.length > 0 && number.data[0] == '+')
        number = slice_from(number, 1);
    if (number.length == 0 || number.length > NUM_PACKED_DIGITS)
        return false;
    uint64_t value = 1;
    for (size_t i = 0; i < number.length; i++) {
        unsigned digit = (unsigned)(unsigned char)number.data[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *packed = value;
    return true;
}

/* Writes "+digits" and a NUL; returns the length without the NUL, 0 when `packed` is no number. */
static inline size_t num_unpack(uint64_t packed, char text[NUM_PACKED_TEXT])
{
    char reversed[NUM_PACKED_TEXT];
    size_t count = 0;
    while (packed >= 10 && count < NUM_PACKED_DIGITS) {
        reversed[count++] = (char)('0' + packed % 10);
        packed /= 10;
    }
    if (packed != 1 || count == 0) {
        text[0] = '\0';
        return 0;
    }
    text[0] = '+';
    for (size_t i = 0; i < count; i++)
        text[1 + i] = reversed[count - 1 - i];
    text[1 + count] = '\0';
    return count + 1;
}

#endif
