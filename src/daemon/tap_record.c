/* SPDX-License-Identifier: Apache-2.0 */
#include "screening/report.h"
#include "tap_int.h"

/* ---- events -------------------------------------------------------------------------------- */

/* Nothing was done to the call: each verdict is one that it would have had. */
static void fill_verdict(struct stats_event *event, struct daemon_tap *tap,
                         const struct daemon_observed *observed)
{
    const struct screen_verdict *verdict = &observed->verdict;
    const struct proxy_labels *labels = &tap->shared->labels;
    event->kind = STATS_EVENT_VERDICT;
    event->action = (uint8_t)labels->actions[verdict->action];
    event->reason = (uint8_t)labels->authorities[verdict->authority];
    event->score = verdict->score;
    event->degraded = verdict->degraded;
    event->missing = screen_report_missing(daemon_observer_engine(tap->observer), verdict);
    event->would_have = true;
    if (verdict->would_get.differs) {
        event->would_action = (uint8_t)labels->actions[verdict->would_get.action];
        event->would_score = verdict->would_get.score;
        if (verdict->would_get.action == RULE_BLOCK)
            event->would_code = (uint16_t)rule_profile_status(verdict->would_get.profile);
    }
    event->trunk_in = observed->trunk->label_in;
    event->type = verdict->type_label;
    event->screening_ns = verdict->screening_ns;
}

static void write_event(struct daemon_tap *tap, const struct tap_message *message,
                        const struct daemon_observed *observed, uint32_t type)
{
    struct screen_engine *engine = daemon_observer_engine(tap->observer);
    const struct rule_set *rules = screen_policy_rules(tap->snapshot->policy);
    struct stats_event *event = stats_event_begin(tap->events);
    if (event == NULL) {
        stats_count(tap->stats, STATS_EVENTS_LOST);
        return;
    }
    event->wall_us = message->wall_us;
    event->sequence = ++tap->event_sequence;
    event->worker = (uint16_t)tap->shared->workers;
    fill_verdict(event, tap, observed);
    event->type = type;
    stats_event_text(event->rules_version, sizeof(event->rules_version),
                     slice_of_text(rule_set_version(rules)));
    stats_event_text(event->call_id, sizeof(event->call_id), message->sip->call_id);
    if (observed->verdict.authority != SCREEN_AUTHORITY_EMERGENCY)
        screen_report_parties(event, engine);
    if (observed->verdict.rules_ran)
        screen_report_rules(event, engine, tap->snapshot->policy);
    stats_event_commit(tap->events);
}

/* ---- counts -------------------------------------------------------------------------------- */

static void count_rules(struct daemon_tap *tap, const struct rule_outcome *outcome,
                        uint64_t wall_us)
{
    for (uint32_t i = 0; i < outcome->fired_count; i++) {
        const struct rule_fired *fired = &outcome->fired[i];
        const struct screen_rule_labels *labels =
            screen_policy_rule_labels(tap->snapshot->policy, fired->rule);
        if (fired->shadow)
            stats_count_label(tap->stats, STATS_FAMILY_RULES_SHADOW, labels->rules_shadow);
        else
            stats_count_label(tap->stats, STATS_FAMILY_RULES, labels->rules);
        stats_moment_set(tap->stats, STATS_MOMENT_RULE_HIT, labels->rules, wall_us / 1000000);
    }
}

static void record_verdict(struct daemon_tap *tap, const struct tap_message *message,
                           const struct daemon_observed *observed)
{
    const struct screen_verdict *verdict = &observed->verdict;
    const struct rule_outcome *outcome =
        verdict->rules_ran ? screen_engine_outcome(daemon_observer_engine(tap->observer)) : NULL;
    const struct proxy_labels *labels = &tap->shared->labels;
    uint32_t type = verdict->type_label;
    stats_count(tap->stats, STATS_CALLS);
    stats_count_label(tap->stats, STATS_FAMILY_TRUNK_CALLS_IN, observed->trunk->label_in);
    stats_count_label(tap->stats, STATS_FAMILY_VERDICTS, labels->actions[verdict->action]);
    stats_count_label(tap->stats, STATS_FAMILY_REASONS, labels->authorities[verdict->authority]);
    stats_record(tap->stats, STATS_HISTOGRAM_SCREENING, verdict->screening_ns);
    screen_tally_call(&labels->tally, tap->stats,
                      verdict->authority != SCREEN_AUTHORITY_EMERGENCY
                          ? screen_engine_facts(daemon_observer_engine(tap->observer))
                          : NULL);
    if (verdict->degraded) {
        stats_count(tap->stats, STATS_VERDICTS_DEGRADED);
        screen_tally_degraded(
            &labels->tally, tap->stats,
            screen_report_missing(daemon_observer_engine(tap->observer), verdict));
    }
    if (verdict->authority == SCREEN_AUTHORITY_EMERGENCY)
        stats_count(tap->stats, STATS_EMERGENCY_CALLS);
    if (outcome != NULL)
        count_rules(tap, outcome, message->wall_us);
    if (verdict->type_id != 0)
        type = stats_label(tap->shared->registry, STATS_FAMILY_TYPES, slice_of_text(verdict->type));
    if (verdict->action != RULE_ALLOW)
        stats_count_label(tap->stats, STATS_FAMILY_TYPES, type);
    if (verdict->action == RULE_BLOCK)
        stats_count_label(tap->stats, STATS_FAMILY_TRUNK_BLOCKED, observed->trunk->label_blocked);
    bool fired = outcome != NULL && outcome->fired_count > 0;
    if (verdict->action != RULE_ALLOW || fired || verdict->would_get.differs)
        write_event(tap, message, observed, type);
}

/* ---- calls --------------------------------------------------------------------------------- */

/* By the INVITE whose source is a trunk's, or of the trunk that is assumed. */
static void judge(struct daemon_tap *tap, struct tap_noted *noted,
                  const struct tap_message *message)
{
    struct daemon_observed observed;
    int error = daemon_observe(tap->observer, message, &observed);
    if (error == ERROR_NOT_FOUND)
        return;
    noted->judged = true;
    if (error == 0)
        record_verdict(tap, message, &observed);
    else
        stats_count(tap->stats, STATS_TAP_NOT_JUDGED);
}

static void note_end(struct daemon_tap *tap, struct tap_noted *noted, const struct tap_call *call,
                     enum stats_counter how)
{
    uint64_t heard_us = call->ringing_us != 0 ? call->ringing_us : call->answered_us;
    noted->ended = true;
    stats_count(tap->stats, STATS_CALLS_ENDED);
    stats_count(tap->stats, how);
    if (heard_us > call->begun_us)
        stats_record(tap->stats, STATS_HISTOGRAM_POST_DIAL_DELAY,
                     (heard_us - call->begun_us) * 1000);
    if (call->answered_us != 0 && call->ended_us > call->answered_us)
        stats_record(tap->stats, STATS_HISTOGRAM_CALL_DURATION,
                     (call->ended_us - call->answered_us) * 1000);
}

void tap_record_message(void *context, struct tap_call *call, const struct tap_message *message,
                        bool initial)
{
    struct daemon_tap *tap = context;
    struct tap_noted *noted = tap_call_extra(call);
    bool answered = call->outcome == TAP_OUTCOME_ANSWERED;
    if (initial && !noted->judged)
        judge(tap, noted, message);
    if (answered && !noted->answered) {
        noted->answered = true;
        stats_count(tap->stats, STATS_CALLS_ANSWERED);
    }
    if (answered && call->ended_us != 0 && !noted->ended)
        note_end(tap, noted, call, STATS_CALLS_ENDED_BYE);
}

void tap_record_done(void *context, struct tap_call *call)
{
    struct daemon_tap *tap = context;
    struct tap_noted *noted = tap_call_extra(call);
    if (!noted->judged)
        stats_count(tap->stats, STATS_TAP_NOT_JUDGED);
    if (!noted->ended)
        note_end(tap, noted, call,
                 call->outcome == TAP_OUTCOME_ANSWERED ? STATS_CALLS_ENDED_MAXIMUM
                                                       : STATS_CALLS_ENDED_FAILED);
}
