/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index against trying every rule: the bytes choose a rule file and calls, and both ways must
 * say the same of every call. When the bytes are used up, a generator chooses on.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/report.h"
#include "rules/evaluate.h"
#include "rules/ruleset.h"
#include "unit/rules/random_rules.h"
#include "unit/rules/same_outcome.h"

enum { CALLS = 8, RULES = 24, TEXT_MAX = 256 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct rule_set *set, struct rule_scratch *scratch,
                    struct choices *choices)
{
    static struct fixture_call call;
    static struct rule_outcome indexed, plain;
    static const unsigned unknowns[] = {0, 2, 5, 20};
    random_call(choices, unknowns[choose(choices, 4)], &call);
    struct rule_inputs inputs = fixture_inputs(&call);
    inputs.skip_regex = choose(choices, 10) == 0;
    rule_set_evaluate(set, scratch, &inputs, UINT64_C(1795392000000000), NULL, &indexed);
    rule_set_evaluate_plain(set, scratch, &inputs, UINT64_C(1795392000000000), &plain);
    const char *difference = outcome_difference(&indexed, &plain);
    if (difference == NULL)
        return;
    fprintf(stderr, "they differ in %s\n", difference);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char memory[TEXT_MAX];
    struct choices choices = {.bytes = data, .count = size};
    struct buffer text = buffer_over(memory, sizeof(memory));
    struct conf_report *report = NULL;
    struct rule_scratch *scratch = NULL;
    struct rule_set *set = NULL;

    random_seed(&choices.random, size);
    random_rules(&choices, 1 + choose(&choices, RULES), &text);
    const struct rule_source source = {"index.yaml", buffer_slice(&text)};
    if (text.overflow || conf_report_create(&report) != 0)
        return 0;
    int error = rule_set_parse(&fixture_catalogue, &source, 1, report, &set);
    if (error == ERROR_CONFIG) {
        conf_report_print(report, stderr, false);
        abort();
    }
    if (error == 0 && rule_scratch_create(&scratch) == 0)
        for (unsigned i = 0; i < CALLS; i++)
            compare(set, scratch, &choices);
    rule_scratch_destroy(scratch);
    rule_set_destroy(set);
    conf_report_destroy(report);
    return 0;
}
