/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value: scalars as people write them, to numbers and back.
 *
 * All return 0, -EBADMSG when the text is no such value, -ERANGE when it does not fit the type.
 */
#ifndef RINGFENCE_CONFIG_VALUE_H
#define RINGFENCE_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

/* Optional sign, decimal digits; single _ between digits for legibility. */
int conf_value_integer(struct slice text, int64_t *value) MUST_CHECK;

/* true, yes, on; false, no, off; in any case. */
int conf_value_boolean(struct slice text, bool *value) MUST_CHECK;

/* One or more number-unit pairs, largest unit first: 20ms, 1.5s, 1h30m, 7d; 0 needs no unit.
 * Units: us ms s m h d w. Microseconds. */
int conf_value_duration(struct slice text, uint64_t *microseconds) MUST_CHECK;

/* 512, 64k, 16M, 1.5G, 2T; a trailing B or iB is allowed; powers of 1024. */
int conf_value_size(struct slice text, uint64_t *bytes) MUST_CHECK;

/* 20% or 12.5%, or the bare number: percent, not a fraction. */
int conf_value_percent(struct slice text, double *percent) MUST_CHECK;

/* The shortest exact text: 1h30m, 20ms, 0s; 64k, 16M, 1000; 12.5%. */
void conf_value_append_duration(struct buffer *buffer, uint64_t microseconds);
void conf_value_append_size(struct buffer *buffer, uint64_t bytes);
void conf_value_append_percent(struct buffer *buffer, double percent);

#endif
