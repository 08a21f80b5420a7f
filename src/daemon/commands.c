/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "control/json.h"
#include "daemon_int.h"

static int command_reload(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    (void)request;
    int result = daemon_reload(context, reply);
    if (result == -EBUSY)
        ctl_reply_result(reply, CTL_STATUS_FAILED,
                         "a reload is under way already; ask again when "
                         "it is done");
    return result;
}

/* ---- number set, number del: the memory store --------------------------------------------- */

static int number_argument(const struct ctl_request *request, struct ctl_reply *reply,
                           struct slice *number)
{
    *number = slice_of_text(ctl_json_text(request->arguments, "number"));
    if (number->length > 0)
        return 0;
    ctl_reply_result(reply, CTL_STATUS_USAGE, "the argument \"number\" is missing");
    return -EINVAL;
}

static int number_result(struct ctl_reply *reply, struct slice number, int error, const char *done,
                         const char *before)
{
    if (error == 0)
        ctl_reply_result(reply, CTL_STATUS_OK, "%.*s %s; %s", SLICE_ARGS(number), done, before);
    else if (error == -ENOTSUP)
        ctl_reply_result(reply, CTL_STATUS_FAILED,
                         "reputation is kept in Redis; write the key there (docs/redis.md)");
    else if (error == ERROR_NOT_FOUND)
        ctl_reply_result(reply, CTL_STATUS_FAILED, "%.*s is not known", SLICE_ARGS(number));
    else if (error == -EBADMSG)
        ctl_reply_result(reply, CTL_STATUS_USAGE,
                         "\"%.*s\" is neither a number in E.164 (+8613800138000), a prefix "
                         "(86138*), nor raw:TEXT",
                         SLICE_ARGS(number));
    return error == 0 || error == -EBADMSG || error == ERROR_NOT_FOUND || error == -ENOTSUP ? 0
                                                                                            : error;
}

/* What an audit line needs to know: what was there before. */
static const char *number_before(const struct daemon_service *service, struct slice number,
                                 char *text, size_t capacity)
{
    struct rep_key key;
    struct rep_entry entry;
    struct rep_store *store = service->shared.store;
    if (rep_row_key(number, &key) != 0 ||
        !rep_replica_get(rep_store_replica(store), &key, (uint64_t)daemon_wall_s(), &entry))
        return "was not known";
    snprintf(text, capacity, "was score %d, list %s, type \"%s\", source \"%s\"", entry.score,
             rep_list_text(entry.list), rep_names_text(rep_store_types(store), entry.type),
             rep_names_text(rep_store_sources(store), entry.source));
    return text;
}

static int command_number_set(void *context, const struct ctl_request *request,
                              struct ctl_reply *reply)
{
    struct daemon_service *service = context;
    struct json_object *arguments = request->arguments;
    struct rep_row row = {
        .score = (int)ctl_json_integer(arguments, "score", REP_SCORE_UNKNOWN),
        .type = slice_of_text(ctl_json_text(arguments, "type")),
        .source = slice_of_text(ctl_json_text(arguments, "source")),
        .note = slice_of_text(ctl_json_text(arguments, "note")),
        .expires_s = (uint64_t)ctl_json_integer(arguments, "expires", 0),
    };
    struct slice list = slice_of_text(ctl_json_text(arguments, "list"));
    if (number_argument(request, reply, &row.number) != 0)
        return 0;
    if (row.score > REP_SCORE_MAXIMUM || row.score < REP_SCORE_UNKNOWN) {
        ctl_reply_result(reply, CTL_STATUS_USAGE, "score %d is not 0 to 100", row.score);
        return 0;
    }
    if (rep_list_parse(list, &row.list) != 0) {
        ctl_reply_result(reply, CTL_STATUS_USAGE,
                         "list \"%.*s\" is not block, allow, watch or none", SLICE_ARGS(list));
        return 0;
    }
    char memory[256];
    const char *before = number_before(service, row.number, memory, sizeof(memory));
    return number_result(reply, row.number, rep_store_set(service->shared.store, &row), "is set",
                         before);
}

static int command_number_del(void *context, const struct ctl_request *request,
                              struct ctl_reply *reply)
{
    struct daemon_service *service = context;
    struct slice number;
    if (number_argument(request, reply, &number) != 0)
        return 0;
    char memory[256];
    const char *before = number_before(service, number, memory, sizeof(memory));
    return number_result(reply, number, rep_store_delete(service->shared.store, number),
                         "is deleted", before);
}

/* ---- number get: what this process holds -------------------------------------------------- */

struct held {
    const struct daemon_service *service;
    struct rep_entry entry;
};

static void fill_held(void *argument, struct stats_json *json)
{
    const struct held *held = argument;
    struct rep_store *store = held->service->shared.store;
    if (held->entry.score >= 0)
        stats_json_int(json, "score", held->entry.score);
    stats_json_text(json, "list", rep_list_text(held->entry.list));
    stats_json_text(json, "type", rep_names_text(rep_store_types(store), held->entry.type));
    stats_json_text(json, "source", rep_names_text(rep_store_sources(store), held->entry.source));
    if (held->entry.expires_s != 0)
        stats_json_time(json, "expires", held->entry.expires_s * 1000000);
}

static int command_number_get(void *context, const struct ctl_request *request,
                              struct ctl_reply *reply)
{
    struct daemon_service *service = context;
    struct held held = {service, {0}};
    struct slice number;
    struct rep_key key;
    if (number_argument(request, reply, &number) != 0)
        return 0;
    if (rep_row_key(number, &key) != 0)
        return number_result(reply, number, -EBADMSG, "", "");
    if (!rep_replica_get(rep_store_replica(service->shared.store), &key, (uint64_t)daemon_wall_s(),
                         &held.entry))
        return number_result(reply, number, ERROR_NOT_FOUND, "", "");
    ctl_reply_object(reply, fill_held, &held);
    return 0;
}

static int command_replica_accept(void *context, const struct ctl_request *request,
                                  struct ctl_reply *reply)
{
    struct daemon_service *service = context;
    (void)request;
    int error = rep_store_accept(service->shared.store);
    if (error == ERROR_NOT_FOUND)
        ctl_reply_result(reply, CTL_STATUS_FAILED, "nothing is held");
    else if (error == 0)
        ctl_reply_result(reply, CTL_STATUS_OK, "the held sync goes ahead");
    return error == ERROR_NOT_FOUND ? 0 : error;
}

const struct ctl_command daemon_commands[] = {
    {"status", CTL_READ, "state of trunks, calls, transactions, reputation and rules",
     daemon_command_status},
    {"explain", CTL_READ, "what a call would get, and why", daemon_command_explain},
    {"rules", CTL_READ, "the live rules with their hits, cost and budgets", daemon_command_rules},
    {"rules rearm", CTL_CHANGE, "enforces a rule again that its budget has demoted",
     daemon_command_rules_rearm},
    {"number get", CTL_READ, "what this process holds of a number", command_number_get},
    {"number set", CTL_CHANGE, "sets a number of the memory store", command_number_set},
    {"number del", CTL_CHANGE, "deletes a number of the memory store", command_number_del},
    {"reload", CTL_CHANGE, "reads configuration, rules and lists again", command_reload},
    {"drain", CTL_CHANGE, "refuses new calls; those under way go on", daemon_command_drain},
    {"undrain", CTL_CHANGE, "serves new calls again", daemon_command_undrain},
    {"upgrade", CTL_CHANGE, "hands sockets and calls to a new process", daemon_command_upgrade},
    {"replica accept", CTL_CHANGE, "lets a held sync of the replica go ahead",
     command_replica_accept},
};
const size_t daemon_command_count = sizeof(daemon_commands) / sizeof(daemon_commands[0]);
