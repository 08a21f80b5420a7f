/* SPDX-License-Identifier: Apache-2.0 */
/*
 * document: what its own modules share.
 */
#ifndef RINGFENCE_CONFIG_DOCUMENT_INT_H
#define RINGFENCE_CONFIG_DOCUMENT_INT_H

#include <yaml.h>

#include "base/arena.h"
#include "config/document.h"
#include "source_int.h"

struct conf_document {
    struct arena *arena;
    char *name;
    struct conf_source source;
    const struct conf_node *root;
};

/* Reports what libyaml found wrong, in words that say what to do. */
void conf_yaml_problem(const struct conf_source *source, const yaml_parser_t *parser,
                       struct conf_report *report);

#endif
