/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>

struct unit {
    struct slice name;
    uint64_t factor;
};

/* Largest first, which is also the order in which pairs must be written. */
static const struct unit duration_units[] = {
    {SLICE_LITERAL("w"), 604800000000}, {SLICE_LITERAL("d"), 86400000000},
    {SLICE_LITERAL("h"), 3600000000},   {SLICE_LITERAL("m"), 60000000},
    {SLICE_LITERAL("s"), 1000000},      {SLICE_LITERAL("ms"), 1000},
    {SLICE_LITERAL("us"), 1},
};
static const struct unit size_units[] = {
    {SLICE_LITERAL("T"), 1ULL << 40}, {SLICE_LITERAL("G"), 1ULL << 30},
    {SLICE_LITERAL("M"), 1ULL << 20}, {SLICE_LITERAL("k"), 1ULL << 10},
    {SLICE_LITERAL(""), 1},
};
static const struct unit percent_units[] = {{SLICE_LITERAL("%"), 1}, {SLICE_LITERAL(""), 1}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Six digits keep fraction * factor of a week within 64 bits. */
#define FRACTION_DIGITS 6

/* A decimal number: whole + fraction / scale. */
struct decimal {
    uint64_t whole;
    uint64_t fraction;
    uint64_t scale;
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static size_t digits_of(struct slice text)
{
    size_t length = 0;

    while (length < text.length && is_digit(text.data[length]))
        length++;
    return length;
}

/* Takes a number from the front of *text. */
static int take_decimal(struct slice *text, struct decimal *number)
{
    size_t digits = digits_of(*text);
    int error;

    *number = (struct decimal){.scale = 1};
    if (digits == 0)
        return -EBADMSG;
    error = slice_to_uint64(slice_first(*text, digits), INT64_MAX, &number->whole);
    if (error)
        return error;
    *text = slice_from(*text, digits);
    if (text->length == 0 || text->data[0] != '.')
        return 0;
    *text = slice_from(*text, 1);
    digits = digits_of(*text);
    if (digits == 0 || digits > FRACTION_DIGITS)
        return -EBADMSG;
    for (size_t i = 0; i < digits; i++) {
        number->fraction = number->fraction * 10 + (uint64_t)(text->data[i] - '0');
        number->scale *= 10;
    }
    *text = slice_from(*text, digits);
    return 0;
}

/* *total += number * factor, exactly; -EBADMSG when that is no whole number. */
static int add_scaled(const struct decimal *number, uint64_t factor, uint64_t *total)
{
    uint64_t product;

    if (number->fraction * factor % number->scale != 0)
        return -EBADMSG;
    if (__builtin_mul_overflow(number->whole, factor, &product) ||
        __builtin_add_overflow(product, number->fraction * factor / number->scale, &product) ||
        __builtin_add_overflow(product, *total, total) || *total > INT64_MAX)
        return -ERANGE;
    return 0;
}

/* Takes the letters up to the next number and finds the unit from row `first` on. */
static int take_unit(struct slice *text, const struct unit *units, size_t count, size_t *at)
{
    size_t length = 0;

    while (length < text->length && !is_digit(text->data[length]))
        length++;

    struct slice name = slice_first(*text, length);

    *text = slice_from(*text, length);
    for (; *at < count; (*at)++)
        if (slice_equal(name, units[*at].name))
            return 0;
    return -EBADMSG;
}

int conf_value_integer(struct slice text, int64_t *value)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    int64_t result = 0;

    if (text.length > 0 && (text.data[0] == '-' || text.data[0] == '+'))
        text = slice_from(text, 1);
    if (text.length == 0)
        return -EBADMSG;
    for (size_t i = 0; i < text.length; i++) {
        bool between = i > 0 && i + 1 < text.length && is_digit(text.data[i - 1]);

        if (text.data[i] == '_' && between)
            continue;
        if (!is_digit(text.data[i]))
            return -EBADMSG;

        int64_t digit = text.data[i] - '0';

        if (__builtin_mul_overflow(result, 10, &result) ||
            __builtin_add_overflow(result, negative ? -digit : digit, &result))
            return -ERANGE;
    }
    *value = result;
    return 0;
}

int conf_value_boolean(struct slice text, bool *value)
{
    static const struct {
        struct slice word;
        bool value;
    } words[] = {
        {SLICE_LITERAL("true"), true}, {SLICE_LITERAL("yes"), true},
        {SLICE_LITERAL("on"), true},   {SLICE_LITERAL("false"), false},
        {SLICE_LITERAL("no"), false},  {SLICE_LITERAL("off"), false},
    };

    for (size_t i = 0; i < COUNT(words); i++) {
        if (!slice_equal_nocase(text, words[i].word))
            continue;
        *value = words[i].value;
        return 0;
    }
    return -EBADMSG;
}

int conf_value_duration(struct slice text, uint64_t *microseconds)
{
    size_t unit = 0;
    uint64_t total = 0;
    struct decimal number;
    int error;

    if (slice_equal(text, SLICE("0"))) {
        *microseconds = 0;
        return 0;
    }
    do {
        error = take_decimal(&text, &number);
        if (!error)
            error = take_unit(&text, duration_units, COUNT(duration_units), &unit);
        if (!error)
            error = add_scaled(&number, duration_units[unit].factor, &total);
        if (error)
            return error;
        unit++;
    } while (text.length > 0);
    *microseconds = total;
    return 0;
}

/* Without the B or iB that some write behind a size; the case of the prefix does not matter. */
static int take_size_unit(struct slice text, uint64_t *factor)
{
    struct slice b = slice_from(text, text.length > 0 ? text.length - 1 : 0);

    if (slice_equal_nocase(b, SLICE("b"))) {
        text = slice_first(text, text.length - 1);
        if (text.length == 2 && text.data[1] == 'i')
            text = slice_first(text, 1);
    }
    for (size_t i = 0; i < COUNT(size_units); i++) {
        if (!slice_equal_nocase(text, size_units[i].name))
            continue;
        *factor = size_units[i].factor;
        return 0;
    }
    return -EBADMSG;
}

int conf_value_size(struct slice text, uint64_t *bytes)
{
    struct decimal number;
    uint64_t factor;
    uint64_t total = 0;
    int error = take_decimal(&text, &number);

    if (!error)
        error = take_size_unit(text, &factor);
    if (!error)
        error = add_scaled(&number, factor, &total);
    if (!error)
        *bytes = total;
    return error;
}

int conf_value_percent(struct slice text, double *percent)
{
    struct decimal number;
    size_t unit = 0;
    int error = take_decimal(&text, &number);

    if (!error)
        error = take_unit(&text, percent_units, COUNT(percent_units), &unit);
    if (!error && text.length > 0)
        error = -EBADMSG;
    if (!error)
        *percent = (double)number.whole + (double)number.fraction / (double)number.scale;
    return error;
}

void conf_value_append_duration(struct buffer *buffer, uint64_t microseconds)
{
    if (microseconds == 0)
        buffer_append_literal(buffer, "0s");
    /* From days on: "7d" reads better than "1w" beside "1d". */
    for (size_t i = 1; i < COUNT(duration_units); i++) {
        uint64_t count = microseconds / duration_units[i].factor;

        if (count == 0)
            continue;
        buffer_append_uint(buffer, count);
        buffer_append(buffer, duration_units[i].name);
        microseconds %= duration_units[i].factor;
    }
}

void conf_value_append_size(struct buffer *buffer, uint64_t bytes)
{
    size_t unit = 0;

    while (bytes == 0 ? size_units[unit].factor > 1 : bytes % size_units[unit].factor != 0)
        unit++;
    buffer_append_uint(buffer, bytes / size_units[unit].factor);
    buffer_append(buffer, size_units[unit].name);
}

void conf_value_append_percent(struct buffer *buffer, double percent)
{
    uint64_t millionths = (uint64_t)llround(percent * 1e6);
    uint64_t fraction = millionths % 1000000;
    uint64_t scale = 100000;

    buffer_append_uint(buffer, millionths / 1000000);
    if (fraction > 0)
        buffer_append_char(buffer, '.');
    for (; fraction > 0; scale /= 10) {
        buffer_append_char(buffer, (char)('0' + fraction / scale));
        fraction %= scale;
    }
    buffer_append_char(buffer, '%');
}
