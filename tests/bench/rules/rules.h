/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules: what the benchmarks of the rule engine share. Figures leave as one line of JSON each.
 */
#ifndef RINGFENCE_BENCH_RULES_H
#define RINGFENCE_BENCH_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "rules/evaluate.h"
#include "rules/ruleset.h"
#include "unit/rules/fixture.h"

/* ---- rules_counter.c: what a stretch of work took -------------------------------------------- */

struct bench_span {
    uint64_t nanoseconds;
    uint64_t instructions; /* in user space; 0 when they cannot be counted here */
};

void bench_counter_open(void);
void bench_span_begin(struct bench_span *span);
void bench_span_end(struct bench_span *span);
/* Resident memory of the process. */
uint64_t bench_resident_bytes(void);

/* ---- rules_sets.c: rules and calls ----------------------------------------------------------- */

enum { BENCH_CALLS = 64 };

/* Ends the program with the report when there is an error. */
struct rule_set *bench_load(const char *const *paths, size_t count);
struct rule_set *bench_parse(const char *text, size_t length);
/* The text of `count` rules of mixed kinds, malloc()ed. */
char *bench_mixed_rules(unsigned count, size_t *length);
/* BENCH_CALLS calls, malloc()ed; one in eight withholds its number. */
struct fixture_call *bench_calls(void);

/* ---- the benchmarks -------------------------------------------------------------------------- */

/* rules_evaluate.c: rules from a file, or so many mixed ones (path == NULL). rounds: of BENCH_CALLS
 * calls, by index and not timed; 0: as many as it takes. */
void bench_evaluate(const char *path, unsigned count, unsigned rounds);
/* Checking and compiling so many mixed rules. */
void bench_compile(unsigned count);
/* A long display name against an expensive regular expression. */
void bench_hostile(void);
/* rules_lists.c: a file with so many numbers, in the folder. */
void bench_list(const char *folder, unsigned count);

_Noreturn void bench_fail(const char *what);

#endif
