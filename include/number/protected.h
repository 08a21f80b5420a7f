/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protected: hotlines, police and banks whose numbers fraudsters borrow and which must be
 * reachable.
 *
 * As callee such a line always passes; as caller it counts only on a trunk that says it originates
 * it. The set is immutable once created and may be shared by threads.
 */
#ifndef RINGFENCE_NUMBER_PROTECTED_H
#define RINGFENCE_NUMBER_PROTECTED_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "number/normalise.h"

struct num_protected_line {
    uint64_t packed;
    const char *name; /* who answers there, in English; of the set */
    const char *kind; /* "police", "hotline", "bank", "operator", ...; of the set */
};

/* One line that the configuration adds. */
struct num_protected_extra {
    struct slice number; /* E.164 with '+', service codes as +8695588; separators are allowed */
    struct slice name;
};

struct num_protected;

/*
 * countries: ISO codes whose built-in lines are wanted; one without any is no error. Everything is
 * copied. -EINVAL: extra[*bad] is no number (bad may be NULL); ERROR_NOT_FOUND: countries[*bad] is
 * no country; -ENOMEM. An extra that repeats a built-in line renames it.
 */
int num_protected_create(const struct slice *countries, size_t country_count,
                         const struct num_protected_extra *extra, size_t extra_count, size_t *bad,
                         struct num_protected **out) MUST_CHECK;

/* NULL when it is none. A number that only imitates a line is none. */
const struct num_protected_line *num_protected_find(const struct num_protected *set,
                                                    const struct num_number *number);

/* For number->imitated: which line is being imitated. */
const struct num_protected_line *num_protected_find_packed(const struct num_protected *set,
                                                           uint64_t packed);

size_t num_protected_count(const struct num_protected *set);

/* In ascending order of the packed number; index < count. */
const struct num_protected_line *num_protected_at(const struct num_protected *set, size_t index);

/* NULL is allowed. */
void num_protected_destroy(struct num_protected *set);

#endif
