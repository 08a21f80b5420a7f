/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of tests from anywhere, against a fixed rule set. What must hold: no crash, and an error
 * code exactly when the report has an error; a file without one has no test that failed.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"
#include "config/report.h"
#include "rules/suite.h"
#include "unit/rules/fixture.h"

static const char rules[] = "rules:\n"
                            "  - {id: a, when: trunk.trusted, score: 30, type: loan}\n"
                            "  - {id: b, when: test.calls > 5, score: 40, rollout: 1%}\n"
                            "  - {id: s, when: trunk.trusted, score: 5, mode: shadow}\n"
                            "  - {id: h, when: header(\"X-A\") == \"1\", score: -5}\n"
                            "policy: [{at: 70, do: block}, {at: 30, do: tag}]\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rule_set *set;
    const struct rule_source ruleset = {"rules.yaml", {rules, sizeof(rules) - 1}};
    const struct rule_source source = {"tests.yaml", {(const char *)data, size}};
    const struct rule_suite_world world = {.clock = RULE_NONE,
                                           .wall_us = UINT64_C(1795392000000000)};
    struct rule_test_result result = {0, 0};
    struct conf_report *report = NULL;
    if (conf_report_create(&report) != 0)
        return 0;
    if (set == NULL)
        require(rule_set_parse(&fixture_catalogue, &ruleset, 1, report, &set) == 0);
    int error = rule_suite_run_source(set, &source, &world, report, &result);
    require((error == ERROR_CONFIG) == (conf_report_count(report, CONF_ERROR) > 0));
    require(error == ERROR_CONFIG || result.failed == 0);
    conf_report_destroy(report);
    return 0;
}
