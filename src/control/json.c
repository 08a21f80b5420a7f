/* SPDX-License-Identifier: Apache-2.0 */
#include "control/json.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

enum { DEPTH_MAXIMUM = 16 };

static int explain(struct json_tokener *tokener, struct json_object *parsed, struct slice text,
                   struct buffer *problem)
{
    enum json_tokener_error kind = json_tokener_get_error(tokener);
    size_t past = json_tokener_get_parse_end(tokener);
    const char *reason = json_tokener_error_desc(kind);
    if (kind == json_tokener_continue || text.length == 0)
        reason = "the text ends too early";
    else if (kind == json_tokener_success && past < text.length)
        reason = "something follows the object";
    else if (kind == json_tokener_success && !json_object_is_type(parsed, json_type_object))
        reason = "an object in braces is expected";
    else if (kind == json_tokener_success)
        return 0;
    if (problem != NULL)
        buffer_format(problem, "no valid JSON at column %zu: %s", past + 1, reason);
    return -EBADMSG;
}

int ctl_json_parse_object(struct slice text, struct json_object **object, struct buffer *problem)
{
    if (text.length > INT32_MAX)
        return -EBADMSG;
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAXIMUM);
    if (tokener == NULL)
        return -ENOMEM;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 |
                                        JSON_TOKENER_ALLOW_TRAILING_CHARS);
    struct slice trimmed = slice_trim(text);
    struct json_object *parsed = json_tokener_parse_ex(tokener, trimmed.data, (int)trimmed.length);
    int error = explain(tokener, parsed, trimmed, problem);
    json_tokener_free(tokener);
    if (error != 0) {
        json_object_put(parsed);
        return error;
    }
    *object = parsed;
    return 0;
}

struct slice ctl_json_slice(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string))
        return (struct slice){0};
    return slice_make(json_object_get_string(value), (size_t)json_object_get_string_len(value));
}

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, key, &value);
    return value;
}

const char *ctl_json_text(struct json_object *object, const char *key)
{
    struct slice text = ctl_json_slice(member(object, key));
    return memchr(text.data != NULL ? text.data : "", '\0', text.length) == NULL ? text.data : NULL;
}

int64_t ctl_json_integer(struct json_object *object, const char *key, int64_t fallback)
{
    struct json_object *value = member(object, key);
    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : fallback;
}

bool ctl_json_boolean(struct json_object *object, const char *key, bool fallback)
{
    struct json_object *value = member(object, key);
    return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value) != 0
                                                         : fallback;
}
