/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "top_canvas_int.h"

enum {
    ROWS_LEAST = 12,
    COLUMNS_LEAST = 40,
    PANEL_COLUMNS = 40, /* what a panel wants at least, side by side with others */
    PANEL_ROWS = 7,
    PANELS_ABREAST = 4,
    PANEL_GAP = 2,
    MEASURE_COLUMNS = 7,
    TOTAL_COLUMNS = 10,
    NAME_COLUMNS = 16, /* before a total is shown too */
    TIME_COLUMNS = 8,
    HEALTH_COLUMNS = 38,
};

static const char *const sort_names[TOP_SORTS] = {
    [TOP_BY_RATE] = "rate", [TOP_BY_TOTAL] = "total", [TOP_BY_NAME] = "name"};

static const char *const help_lines[] = {
    "q            quit",
    "h ?          this help, and back",
    "Tab, arrows  the next panel, the one before (also Shift-Tab)",
    "1 to 9       a panel by its number",
    "Up, Down     select a row (also k and j, Page Up, Page Down, Home)",
    "Enter        open the row: the events of that caller, rule, trunk, country, code",
    "z            give the panel all the room, and back",
    "Esc          one step back; at last it takes the filter away",
    "/            filter rows by a part of their name: Enter keeps it, Esc drops it",
    "s            sort by rate, total or name",
    "Space, f     freeze what is shown, and go on",
    "+ -          a longer or shorter time between lines",
    "",
    "Rates are per second, smoothed over about 5 s. Callers and prefixes are those",
    "of events (docs/stats.md) since this view was opened; the rest is what the",
    "daemon has counted.",
};

/* ---- figures -------------------------------------------------------------------------------- */

static void format_rate(double rate, char text[16])
{
    if (rate <= 0)
        snprintf(text, 16, "-");
    else if (rate < 9.95)
        snprintf(text, 16, "%.1f", rate);
    else if (rate < 99999.5)
        snprintf(text, 16, "%.0f", rate);
    else
        snprintf(text, 16, "%.0fk", rate / 1000);
}

static void format_total(uint64_t total, char text[24])
{
    if (total < 10000000)
        snprintf(text, 24, "%" PRIu64, total);
    else
        snprintf(text, 24, "%.1fM", (double)total / 1e6);
}

static void format_ns(uint64_t ns, char text[16])
{
    static const struct {
        double divisor;
        const char *unit;
    } units[] = {{1, "ns"}, {1e3, "us"}, {1e6, "ms"}, {1e9, "s"}, {60e9, "m"}, {3600e9, "h"}};
    size_t unit = 0;
    while (unit + 1 < sizeof(units) / sizeof(units[0]) && (double)ns >= units[unit + 1].divisor)
        unit++;
    double value = (double)ns / units[unit].divisor;
    snprintf(text, 16, "%.*f%s", unit > 0 && value < 99.95 ? 1 : 0, value, units[unit].unit);
}

/* Of an RFC 3339 time in UTC; 0 when it is none. */
static uint64_t seconds_of(const char *time)
{
    unsigned year, month, day, hour, minute, second;
    /* The daemon's own text; a field that is out of range makes a wrong figure, no harm. */
    if (sscanf(time, "%4u-%2u-%2uT%2u:%2u:%2u", &year, &month, &day, /* NOLINT(cert-err34-c) */
               &hour, &minute, &second) != 6)
        return 0;
    int64_t days = clock_days_from_civil((int)year, month, day);
    return days < 0 ? 0 : (uint64_t)days * 86400 + hour * 3600 + minute * 60 + second;
}

static size_t within(size_t value, size_t least, size_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* ---- head, rates, verdicts ------------------------------------------------------------------ */

static void draw_head(const struct top_model *model, const struct top_view *view,
                      const struct top_area *area)
{
    char text[128], up[32] = "-";
    uint64_t now = seconds_of(model->time), started = seconds_of(model->started);
    if (now >= started && started > 0)
        cli_format_duration(now - started, up, sizeof(up));
    size_t column = top_put(area, 0, 0, area->columns, CLI_BOLD, "ringfence top");
    snprintf(text, sizeof(text), "  %s  %s  up %s  %.8s", model->node, model->version, up,
             strlen(model->time) >= 19 ? model->time + 11 : "");
    column += top_put(area, 0, column, area->columns - column, CLI_PLAIN, text);
    if (model->missed > 0) {
        snprintf(text, sizeof(text), "  missed %" PRIu64, model->missed);
        column += top_put(area, 0, column, area->columns - column, CLI_RED, text);
    }
    unsigned style = CLI_GREEN;
    if (!view->connected) {
        style = CLI_RED;
        snprintf(text, sizeof(text), "%s", view->problem);
    } else if (view->frozen) {
        style = CLI_YELLOW;
        snprintf(text, sizeof(text), "FROZEN");
    } else {
        snprintf(text, sizeof(text), "live, %.2gs", (double)view->interval_us / 1e6);
    }
    top_put_right(area, 0, column + 1, area->columns - column - 1, style, text);
}

static void draw_rates(const struct top_model *model, const struct top_area *area)
{
    static const struct {
        const char *title;
        unsigned style;
    } rows[TOP_SERIES] = {
#define TOP_SERIES_ROW(identifier, title, path, style) {(title), (style)},
        TOP_SERIES_TABLE(TOP_SERIES_ROW)
#undef TOP_SERIES_ROW
    };
    enum { TITLE = 10, VALUE = 8 };
    for (size_t i = 0; i < TOP_SERIES; i++) {
        const struct top_series *series = &model->series[i];
        char text[16];
        double latest = series->next > 0 ? series->values[(series->next - 1) % TOP_HISTORY] : 0;
        format_rate(latest, text);
        top_put(area, i, 0, TITLE, rows[i].style, rows[i].title);
        top_put_right(area, i, TITLE, VALUE, rows[i].style, text);
        top_put(area, i, TITLE + VALUE, 2, CLI_DIM, "/s");
        if (area->columns > TITLE + VALUE + 4)
            top_put_spark(area, i, TITLE + VALUE + 3, area->columns - TITLE - VALUE - 4,
                          rows[i].style, series);
    }
}

static void draw_verdicts(const struct top_model *model, const struct top_area *area)
{
    static const struct {
        const char *action;
        unsigned style;
    } rows[] = {{"allow", CLI_GREEN},
                {"tag", CLI_YELLOW},
                {"limit", CLI_YELLOW},
                {"divert", CLI_CYAN},
                {"block", CLI_RED}};
    enum { COUNT = sizeof(rows) / sizeof(rows[0]), TITLE = 7, SHARE = 7, RATE = 7 };
    double rates[COUNT] = {0}, sum = 0;
    for (size_t i = 0; i < model->verdicts.count; i++)
        for (size_t j = 0; j < COUNT; j++)
            if (strcmp(model->verdicts.rows[i].name, rows[j].action) == 0)
                sum += rates[j] = model->verdicts.rows[i].measures[0].rate;
    size_t bar = area->columns > TITLE + SHARE + RATE ? area->columns - TITLE - SHARE - RATE : 0;
    for (size_t i = 0; i < COUNT; i++) {
        char text[16];
        double part = sum > 0 ? rates[i] / sum : 0;
        top_put(area, i, 0, TITLE, rows[i].style, rows[i].action);
        top_put_bar(area, i, TITLE, bar, rows[i].style, part);
        snprintf(text, sizeof(text), "%.1f%%", part * 100);
        top_put_right(area, i, TITLE + bar, SHARE, rows[i].style, text);
        format_rate(rates[i], text);
        top_put_right(area, i, TITLE + bar + SHARE, RATE, CLI_PLAIN, text);
    }
}

/* ---- panels --------------------------------------------------------------------------------- */

static size_t measures_of(enum top_panel_id panel)
{
    size_t count = 0;
    while (count < TOP_MEASURES && top_panels[panel].heads[count] != NULL)
        count++;
    return count;
}

static size_t measure_columns(const char *head)
{
    size_t wanted = strlen(head) + 1;
    return wanted > MEASURE_COLUMNS ? wanted : MEASURE_COLUMNS;
}

/* What is left for names, and whether a total has room. */
static size_t name_columns(enum top_panel_id panel, size_t columns, bool *total)
{
    size_t used = 0;
    for (size_t i = 0; i < measures_of(panel); i++)
        used += measure_columns(top_panels[panel].heads[i]);
    *total = columns >= used + TOTAL_COLUMNS + NAME_COLUMNS;
    used += *total ? TOTAL_COLUMNS : 0;
    return columns > used ? columns - used : 0;
}

static void draw_table_head(enum top_panel_id panel, const struct top_area *area)
{
    bool total;
    size_t column = name_columns(panel, area->columns, &total);
    for (size_t i = 0; i < measures_of(panel); i++) {
        size_t columns = measure_columns(top_panels[panel].heads[i]);
        top_put_right(area, 0, column, columns, CLI_DIM, top_panels[panel].heads[i]);
        column += columns;
    }
    if (total)
        top_put_right(area, 0, column, TOTAL_COLUMNS, CLI_DIM, "total");
}

/* A trunk that calls only come from, or only go to, has its total all the same. */
static uint64_t largest_total(const struct top_row *row)
{
    uint64_t largest = 0;
    for (size_t i = 0; i < TOP_MEASURES; i++)
        if (row->measures[i].total > largest)
            largest = row->measures[i].total;
    return largest;
}

static void draw_table_row(enum top_panel_id panel, const struct top_area *area, size_t at,
                           const struct top_row *row)
{
    bool total;
    char text[24];
    size_t column = name_columns(panel, area->columns, &total);
    top_put(area, at, 0, column, CLI_PLAIN, row->name);
    for (size_t i = 0; i < measures_of(panel); i++) {
        size_t columns = measure_columns(top_panels[panel].heads[i]);
        format_rate(row->measures[i].rate, text);
        top_put_right(area, at, column, columns, CLI_PLAIN, text);
        column += columns;
    }
    format_total(largest_total(row), text);
    if (total)
        top_put_right(area, at, column, TOTAL_COLUMNS, CLI_DIM, text);
}

static void draw_table(const struct top_model *model, const struct top_view *view,
                       enum top_panel_id panel, const struct top_area *area)
{
    const struct top_row *rows[TOP_ROWS];
    size_t count = top_table_select(&model->tables[panel], view->sort, view->filter, rows);
    size_t shown = area->rows - 1, first = 0;
    bool focused = panel == view->focus;
    size_t selected = view->selected < count ? view->selected : count > 0 ? count - 1 : 0;
    if (focused && selected >= shown)
        first = selected - shown + 1;
    draw_table_head(panel, area);
    for (size_t i = 0; i < shown && first + i < count; i++) {
        draw_table_row(panel, area, i + 1, rows[first + i]);
        if (focused && first + i == selected)
            top_style_row(area, i + 1, CLI_PLAIN | TOP_REVERSE);
    }
    if (count == 0)
        top_put(area, 1, 0, area->columns, CLI_DIM, view->filter[0] != '\0' ? "none" : "-");
}

static void draw_latency(const struct top_model *model, const struct top_view *view,
                         const struct top_area *area)
{
    static const char *const heads[] = {"p50", "p99", "p99.9", "calls"};
    enum { COUNT = sizeof(heads) / sizeof(heads[0]), FIGURE = 7, TAIL = 2 };
    /* The tail goes first where there is no room for all. */
    bool all = area->columns >= NAME_COLUMNS + COUNT * FIGURE;
    size_t names = area->columns - (size_t)(all ? COUNT : COUNT - 1) * FIGURE;
    for (size_t i = 0, column = names; i < COUNT; i++) {
        if (i == TAIL && !all)
            continue;
        top_put_right(area, 0, column, FIGURE, CLI_DIM, heads[i]);
        column += FIGURE;
    }
    size_t at = 1;
    for (size_t i = 0; i < model->latency_count; i++) {
        const struct top_latency *latency = &model->latencies[i];
        const uint64_t values[] = {latency->p50, latency->p99, latency->p999};
        char text[24];
        if (view->filter[0] != '\0' && strcasestr(latency->name, view->filter) == NULL)
            continue;
        top_put(area, at, 0, names, CLI_PLAIN, latency->name);
        size_t column = names;
        for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            if (j == TAIL && !all)
                continue;
            format_ns(values[j], text);
            top_put_right(area, at, column, FIGURE, CLI_PLAIN, latency->count > 0 ? text : "-");
            column += FIGURE;
        }
        format_total(latency->count, text);
        top_put_right(area, at, column, FIGURE, CLI_DIM, text);
        at++;
    }
}

/* The place of the n-th row: below each other, then in a further column. */
static struct top_area health_place(const struct top_area *area, size_t n)
{
    size_t columns = area->columns / within(area->columns / HEALTH_COLUMNS, 1, 4);
    size_t rows = area->rows - 1;
    return (struct top_area){area->canvas, area->row + 1 + n % rows,
                             area->column + n / rows * columns, 1,
                             n / rows * columns < area->columns ? columns - PANEL_GAP : 0};
}

/* What should be zero and is not comes first. */
static void draw_health(const struct top_model *model, const struct top_view *view,
                        const struct top_area *area)
{
    static const unsigned styles[] = {CLI_RED, CLI_PLAIN, CLI_DIM};
    size_t drawn = 0;
    for (unsigned pass = 0; pass < sizeof(styles) / sizeof(styles[0]); pass++) {
        for (size_t i = 0; i < top_health_count; i++) {
            const struct top_health *row = &top_health_rows[i];
            unsigned due = !row->bad ? 1 : model->health[i] != 0 ? 0 : 2;
            char text[24];
            if (due != pass ||
                (view->filter[0] != '\0' && strcasestr(row->title, view->filter) == NULL))
                continue;
            const struct top_area place = health_place(area, drawn++);
            snprintf(text, sizeof(text), "%" PRId64, model->health[i]);
            size_t used = top_put(&place, 0, 0, place.columns, styles[pass], row->title);
            if (used + 1 < place.columns)
                top_put_right(&place, 0, used + 1, place.columns - used - 1, styles[pass], text);
        }
    }
}

static void draw_panel(const struct top_model *model, const struct top_view *view,
                       enum top_panel_id panel, const struct top_area *area)
{
    char title[48];
    if (area->rows < 2 || area->columns < COLUMNS_LEAST / 2)
        return;
    if (panel == TOP_LATENCY)
        draw_latency(model, view, area);
    else if (panel == TOP_HEALTH)
        draw_health(model, view, area);
    else
        draw_table(model, view, panel, area);
    snprintf(title, sizeof(title), "%d %s", (int)panel + 1, top_panels[panel].title);
    top_put(area, 0, 0, area->columns, CLI_CYAN | (panel == view->focus ? TOP_REVERSE : 0U), title);
}

/* As many panels as have room; the page of them that has the focused one. */
static void draw_panels(const struct top_model *model, const struct top_view *view,
                        const struct top_area *area)
{
    size_t abreast = within(area->columns / PANEL_COLUMNS, 1, PANELS_ABREAST);
    size_t bands = within(area->rows / PANEL_ROWS, 1, (TOP_PANELS + abreast - 1) / abreast);
    size_t shown = abreast * bands;
    size_t first = (size_t)view->focus / shown * shown;
    size_t columns = area->columns / abreast, rows = area->rows / bands;
    for (size_t i = 0; i < shown && first + i < TOP_PANELS; i++) {
        const struct top_area place = {area->canvas, area->row + i / abreast * rows,
                                       area->column + i % abreast * columns, rows,
                                       columns - PANEL_GAP};
        draw_panel(model, view, (enum top_panel_id)(first + i), &place);
    }
}

/* ---- the events of a row, help -------------------------------------------------------------- */

static void draw_event(const struct top_event *event, const struct top_area *area, size_t row)
{
    enum { ACTION = 7, NUMBER = 16, SCORE = 4, TYPE = 14 };
    char score[24];
    size_t column = 0;
    unsigned style = strcmp(event->action, "block") == 0 ? CLI_RED : CLI_YELLOW;
    snprintf(score, sizeof(score), "%" PRId64, event->score);
    top_put(area, row, column, TIME_COLUMNS, CLI_DIM, event->time);
    column += TIME_COLUMNS + 1;
    top_put(area, row, column, ACTION, event->would_have ? CLI_DIM : style, event->action);
    column += ACTION;
    top_put_right(area, row, column, SCORE - 1, CLI_PLAIN, score);
    column += SCORE;
    top_put(area, row, column, NUMBER, CLI_BOLD, event->caller);
    column += NUMBER + 1;
    top_put(area, row, column, NUMBER, CLI_PLAIN, event->callee);
    column += NUMBER + 1;
    top_put(area, row, column, TYPE, CLI_PLAIN, event->type);
    column += TYPE + 1;
    if (column < area->columns)
        column += top_put(area, row, column, area->columns - column, CLI_CYAN, event->rules) + 1;
    if (column < area->columns)
        top_put(area, row, column, area->columns - column, CLI_DIM, event->trunk);
}

static void draw_opened(const struct top_model *model, const struct top_view *view,
                        const struct top_area *area)
{
    char title[TOP_NAME + 64];
    size_t row = 1, found = 0;
    uint64_t kept = model->event_next < TOP_EVENTS ? model->event_next : TOP_EVENTS;
    for (uint64_t i = 1; i <= kept; i++) {
        const struct top_event *event = &model->events[(model->event_next - i) % TOP_EVENTS];
        if (!top_event_is_of(event, view->focus, view->opened_name))
            continue;
        found++;
        if (row < area->rows)
            draw_event(event, area, row++);
    }
    snprintf(title, sizeof(title), "%s: %s, %zu of the last %" PRIu64 " events",
             top_panels[view->focus].title, view->opened_name, found, kept);
    top_put(area, 0, 0, area->columns, CLI_CYAN, title);
}

static void draw_help(const struct top_area *area)
{
    for (size_t i = 0; i < sizeof(help_lines) / sizeof(help_lines[0]); i++)
        top_put(area, i, 1, area->columns - 1, CLI_PLAIN, help_lines[i]);
}

static void draw_foot(const struct top_view *view, const struct top_area *area)
{
    char text[TOP_NAME + 96];
    if (view->typing) {
        snprintf(text, sizeof(text), "filter: %s_", view->filter);
        top_put(area, 0, 0, area->columns, CLI_BOLD, text);
        return;
    }
    size_t used = top_put(area, 0, 0, area->columns, CLI_DIM,
                          "q quit  h help  Tab panel  Enter open  z zoom  / filter  s sort");
    snprintf(text, sizeof(text), "by %s%s%s", sort_names[view->sort],
             view->filter[0] != '\0' ? ", /" : "", view->filter);
    if (used + 1 < area->columns)
        top_put_right(area, 0, used + 1, area->columns - used - 1,
                      view->filter[0] != '\0' ? CLI_YELLOW : CLI_DIM, text);
}

void top_draw(const struct top_model *model, const struct top_view *view, struct top_canvas *canvas)
{
    struct top_area area = {canvas, 0, 0, canvas->rows, canvas->columns};
    if (canvas->rows < ROWS_LEAST || canvas->columns < COLUMNS_LEAST) {
        top_put(&area, 0, 0, canvas->columns, CLI_PLAIN, "too small: 40x12 at least");
        return;
    }
    draw_head(model, view, &area);
    draw_foot(view, &(struct top_area){canvas, canvas->rows - 1, 0, 1, canvas->columns});
    if (view->help) {
        draw_help(&(struct top_area){canvas, 2, 0, canvas->rows - 3, canvas->columns});
        return;
    }
    size_t mix = canvas->columns * 2 / 5;
    if (canvas->columns < 64)
        mix = 0;
    draw_rates(model, &(struct top_area){canvas, 1, 0, TOP_SERIES, canvas->columns - mix});
    if (mix > 0)
        draw_verdicts(model, &(struct top_area){canvas, 1, canvas->columns - mix, TOP_SERIES, mix});
    struct top_area body = {canvas, TOP_SERIES + 2, 0, canvas->rows - TOP_SERIES - 3,
                            canvas->columns};
    if (canvas->rows < ROWS_LEAST + 8) { /* no blank line */
        body.row--;
        body.rows++;
    }
    if (view->opened)
        draw_opened(model, view, &body);
    else if (view->zoomed)
        draw_panel(model, view, view->focus, &body);
    else
        draw_panels(model, view, &body);
}
