/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli_int.h"
#include "control/json.h"

enum { TIMEOUT_MS = 30000, CELL_BYTES = 512, TITLE_COLUMNS_LEAST = 8 };

struct rules_options {
    const char *sort;
    const char *language;
};

const struct cli_option cli_rules_options[] = {
    {.name = "sort",
     .letter = 's',
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct rules_options, sort),
     .value = "BY",
     .choices = "hits|last|cost|file",
     .help = "most hits first (default), latest hit, highest cost, or the order of the files"},
    {.name = "lang",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct rules_options, language),
     .value = "LANGUAGE",
     .choices = "en|zh",
     .help = "language of the titles (default en)"},
    {.name = NULL},
};

struct rules_view {
    struct rules_options options;
    struct json_object *rules; /* an array, in the order of the files */
};

/* ---- order --------------------------------------------------------------------------------- */

struct ranked {
    struct json_object *rule;
    int64_t rank; /* the highest first */
    size_t place;
};

static int64_t rank_of(struct json_object *rule, const char *sort)
{
    if (strcmp(sort, "cost") == 0)
        return ctl_json_integer(rule, "cost_ns", -1);
    if (strcmp(sort, "last") == 0)
        return -ctl_json_integer(rule, "last_hit_ago_s", INT64_MAX);
    if (strcmp(sort, "hits") == 0)
        return ctl_json_integer(rule, "hits", 0) + ctl_json_integer(rule, "hits_shadow", 0);
    return 0;
}

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->rank != b->rank)
        return a->rank > b->rank ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* ---- cells --------------------------------------------------------------------------------- */

static struct slice text_or(const char *text, const char *otherwise)
{
    return slice_of_text(text != NULL ? text : otherwise);
}

static void cell_id(const struct rules_view *view, struct json_object *rule, struct buffer *out)
{
    (void)view;
    buffer_append(out, text_or(ctl_json_text(rule, "id"), "?"));
}

static void cell_mode(const struct rules_view *view, struct json_object *rule, struct buffer *out)
{
    (void)view;
    const char *share = ctl_json_text(rule, "rollout");
    buffer_append(out, text_or(ctl_json_text(rule, "mode"), "?"));
    if (share != NULL) {
        buffer_append_char(out, ' ');
        buffer_append_text(out, share);
    }
}

static void cell_points(const struct rules_view *view, struct json_object *rule, struct buffer *out)
{
    (void)view;
    const char *action = ctl_json_text(rule, "action");
    int64_t points = ctl_json_integer(rule, "points", 0);
    if (!json_object_object_get_ex(rule, "points", NULL))
        buffer_append_literal(out, "card");
    else if (points != 0 || action == NULL)
        buffer_append_int(out, points);
    if (action != NULL && out->length > 0)
        buffer_append_char(out, ' ');
    if (action != NULL)
        buffer_append_text(out, action);
}

static void append_count(struct json_object *rule, const char *key, struct buffer *out)
{
    char text[32] = "-";
    if (json_object_object_get_ex(rule, key, NULL))
        cli_format_count((uint64_t)ctl_json_integer(rule, key, 0), text, sizeof(text));
    buffer_append_text(out, text);
}

static void cell_hits(const struct rules_view *view, struct json_object *rule, struct buffer *out)
{
    (void)view;
    append_count(rule, "hits", out);
}

static void cell_shadow(const struct rules_view *view, struct json_object *rule, struct buffer *out)
{
    (void)view;
    append_count(rule, "hits_shadow", out);
}

static void cell_last(const struct rules_view *view, struct json_object *rule, struct buffer *out)
{
    (void)view;
    char text[64] = "-";
    int64_t ago_s = ctl_json_integer(rule, "last_hit_ago_s", -1);
    if (ago_s >= 0)
        cli_format_duration((uint64_t)ago_s, text, sizeof(text));
    buffer_append_text(out, text);
    if (ago_s >= 0)
        buffer_append_literal(out, " ago");
}

static void cell_cost(const struct rules_view *view, struct json_object *rule, struct buffer *out)
{
    (void)view;
    append_count(rule, "cost_ns", out);
    if (json_object_object_get_ex(rule, "cost_ns", NULL))
        buffer_append_literal(out, " ns");
}

static void cell_budget(const struct rules_view *view, struct json_object *rule, struct buffer *out)
{
    (void)view;
    const char *budget = ctl_json_text(rule, "budget");
    if (budget == NULL) {
        buffer_append_char(out, '-');
        return;
    }
    buffer_append_int(out, ctl_json_integer(rule, "budget_used", 0));
    buffer_append_literal(out, " of ");
    buffer_append_text(out, budget);
}

static void cell_title(const struct rules_view *view, struct json_object *rule, struct buffer *out)
{
    bool is_chinese = strcmp(view->options.language, "zh") == 0;
    const char *wanted = ctl_json_text(rule, is_chinese ? "title_zh" : "title_en");
    const char *other = ctl_json_text(rule, is_chinese ? "title_en" : "title_zh");
    buffer_append(out, text_or(wanted, other != NULL ? other : ""));
}

/* The title comes last: it takes what room is left. */
static const struct {
    const char *heading;
    bool is_right;
    void (*fill)(const struct rules_view *view, struct json_object *rule, struct buffer *out);
} column_rows[] = {
    {"rule", false, cell_id},  {"mode", false, cell_mode},     {"points", true, cell_points},
    {"hits", true, cell_hits}, {"shadow", true, cell_shadow},  {"last hit", true, cell_last},
    {"cost", true, cell_cost}, {"budget", false, cell_budget}, {"title", false, cell_title},
};

enum { COLUMNS = sizeof(column_rows) / sizeof(column_rows[0]), TITLE = COLUMNS - 1 };

/* ---- the table ----------------------------------------------------------------------------- */

static struct slice cell_text(const struct rules_view *view, size_t column,
                              struct json_object *rule, char *memory)
{
    struct buffer out = buffer_over(memory, CELL_BYTES);
    column_rows[column].fill(view, rule, &out);
    return buffer_slice(&out);
}

static void measure(const struct rules_view *view, size_t *widths)
{
    char memory[CELL_BYTES];
    for (size_t i = 0; i < COLUMNS; i++) {
        widths[i] = strlen(column_rows[i].heading);
        for (size_t row = 0; i != TITLE && row < json_object_array_length(view->rules); row++) {
            struct json_object *rule = json_object_array_get_idx(view->rules, row);
            size_t width = cli_shown_width(cell_text(view, i, rule, memory));
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
}

/* How wide a title may be; SIZE_MAX where lines have no end. */
static size_t title_room(const struct cli_output *output, const size_t *widths)
{
    size_t before = 0, columns = cli_columns(output);
    if (columns == SIZE_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i < TITLE; i++)
        before += widths[i] + 2;
    return before + TITLE_COLUMNS_LEAST < columns ? columns - before : TITLE_COLUMNS_LEAST;
}

static struct slice cut(struct slice text, size_t room)
{
    while (text.length > 0 && cli_shown_width(text) > room) {
        text.length--;
        while (text.length > 0 && ((unsigned char)text.data[text.length] & 0xc0) == 0x80)
            text.length--;
    }
    return text;
}

static enum cli_style style_of(struct json_object *rule)
{
    const char *mode = ctl_json_text(rule, "mode");
    if (mode == NULL || strcmp(mode, "enforce") == 0)
        return CLI_PLAIN;
    return strcmp(mode, "demoted") == 0 ? CLI_RED : CLI_DIM;
}

static void print_cell(const struct cli_output *output, size_t column, enum cli_style style,
                       struct slice text, const size_t *widths)
{
    if (column > 0)
        fputs("  ", output->stream);
    if (column == TITLE)
        cli_print(output, style, text);
    else if (column_rows[column].is_right)
        cli_print_right(output, style, text, widths[column]);
    else
        cli_print_left(output, style, text, widths[column]);
}

static void print_row(const struct cli_output *output, const struct rules_view *view,
                      struct json_object *rule, const size_t *widths, size_t room)
{
    char memory[CELL_BYTES];
    for (size_t i = 0; i < COLUMNS; i++) {
        struct slice text = cell_text(view, i, rule, memory);
        print_cell(output, i, i <= 1 ? style_of(rule) : CLI_PLAIN,
                   i == TITLE ? cut(text, room) : text, widths);
    }
    fputc('\n', output->stream);
}

static int show_rules(const struct cli_output *output, const struct rules_view *view)
{
    size_t widths[COLUMNS];
    size_t count = json_object_array_length(view->rules);
    struct ranked *ranked = calloc(count + 1, sizeof(*ranked));
    if (ranked == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct json_object *rule = json_object_array_get_idx(view->rules, i);
        ranked[i] = (struct ranked){rule, rank_of(rule, view->options.sort), i};
    }
    qsort(ranked, count, sizeof(*ranked), compare_ranked);
    measure(view, widths);
    size_t room = title_room(output, widths);
    for (size_t i = 0; i < COLUMNS; i++)
        print_cell(output, i, CLI_DIM, slice_of_text(column_rows[i].heading), widths);
    fputc('\n', output->stream);
    for (size_t i = 0; i < count; i++)
        print_row(output, view, ranked[i].rule, widths, room);
    free(ranked);
    return 0;
}

/* ---- commands ------------------------------------------------------------------------------ */

static int keep_rule(void *argument, struct slice line, struct json_object *object)
{
    struct rules_view *view = argument;
    (void)line;
    return json_object_array_add(view->rules, json_object_get(object)) == 0 ? 0 : -ENOMEM;
}

int cli_run_rules(struct cli *cli, char **arguments, size_t count)
{
    struct rules_view view = {.options = {.sort = "hits", .language = "en"}};
    struct ctl_answer answer;
    if (!cli_take_options(cli, cli_rules_options, &view.options, arguments, &count))
        return CLI_EXIT_USAGE;
    view.rules = json_object_new_array();
    int status = view.rules == NULL ? CLI_EXIT_NO
                 : cli->json ? cli_ask(cli, "rules", NULL, TIMEOUT_MS, cli_print_line, cli, &answer)
                             : cli_ask(cli, "rules", NULL, TIMEOUT_MS, keep_rule, &view, &answer);
    if (status == CLI_EXIT_OK)
        status = cli_exit_of(cli, &answer);
    if (status == CLI_EXIT_OK && !cli->json && show_rules(&cli->out, &view) != 0) {
        cli_complain(cli, "out of memory");
        status = CLI_EXIT_NO;
    }
    json_object_put(view.rules);
    return status;
}

int cli_run_rules_rearm(struct cli *cli, char **arguments, size_t count)
{
    struct ctl_answer answer;
    struct json_object *request = json_object_new_object();
    (void)count;
    if (request != NULL)
        json_object_object_add(request, "id", json_object_new_string(arguments[0]));
    int status = cli_ask(cli, "rules rearm", request, TIMEOUT_MS, NULL, NULL, &answer);
    json_object_put(request);
    if (status == CLI_EXIT_OK)
        status = cli_exit_of(cli, &answer);
    if (status == CLI_EXIT_OK) {
        cli_print(&cli->out, CLI_PLAIN, slice_of_text(answer.message));
        fputc('\n', cli->out.stream);
    }
    return status;
}
