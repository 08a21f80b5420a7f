/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "number_int.h"

/* Longest digit string in any table, by far. */
#define PATTERN_DEPTH 16

/*
 * One element of a pattern: a digit or a class. Returns the set of digits as bits and moves *at
 * behind it; 0 at the end of the alternative. The tables are ours: bad syntax is our bug.
 */
static unsigned element(const char **at)
{
    const char *p = *at;
    if (*p == '\0' || *p == ' ')
        return 0;
    unsigned set = 0;
    if (*p != '[') {
        assert(*p >= '0' && *p <= '9');
        set = 1U << (*p++ - '0');
    } else {
        for (p++; *p != ']'; p++) {
            assert(*p >= '0' && *p <= '9');
            char last = *p;
            char first = *p;
            if (p[1] == '-') {
                last = p[2];
                p += 2;
            }
            for (char digit = first; digit <= last; digit++)
                set |= 1U << (digit - '0');
        }
        p++;
    }
    *at = p;
    return set;
}

static const char *next_alternative(const char *at)
{
    while (*at != '\0' && *at != ' ')
        at++;
    while (*at == ' ')
        at++;
    return at;
}

static bool expand(const char *at, char digits[PATTERN_DEPTH], size_t length,
                   num_pattern_visit *visit, void *argument)
{
    unsigned set = element(&at);
    if (set == 0)
        return visit(digits, length, argument);
    assert(length < PATTERN_DEPTH);
    for (unsigned digit = 0; digit < 10; digit++) {
        if ((set & 1U << digit) == 0)
            continue;
        digits[length] = (char)('0' + digit);
        if (!expand(at, digits, length + 1, visit, argument))
            return false;
    }
    return true;
}

void num_pattern_each(const char *pattern, num_pattern_visit *visit, void *argument)
{
    char digits[PATTERN_DEPTH];
    do {
        if (!expand(pattern, digits, 0, visit, argument))
            return;
        pattern = next_alternative(pattern);
    } while (*pattern != '\0');
}

/* Length of the alternative at `at` when `digits` starts with it; 0 otherwise. */
static size_t match(const char *at, struct slice digits)
{
    size_t length = 0;
    for (unsigned set; (set = element(&at)) != 0; length++) {
        if (length == digits.length)
            return 0;
        unsigned digit = (unsigned)(unsigned char)digits.data[length] - '0';
        if (digit > 9 || (set & 1U << digit) == 0)
            return 0;
    }
    return length;
}

size_t num_pattern_prefix(const char *pattern, struct slice digits)
{
    size_t longest = 0;
    for (; *pattern != '\0'; pattern = next_alternative(pattern)) {
        size_t length = match(pattern, digits);
        if (length > longest)
            longest = length;
    }
    return longest;
}

bool num_pattern_is(const char *pattern, struct slice digits)
{
    for (; *pattern != '\0'; pattern = next_alternative(pattern))
        if (digits.length > 0 && match(pattern, digits) == digits.length)
            return true;
    return false;
}
