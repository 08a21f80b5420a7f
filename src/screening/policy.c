/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/policy.h"

#include <errno.h>
#include <stdlib.h>

#include "rules/part.h"
#include "screening/feature.h"

enum { PARTS_CHUNK = 64 << 10 };

struct screen_policy {
    const struct screen_settings *settings;
    struct rule_set *rules;
    struct num_protected *protected_lines;
    size_t rule_count;
    struct screen_rule_labels *rule_labels; /* [rule] */
    struct screen_rule_features *features;  /* [rule] */
    uint32_t *type_labels;                  /* [rule] */
    struct screen_budget **budgets;         /* [rule]; NULL: no rule has one */
    /* [rule]: whether its budget is demoted, as evaluations want to read it. */
    atomic_uchar *demoted;
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
    policy->rule_labels = calloc(count + 1, sizeof(*policy->rule_labels));
    policy->type_labels = calloc(count + 1, sizeof(*policy->type_labels));
    if (policy->rule_labels == NULL || policy->type_labels == NULL)
        return -ENOMEM;
    if (registry == NULL)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const struct rule_info *info = rule_set_rule(rules, i);
        struct slice id = slice_of_text(info->id);
        policy->rule_labels[i] = (struct screen_rule_labels){
            .rules = stats_label(registry, STATS_FAMILY_RULES, id),
            .rules_shadow = stats_label(registry, STATS_FAMILY_RULES_SHADOW, id),
            .rules_cost = stats_label(registry, STATS_FAMILY_RULES_COST, id),
            .rules_measured = stats_label(registry, STATS_FAMILY_RULES_MEASURED, id),
        };
        if (info->type[0] != '\0')
            policy->type_labels[i] =
                stats_label(registry, STATS_FAMILY_TYPES, slice_of_text(info->type));
    }
    return 0;
}

/* ---- features ------------------------------------------------------------------------------ */

static void note_feature(uint64_t words[RULE_FEATURE_WORDS], uint16_t feature)
{
    words[feature / 64] |= UINT64_C(1) << (feature % 64);
}

static void note_card_value(void *context, uint16_t feature, const struct rule_value *value)
{
    (void)value;
    note_feature(context, feature);
}

static void keep_features(struct screen_rule_features *kept,
                          const uint64_t words[RULE_FEATURE_WORDS])
{
    for (unsigned feature = 0; feature < SCREEN_FEATURE_COUNT; feature++)
        if ((words[feature / 64] >> (feature % 64) & 1) != 0 && kept->count < SCREEN_RULE_FEATURES)
            kept->features[kept->count++] = (uint16_t)feature;
}

/* Read back from the compiled conditions, so that the call path need not ask what a rule is about.
 * A mere check (not `wanted`) reports no calls and spares itself the work. */
static int find_features(struct screen_policy *policy, const struct rule_set *rules, bool wanted)
{
    struct arena *arena = NULL;
    size_t count = rule_set_count(rules);
    policy->features = calloc(count + 1, sizeof(*policy->features));
    if (policy->features == NULL)
        return -ENOMEM;
    int error = arena_create(PARTS_CHUNK, 0, &arena);
    for (size_t i = 0; i < count && error == 0 && wanted; i++) {
        uint64_t words[RULE_FEATURE_WORDS] = {0};
        struct rule_part *root = NULL;
        error = rule_set_parts(rules, i, arena, &root);
        if (error != 0)
            break;
        for (size_t word = 0; root != NULL && word < RULE_FEATURE_WORDS; word++)
            words[word] |= root->features[word];
        rule_set_card_values(rules, i, note_card_value, words);
        keep_features(&policy->features[i], words);
        arena_reset(arena);
    }
    if (arena != NULL)
        arena_destroy(arena);
    return error;
}

/* Of enforced rules only: what blocks nobody needs no limit. */
static bool has_budget(const struct rule_info *info)
{
    return info->budget.calls > 0 && info->mode == RULE_ENFORCE;
}

static int open_budgets(struct screen_policy *policy, const struct rule_set *rules,
                        struct screen_ledger *ledger)
{
    size_t count = rule_set_count(rules);
    size_t first = 0;
    while (first < count && !has_budget(rule_set_rule(rules, first)))
        first++;
    if (ledger == NULL || first == count)
        return 0;
    policy->budgets = calloc(count, sizeof(struct screen_budget *));
    policy->demoted = calloc(count, sizeof(*policy->demoted));
    if (policy->budgets == NULL || policy->demoted == NULL)
        return -ENOMEM;
    for (size_t i = first; i < count; i++) {
        const struct rule_info *info = rule_set_rule(rules, i);
        const struct screen_budget_key key = {SCREEN_BUDGET_RULE, slice_of_text(info->id),
                                              info->written};
        if (!has_budget(info))
            continue;
        int error = screen_budget_open(ledger, &key, &info->budget, &policy->budgets[i]);
        if (error != 0)
            return error;
        /* Should it be demoted between here and the adoption of this policy, the first call that
         * the rule would block finds out. */
        if (screen_budget_is_demoted(policy->budgets[i]))
            atomic_store_explicit(&policy->demoted[i], 1, memory_order_relaxed);
    }
    return 0;
}

static void close_budgets(struct screen_policy *policy)
{
    for (size_t i = 0; policy->budgets != NULL && i < policy->rule_count; i++)
        screen_budget_close(policy->budgets[i]);
    free(policy->budgets);
    free(policy->demoted);
}

int screen_policy_create(const struct screen_settings *settings, struct rule_set *rules,
                         struct stats_registry *registry, struct screen_ledger *ledger,
                         struct conf_report *report, struct screen_policy **policy)
{
    int error = -ENOMEM;
    struct screen_policy *created = calloc(1, sizeof(*created));
    if (created == NULL)
        goto out;
    created->settings = settings;
    created->rule_count = rule_set_count(rules);
    error = create_protected(settings, report, &created->protected_lines);
    if (error != 0)
        goto out;
    error = label_rules(created, rules, registry);
    if (error == 0)
        error = find_features(created, rules, registry != NULL);
    if (error == 0)
        error = open_budgets(created, rules, ledger);
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

const struct screen_rule_features *screen_policy_rule_features(const struct screen_policy *policy,
                                                               uint32_t rule)
{
    return &policy->features[rule];
}

const struct screen_rule_labels *screen_policy_rule_labels(const struct screen_policy *policy,
                                                           uint32_t rule)
{
    return &policy->rule_labels[rule];
}

uint32_t screen_policy_type_label(const struct screen_policy *policy, uint32_t rule)
{
    return policy->type_labels[rule];
}

/* ---- demotion ------------------------------------------------------------------------------ */

struct screen_budget *screen_policy_budget(const struct screen_policy *policy, uint32_t rule)
{
    return policy->budgets != NULL ? policy->budgets[rule] : NULL;
}

const atomic_uchar *screen_policy_demoted(const struct screen_policy *policy)
{
    return policy->demoted;
}

void screen_policy_demote(const struct screen_policy *policy, uint32_t rule)
{
    screen_budget_demote(policy->budgets[rule]);
    atomic_store_explicit(&policy->demoted[rule], 1, memory_order_relaxed);
}

void screen_policy_rearm(const struct screen_policy *policy, uint32_t rule)
{
    screen_budget_rearm(policy->budgets[rule]);
    atomic_store_explicit(&policy->demoted[rule], 0, memory_order_relaxed);
}

enum screen_rule_state screen_policy_rule_state(const struct screen_policy *policy, uint32_t rule,
                                                uint64_t wall_us)
{
    const struct rule_info *info = rule_set_rule(policy->rules, rule);
    if (info->mode == RULE_OFF)
        return SCREEN_RULE_OFF;
    if ((int64_t)wall_us >= info->expires_us)
        return SCREEN_RULE_EXPIRED;
    if ((int64_t)wall_us < info->starts_us)
        return SCREEN_RULE_NOT_STARTED;
    if (info->mode == RULE_SHADOW)
        return SCREEN_RULE_SHADOW;
    return policy->demoted != NULL &&
                   atomic_load_explicit(&policy->demoted[rule], memory_order_relaxed) != 0
               ? SCREEN_RULE_DEMOTED
               : SCREEN_RULE_ENFORCED;
}

const char *screen_rule_state_text(enum screen_rule_state state)
{
    static const char *const words[] = {
#define RULE_STATE_ROW(identifier, word) word,
        SCREEN_RULE_STATE_TABLE(RULE_STATE_ROW)
#undef RULE_STATE_ROW
    };
    return words[state];
}

void screen_policy_destroy(struct screen_policy *policy)
{
    if (policy == NULL)
        return;
    close_budgets(policy);
    rule_set_destroy(policy->rules);
    num_protected_destroy(policy->protected_lines);
    free(policy->rule_labels);
    free(policy->features);
    free(policy->type_labels);
    free(policy);
}
