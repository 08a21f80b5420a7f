/* SPDX-License-Identifier: Apache-2.0 */
#include "fault_int.h"

#include <stdarg.h>
#include <stdio.h>

void rule_fault_set(struct rule_fault *fault, struct slice whole, struct slice at,
                    const char *format, ...)
{
    if (fault->set)
        return;
    fault->set = true;
    fault->offset = (size_t)(at.data - whole.data);
    fault->length = at.length;

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
