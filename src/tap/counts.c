/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/counts.h"

const struct tap_count_row tap_count_rows[TAP_COUNT_COUNT] = {
#define TAP_COUNT_ROW(identifier, key, text) {key, text},
    TAP_COUNT_TABLE(TAP_COUNT_ROW)
#undef TAP_COUNT_ROW
};
