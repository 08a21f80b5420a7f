/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault: what is wrong with one condition, and where in its text.
 *
 * Only the first fault counts: those that follow from it would confuse.
 */
#ifndef RINGFENCE_RULES_FAULT_INT_H
#define RINGFENCE_RULES_FAULT_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct rule_fault {
    bool set;
    size_t offset; /* bytes into the condition */
    size_t length;
    char message[384];
    char expected[256];
    char hint[256];
};

/* Offset and length are those of `at`, a part of `whole`. Does nothing when a fault is set. */
void rule_fault_set(struct rule_fault *fault, struct slice whole, struct slice at,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Belong to the fault that the rule_fault_set() just before set, so a function that reports must
 * return at once; each is taken once. */
void rule_fault_expect(struct rule_fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rule_fault_hint(struct rule_fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
