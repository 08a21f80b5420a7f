/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal: entries with fields for journald.
 */
#ifndef RINGFENCE_RUNTIME_JOURNAL_H
#define RINGFENCE_RUNTIME_JOURNAL_H

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

enum { RT_JOURNAL_FIELDS = 16 };

/* Upper-case letters, digits and '_'; the value may be any bytes. */
struct rt_journal_field {
    const char *name;
    struct slice value;
};

/* One entry. May wait for journald. ERROR_UNAVAILABLE when there is none; ERROR_LIMIT beyond
 * RT_JOURNAL_FIELDS or some 20 KiB; -errno. */
int rt_journal_send(const struct rt_journal_field *fields, size_t count) MUST_CHECK;

#endif
