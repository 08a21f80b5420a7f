/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe: rows as a reference for people.
 */
#ifndef RINGFENCE_CONFIG_DESCRIBE_H
#define RINGFENCE_CONFIG_DESCRIBE_H

#include <stdio.h>

#include "config/schema.h"

enum conf_reference {
    CONF_REFERENCE_YAML,     /* a sample file: every key with its default, commented out */
    CONF_REFERENCE_MARKDOWN, /* docs/configuration.md */
    CONF_REFERENCE_MDOC,     /* the list of a man page */
};

/* Writes the reference of a section and those nested in it. */
void conf_section_describe(const struct conf_section *section, enum conf_reference style,
                           FILE *stream);

#endif
