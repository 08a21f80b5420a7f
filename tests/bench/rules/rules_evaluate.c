/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"

#define NOW_US UINT64_C(1795392000000000)

enum { ROUNDS = 7, ROUND_NS = 100000000, HOSTILE_BYTES = 256 };

typedef void evaluate_fn(const struct rule_set *set, struct rule_scratch *scratch,
                         const struct rule_inputs *inputs, struct rule_outcome *outcome);

static void indexed(const struct rule_set *set, struct rule_scratch *scratch,
                    const struct rule_inputs *inputs, struct rule_outcome *outcome)
{
    rule_set_evaluate(set, scratch, inputs, NOW_US, NULL, outcome);
}

static void plain(const struct rule_set *set, struct rule_scratch *scratch,
                  const struct rule_inputs *inputs, struct rule_outcome *outcome)
{
    rule_set_evaluate_plain(set, scratch, inputs, NOW_US, outcome);
}

struct sums {
    uint64_t calls;
    uint64_t tried;
    uint64_t fired;
    uint64_t unknown;
};

static void run_calls(const struct rule_set *set, struct rule_scratch *scratch,
                      struct fixture_call *calls, evaluate_fn *evaluate, struct sums *sums)
{
    static struct rule_outcome outcome;
    for (unsigned i = 0; i < BENCH_CALLS; i++) {
        const struct rule_inputs inputs = fixture_inputs(&calls[i]);
        evaluate(set, scratch, &inputs, &outcome);
        sums->tried += outcome.tried;
        sums->fired += outcome.fired_total;
        sums->unknown += outcome.unknown_total;
    }
    sums->calls += BENCH_CALLS;
}

/* The best round: what disturbs a round only ever adds. */
static void measure(const struct rule_set *set, evaluate_fn *evaluate, const char *name)
{
    struct rule_scratch *scratch = NULL;
    struct fixture_call *calls = bench_calls();
    double best_ns = 0, best_instructions = 0;
    struct sums sums = {0, 0, 0, 0};
    if (rule_scratch_create(&scratch) != 0)
        bench_fail("out of memory");
    run_calls(set, scratch, calls, evaluate, &sums);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct bench_span span, whole;
        uint64_t spent = 0, counted = 0, done = 0;
        bench_span_begin(&whole);
        while (spent < ROUND_NS) {
            bench_span_begin(&span);
            run_calls(set, scratch, calls, evaluate, &sums);
            bench_span_end(&span);
            spent += span.nanoseconds;
            counted += span.instructions;
            done += BENCH_CALLS;
        }
        double ns = (double)spent / (double)done;
        if (round == 0 || ns < best_ns)
            best_ns = ns;
        best_instructions = (double)counted / (double)done;
    }
    printf("\"%s\": {\"ns\": %.1f, \"instructions\": %.0f, \"tried\": %.1f, \"fired\": %.2f, "
           "\"unknown\": %.1f}",
           name, best_ns, best_instructions, (double)sums.tried / (double)sums.calls,
           (double)sums.fired / (double)sums.calls, (double)sums.unknown / (double)sums.calls);
    rule_scratch_destroy(scratch);
    free(calls);
}

static void run_rounds(const struct rule_set *set, unsigned rounds)
{
    struct rule_scratch *scratch = NULL;
    struct fixture_call *calls = bench_calls();
    struct sums sums = {0, 0, 0, 0};
    if (rule_scratch_create(&scratch) != 0)
        bench_fail("out of memory");
    for (unsigned round = 0; round < rounds; round++)
        run_calls(set, scratch, calls, indexed, &sums);
    printf("{\"rules\": %zu, \"calls\": %llu}\n", rule_set_count(set),
           (unsigned long long)sums.calls);
    rule_scratch_destroy(scratch);
    free(calls);
}

void bench_evaluate(const char *path, unsigned count, unsigned rounds)
{
    struct rule_set *set;
    if (path != NULL) {
        set = bench_load(&path, 1);
    } else {
        size_t length;
        char *text = bench_mixed_rules(count, &length);
        set = bench_parse(text, length);
        free(text);
    }
    if (rounds > 0) {
        run_rounds(set, rounds);
    } else {
        printf("{\"rules\": %zu, ", rule_set_count(set));
        measure(set, indexed, "indexed");
        printf(", ");
        measure(set, plain, "plain");
        printf("}\n");
    }
    rule_set_destroy(set);
}

void bench_compile(unsigned count)
{
    size_t length;
    char *text = bench_mixed_rules(count, &length);
    struct bench_span span;
    uint64_t resident = bench_resident_bytes();
    bench_span_begin(&span);
    struct rule_set *set = bench_parse(text, length);
    bench_span_end(&span);
    printf("{\"rules\": %u, \"milliseconds\": %.1f, \"instructions\": %llu, \"bytes\": %llu}\n",
           count, (double)span.nanoseconds / 1e6, (unsigned long long)span.instructions,
           (unsigned long long)(bench_resident_bytes() - resident));
    rule_set_destroy(set);
    free(text);
}

void bench_hostile(void)
{
    static const char text[] = "rules:\n  - {id: a, score: 1, when: 'caller.display matches "
                               "/^(([a-z])+.)+[A-Z]([a-z])+$/'}\n";
    static struct fixture_call call;
    static struct rule_outcome outcome;
    char display[HOSTILE_BYTES];
    struct rule_scratch *scratch = NULL;
    struct bench_span span;
    uint16_t feature;
    memset(display, 'a', sizeof(display));
    if (!rule_catalogue_find(&fixture_catalogue, SLICE("caller.display"), &feature) ||
        rule_scratch_create(&scratch) != 0)
        bench_fail("out of memory");
    struct rule_set *set = bench_parse(text, sizeof(text) - 1);
    call.values[feature] = rule_text(slice_make(display, sizeof(display)));
    const struct rule_inputs inputs = fixture_inputs(&call);
    indexed(set, scratch, &inputs, &outcome);
    bench_span_begin(&span);
    indexed(set, scratch, &inputs, &outcome);
    bench_span_end(&span);
    printf("{\"bytes\": %zu, \"microseconds\": %.1f, \"instructions\": %llu, \"result\": \"%s\", "
           "\"limited\": %u}\n",
           sizeof(display), (double)span.nanoseconds / 1e3, (unsigned long long)span.instructions,
           outcome.unknown_total == 1 ? "unknown"
           : outcome.fired_total == 1 ? "fires"
                                      : "no",
           outcome.regex_limited);
    rule_set_destroy(set);
    rule_scratch_destroy(scratch);
}
