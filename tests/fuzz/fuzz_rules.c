/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule file from anywhere: loaded, its own tests run, and evaluated on calls with all kinds of
 * values. What must hold: no crash, an error code exactly when the report has an error, and a score
 * within its bounds.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/random.h"
#include "config/report.h"
#include "rules/evaluate.h"
#include "rules/ruleset.h"
#include "unit/rules/fixture.h"

enum { CALLS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct rule_value some_value(enum rule_type type, struct random_state *random)
{
    static const struct slice texts[] = {
        SLICE_LITERAL(""),        SLICE_LITERAL("international"),    SLICE_LITERAL("CN"),
        SLICE_LITERAL("+86138"),  SLICE_LITERAL("\xff\x80 loan"),    SLICE_LITERAL("a"),
        SLICE_LITERAL("8613800"), SLICE_LITERAL("friendly-scanner"),
    };
    uint64_t choice = random_next(random);
    struct slice text = texts[choice % 8];
    struct rule_value value = rule_unknown(type);
    if (choice >> 60 == 0)
        return value;
    value.known = true;
    if (type == RULE_FLAG)
        value.flag = choice % 2 != 0;
    else if (type == RULE_SET)
        value.set = (struct rule_text_set){texts, choice % 8};
    else if (type == RULE_RATIO)
        value.ratio = (double)(choice % 100) / 100;
    else if (type == RULE_TEXT || type == RULE_NUMBER)
        value.text = text;
    else if (type == RULE_ADDRESS)
        memset(value.address.bytes, (int)(choice % 256), sizeof(value.address.bytes));
    else
        value.integer = (int64_t)(choice % 128);
    return value;
}

/* What the parts of a scorecard come to. */
struct card_sum {
    long points;
    bool met;
};

static void add_part(void *context, const struct rule_card_part *part)
{
    struct card_sum *sum = context;
    sum->points += part->points;
    sum->met = true;
}

static void require_points(const struct rule_set *set, struct rule_scratch *scratch,
                           const struct rule_inputs *inputs, const struct rule_fired *fired)
{
    struct card_sum sum = {0, false};
    rule_set_card_parts(set, scratch, inputs, fired->rule, add_part, &sum);
    long clipped = sum.points < -RULE_SCORE_MAX  ? -RULE_SCORE_MAX
                   : sum.points > RULE_SCORE_MAX ? RULE_SCORE_MAX
                                                 : sum.points;
    require(fired->points == (sum.met ? clipped : rule_set_rule(set, fired->rule)->score));
}

static void evaluate(const struct rule_set *set, struct rule_scratch *scratch, uint64_t seed)
{
    static struct fixture_call call;
    struct rule_outcome outcome;
    struct random_state random;
    random_seed(&random, seed);
    for (size_t i = 0; i < fixture_catalogue.count; i++)
        call.values[i] = some_value(fixture_features[i].type, &random);
    struct rule_inputs inputs = fixture_inputs(&call);
    inputs.call_hash = seed;
    rule_set_evaluate(set, scratch, &inputs, UINT64_C(1795392000000000), NULL, &outcome);
    require(outcome.live.score >= 0 && outcome.live.score <= RULE_SCORE_MAX);
    require(outcome.fired_total + outcome.unknown_total <= rule_set_count(set));
    for (size_t i = 0; i < rule_set_count(set); i++) {
        struct card_sum sum = {0, false};
        rule_set_card_parts(set, scratch, &inputs, i, add_part, &sum);
        require(sum.met == rule_set_rule(set, i)->is_card);
    }
    for (uint32_t i = 0; i < outcome.fired_count; i++)
        require_points(set, scratch, &inputs, &outcome.fired[i]);
}

static void exercise(const struct rule_set *set, struct conf_report *report)
{
    struct rule_scratch *scratch = NULL;
    struct rule_test_result result;
    int error = rule_set_run_tests(set, NULL, NULL, report, &result);
    require((error == ERROR_CONFIG) == (result.failed > 0));
    if (rule_scratch_create(&scratch) != 0)
        return;
    for (uint64_t seed = 0; seed < CALLS; seed++)
        evaluate(set, scratch, seed);
    rule_scratch_destroy(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct rule_source source = {"fuzz.yaml", {(const char *)data, size}};
    struct conf_report *report = NULL;
    struct rule_set *set = NULL;
    /* A list's file may be any path of this machine, devices included. */
    if (size > 0 && memmem(data, size, "file", 4) != NULL)
        return 0;
    if (conf_report_create(&report) != 0)
        return 0;
    int error = rule_set_parse(&fixture_catalogue, &source, 1, report, &set);
    require((error == ERROR_CONFIG) == (conf_report_count(report, CONF_ERROR) > 0));
    require((error == 0) == (set != NULL));
    if (set != NULL)
        exercise(set, report);
    if (set != NULL)
        rule_set_review(set, UINT64_C(1795392000000000), report);
    rule_set_destroy(set);
    conf_report_destroy(report);
    return 0;
}
