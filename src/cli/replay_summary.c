/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "replay_int.h"
#include "stats/json.h"

/* What is beyond is counted as "other". */
enum { TYPES_MAX = 64, HOURS_MAX = 8784 };

enum { LABEL_COLUMNS = 10, LINE_BYTES = 2048 };

#define HOUR_US (UINT64_C(3600) * 1000000)

/* Of a rule, a type, a trunk or an hour. */
struct tally {
    uint64_t calls;
    uint64_t blocked;
    uint64_t suspicious; /* blocked ones too */
};

struct type_tally {
    char name[REPLAY_TYPE_BYTES];
    struct tally tally;
};

struct hour_tally {
    uint64_t hour; /* since 1970 UTC */
    struct tally tally;
};

struct replay_summary {
    struct tally all;
    uint64_t refused;
    uint64_t not_judged;
    uint64_t degraded;
    uint64_t outcomes[TAP_OUTCOME_COUNT];
    uint64_t actions[RULE_ACTION_COUNT];
    size_t rule_count;
    struct tally *rules; /* shadow hits are calls, but neither blocked nor suspicious */
    size_t trunk_count;
    struct tally *trunks;
    size_t type_count;
    struct type_tally types[TYPES_MAX];
    size_t hour_count;
    struct hour_tally hours[HOURS_MAX]; /* ascending */
};

struct replay_summary *replay_summary_create(const struct replay *replay)
{
    struct replay_summary *summary = calloc(1, sizeof(*summary));
    if (summary == NULL)
        return NULL;
    summary->rule_count = rule_set_count(replay_rules(replay, REPLAY_NEW));
    summary->trunk_count = proxy_plan_trunk_count(replay->judges[REPLAY_NEW].snapshot->plan);
    summary->rules = calloc(summary->rule_count + 1, sizeof(*summary->rules));
    summary->trunks = calloc(summary->trunk_count + 1, sizeof(*summary->trunks));
    if (summary->rules != NULL && summary->trunks != NULL)
        return summary;
    replay_summary_destroy(summary);
    return NULL;
}

void replay_summary_destroy(struct replay_summary *summary)
{
    if (summary == NULL)
        return;
    free(summary->rules);
    free(summary->trunks);
    free(summary);
}

/* ---- adding -------------------------------------------------------------------------------- */

static void add(struct tally *tally, const struct replay_verdict *verdict)
{
    bool suspicious = replay_is_suspicious(verdict);
    tally->calls++;
    tally->suspicious += suspicious ? 1 : 0;
    tally->blocked += suspicious && verdict->action == RULE_BLOCK ? 1 : 0;
}

/* Calls come nearly in order: the hour is nearly always the last one. */
static struct tally *hour_of(struct replay_summary *summary, uint64_t wall_us)
{
    uint64_t hour = wall_us / HOUR_US;
    size_t at = summary->hour_count;
    while (at > 0 && summary->hours[at - 1].hour > hour)
        at--;
    if (at > 0 && summary->hours[at - 1].hour == hour)
        return &summary->hours[at - 1].tally;
    if (summary->hour_count == HOURS_MAX)
        return &summary->hours[at > 0 ? at - 1 : 0].tally;
    memmove(&summary->hours[at + 1], &summary->hours[at],
            (summary->hour_count - at) * sizeof(summary->hours[0]));
    summary->hour_count++;
    summary->hours[at] = (struct hour_tally){.hour = hour};
    return &summary->hours[at].tally;
}

static struct tally *type_of(struct replay_summary *summary, const char *name)
{
    size_t at = 0;
    while (at < summary->type_count && strcmp(summary->types[at].name, name) != 0)
        at++;
    if (at == TYPES_MAX)
        return &summary->types[TYPES_MAX - 1].tally;
    if (at == summary->type_count) {
        summary->type_count++;
        snprintf(summary->types[at].name, sizeof(summary->types[at].name), "%s",
                 at == TYPES_MAX - 1 ? "other" : name);
    }
    return &summary->types[at].tally;
}

static struct tally *trunk_of(struct replay *replay, const struct proxy_trunk *trunk)
{
    const struct proxy_plan *plan = replay->judges[REPLAY_NEW].snapshot->plan;
    size_t at = 0;
    while (at < replay->summary->trunk_count && proxy_plan_trunk(plan, at) != trunk)
        at++;
    return &replay->summary->trunks[at];
}

static void add_rules(struct replay_summary *summary, const struct replay_verdict *verdict)
{
    for (uint8_t i = 0; i < verdict->fired_count; i++) {
        struct tally *tally = &summary->rules[verdict->fired[i].rule];
        if (verdict->fired[i].shadow)
            tally->calls++;
        else
            add(tally, verdict);
    }
}

void replay_summary_add(struct replay *replay, const struct tap_call *call,
                        const struct replay_call *found)
{
    struct replay_summary *summary = replay->summary;
    const struct replay_verdict *verdict = &found->verdicts[REPLAY_NEW];
    add(&summary->all, verdict);
    add(hour_of(summary, call->begun_us), verdict);
    summary->outcomes[call->outcome]++;
    if (!verdict->judged) {
        summary->not_judged++;
        return;
    }
    if (found->trunk != NULL)
        add(trunk_of(replay, found->trunk), verdict);
    if (verdict->refused) {
        summary->refused++;
        return;
    }
    summary->actions[verdict->action]++;
    summary->degraded += verdict->degraded ? 1 : 0;
    add_rules(summary, verdict);
    if (replay_is_suspicious(verdict) && verdict->type[0] != '\0')
        add(type_of(summary, verdict->type), verdict);
}

/* ---- text ---------------------------------------------------------------------------------- */

static void show_heading(const struct cli_output *out, const char *text)
{
    fputc('\n', out->stream);
    cli_print_left(out, CLI_BOLD, slice_of_text(text), 32);
    cli_print_right(out, CLI_BOLD, SLICE("CALLS"), 12);
    cli_print_right(out, CLI_BOLD, SLICE("SUSPICIOUS"), 12);
    cli_print_right(out, CLI_BOLD, SLICE("BLOCKED"), 12);
    fputc('\n', out->stream);
}

static void show_number(const struct cli_output *out, uint64_t value)
{
    char text[32];
    cli_format_count(value, text, sizeof(text));
    cli_print_right(out, CLI_PLAIN, slice_of_text(text), 12);
}

static void show_tally(const struct cli_output *out, struct slice name, const struct tally *tally)
{
    cli_print_left(out, CLI_PLAIN, name, 32);
    show_number(out, tally->calls);
    show_number(out, tally->suspicious);
    show_number(out, tally->blocked);
    fputc('\n', out->stream);
}

static struct slice hour_text(uint64_t hour, char *memory, size_t capacity)
{
    struct buffer text = buffer_over(memory, capacity);
    clock_append_rfc3339(&text, hour * HOUR_US);
    return slice_first(buffer_slice(&text), sizeof("2027-06-30T08:15") - 1);
}

static void append_list(struct buffer *line, const char *name, uint64_t value)
{
    char text[32];
    if (value == 0)
        return;
    cli_format_count(value, text, sizeof(text));
    buffer_format(line, "%s%s %s", line->length > 0 ? ", " : "", name, text);
}

/* A label, and what belongs to it on as many lines as it takes. */
static void show_line(const struct cli_output *out, const char *label, const struct buffer *line)
{
    cli_print_left(out, CLI_PLAIN, slice_of_text(label), LABEL_COLUMNS);
    cli_print_wrapped(out, CLI_PLAIN, LABEL_COLUMNS,
                      line->length > 0 ? buffer_slice(line) : SLICE("-"));
}

static void show_totals(const struct replay *replay)
{
    const struct cli_output *out = &replay->cli->out;
    const struct replay_summary *summary = replay->summary;
    const struct tap_counts *counts = tap_path_counts(replay->path);
    const struct tap_calls_figures *figures = tap_calls_figures(replay->calls);
    char memory[LINE_BYTES];
    struct buffer line = buffer_over(memory, sizeof(memory));
    fputc('\n', out->stream);
    for (unsigned i = 0; i < TAP_COUNT_COUNT; i++)
        append_list(&line, tap_count_rows[i].key, counts->of[i]);
    show_line(out, "captured", &line);
    line.length = 0;
    append_list(&line, "calls", figures->calls);
    append_list(&line, "invites", figures->invites);
    append_list(&line, "begun_before", figures->begun_before);
    append_list(&line, "evicted", figures->evicted);
    show_line(out, "followed", &line);
    line.length = 0;
    for (unsigned i = 0; i < TAP_OUTCOME_COUNT; i++)
        append_list(&line, tap_outcome_key((enum tap_outcome)i), summary->outcomes[i]);
    show_line(out, "outcomes", &line);
    line.length = 0;
    for (unsigned i = 0; i < RULE_ACTION_COUNT; i++)
        append_list(&line, rule_action_name((enum rule_action_kind)i), summary->actions[i]);
    append_list(&line, "refused", summary->refused);
    append_list(&line, "not_judged", summary->not_judged);
    append_list(&line, "degraded", summary->degraded);
    show_line(out, "verdicts", &line);
}

/* One row of a group; its heading comes before the first one that is shown. */
static void show_row(const struct cli_output *out, const char **heading, struct slice name,
                     const struct tally *tally)
{
    if (tally->calls == 0)
        return;
    if (*heading != NULL)
        show_heading(out, *heading);
    *heading = NULL;
    show_tally(out, name, tally);
}

static void show_text(const struct replay *replay)
{
    const struct cli_output *out = &replay->cli->out;
    const struct replay_summary *summary = replay->summary;
    const struct proxy_plan *plan = replay->judges[REPLAY_NEW].snapshot->plan;
    const struct rule_set *rules = replay_rules(replay, REPLAY_NEW);
    const char *by_rule = "RULE", *by_type = "TYPE", *by_trunk = "TRUNK", *by_hour = "HOUR (UTC)";
    char memory[40];
    show_totals(replay);
    for (size_t i = 0; i < summary->rule_count; i++)
        show_row(out, &by_rule, slice_of_text(rule_set_rule(rules, i)->id), &summary->rules[i]);
    for (size_t i = 0; i < summary->type_count; i++)
        show_row(out, &by_type, slice_of_text(summary->types[i].name), &summary->types[i].tally);
    for (size_t i = 0; i < summary->trunk_count; i++)
        show_row(out, &by_trunk, proxy_plan_trunk(plan, i)->screen.name, &summary->trunks[i]);
    for (size_t i = 0; i < summary->hour_count; i++)
        show_row(out, &by_hour, hour_text(summary->hours[i].hour, memory, sizeof(memory)),
                 &summary->hours[i].tally);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void fill_tally(struct stats_json *json, const char *key, struct slice name,
                       const struct tally *tally)
{
    stats_json_begin_object(json, NULL);
    stats_json_slice(json, key, name);
    stats_json_uint(json, "calls", tally->calls);
    stats_json_uint(json, "suspicious", tally->suspicious);
    stats_json_uint(json, "blocked", tally->blocked);
    stats_json_end_object(json);
}

static void fill_groups(const struct replay *replay, struct stats_json *json)
{
    const struct replay_summary *summary = replay->summary;
    const struct proxy_plan *plan = replay->judges[REPLAY_NEW].snapshot->plan;
    stats_json_begin_array(json, "rules");
    for (size_t i = 0; i < summary->rule_count; i++)
        fill_tally(json, "id",
                   slice_of_text(rule_set_rule(replay_rules(replay, REPLAY_NEW), i)->id),
                   &summary->rules[i]);
    stats_json_end_array(json);
    stats_json_begin_array(json, "types");
    for (size_t i = 0; i < summary->type_count; i++)
        fill_tally(json, "name", slice_of_text(summary->types[i].name), &summary->types[i].tally);
    stats_json_end_array(json);
    stats_json_begin_array(json, "trunks");
    for (size_t i = 0; i < summary->trunk_count; i++)
        fill_tally(json, "name", proxy_plan_trunk(plan, i)->screen.name, &summary->trunks[i]);
    stats_json_end_array(json);
    stats_json_begin_array(json, "hours");
    for (size_t i = 0; i < summary->hour_count; i++) {
        char memory[40];
        fill_tally(json, "hour", hour_text(summary->hours[i].hour, memory, sizeof(memory)),
                   &summary->hours[i].tally);
    }
    stats_json_end_array(json);
}

static void fill_summary(const void *context, struct stats_json *json)
{
    const struct replay *replay = context;
    const struct replay_summary *summary = replay->summary;
    const struct tap_calls_figures *figures = tap_calls_figures(replay->calls);
    stats_json_text(json, "type", "summary");
    stats_json_uint(json, "calls", figures->calls);
    stats_json_uint(json, "invites", figures->invites);
    stats_json_uint(json, "calls_begun_before", figures->begun_before);
    stats_json_uint(json, "calls_evicted", figures->evicted);
    stats_json_begin_object(json, "packets");
    for (unsigned i = 0; i < TAP_COUNT_COUNT; i++)
        stats_json_uint(json, tap_count_rows[i].key, tap_path_counts(replay->path)->of[i]);
    stats_json_end_object(json);
    stats_json_begin_object(json, "outcomes");
    for (unsigned i = 0; i < TAP_OUTCOME_COUNT; i++)
        stats_json_uint(json, tap_outcome_key((enum tap_outcome)i), summary->outcomes[i]);
    stats_json_end_object(json);
    stats_json_begin_object(json, "verdicts");
    for (unsigned i = 0; i < RULE_ACTION_COUNT; i++)
        stats_json_uint(json, rule_action_name((enum rule_action_kind)i), summary->actions[i]);
    stats_json_uint(json, "refused", summary->refused);
    stats_json_uint(json, "not_judged", summary->not_judged);
    stats_json_end_object(json);
    stats_json_uint(json, "degraded", summary->degraded);
    stats_json_text(json, "rules_version", rule_set_version(replay_rules(replay, REPLAY_NEW)));
    fill_groups(replay, json);
}

void replay_summary_show(const struct replay *replay)
{
    if (replay->cli->json)
        replay_show_json(replay, fill_summary, replay);
    else if (!replay->options.csv)
        show_text(replay);
}
