/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value: what a feature can be, three-valued.
 *
 * A value is known or it is not; an unknown one is neither true nor false, neither equal nor
 * different, and conditions carry that through (Kleene's strong logic).
 */
#ifndef RINGFENCE_RULES_VALUE_H
#define RINGFENCE_RULES_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * X(name, word, member, description). `member` is the member of rule_value that holds it. A number
 * is a telephone number: E.164 with "+", or the raw text of what does not normalise; it compares as
 * text. A duration is in microseconds, a time in microseconds since 1970 UTC, a ratio is 0.2 for
 * 20%.
 */
#define RULE_TYPE_TABLE(X)                                                         \
    X(RULE_FLAG, "flag", flag, "true or false")                                    \
    X(RULE_INTEGER, "integer", integer, "a whole number")                          \
    X(RULE_TEXT, "text", text, "text, compared byte by byte")                      \
    X(RULE_NUMBER, "number", text, "a telephone number, E.164 with + or raw text") \
    X(RULE_SET, "set", set, "several texts")                                       \
    X(RULE_DURATION, "duration", integer, "a length of time: 30s, 5m, 4h")         \
    X(RULE_RATIO, "ratio", ratio, "a share: 20% or 0.2")                           \
    X(RULE_TIME, "time", integer, "a point in time: 2027-06-30")                   \
    X(RULE_ADDRESS, "address", address, "an IPv4 or IPv6 address: \"10.0.0.1\"")

enum rule_type {
#define RULE_TYPE_ROW(name, word, member, description) name,
    RULE_TYPE_TABLE(RULE_TYPE_ROW)
#undef RULE_TYPE_ROW
        RULE_TYPE_COUNT
};

struct rule_text_set {
    const struct slice *texts;
    size_t count;
};

/* In network order; IPv4 stands behind ::ffff: (RFC 4291 section 2.5.5.2). */
struct rule_address {
    uint8_t bytes[16];
};

/* Texts are borrowed: they must live until the evaluation that fetched them has returned. */
struct rule_value {
    enum rule_type type;
    bool known;
    union {
        bool flag;
        int64_t integer;
        double ratio;
        struct slice text;
        struct rule_text_set set;
        struct rule_address address;
    };
};

/* "flag", "integer", ... */
const char *rule_type_name(enum rule_type type);
/* "a whole number", ... */
const char *rule_type_description(enum rule_type type);

static inline struct rule_value rule_unknown(enum rule_type type)
{
    return (struct rule_value){.type = type, .known = false, .text = {NULL, 0}};
}

static inline struct rule_value rule_flag(bool flag)
{
    return (struct rule_value){.type = RULE_FLAG, .known = true, .flag = flag};
}

static inline struct rule_value rule_integer(int64_t integer)
{
    return (struct rule_value){.type = RULE_INTEGER, .known = true, .integer = integer};
}

static inline struct rule_value rule_text(struct slice text)
{
    return (struct rule_value){.type = RULE_TEXT, .known = true, .text = text};
}

static inline struct rule_value rule_number(struct slice number)
{
    return (struct rule_value){.type = RULE_NUMBER, .known = true, .text = number};
}

static inline struct rule_value rule_text_values(const struct slice *texts, size_t count)
{
    return (struct rule_value){.type = RULE_SET, .known = true, .set = {texts, count}};
}

static inline struct rule_value rule_duration(int64_t microseconds)
{
    return (struct rule_value){.type = RULE_DURATION, .known = true, .integer = microseconds};
}

static inline struct rule_value rule_ratio(double ratio)
{
    return (struct rule_value){.type = RULE_RATIO, .known = true, .ratio = ratio};
}

static inline struct rule_value rule_address(struct rule_address address)
{
    return (struct rule_value){.type = RULE_ADDRESS, .known = true, .address = address};
}

static inline struct rule_value rule_time(int64_t wall_us)
{
    return (struct rule_value){.type = RULE_TIME, .known = true, .integer = wall_us};
}

#endif
