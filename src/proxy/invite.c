/* SPDX-License-Identifier: Apache-2.0 */
#include "admission_int.h"
#include "overload_int.h"
#include "redirect_int.h"

#include "base/clock.h"

/* The cap of emergency calls, the only limit that they meet: GCRA with a burst of one second. */
static bool emergency_passes(struct proxy *proxy, uint64_t now_us)
{
    uint64_t spacing = UINT64_C(1000000) / proxy->snapshot.limits->emergency_rate;
    uint64_t due = proxy->emergency_due_us > now_us ? proxy->emergency_due_us : now_us;
    if (due - now_us > 1000000 - spacing)
        return false;
    proxy->emergency_due_us = due + spacing;
    return true;
}

static bool within_rate(struct proxy *proxy, const struct screen_verdict *verdict, uint64_t now_us)
{
    const struct rule_action *demand = verdict->demand;
    const struct screen_facts *facts = screen_engine_facts(proxy->parts.screening);
    if (proxy->parts.limiter == NULL || demand == NULL)
        return true;
    /* The place of the demand tells its rule from others, also across workers and reloads. */
    struct {
        uint64_t line;
        uint64_t column;
        uint64_t file;
        uint64_t caller;
    } key = {demand->place.line, demand->place.column, 0, 0};
    const struct hash_key *secret = &proxy->parts.marks->tag;
    key.file = hash_slice(secret, slice_of_text(demand->place.file));
    if (demand->rate_per == RULE_PER_CALLER)
        key.caller = hash_slice(secret, slice_make(facts->caller.text, facts->caller.length));
    return screen_limiter_pass(proxy->parts.limiter, hash_siphash13(secret, &key, sizeof(key)),
                               demand->rate_count, demand->rate_period_us, now_us);
}

/* A final answer of our own, with the transaction that repeats it. */
static void refuse(struct proxy *proxy, const struct proxy_request *request,
                   struct proxy_context *context, uint16_t status, struct slice reason,
                   struct slice extra)
{
    if (context == NULL)
        context = proxy_context_create(proxy, request);
    if (context == NULL)
        return;
    proxy_respond(proxy, context->server, request->message, status, reason, extra,
                  request->packet->received_us);
    proxy_context_free(context);
}

static void begin_call(struct proxy *proxy, const struct proxy_request *request,
                       const struct proxy_path *path, const uint32_t places[CALL_HELD],
                       struct proxy_context *context)
{
    const struct screen_facts *facts = screen_engine_facts(proxy->parts.screening);
    const struct smsg *message = request->message;
    struct call_record *record;
    context->initial = true;
    if (call_begin(proxy->parts.calls, message->call_id, message->from.tag, request->from->mark,
                   facts->caller.packed, facts->callee.packed, request->packet->received_us,
                   &record) != 0) {
        stats_count(proxy->parts.stats, STATS_CALLS_WITHOUT_RECORD);
        proxy_admission_give_back(proxy, places);
        return;
    }
    call_set_trunk_out(record, path->to->mark);
    if (!call_hold(record, places))
        proxy_admission_give_back(proxy, places);
    context->call = call_id_of(record);
}

/* Lets the call go on by the path. */
static void let_pass(struct proxy *proxy, const struct proxy_request *request,
                     struct proxy_path *path, const uint32_t places[CALL_HELD],
                     struct proxy_context *context)
{
    if (context == NULL) {
        context = proxy_context_create(proxy, request);
        if (context == NULL) {
            proxy_admission_give_back(proxy, places);
            return;
        }
        proxy_respond(proxy, context->server, request->message, 100, SLICE(""), SLICE(""),
                      request->packet->received_us);
    }
    begin_call(proxy, request, path, places, context);
    stats_count_label(proxy->parts.stats, STATS_FAMILY_TRUNK_CALLS_OUT, path->to->label_out);
    uint64_t received_us = context->received_us;
    uint64_t begun_ns = proxy->timed ? clock_monotonic_ns() : 0;
    proxy_relay(proxy, request, path, context);
    if (proxy->timed)
        stats_record(proxy->parts.stats, STATS_HISTOGRAM_STAGE_FORWARD,
                     clock_monotonic_ns() - begun_ns);
    stats_record(proxy->parts.stats, STATS_HISTOGRAM_FORWARDING,
                 (clock_monotonic_us() - received_us) * 1000);
}

/* The peer only asks. Returns what it was answered. */
static uint16_t answer(struct proxy *proxy, const struct proxy_request *request,
                       const struct screen_verdict *verdict, struct proxy_path *path,
                       struct proxy_context *context)
{
    struct proxy_refusal told = {.reason = SLICE(""), .extra = SLICE("")};
    if (verdict->action == RULE_LIMIT && !within_rate(proxy, verdict, request->packet->received_us))
        told.status = (uint16_t)verdict->demand->rate_code;
    else
        told = proxy_redirect_answer(proxy, request, verdict, path);
    refuse(proxy, request, context, told.status, told.reason, told.extra);
    return told.status;
}

/* The verdict is there: 0 when the call goes on, or the status that it was refused with. */
static uint16_t enforce(struct proxy *proxy, const struct proxy_request *request,
                        const struct screen_verdict *verdict, struct proxy_path *path,
                        struct proxy_context *context)
{
    int status;
    struct proxy_refusal refusal;
    uint64_t now_us = request->packet->received_us;
    if (request->from->redirect != NULL)
        return answer(proxy, request, verdict, path, context);
    switch (verdict->action) {
    case RULE_BLOCK:
        refusal = proxy_block(proxy, verdict->profile);
        refuse(proxy, request, context, refusal.status, refusal.reason, refusal.extra);
        return refusal.status;
    case RULE_LIMIT:
        if (within_rate(proxy, verdict, now_us))
            break;
        refuse(proxy, request, context, (uint16_t)verdict->demand->rate_code, SLICE(""), SLICE(""));
        return (uint16_t)verdict->demand->rate_code;
    case RULE_DIVERT:
        status = proxy_divert(proxy, request, verdict, path);
        if (status == 0)
            break;
        refuse(proxy, request, context, (uint16_t)status, SLICE(""), proxy_refusal_lines(status));
        return (uint16_t)status;
    case RULE_TAG:
        proxy_tag(proxy, verdict, path);
        if (path->to->boundary.out[PROXY_BOUNDARY_TAGS] == PROXY_TREATMENT_REMOVE)
            path->extra = SLICE("");
        break;
    case RULE_ALLOW:
    case RULE_ACTION_COUNT:
        break;
    }
    uint32_t places[CALL_HELD] = {0};
    uint16_t limited = verdict->authority != SCREEN_AUTHORITY_EMERGENCY
                           ? proxy_admit_call(proxy, request, path->to, places)
                           : 0;
    if (limited != 0)
        refuse(proxy, request, context, limited, SLICE(""), SLICE(""));
    else
        let_pass(proxy, request, path, places, context);
    return limited;
}

static void conclude(struct proxy *proxy, const struct proxy_request *request,
                     const struct screen_verdict *verdict, struct proxy_path *path,
                     struct proxy_context *context)
{
    uint64_t now_us = request->packet->received_us;
    stats_count(proxy->parts.stats, STATS_CALLS);
    stats_count_label(proxy->parts.stats, STATS_FAMILY_TRUNK_CALLS_IN, request->from->label_in);
    if (verdict->authority == SCREEN_AUTHORITY_EMERGENCY) {
        stats_count(proxy->parts.stats, STATS_EMERGENCY_CALLS);
        if (!emergency_passes(proxy, now_us)) {
            proxy_record_verdict(proxy, request, verdict, path->to, 503);
            refuse(proxy, request, context, 503, SLICE(""), SLICE(""));
            return;
        }
    }
    uint16_t status = enforce(proxy, request, verdict, path, context);
    proxy_record_verdict(proxy, request, verdict, path->to, status);
}

bool proxy_source_address(const struct tp_address *source, struct rule_address *address)
{
    *address = (struct rule_address){{0}};
    if (source->family == 6) {
        memcpy(address->bytes, source->bytes, sizeof(address->bytes));
        return true;
    }
    address->bytes[10] = 0xff;
    address->bytes[11] = 0xff;
    memcpy(address->bytes + 12, source->bytes, 4);
    return source->family == 4;
}

uint64_t proxy_call_hash(const struct ident_marks *marks, struct slice call_id)
{
    return hash_slice(&marks->tag, call_id);
}

bool proxy_is_hurried(const struct proxy *proxy, const struct proxy_request *request)
{
    return request->packet->backlog_us > proxy->snapshot.limits->overload_begin_us;
}

static void record_stages(struct proxy *proxy, const struct screen_stages *stages)
{
    static const enum stats_histogram histograms[SCREEN_STAGE_COUNT] = {
        [SCREEN_STAGE_DECODE] = STATS_HISTOGRAM_STAGE_DECODE,
        [SCREEN_STAGE_FEATURES] = STATS_HISTOGRAM_STAGE_FEATURES,
        [SCREEN_STAGE_RULES] = STATS_HISTOGRAM_STAGE_RULES,
    };
    for (size_t i = 0; i < SCREEN_STAGE_COUNT; i++)
        if (stages->ns[i] > 0)
            stats_record(proxy->parts.stats, histograms[i], stages->ns[i]);
}

static int judge(struct proxy *proxy, const struct proxy_request *request,
                 enum screen_reputation reputation, const struct rep_finding *finding,
                 struct screen_verdict *verdict)
{
    struct rule_address source;
    bool source_known = proxy_source_address(&request->packet->source, &source);
    struct screen_stages stages = {0};
    struct screen_input input = {
        .message = request->message,
        .source = source_known ? &source : NULL,
        .call_hash = proxy_call_hash(proxy->parts.marks, request->message->call_id),
        .hurried = proxy_is_hurried(proxy, request),
        .trunk = &request->from->screen,
        .wall_us = proxy_wall(proxy, request->packet->received_us),
        .charged = true,
        .reputation = reputation,
        .finding = finding != NULL ? *finding : rep_finding_none(),
        .stages = proxy->timed ? &stages : NULL,
    };
    int error = screen_judge(proxy->parts.screening, proxy->snapshot.policy, &input, verdict);
    record_stages(proxy, &stages);
    if (error == 0 && !verdict->pending)
        stats_record(proxy->parts.stats, STATS_HISTOGRAM_SCREENING, verdict->screening_ns);
    return error;
}

/* ---- pending verdicts ---------------------------------------------------------------------- */

/* Judges a parked request again, now with the answer or without. */
static void resume(struct proxy_context *context, enum screen_reputation reputation,
                   const struct rep_finding *finding, uint64_t now_us)
{
    struct proxy *proxy = context->proxy;
    struct screen_verdict verdict;
    struct proxy_path path;
    /* A copy: the server's own is gone with the final response, before the verdict is recorded. */
    struct slice bytes = txn_server_request(context->server);
    memcpy(proxy->resumed, bytes.data, bytes.length);
    const struct tp_packet packet = {
        .bytes = slice_make(proxy->resumed, bytes.length),
        .source = txn_server_source(context->server),
        .listener = txn_server_listener(context->server),
        .connection = txn_server_connection(context->server),
        .protocol = proxy_plan_protocol(proxy->snapshot.plan, txn_server_listener(context->server)),
        .received_us = now_us,
    };
    rt_timer_cancel(proxy->parts.wheel, &context->timer);
    context->parked = false;
    list_remove(&context->waiting);
    proxy->parked--;
    proxy->scratch = buffer_over(proxy->scratch_memory, sizeof(proxy->scratch_memory));
    struct proxy_request request = {
        .message = &proxy->message,
        .packet = &packet,
        .from = proxy_plan_source(proxy->snapshot.plan, packet.listener, &packet.source),
    };

    /* A reload may have removed the trunk or its routes while the call waited. */
    int status = 500;
    if (request.from != NULL && smsg_scan(&proxy->message, packet.bytes) == 0)
        status = proxy_redirect_concerns(&request) ? proxy_find_redirect(proxy, &request, &path)
                                                   : proxy_find_path(proxy, &request, &path);
    if (status != 0 || judge(proxy, &request, reputation, finding, &verdict) != 0) {
        proxy_respond_late(proxy, context->server,
                           status == 0 || status == PROXY_SILENCE ? 500 : (uint16_t)status, now_us);
        proxy_context_free(context);
        return;
    }
    conclude(proxy, &request, &verdict, &path, context);
}

static void lookup_done(void *cookie, int result, const struct rep_finding *finding)
{
    struct proxy_context *context = cookie;
    context->lookup = 0;
    resume(context, result == 0 ? SCREEN_REPUTATION_GIVEN : SCREEN_REPUTATION_MISSING, finding,
           clock_monotonic_us());
}

void proxy_invite_deadline(struct proxy_context *context, uint64_t now_us)
{
    rep_lookup_cancel(context->proxy->parts.lookup, context->lookup, true);
    context->lookup = 0;
    stats_count(context->proxy->parts.stats, STATS_VERDICTS_DEADLINE);
    resume(context, SCREEN_REPUTATION_MISSING, NULL, now_us);
}

void proxy_invite_unpark(struct proxy_context *context)
{
    rep_lookup_cancel(context->proxy->parts.lookup, context->lookup, false);
    context->lookup = 0;
}

void proxy_invite_decide_parked(struct proxy *proxy, uint64_t now_us)
{
    struct list_link *first;
    while ((first = list_first(&proxy->parked_calls)) != NULL) {
        struct proxy_context *context = LIST_ENTRY(first, struct proxy_context, waiting);
        proxy_invite_unpark(context);
        resume(context, SCREEN_REPUTATION_MISSING, NULL, now_us);
    }
}

/*
 * Asks for what is missing. True: the context waits. False: the answer (or that there is none) is
 * known at once, in *reputation and *finding.
 */
static bool park(struct proxy *proxy, const struct proxy_request *request,
                 enum screen_reputation *reputation, struct rep_finding *finding)
{
    const struct screen_settings *settings = screen_policy_settings(proxy->snapshot.policy);
    const struct num_number *caller = &screen_engine_facts(proxy->parts.screening)->caller;
    struct slice text = slice_make(caller->text, caller->length);
    uint64_t now_us = request->packet->received_us;
    *reputation = SCREEN_REPUTATION_MISSING;
    if (proxy->parts.lookup == NULL)
        return false;
    if (proxy->parked >= settings->parked_limit) {
        stats_count(proxy->parts.stats, STATS_PARKED_REFUSED);
        return false;
    }
    struct proxy_context *context = proxy_context_create(proxy, request);
    if (context == NULL)
        return true; /* refused already */
    int error = rep_lookup_start(proxy->parts.lookup, caller->valid ? text : SLICE(""),
                                 caller->valid ? SLICE("") : text, lookup_done, context, finding,
                                 &context->lookup);
    proxy_respond(proxy, context->server, request->message, 100, SLICE(""), SLICE(""), now_us);
    context->parked = true;
    list_append(&proxy->parked_calls, &context->waiting);
    proxy->parked++;
    if (error == 0 && context->lookup != 0) {
        stats_count(proxy->parts.stats, STATS_VERDICTS_PARKED);
        rt_timer_set(proxy->parts.wheel, &context->timer, now_us, settings->deadline_us);
        return true;
    }
    resume(context, error == 0 ? SCREEN_REPUTATION_GIVEN : SCREEN_REPUTATION_MISSING, finding,
           now_us);
    return true;
}

/* ---- entry --------------------------------------------------------------------------------- */

static void receive_initial(struct proxy *proxy, const struct proxy_request *request,
                            struct proxy_path *path)
{
    struct screen_verdict verdict;
    struct rep_finding finding = rep_finding_none();
    enum screen_reputation reputation = SCREEN_REPUTATION_FIND;
    if (proxy->draining && !screen_is_emergency(request->message, &request->from->screen)) {
        proxy_reply(proxy, request, 503, SLICE(""),
                    proxy_retry_after(proxy, proxy->snapshot.limits->drain_retry_after_us));
        return;
    }
    uint16_t limited = proxy_admit_request(proxy, request);
    if (limited != 0) {
        proxy_reply(proxy, request, limited, SLICE(""), SLICE(""));
        return;
    }
    int error = judge(proxy, request, reputation, NULL, &verdict);
    if (error == 0 && verdict.pending) {
        if (park(proxy, request, &reputation, &finding))
            return;
        error = judge(proxy, request, reputation, &finding, &verdict);
    }
    if (error != 0) {
        proxy->message.bad = SMSG_BAD_DISAGREE;
        proxy_refuse_malformed(proxy, request);
        return;
    }
    conclude(proxy, request, &verdict, path, NULL);
}

void proxy_receive_invite(struct proxy *proxy, const struct proxy_request *request,
                          const struct proxy_path *path)
{
    struct proxy_path mine = *path;
    if (!path->in_dialog) {
        receive_initial(proxy, request, &mine);
        return;
    }
    struct proxy_context *context = proxy_context_create(proxy, request);
    if (context == NULL)
        return;
    proxy_respond(proxy, context->server, request->message, 100, SLICE(""), SLICE(""),
                  request->packet->received_us);
    proxy_relay(proxy, request, path, context);
}
