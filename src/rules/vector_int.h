/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vector: arrays that grow while a set is built.
 */
#ifndef RINGFENCE_RULES_VECTOR_INT_H
#define RINGFENCE_RULES_VECTOR_INT_H

#include <stddef.h>

#include "base/error.h"

/* An array of items of one size; zero it, with the size set. */
struct rule_vector {
    void *items;
    size_t count;
    size_t capacity; /* items that there is room for */
    size_t size;     /* of one item, in bytes */
};

#define RULE_VECTOR_OF(type) ((struct rule_vector){.size = sizeof(type)})

/* Room for `count` more items behind the last one, which are not counted yet; -ENOMEM. */
int rule_vector_reserve(struct rule_vector *vector, size_t count) MUST_CHECK;

/* Copies one item to the end. */
int rule_vector_push(struct rule_vector *vector, const void *item) MUST_CHECK;

/* Frees the array and leaves the vector empty. */
void rule_vector_clear(struct rule_vector *vector);

#endif
