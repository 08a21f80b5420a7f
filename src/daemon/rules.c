/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "config/value.h"
#include "control/json.h"
#include "daemon_int.h"

/* One rule as a line of the answer. */
struct listed {
    const struct daemon_service *service;
    uint32_t rule;
    uint64_t wall_us;
};

static void fill_text(struct stats_json *json, const char *key, const char *text)
{
    if (text[0] != '\0')
        stats_json_text(json, key, text);
}

/* "100/1m", as a rule file has it. */
static struct slice budget_text(char *memory, size_t capacity, const struct rule_budget *budget)
{
    struct buffer text = buffer_over(memory, capacity);
    buffer_append_uint(&text, budget->calls);
    buffer_append_char(&text, '/');
    conf_value_append_duration(&text, budget->period_us);
    return buffer_slice(&text);
}

void daemon_fill_budget(struct stats_json *json, const struct screen_budget *budget,
                        uint64_t wall_us)
{
    char memory[64];
    if (budget == NULL)
        return;
    const struct rule_budget *limit = screen_budget_limit(budget);
    stats_json_slice(json, "budget", budget_text(memory, sizeof(memory), limit));
    stats_json_uint(json, "budget_used", screen_budget_used(budget, wall_us));
}

/* A rule that found no room among the labels shares its counts with others: that is no answer. */
static void fill_hits(const struct listed *listed, struct stats_json *json)
{
    const struct stats_registry *registry = listed->service->shared.registry;
    const struct screen_rule_labels *labels =
        screen_policy_rule_labels(listed->service->snapshot->policy, listed->rule);
    if (labels->rules == 0)
        return;
    uint64_t last_s = stats_moment_latest(registry, STATS_MOMENT_RULE_HIT, labels->rules);
    uint64_t measured =
        stats_label_total(registry, STATS_FAMILY_RULES_MEASURED, labels->rules_measured);
    stats_json_uint(json, "hits", stats_label_total(registry, STATS_FAMILY_RULES, labels->rules));
    stats_json_uint(json, "hits_shadow",
                    stats_label_total(registry, STATS_FAMILY_RULES_SHADOW, labels->rules_shadow));
    if (last_s > 0) {
        uint64_t now_s = listed->wall_us / 1000000;
        stats_json_time(json, "last_hit", last_s * 1000000);
        stats_json_uint(json, "last_hit_ago_s", now_s > last_s ? now_s - last_s : 0);
    }
    if (measured > 0)
        stats_json_uint(json, "cost_ns",
                        stats_label_total(registry, STATS_FAMILY_RULES_COST, labels->rules_cost) /
                            measured);
    stats_json_uint(json, "measured", measured);
}

static void fill_rule(void *argument, struct stats_json *json)
{
    const struct listed *listed = argument;
    const struct screen_policy *policy = listed->service->snapshot->policy;
    const struct rule_info *info = rule_set_rule(screen_policy_rules(policy), listed->rule);
    enum screen_rule_state state = screen_policy_rule_state(policy, listed->rule, listed->wall_us);
    stats_json_text(json, "id", info->id);
    fill_text(json, "title_en", info->title_en);
    fill_text(json, "title_zh", info->title_zh);
    stats_json_text(json, "kind", info->is_card ? "scorecard" : "rule");
    stats_json_text(json, "mode", screen_rule_state_text(state));
    if (!info->is_card)
        stats_json_int(json, "points", info->score);
    if (info->action != NULL)
        stats_json_text(json, "action", rule_action_name(info->action->kind));
    if (info->rollout < RULE_ROLLOUT_ALL) {
        char memory[32];
        struct buffer share = buffer_over(memory, sizeof(memory));
        conf_value_append_percent(&share, (double)info->rollout * 100 / RULE_ROLLOUT_ALL);
        stats_json_slice(json, "rollout", buffer_slice(&share));
    }
    fill_hits(listed, json);
    daemon_fill_budget(json, screen_policy_budget(policy, listed->rule), listed->wall_us);
    fill_text(json, "owner", info->owner);
    fill_text(json, "ticket", info->ticket);
    stats_json_text(json, "file", info->place.file);
    stats_json_uint(json, "line", info->place.line);
}

int daemon_command_rules(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    struct listed listed = {context, 0, clock_wall_us()};
    size_t count = rule_set_count(screen_policy_rules(listed.service->snapshot->policy));
    (void)request;
    for (; listed.rule < count; listed.rule++)
        ctl_reply_object(reply, fill_rule, &listed);
    return 0;
}

int daemon_command_rules_rearm(void *context, const struct ctl_request *request,
                               struct ctl_reply *reply)
{
    const struct daemon_service *service = context;
    const struct screen_policy *policy = service->snapshot->policy;
    struct slice id = slice_of_text(ctl_json_text(request->arguments, "id"));
    if (id.length == 0) {
        ctl_reply_result(reply, CTL_STATUS_USAGE, "the argument \"id\" is missing");
        return 0;
    }
    int rule = rule_set_find(screen_policy_rules(policy), id);
    struct screen_budget *budget =
        rule == RULE_NONE ? NULL : screen_policy_budget(policy, (uint32_t)rule);
    if (rule == RULE_NONE) {
        ctl_reply_result(reply, CTL_STATUS_FAILED,
                         "no rule has the id \"%.*s\"; `ringfence rules` lists them",
                         SLICE_ARGS(id));
    } else if (budget == NULL || !screen_budget_is_demoted(budget)) {
        ctl_reply_result(reply, CTL_STATUS_FAILED, "rule \"%.*s\" is not demoted", SLICE_ARGS(id));
    } else {
        screen_policy_rearm(policy, (uint32_t)rule);
        ctl_reply_result(reply, CTL_STATUS_OK, "rule \"%.*s\" is enforced again, with a new budget",
                         SLICE_ARGS(id));
    }
    return 0;
}

void daemon_fill_demoted(const struct daemon_service *service, struct stats_json *json)
{
    const struct screen_policy *policy = service->snapshot->policy;
    const struct rule_set *rules = screen_policy_rules(policy);
    uint64_t wall_us = clock_wall_us();
    stats_json_begin_array(json, "rules_demoted");
    for (uint32_t i = 0; screen_policy_demoted(policy) != NULL && i < rule_set_count(rules); i++)
        if (screen_policy_rule_state(policy, i, wall_us) == SCREEN_RULE_DEMOTED)
            stats_json_text(json, NULL, rule_set_rule(rules, i)->id);
    stats_json_end_array(json);
}
