/* SPDX-License-Identifier: Apache-2.0 */
#include "stats_request_int.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "base/encode.h"
#include "config/schema.h"
#include "config/suggest.h"
#include "config/value.h"
#include "control/json.h"

#define INTERVAL_MINIMUM ((uint64_t)CONF_MS(100))
#define INTERVAL_MAXIMUM ((uint64_t)CONF_HOURS(1))

typedef int take_fn(struct ctl_stats_request *request, struct json_object *value);

static int take_boolean(struct json_object *value, bool *member)
{
    if (!json_object_is_type(value, json_type_boolean))
        return -EBADMSG;
    *member = json_object_get_boolean(value) != 0;
    return 0;
}

static int take_counts(struct ctl_stats_request *request, struct json_object *value)
{
    return take_boolean(value, &request->counts);
}

static int take_events(struct ctl_stats_request *request, struct json_object *value)
{
    return take_boolean(value, &request->events);
}

static int take_interval(struct ctl_stats_request *request, struct json_object *value)
{
    uint64_t interval_us;
    if (!json_object_is_type(value, json_type_string))
        return -EBADMSG;
    if (conf_value_duration(ctl_json_slice(value), &interval_us) != 0 ||
        interval_us < INTERVAL_MINIMUM || interval_us > INTERVAL_MAXIMUM)
        return -EBADMSG;
    request->interval_us = interval_us;
    return 0;
}

static int take_kinds(struct ctl_stats_request *request, struct json_object *value)
{
    bool counts = false, events = false;
    if (!json_object_is_type(value, json_type_array))
        return -EBADMSG;
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        struct slice kind = ctl_json_slice(json_object_array_get_idx(value, i));
        if (slice_equal(kind, SLICE("counts")))
            counts = true;
        else if (slice_equal(kind, SLICE("event")))
            events = true;
        else
            return -EBADMSG;
    }
    request->counts = counts;
    request->events = events;
    return 0;
}

static int take_resume(struct ctl_stats_request *request, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
        return -EBADMSG;
    request->resume = true;
    request->after = (uint64_t)json_object_get_int64(value);
    request->events = true;
    return 0;
}

static int take_epoch(struct ctl_stats_request *request, struct json_object *value)
{
    struct slice epoch = ctl_json_slice(value);
    if (epoch.data == NULL || epoch.length >= sizeof(request->epoch))
        return -EBADMSG;
    stats_event_text(request->epoch, sizeof(request->epoch), epoch);
    return 0;
}

/* ---- filter -------------------------------------------------------------------------------- */

static int take_name(struct stats_filter *filter, enum stats_filter_list list,
                     struct json_object *value)
{
    struct slice name = ctl_json_slice(value);
    return name.data != NULL && stats_filter_add(filter, list, name) == 0 ? 0 : -EBADMSG;
}

/* One name, or a list of them. */
static int take_names(struct stats_filter *filter, enum stats_filter_list list,
                      struct json_object *value)
{
    int error = 0;
    if (!json_object_is_type(value, json_type_array))
        return take_name(filter, list, value);
    for (size_t i = 0; i < json_object_array_length(value) && error == 0; i++)
        error = take_name(filter, list, json_object_array_get_idx(value, i));
    return error;
}

static int take_score(struct stats_filter *filter, struct json_object *value)
{
    int64_t score = json_object_get_int64(value);
    if (!json_object_is_type(value, json_type_int) || score < 0 || score > 100)
        return -EBADMSG;
    filter->score = (uint8_t)score;
    return 0;
}

static int take_condition(struct stats_filter *filter, const char *key, struct json_object *value)
{
    if (strcmp(key, "score") == 0)
        return take_score(filter, value);
    for (unsigned list = 0; list < STATS_FILTER_COUNT; list++)
        if (strcmp(key, stats_filter_key((enum stats_filter_list)list)) == 0)
            return take_names(filter, (enum stats_filter_list)list, value);
    return -EBADMSG;
}

/* null takes the filter away; an object replaces it as a whole. */
static int take_filter(struct ctl_stats_request *request, struct json_object *value)
{
    struct stats_filter filter = {0};
    int error = 0;
    if (value != NULL && !json_object_is_type(value, json_type_object))
        return -EBADMSG;
    if (value != NULL) {
        json_object_object_foreach(value, key, condition)
        {
            error = take_condition(&filter, key, condition);
            if (error != 0)
                return error;
        }
    }
    request->filter = filter;
    return 0;
}

/* ---- members ------------------------------------------------------------------------------- */

static const struct {
    const char *key;
    take_fn *take;
    const char *expected;
} request_rows[] = {
    {"counts", take_counts, "true or false"},
    {"events", take_events, "true or false"},
    {"kinds", take_kinds, "a list of \"counts\" and \"event\""},
    {"interval", take_interval, "a duration from \"100ms\" to \"1h\""},
    {"filter", take_filter,
     "null, or an object of action, rule, type, trunk, reason and event (a name of at most 95 "
     "bytes, or up to 16 of them) and score (0 to 100)"},
    {"resume", take_resume, "the seq of an event, or 0"},
    {"epoch", take_epoch, "an epoch as `hello` has it"},
};

enum { REQUEST_ROWS = sizeof(request_rows) / sizeof(request_rows[0]) };

static void explain_key(struct slice key, struct buffer *problem)
{
    struct conf_suggestion suggestion = conf_suggestion_for(key);
    buffer_append_literal(problem, "unknown key \"");
    encode_log(problem, key);
    buffer_append_literal(problem, "\"; known are");
    for (size_t i = 0; i < REQUEST_ROWS; i++) {
        conf_suggestion_offer(&suggestion, slice_of_text(request_rows[i].key));
        buffer_append_text(problem, i == 0 ? " " : ", ");
        buffer_append_text(problem, request_rows[i].key);
    }
    if (suggestion.best.data != NULL) {
        buffer_append_literal(problem, "; did you mean \"");
        buffer_append(problem, suggestion.best);
        buffer_append_literal(problem, "\"?");
    }
}

static int take_member(struct ctl_stats_request *request, const char *key,
                       struct json_object *value, struct buffer *problem)
{
    for (size_t i = 0; i < REQUEST_ROWS; i++) {
        if (!slice_equal(slice_of_text(key), slice_of_text(request_rows[i].key)))
            continue;
        if (request_rows[i].take(request, value) == 0)
            return 0;
        buffer_append_text(problem, key);
        buffer_append_literal(problem, ": ");
        encode_log(problem, slice_of_text(json_object_to_json_string(value)));
        buffer_append_literal(problem, " is not ");
        buffer_append_text(problem, request_rows[i].expected);
        return -EBADMSG;
    }
    explain_key(slice_of_text(key), problem);
    return -EBADMSG;
}

int ctl_stats_request_parse(struct slice line, struct ctl_stats_request *request,
                            struct buffer *problem)
{
    struct ctl_stats_request taken = *request;
    taken.resume = false;
    taken.epoch[0] = '\0';
    struct json_object *object;
    int error = ctl_json_parse_object(line, &object, problem);
    if (error != 0)
        return error;
    json_object_object_foreach(object, key, value)
    {
        error = take_member(&taken, key, value, problem);
        if (error != 0)
            break;
    }
    json_object_put(object);
    if (error == 0)
        *request = taken;
    return error;
}
