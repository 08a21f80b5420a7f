/* SPDX-License-Identifier: Apache-2.0 */
#include "fault_int.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

void rule_fault_set(struct rule_fault *fault, struct slice whole, struct slice at,
                    const char *format, ...)
{
    if (fault->set)
        return;
    fault->set = true;
    /* What a name was expanded to stands elsewhere; the whole text is to blame then. */
    bool within = (uintptr_t)at.data >= (uintptr_t)whole.data &&
                  (uintptr_t)at.data <= (uintptr_t)slice_past(whole);
    fault->offset = within ? (size_t)(at.data - whole.data) : 0;
    fault->length = within ? at.length : whole.length;

    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fault->message, sizeof(fault->message), format, arguments);
    va_end(arguments);
}

void rule_fault_expect(struct rule_fault *fault, const char *format, ...)
{
    if (fault->expected[0] != '\0')
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fault->expected, sizeof(fault->expected), format, arguments);
    va_end(arguments);
}

void rule_fault_hint(struct rule_fault *fault, const char *format, ...)
{
    if (fault->hint[0] != '\0')
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fault->hint, sizeof(fault->hint), format, arguments);
    va_end(arguments);
}
