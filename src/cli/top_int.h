/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of `ringfence top`: lines of the stats socket go into a model, the model is drawn on a
 * canvas of cells, and the canvas goes to a terminal or, once, to a stream. Only top.c knows
 * ncurses and the clock.
 */
#ifndef RINGFENCE_CLI_TOP_INT_H
#define RINGFENCE_CLI_TOP_INT_H

#include <stdint.h>

#include "base/error.h"
#include "cli/terminal.h"
#include "top_table_int.h"

struct json_object;

enum {
    TOP_HISTORY = 256,
    TOP_EVENTS = 2048, /* remembered, to open a row */
    TOP_LATENCIES = 24,
    TOP_HEALTH_ROWS = 24,
};

/* ---- top_model.c: what the lines say ------------------------------------------------------- */

/* X(identifier, title, path in a line of counts, style) */
#define TOP_SERIES_TABLE(X)                                          \
    X(CALLS, "calls", "deltas/calls", CLI_BOLD)                      \
    X(ANSWERED, "answered", "deltas/calls_answered", CLI_GREEN)      \
    X(BLOCKED, "blocked", "families/verdicts/deltas/block", CLI_RED) \
    X(TAGGED, "tagged", "families/verdicts/deltas/tag", CLI_YELLOW)  \
    X(DEGRADED, "degraded", "deltas/verdicts_degraded", CLI_YELLOW)  \
    X(DATAGRAMS, "datagrams", "deltas/datagrams_received", CLI_PLAIN)

enum top_series_id {
#define TOP_SERIES_ROW(identifier, title, path, style) TOP_SERIES_##identifier,
    TOP_SERIES_TABLE(TOP_SERIES_ROW)
#undef TOP_SERIES_ROW
        TOP_SERIES
};

struct top_series {
    double values[TOP_HISTORY]; /* a second, newest at [(next - 1) % TOP_HISTORY] */
    uint64_t next;
};

/*
 * X(identifier, title, four families or NULL, their heads). A panel without families is filled by
 * events (CALLERS, PREFIXES) or by other members of the line (LATENCY, HEALTH).
 */
#define TOP_PANEL_TABLE(X)                                                                      \
    X(RULES, "Rules", "rules", "rules_shadow", NULL, NULL, "fired/s", "shadow", NULL, NULL)     \
    X(CALLERS, "Callers", NULL, NULL, NULL, NULL, "events/s", NULL, NULL, NULL)                 \
    X(TRUNKS, "Trunks", "trunk_calls_in", "trunk_calls_out", "trunk_answered", "trunk_blocked", \
      "in/s", "out/s", "answ/s", "blk/s")                                                       \
    X(LATENCY, "Latency", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)                       \
    X(PREFIXES, "Prefixes", NULL, NULL, NULL, NULL, "events/s", NULL, NULL, NULL)               \
    X(TYPES, "Scam types", "types", NULL, NULL, NULL, "calls/s", NULL, NULL, NULL)              \
    X(REFUSED, "Refused, malformed", "refused", "malformed", NULL, NULL, "refus", "malf", NULL, \
      NULL)                                                                                     \
    X(COUNTRIES, "Countries", "caller_country", "callee_country", NULL, NULL, "from/s", "to/s", \
      NULL, NULL)                                                                               \
    X(HEALTH, "Health", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)

enum top_panel_id {
#define TOP_PANEL_ROW(identifier, ...) TOP_##identifier,
    TOP_PANEL_TABLE(TOP_PANEL_ROW)
#undef TOP_PANEL_ROW
        TOP_PANELS
};

struct top_panel {
    const char *title;
    const char *families[TOP_MEASURES];
    const char *heads[TOP_MEASURES]; /* NULL from the first that is not used */
};

extern const struct top_panel top_panels[TOP_PANELS];

/* Texts are bytes of peers until they are on the canvas. */
struct top_event {
    char time[12]; /* hh:mm:ss */
    char action[16];
    char type[32];
    char caller[48];
    char callee[48];
    char trunk[32];
    char countries[2][8];     /* of caller and callee */
    char rules[TOP_NAME * 2]; /* separated by blanks */
    int64_t score;
    int64_t code;
    bool would_have;
};

struct top_latency {
    char name[32];
    uint64_t count; /* since the line before */
    uint64_t p50, p99, p999;
    uint64_t total;
};

struct top_health {
    const char *path; /* in a line of counts */
    const char *title;
    bool bad; /* it should be 0 */
};

struct top_model {
    char node[TOP_NAME];
    char version[32];
    char epoch[64];
    char started[40]; /* as the daemon says it */
    char time[40];    /* of the last counts line */
    uint64_t lines;   /* of counts */
    uint64_t missed;
    struct top_series series[TOP_SERIES];
    struct top_table tables[TOP_PANELS];
    struct top_table verdicts;
    struct top_event events[TOP_EVENTS];
    uint64_t event_next;
    struct top_latency latencies[TOP_LATENCIES];
    size_t latency_count;
    int64_t health[TOP_HEALTH_ROWS];
};

extern const struct top_health top_health_rows[];
extern const size_t top_health_count;
/* What it does not know it leaves alone. Another epoch begins everything anew. */
void top_model_take(struct top_model *model, struct json_object *line);
/* Whether an event has to do with a row of a panel. */
bool top_event_is_of(const struct top_event *event, enum top_panel_id panel, const char *name);
/* "+8613911112222" becomes "+861391111", its block of ten thousand numbers. */
void top_prefix_of(const char *number, char prefix[TOP_NAME]);

/* ---- top_view.c: what is shown, and keys ---------------------------------------------------- */

struct top_view {
    enum top_panel_id focus;
    size_t selected; /* row of the focused panel */
    bool zoomed;     /* the focused panel has all the room */
    bool opened;     /* the events of a row are shown instead */
    bool help;
    bool typing; /* the filter */
    bool frozen;
    char opened_name[TOP_NAME];
    char filter[TOP_NAME];
    enum top_sort sort;
    uint64_t interval_us;
    bool connected;
    char problem[96]; /* why it is not */
};

enum top_key {
    TOP_KEY_UP = 0x110000, /* beyond all characters */
    TOP_KEY_DOWN,
    TOP_KEY_LEFT,
    TOP_KEY_RIGHT,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_HOME,
    TOP_KEY_ENTER,
    TOP_KEY_ESCAPE,
    TOP_KEY_BACKSPACE,
    TOP_KEY_BACKTAB
};

/* False: quit. `model` gives names to what is selected. */
bool top_view_key(struct top_view *view, const struct top_model *model, int key) MUST_CHECK;

#endif
