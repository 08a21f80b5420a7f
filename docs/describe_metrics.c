/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe_metrics: prints the table of metrics from their rows, for `make docs`.
 */
#include <stdio.h>
#include <stdlib.h>

#include "stats/openmetrics.h"

static void print_metric(void *argument, const char *name, const char *type, const char *label,
                         const char *help)
{
    (void)argument;
    printf("| `%s` | %s | ", name, type);
    if (label != NULL)
        printf("`%s`", label);
    printf(" | %s |\n", help);
}

int main(void)
{
    printf("| name | type | label | what it is |\n|---|---|---|---|\n");
    stats_metrics_describe(print_metric, NULL);
    return EXIT_SUCCESS;
}
