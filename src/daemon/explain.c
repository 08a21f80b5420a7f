/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/encode.h"
#include "control/json.h"
#include "daemon_int.h"

#define MESSAGE_BYTES 8192

/* The hypothetical call as an INVITE, so that it takes exactly the way of a real one. */
struct hypothetical {
    struct slice caller;
    struct slice callee;
    struct slice display;
    struct slice asserted;
    struct slice diverting;
    struct slice user_agent;
    struct slice trunk;
    char memory[MESSAGE_BYTES];
    struct smsg message;
};

struct explanation {
    struct daemon_service *service;
    const struct rule_set *rules;
    struct screen_verdict verdict;
    enum rule_result *results; /* one per rule */
};

static void append_party(struct buffer *out, const char *name, struct slice number,
                         const char *after)
{
    if (number.length == 0)
        return;
    buffer_append_text(out, name);
    buffer_append_literal(out, ": <sip:");
    buffer_append(out, number);
    buffer_append_literal(out, "@explain.invalid>");
    buffer_append_text(out, after);
    buffer_append_literal(out, "\r\n");
}

static struct slice compose(struct hypothetical *call)
{
    struct buffer out = buffer_over(call->memory, sizeof(call->memory));
    buffer_append_literal(&out, "INVITE sip:");
    buffer_append(&out, call->callee);
    buffer_append_literal(&out, "@explain.invalid SIP/2.0\r\n"
                                "Via: SIP/2.0/UDP explain.invalid;branch=z9hG4bKexplain\r\n"
                                "Max-Forwards: 70\r\nFrom: ");
    if (call->display.length > 0) {
        encode_sip_quoted(&out, call->display);
        buffer_append_char(&out, ' ');
    }
    buffer_append_literal(&out, "<sip:");
    buffer_append(&out, call->caller);
    buffer_append_literal(&out, "@explain.invalid>;tag=explain\r\n");
    append_party(&out, "To", call->callee, "");
    append_party(&out, "P-Asserted-Identity", call->asserted, "");
    append_party(&out, "Diversion", call->diverting, ";reason=unconditional");
    buffer_append_literal(&out, "Call-ID: explain\r\nCSeq: 1 INVITE\r\n");
    if (call->user_agent.length > 0) {
        buffer_append_literal(&out, "User-Agent: ");
        buffer_append(&out, call->user_agent);
        buffer_append_literal(&out, "\r\n");
    }
    buffer_append_literal(&out, "Content-Length: 0\r\n\r\n");
    return out.overflow ? slice_make(NULL, 0) : buffer_slice(&out);
}

/* X(argument, member): what `explain` takes. */
static const struct {
    const char *name;
    size_t offset;
    bool is_user; /* stands as the user part of a URI */
} argument_rows[] = {
    {"caller", offsetof(struct hypothetical, caller), true},
    {"callee", offsetof(struct hypothetical, callee), true},
    {"display", offsetof(struct hypothetical, display), false},
    {"asserted", offsetof(struct hypothetical, asserted), true},
    {"diverting", offsetof(struct hypothetical, diverting), true},
    {"user_agent", offsetof(struct hypothetical, user_agent), false},
    {"trunk", offsetof(struct hypothetical, trunk), false},
};

/* Bytes that would break the message out of its place. */
static bool is_sound(struct slice text, bool is_user)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        if (is_user && (c == ' ' || strchr("<>@\"\\?", c) != NULL))
            return false;
    }
    return true;
}

static int read_arguments(const struct ctl_request *request, struct ctl_reply *reply,
                          struct hypothetical *call)
{
    for (size_t i = 0; i < sizeof(argument_rows) / sizeof(argument_rows[0]); i++) {
        struct slice *member = (struct slice *)(void *)((char *)call + argument_rows[i].offset);
        *member = slice_of_text(ctl_json_text(request->arguments, argument_rows[i].name));
        if (is_sound(*member, argument_rows[i].is_user))
            continue;
        ctl_reply_result(reply, CTL_STATUS_USAGE, "%s \"%.*s\" has characters that no number has",
                         argument_rows[i].name, SLICE_ARGS(*member));
        return -EINVAL;
    }
    if (call->caller.length > 0 && call->callee.length > 0)
        return 0;
    ctl_reply_result(reply, CTL_STATUS_USAGE, "\"caller\" and \"callee\" are needed");
    return -EINVAL;
}

static const struct proxy_trunk *choose_trunk(struct daemon_service *service,
                                              struct ctl_reply *reply, struct slice name)
{
    const struct proxy_plan *plan = service->snapshot->plan;
    if (name.length == 0)
        return proxy_plan_trunk(plan, 0);
    const struct proxy_trunk *trunk = proxy_plan_find_trunk(plan, name);
    if (trunk == NULL)
        ctl_reply_result(reply, CTL_STATUS_USAGE, "\"%.*s\" is not a trunk", SLICE_ARGS(name));
    return trunk;
}

/* ---- the answer --------------------------------------------------------------------------- */

static void fill_address(struct stats_json *json, const struct rule_address *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    bool is_ipv4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)address->bytes);
    (void)inet_ntop(is_ipv4 ? AF_INET : AF_INET6, address->bytes + (is_ipv4 ? 12 : 0), text,
                    sizeof(text));
    stats_json_text(json, "value", text);
}

static void fill_set(struct stats_json *json, const struct rule_text_set *set)
{
    stats_json_begin_array(json, "value");
    for (size_t i = 0; i < set->count; i++)
        stats_json_slice(json, NULL, set->texts[i]);
    stats_json_end_array(json);
}

static void fill_value(struct stats_json *json, const struct rule_value *value)
{
    if (!value->known) {
        stats_json_null(json, "value");
        return;
    }
    switch (value->type) {
    case RULE_FLAG:
        stats_json_boolean(json, "value", value->flag);
        break;
    case RULE_INTEGER:
    case RULE_DURATION:
    case RULE_TIME:
        stats_json_int(json, "value", value->integer);
        break;
    case RULE_RATIO:
        stats_json_int(json, "value", (int64_t)(value->ratio * 100));
        break;
    case RULE_ADDRESS:
        fill_address(json, &value->address);
        break;
    case RULE_TEXT:
    case RULE_NUMBER:
        stats_json_slice(json, "value", value->text);
        break;
    case RULE_SET:
    case RULE_TYPE_COUNT:
        fill_set(json, &value->set);
        break;
    }
}

static void fill_features(struct explanation *explanation, struct stats_json *json)
{
    stats_json_begin_array(json, "features");
    for (int i = 0; i < SCREEN_FEATURE_COUNT; i++) {
        const struct rule_feature *row = &screen_catalogue.features[i];
        const struct rule_value *value =
            screen_engine_feature(explanation->service->explainer, (enum screen_feature)i);
        stats_json_begin_object(json, NULL);
        stats_json_text(json, "name", row->name);
        stats_json_text(json, "type", rule_type_name(row->type));
        fill_value(json, value);
        stats_json_boolean(json, "known", value->known);
        if (!value->known)
            stats_json_text(json, "why", row->unknown_when);
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
}

/* What a rule added, or would add if it fired; what a scorecard came to. */
static int points_of(const struct explanation *explanation, size_t rule)
{
    const struct rule_outcome *outcome = screen_engine_outcome(explanation->service->explainer);
    for (uint32_t i = 0; i < outcome->fired_count; i++)
        if (outcome->fired[i].rule == rule)
            return outcome->fired[i].points;
    return rule_set_rule(explanation->rules, rule)->score;
}

static void fill_part(void *context, const struct rule_card_part *part)
{
    struct stats_json *json = context;
    bool is_intercept = part->feature[0] == '\0';
    stats_json_begin_object(json, NULL);
    stats_json_text(json, "feature", is_intercept ? "intercept" : part->feature);
    if (!is_intercept) {
        fill_value(json, &part->value);
        stats_json_boolean(json, "known", part->value.known);
    }
    stats_json_int(json, "points", part->points);
    stats_json_end_object(json);
}

static void fill_rules(const struct explanation *explanation, struct stats_json *json)
{
    stats_json_begin_array(json, "rules");
    for (size_t i = 0; explanation->verdict.rules_ran && i < rule_set_count(explanation->rules);
         i++) {
        const struct rule_info *info = rule_set_rule(explanation->rules, i);
        stats_json_begin_object(json, NULL);
        stats_json_text(json, "id", info->id);
        stats_json_text(json, "title_en", info->title_en);
        stats_json_text(json, "title_zh", info->title_zh);
        stats_json_text(json, "result", rule_result_name(explanation->results[i]));
        stats_json_int(json, "points", points_of(explanation, i));
        stats_json_text(json, "type", info->type);
        stats_json_text(json, "mode", rule_mode_name(info->mode));
        stats_json_text(json, "when", info->when);
        stats_json_text(json, "unless", info->unless);
        stats_json_text(json, "group", info->group);
        stats_json_text(json, "file", info->place.file);
        stats_json_uint(json, "line", info->place.line);
        if (info->is_card && explanation->results[i] == RULE_TRUE) {
            stats_json_begin_array(json, "parts");
            screen_engine_card_parts(explanation->service->explainer, i, fill_part, json);
            stats_json_end_array(json);
        }
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
}

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

static void fill_explanation(void *argument, struct stats_json *json)
{
    struct explanation *explanation = argument;
    const struct screen_verdict *verdict = &explanation->verdict;
    stats_json_text(json, "authority", screen_authority_text(verdict->authority));
    stats_json_uint(json, "score", verdict->score);
    fill_action(verdict, json);
    stats_json_text(json, "type", verdict->type);
    stats_json_boolean(json, "degraded", verdict->degraded);
    stats_json_text(json, "rules_version", rule_set_version(explanation->rules));
    stats_json_uint(json, "screening_ns", verdict->screening_ns);
    stats_json_begin_array(json, "unknown");
    for (int i = 0; verdict->rules_ran && i < SCREEN_FEATURE_COUNT; i++)
        if (rule_feature_unknown(screen_engine_outcome(explanation->service->explainer),
                                 (uint16_t)i))
            stats_json_text(json, NULL, screen_catalogue.features[i].name);
    stats_json_end_array(json);
    fill_rules(explanation, json);
    fill_features(explanation, json);
}

static void trace_rule(void *context, uint32_t rule, enum rule_result result)
{
    enum rule_result *results = context;
    results[rule] = result;
}

static int explain(struct daemon_service *service, struct ctl_reply *reply,
                   const struct hypothetical *call, const struct proxy_trunk *trunk)
{
    struct explanation explanation = {
        .service = service,
        .rules = screen_policy_rules(service->snapshot->policy),
    };
    explanation.results =
        calloc(rule_set_count(explanation.rules) + 1, sizeof(*explanation.results));
    if (explanation.results == NULL)
        return -ENOMEM;
    const struct rule_trace trace = {explanation.results, trace_rule};
    struct screen_input input = {
        .message = &call->message,
        .trunk = &trunk->screen,
        .wall_us = clock_wall_us(),
        .reputation = SCREEN_REPUTATION_FIND,
        .trace = &trace,
    };
    int error =
        screen_judge(service->explainer, service->snapshot->policy, &input, &explanation.verdict);
    /* Mode lookup: nothing is held here, and this thread does not wait for Redis. */
    if (error == 0 && explanation.verdict.pending) {
        input.reputation = SCREEN_REPUTATION_MISSING;
        error = screen_judge(service->explainer, service->snapshot->policy, &input,
                             &explanation.verdict);
    }
    if (error == 0)
        ctl_reply_object(reply, fill_explanation, &explanation);
    free(explanation.results);
    return error;
}

int daemon_command_explain(void *context, const struct ctl_request *request,
                           struct ctl_reply *reply)
{
    struct daemon_service *service = context;
    int error = 0;
    struct hypothetical *call = calloc(1, sizeof(*call));
    if (call == NULL)
        return -ENOMEM;
    if (read_arguments(request, reply, call) != 0)
        goto out;
    const struct proxy_trunk *trunk = choose_trunk(service, reply, call->trunk);
    if (trunk == NULL)
        goto out;
    struct slice bytes = compose(call);
    if (bytes.data == NULL || smsg_scan(&call->message, bytes) != 0) {
        ctl_reply_result(reply, CTL_STATUS_USAGE, "no SIP message can be made of these arguments");
        goto out;
    }
    error = explain(service, reply, call, trunk);
out:
    free(call);
    return error;
}
