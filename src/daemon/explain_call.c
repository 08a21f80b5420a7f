/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/encode.h"
#include "explain_int.h"

enum { ARENA_CHUNK = 16384, ARENA_LIMIT = 64 << 20, COMPOSED_BYTES = 8192 };

struct explain_call *explain_call_create(enum explain_kind kind)
{
    struct explain_call *call = calloc(1, sizeof(*call));
    if (call == NULL)
        return NULL;
    call->kind = kind;
    call->wall_us = clock_wall_us();
    call->reputation = SCREEN_REPUTATION_FIND;
    if (arena_create(ARENA_CHUNK, ARENA_LIMIT, &call->arena) == 0)
        return call;
    free(call);
    return NULL;
}

void explain_call_destroy(struct explain_call *call)
{
    if (call == NULL)
        return;
    arena_destroy(call->arena);
    free(call);
}

void explain_assume(struct explain_call *call, enum screen_feature feature, struct rule_value value)
{
    size_t at = 0;
    while (at < call->override_count && call->overrides[at].feature != feature)
        at++;
    if (at == EXPLAIN_OVERRIDES)
        return;
    call->overrides[at] = (struct screen_override){feature, value};
    if (at == call->override_count)
        call->override_count++;
}

/* ---- composing an INVITE -------------------------------------------------------------------- */

/* What a hypothetical or recorded call is made of; empty parts are left out. */
struct parts {
    struct slice caller;
    struct slice callee;
    struct slice display;
    struct slice asserted;
    struct slice diverting;
    struct slice user_agent;
    struct slice trunk;
    struct slice call_id;
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

static int compose(struct explain_call *call, const struct parts *parts)
{
    struct buffer out = buffer_over(call->memory, COMPOSED_BYTES);
    buffer_append_literal(&out, "INVITE sip:");
    buffer_append(&out, parts->callee);
    buffer_append_literal(&out, "@explain.invalid SIP/2.0\r\n"
                                "Via: SIP/2.0/UDP explain.invalid;branch=z9hG4bKexplain\r\n"
                                "Max-Forwards: 70\r\nFrom: ");
    if (parts->display.length > 0) {
        encode_sip_quoted(&out, parts->display);
        buffer_append_char(&out, ' ');
    }
    buffer_append_literal(&out, "<sip:");
    buffer_append(&out, parts->caller);
    buffer_append_literal(&out, "@explain.invalid>;tag=explain\r\n");
    append_party(&out, "To", parts->callee, "");
    append_party(&out, "P-Asserted-Identity", parts->asserted, "");
    append_party(&out, "Diversion", parts->diverting, ";reason=unconditional");
    buffer_append_literal(&out, "Call-ID: ");
    buffer_append(&out, parts->call_id.length > 0 ? parts->call_id : SLICE("explain"));
    buffer_append_literal(&out, "\r\nCSeq: 1 INVITE\r\n");
    if (parts->user_agent.length > 0) {
        buffer_append_literal(&out, "User-Agent: ");
        buffer_append(&out, parts->user_agent);
        buffer_append_literal(&out, "\r\n");
    }
    buffer_append_literal(&out, "Content-Length: 0\r\n\r\n");
    return out.overflow ? -EINVAL : smsg_scan(&call->message, buffer_slice(&out));
}

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

static const struct proxy_trunk *choose_trunk(const struct daemon_service *service,
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

static int finish_parts(struct daemon_service *service, struct ctl_reply *reply,
                        const struct parts *parts, struct explain_call *call)
{
    call->trunk = choose_trunk(service, reply, parts->trunk);
    if (call->trunk == NULL)
        return -EINVAL;
    if (compose(call, parts) != 0) {
        ctl_reply_result(reply, CTL_STATUS_USAGE, "no SIP message can be made of these arguments");
        return -EINVAL;
    }
    return 0;
}

/* ---- hypothetical --------------------------------------------------------------------------- */

/* What `explain` takes: parts of the message. */
static const struct {
    const char *name;
    size_t offset;
    bool is_user; /* stands as the user part of a URI */
} part_rows[] = {
    {"caller", offsetof(struct parts, caller), true},
    {"callee", offsetof(struct parts, callee), true},
    {"display", offsetof(struct parts, display), false},
    {"asserted", offsetof(struct parts, asserted), true},
    {"diverting", offsetof(struct parts, diverting), true},
    {"user_agent", offsetof(struct parts, user_agent), false},
    {"trunk", offsetof(struct parts, trunk), false},
};

/* The same: values of features under names of their own. */
static const struct {
    const char *name;
    enum screen_feature feature;
} value_rows[] = {
    {"time", SCREEN_FEATURE_TIME_NOW},
    {"source", SCREEN_FEATURE_MESSAGE_SOURCE},
    {"score", SCREEN_FEATURE_REPUTATION_SCORE},
    {"list", SCREEN_FEATURE_REPUTATION_LIST},
};

static int read_parts(const struct ctl_request *request, struct ctl_reply *reply,
                      struct parts *parts)
{
    for (size_t i = 0; i < sizeof(part_rows) / sizeof(part_rows[0]); i++) {
        struct slice *member = (struct slice *)(void *)((char *)parts + part_rows[i].offset);
        *member = slice_of_text(ctl_json_text(request->arguments, part_rows[i].name));
        if (is_sound(*member, part_rows[i].is_user))
            continue;
        ctl_reply_result(reply, CTL_STATUS_USAGE, "%s \"%.*s\" has characters that no number has",
                         part_rows[i].name, SLICE_ARGS(*member));
        return -EINVAL;
    }
    if (parts->caller.length > 0 && parts->callee.length > 0)
        return 0;
    ctl_reply_result(reply, CTL_STATUS_USAGE, "\"caller\" and \"callee\" are needed");
    return -EINVAL;
}

/* A value that was written for a feature; known as `shown` to who asked. */
static int read_value(struct ctl_reply *reply, struct explain_call *call, const char *shown,
                      enum screen_feature feature, const char *text)
{
    struct rule_value value;
    const struct rule_feature *row = &screen_catalogue.features[feature];
    struct slice copy = arena_copy(call->arena, slice_of_text(text));
    if (copy.data == NULL)
        return -ENOMEM;
    int error = rule_value_read(row, copy, &value);
    bool is_score = feature == SCREEN_FEATURE_REPUTATION_SCORE;
    if (error == 0 && is_score && value.known && (value.integer < 0 || value.integer > 100))
        error = -ERANGE;
    if (error != 0) {
        bool choices = row->choices != NULL && row->choices[0] != '\0';
        ctl_reply_result(reply, CTL_STATUS_USAGE, "%s \"%s\" is not of type %s%s%s, as in %s",
                         shown, text, rule_type_name(row->type), choices ? ", one of " : "",
                         choices ? row->choices : "", row->example);
        return -EINVAL;
    }
    if (feature == SCREEN_FEATURE_TIME_NOW && value.known) {
        call->wall_us = (uint64_t)value.integer;
        call->timed = true;
    } else if (feature == SCREEN_FEATURE_MESSAGE_SOURCE && value.known) {
        call->source = value.address;
        call->source_known = true;
    } else {
        explain_assume(call, feature, value);
    }
    return 0;
}

static int read_named(struct ctl_reply *reply, struct explain_call *call, const char *name,
                      struct json_object *value)
{
    uint16_t feature;
    if (!rule_catalogue_find(&screen_catalogue, slice_of_text(name), &feature)) {
        const char *near = rule_catalogue_suggest(&screen_catalogue, slice_of_text(name));
        ctl_reply_result(reply, CTL_STATUS_USAGE, "there is no feature \"%s\"%s%s%s", name,
                         near != NULL ? "; did you mean " : "", near != NULL ? near : "",
                         near != NULL ? "?" : "");
        return -EINVAL;
    }
    return read_value(reply, call, name, (enum screen_feature)feature,
                      json_object_get_string(value));
}

static int read_features(const struct ctl_request *request, struct ctl_reply *reply,
                         struct explain_call *call)
{
    for (size_t i = 0; i < sizeof(value_rows) / sizeof(value_rows[0]); i++) {
        const char *text = ctl_json_text(request->arguments, value_rows[i].name);
        if (text != NULL &&
            read_value(reply, call, value_rows[i].name, value_rows[i].feature, text) != 0)
            return -EINVAL;
    }
    struct json_object *features = json_object_object_get(request->arguments, "features");
    if (!json_object_is_type(features, json_type_object))
        return 0;
    json_object_object_foreach(features, name, value)
    {
        int error = read_named(reply, call, name, value);
        if (error != 0)
            return error;
    }
    return 0;
}

/* A number that stands on a list is known by that number. */
static void complete_reputation(struct explain_call *call)
{
    bool given = false;
    for (size_t i = 0; i < call->override_count; i++)
        given = given || call->overrides[i].feature == SCREEN_FEATURE_REPUTATION_LIST ||
                call->overrides[i].feature == SCREEN_FEATURE_REPUTATION_SCORE;
    if (!given)
        return;
    call->reputation = SCREEN_REPUTATION_GIVEN;
    call->finding = rep_finding_none();
    call->finding.match = REP_MATCH_NUMBER;
    call->diverting = rep_finding_none();
}

int explain_take_arguments(struct daemon_service *service, const struct ctl_request *request,
                           struct ctl_reply *reply, struct explain_call *call)
{
    struct parts parts = {.caller = SLICE("")};
    if (read_parts(request, reply, &parts) != 0 || read_features(request, reply, call) != 0)
        return -EINVAL;
    complete_reputation(call);
    return finish_parts(service, reply, &parts, call);
}

/* ---- an event of a stream ------------------------------------------------------------------- */

/* What no event tells: unknown, rather than absent. */
static const enum screen_feature untold[] = {
    SCREEN_FEATURE_CALLER_DISPLAY,        SCREEN_FEATURE_CALLER_FROM_NUMBER,
    SCREEN_FEATURE_CALLER_ANONYMOUS,      SCREEN_FEATURE_CALLER_IDENTITY_MISMATCH,
    SCREEN_FEATURE_MESSAGE_USER_AGENT,    SCREEN_FEATURE_MESSAGE_SUBJECT,
    SCREEN_FEATURE_MESSAGE_SIZE,          SCREEN_FEATURE_MESSAGE_HAS_IDENTITY,
    SCREEN_FEATURE_MESSAGE_HAS_DIVERSION, SCREEN_FEATURE_CALLER_ASSERTED_NUMBER,
};

static struct slice text_of(struct json_object *object, const char *key)
{
    const char *text = ctl_json_text(object, key);
    return slice_of_text(text != NULL ? text : "");
}

/* As it was written, where that can stand in a URI, else as it was normalised. */
static struct slice party_of(struct json_object *party)
{
    struct slice raw = text_of(party, "raw");
    return raw.length > 0 && is_sound(raw, true) ? raw : text_of(party, "number");
}

static void read_then(struct json_object *event, struct explain_call *call)
{
    struct explain_then *then = &call->then;
    struct json_object *rules = json_object_object_get(event, "rules");
    then->known = true;
    then->action = text_of(event, "action").data;
    then->authority = text_of(event, "reason").data;
    then->rules_version = text_of(event, "rules_version").data;
    then->status = (unsigned)ctl_json_integer(event, "code", 0);
    then->score = (unsigned)ctl_json_integer(event, "score", 0);
    then->degraded = ctl_json_boolean(event, "degraded", false);
    then->screening_ns = (uint32_t)ctl_json_integer(event, "screening_ns", 0);
    then->rules_fired = (unsigned)ctl_json_integer(event, "rules_fired", 0);
    size_t count =
        json_object_is_type(rules, json_type_array) ? json_object_array_length(rules) : 0;
    for (size_t i = 0; i < count && i < SCREEN_RECENT_RULES; i++) {
        struct json_object *rule = json_object_array_get_idx(rules, i);
        then->rules[then->rule_count++] =
            (struct explain_rule){text_of(rule, "id"), (int)ctl_json_integer(rule, "points", 0),
                                  ctl_json_boolean(rule, "shadow", false)};
    }
}

/* "2026-11-24T08:15:30.123Z": rules have whole seconds. */
static void read_time(struct json_object *event, struct explain_call *call)
{
    char memory[32];
    struct rule_value value;
    struct slice text = text_of(event, "time");
    struct buffer whole = buffer_over(memory, sizeof(memory));
    buffer_append(&whole, slice_first(text, slice_find(text, '.')));
    if (slice_find(text, '.') < text.length)
        buffer_append_char(&whole, 'Z');
    if (rule_value_read(&screen_catalogue.features[SCREEN_FEATURE_TIME_NOW], buffer_slice(&whole),
                        &value) != 0 ||
        !value.known)
        return;
    call->wall_us = (uint64_t)value.integer;
    call->timed = true;
}

int explain_take_event(struct daemon_service *service, struct json_object *event,
                       struct ctl_reply *reply, struct explain_call *call)
{
    struct json_object *caller = json_object_object_get(event, "caller");
    const struct parts parts = {
        .caller = party_of(caller),
        .callee = party_of(json_object_object_get(event, "callee")),
        .diverting = text_of(event, "diverting"),
        .trunk = text_of(event, "trunk_in"),
        .call_id = text_of(event, "call_id"),
    };
    if (parts.caller.length == 0 || parts.callee.length == 0 || parts.trunk.length == 0 ||
        !is_sound(parts.diverting, true) || !is_sound(parts.call_id, false)) {
        ctl_reply_result(reply, CTL_STATUS_USAGE,
                         "this is no event of a call: \"caller\", \"callee\" and \"trunk_in\" are "
                         "needed, as the stats socket writes them (docs/stats.md)");
        return -EINVAL;
    }
    read_then(event, call);
    read_time(event, call);
    for (size_t i = 0; i < sizeof(untold) / sizeof(untold[0]); i++)
        explain_assume(call, untold[i], rule_unknown(screen_catalogue.features[untold[i]].type));
    /* The network number may have stood in a header that the event does not have. */
    struct slice number = text_of(caller, "number");
    if (number.length > 0) {
        explain_assume(call, SCREEN_FEATURE_CALLER_NUMBER, rule_number(number));
        explain_assume(call, SCREEN_FEATURE_CALLER_VALID, rule_flag(true));
    }
    if (parts.diverting.length == 0)
        explain_assume(call, SCREEN_FEATURE_DIVERTING_PRESENT, rule_unknown(RULE_FLAG));
    call->call_hash = proxy_call_hash(&service->shared.marks, parts.call_id);
    return finish_parts(service, reply, &parts, call);
}

/* ---- a call that a worker kept -------------------------------------------------------------- */

static void read_kept_rules(const struct daemon_service *service,
                            const struct screen_recent_call *kept, struct explain_then *then)
{
    for (size_t i = 0; i < kept->rule_count; i++) {
        const struct screen_recent_rule *rule = &kept->rules[i];
        enum stats_family family = rule->shadow ? STATS_FAMILY_RULES_SHADOW : STATS_FAMILY_RULES;
        then->rules[then->rule_count++] =
            (struct explain_rule){stats_label_name(service->shared.registry, family, rule->label),
                                  rule->points, rule->shadow};
    }
}

int explain_take_kept(struct daemon_service *service, const struct screen_recent_call *kept,
                      struct slice headers, struct ctl_reply *reply, struct explain_call *call)
{
    struct explain_then *then = &call->then;
    call->trunk = proxy_plan_trunk_by_mark(service->snapshot->plan, kept->trunk);
    if (call->trunk == NULL) {
        ctl_reply_result(reply, CTL_STATUS_FAILED,
                         "the trunk that the call came by is no longer configured");
        return ERROR_NOT_FOUND;
    }
    call->wall_us = kept->wall_us;
    call->timed = true;
    call->call_hash = kept->call_hash;
    call->reputation = kept->reputation_known ? SCREEN_REPUTATION_GIVEN : SCREEN_REPUTATION_MISSING;
    call->finding = kept->finding;
    call->diverting = kept->diverting;
    call->source = kept->source;
    call->source_known = kept->source_known;
    call->cut = kept->cut;
    *then = (struct explain_then){
        .known = true,
        .action = rule_action_name((enum rule_action_kind)kept->action),
        .authority = screen_authority_text((enum screen_authority)kept->authority),
        .rules_version = arena_text(call->arena, slice_of_text(kept->rules_version)),
        .status = kept->status,
        .score = kept->score,
        .degraded = kept->degraded,
        .hurried = kept->hurried,
        .over_budget = kept->over_budget,
        .screening_ns = kept->screening_ns,
        .rules_fired = kept->rules_fired,
    };
    read_kept_rules(service, kept, then);
    /* The body was not kept, but its size is a feature. */
    size_t length = kept->size > headers.length ? kept->size : headers.length;
    if (length > sizeof(call->memory))
        length = sizeof(call->memory);
    memset(call->memory, ' ', length);
    memcpy(call->memory, headers.data, headers.length);
    if (smsg_scan(&call->message, slice_make(call->memory, length)) != 0) {
        ctl_reply_result(reply, CTL_STATUS_FAILED, "too little of the call's headers was kept");
        return ERROR_MALFORMED;
    }
    if (call->message.bytes.length != kept->size)
        explain_assume(call, SCREEN_FEATURE_MESSAGE_SIZE, rule_integer((int64_t)kept->size));
    return 0;
}
