/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: finding what carries the same name twice, in n log n.
 */
#ifndef RINGFENCE_CONFIG_NAMES_INT_H
#define RINGFENCE_CONFIG_NAMES_INT_H

#include <stddef.h>

#include "base/slice.h"
#include "config/document.h"

struct conf_name {
    struct slice name;
    const struct conf_node *node;
};

/* Reorders the array. Calls twice() for each node whose name an earlier line (or column) had. */
void conf_names_check(struct conf_name *names, size_t count,
                      void (*twice)(const struct conf_name *again, const struct conf_name *first,
                                    void *argument),
                      void *argument);

#endif
