/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: reading JSON that comes from the other end of a socket (json-c behind it).
 */
#ifndef RINGFENCE_CONTROL_JSON_H
#define RINGFENCE_CONTROL_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

struct json_object;

/*
 * One object that fills the whole text: strict syntax, valid UTF-8, limited depth. -EBADMSG with
 * the reason and its column in `problem` (NULL: not wanted); -ENOMEM. Given back by
 * json_object_put().
 */
int ctl_json_parse_object(struct slice text, struct json_object **object,
                          struct buffer *problem) MUST_CHECK;

/* Of a string value; absent for every other kind. Lives as long as the value. */
struct slice ctl_json_slice(struct json_object *value);

/* The member's value: a text that lives as long as the object (NULL when it is missing, no
 * string, or holds a NUL), a number, a truth value (`fallback` when it is missing or of another
 * kind). */
const char *ctl_json_text(struct json_object *object, const char *key);
int64_t ctl_json_integer(struct json_object *object, const char *key, int64_t fallback);
bool ctl_json_boolean(struct json_object *object, const char *key, bool fallback);

#endif
