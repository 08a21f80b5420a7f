/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/clock.h"
#include "base/encode.h"
#include "replay_int.h"
#include "stats/json.h"

enum { ROW_BYTES = 8192 };

bool replay_is_suspicious(const struct replay_verdict *verdict)
{
    return verdict->judged && !verdict->refused && verdict->action != RULE_ALLOW;
}

const char *replay_action_text(const struct replay_verdict *verdict)
{
    return !verdict->judged   ? "-"
           : verdict->refused ? "refused"
                              : rule_action_name((enum rule_action_kind)verdict->action);
}

uint64_t replay_talk_us(const struct tap_call *call)
{
    uint64_t until = call->ended_us != 0 ? call->ended_us : call->latest_us;
    return call->answered_us != 0 && until > call->answered_us ? until - call->answered_us : 0;
}

/* ---- cells --------------------------------------------------------------------------------- */

struct slice replay_caller(const struct tap_call *call, const struct replay_call *found)
{
    return found->caller[0] != '\0' ? slice_of_text(found->caller)
                                    : slice_make(call->caller, call->caller_length);
}

struct slice replay_callee(const struct tap_call *call, const struct replay_call *found)
{
    return found->callee[0] != '\0' ? slice_of_text(found->callee)
                                    : slice_make(call->callee, call->callee_length);
}

struct slice replay_trunk(const struct replay_call *found)
{
    return found->trunk != NULL ? found->trunk->screen.name : SLICE("");
}

struct slice replay_rules_text(const struct replay *replay, enum replay_side side,
                               const struct replay_verdict *verdict, char *memory, size_t capacity)
{
    struct buffer text = buffer_over(memory, capacity);
    const struct rule_set *rules = replay_rules(replay, side);
    for (uint8_t i = 0; i < verdict->fired_count; i++) {
        const struct replay_fired *fired = &verdict->fired[i];
        if (i > 0)
            buffer_append_literal(&text, ", ");
        buffer_append_text(&text, rule_set_rule(rules, fired->rule)->id);
        buffer_append_text(&text, fired->shadow ? " (" : " ");
        buffer_append_int(&text, fired->points);
        if (fired->shadow)
            buffer_append_char(&text, ')');
    }
    if (verdict->fired_count > 0 || !verdict->judged || verdict->refused)
        return buffer_slice(&text);
    /* No rule, but a list or a protected line has decided. */
    buffer_append_text(&text,
                       verdict->authority == SCREEN_AUTHORITY_NONE
                           ? ""
                           : screen_authority_text((enum screen_authority)verdict->authority));
    return buffer_slice(&text);
}

/* ---- CSV ----------------------------------------------------------------------------------- */

#define CSV_COLUMNS                                                                             \
    "time,caller,callee,trunk,trunk_assumed,source,call_id,outcome,status,ring_s,talk_s,score," \
    "verdict,reason,type,rules\n"

static void csv_slice(struct buffer *row, struct slice text)
{
    if (row->length > 0)
        buffer_append_char(row, ',');
    encode_csv(row, text);
}

static void csv_text(struct buffer *row, const char *text)
{
    csv_slice(row, slice_of_text(text));
}

static void csv_seconds(struct buffer *row, bool known, uint64_t microseconds)
{
    buffer_append_char(row, ',');
    if (known)
        buffer_format(row, "%.3f", (double)microseconds / 1e6);
}

static const char *reason_text(const struct replay_verdict *verdict)
{
    return verdict->judged && !verdict->refused
               ? screen_authority_text((enum screen_authority)verdict->authority)
               : "";
}

static void show_csv(const struct replay *replay, const struct tap_call *call,
                     const struct replay_call *found)
{
    const struct replay_verdict *verdict = &found->verdicts[REPLAY_NEW];
    char memory[ROW_BYTES], time[40], address[TP_ADDRESS_TEXT], rules[2048];
    struct buffer row = buffer_over(memory, sizeof(memory));
    struct buffer stamp = buffer_over(time, sizeof(time));
    bool rang = call->ringing_us > call->begun_us;
    bool scored = verdict->judged && !verdict->refused;
    clock_append_rfc3339(&stamp, call->begun_us);
    csv_slice(&row, buffer_slice(&stamp));
    csv_slice(&row, replay_caller(call, found));
    csv_slice(&row, replay_callee(call, found));
    csv_slice(&row, replay_trunk(found));
    csv_text(&row, found->trunk_assumed ? "yes" : "no");
    csv_text(&row, tp_address_text(&call->source, address));
    csv_slice(&row, slice_make(call->call_id, call->call_id_length));
    csv_text(&row, tap_outcome_key((enum tap_outcome)call->outcome));
    buffer_format(&row, ",%u", call->status);
    csv_seconds(&row, rang, call->ringing_us - call->begun_us);
    csv_seconds(&row, call->answered_us != 0, replay_talk_us(call));
    buffer_append_char(&row, ',');
    if (scored)
        buffer_append_uint(&row, verdict->score);
    csv_text(&row, replay_action_text(verdict));
    csv_text(&row, reason_text(verdict));
    csv_text(&row, verdict->type);
    csv_slice(&row, replay_rules_text(replay, REPLAY_NEW, verdict, rules, sizeof(rules)));
    buffer_append_char(&row, '\n');
    if (!row.overflow)
        fwrite(row.data, 1, row.length, replay->cli->out.stream);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

struct json_row {
    const struct replay *replay;
    const struct tap_call *call;
    const struct replay_call *found;
};

static void fill_rules(const struct json_row *row, enum replay_side side, struct stats_json *json)
{
    const struct rule_set *rules = replay_rules(row->replay, side);
    const struct replay_verdict *verdict = &row->found->verdicts[side];
    stats_json_begin_array(json, "rules");
    for (uint8_t i = 0; i < verdict->fired_count; i++) {
        const struct replay_fired *fired = &verdict->fired[i];
        stats_json_begin_object(json, NULL);
        stats_json_text(json, "id", rule_set_rule(rules, fired->rule)->id);
        stats_json_int(json, "points", fired->points);
        if (fired->shadow)
            stats_json_boolean(json, "shadow", true);
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
}

static void fill_verdict(const struct json_row *row, enum replay_side side, struct stats_json *json)
{
    const struct replay_verdict *verdict = &row->found->verdicts[side];
    stats_json_text(json, "action", replay_action_text(verdict));
    if (!verdict->judged || verdict->refused)
        return;
    stats_json_boolean(json, "would_have", true);
    stats_json_uint(json, "score", verdict->score);
    stats_json_text(json, "reason", reason_text(verdict));
    if (verdict->type[0] != '\0')
        stats_json_text(json, "scam_type", verdict->type);
    if (verdict->degraded)
        stats_json_boolean(json, "degraded", true);
    fill_rules(row, side, json);
}

static void fill_times(const struct tap_call *call, struct stats_json *json)
{
    if (call->ringing_us > call->begun_us)
        stats_json_uint(json, "ring_ms", (call->ringing_us - call->begun_us) / 1000);
    if (call->answered_us != 0)
        stats_json_uint(json, "talk_ms", replay_talk_us(call) / 1000);
    if (call->ended_us == 0)
        stats_json_boolean(json, "end_seen", false);
    if (!call->invite_seen)
        stats_json_boolean(json, "invite_seen", false);
}

static void fill_call(const void *context, struct stats_json *json)
{
    const struct json_row *row = context;
    const struct tap_call *call = row->call;
    char address[TP_ADDRESS_TEXT];
    stats_json_text(json, "type", "call");
    stats_json_time(json, "time", call->begun_us);
    stats_json_slice(json, "call_id", slice_make(call->call_id, call->call_id_length));
    stats_json_slice(json, "caller", replay_caller(call, row->found));
    stats_json_slice(json, "callee", replay_callee(call, row->found));
    stats_json_text(json, "source", tp_address_text(&call->source, address));
    if (row->found->trunk != NULL)
        stats_json_slice(json, "trunk", replay_trunk(row->found));
    if (row->found->trunk_assumed)
        stats_json_boolean(json, "trunk_assumed", true);
    stats_json_text(json, "outcome", tap_outcome_key((enum tap_outcome)call->outcome));
    stats_json_uint(json, "status", call->status);
    fill_times(call, json);
    fill_verdict(row, REPLAY_NEW, json);
    if (row->replay->sides > 1) {
        stats_json_begin_object(json, "against");
        fill_verdict(row, REPLAY_OLD, json);
        stats_json_end_object(json);
    }
}

void replay_show_json(const struct replay *replay,
                      void (*fill)(const void *context, struct stats_json *json),
                      const void *context)
{
    /* Thousands of rules, hours or trunks in a summary. */
    enum { JSON_BYTES = 4 << 20 };
    static char memory[JSON_BYTES];
    struct buffer line = buffer_over(memory, sizeof(memory));
    struct stats_json json = stats_json_into(&line);
    stats_json_begin_object(&json, NULL);
    fill(context, &json);
    stats_json_end_object(&json);
    buffer_append_char(&line, '\n');
    if (line.overflow)
        cli_complain(replay->cli, "a line of JSON is too long and was left out");
    else
        fwrite(line.data, 1, line.length, replay->cli->out.stream);
}

/* ---- any ----------------------------------------------------------------------------------- */

void replay_show_header(const struct replay *replay)
{
    if (replay->options.csv)
        fputs(CSV_COLUMNS, replay->cli->out.stream);
    else if (!replay->cli->json)
        replay_table_header(replay);
}

void replay_show_call(const struct replay *replay, const struct tap_call *call,
                      const struct replay_call *found)
{
    const struct json_row row = {replay, call, found};
    if (replay->cli->json)
        replay_show_json(replay, fill_call, &row);
    else if (replay->options.csv)
        show_csv(replay, call, found);
    else
        replay_table_row(replay, call, found, NULL);
}
