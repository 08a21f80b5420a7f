/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "config/report.h"
#include "ruleset_int.h"

/* One test's inputs, as rule_inputs.context. */
struct bench {
    const struct rule_test *test;
    struct rule_value *values; /* one for each feature */
    size_t count;
};

static const struct rule_value *fetch(void *context, uint16_t feature)
{
    const struct bench *bench = context;
    return &bench->values[feature];
}

static bool fetch_header(void *context, struct slice name, struct rule_value *value)
{
    const struct rule_test *test = ((const struct bench *)context)->test;
    for (size_t i = 0; i < test->header_count; i++) {
        if (slice_equal_nocase(test->headers[i].name, name)) {
            *value = test->headers[i].value;
            return true;
        }
    }
    return false;
}

static void place_given(struct bench *bench)
{
    for (size_t i = 0; i < bench->test->given_count; i++)
        bench->values[bench->test->given[i].feature] = bench->test->given[i].value;
}

static void prepare(struct bench *bench, const struct rule_catalogue *catalogue,
                    rule_derive_fn *derive, void *context)
{
    for (size_t i = 0; i < bench->count; i++)
        bench->values[i] = rule_unknown(catalogue->features[i].type);
    place_given(bench);
    if (derive == NULL)
        return;
    derive(context, bench->values, bench->count);
    place_given(bench);
}

static void report_failure(const struct rule_set *set, const struct rule_test *test,
                           const struct rule_scratch *scratch, enum rule_result result, int points,
                           struct conf_report *report)
{
    const struct rule_info *info = rule_set_rule(set, test->rule);
    char memory[256];
    struct buffer names = buffer_over(memory, sizeof(memory) - 1);
    const struct conf_place place = {
        .file = slice_of_text(test->place.file),
        .line = test->place.line,
        .column = test->place.column,
        .source = test->source,
    };
    if (info->is_card)
        conf_report_add(report, CONF_ERROR, &place,
                        "scorecard \"%s\": this test expects %d points, but it comes to %d",
                        info->id, test->points, points);
    else
        conf_report_add(report, CONF_ERROR, &place,
                        "rule \"%s\": this test expects \"%s\", but it comes to \"%s\"", info->id,
                        rule_result_name(test->expected), rule_result_name(result));
    if (result != RULE_UNKNOWN)
        return;
    for (size_t i = 0; i < set->catalogue->count; i++) {
        if ((scratch->unknown_features[i / 64] >> (i % 64) & 1) == 0)
            continue;
        buffer_append_text(&names, names.length > 0 ? ", " : "");
        buffer_append_text(&names, set->catalogue->features[i].name);
    }
    memory[names.length] = '\0';
    if (names.length > 0)
        conf_report_hint(report, "unknown: %s; give it a value, if that is not meant", memory);
}

int rule_set_run_tests(const struct rule_set *set, rule_derive_fn *derive, void *context,
                       struct conf_report *report, struct rule_test_result *result)
{
    struct rule_scratch *scratch = NULL;
    size_t count = set->catalogue->count;
    struct bench bench = {.values = calloc(count + 1, sizeof(*bench.values)), .count = count};
    const struct rule_inputs inputs = {
        .context = &bench, .fetch = fetch, .fetch_header = fetch_header};
    *result = (struct rule_test_result){0, 0};
    int error = bench.values != NULL ? rule_scratch_create(&scratch) : -ENOMEM;
    if (error != 0)
        goto out;
    for (const struct rule_test *test = set->tests; test != NULL; test = test->next) {
        bench.test = test;
        prepare(&bench, set->catalogue, derive, context);
        int points = 0;
        enum rule_result got = rule_set_test_rule(set, scratch, &inputs, test->rule, &points);
        bool is_card = rule_set_rule(set, test->rule)->is_card;
        if (is_card ? points == test->points : got == test->expected) {
            result->passed++;
            continue;
        }
        result->failed++;
        report_failure(set, test, scratch, got, points, report);
    }
    error = result->failed > 0 ? ERROR_CONFIG : 0;
out:
    rule_scratch_destroy(scratch);
    free(bench.values);
    return error;
}
