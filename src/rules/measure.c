/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "index_int.h"
#include "rules/evaluate.h"
#include "ruleset_int.h"

/* Less than this is measured by running the rule so often: reading the clock takes some 20 ns. */
enum { CHEAP_NS = 1000, REPETITIONS = 16 };

struct measurement {
    const struct rule_set *set;
    struct rule_scratch *scratch;
    const struct rule_inputs *inputs;
    const struct rule_meter *meter;
    uint32_t from;
    uint32_t measured;
    uint32_t next; /* where another measurement may go on */
};

static void run(const struct measurement *measurement, const struct rule_entry *entry)
{
    const struct rule_program *program = &measurement->set->program;
    enum rule_result result =
        rule_program_run(program, entry->span, measurement->inputs, measurement->scratch);
    if (result == RULE_TRUE && entry->card != NULL)
        (void)rule_card_points(entry->card, program, measurement->inputs, measurement->scratch);
}

/* The first run also fetches what no other rule has asked for, so it only tells whether the rule is
 * cheap; an expensive one is not run that often again. */
static uint64_t time_of(const struct measurement *measurement, const struct rule_entry *entry)
{
    uint64_t (*clock_ns)(void) = measurement->meter->clock_ns;
    uint64_t begun = clock_ns();
    run(measurement, entry);
    uint64_t ended = clock_ns();
    if (ended - begun >= CHEAP_NS)
        return ended - begun;
    for (unsigned i = 0; i < REPETITIONS; i++)
        run(measurement, entry);
    return (clock_ns() - ended) / REPETITIONS;
}

static void measure(struct measurement *measurement, uint32_t rule)
{
    const struct rule_entry *entry =
        (const struct rule_entry *)measurement->set->entries.items + rule;
    if (rule < measurement->from || measurement->measured == RULE_MEASURED_MAX ||
        rule_entry_asked(entry, measurement->scratch->now_us) != RULE_TRUE)
        return;
    const struct rule_meter *meter = measurement->meter;
    meter->rule(meter->context, rule, time_of(measurement, entry));
    measurement->next = ++measurement->measured == RULE_MEASURED_MAX ? rule + 1 : 0;
}

uint32_t rule_set_measure(const struct rule_set *set, struct rule_scratch *scratch,
                          const struct rule_inputs *inputs, uint64_t wall_us, uint32_t from,
                          const struct rule_meter *meter)
{
    struct measurement measurement = {set, scratch, inputs, meter, from, 0, 0};
    scratch->now_us = wall_us > INT64_MAX ? INT64_MAX : (int64_t)wall_us;
    if (set->index == NULL) {
        for (uint32_t rule = 0; rule < set->entries.count; rule++)
            measure(&measurement, rule);
        return measurement.next;
    }
    struct rule_outcome ignored;
    struct rule_search search;
    rule_outcome_start(&ignored);
    rule_index_start(&search, set, inputs, scratch, &ignored);
    rule_index_search(&search);
    /* All of them: the candidates must be empty afterwards. */
    for (uint32_t rule; rule_candidates_take(scratch->candidates, &rule);)
        measure(&measurement, rule);
    return measurement.next;
}
