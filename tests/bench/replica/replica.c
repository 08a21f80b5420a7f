/* SPDX-License-Identifier: Apache-2.0 */
/* One benchmark a run, so that none warms memory for another. */
#include "replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/slice.h"

void bench_fail(const char *what)
{
    fprintf(stderr, "replica: %s\n", what);
    exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t bench_busy_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static uint64_t status_kilobytes(const char *field)
{
    char line[256];
    uint64_t value = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL)
        bench_fail("no /proc/self/status");
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            value = strtoull(line + strlen(field), NULL, 10);
    fclose(file);
    return value * 1024;
}

uint64_t bench_resident(void)
{
    return status_kilobytes("VmRSS:");
}

uint64_t bench_resident_peak(void)
{
    return status_kilobytes("VmHWM:");
}

/* Multiplication by a number without a common factor permutes 0..10^10-1. */
uint64_t bench_packed(uint64_t i)
{
    return UINT64_C(18600000000000) + 10000000000 +
           i * UINT64_C(7182818283) % UINT64_C(10000000000);
}

struct rep_entry bench_entry(uint64_t i)
{
    return (struct rep_entry){.score = (int8_t)(i % 101),
                              .list = (uint8_t)(i % 4),
                              .type = (uint8_t)(i % 20),
                              .source = (uint8_t)(i % 5),
                              .expires_s = i % 3 == 0 ? BENCH_NOW_S + 86400 + i % 100000 : 0};
}

struct rep_replica *bench_replica(uint64_t numbers)
{
    struct rep_replica_options options = {.seed = {17, 19}};
    struct rep_replica *replica;
    if (numbers > 16000000)
        options.capacity = numbers;
    if (rep_replica_create(&options, &replica) != 0)
        bench_fail("no memory");
    return replica;
}

void bench_fill(struct rep_replica *replica, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct rep_key key = {.kind = REP_KIND_NUMBER, .packed = bench_packed(i)};
        struct rep_entry entry = bench_entry(i);
        int code = rep_replica_set(replica, &key, &entry, NULL);
        if (code == 0 && i % 50 == 0) {
            key = (struct rep_key){.kind = REP_KIND_PREFIX, .packed = bench_packed(i) / 1000};
            code = rep_replica_set(replica, &key, &entry, NULL);
        }
        if (code != 0)
            bench_fail("the replica is full");
    }
}

void bench_step(struct bench_steps *steps, uint64_t ns)
{
    steps->count++;
    steps->total_ns += ns;
    if (ns > steps->worst_ns)
        steps->worst_ns = ns;
    unsigned bits = ns == 0 ? 0 : 64 - (unsigned)__builtin_clzll(ns);
    steps->below[bits < 39 ? bits : 39]++;
}

uint64_t bench_share_ns(const struct bench_steps *steps, double share)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < 40; i++) {
        seen += steps->below[i];
        if ((double)seen >= share * (double)steps->count)
            return UINT64_C(1) << i;
    }
    return steps->worst_ns;
}

static uint64_t number(const char *text)
{
    uint64_t value;
    if (slice_to_uint64(slice_of_text(text), 200000000, &value) != 0 || value < 1000)
        bench_fail("the count is no number from 1000 to 200000000");
    return value;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "growth") == 0 && argc == 3)
        bench_growth(number(argv[2]));
    else if (strcmp(what, "lookups") == 0 && argc == 3)
        bench_lookups(number(argv[2]));
    else if (strcmp(what, "rescan") == 0 && argc == 3)
        bench_rescan(number(argv[2]));
    else if (strcmp(what, "saved") == 0 && argc == 4)
        bench_saved(argv[2], number(argv[3]));
    else
        bench_fail("usage: replica growth|lookups|rescan COUNT | saved FOLDER COUNT");
    return 0;
}
