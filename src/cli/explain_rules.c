/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "explain_int.h"

enum { POINTS_COLUMNS = 8, MARK_COLUMNS = 10, DEPTH_COLUMNS = 2 };

/* ---- which rules are shown ------------------------------------------------------------------ */

enum group { FIRED, SHADOWED, UNKNOWN, NEAR, GROUP_COUNT };

static const struct {
    const char *heading;
    enum cli_style style;
} group_rows[GROUP_COUNT] = {
    [FIRED] = {"Rules that fired", CLI_YELLOW},
    [SHADOWED] = {"Rules that fired, but do not count", CLI_DIM},
    [UNKNOWN] = {"Rules that cannot be decided, because something is unknown", CLI_DIM},
    [NEAR] = {"Rules that came near: one part of the condition is not true", CLI_PLAIN},
};

static bool has_result(struct json_object *rule, const char *result)
{
    const char *text = ctl_json_text(rule, "result");
    return text != NULL && strcmp(text, result) == 0;
}

/* GROUP_COUNT: not shown. A scorecard that comes to nothing has not fired. */
static enum group group_of(struct json_object *rule)
{
    if (has_result(rule, "fires") && ctl_json_boolean(rule, "counted", false))
        return FIRED;
    if (has_result(rule, "fires"))
        return ctl_json_text(rule, "shadow") != NULL ? SHADOWED : GROUP_COUNT;
    if (has_result(rule, "unknown"))
        return UNKNOWN;
    return ctl_json_boolean(rule, "near", false) ? NEAR : GROUP_COUNT;
}

/* ---- one rule ------------------------------------------------------------------------------- */

/* What a test saw: `caller.country is "GB"`. */
static void append_values(struct buffer *out, struct json_object *part)
{
    struct json_object *features = json_object_object_get(part, "features");
    bool first = true;
    if (!json_object_is_type(features, json_type_object))
        return;
    json_object_object_foreach(features, name, value)
    {
        char memory[EXPLAIN_VALUE_BYTES];
        /* A flag is told by the mark. */
        if (json_object_is_type(value, json_type_boolean))
            continue;
        buffer_append_text(out, first ? "   (" : ", ");
        buffer_append_text(out, name);
        buffer_append_text(out, value == NULL ? " is unknown" : " is ");
        if (value != NULL)
            buffer_append(out, cli_value_text(value, memory, sizeof(memory)));
        first = false;
    }
    if (!first)
        buffer_append_char(out, ')');
}

static void print_part(const struct explain_view *view, struct json_object *part)
{
    static const struct {
        const char *result;
        const char *mark;
        enum cli_style style;
    } marks[] = {
        {"true", "yes", CLI_GREEN}, {"false", "no", CLI_RED}, {"unknown", "?", CLI_YELLOW}};
    const char *result = ctl_json_text(part, "result");
    const char *text = ctl_json_text(part, "text");
    const char *kind = ctl_json_text(part, "kind");
    char memory[4 * EXPLAIN_VALUE_BYTES];
    struct buffer line = buffer_over(memory, sizeof(memory));
    size_t indent = MARK_COLUMNS + 4 + DEPTH_COLUMNS * (size_t)ctl_json_integer(part, "depth", 0);
    fprintf(view->output->stream, "%*s", MARK_COLUMNS, "");
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (result != NULL && strcmp(marks[i].result, result) == 0)
            cli_print_left(view->output, marks[i].style, slice_of_text(marks[i].mark), 4);
    fprintf(view->output->stream, "%*s", (int)(indent - MARK_COLUMNS - 4), "");
    if (ctl_json_boolean(part, "negated", false))
        buffer_append_literal(&line, "not ");
    buffer_append_text(&line, text != NULL ? text : kind != NULL ? kind : "?");
    if (text == NULL)
        buffer_append_char(&line, ':');
    else
        append_values(&line, part);
    explain_wrap(view, CLI_PLAIN, indent, indent + 2, buffer_slice(&line));
}

/* How a scorecard came to its points: "+20 message.size = 1400". */
static void print_card(const struct explain_view *view, struct json_object *rule)
{
    char memory[EXPLAIN_VALUE_BYTES];
    for (size_t i = 0; i < explain_count(rule, "parts"); i++) {
        struct json_object *part = explain_item(rule, "parts", i);
        const char *name = ctl_json_text(part, "feature");
        fprintf(view->output->stream, "        %+4" PRId64 "  ",
                ctl_json_integer(part, "points", 0));
        cli_print(view->output, CLI_PLAIN, slice_of_text(name != NULL ? name : "?"));
        if (json_object_object_get_ex(part, "known", NULL)) {
            struct json_object *value = json_object_object_get(part, "value");
            bool known = ctl_json_boolean(part, "known", true);
            fputs(" = ", view->output->stream);
            cli_print(view->output, CLI_DIM,
                      known ? cli_value_text(value, memory, sizeof(memory)) : SLICE("unknown"));
        }
        fputc('\n', view->output->stream);
    }
}

/* Why a rule that fired does not count. */
static void append_shadow(struct buffer *out, struct json_object *rule)
{
    const char *shadow = ctl_json_text(rule, "shadow");
    if (shadow == NULL)
        return;
    if (strcmp(shadow, "rollout") == 0)
        buffer_format(out, "  (this call is outside its roll-out of %" PRId64 "%%)",
                      ctl_json_integer(rule, "rollout_percent", 0));
    else if (strcmp(shadow, "budget") == 0)
        buffer_append_literal(out, "  (it exceeded its budget)");
    else
        buffer_append_literal(out, "  (in shadow)");
}

static void print_rule(const struct explain_view *view, struct json_object *rule,
                       enum cli_style style)
{
    char memory[2 * EXPLAIN_VALUE_BYTES];
    struct buffer line = buffer_over(memory, sizeof(memory));
    const char *title = explain_title(view, rule);
    const char *id = ctl_json_text(rule, "id");
    const char *file = ctl_json_text(rule, "file");
    const char *demands = ctl_json_text(rule, "demands");
    id = id != NULL ? id : "?";
    fprintf(view->output->stream, "  %+4" PRId64 "  ", ctl_json_integer(rule, "points", 0));
    cli_print(view->output, style, slice_of_text(id));
    if (title != NULL)
        buffer_format(&line, "  %s", title);
    if (demands != NULL)
        buffer_format(&line, "  (demands %s)", demands);
    append_shadow(&line, rule);
    if (file != NULL) {
        const char *name = strrchr(file, '/');
        buffer_format(&line, "  %s:%" PRId64, name != NULL ? name + 1 : file,
                      ctl_json_integer(rule, "line", 0));
    }
    explain_wrap(view, CLI_PLAIN, POINTS_COLUMNS + cli_shown_width(slice_of_text(id)),
                 POINTS_COLUMNS + 2, buffer_slice(&line));
    print_card(view, rule);
    for (size_t i = 0; i < explain_count(rule, "condition"); i++)
        print_part(view, explain_item(rule, "condition", i));
}

/* ---- all ------------------------------------------------------------------------------------ */

static size_t print_group(const struct explain_view *view, struct json_object *object,
                          enum group group)
{
    size_t shown = 0;
    for (size_t i = 0; i < explain_count(object, "rules"); i++) {
        struct json_object *rule = explain_item(object, "rules", i);
        if (group_of(rule) != group)
            continue;
        if (shown++ == 0)
            explain_heading(view, group_rows[group].heading);
        print_rule(view, rule, group_rows[group].style);
    }
    if (shown > 0)
        fputc('\n', view->output->stream);
    return shown;
}

void explain_show_rules(const struct explain_view *view, struct json_object *object)
{
    size_t count = explain_count(object, "rules");
    size_t shown = 0;
    for (unsigned group = 0; group < GROUP_COUNT; group++)
        shown += print_group(view, object, (enum group)group);
    if (count > shown)
        fprintf(view->output->stream, "%zu other rule%s: not true of this call, or off\n\n",
                count - shown, count - shown == 1 ? "" : "s");
}
