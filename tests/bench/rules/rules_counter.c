/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "rules.h"

static int counter = -1;

void bench_counter_open(void)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof(attributes),
        .config = PERF_COUNT_HW_INSTRUCTIONS,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    counter = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static uint64_t instructions(void)
{
    uint64_t count = 0;
    return counter >= 0 && read(counter, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* Of this thread alone: other work on the machine is no part of the figure. */
static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void bench_span_begin(struct bench_span *span)
{
    span->instructions = instructions();
    span->nanoseconds = now_ns();
}

void bench_span_end(struct bench_span *span)
{
    span->nanoseconds = now_ns() - span->nanoseconds;
    span->instructions = instructions() - span->instructions;
}

uint64_t bench_resident_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &total, &resident) != 2)
        bench_fail("/proc/self/statm cannot be read");
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
