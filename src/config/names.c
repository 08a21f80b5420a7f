/* SPDX-License-Identifier: Apache-2.0 */
#include "names_int.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct conf_name *left = a;
    const struct conf_name *right = b;
    size_t length = left->name.length < right->name.length ? left->name.length : right->name.length;
    int order = length > 0 ? memcmp(left->name.data, right->name.data, length) : 0;

    if (order != 0)
        return order;
    if (left->name.length != right->name.length)
        return left->name.length < right->name.length ? -1 : 1;
    return left->node->offset < right->node->offset ? -1 : 1;
}

void conf_names_check(struct conf_name *names, size_t count,
                      void (*twice)(const struct conf_name *again, const struct conf_name *first,
                                    void *argument),
                      void *argument)
{
    const struct conf_name *first = names;

    if (count < 2)
        return;
    qsort(names, count, sizeof(names[0]), compare);
    for (size_t i = 1; i < count; i++) {
        if (slice_equal(names[i].name, first->name))
            twice(&names[i], first, argument);
        else
            first = &names[i];
    }
}
