/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_schema: rows as a JSON Schema, with which editors complete and check while one types.
 *
 * The schema accepts every file that the loader accepts, and refuses what a schema can refuse:
 * unknown and missing keys, kinds of values, choices, numbers out of range. What hangs on several
 * values, or on their meaning, stays with `ringfence check`.
 */
#ifndef RINGFENCE_CONFIG_JSON_SCHEMA_H
#define RINGFENCE_CONFIG_JSON_SCHEMA_H

#include <stdio.h>

#include "config/schema.h"

/* The values of a format that refers to it by name (struct conf_format). */
struct conf_definition {
    const char *name; /* NULL ends a table */
    const char *json; /* a schema */
};

/* Draft 7, which YAML language servers know best. definitions may be NULL. */
void conf_section_json_schema(const struct conf_section *section, const char *title,
                              const struct conf_definition *definitions, FILE *stream);

#endif
