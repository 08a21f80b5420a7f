/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_LOG2 4
#define STEPS      (1U << STEPS_LOG2)
#define BUCKETS    (64 * STEPS)

struct generator_delays {
    uint64_t count;
    uint64_t buckets[BUCKETS];
};

void results_init(struct generator_results *results)
{
    memset(results, 0, sizeof(*results));
    results->to_trying = generator_zeroed(1, sizeof(struct generator_delays));
    results->to_ringing = generator_zeroed(1, sizeof(struct generator_delays));
    results->to_ringing_lately = generator_zeroed(1, sizeof(struct generator_delays));
    results->to_refusal = generator_zeroed(1, sizeof(struct generator_delays));
}

static unsigned bucket_of(uint64_t ns)
{
    if (ns < STEPS)
        return (unsigned)ns;
    unsigned exponent = 63U - (unsigned)__builtin_clzll(ns);
    return exponent * STEPS + (unsigned)((ns >> (exponent - STEPS_LOG2)) & (STEPS - 1));
}

/* The middle of a bucket in microseconds. */
static double middle_of(unsigned bucket)
{
    if (bucket < STEPS)
        return bucket / 1e3;
    unsigned shift = bucket / STEPS - STEPS_LOG2;
    double width = (double)(UINT64_C(1) << shift);
    return ((double)(STEPS + bucket % STEPS) + 0.5) * width / 1e3;
}

void results_delay(struct generator_delays *delays, uint64_t ns)
{
    delays->buckets[bucket_of(ns)]++;
    delays->count++;
}

static double percentile(const struct generator_delays *delays, double share)
{
    uint64_t wanted = (uint64_t)((double)delays->count * share);
    uint64_t seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += delays->buckets[i];
        if (seen > wanted)
            return middle_of(i);
    }
    return 0;
}

static void print_delays(const char *name, const struct generator_delays *delays)
{
    printf(", \"%s\": {\"count\": %llu", name, (unsigned long long)delays->count);
    if (delays->count > 0)
        printf(", \"p50\": %.2f, \"p99\": %.2f, \"p999\": %.2f", percentile(delays, 0.5),
               percentile(delays, 0.99), percentile(delays, 0.999));
    putchar('}');
}

static void print_statuses(const struct generator_results *results)
{
    const char *between = "";
    printf(", \"statuses\": {");
    for (unsigned i = 0; i < RESULT_STATUSES; i++) {
        if (results->statuses[i] == 0)
            continue;
        printf("%s\"%u\": %llu", between, i, (unsigned long long)results->statuses[i]);
        between = ", ";
    }
    putchar('}');
}

void results_mark(struct generator_results *results, uint64_t now)
{
    printf("{\"event\": \"mark\", \"at\": %.6f, \"started\": %llu, \"ok\": %llu, \"failed\": %llu",
           (double)now / 1e9, (unsigned long long)results->started, (unsigned long long)results->ok,
           (unsigned long long)results->failed);
    print_delays("to_ringing_us", results->to_ringing_lately);
    printf("}\n");
    fflush(stdout);
    memset(results->to_ringing_lately, 0, sizeof(*results->to_ringing_lately));
}

void results_print(const struct generator_results *results)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"ok", results->ok},
        {"blocked", results->blocked},
        {"failed", results->failed},
        {"timed_out", results->timed_out},
        {"unfinished", results->unfinished},
        {"no_room", results->no_room},
        {"invite_repeats", results->invite_repeats},
        {"answer_repeats", results->answer_repeats},
        {"bye_repeats", results->bye_repeats},
        {"strays", results->strays},
        {"invites", results->invites},
        {"marked", results->marked},
        {"late", results->late},
        {"datagrams_lost", network_count(NETWORK_LOST)},
        {"datagrams_doubled", network_count(NETWORK_DOUBLED)},
        {"datagrams_late", network_count(NETWORK_LATE)},
        {"concurrent_most", results->concurrent_most},
        {"completed_between", results->completed_between},
    };
    printf("{\"event\": \"result\", \"started\": %llu", (unsigned long long)results->started);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        printf(", \"%s\": %llu", rows[i].name, (unsigned long long)rows[i].value);
    printf(", \"seconds_between\": %.6f, \"own_cpu_between\": %.6f", results->seconds_between,
           results->own_cpu_between);
    print_statuses(results);
    print_delays("to_trying_us", results->to_trying);
    print_delays("to_ringing_us", results->to_ringing);
    print_delays("to_refusal_us", results->to_refusal);
    printf("}\n");
}

void results_free(struct generator_results *results)
{
    free(results->to_trying);
    free(results->to_ringing);
    free(results->to_ringing_lately);
    free(results->to_refusal);
}
