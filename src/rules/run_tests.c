/* SPDX-License-Identifier: Apache-2.0 */
#include "config/report.h"
#include "given_int.h"

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
    struct rule_given_call call;
    *result = (struct rule_test_result){0, 0};
    int error = rule_given_open(set->catalogue, &call);
    if (error == 0)
        error = rule_scratch_create(&scratch);
    if (error != 0)
        goto out;
    for (const struct rule_test *test = set->tests; test != NULL; test = test->next) {
        rule_given_take(&call, set->catalogue, test, derive, context);
        int points = 0;
        enum rule_result got = rule_set_test_rule(set, scratch, &call.inputs, test->rule, &points);
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
    rule_given_close(&call);
    return error;
}
