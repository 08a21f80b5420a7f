/* SPDX-License-Identifier: Apache-2.0 */
#include "vector_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

int rule_vector_reserve(struct rule_vector *vector, size_t count)
{
    if (count <= vector->capacity - vector->count)
        return 0;
    size_t capacity = vector->capacity > 0 ? vector->capacity * 2 : FIRST_CAPACITY;
    if (capacity < vector->count + count)
        capacity = vector->count + count;
    void *items = reallocarray(vector->items, capacity, vector->size);
    if (items == NULL)
        return -ENOMEM;
    vector->items = items;
    vector->capacity = capacity;
    return 0;
}

int rule_vector_push(struct rule_vector *vector, const void *item)
{
    int error = rule_vector_reserve(vector, 1);
    if (error != 0)
        return error;
    memcpy((char *)vector->items + vector->count * vector->size, item, vector->size);
    vector->count++;
    return 0;
}

void rule_vector_clear(struct rule_vector *vector)
{
    free(vector->items);
    vector->items = NULL;
    vector->count = 0;
    vector->capacity = 0;
}
