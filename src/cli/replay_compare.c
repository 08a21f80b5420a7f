/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "replay_int.h"
#include "stats/json.h"

/* X(identifier, key, text): what a call is, the first that holds. */
#define CHANGE_TABLE(X)                                                                         \
    X(HONEST, "honest_newly_blocked", "newly blocked, though it looks honest (answered, long)") \
    X(BLOCKED, "newly_blocked", "newly blocked")                                                \
    X(ALLOWED, "newly_allowed", "no longer blocked")                                            \
    X(ACTION, "changed_verdict", "another verdict, neither of them a block")                    \
    X(SCORE, "changed_score", "the same verdict by another score")                              \
    X(SAME, "unchanged", "unchanged")

enum change {
#define CHANGE_ROW(identifier, key, text) CHANGE_##identifier,
    CHANGE_TABLE(CHANGE_ROW)
#undef CHANGE_ROW
        CHANGE_COUNT
};

static const struct {
    const char *key;
    const char *text;
} changes[] = {
#define CHANGE_ROW(identifier, key, text) {key, text},
    CHANGE_TABLE(CHANGE_ROW)
#undef CHANGE_ROW
};

/* A rule of either side, by its id. What it does in shadow changes no call. */
struct rule_row {
    const char *id;
    uint64_t hits[REPLAY_SIDES];
    uint64_t shadow[REPLAY_SIDES];
    uint64_t gained; /* fires now and did not, or only in shadow */
    uint64_t lost;
};

struct replay_comparison {
    uint64_t counts[CHANGE_COUNT];
    uint64_t calls;
    size_t row_count;
    struct rule_row *rows;
    uint32_t *row_of[REPLAY_SIDES]; /* by index in the side's set */
};

/* ---- rules --------------------------------------------------------------------------------- */

/* Rows of the new rules first, in their order; then those that are only in the old. */
static void fill_rows(const struct replay *replay, struct replay_comparison *comparison)
{
    const struct rule_set *now = replay_rules(replay, REPLAY_NEW);
    const struct rule_set *then = replay_rules(replay, REPLAY_OLD);
    for (size_t i = 0; i < rule_set_count(now); i++) {
        comparison->row_of[REPLAY_NEW][i] = (uint32_t)i;
        comparison->rows[comparison->row_count++].id = rule_set_rule(now, i)->id;
    }
    for (size_t i = 0; i < rule_set_count(then); i++) {
        const char *id = rule_set_rule(then, i)->id;
        int same = rule_set_find(now, slice_of_text(id));
        if (same == RULE_NONE)
            comparison->rows[comparison->row_count].id = id;
        comparison->row_of[REPLAY_OLD][i] =
            same != RULE_NONE ? (uint32_t)same : (uint32_t)comparison->row_count++;
    }
}

struct replay_comparison *replay_comparison_create(const struct replay *replay)
{
    struct replay_comparison *comparison = calloc(1, sizeof(*comparison));
    if (comparison == NULL)
        return NULL;
    size_t total = 1;
    bool good = true;
    for (unsigned i = 0; i < REPLAY_SIDES; i++) {
        size_t count = rule_set_count(replay_rules(replay, (enum replay_side)i));
        total += count;
        comparison->row_of[i] = calloc(count + 1, sizeof(*comparison->row_of[i]));
        good = good && comparison->row_of[i] != NULL;
    }
    comparison->rows = calloc(total, sizeof(*comparison->rows));
    if (good && comparison->rows != NULL) {
        fill_rows(replay, comparison);
        return comparison;
    }
    replay_comparison_destroy(comparison);
    return NULL;
}

void replay_comparison_destroy(struct replay_comparison *comparison)
{
    if (comparison == NULL)
        return;
    free(comparison->rows);
    for (unsigned i = 0; i < REPLAY_SIDES; i++)
        free(comparison->row_of[i]);
    free(comparison);
}

static bool fired(const struct replay_comparison *comparison, const struct replay_call *found,
                  enum replay_side side, uint32_t row)
{
    const struct replay_verdict *verdict = &found->verdicts[side];
    for (uint8_t i = 0; i < verdict->fired_count; i++)
        if (comparison->row_of[side][verdict->fired[i].rule] == row && !verdict->fired[i].shadow)
            return true;
    return false;
}

static void add_rules(struct replay_comparison *comparison, const struct replay_call *found)
{
    for (unsigned side = 0; side < REPLAY_SIDES; side++) {
        const struct replay_verdict *verdict = &found->verdicts[side];
        enum replay_side other = side == REPLAY_NEW ? REPLAY_OLD : REPLAY_NEW;
        for (uint8_t i = 0; i < verdict->fired_count; i++) {
            uint32_t at = comparison->row_of[side][verdict->fired[i].rule];
            struct rule_row *row = &comparison->rows[at];
            if (verdict->fired[i].shadow) {
                row->shadow[side]++;
                continue;
            }
            row->hits[side]++;
            if (!fired(comparison, found, other, at))
                *(side == REPLAY_NEW ? &row->gained : &row->lost) += 1;
        }
    }
}

/* ---- calls --------------------------------------------------------------------------------- */

static bool is_blocked(const struct replay_verdict *verdict)
{
    return replay_is_suspicious(verdict) && verdict->action == RULE_BLOCK;
}

static enum change change_of(const struct replay *replay, const struct tap_call *call,
                             const struct replay_call *found)
{
    const struct replay_verdict *now = &found->verdicts[REPLAY_NEW];
    const struct replay_verdict *then = &found->verdicts[REPLAY_OLD];
    bool honest =
        call->outcome == TAP_OUTCOME_ANSWERED && replay_talk_us(call) >= replay->options.honest_us;
    if (is_blocked(now) && !is_blocked(then))
        return honest ? CHANGE_HONEST : CHANGE_BLOCKED;
    if (is_blocked(then) && !is_blocked(now))
        return CHANGE_ALLOWED;
    if (now->action != then->action || now->refused != then->refused)
        return CHANGE_ACTION;
    return now->score != then->score ? CHANGE_SCORE : CHANGE_SAME;
}

static void show_change(const struct replay *replay, enum change change,
                        const struct tap_call *call, const struct replay_call *found)
{
    const struct replay_change shown = {
        .key = changes[change].key,
        .style = change == CHANGE_HONEST    ? CLI_RED
                 : change == CHANGE_BLOCKED ? CLI_YELLOW
                                            : CLI_PLAIN,
    };
    replay_table_row(replay, call, found, &shown);
}

void replay_comparison_add(struct replay *replay, const struct tap_call *call,
                           const struct replay_call *found)
{
    struct replay_comparison *comparison = replay->comparison;
    enum change change = change_of(replay, call, found);
    comparison->calls++;
    comparison->counts[change]++;
    add_rules(comparison, found);
    if (change == CHANGE_SAME)
        return;
    if (replay->cli->json || replay->options.csv)
        replay_show_call(replay, call, found);
    else if (change != CHANGE_SCORE || replay->options.scores)
        show_change(replay, change, call, found);
}

/* ---- the whole ----------------------------------------------------------------------------- */

static void show_number(const struct cli_output *out, uint64_t value, size_t columns)
{
    char text[32];
    cli_format_count(value, text, sizeof(text));
    cli_print_right(out, CLI_PLAIN, slice_of_text(text), columns);
}

static void show_rules(const struct replay *replay)
{
    static const char *const titles[] = {"BEFORE", "NOW", "GAINED", "LOST", "IN SHADOW"};
    bool any = false;
    const struct cli_output *out = &replay->cli->out;
    const struct replay_comparison *comparison = replay->comparison;
    for (size_t i = 0; i < comparison->row_count; i++) {
        const struct rule_row *row = &comparison->rows[i];
        if (row->gained == 0 && row->lost == 0 &&
            row->shadow[REPLAY_NEW] == row->shadow[REPLAY_OLD])
            continue;
        if (!any) {
            fputc('\n', out->stream);
            cli_print_left(out, CLI_BOLD, SLICE("RULE"), 36);
            for (size_t j = 0; j < sizeof(titles) / sizeof(titles[0]); j++)
                cli_print_right(out, CLI_BOLD, slice_of_text(titles[j]), 11);
            fputc('\n', out->stream);
        }
        any = true;
        cli_print_left(out, CLI_PLAIN, slice_of_text(row->id), 36);
        show_number(out, row->hits[REPLAY_OLD], 11);
        show_number(out, row->hits[REPLAY_NEW], 11);
        show_number(out, row->gained, 11);
        show_number(out, row->lost, 11);
        show_number(out, row->shadow[REPLAY_NEW], 11);
        fputc('\n', out->stream);
    }
}

static void show_text(const struct replay *replay)
{
    const struct cli_output *out = &replay->cli->out;
    const struct replay_comparison *comparison = replay->comparison;
    fprintf(out->stream, "\n%s (rules %s) against %s (rules %s)\n", replay->judges[REPLAY_NEW].name,
            rule_set_version(replay_rules(replay, REPLAY_NEW)), replay->judges[REPLAY_OLD].name,
            rule_set_version(replay_rules(replay, REPLAY_OLD)));
    show_number(out, comparison->calls, 12);
    fputs("  calls\n", out->stream);
    for (unsigned i = 0; i < CHANGE_COUNT; i++) {
        show_number(out, comparison->counts[i], 12);
        fprintf(out->stream, "  %s\n", changes[i].text);
    }
    show_rules(replay);
}

static void fill_json(const void *context, struct stats_json *json)
{
    const struct replay *replay = context;
    const struct replay_comparison *comparison = replay->comparison;
    stats_json_text(json, "type", "comparison");
    stats_json_text(json, "rules_version", rule_set_version(replay_rules(replay, REPLAY_NEW)));
    stats_json_text(json, "against_version", rule_set_version(replay_rules(replay, REPLAY_OLD)));
    stats_json_uint(json, "calls", comparison->calls);
    for (unsigned i = 0; i < CHANGE_COUNT; i++)
        stats_json_uint(json, changes[i].key, comparison->counts[i]);
    stats_json_begin_array(json, "rules");
    for (size_t i = 0; i < comparison->row_count; i++) {
        const struct rule_row *row = &comparison->rows[i];
        stats_json_begin_object(json, NULL);
        stats_json_text(json, "id", row->id);
        stats_json_uint(json, "before", row->hits[REPLAY_OLD]);
        stats_json_uint(json, "now", row->hits[REPLAY_NEW]);
        stats_json_uint(json, "gained", row->gained);
        stats_json_uint(json, "lost", row->lost);
        stats_json_uint(json, "shadow_before", row->shadow[REPLAY_OLD]);
        stats_json_uint(json, "shadow_now", row->shadow[REPLAY_NEW]);
        stats_json_end_object(json);
    }
    stats_json_end_array(json);
}

void replay_comparison_show(const struct replay *replay)
{
    if (replay->cli->json)
        replay_show_json(replay, fill_json, replay);
    else if (!replay->options.csv)
        show_text(replay);
}

bool replay_comparison_fails(const struct replay *replay)
{
    const uint64_t *counts = replay->comparison->counts;
    const char *what = replay->options.fail_on != NULL ? replay->options.fail_on : "honest";
    uint64_t blocked = counts[CHANGE_HONEST] + counts[CHANGE_BLOCKED];
    return strcmp(what, "honest") == 0    ? counts[CHANGE_HONEST] > 0
           : strcmp(what, "blocked") == 0 ? blocked > 0
           : strcmp(what, "any") == 0     ? counts[CHANGE_SAME] < replay->comparison->calls
                                          : false;
}
