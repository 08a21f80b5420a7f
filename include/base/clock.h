/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock: the two clocks. Everything but the loop takes time as a parameter.
 *
 * `now_us` parameters are CLOCK_MONOTONIC microseconds, read once per batch. Wall time is
 * microseconds since 1970 UTC and is used for what people and other systems read.
 */
#ifndef RINGFENCE_BASE_CLOCK_H
#define RINGFENCE_BASE_CLOCK_H

#include <stdint.h>

#include "base/buffer.h"

uint64_t clock_monotonic_us(void);
uint64_t clock_monotonic_ns(void);
uint64_t clock_wall_us(void);

/* RFC 3339 in UTC with milliseconds: 2027-06-30T08:15:30.123Z */
void clock_append_rfc3339(struct buffer *buffer, uint64_t wall_us);

/* Days since 1970-01-01 of a civil date; the proleptic Gregorian calendar. */
int64_t clock_days_from_civil(int year, unsigned month, unsigned day);

#endif
