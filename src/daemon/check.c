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

/* DAEMON_FILE_COUNT: the key tells nothing; `rules` may be names of files or rules. */
static enum daemon_file kind_of_key(struct slice key)
{
    if (slice_equal(key, SLICE("rules")))
        return DAEMON_FILE_COUNT;
    return has_key(&daemon_section, key)       ? DAEMON_FILE_CONFIGURATION
           : has_key(&rule_file_section, key)  ? DAEMON_FILE_RULES
           : has_key(&rule_suite_section, key) ? DAEMON_FILE_TESTS
                                               : DAEMON_FILE_COUNT;
}

/* By the keys at the left margin, whatever is wrong with the rest. */
static enum daemon_file kind_of_text(struct slice rest)
{
    enum daemon_file kind = DAEMON_FILE_COUNT;
    for (; rest.length > 0 && kind == DAEMON_FILE_COUNT;
         rest = slice_from(rest, slice_find(rest, '\n') + 1)) {
        struct slice line = slice_first(rest, slice_find(rest, '\n'));
        size_t colon = slice_find(line, ':');
        if (colon > 0 && colon < line.length && isalpha((unsigned char)line.data[0]))
            kind = kind_of_key(slice_first(line, colon));
    }
    return kind;
}

/* By the parsed whole: a file of nothing but rules, or one in braces. */
static enum daemon_file kind_of_document(const char *path, struct slice text,
                                         struct conf_report *report)
{
    enum daemon_file kind = DAEMON_FILE_COUNT;
    struct conf_document *document = NULL;
    if (conf_document_parse(path, text, NULL, report, &document) != 0)
        return kind;
    const struct conf_node *root = conf_document_root(document);
    for (const struct conf_node *node = root->first;
         node != NULL && kind == DAEMON_FILE_COUNT && root->kind == CONF_NODE_MAPPING;
         node = node->next) {
        bool has_sections = node->first != NULL && node->first->kind == CONF_NODE_MAPPING;
        kind = slice_equal(node->key, SLICE("rules")) && has_sections ? DAEMON_FILE_RULES
                                                                      : kind_of_key(node->key);
    }
    conf_document_destroy(document);
    return kind;
}

/* "- id:", as a rule begins and no name of a file does. */
static bool has_items_with_keys(struct slice rest)
{
    for (; rest.length > 0; rest = slice_from(rest, slice_find(rest, '\n') + 1)) {
        struct slice line = slice_trim(slice_first(rest, slice_find(rest, '\n')));
        if (slice_starts_with(line, SLICE("- ")) && slice_find(line, ':') < line.length)
            return true;
        if (slice_starts_with(line, SLICE("rules:")) && slice_find(line, '{') < line.length)
            return true;
    }
    return false;
}

enum daemon_file daemon_file_kind(const char *path)
{
    enum daemon_file kind = DAEMON_FILE_COUNT;
    struct conf_report *ignored = NULL;
    char *text = NULL;
    size_t length = 0;
    /* What cannot be read is said when it is loaded. */
    if (file_read(path, CONF_DEFAULT_FILE_BYTES, &text, &length) != 0)
        return DAEMON_FILE_CONFIGURATION;
    struct slice whole = slice_make(text, length);
    if (slice_starts_with(whole, SLICE("\xef\xbb\xbf")))
        whole = slice_from(whole, 3);
    kind = kind_of_text(whole);
    if (kind == DAEMON_FILE_COUNT && conf_report_create(&ignored) == 0)
        kind = kind_of_document(path, whole, ignored);
    /* What does not parse either: rules, if a line begins like them. */
    if (kind == DAEMON_FILE_COUNT && has_items_with_keys(whole))
        kind = DAEMON_FILE_RULES;
    conf_report_destroy(ignored);
    free(text);
    return kind != DAEMON_FILE_COUNT ? kind : DAEMON_FILE_CONFIGURATION;
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
        error =
            daemon_snapshot_load(request->configuration, NULL, NULL, NULL, NULL, report, &snapshot);
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
