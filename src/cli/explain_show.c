/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "explain_int.h"

enum { SENTENCE_BYTES = 1024, LABEL_COLUMNS = 20, TURNS_SHOWN = 4 };

/* ---- pieces --------------------------------------------------------------------------------- */

size_t explain_count(struct json_object *object, const char *key)
{
    struct json_object *array = json_object_object_get(object, key);
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

struct json_object *explain_item(struct json_object *object, const char *key, size_t index)
{
    return json_object_array_get_idx(json_object_object_get(object, key), index);
}

static const char *text_of(struct json_object *object, const char *key)
{
    const char *text = ctl_json_text(object, key);
    return text != NULL ? text : "";
}

static bool is_text(struct json_object *object, const char *key, const char *wanted)
{
    return strcmp(text_of(object, key), wanted) == 0;
}

const char *explain_title(const struct explain_view *view, struct json_object *rule)
{
    const char *english = text_of(rule, "title_en");
    const char *chinese = text_of(rule, "title_zh");
    const char *title = view->chinese ? chinese : english;
    if (title[0] == '\0')
        title = view->chinese ? english : chinese;
    return title[0] != '\0' ? title : NULL;
}

void explain_heading(const struct explain_view *view, const char *text)
{
    cli_print(view->output, CLI_BOLD, slice_of_text(text));
    fputc('\n', view->output->stream);
}

void explain_wrap(const struct explain_view *view, enum cli_style style, size_t at, size_t indent,
                  struct slice text)
{
    bool first = true;
    while (text.length > 0) {
        size_t blanks = 0;
        while (blanks < text.length && text.data[blanks] == ' ')
            blanks++;
        struct slice rest = slice_from(text, blanks);
        size_t length = slice_find(rest, ' ');
        struct slice word = slice_first(rest, length);
        size_t width = cli_shown_width(word);
        if (!first && at + blanks + width > EXPLAIN_COLUMNS) {
            fprintf(view->output->stream, "\n%*s", (int)indent, "");
            at = indent;
        } else {
            fprintf(view->output->stream, "%*s", (int)blanks, "");
            at += blanks;
        }
        cli_print(view->output, style, word);
        at += width;
        first = false;
        text = slice_from(rest, length);
    }
    fputc('\n', view->output->stream);
}

static void label(const struct explain_view *view, const char *text)
{
    fputs("  ", view->output->stream);
    cli_print_left(view->output, CLI_CYAN, slice_of_text(text), LABEL_COLUMNS - 2);
}

/* ---- the sentence --------------------------------------------------------------------------- */

/* What was done with it, as a participle. */
static void append_done(struct buffer *out, struct json_object *object)
{
    static const struct {
        const char *action;
        const char *words;
    } rows[] = {
        {"allow", "let through"},
        {"tag", "let through with a warning tag"},
        {"limit", "held to a rate limit"},
        {"divert", "diverted"},
        {"block", "blocked"},
    };
    const char *with = text_of(object, "with");
    const char *to = text_of(object, "to");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (is_text(object, "action", rows[i].action))
            buffer_append_text(out, rows[i].words);
    if (with[0] != '\0')
        buffer_format(out, " with %s", with);
    if (to[0] != '\0')
        buffer_format(out, " to %s", to);
}

/* Of rules: the two that weigh most. */
static void append_weights(struct buffer *out, const struct explain_view *view,
                           struct json_object *object)
{
    struct json_object *best[2] = {NULL, NULL};
    for (size_t i = 0; i < explain_count(object, "rules"); i++) {
        struct json_object *rule = explain_item(object, "rules", i);
        int64_t points = ctl_json_integer(rule, "points", 0);
        if (!ctl_json_boolean(rule, "counted", false))
            continue;
        if (best[0] == NULL || points > ctl_json_integer(best[0], "points", 0)) {
            best[1] = best[0];
            best[0] = rule;
        } else if (best[1] == NULL || points > ctl_json_integer(best[1], "points", 0)) {
            best[1] = rule;
        }
    }
    for (size_t i = 0; i < 2 && best[i] != NULL; i++) {
        const char *title = explain_title(view, best[i]);
        buffer_format(out, "%s%s", i > 0 ? ", and " : "", title != NULL ? title : "rule ");
        buffer_format(out,
                      title != NULL ? " (%s, %+" PRId64 " points)" : "%s (%+" PRId64 " points)",
                      text_of(best[i], "id"), ctl_json_integer(best[i], "points", 0));
    }
}

static void append_reason(struct buffer *out, const struct explain_view *view,
                          struct json_object *object)
{
    if (is_text(object, "authority", "none")) {
        if (ctl_json_integer(object, "score", 0) == 0)
            buffer_append_literal(out, "no list and no rule has anything against it");
        else
            buffer_format(
                out, "no list names it, and its score of %" PRId64 " reaches no step of the policy",
                ctl_json_integer(object, "score", 0));
        return;
    }
    if (is_text(object, "authority", "rules")) {
        append_weights(out, view, object);
        return;
    }
    for (size_t i = 0; i < explain_count(object, "order"); i++) {
        struct json_object *step = explain_item(object, "order", i);
        if (ctl_json_boolean(step, "decides", false))
            buffer_append_text(out, text_of(step, "why"));
    }
}

static void print_sentence(const struct explain_view *view, struct json_object *object)
{
    struct json_object *then = json_object_object_get(object, "then");
    char memory[SENTENCE_BYTES];
    struct buffer text = buffer_over(memory, sizeof(memory));
    bool changed = then != NULL && !is_text(object, "action", text_of(then, "action"));
    if (then == NULL)
        buffer_append_literal(&text, "This call would be ");
    else
        buffer_append_literal(&text, "This call was ");
    append_done(&text, changed ? then : object);
    int64_t status = then != NULL ? ctl_json_integer(then, "status", 0) : 0;
    if (changed && status != 0)
        buffer_format(&text, " with %" PRId64, status);
    if (changed) {
        buffer_append_literal(&text, ". Today it would be ");
        append_done(&text, object);
    }
    buffer_append_literal(&text, ": ");
    append_reason(&text, view, object);
    buffer_append_char(&text, '.');
    explain_wrap(view, CLI_BOLD, 0, 0, buffer_slice(&text));
    fputc('\n', view->output->stream);
}

/* ---- verdict and call ----------------------------------------------------------------------- */

static enum cli_style action_style(const char *action)
{
    static const struct {
        const char *action;
        enum cli_style style;
    } rows[] = {{"allow", CLI_GREEN}, {"block", CLI_RED}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].action, action) == 0)
            return rows[i].style;
    return CLI_YELLOW;
}

static void print_call(const struct explain_view *view, struct json_object *object)
{
    struct json_object *call = json_object_object_get(object, "call");
    char memory[SENTENCE_BYTES];
    struct buffer text = buffer_over(memory, sizeof(memory));
    buffer_format(&text, "%s to %s, by trunk %s", text_of(call, "caller"), text_of(call, "callee"),
                  text_of(call, "trunk"));
    if (ctl_json_boolean(call, "timed", false))
        buffer_format(&text, ", at %s", text_of(call, "time"));
    label(view, "Call");
    explain_wrap(view, CLI_PLAIN, LABEL_COLUMNS, LABEL_COLUMNS, buffer_slice(&text));
    if (text_of(call, "call_id")[0] != '\0') {
        label(view, "Call-ID");
        cli_print(view->output, CLI_PLAIN, slice_of_text(text_of(call, "call_id")));
        if (ctl_json_integer(call, "same_call_id", 1) > 1)
            fprintf(view->output->stream, " (the latest of %" PRId64 ")",
                    ctl_json_integer(call, "same_call_id", 1));
        fputc('\n', view->output->stream);
    }
    label(view, "Verdict");
    cli_print(view->output, action_style(text_of(object, "action")),
              slice_of_text(text_of(object, "action")));
    text = buffer_over(memory, sizeof(memory));
    int64_t code = ctl_json_integer(object, "code", 0);
    if (text_of(object, "with")[0] != '\0')
        buffer_format(&text, " with %s", text_of(object, "with"));
    else if (code != 0)
        buffer_format(&text, " with %" PRId64, code);
    if (text_of(object, "to")[0] != '\0')
        buffer_format(&text, " to %s", text_of(object, "to"));
    buffer_format(&text, ", score %" PRId64 ", decided by %s", ctl_json_integer(object, "score", 0),
                  text_of(object, "authority"));
    if (text_of(object, "type")[0] != '\0')
        buffer_format(&text, ", type %s", text_of(object, "type"));
    if (ctl_json_boolean(object, "degraded", false))
        buffer_append_literal(&text, ", degraded: an input is missing by fault");
    explain_wrap(view, CLI_PLAIN, LABEL_COLUMNS + 5, LABEL_COLUMNS, buffer_slice(&text));
}

/* ---- then and now --------------------------------------------------------------------------- */

/* Rules of the one list that are not in the other. */
static void append_missing(struct buffer *out, struct json_object *from, struct json_object *in)
{
    bool first = true;
    for (size_t i = 0; i < explain_count(from, "rules"); i++) {
        struct json_object *rule = explain_item(from, "rules", i);
        bool found = false;
        if (json_object_object_get_ex(rule, "counted", NULL)
                ? !ctl_json_boolean(rule, "counted", false)
                : ctl_json_boolean(rule, "shadow", false))
            continue;
        for (size_t j = 0; j < explain_count(in, "rules") && !found; j++) {
            struct json_object *other = explain_item(in, "rules", j);
            bool counts = json_object_object_get_ex(other, "counted", NULL)
                              ? ctl_json_boolean(other, "counted", false)
                              : !ctl_json_boolean(other, "shadow", false);
            found = counts && is_text(rule, "id", text_of(other, "id")) &&
                    ctl_json_integer(rule, "points", 0) == ctl_json_integer(other, "points", 0);
        }
        if (found)
            continue;
        buffer_format(out, "%s%s %+" PRId64, first ? "" : ", ", text_of(rule, "id"),
                      ctl_json_integer(rule, "points", 0));
        first = false;
    }
    if (first)
        buffer_append_literal(out, "none");
}

static void print_then(const struct explain_view *view, struct json_object *object)
{
    struct json_object *then = json_object_object_get(object, "then");
    char memory[SENTENCE_BYTES];
    struct buffer text = buffer_over(memory, sizeof(memory));
    if (then == NULL)
        return;
    int64_t status = ctl_json_integer(then, "status", 0);
    buffer_format(&text, "rules %s: %s, score %" PRId64 ", by %s, ", text_of(then, "rules_version"),
                  text_of(then, "action"), ctl_json_integer(then, "score", 0),
                  text_of(then, "authority"));
    buffer_format(&text, status != 0 ? "answered %" PRId64 : "sent on", status);
    buffer_format(&text, "; %" PRId64 " us of screening",
                  ctl_json_integer(then, "screening_ns", 0) / 1000);
    if (ctl_json_boolean(then, "degraded", false))
        buffer_append_literal(&text, "; degraded: an input was missing by fault");
    if (ctl_json_boolean(then, "hurried", false))
        buffer_append_literal(&text, "; under overload: regular expressions were left out");
    if (ctl_json_boolean(then, "over_budget", false))
        buffer_append_literal(&text, "; a list would have blocked it, but its trunk's budget for "
                                     "that was spent");
    label(view, "Then");
    explain_wrap(view, CLI_PLAIN, LABEL_COLUMNS, LABEL_COLUMNS, buffer_slice(&text));
    text = buffer_over(memory, sizeof(memory));
    bool same_rules = is_text(object, "rules_version", text_of(then, "rules_version"));
    bool same = is_text(object, "action", text_of(then, "action")) &&
                is_text(object, "authority", text_of(then, "authority")) &&
                ctl_json_integer(object, "score", 0) == ctl_json_integer(then, "score", 0);
    buffer_append_text(&text, same_rules ? "the same rules" : "rules ");
    if (!same_rules)
        buffer_append_text(&text, text_of(object, "rules_version"));
    if (same) {
        buffer_append_literal(&text, ": the same verdict and score");
    } else {
        buffer_format(&text,
                      ": %s, score %" PRId64 ", by %s; only then: ", text_of(object, "action"),
                      ctl_json_integer(object, "score", 0), text_of(object, "authority"));
        append_missing(&text, then, object);
        buffer_append_literal(&text, "; only now: ");
        append_missing(&text, object, then);
    }
    label(view, "Now");
    explain_wrap(view, same ? CLI_PLAIN : CLI_YELLOW, LABEL_COLUMNS, LABEL_COLUMNS,
                 buffer_slice(&text));
}

static void print_notes(const struct explain_view *view, struct json_object *object)
{
    struct json_object *call = json_object_object_get(object, "call");
    char memory[SENTENCE_BYTES];
    struct buffer text = buffer_over(memory, sizeof(memory));
    if (is_text(call, "kind", "event"))
        buffer_append_literal(&text,
                              "An event has the numbers, the trunk and the time; what it does "
                              "not have is unknown here, and reputation is today's. ");
    if (ctl_json_boolean(call, "cut", false))
        buffer_append_literal(&text, "The INVITE was longer than is kept: its last headers are "
                                     "missing here. ");
    for (size_t i = 0; i < explain_count(object, "unknown"); i++)
        buffer_format(&text, "%s%s", i == 0 ? "Not known, but asked for: " : ", ",
                      json_object_get_string(explain_item(object, "unknown", i)));
    if (text.length == 0)
        return;
    label(view, "Note");
    explain_wrap(view, CLI_PLAIN, LABEL_COLUMNS, LABEL_COLUMNS, buffer_slice(&text));
}

/* ---- order, reputation, points -------------------------------------------------------------- */

static void print_order(const struct explain_view *view, struct json_object *object)
{
    explain_heading(view, "Who decides, in this order");
    for (size_t i = 0; i < explain_count(object, "order"); i++) {
        struct json_object *step = explain_item(object, "order", i);
        bool decides = ctl_json_boolean(step, "decides", false);
        if (!ctl_json_boolean(step, "reached", false))
            continue;
        label(view, text_of(step, "step"));
        cli_print_left(view->output, decides ? CLI_BOLD : CLI_DIM,
                       decides ? SLICE("decides") : SLICE("-"), 9);
        explain_wrap(view, CLI_PLAIN, LABEL_COLUMNS + 9, LABEL_COLUMNS + 9,
                     slice_of_text(text_of(step, "why")));
    }
    fputc('\n', view->output->stream);
}

static void print_reputation(const struct explain_view *view, struct json_object *object)
{
    struct json_object *found = json_object_object_get(object, "reputation");
    char memory[SENTENCE_BYTES];
    struct buffer text = buffer_over(memory, sizeof(memory));
    if (is_text(object, "authority", "emergency"))
        return;
    if (!ctl_json_boolean(found, "known", false)) {
        buffer_append_literal(&text, "could not be read");
    } else if (is_text(found, "match", "none")) {
        buffer_append_literal(&text, "nothing is known of the caller");
    } else {
        buffer_format(&text, "an entry for the %s", text_of(found, "match"));
        if (json_object_object_get_ex(found, "prefix_digits", NULL))
            buffer_format(&text, " of %" PRId64 " digits",
                          ctl_json_integer(found, "prefix_digits", 0));
        buffer_format(&text, ": list %s", text_of(found, "list"));
        if (json_object_object_get_ex(found, "score", NULL))
            buffer_format(&text, ", score %" PRId64, ctl_json_integer(found, "score", 0));
        if (text_of(found, "type")[0] != '\0')
            buffer_format(&text, ", type %s", text_of(found, "type"));
        if (text_of(found, "source")[0] != '\0')
            buffer_format(&text, ", from %s", text_of(found, "source"));
        if (ctl_json_boolean(found, "limited", false))
            buffer_append_literal(&text, "; the prefix is too short to block");
    }
    if (json_object_object_get_ex(found, "expires_in_s", NULL)) {
        int64_t left = ctl_json_integer(found, "expires_in_s", 0);
        char age[32];
        cli_format_duration(left > 0 ? (uint64_t)left : 0, age, sizeof(age));
        buffer_format(&text, "; expires in %s", age);
    }
    if (json_object_object_get_ex(found, "age_s", NULL)) {
        int64_t seconds = ctl_json_integer(found, "age_s", 0);
        char age[32];
        cli_format_duration(seconds > 0 ? (uint64_t)seconds : 0, age, sizeof(age));
        buffer_format(&text, "; in step with Redis %s ago", age);
    }
    if (json_object_object_get_ex(object, "then", NULL) &&
        is_text(json_object_object_get(object, "call"), "kind", "kept"))
        buffer_append_literal(&text, "; as it was then");
    label(view, "Reputation");
    explain_wrap(view, CLI_PLAIN, LABEL_COLUMNS, LABEL_COLUMNS, buffer_slice(&text));
}

static void print_points(const struct explain_view *view, struct json_object *object)
{
    char memory[SENTENCE_BYTES];
    struct buffer text = buffer_over(memory, sizeof(memory));
    int64_t sum = ctl_json_integer(object, "points_sum", 0);
    if (!json_object_object_get_ex(object, "points_sum", NULL))
        return;
    buffer_format(&text, "%" PRId64 ";", sum);
    for (size_t i = 0; i < explain_count(object, "policy"); i++) {
        struct json_object *step = explain_item(object, "policy", i);
        int64_t missing = ctl_json_integer(step, "missing", 0);
        buffer_format(&text, "%s %s from %" PRId64, i == 0 ? "" : ",", text_of(step, "do"),
                      ctl_json_integer(step, "at", 0));
        buffer_format(&text, missing > 0 ? " (%" PRId64 " more would do)" : " (reached)", missing);
    }
    if (explain_count(object, "policy") == 0)
        buffer_append_literal(&text, " there is no policy");
    struct json_object *shadow = json_object_object_get(object, "with_shadow");
    if (shadow != NULL &&
        (!is_text(shadow, "action", text_of(object, "action")) ||
         ctl_json_integer(shadow, "score", 0) != ctl_json_integer(object, "score", 0)))
        buffer_format(&text, "; with the rules in shadow: %s, score %" PRId64,
                      text_of(shadow, "action"), ctl_json_integer(shadow, "score", 0));
    label(view, "Points");
    explain_wrap(view, CLI_PLAIN, LABEL_COLUMNS, LABEL_COLUMNS, buffer_slice(&text));
}

/* ---- what would turn it --------------------------------------------------------------------- */

static void print_turn(const struct explain_view *view, struct json_object *turn)
{
    static const struct {
        const char *action;
        const char *words;
    } rows[] = {{"allow", "pass"},
                {"tag", "be tagged"},
                {"limit", "be limited"},
                {"divert", "be diverted"},
                {"block", "be blocked"}};
    char memory[2 * SENTENCE_BYTES];
    struct buffer text = buffer_over(memory, sizeof(memory));
    buffer_append_literal(&text, "It would ");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (is_text(turn, "action", rows[i].action))
            buffer_append_text(&text, rows[i].words);
    buffer_format(&text, " (score %" PRId64 ") if", ctl_json_integer(turn, "score", 0));
    for (size_t i = 0; i < explain_count(turn, "changes"); i++) {
        struct json_object *change = explain_item(turn, "changes", i);
        buffer_format(&text, "%s %s", i == 0 ? "" : " and", text_of(change, "text"));
        bool of_rule = strncmp(text_of(change, "kind"), "rule", 4) == 0;
        if (!of_rule && text_of(change, "rule")[0] != '\0')
            buffer_format(&text, " [%s, %+" PRId64 "]", text_of(change, "rule"),
                          ctl_json_integer(change, "points", 0));
    }
    fputs("  ", view->output->stream);
    explain_wrap(view, CLI_PLAIN, 2, 4, buffer_slice(&text));
}

static bool is_of_rules(struct json_object *turn)
{
    for (size_t i = 0; i < explain_count(turn, "changes"); i++)
        if (strncmp(text_of(explain_item(turn, "changes", i), "kind"), "rule", 4) == 0)
            return true;
    return false;
}

static void print_turns(const struct explain_view *view, struct json_object *object)
{
    size_t count = explain_count(object, "turns");
    size_t shown[2] = {0, 0};
    explain_heading(view, "The smallest changes that would turn it");
    for (size_t i = 0; i < count; i++) {
        struct json_object *turn = explain_item(object, "turns", i);
        if (shown[is_of_rules(turn)]++ < TURNS_SHOWN || view->all)
            print_turn(view, turn);
    }
    if (count == 0 && is_text(object, "authority", "emergency"))
        fputs("  Nothing: emergency calls pass before any rule, list or limit.\n",
              view->output->stream);
    else if (count == 0)
        fputs("  No change of one or two inputs or rules does.\n", view->output->stream);
    if (ctl_json_boolean(object, "changes_cut_short", false))
        fputs("  (There may be more: not every change was tried.)\n", view->output->stream);
    fputc('\n', view->output->stream);
}

/* ---- features ------------------------------------------------------------------------------- */

static struct slice feature_value(struct json_object *feature, char *memory, size_t capacity)
{
    if (!ctl_json_boolean(feature, "known", true))
        return SLICE("unknown");
    return cli_value_text(json_object_object_get(feature, "value"), memory, capacity);
}

static void print_features(const struct explain_view *view, struct json_object *object)
{
    enum { NAME_COLUMNS = 27, VALUE_COLUMNS = 28 };
    char memory[EXPLAIN_VALUE_BYTES];
    explain_heading(view, "Features");
    for (size_t i = 0; i < explain_count(object, "features"); i++) {
        struct json_object *feature = explain_item(object, "features", i);
        bool known = ctl_json_boolean(feature, "known", true);
        struct slice value = feature_value(feature, memory, sizeof(memory));
        const char *why = known ? text_of(feature, "type") : text_of(feature, "why");
        size_t width = cli_shown_width(value);
        fputs("  ", view->output->stream);
        cli_print_left(view->output, CLI_CYAN, slice_of_text(text_of(feature, "name")),
                       NAME_COLUMNS);
        cli_print_left(view->output, known ? CLI_PLAIN : CLI_DIM, value, VALUE_COLUMNS);
        size_t at = 2 + NAME_COLUMNS + (width > VALUE_COLUMNS ? width : VALUE_COLUMNS);
        if (width >= VALUE_COLUMNS) {
            fputs("  ", view->output->stream);
            at += 2;
        }
        explain_wrap(view, CLI_DIM, at, 2 + NAME_COLUMNS + VALUE_COLUMNS, slice_of_text(why));
    }
}

void explain_show(const struct explain_view *view, struct json_object *object)
{
    print_sentence(view, object);
    print_call(view, object);
    print_then(view, object);
    print_points(view, object);
    print_reputation(view, object);
    print_notes(view, object);
    fputc('\n', view->output->stream);
    print_order(view, object);
    explain_show_rules(view, object);
    print_turns(view, object);
    print_features(view, object);
}
