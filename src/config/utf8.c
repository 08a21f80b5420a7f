/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8_int.h"

#include <stdbool.h>

struct range {
    uint32_t first;
    uint32_t last;
};

/* What stands alone in a caret line: enough for names and notes, not all of Unicode. */
static const struct range zero_width[] = {
    {0x0300, 0x036f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};
static const struct range double_width[] = {
    {0x1100, 0x115f}, {0x2e80, 0x303e},   {0x3041, 0x4dbf},   {0x4e00, 0xa4cf},
    {0xac00, 0xd7a3}, {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
    {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

/* One row per length: the lead byte's mark, the bits it carries, and the least code it may give. */
static const struct {
    unsigned char mask;
    unsigned char mark;
    uint32_t least;
} leads[] = {
    {0x80, 0x00, 0x0},
    {0xe0, 0xc0, 0x80},
    {0xf0, 0xe0, 0x800},
    {0xf8, 0xf0, 0x10000},
};

size_t conf_utf8_read(struct slice text, uint32_t *code)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t length = 1;

    while (length <= 4 && (bytes[0] & leads[length - 1].mask) != leads[length - 1].mark)
        length++;
    if (length > 4 || length > text.length)
        return 0;

    uint32_t value = bytes[0] & (unsigned char)~leads[length - 1].mask;

    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3fU);
    }
    if (value < leads[length - 1].least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code = value;
    return length;
}

size_t conf_utf8_step(struct slice text, uint32_t *code)
{
    size_t length = conf_utf8_read(text, code);

    if (length > 0)
        return length;
    *code = 0xfffd;
    return 1;
}

uint32_t conf_utf8_count(struct slice text, uint32_t most)
{
    uint32_t count = 0;
    uint32_t code;

    while (text.length > 0 && count < most) {
        text = slice_from(text, conf_utf8_step(text, &code));
        count++;
    }
    return count;
}

static bool in_ranges(const struct range *ranges, size_t count, uint32_t code)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

unsigned conf_utf8_width(uint32_t code)
{
    if (in_ranges(zero_width, sizeof(zero_width) / sizeof(zero_width[0]), code))
        return 0;
    return in_ranges(double_width, sizeof(double_width) / sizeof(double_width[0]), code) ? 2 : 1;
}

struct slice conf_utf8_first(struct slice text, size_t length)
{
    if (text.length <= length)
        return text;
    while (length > 0 && ((unsigned char)text.data[length] & 0xc0) == 0x80)
        length--;
    return slice_first(text, length);
}
