/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: writes one JSON value into a bounded buffer, commas included.
 *
 * `key` names a member inside an object and is NULL inside an array and at the top. Keys and texts
 * pass encode_json(), so whatever bytes they hold, the result is valid. The caller balances begin
 * and end and looks at buffer->overflow once, at the end.
 */
#ifndef RINGFENCE_STATS_JSON_H
#define RINGFENCE_STATS_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

struct stats_json {
    struct buffer *buffer;
    bool comma; /* the next value is not the first of its object or array */
};

static inline struct stats_json stats_json_into(struct buffer *buffer)
{
    return (struct stats_json){buffer, false};
}

void stats_json_begin_object(struct stats_json *json, const char *key);
void stats_json_end_object(struct stats_json *json);
void stats_json_begin_array(struct stats_json *json, const char *key);
void stats_json_end_array(struct stats_json *json);

/* An absent slice is written as null. */
void stats_json_slice(struct stats_json *json, const char *key, struct slice text);
/* NULL is written as null. */
void stats_json_text(struct stats_json *json, const char *key, const char *text);
void stats_json_uint(struct stats_json *json, const char *key, uint64_t value);
void stats_json_int(struct stats_json *json, const char *key, int64_t value);
void stats_json_boolean(struct stats_json *json, const char *key, bool value);
void stats_json_null(struct stats_json *json, const char *key);

/* RFC 3339 in UTC with milliseconds. */
void stats_json_time(struct stats_json *json, const char *key, uint64_t wall_us);

/* A value that is JSON already and is trusted to be so. */
void stats_json_raw(struct stats_json *json, const char *key, struct slice value);

#endif
