/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/check.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/file.h"
#include "config/document.h"
#include "daemon/snapshot.h"
#include "rules/schema.h"
#include "rules/suite.h"
#include "screening/feature.h"

/* ---- what a file is ----------------------------------------------------------------------- */

static bool has_key(const struct conf_section *section, struct slice key)
{
    for (size_t i = 0; i < section->row_count; i++)
        if (slice_equal(key, slice_of_text(section->rows[i].key)))
            return true;
    return false;
}

/* Names of rule files under `rules:`, or rules? An item of the latter has keys. */
static enum daemon_file kind_of_rules(struct slice rest)
{
    while (rest.length > 0) {
        struct slice line = slice_trim(slice_first(rest, slice_find(rest, '\n')));
        bool says = line.length > 0 && line.data[0] != '#';
        if (says && line.data[0] != '[')
            return slice_find(line, ':') < line.length ? DAEMON_FILE_RULES
                                                       : DAEMON_FILE_CONFIGURATION;
        if (says && slice_find(line, '{') < line.length)
            return DAEMON_FILE_RULES;
        if (says && line.length > 1)
            return DAEMON_FILE_CONFIGURATION;
        rest = slice_from(rest, slice_find(rest, '\n') + 1);
    }
    return DAEMON_FILE_CONFIGURATION;
}

static enum daemon_file kind_of_text(struct slice rest)
{
    enum daemon_file kind = DAEMON_FILE_CONFIGURATION;
    for (; rest.length > 0; rest = slice_from(rest, slice_find(rest, '\n') + 1)) {
        struct slice line = slice_first(rest, slice_find(rest, '\n'));
        size_t colon = slice_find(line, ':');
        struct slice key = slice_first(line, colon);
        if (colon == line.length || colon == 0 || !isalpha((unsigned char)line.data[0]))
            continue;
        if (slice_equal(key, SLICE("rules")))
            kind = kind_of_rules(slice_from(rest, colon + 1));
        else if (has_key(&daemon_section, key))
            return DAEMON_FILE_CONFIGURATION;
        else if (has_key(&rule_file_section, key))
            return DAEMON_FILE_RULES;
        else if (has_key(&rule_suite_section, key))
            return DAEMON_FILE_TESTS;
    }
    return kind;
}

enum daemon_file daemon_file_kind(const char *path)
{
    static const struct slice byte_order_mark = SLICE_LITERAL("\xef\xbb\xbf");
    char *text = NULL;
    size_t length = 0;
    /* What cannot be read is said when it is loaded. */
    if (file_read(path, CONF_DEFAULT_FILE_BYTES, &text, &length) != 0)
        return DAEMON_FILE_CONFIGURATION;
    struct slice rest = slice_make(text, length);
    if (slice_starts_with(rest, byte_order_mark))
        rest = slice_from(rest, byte_order_mark.length);
    enum daemon_file kind = kind_of_text(rest);
    free(text);
    return kind;
}

/* ---- checking ----------------------------------------------------------------------------- */

static int run_tests(const struct daemon_check_request *request, const struct rule_set *rules,
                     struct conf_report *report, struct rule_test_result *result)
{
    struct screen_derivation derivation;
    const struct rule_suite_world world = {
        .derive = screen_derive,
        .context = &derivation,
        .clock = SCREEN_FEATURE_TIME_NOW,
        .wall_us = request->wall_us,
    };
    screen_derivation_init(&derivation);
    int error = rule_set_run_tests(rules, screen_derive, &derivation, report, result);
    for (size_t i = 0; i < request->test_count && (error == 0 || error == ERROR_CONFIG); i++) {
        int failed = rule_suite_run(rules, request->tests[i], &world, report, result);
        error = failed != 0 ? failed : error;
    }
    return error;
}

/* Rule files by themselves may be a part of what decides; a configuration has all of it. */
static void review_policy(const struct rule_set *rules, struct conf_report *report)
{
    bool scores = false;
    for (size_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule_info *info = rule_set_rule(rules, i);
        scores = scores || (info->mode == RULE_ENFORCE && (info->is_card || info->score > 0));
    }
    if (!scores || rule_set_step_count(rules) > 0)
        return;
    conf_report_add(report, CONF_WARNING, NULL,
                    "rules give points, but no rule file has a policy: no score changes a call");
    conf_report_hint(report, "policy: [{at: 90, do: block}, {at: 60, do: tag}]");
}

int daemon_check(const struct daemon_check_request *request, struct conf_report *report,
                 struct daemon_check_result *result)
{
    struct daemon_snapshot *snapshot = NULL;
    struct rule_set *alone = NULL;
    const struct rule_set *rules = NULL;
    struct daemon_check_result counted = {0, 0, 0};
    int error;
    if (request->configuration != NULL) {
        error = daemon_snapshot_load(request->configuration, NULL, NULL, report, &snapshot);
        rules = error == 0 ? screen_policy_rules(snapshot->policy) : NULL;
    } else {
        error =
            rule_set_load(&screen_catalogue, request->rules, request->rule_count, report, &alone);
        rules = alone;
    }
    if (error == 0) {
        struct rule_test_result tests = {0, 0};
        if (request->configuration != NULL)
            review_policy(rules, report);
        rule_set_review(rules, request->wall_us, report);
        error = run_tests(request, rules, report, &tests);
        counted.rules = rule_set_count(rules);
        counted.tests_passed = tests.passed;
        counted.tests_failed = tests.failed;
    }
    if (result != NULL)
        *result = counted;
    daemon_snapshot_destroy(snapshot);
    rule_set_destroy(alone);
    return error;
}
