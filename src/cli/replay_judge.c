/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/check.h"
#include "replay_int.h"

/* LOAD_LIMIT_US: ten million entries take half a minute. */
#define LOAD_LIMIT_US (UINT64_C(300) * 1000000)
#define POLL_US       10000

/* ---- configuration and rules --------------------------------------------------------------- */

static int load_snapshot(struct replay *replay, const struct cli_option_list *list,
                         struct replay_judge *judge)
{
    struct cli *cli = replay->cli;
    struct conf_report *report;
    const char *path = cli->config;
    bool other = list->count == 1 && daemon_file_kind(list->values[0]) == DAEMON_FILE_CONFIGURATION;
    bool rules = list->count > 0 && !other;
    if (other)
        path = list->values[0];
    judge->name = list->count > 0 ? list->values[0] : path;
    if (conf_report_create(&report) != 0) {
        cli_complain(cli, "out of memory");
        return CLI_EXIT_NO;
    }
    int error = daemon_snapshot_try(path, rules ? list->values : NULL, rules ? list->count : 0,
                                    report, &judge->snapshot);
    if (error == ERROR_CONFIG)
        conf_report_print(report, cli->err.stream, cli->err.colour);
    else if (error != 0)
        cli_complain(cli, "%s: %s", path, error_text(error));
    conf_report_destroy(report);
    return error == 0 ? CLI_EXIT_OK : CLI_EXIT_NO;
}

/* ---- reputation ---------------------------------------------------------------------------- */

/* Follows nothing, saves nothing: what Redis holds now is all that is wanted. */
static void choose_store(const struct replay *replay, struct rep_settings *settings)
{
    const char *reputation = replay->options.reputation;
    daemon_reputation_convert(&replay->judges[REPLAY_NEW].snapshot->settings.reputation, settings);
    settings->saved_path = NULL;
    settings->mode = REP_MODE_REPLICA;
    if (reputation == NULL)
        return;
    settings->backend = REP_BACKEND_MEMORY;
    settings->csv_path = strcmp(reputation, "none") == 0 ? NULL : reputation;
}

/* Until all of it is there; what cannot be had is complained about. */
static int wait_for_store(struct replay *replay)
{
    uint64_t begun_us = clock_monotonic_us();
    struct rep_status status;
    while (!rep_store_loaded(replay->store)) {
        rep_store_status(replay->store, &status);
        bool failed = status.state == REP_STATE_WAITING || status.state == REP_STATE_STOPPED;
        if (failed || clock_monotonic_us() - begun_us > LOAD_LIMIT_US) {
            cli_complain(replay->cli,
                         "Redis: %s; --reputation FILE.csv or --reputation none does without it",
                         status.error[0] != '\0' ? status.error : rep_state_text(status.state));
            return CLI_EXIT_UNREACHABLE;
        }
        usleep(POLL_US);
    }
    return CLI_EXIT_OK;
}

static int open_store(struct replay *replay)
{
    struct rep_settings settings;
    char message[512] = "";
    choose_store(replay, &settings);
    int error = rep_store_create(&settings, message, sizeof(message), &replay->store);
    if (error == 0 && settings.backend == REP_BACKEND_REDIS)
        error = rep_store_start(replay->store);
    if (error != 0) {
        cli_complain(replay->cli, "%s", message[0] != '\0' ? message : error_text(error));
        return CLI_EXIT_NO;
    }
    return settings.backend == REP_BACKEND_REDIS ? wait_for_store(replay) : CLI_EXIT_OK;
}

/* ---- judges -------------------------------------------------------------------------------- */

static int assumed_trunk(struct replay *replay, const struct replay_judge *judge,
                         const struct proxy_trunk **trunk)
{
    const struct proxy_plan *plan = judge->snapshot->plan;
    const char *name = replay->options.trunk;
    *trunk = name != NULL                       ? proxy_plan_find_trunk(plan, slice_of_text(name))
             : proxy_plan_trunk_count(plan) > 0 ? proxy_plan_trunk(plan, 0)
                                                : NULL;
    if (*trunk != NULL)
        return CLI_EXIT_OK;
    if (name != NULL)
        cli_complain(replay->cli, "--trunk \"%s\": %s has no trunk of that name", name,
                     judge->name);
    else
        cli_complain(replay->cli, "%s has no trunks; without one no call can be judged",
                     judge->name);
    return CLI_EXIT_NO;
}

static int open_observer(struct replay *replay, struct replay_judge *judge)
{
    const struct proxy_trunk *trunk;
    int status = assumed_trunk(replay, judge, &trunk);
    if (status != CLI_EXIT_OK)
        return status;
    int error = daemon_observer_create(judge->snapshot, replay->store, trunk, &judge->observer);
    if (error == 0)
        return CLI_EXIT_OK;
    cli_complain(replay->cli, "%s", error_text(error));
    return CLI_EXIT_NO;
}

int replay_open_judges(struct replay *replay)
{
    const struct cli_option_list *lists[] = {&replay->options.rules, &replay->options.against};
    const size_t sides = replay->sides;
    int status = CLI_EXIT_OK;
    assert(sides <= REPLAY_SIDES);
    for (size_t i = 0; status == CLI_EXIT_OK && i < sides; i++)
        status = load_snapshot(replay, lists[i], &replay->judges[i]);
    if (status == CLI_EXIT_OK)
        status = open_store(replay);
    for (size_t i = 0; status == CLI_EXIT_OK && i < sides; i++)
        status = open_observer(replay, &replay->judges[i]);
    return status;
}

void replay_close_judges(struct replay *replay)
{
    for (size_t i = 0; i < REPLAY_SIDES; i++)
        daemon_observer_destroy(replay->judges[i].observer);
    rep_store_destroy(replay->store);
    for (size_t i = 0; i < REPLAY_SIDES; i++)
        daemon_snapshot_destroy(replay->judges[i].snapshot);
}

const struct rule_set *replay_rules(const struct replay *replay, enum replay_side side)
{
    return screen_policy_rules(replay->judges[side].snapshot->policy);
}

/* ---- one call ------------------------------------------------------------------------------ */

static void keep_text(char *room, size_t capacity, struct slice text)
{
    size_t length = text.length < capacity - 1 ? text.length : capacity - 1;
    if (length > 0)
        memcpy(room, text.data, length);
    room[length] = '\0';
}

static void keep_number(char *room, const struct num_number *number)
{
    keep_text(room, REPLAY_NUMBER_BYTES,
              number->valid ? slice_make(number->text, number->length) : SLICE(""));
}

static void keep_fired(struct replay_verdict *verdict, const struct rule_outcome *outcome)
{
    for (uint32_t i = 0; i < outcome->fired_count && i < REPLAY_FIRED_MAX; i++)
        verdict->fired[verdict->fired_count++] = (struct replay_fired){
            .rule = (uint16_t)outcome->fired[i].rule,
            .points = outcome->fired[i].points,
            .shadow = outcome->fired[i].shadow,
        };
}

static void judge_by(struct replay *replay, enum replay_side side, struct replay_call *call,
                     const struct tap_message *message)
{
    struct daemon_observed observed;
    struct daemon_observer *observer = replay->judges[side].observer;
    const struct screen_engine *engine = daemon_observer_engine(observer);
    struct replay_verdict *verdict = &call->verdicts[side];
    *verdict = (struct replay_verdict){.judged = true};
    int error = daemon_observe(observer, message, &observed);
    if (side == REPLAY_NEW) {
        call->trunk = observed.trunk;
        call->trunk_assumed = observed.trunk_assumed;
    }
    if (error != 0) {
        verdict->refused = true;
        return;
    }
    verdict->action = (uint8_t)observed.verdict.action;
    verdict->authority = (uint8_t)observed.verdict.authority;
    verdict->score = observed.verdict.score;
    verdict->degraded = observed.verdict.degraded;
    keep_text(verdict->type, sizeof(verdict->type), slice_of_text(observed.verdict.type));
    if (observed.verdict.rules_ran)
        keep_fired(verdict, screen_engine_outcome(engine));
    if (side == REPLAY_NEW && observed.verdict.authority != SCREEN_AUTHORITY_EMERGENCY) {
        keep_number(call->caller, &screen_engine_facts(engine)->caller);
        keep_number(call->callee, &screen_engine_facts(engine)->callee);
    }
}

void replay_judge_call(struct replay *replay, struct replay_call *call,
                       const struct tap_message *message)
{
    bool known =
        daemon_observer_trunk(replay->judges[REPLAY_NEW].observer, &message->source) != NULL;
    /* An assumed trunk gives way to a real one on a later leg. */
    if (call->verdicts[REPLAY_NEW].judged && !known)
        return;
    for (size_t i = 0; i < replay->sides; i++)
        judge_by(replay, (enum replay_side)i, call, message);
}
