/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "base/clock.h"
#include "explain_int.h"

enum { SEARCH_US = 150000 /* that the control thread looks for changes, at most */ };

/* ---- judging -------------------------------------------------------------------------------- */

static void trace_rule(void *context, uint32_t rule, enum rule_result result)
{
    enum rule_result *results = context;
    results[rule] = result;
}

static int judge(struct explanation *explanation, const struct screen_input *input)
{
    struct daemon_service *service = explanation->service;
    struct screen_input again = *input;
    int error =
        screen_judge(service->explainer, service->snapshot->policy, input, &explanation->verdict);
    if (error != 0 || !explanation->verdict.pending)
        return error;
    /* Mode lookup: nothing is held here, and this thread does not wait for Redis. */
    again.reputation = SCREEN_REPUTATION_MISSING;
    return screen_judge(service->explainer, service->snapshot->policy, &again,
                        &explanation->verdict);
}

unsigned explain_failing(const struct rule_part *root, unsigned *parts)
{
    unsigned failing = 0;
    *parts = 1;
    if (root->kind != RULE_PART_ALL)
        return root->result != RULE_TRUE;
    *parts = 0;
    for (const struct rule_part *part = root->first; part != NULL; part = part->next) {
        (*parts)++;
        failing += part->result != RULE_TRUE;
    }
    return failing;
}

/* The conditions that are worth telling: of rules that fired, are unknown, or came near: all but
 * one of several parts hold. */
static int find_roots(struct explanation *explanation)
{
    size_t near = 0;
    struct arena *arena = explanation->call->arena;
    for (size_t i = 0; i < rule_set_count(explanation->rules); i++) {
        enum rule_result result = explanation->results[i];
        struct rule_part *root = NULL;
        unsigned parts;
        if ((result != RULE_TRUE && result != RULE_UNKNOWN && result != RULE_FALSE) ||
            (result == RULE_FALSE && near == EXPLAIN_NEAR_MAX))
            continue;
        int error = rule_set_parts(explanation->rules, i, arena, &root);
        if (error != 0)
            return error;
        screen_engine_run_parts(explanation->service->explainer, root);
        unsigned failing = explain_failing(root, &parts);
        if (result == RULE_FALSE && (failing != 1 || parts < 2))
            continue;
        near += result == RULE_FALSE;
        explanation->roots[i] = root;
    }
    return 0;
}

static int explain(struct explanation *explanation)
{
    struct explain_call *call = explanation->call;
    struct daemon_service *service = explanation->service;
    const struct rule_trace trace = {explanation->results, trace_rule};
    const struct screen_what_if what_if = {.overrides = call->overrides,
                                           .override_count = call->override_count};
    struct screen_input input = {
        .message = &call->message,
        .trunk = &call->trunk->screen,
        .wall_us = call->wall_us,
        .reputation = call->reputation,
        .finding = call->finding,
        .diverting = call->diverting,
        .source = call->source_known ? &call->source : NULL,
        .call_hash = call->call_hash,
        .hurried = call->then.hurried,
        .trace = &trace,
        .what_if = call->override_count > 0 ? &what_if : NULL,
    };
    int error = judge(explanation, &input);
    if (error != 0)
        return error;
    /* From now on all judgements have what this one found. */
    if (input.reputation == SCREEN_REPUTATION_FIND) {
        explanation->diverting = *screen_engine_diverting(service->explainer);
        input.finding = explanation->verdict.finding;
        input.diverting = explanation->diverting;
        input.reputation = explanation->verdict.reputation_known ? SCREEN_REPUTATION_GIVEN
                                                                 : SCREEN_REPUTATION_MISSING;
    }
    explanation->diverting = *screen_engine_diverting(service->explainer);
    error = screen_find_changes(service->explainer, service->snapshot->policy, &input,
                                &explanation->verdict, explanation->results, call->arena, SEARCH_US,
                                &explanation->turns);
    /* The engine is to hold this call again. */
    if (error == 0)
        error = judge(explanation, &input);
    if (error == 0 && explanation->verdict.rules_ran)
        error = find_roots(explanation);
    return error;
}

int explain_answer(struct daemon_service *service, struct ctl_reply *reply,
                   struct explain_call *call)
{
    struct explanation explanation = {
        .service = service,
        .call = call,
        .rules = screen_policy_rules(service->snapshot->policy),
    };
    const size_t count = rule_set_count(explanation.rules) + 1;
    int error = -ENOMEM;
    explanation.results = calloc(count, sizeof(*explanation.results));
    explanation.roots = calloc(count, sizeof(struct rule_part *));
    if (explanation.results != NULL && explanation.roots != NULL)
        error = explain(&explanation);
    if (error == 0)
        ctl_reply_object(reply, explain_fill, &explanation);
    free(explanation.results);
    free(explanation.roots);
    return error;
}

/* ---- calls that workers kept ---------------------------------------------------------------- */

/* A question on its way to the worker that owns the Call-ID, and back. */
struct kept_query {
    struct daemon_service *service;
    struct list_link waiting; /* of the service's queries */
    struct ctl_reply *reply;
    struct slice call_id; /* for messages; behind the struct */
    uint64_t call_hash;
    uint64_t since_us;
    bool found;
    uint32_t count;
    struct screen_recent_call call;
    char headers[SCREEN_RECENT_KEPT_MAX];
};

static void fail(struct kept_query *query)
{
    const struct screen_settings *settings =
        screen_policy_settings(query->service->snapshot->policy);
    if (settings->explain_keep_us == 0 || settings->explain_calls == 0)
        ctl_reply_result(query->reply, CTL_STATUS_FAILED,
                         "no calls are kept: set screening.explain_keep and "
                         "screening.explain_calls");
    else
        ctl_reply_result(query->reply, CTL_STATUS_FAILED,
                         "no call with the Call-ID \"%.*s\" is kept: calls are kept for %" PRIu64
                         " s (screening.explain_keep), the last %u or so of each worker "
                         "(screening.explain_calls)",
                         SLICE_ARGS(query->call_id), settings->explain_keep_us / 1000000,
                         settings->explain_calls);
}

static void finish(struct kept_query *query)
{
    list_remove(&query->waiting);
    ctl_reply_finish(query->reply);
    free(query);
}

/* On the control thread again. */
static void kept_answer(void *target, void *argument)
{
    struct daemon_service *service = target;
    struct kept_query *query = argument;
    struct explain_call *call = query->found ? explain_call_create(EXPLAIN_KEPT) : NULL;
    if (!query->found) {
        fail(query);
    } else if (call == NULL) {
        ctl_reply_result(query->reply, CTL_STATUS_FAILED, "out of memory");
    } else {
        call->same_call_id = query->count;
        int error =
            explain_take_kept(service, &query->call, slice_make(query->headers, query->call.kept),
                              query->reply, call);
        if (error == 0)
            error = explain_answer(service, query->reply, call);
        if (error != 0 && error != ERROR_NOT_FOUND && error != ERROR_MALFORMED)
            ctl_reply_result(query->reply, CTL_STATUS_FAILED, "%s", error_text(error));
    }
    explain_call_destroy(call);
    finish(query);
}

void daemon_explain_abandon(struct daemon_service *service)
{
    struct list_link *first;
    while ((first = list_first(&service->queries)) != NULL) {
        struct kept_query *query = LIST_ENTRY(first, struct kept_query, waiting);
        ctl_reply_result(query->reply, CTL_STATUS_FAILED, "the daemon stops");
        finish(query);
    }
}

/* On the worker's thread. */
static void kept_ask(void *target, void *argument)
{
    struct daemon_worker *worker = target;
    struct kept_query *query = argument;
    const struct screen_recent *recent = daemon_worker_recent(worker);
    query->found =
        recent != NULL && screen_recent_find(recent, query->call_hash, query->since_us,
                                             &query->call, query->headers, &query->count);
    /* Closed when the daemon stops: daemon_explain_abandon() has the query then. */
    if (rt_mailbox_post(query->service->mailbox, kept_answer, query) != 0)
        log_debug("daemon", "an explanation is lost: the daemon stops, or memory is out");
}

static int explain_kept(struct daemon_service *service, struct ctl_reply *reply,
                        struct slice call_id)
{
    const struct screen_settings *settings = screen_policy_settings(service->snapshot->policy);
    uint64_t now_us = clock_wall_us();
    if (service->shared.workers == 0) {
        ctl_reply_result(reply, CTL_STATUS_FAILED,
                         "in mode tap no call is kept; use `ringfence explain --event`");
        return 0;
    }
    struct kept_query *query = calloc(1, sizeof(*query) + call_id.length);
    if (query == NULL)
        return -ENOMEM;
    query->service = service;
    query->reply = reply;
    memcpy((char *)query + sizeof(*query), call_id.data, call_id.length);
    query->call_id = slice_make((char *)query + sizeof(*query), call_id.length);
    query->call_hash = proxy_call_hash(&service->shared.marks, call_id);
    query->since_us = now_us > settings->explain_keep_us ? now_us - settings->explain_keep_us : 0;
    size_t owner = tp_group_owner(service->shared.group, call_id);
    if (settings->explain_keep_us == 0)
        query->since_us = UINT64_MAX;
    list_append(&service->queries, &query->waiting);
    int error = daemon_worker_post(service->workers[owner], kept_ask, query);
    if (error != 0) {
        list_remove(&query->waiting);
        free(query);
        return error;
    }
    return CTL_LATER;
}

/* ---- the command ---------------------------------------------------------------------------- */

int daemon_command_explain(void *context, const struct ctl_request *request,
                           struct ctl_reply *reply)
{
    struct daemon_service *service = context;
    struct json_object *event = json_object_object_get(request->arguments, "event");
    struct slice call_id = slice_of_text(ctl_json_text(request->arguments, "call_id"));
    bool is_event = json_object_is_type(event, json_type_object);
    if (call_id.length > 0)
        return explain_kept(service, reply, call_id);
    struct explain_call *call =
        explain_call_create(is_event ? EXPLAIN_EVENT : EXPLAIN_HYPOTHETICAL);
    if (call == NULL)
        return -ENOMEM;
    int error = is_event ? explain_take_event(service, event, reply, call)
                         : explain_take_arguments(service, request, reply, call);
    /* What is wrong with the arguments has been said. */
    error = error == 0 ? explain_answer(service, reply, call) : error == -ENOMEM ? error : 0;
    explain_call_destroy(call);
    return error;
}
