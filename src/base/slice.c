/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

#include <errno.h>

static unsigned char lower(char byte)
{
    unsigned char value = (unsigned char)byte;
    return value >= 'A' && value <= 'Z' ? (unsigned char)(value | 0x20) : value;
}

/* strncasecmp() would follow the process's locale and stop at a NUL. */
static bool bytes_equal_nocase(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    return a.length == b.length && bytes_equal_nocase(a.data, b.data, a.length);
}

bool slice_starts_with_nocase(struct slice slice, struct slice prefix)
{
    return slice.length >= prefix.length &&
           bytes_equal_nocase(slice.data, prefix.data, prefix.length);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct slice slice_trim(struct slice slice)
{
    while (slice.length > 0 && is_blank(slice.data[0])) {
        slice.data++;
        slice.length--;
    }
    while (slice.length > 0 && is_blank(slice.data[slice.length - 1]))
        slice.length--;
    return slice;
}

int slice_to_uint64(struct slice slice, uint64_t maximum, uint64_t *value)
{
    if (slice.length == 0)
        return -EBADMSG;

    uint64_t sum = 0;
    bool beyond = false;
    for (size_t i = 0; i < slice.length; i++) {
        unsigned digit = (unsigned)(unsigned char)slice.data[i] - '0';
        if (digit > 9)
            return -EBADMSG;
        /* Read on after an excess: a later byte may still make it no number at all. */
        if (beyond || sum > (maximum - digit) / 10 || digit > maximum)
            beyond = true;
        else
            sum = sum * 10 + digit;
    }
    if (beyond)
        return -ERANGE;
    *value = sum;
    return 0;
}
