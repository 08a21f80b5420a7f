/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Benchmarks of the rule engine, one a run, so that none warms memory for another.
 *
 *   rules file PATH | mixed COUNT | compile COUNT | hostile | list FOLDER COUNT
 *
 * With `calls N` before file or mixed, N rounds of calls are evaluated by index only: what a
 * simulator that counts instructions can bear.
 */
#include "rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bench_fail(const char *what)
{
    fprintf(stderr, "rules: %s\n", what);
    exit(1);
}

static unsigned number(const char *text)
{
    uint64_t value;
    if (slice_to_uint64(slice_of_text(text), 100000000, &value) != 0)
        bench_fail("the count is no number up to 100000000");
    return (unsigned)value;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    unsigned rounds = 0;
    bench_counter_open();
    if (strcmp(what, "calls") == 0 && argc == 5) {
        rounds = number(argv[2]);
        argc -= 2;
        argv += 2;
        what = argv[1];
    }
    if (strcmp(what, "file") == 0 && argc == 3)
        bench_evaluate(argv[2], 0, rounds);
    else if (strcmp(what, "mixed") == 0 && argc == 3)
        bench_evaluate(NULL, number(argv[2]), rounds);
    else if (strcmp(what, "compile") == 0 && argc == 3)
        bench_compile(number(argv[2]));
    else if (strcmp(what, "hostile") == 0 && argc == 2)
        bench_hostile();
    else if (strcmp(what, "list") == 0 && argc == 4)
        bench_list(argv[2], number(argv[3]));
    else
        bench_fail("usage: rules file PATH | mixed COUNT | compile COUNT | hostile | "
                   "list FOLDER COUNT");
    return 0;
}
