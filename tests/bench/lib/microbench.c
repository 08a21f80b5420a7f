/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/lib/microbench.h"

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCHES  15
#define BATCH_NS UINT64_C(10000000)

/* Keeps the compiler from leaving the work out. */
static volatile uint64_t sink;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* A counter of this thread's instructions in user mode, or -1. */
static int open_counter(void)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof(attributes),
        .config = PERF_COUNT_HW_INSTRUCTIONS,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int compare(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;
    return (first > second) - (first < second);
}

static uint64_t times_for_batch(const struct microbench_operation *operation, void *context)
{
    for (uint64_t times = 1;; times *= 2) {
        uint64_t begun = now_ns();
        sink = operation->run(context, times);
        if (now_ns() - begun >= BATCH_NS)
            return times;
    }
}

static void print_instructions(const struct microbench_operation *operation, void *context,
                               int counter, uint64_t times)
{
    uint64_t counted = 0;
    if (counter >= 0) {
        ioctl(counter, PERF_EVENT_IOC_RESET, 0);
        ioctl(counter, PERF_EVENT_IOC_ENABLE, 0);
        sink = operation->run(context, times);
        ioctl(counter, PERF_EVENT_IOC_DISABLE, 0);
        if (read(counter, &counted, sizeof(counted)) != sizeof(counted))
            counted = 0;
    }
    if (counted > 0)
        printf("%.1f}\n", (double)counted / (double)times);
    else
        printf("null}\n");
}

static void measure(const struct microbench_operation *operation, void *context, int counter)
{
    double taken[BATCHES];
    uint64_t times = times_for_batch(operation, context);
    for (unsigned i = 0; i < BATCHES; i++) {
        uint64_t begun = now_ns();
        sink = operation->run(context, times);
        taken[i] = (double)(now_ns() - begun) / (double)times;
    }
    qsort(taken, BATCHES, sizeof(taken[0]), compare);
    printf("{\"name\": \"%s\", \"ns\": %.2f, \"ns_median\": %.2f, \"ns_most\": %.2f, "
           "\"instructions\": ",
           operation->name, taken[0], taken[BATCHES / 2], taken[BATCHES - 1]);
    print_instructions(operation, context, counter, times);
    fflush(stdout);
}

int microbench_main(const struct microbench_operation *operations, size_t operation_count,
                    void *context, int count, char **arguments)
{
    bool only = count == 4 && strcmp(arguments[1], MICROBENCH_RUN) == 0;
    int counter = only ? -1 : open_counter();
    for (size_t i = 0; i < operation_count; i++) {
        if (!only)
            measure(&operations[i], context, counter);
        else if (strcmp(operations[i].name, arguments[2]) == 0)
            sink = operations[i].run(context, strtoull(arguments[3], NULL, 10));
    }
    if (counter >= 0)
        close(counter);
    return 0;
}
