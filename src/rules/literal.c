/* SPDX-License-Identifier: Apache-2.0 */
#include "literal_int.h"

#include <errno.h>

#include "base/clock.h"
#include "config/address.h"
#include "config/value.h"
#include "network_int.h"

#define MINUTE_US (INT64_C(60) * 1000000)
#define DAY_US    (INT64_C(86400) * 1000000)

/* Takes exactly `count` digits off the front. */
static bool take_digits(struct slice *text, size_t count, unsigned *value)
{
    uint64_t number = 0;
    if (text->length < count || slice_to_uint64(slice_first(*text, count), 9999, &number) != 0)
        return false;
    *value = (unsigned)number;
    *text = slice_from(*text, count);
    return true;
}

static bool take_char(struct slice *text, char byte)
{
    if (text->length == 0 || text->data[0] != byte)
        return false;
    *text = slice_from(*text, 1);
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1U : 0U);
}

static int take_date(struct slice *text, int64_t *wall_us)
{
    unsigned year, month, day;
    if (!take_digits(text, 4, &year) || !take_char(text, '-') || !take_digits(text, 2, &month) ||
        !take_char(text, '-') || !take_digits(text, 2, &day))
        return -EBADMSG;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return -ERANGE;
    *wall_us = clock_days_from_civil((int)year, month, day) * DAY_US;
    return 0;
}

static int take_time_of_day(struct slice *text, int64_t *day_us)
{
    unsigned hour, minute, second = 0;
    if (!take_digits(text, 2, &hour) || !take_char(text, ':') || !take_digits(text, 2, &minute))
        return -EBADMSG;
    if (take_char(text, ':') && !take_digits(text, 2, &second))
        return -EBADMSG;
    if (hour > 23 || minute > 59 || second > 59)
        return -ERANGE;
    *day_us = (int64_t)(hour * 60 + minute) * MINUTE_US + (int64_t)second * 1000000;
    return 0;
}

/* What is to be subtracted to get UTC. */
static int take_zone(struct slice *text, int64_t *zone_us)
{
    *zone_us = 0;
    if (take_char(text, 'Z'))
        return 0;
    bool east = take_char(text, '+');
    unsigned hour, minute;
    if ((!east && !take_char(text, '-')) || !take_digits(text, 2, &hour) || !take_char(text, ':') ||
        !take_digits(text, 2, &minute))
        return -EBADMSG;
    if (hour > 23 || minute > 59)
        return -ERANGE;
    *zone_us = (int64_t)(hour * 60 + minute) * MINUTE_US * (east ? 1 : -1);
    return 0;
}

int rule_literal_time(struct slice text, int64_t *wall_us)
{
    int64_t date_us = 0, day_us = 0, zone_us = 0;
    int error = take_date(&text, &date_us);
    if (error == 0 && take_char(&text, 'T')) {
        error = take_time_of_day(&text, &day_us);
        if (error == 0)
            error = take_zone(&text, &zone_us);
    }
    if (error != 0)
        return error;
    if (text.length > 0)
        return -EBADMSG;
    *wall_us = date_us + day_us - zone_us;
    return 0;
}

static int duration(struct slice text, struct rule_value *value)
{
    uint64_t microseconds = 0;
    int error = conf_value_duration(text, &microseconds);
    if (error != 0)
        return error;
    if (microseconds > INT64_MAX)
        return -ERANGE;
    *value = rule_duration((int64_t)microseconds);
    return 0;
}

/* 0.25, or 25%. */
static int ratio(struct slice text, struct rule_value *value)
{
    bool is_percent = text.length > 0 && text.data[text.length - 1] == '%';
    double number = 0;
    int error = conf_value_percent(text, &number);
    if (error != 0)
        return error;
    *value = rule_ratio(is_percent ? number / 100 : number);
    return 0;
}

int rule_literal_number(struct slice text, struct rule_value *value)
{
    int64_t integer = 0;
    int error = conf_value_integer(text, &integer);
    if (error == 0) {
        *value = rule_integer(integer);
        return 0;
    }
    if (error != -EBADMSG)
        return error;
    if (slice_find(text, ':') < text.length || (text.length > 4 && text.data[4] == '-')) {
        error = rule_literal_time(text, &integer);
        if (error == 0)
            *value = rule_time(integer);
        return error;
    }
    error = ratio(text, value);
    return error == -EBADMSG ? duration(text, value) : error;
}

static int flag(struct slice text, struct rule_value *value)
{
    bool is_true = slice_equal(text, SLICE("true"));
    if (!is_true && !slice_equal(text, SLICE("false")))
        return -EBADMSG;
    *value = rule_flag(is_true);
    return 0;
}

int rule_literal_address(struct slice text, struct rule_address *address)
{
    struct conf_network network;
    int error = conf_network_parse(text, &network);
    if (error != 0)
        return error;
    if (network.bits < (network.is_ipv6 ? 128 : 32))
        return -EINVAL;
    *address = rule_network_first(&network);
    return 0;
}

static int address(struct slice text, struct rule_value *value)
{
    struct rule_address parsed;
    if (rule_literal_address(text, &parsed) != 0)
        return -EBADMSG;
    *value = rule_address(parsed);
    return 0;
}

int rule_literal_of_type(enum rule_type type, struct slice text, struct rule_value *value)
{
    int64_t integer = 0;
    int error = -EBADMSG;
    switch (type) {
    case RULE_FLAG:
        return flag(text, value);
    case RULE_TEXT:
    case RULE_NUMBER:
        *value = rule_text(text);
        value->type = type;
        return 0;
    case RULE_INTEGER:
        error = conf_value_integer(text, &integer);
        *value = rule_integer(integer);
        return error;
    case RULE_DURATION:
        return duration(text, value);
    case RULE_RATIO:
        return ratio(text, value);
    case RULE_TIME:
        error = rule_literal_time(text, &integer);
        *value = rule_time(integer);
        return error;
    case RULE_ADDRESS:
        return address(text, value);
    case RULE_SET:
    case RULE_TYPE_COUNT:
        break;
    }
    return error;
}

const char *rule_type_with_article(enum rule_type type)
{
    static const char *const texts[] = {
#define RULE_TYPE_ROW(name, word, member, description) [name] = ("a " word),
        RULE_TYPE_TABLE(RULE_TYPE_ROW)
#undef RULE_TYPE_ROW
    };
    return type == RULE_INTEGER ? "an integer" : type == RULE_ADDRESS ? "an address" : texts[type];
}
