/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/encode.h"
#include "replay_int.h"

enum { ROW_BYTES = 8192, CELL_BYTES = 512, CHANGE_COLUMNS = 22, TURN_COLUMNS = 24 };

/* X(title, columns, columns where the terminal is narrow, right). What has none there stands on a
 * line of its own below. */
#define COLUMN_TABLE(X)        \
    X("TIME (UTC)", 20, 14, 0) \
    X("CALLER", 16, 15, 0)     \
    X("CALLEE", 16, 15, 0)     \
    X("TRUNK", 14, 0, 0)       \
    X("OUTCOME", 10, 10, 0)    \
    X("TALK", 7, 7, 1)         \
    X("SCORE", 5, 5, 1)        \
    X("VERDICT", 7, 7, 0)

static const struct {
    const char *title;
    uint8_t wide, narrow;
    bool right;
} columns[] = {
#define COLUMN_ROW(title, wide, narrow, right) {title, wide, narrow, right},
    COLUMN_TABLE(COLUMN_ROW)
#undef COLUMN_ROW
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]), COLUMN_VERDICT = COLUMNS - 1 };

/* WIDE: all but the rules, which have no end; INDENT: of a line below. */
enum { WIDE = 120, WIDE_COMPARISON = WIDE + CHANGE_COLUMNS + TURN_COLUMNS, INDENT = 15 };

static bool is_narrow(const struct replay *replay)
{
    return cli_columns(&replay->cli->out) < (replay->sides > 1 ? WIDE_COMPARISON : WIDE);
}

/* ---- cells --------------------------------------------------------------------------------- */

/* "sbc-a", or "sbc-a?" when it was only assumed. */
static struct slice trunk_text(const struct replay_call *found, char *memory, size_t capacity)
{
    struct buffer text = buffer_over(memory, capacity);
    buffer_append(&text, replay_trunk(found));
    if (found->trunk_assumed && found->trunk != NULL)
        buffer_append_char(&text, '?');
    return buffer_slice(&text);
}

/* "2026-11-18T11:06:40Z", or "11-18 11:06:40". */
static struct slice time_text(uint64_t wall_us, bool narrow, char *memory, size_t capacity)
{
    enum { YEAR = sizeof("2026-") - 1, DAY = sizeof("2026-11-18") - 1, MILLISECONDS = 5 };
    struct buffer text = buffer_over(memory, capacity);
    clock_append_rfc3339(&text, wall_us);
    if (text.length <= DAY + MILLISECONDS)
        return buffer_slice(&text);
    text.length -= MILLISECONDS;
    if (!narrow) {
        buffer_append_char(&text, 'Z');
        return buffer_slice(&text);
    }
    memory[DAY] = ' ';
    return slice_from(buffer_slice(&text), YEAR);
}

static enum cli_style style_of(const struct replay_verdict *verdict)
{
    if (!verdict->judged || verdict->refused)
        return CLI_DIM;
    return verdict->action == RULE_ALLOW ? CLI_GREEN
           : verdict->action == RULE_TAG ? CLI_YELLOW
                                         : CLI_RED;
}

static void append_blanks(struct buffer *row, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_append_char(row, ' ');
}

static void append_cell(struct buffer *row, size_t column, bool narrow, struct slice text)
{
    char memory[CELL_BYTES];
    struct buffer cell = buffer_over(memory, sizeof(memory));
    size_t wanted = narrow ? columns[column].narrow : columns[column].wide;
    if (wanted == 0)
        return;
    encode_terminal(&cell, slice_first(text, sizeof(memory) / 5));
    size_t width = cli_width(buffer_slice(&cell));
    size_t blanks = width < wanted ? wanted - width : 0;
    if (columns[column].right)
        append_blanks(row, blanks);
    buffer_append(row, buffer_slice(&cell));
    if (!columns[column].right)
        append_blanks(row, blanks);
    if (column + 1 < COLUMNS)
        append_blanks(row, narrow ? 1 : 2);
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* All cells but the verdict's, which has a colour. One write a row: captures have many. */
static void show_cells(const struct replay *replay, const struct tap_call *call,
                       const struct replay_call *found, bool narrow)
{
    const struct replay_verdict *verdict = &found->verdicts[REPLAY_NEW];
    char memory[ROW_BYTES], time[40], talk[32] = "", score[8] = "", trunk[256];
    struct buffer row = buffer_over(memory, sizeof(memory));
    if (call->answered_us != 0)
        cli_format_duration(replay_talk_us(call) / 1000000, talk, sizeof(talk));
    if (verdict->judged && !verdict->refused)
        snprintf(score, sizeof(score), "%u", verdict->score);
    const struct slice cells[COLUMN_VERDICT] = {
        time_text(call->begun_us, narrow, time, sizeof(time)),
        replay_caller(call, found),
        replay_callee(call, found),
        trunk_text(found, trunk, sizeof(trunk)),
        slice_of_text(tap_outcome_key((enum tap_outcome)call->outcome)),
        slice_of_text(talk),
        slice_of_text(score),
    };
    for (size_t i = 0; i < COLUMN_VERDICT; i++)
        append_cell(&row, i, narrow, cells[i]);
    fwrite(row.data, 1, row.length, replay->cli->out.stream);
}

/* "allow 40 -> block 100" */
static void turn_text(const struct replay_call *found, char *text, size_t capacity)
{
    const struct replay_verdict *now = &found->verdicts[REPLAY_NEW];
    const struct replay_verdict *then = &found->verdicts[REPLAY_OLD];
    snprintf(text, capacity, "%s %u -> %s %u", replay_action_text(then), then->score,
             replay_action_text(now), now->score);
}

static void show_wide(const struct replay *replay, const struct tap_call *call,
                      const struct replay_call *found, const struct replay_change *change)
{
    const struct cli_output *out = &replay->cli->out;
    const struct replay_verdict *verdict = &found->verdicts[REPLAY_NEW];
    char turn[64], rules[2048];
    if (change != NULL) {
        turn_text(found, turn, sizeof(turn));
        cli_print_left(out, change->style, slice_of_text(change->key), CHANGE_COLUMNS);
        cli_print_left(out, change->style, slice_of_text(turn), TURN_COLUMNS);
    }
    show_cells(replay, call, found, false);
    cli_print_left(out, style_of(verdict), slice_of_text(replay_action_text(verdict)),
                   columns[COLUMN_VERDICT].wide);
    fputs("  ", out->stream);
    cli_print(out, CLI_PLAIN, replay_rules_text(replay, REPLAY_NEW, verdict, rules, sizeof(rules)));
    fputc('\n', out->stream);
}

/* What changed, trunk and rules are below, unless there is nothing to say of them. */
static void show_narrow(const struct replay *replay, const struct tap_call *call,
                        const struct replay_call *found, const struct replay_change *change)
{
    const struct cli_output *out = &replay->cli->out;
    const struct replay_verdict *verdict = &found->verdicts[REPLAY_NEW];
    char turn[64], trunk[256], rules[2048], memory[ROW_BYTES];
    struct buffer line = buffer_over(memory, sizeof(memory));
    struct slice text = replay_rules_text(replay, REPLAY_NEW, verdict, rules, sizeof(rules));
    show_cells(replay, call, found, true);
    cli_print(out, style_of(verdict), slice_of_text(replay_action_text(verdict)));
    fputc('\n', out->stream);
    if (change != NULL) {
        turn_text(found, turn, sizeof(turn));
        buffer_format(&line, "%s: %s; ", change->key, turn);
    }
    if (change == NULL && text.length == 0)
        return;
    buffer_append(&line, trunk_text(found, trunk, sizeof(trunk)));
    buffer_append_text(&line, text.length > 0 ? ": " : "");
    buffer_append(&line, text);
    fprintf(out->stream, "%*s", INDENT, "");
    cli_print_wrapped(out, change != NULL ? change->style : CLI_DIM, INDENT, buffer_slice(&line));
}

void replay_table_row(const struct replay *replay, const struct tap_call *call,
                      const struct replay_call *found, const struct replay_change *change)
{
    if (is_narrow(replay))
        show_narrow(replay, call, found, change);
    else
        show_wide(replay, call, found, change);
}

void replay_table_header(const struct replay *replay)
{
    const struct cli_output *out = &replay->cli->out;
    bool narrow = is_narrow(replay);
    char memory[ROW_BYTES];
    struct buffer row = buffer_over(memory, sizeof(memory));
    if (replay->sides > 1 && !narrow)
        buffer_format(&row, "%-*s%-*s", CHANGE_COLUMNS, "CHANGE", TURN_COLUMNS, "BEFORE -> NOW");
    for (size_t i = 0; i < COLUMNS; i++)
        append_cell(&row, i, narrow, slice_of_text(columns[i].title));
    if (!narrow)
        buffer_append_literal(&row, "  RULES");
    cli_print(out, CLI_BOLD, buffer_slice(&row));
    fputc('\n', out->stream);
}
