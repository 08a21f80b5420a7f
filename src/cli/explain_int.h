/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain: an explanation as the daemon gives it, for people.
 */
#ifndef RINGFENCE_CLI_EXPLAIN_INT_H
#define RINGFENCE_CLI_EXPLAIN_INT_H

#include <json-c/json.h>

#include "cli_int.h"
#include "control/json.h"

enum { EXPLAIN_COLUMNS = 96, EXPLAIN_VALUE_BYTES = 512 };

/* How it is shown. */
struct explain_view {
    const struct cli_output *output;
    bool chinese; /* titles */
    bool all;     /* every change that was found */
};

/* The whole of it. */
void explain_show(const struct explain_view *view, struct json_object *object);

/* explain_rules.c: rules that fired, came near or are unknown. */
void explain_show_rules(const struct explain_view *view, struct json_object *object);

/* The title in the language wanted, or else in the other; NULL without one. */
const char *explain_title(const struct explain_view *view, struct json_object *rule);

/* A heading on a line of its own. */
void explain_heading(const struct explain_view *view, const char *text);

/* Words from column `at` on, `indent` columns in from the second line on; ends the line. */
void explain_wrap(const struct explain_view *view, enum cli_style style, size_t at, size_t indent,
                  struct slice text);

/* Items of an array member; 0 when there is none. */
size_t explain_count(struct json_object *object, const char *key);
struct json_object *explain_item(struct json_object *object, const char *key, size_t index);

#endif
