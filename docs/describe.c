/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe: prints the reference of all settings from their rows, for `make docs`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/describe.h"
#include "daemon/settings.h"

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        enum conf_reference style;
    } styles[] = {
        {"yaml", CONF_REFERENCE_YAML},
        {"markdown", CONF_REFERENCE_MARKDOWN},
        {"mdoc", CONF_REFERENCE_MDOC},
    };

    for (size_t i = 0; count == 2 && i < sizeof(styles) / sizeof(styles[0]); i++) {
        if (strcmp(arguments[1], styles[i].name) != 0)
            continue;
        conf_section_describe(&daemon_section, styles[i].style, stdout);
        return EXIT_SUCCESS;
    }
    fprintf(stderr, "usage: describe yaml|markdown|mdoc\n");
    return EXIT_FAILURE;
}
