/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stddef.h>
#include <string.h>

static const struct {
    int code;
    const char *text;
} error_rows[] = {
#define ERROR_ROW(name, value, text) {(value), (text)},
    ERROR_TABLE(ERROR_ROW)
#undef ERROR_ROW
};

const char *error_text(int code)
{
    for (size_t i = 0; i < sizeof(error_rows) / sizeof(error_rows[0]); i++)
        if (error_rows[i].code == code)
            return error_rows[i].text;

    /* Unlike strerror(), it is thread-safe and independent of the locale. */
    const char *text = code <= 0 && code > -1000 ? strerrordesc_np(-code) : NULL;
    return text != NULL ? text : "unknown error";
}
