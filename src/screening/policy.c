/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/policy.h"

#include <errno.h>
#include <stdlib.h>

#include "screening/feature.h"

struct screen_policy {
    const struct screen_settings *settings;
    struct rule_set *rules;
    struct num_protected *protected_lines;
    uint32_t *rule_labels; /* [2 * rule + shadow] */
    uint32_t *type_labels; /* [rule] */
};

const char *screen_origin_text(enum screen_origin origin)
{
    static const char *const words[] = {
#define ORIGIN_ROW(identifier, word) word,
        SCREEN_ORIGIN_TABLE(ORIGIN_ROW)
#undef ORIGIN_ROW
    };
    return words[origin];
}

static int create_protected(const struct screen_settings *settings, struct conf_report *report,
                            struct num_protected **set)
{
    const struct screen_protected_settings *lines = settings->protected_lines.items;
    size_t count = settings->protected_lines.count;
    struct num_protected_extra *extra = calloc(count + 1, sizeof(*extra));
    if (extra == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        extra[i] = (struct num_protected_extra){lines[i].number, lines[i].name};

    size_t bad = 0;
    int error = num_protected_create(settings->protected_countries.items,
                                     settings->protected_countries.count, extra, count, &bad, set);
    if (error == -EINVAL)
        conf_report_add(report, CONF_ERROR, NULL,
                        "screening: protected line \"%.*s\" is not a number in E.164",
                        SLICE_ARGS(lines[bad].number));
    else if (error == ERROR_NOT_FOUND)
        conf_report_add(report, CONF_ERROR, NULL,
                        "screening: protected_countries: \"%.*s\" is not an ISO country code",
                        SLICE_ARGS(settings->protected_countries.items[bad]));
    free(extra);
    return error == 0 || error == -ENOMEM ? error : ERROR_CONFIG;
}

static int label_rules(struct screen_policy *policy, const struct rule_set *rules,
                       struct stats_registry *registry)
{
    size_t count = rule_set_count(rules);
    policy->rule_labels = calloc(2 * count + 1, sizeof(*policy->rule_labels));
    policy->type_labels = calloc(count + 1, sizeof(*policy->type_labels));
    if (policy->rule_labels == NULL || policy->type_labels == NULL)
        return -ENOMEM;
    if (registry == NULL)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const struct rule_info *info = rule_set_rule(rules, i);
        struct slice id = slice_of_text(info->id);
        policy->rule_labels[2 * i] = stats_label(registry, STATS_FAMILY_RULES, id);
        policy->rule_labels[2 * i + 1] = stats_label(registry, STATS_FAMILY_RULES_SHADOW, id);
        if (info->type[0] != '\0')
            policy->type_labels[i] =
                stats_label(registry, STATS_FAMILY_TYPES, slice_of_text(info->type));
    }
    return 0;
}

int screen_policy_create(const struct screen_settings *settings, struct rule_set *rules,
                         struct stats_registry *registry, struct conf_report *report,
                         struct screen_policy **policy)
{
    int error = -ENOMEM;
    struct screen_policy *created = calloc(1, sizeof(*created));
    if (created == NULL)
        goto out;
    created->settings = settings;
    error = create_protected(settings, report, &created->protected_lines);
    if (error != 0)
        goto out;
    error = label_rules(created, rules, registry);
    if (error != 0)
        goto out;
    created->rules = rules;
    *policy = created;
    created = NULL;
out:
    screen_policy_destroy(created);
    return error;
}

const struct rule_set *screen_policy_rules(const struct screen_policy *policy)
{
    return policy->rules;
}

const struct screen_settings *screen_policy_settings(const struct screen_policy *policy)
{
    return policy->settings;
}

const struct num_protected *screen_policy_protected(const struct screen_policy *policy)
{
    return policy->protected_lines;
}

uint32_t screen_policy_rule_label(const struct screen_policy *policy, uint32_t rule, bool shadow)
{
    return policy->rule_labels[2 * (size_t)rule + (shadow ? 1 : 0)];
}

uint32_t screen_policy_type_label(const struct screen_policy *policy, uint32_t rule)
{
    return policy->type_labels[rule];
}

void screen_policy_destroy(struct screen_policy *policy)
{
    if (policy == NULL)
        return;
    rule_set_destroy(policy->rules);
    num_protected_destroy(policy->protected_lines);
    free(policy->rule_labels);
    free(policy->type_labels);
    free(policy);
}
