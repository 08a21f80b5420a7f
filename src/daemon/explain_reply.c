/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "explain_int.h"

enum { WHY_BYTES = 400 };

/* ---- rules ---------------------------------------------------------------------------------- */

static const struct rule_fired *fired_of(const struct explanation *explanation, size_t rule)
{
    const struct rule_outcome *outcome = screen_engine_outcome(explanation->service->explainer);
    for (uint32_t i = 0; i < outcome->fired_count; i++)
        if (outcome->fired[i].rule == rule)
            return &outcome->fired[i];
    return NULL;
}

static void fill_card_part(void *context, const struct rule_card_part *part)
{
    struct stats_json *json = context;
    bool is_intercept = part->feature[0] == '\0';
    stats_json_begin_object(json, NULL);
    stats_json_text(json, "feature", is_intercept ? "intercept" : part->feature);
    if (!is_intercept) {
        explain_fill_value(json, "value", &part->value);
        stats_json_boolean(json, "known", part->value.known);
    }
    stats_json_int(json, "points", part->points);
    stats_json_end_object(json);
}

/* The features that a test names, with their values. */
static void fill_named(const struct explanation *explanation, struct stats_json *json,
                       const struct rule_part *part)
{
    stats_json_begin_object(json, "features");
    for (unsigned i = 0; i < SCREEN_FEATURE_COUNT; i++)
        if (rule_part_names(part, (uint16_t)i))
            explain_fill_value(
                json, screen_catalogue.features[i].name,
                screen_engine_feature(explanation->service->explainer, (enum screen_feature)i));
    stats_json_end_object(json);
}

static enum rule_result opposite(enum rule_result result)
{
    return result == RULE_TRUE ? RULE_FALSE : result == RULE_FALSE ? RULE_TRUE : result;
}

/* A "not" before a test is told as one line with it. Depth is limited. */
static void fill_part(const struct explanation *explanation, struct stats_json *json,
                      const struct rule_part *part, unsigned depth) /* NOLINT(misc-no-recursion) */
{
    static const char *const kinds[] = {
        [RULE_PART_ALL] = "all of", [RULE_PART_ANY] = "any of", [RULE_PART_NOT] = "not",
        [RULE_PART_TEST] = "test",  [RULE_PART_VALUE] = "test",
    };
    bool negated = part->kind == RULE_PART_NOT && part->first->kind == RULE_PART_TEST;
    const struct rule_part *test = negated ? part->first : part;
    stats_json_begin_object(json, NULL);
    stats_json_uint(json, "depth", depth);
    stats_json_text(json, "kind", kinds[test->kind]);
    stats_json_text(json, "result",
                    test->result == RULE_UNKNOWN                                     ? "unknown"
                    : (negated ? opposite(test->result) : test->result) == RULE_TRUE ? "true"
                                                                                     : "false");
    if (test->kind == RULE_PART_TEST) {
        stats_json_boolean(json, "negated", negated);
        stats_json_slice(json, "text", test->text);
        fill_named(explanation, json, test);
    }
    stats_json_end_object(json);
    for (const struct rule_part *child = test->first; child != NULL; child = child->next)
        fill_part(explanation, json, child, depth + 1);
}

static void fill_condition(const struct explanation *explanation, struct stats_json *json,
                           size_t rule)
{
    const struct rule_part *root = explanation->roots[rule];
    unsigned parts;
    if (root == NULL)
        return;
    stats_json_boolean(json, "near", explanation->results[rule] == RULE_FALSE);
    stats_json_uint(json, "failing", explain_failing(root, &parts));
    stats_json_begin_array(json, "condition");
    /* The parts of the outermost "and" stand side by side. */
    const struct rule_part *part = root->kind == RULE_PART_ALL ? root->first : root;
    for (; part != NULL; part = root->kind == RULE_PART_ALL ? part->next : NULL)
        fill_part(explanation, json, part, 0);
    stats_json_end_array(json);
}

/* Why the points of a rule that fired do not count. */
static const char *shadow_reason(const struct explanation *explanation, size_t rule)
{
    const struct rule_info *info = rule_set_rule(explanation->rules, rule);
    const atomic_uchar *demoted = screen_policy_demoted(explanation->service->snapshot->policy);
    if (info->mode == RULE_SHADOW)
        return "mode";
    bool spent = demoted != NULL && atomic_load_explicit(&demoted[rule], memory_order_relaxed) != 0;
    return spent || info->rollout == RULE_ROLLOUT_ALL ? "budget" : "rollout";
}

static void fill_rule(const struct explanation *explanation, struct stats_json *json, size_t rule)
{
    const struct rule_info *info = rule_set_rule(explanation->rules, rule);
    const struct rule_fired *fired = fired_of(explanation, rule);
    stats_json_begin_object(json, NULL);
    stats_json_text(json, "id", info->id);
    stats_json_text(json, "title_en", info->title_en);
    stats_json_text(json, "title_zh", info->title_zh);
    stats_json_text(json, "result", rule_result_name(explanation->results[rule]));
    stats_json_int(json, "points", fired != NULL ? fired->points : info->score);
    stats_json_boolean(json, "counted", fired != NULL && !fired->shadow);
    if (fired != NULL && fired->shadow)
        stats_json_text(json, "shadow", shadow_reason(explanation, rule));
    if (info->rollout < RULE_ROLLOUT_ALL)
        stats_json_uint(json, "rollout_percent", info->rollout / 100);
    if (info->action != NULL)
        stats_json_text(json, "demands", rule_action_name(info->action->kind));
    stats_json_text(json, "type", info->type);
    stats_json_text(json, "mode", rule_mode_name(info->mode));
    stats_json_text(json, "when", info->when);
    stats_json_text(json, "unless", info->unless);
    stats_json_text(json, "group", info->group);
    stats_json_text(json, "owner", info->owner);
    stats_json_text(json, "ticket", info->ticket);
    stats_json_text(json, "file", info->place.file);
    stats_json_uint(json, "line", info->place.line);
    if (info->is_card && explanation->results[rule] == RULE_TRUE) {
        stats_json_begin_array(json, "parts");
        screen_engine_card_parts(explanation->service->explainer, rule, fill_card_part, json);
        stats_json_end_array(json);
    }
    fill_condition(explanation, json, rule);
    stats_json_end_object(json);
}

/* ---- the order of authority ----------------------------------------------------------------- */

static void fill_step(struct stats_json *json, enum screen_authority step,
                      const struct screen_verdict *verdict, bool reached, struct buffer *why)
{
    stats_json_begin_object(json, NULL);
    stats_json_text(json, "step", screen_authority_text(step));
    stats_json_boolean(json, "decides", verdict->authority == step);
    stats_json_boolean(json, "reached", reached);
    if (reached)
        stats_json_slice(json, "why", buffer_slice(why));
    stats_json_end_object(json);
}

static void write_finding(struct buffer *why, const struct rep_finding *finding)
{
    if (finding->match == REP_MATCH_PREFIX)
        buffer_format(why, "by a prefix of %u digits", (unsigned)finding->prefix_length);
    else
        buffer_append_text(why,
                           finding->match == REP_MATCH_RAW ? "by its raw text" : "by its number");
}

static void write_allow(struct buffer *why, const struct explanation *explanation,
                        const struct screen_facts *facts)
{
    bool listed = explanation->verdict.finding.entry.list == REP_LIST_ALLOW;
    if (facts->caller_line != NULL)
        buffer_format(why, "the caller's number is a protected line (%s)",
                      facts->caller_line->name);
    else if (listed) {
        buffer_append_literal(why, "the caller is on the allow list ");
        write_finding(why, &explanation->verdict.finding);
    } else {
        buffer_append_literal(why, "the caller is on no allow list and no protected line");
        return;
    }
    buffer_append_text(why, facts->originates
                                ? ", and this trunk originates it"
                                : ", but this trunk does not originate it: it is imitated");
}

static void write_block(struct buffer *why, const struct explanation *explanation)
{
    const struct rep_finding *diverting = &explanation->diverting;
    const struct rep_finding *caller = &explanation->verdict.finding;
    if (caller->entry.list == REP_LIST_BLOCK) {
        buffer_append_literal(why, "the caller is on the block list ");
        write_finding(why, caller);
    } else if (diverting->entry.list == REP_LIST_BLOCK) {
        buffer_append_literal(why, "the number that forwarded the call is on the block list ");
        write_finding(why, diverting);
    } else {
        buffer_append_text(why, explanation->verdict.reputation_known
                                    ? "the caller is on no block list"
                                    : "reputation could not be read");
    }
}

static void write_rules(struct buffer *why, const struct explanation *explanation)
{
    const struct rule_outcome *outcome = screen_engine_outcome(explanation->service->explainer);
    const struct rule_decision *live = &outcome->live;
    buffer_format(why, "%u rule%s fired, the score is %d", outcome->fired_total,
                  outcome->fired_total == 1 ? "" : "s", live->score);
    if (live->action_rule != RULE_NONE)
        buffer_format(why, "; rule %s demands it",
                      rule_set_rule(explanation->rules, (size_t)live->action_rule)->id);
    else if (live->step != RULE_NONE)
        buffer_format(why, ", which reaches the policy's step at %d",
                      rule_set_step(explanation->rules, (size_t)live->step)->at);
    else
        buffer_append_literal(why, ", which reaches no step of the policy");
}

static void write_why(struct buffer *why, const struct explanation *explanation,
                      enum screen_authority step)
{
    const struct screen_facts *facts = screen_engine_facts(explanation->service->explainer);
    bool emergency = explanation->verdict.authority == SCREEN_AUTHORITY_EMERGENCY;
    *why = buffer_over(why->data, why->capacity);
    switch (step) {
    case SCREEN_AUTHORITY_EMERGENCY:
        buffer_append_text(why, emergency ? "the called number is an emergency number"
                                          : "the called number is no emergency number");
        break;
    case SCREEN_AUTHORITY_PROTECTED_CALLEE:
        if (facts->callee_line != NULL)
            buffer_format(why, "the called line is protected (%s)", facts->callee_line->name);
        else
            buffer_append_literal(why, "the called line is no protected one");
        break;
    case SCREEN_AUTHORITY_ALLOW:
        write_allow(why, explanation, facts);
        break;
    case SCREEN_AUTHORITY_BLOCK:
        write_block(why, explanation);
        break;
    default:
        write_rules(why, explanation);
        break;
    }
}

static void fill_order(const struct explanation *explanation, struct stats_json *json)
{
    static const enum screen_authority steps[] = {
        SCREEN_AUTHORITY_EMERGENCY, SCREEN_AUTHORITY_PROTECTED_CALLEE,
        SCREEN_AUTHORITY_ALLOW,     SCREEN_AUTHORITY_BLOCK,
        SCREEN_AUTHORITY_RULES,
    };
    const struct screen_verdict *verdict = &explanation->verdict;
    char memory[WHY_BYTES];
    struct buffer why = buffer_over(memory, sizeof(memory));
    bool reached = true;
    stats_json_begin_array(json, "order");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (reached)
            write_why(&why, explanation, steps[i]);
        fill_step(json, steps[i], verdict, reached, &why);
        reached = reached && verdict->authority != steps[i];
    }
    if (verdict->authority == SCREEN_AUTHORITY_ON_UNKNOWN) {
        why = buffer_over(memory, sizeof(memory));
        buffer_append_literal(&why, "reputation could not be read and no rule decides: "
                                    "screening.on_unknown");
        fill_step(json, SCREEN_AUTHORITY_ON_UNKNOWN, verdict, true, &why);
    }
    stats_json_end_array(json);
}

/* ---- verdict -------------------------------------------------------------------------------- */

static void fill_action(const struct screen_verdict *verdict, struct stats_json *json)
{
    stats_json_text(json, "action", rule_action_name(verdict->action));
    if (verdict->action == RULE_BLOCK) {
        stats_json_text(json, "with", rule_profile_name(verdict->profile));
        stats_json_uint(json, "code", rule_profile_status(verdict->profile));
    } else if (verdict->action == RULE_DIVERT && verdict->demand != NULL) {
        stats_json_text(json, "to", verdict->demand->target);
    } else if (verdict->action == RULE_LIMIT && verdict->demand != NULL) {
        stats_json_uint(json, "rate", verdict->demand->rate_count);
        stats_json_uint(json, "rate_period_us", verdict->demand->rate_period_us);
        stats_json_uint(json, "code", verdict->demand->rate_code);
    }
}

/* The points that are missing to the policy's next step, and those too many for the one below. */
static void fill_policy(const struct explanation *explanation, struct stats_json *json)
{
    const struct rule_outcome *outcome = screen_engine_outcome(explanation->service->explainer);
    const struct rule_decision *live = &outcome->live;
    int64_t sum = 0;
    for (uint32_t i = 0; i < outcome->fired_count; i++)
        if (!outcome->fired[i].shadow)
            sum += outcome->fired[i].points;
    stats_json_int(json, "points_sum", sum);
    stats_json_int(json, "policy_step", live->step);
    stats_json_begin_array(json, "policy");
    for (size_t i = 0; i < rule_set_step_count(explanation->rules); i++) {
        const struct rule_step *step = rule_set_step(explanation->rules, i);
        stats_json_begin_object(json, NULL);
        stats_json_int(json, "at", step->at);
        stats_json_text(json, "do", rule_action_name(step->action.kind));
        stats_json_boolean(json, "reached", live->step >= 0 && i <= (size_t)live->step);
        stats_json_int(json, "missing", step->at - sum);
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
    const struct rule_decision *shadow = &outcome->shadow;
    enum rule_action_kind kind = shadow->action != NULL ? shadow->action->kind : RULE_ALLOW;
    stats_json_begin_object(json, "with_shadow");
    stats_json_text(json, "action", rule_action_name(kind));
    stats_json_int(json, "score", shadow->score);
    stats_json_end_object(json);
}

static void fill_call(const struct explanation *explanation, struct stats_json *json)
{
    static const char *const kinds[] = {
#define KIND_ROW(identifier, key) key,
        EXPLAIN_KIND_TABLE(KIND_ROW)
#undef KIND_ROW
    };
    const struct explain_call *call = explanation->call;
    const struct screen_facts *facts = screen_engine_facts(explanation->service->explainer);
    stats_json_begin_object(json, "call");
    stats_json_text(json, "kind", kinds[call->kind]);
    if (call->kind != EXPLAIN_HYPOTHETICAL)
        stats_json_slice(json, "call_id", call->message.call_id);
    stats_json_slice(json, "caller", slice_make(facts->caller.text, facts->caller.length));
    stats_json_slice(json, "callee", slice_make(facts->callee.text, facts->callee.length));
    stats_json_slice(json, "trunk", call->trunk->screen.name);
    stats_json_time(json, "time", call->wall_us);
    stats_json_boolean(json, "timed", call->timed);
    if (call->kind == EXPLAIN_KEPT) {
        stats_json_uint(json, "same_call_id", call->same_call_id);
        stats_json_boolean(json, "cut", call->cut);
    }
    stats_json_end_object(json);
}

static void fill_then(const struct explanation *explanation, struct stats_json *json)
{
    const struct explain_then *then = &explanation->call->then;
    if (!then->known)
        return;
    stats_json_begin_object(json, "then");
    stats_json_text(json, "action", then->action);
    stats_json_text(json, "authority", then->authority);
    stats_json_uint(json, "status", then->status);
    stats_json_uint(json, "score", then->score);
    stats_json_boolean(json, "degraded", then->degraded);
    stats_json_boolean(json, "hurried", then->hurried);
    stats_json_boolean(json, "over_budget", then->over_budget);
    stats_json_text(json, "rules_version", then->rules_version);
    stats_json_uint(json, "screening_ns", then->screening_ns);
    stats_json_uint(json, "rules_fired", then->rules_fired);
    stats_json_begin_array(json, "rules");
    for (size_t i = 0; i < then->rule_count; i++) {
        stats_json_begin_object(json, NULL);
        stats_json_slice(json, "id", then->rules[i].id);
        stats_json_int(json, "points", then->rules[i].points);
        stats_json_boolean(json, "shadow", then->rules[i].shadow);
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
    stats_json_end_object(json);
}

static void fill_reputation(const struct explanation *explanation, struct stats_json *json)
{
    struct rep_store *store = explanation->service->shared.store;
    const struct rep_finding *finding = &explanation->verdict.finding;
    struct rep_status *status = arena_zalloc(explanation->call->arena, sizeof(*status));
    const uint64_t now_s = clock_wall_us() / 1000000;
    stats_json_begin_object(json, "reputation");
    stats_json_boolean(json, "known", explanation->verdict.reputation_known);
    stats_json_text(json, "match", rep_match_text(finding->match));
    if (finding->match == REP_MATCH_PREFIX)
        stats_json_uint(json, "prefix_digits", finding->prefix_length);
    stats_json_text(json, "list", rep_list_text(finding->entry.list));
    if (finding->entry.score >= 0)
        stats_json_int(json, "score", finding->entry.score);
    stats_json_text(json, "type", rep_names_text(rep_store_types(store), finding->entry.type));
    stats_json_text(json, "source",
                    rep_names_text(rep_store_sources(store), finding->entry.source));
    stats_json_boolean(json, "limited", finding->limited);
    if (finding->entry.expires_s != 0) {
        stats_json_time(json, "expires", finding->entry.expires_s * 1000000);
        stats_json_int(json, "expires_in_s", (int64_t)(finding->entry.expires_s - now_s));
    }
    if (status != NULL) {
        rep_store_status(store, status);
        if (explanation->call->kind != EXPLAIN_KEPT && status->backend == REP_BACKEND_REDIS &&
            status->last_sync_wall_us != 0) {
            stats_json_time(json, "as_of", status->last_sync_wall_us);
            stats_json_int(json, "age_s",
                           (int64_t)now_s - (int64_t)(status->last_sync_wall_us / 1000000));
        }
    }
    stats_json_end_object(json);
}

/* ---- features ------------------------------------------------------------------------------- */

static bool is_given(const struct explain_call *call, enum screen_feature feature)
{
    for (size_t i = 0; i < call->override_count; i++)
        if (call->overrides[i].feature == feature)
            return true;
    return false;
}

static void fill_features(const struct explanation *explanation, struct stats_json *json)
{
    const struct explain_call *call = explanation->call;
    stats_json_begin_array(json, "features");
    for (int i = 0; i < SCREEN_FEATURE_COUNT; i++) {
        const struct rule_feature *row = &screen_catalogue.features[i];
        const struct rule_value *value =
            screen_engine_feature(explanation->service->explainer, (enum screen_feature)i);
        bool given = is_given(call, (enum screen_feature)i);
        stats_json_begin_object(json, NULL);
        stats_json_text(json, "name", row->name);
        stats_json_text(json, "type", rule_type_name(row->type));
        explain_fill_value(json, "value", value);
        stats_json_boolean(json, "known", value->known);
        if (given)
            stats_json_boolean(json, "given", true);
        if (!value->known)
            stats_json_text(json, "why",
                            given && call->kind == EXPLAIN_EVENT ? "an event does not have it"
                                                                 : row->unknown_when);
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
}

void explain_fill(void *argument, struct stats_json *json)
{
    const struct explanation *explanation = argument;
    const struct screen_verdict *verdict = &explanation->verdict;
    fill_call(explanation, json);
    stats_json_text(json, "authority", screen_authority_text(verdict->authority));
    stats_json_uint(json, "score", verdict->score);
    fill_action(verdict, json);
    stats_json_text(json, "type", verdict->type);
    stats_json_boolean(json, "degraded", verdict->degraded);
    stats_json_text(json, "rules_version", rule_set_version(explanation->rules));
    stats_json_uint(json, "screening_ns", verdict->screening_ns);
    fill_then(explanation, json);
    fill_order(explanation, json);
    fill_reputation(explanation, json);
    stats_json_begin_array(json, "unknown");
    for (int i = 0; verdict->rules_ran && i < SCREEN_FEATURE_COUNT; i++)
        if (rule_feature_unknown(screen_engine_outcome(explanation->service->explainer),
                                 (uint16_t)i))
            stats_json_text(json, NULL, screen_catalogue.features[i].name);
    stats_json_end_array(json);
    if (verdict->rules_ran)
        fill_policy(explanation, json);
    stats_json_begin_array(json, "rules");
    for (size_t i = 0; verdict->rules_ran && i < rule_set_count(explanation->rules); i++)
        fill_rule(explanation, json, i);
    stats_json_end_array(json);
    explain_fill_turns(explanation, json);
    fill_features(explanation, json);
}
