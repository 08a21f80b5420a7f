/* SPDX-License-Identifier: Apache-2.0 */
/*
 * microbench: nanoseconds and instructions of small operations.
 *
 * Time is that of the fastest of several batches, each long enough for the clock: whatever disturbs
 * only adds. Its median and most tell how much. Instructions are counted by
 * the processor where the kernel lets us (perf_event_open); virtual machines often have no such
 * counter. Then MICROBENCH_RUN, NAME, TIMES as arguments make the program do nothing but run one
 * operation so many times, so that an emulator (valgrind --tool=callgrind) can count.
 */
#ifndef RINGFENCE_BENCH_MICROBENCH_H
#define RINGFENCE_BENCH_MICROBENCH_H

#include <stddef.h>
#include <stdint.h>

#define MICROBENCH_RUN "--run"

struct microbench_operation {
    const char *name;
    /* Does it `times` times and returns something that depends on the results. */
    uint64_t (*run)(void *context, uint64_t times);
};

/* Measures each and prints a line of JSON for it: name, ns, ns_median, ns_most, instructions (null
 * when they cannot be counted). Returns the program's exit status. */
int microbench_main(const struct microbench_operation *operations, size_t operation_count,
                    void *context, int count, char **arguments);

#endif
