/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/json.h"

#include "base/clock.h"
#include "base/encode.h"

static void start_value(struct stats_json *json, const char *key)
{
    if (json->comma)
        buffer_append_char(json->buffer, ',');
    json->comma = true;
    if (key != NULL) {
        encode_json(json->buffer, slice_of_text(key));
        buffer_append_char(json->buffer, ':');
    }
}

static void begin(struct stats_json *json, const char *key, char bracket)
{
    start_value(json, key);
    buffer_append_char(json->buffer, bracket);
    json->comma = false;
}

static void end(struct stats_json *json, char bracket)
{
    buffer_append_char(json->buffer, bracket);
    json->comma = true;
}

void stats_json_begin_object(struct stats_json *json, const char *key)
{
    begin(json, key, '{');
}

void stats_json_end_object(struct stats_json *json)
{
    end(json, '}');
}

void stats_json_begin_array(struct stats_json *json, const char *key)
{
    begin(json, key, '[');
}

void stats_json_end_array(struct stats_json *json)
{
    end(json, ']');
}

void stats_json_raw(struct stats_json *json, const char *key, struct slice value)
{
    start_value(json, key);
    buffer_append(json->buffer, value);
}

void stats_json_null(struct stats_json *json, const char *key)
{
    stats_json_raw(json, key, SLICE("null"));
}

void stats_json_slice(struct stats_json *json, const char *key, struct slice text)
{
    if (text.data == NULL) {
        stats_json_null(json, key);
        return;
    }
    start_value(json, key);
    encode_json(json->buffer, text);
}

void stats_json_text(struct stats_json *json, const char *key, const char *text)
{
    stats_json_slice(json, key, slice_of_text(text));
}

void stats_json_uint(struct stats_json *json, const char *key, uint64_t value)
{
    start_value(json, key);
    buffer_append_uint(json->buffer, value);
}

void stats_json_int(struct stats_json *json, const char *key, int64_t value)
{
    start_value(json, key);
    buffer_append_int(json->buffer, value);
}

void stats_json_boolean(struct stats_json *json, const char *key, bool value)
{
    stats_json_raw(json, key, value ? SLICE("true") : SLICE("false"));
}

void stats_json_time(struct stats_json *json, const char *key, uint64_t wall_us)
{
    start_value(json, key);
    buffer_append_char(json->buffer, '"');
    clock_append_rfc3339(json->buffer, wall_us);
    buffer_append_char(json->buffer, '"');
}
