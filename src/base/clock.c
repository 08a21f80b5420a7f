/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec now;
    /* Cannot fail: both clocks exist on every kernel and the address is ours. */
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_us(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000;
}

uint64_t clock_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_wall_us(void)
{
    return read_ns(CLOCK_REALTIME) / 1000;
}

enum {
    DAYS_PER_ERA = 146097, /* 400 years, after which the calendar repeats */
    YEARS_PER_ERA = 400,
    DAYS_0000_03_01_TO_1970 = 719468
};

/* Years are counted from 1 March, so that the leap day is the last of its year. */
int64_t clock_days_from_civil(int year, unsigned month, unsigned day)
{
    int64_t march_year = (int64_t)year - (month <= 2 ? 1 : 0);
    int64_t era = (march_year >= 0 ? march_year : march_year - (YEARS_PER_ERA - 1)) / YEARS_PER_ERA;
    int64_t year_of_era = march_year - era * YEARS_PER_ERA;
    int64_t month_from_march = (int64_t)(month > 2 ? month - 3 : month + 9);
    /* (153 m + 2) / 5 adds up the months' lengths 31 30 31 30 31, which repeat from August on. */
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_0000_03_01_TO_1970;
}

static void civil_from_days(uint64_t days_since_1970, uint64_t *year, unsigned *month,
                            unsigned *day)
{
    uint64_t days = days_since_1970 + DAYS_0000_03_01_TO_1970;
    uint64_t era = days / DAYS_PER_ERA;
    uint64_t day_of_era = days % DAYS_PER_ERA;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = year_of_era + era * YEARS_PER_ERA + (*month <= 2 ? 1 : 0);
}

static void append_padded(struct buffer *buffer, uint64_t value, unsigned digits)
{
    uint64_t bound = 10;
    for (unsigned have = 1; have < digits; have++, bound *= 10)
        if (value < bound)
            buffer_append_char(buffer, '0');
    buffer_append_uint(buffer, value);
}

void clock_append_rfc3339(struct buffer *buffer, uint64_t wall_us)
{
    uint64_t milliseconds = wall_us / 1000;
    uint64_t seconds = milliseconds / 1000;
    uint64_t second_of_day = seconds % 86400;
    uint64_t year;
    unsigned month;
    unsigned day;
    civil_from_days(seconds / 86400, &year, &month, &day);

    /* One append, so a full buffer gets no part of it. */
    char memory[40];
    struct buffer text = buffer_over(memory, sizeof(memory));
    append_padded(&text, year, 4);
    buffer_append_char(&text, '-');
    append_padded(&text, month, 2);
    buffer_append_char(&text, '-');
    append_padded(&text, day, 2);
    buffer_append_char(&text, 'T');
    append_padded(&text, second_of_day / 3600, 2);
    buffer_append_char(&text, ':');
    append_padded(&text, second_of_day / 60 % 60, 2);
    buffer_append_char(&text, ':');
    append_padded(&text, second_of_day % 60, 2);
    buffer_append_char(&text, '.');
    append_padded(&text, milliseconds % 1000, 3);
    buffer_append_char(&text, 'Z');
    buffer_append(buffer, buffer_slice(&text));
}
