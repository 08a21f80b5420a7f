/* SPDX-License-Identifier: Apache-2.0 */
#include "arithmetic_int.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

/* Integers, durations and times are all kept as integers, so one function serves several rows.
 * False: the result has no value. */
typedef bool whole_fn(int64_t left, int64_t right, int64_t *result);
typedef double real_fn(double left, double right);

static bool add(int64_t left, int64_t right, int64_t *result)
{
    return !__builtin_add_overflow(left, right, result);
}

static bool subtract(int64_t left, int64_t right, int64_t *result)
{
    return !__builtin_sub_overflow(left, right, result);
}

static bool multiply(int64_t left, int64_t right, int64_t *result)
{
    return !__builtin_mul_overflow(left, right, result);
}

/* INT64_MIN / -1 does not fit. */
static bool divide(int64_t left, int64_t right, int64_t *result)
{
    if (right == 0 || (left == INT64_MIN && right == -1))
        return false;
    *result = left / right;
    return true;
}

static double real_add(double left, double right)
{
    return left + right;
}

static double real_subtract(double left, double right)
{
    return left - right;
}

static double real_multiply(double left, double right)
{
    return left * right;
}

/* By zero: infinite or not a number, neither of which is a value. */
static double real_divide(double left, double right)
{
    return left / right;
}

static const struct row {
    enum rule_sign sign;
    enum rule_type left;
    enum rule_type right;
    enum rule_type result;
    whole_fn *whole; /* or */
    real_fn *real;
} rows[] = {
    {RULE_PLUS, RULE_INTEGER, RULE_INTEGER, RULE_INTEGER, add, NULL},
    {RULE_PLUS, RULE_DURATION, RULE_DURATION, RULE_DURATION, add, NULL},
    {RULE_PLUS, RULE_TIME, RULE_DURATION, RULE_TIME, add, NULL},
    {RULE_PLUS, RULE_DURATION, RULE_TIME, RULE_TIME, add, NULL},
    {RULE_PLUS, RULE_RATIO, RULE_RATIO, RULE_RATIO, NULL, real_add},
    {RULE_MINUS, RULE_INTEGER, RULE_INTEGER, RULE_INTEGER, subtract, NULL},
    {RULE_MINUS, RULE_DURATION, RULE_DURATION, RULE_DURATION, subtract, NULL},
    {RULE_MINUS, RULE_TIME, RULE_DURATION, RULE_TIME, subtract, NULL},
    {RULE_MINUS, RULE_TIME, RULE_TIME, RULE_DURATION, subtract, NULL},
    {RULE_MINUS, RULE_RATIO, RULE_RATIO, RULE_RATIO, NULL, real_subtract},
    {RULE_TIMES, RULE_INTEGER, RULE_INTEGER, RULE_INTEGER, multiply, NULL},
    {RULE_TIMES, RULE_DURATION, RULE_INTEGER, RULE_DURATION, multiply, NULL},
    {RULE_TIMES, RULE_INTEGER, RULE_DURATION, RULE_DURATION, multiply, NULL},
    {RULE_TIMES, RULE_DURATION, RULE_RATIO, RULE_DURATION, NULL, real_multiply},
    {RULE_TIMES, RULE_RATIO, RULE_DURATION, RULE_DURATION, NULL, real_multiply},
    {RULE_TIMES, RULE_INTEGER, RULE_RATIO, RULE_RATIO, NULL, real_multiply},
    {RULE_TIMES, RULE_RATIO, RULE_INTEGER, RULE_RATIO, NULL, real_multiply},
    {RULE_TIMES, RULE_RATIO, RULE_RATIO, RULE_RATIO, NULL, real_multiply},
    {RULE_DIVIDED, RULE_INTEGER, RULE_INTEGER, RULE_RATIO, NULL, real_divide},
    {RULE_DIVIDED, RULE_DURATION, RULE_DURATION, RULE_RATIO, NULL, real_divide},
    {RULE_DIVIDED, RULE_DURATION, RULE_INTEGER, RULE_DURATION, divide, NULL},
    {RULE_DIVIDED, RULE_DURATION, RULE_RATIO, RULE_DURATION, NULL, real_divide},
    {RULE_DIVIDED, RULE_RATIO, RULE_INTEGER, RULE_RATIO, NULL, real_divide},
    {RULE_DIVIDED, RULE_INTEGER, RULE_RATIO, RULE_RATIO, NULL, real_divide},
    {RULE_DIVIDED, RULE_RATIO, RULE_RATIO, RULE_RATIO, NULL, real_divide},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

bool rule_arithmetic_find(enum rule_sign sign, enum rule_type left, enum rule_type right,
                          uint16_t *row)
{
    for (int i = 0; i < ROW_COUNT; i++) {
        if (rows[i].sign == sign && rows[i].left == left && rows[i].right == right) {
            *row = (uint16_t)i;
            return true;
        }
    }
    return false;
}

enum rule_type rule_arithmetic_type(uint16_t row)
{
    assert(row < ROW_COUNT);
    return rows[row].result;
}

enum rule_sign rule_arithmetic_sign(uint16_t row)
{
    assert(row < ROW_COUNT);
    return rows[row].sign;
}

static double real_of(const struct rule_value *value)
{
    return value->type == RULE_RATIO ? value->ratio : (double)value->integer;
}

struct rule_value rule_arithmetic_do(uint16_t row, const struct rule_value *left,
                                     const struct rule_value *right)
{
    assert(row < ROW_COUNT && left->type == rows[row].left && right->type == rows[row].right);
    struct rule_value result = rule_unknown(rows[row].result);
    if (rows[row].whole != NULL) {
        result.known = rows[row].whole(left->integer, right->integer, &result.integer);
        return result;
    }
    double real = rows[row].real(real_of(left), real_of(right));
    if (rows[row].result == RULE_RATIO) {
        result.known = isfinite(real);
        result.ratio = real;
        return result;
    }
    /* 2^63 is the first double that does not fit; a comparison with no number is false. */
    result.known = real >= -0x1p63 && real < 0x1p63;
    result.integer = result.known ? (int64_t)real : 0;
    return result;
}
