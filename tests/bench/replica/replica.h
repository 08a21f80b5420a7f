/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Benchmarks of the replica. Each is one run of the program and prints one line of JSON.
 */
#ifndef RINGFENCE_BENCH_REPLICA_H
#define RINGFENCE_BENCH_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reputation/names.h"
#include "reputation/replica.h"

enum { BENCH_NOW_S = 1800000000 };

__attribute__((noreturn)) void bench_fail(const char *what);

/* Nanoseconds of a clock that runs steadily, and of this thread's processor time. */
uint64_t bench_now_ns(void);
uint64_t bench_busy_ns(void);

/* Bytes that the process has in memory, and at most had since it began. */
uint64_t bench_resident(void);
uint64_t bench_resident_peak(void);

/* The i-th number: distinct for i < 10^10, in no order. */
uint64_t bench_packed(uint64_t i);
struct rep_entry bench_entry(uint64_t i);

struct rep_replica *bench_replica(uint64_t numbers);
/* Numbers 0..count-1 and one prefix for each fifty of them. */
void bench_fill(struct rep_replica *replica, uint64_t count);

/* How long each of many steps took. */
struct bench_steps {
    uint64_t count, total_ns, worst_ns;
    uint64_t below[40]; /* [i]: steps below 2^i ns */
};

void bench_step(struct bench_steps *steps, uint64_t ns);
/* The bound that a share of the steps stays below, a power of two. */
uint64_t bench_share_ns(const struct bench_steps *steps, double share);

void bench_growth(uint64_t numbers);
void bench_lookups(uint64_t numbers);
void bench_rescan(uint64_t numbers);
void bench_saved(const char *folder, uint64_t numbers);

#endif
