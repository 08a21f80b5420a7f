/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli_int.h"
#include "config/schema.h"
#include "control/json.h"
#include "top_canvas_int.h"

enum {
    CONNECT_MS = 1000,
    ESCAPE_MS = 25,       /* how long a key's further bytes may take */
    LINES_PER_TURN = 500, /* before keys are looked at again */
    ONCE_ROWS = 20,       /* of a panel */
    ONCE_COLUMNS = 100,
    COLOUR_PAIRS = 8,
};

#define RECONNECT_US UINT64_C(1000000)
#define REDRAW_US    UINT64_C(100000)

struct top_options {
    uint64_t interval_us;
    bool once;
    bool ascii;
    const char *socket;
};

struct top {
    struct cli *cli;
    char *path;
    bool ascii;
    struct ctl_client *client; /* NULL: not connected */
    uint64_t asked_us;         /* the interval that the daemon knows of */
    uint64_t retry_us;         /* when to connect */
    uint64_t drawn_us;
    bool changed; /* since it was drawn */
    struct top_model *model;
    struct top_view view;
};

const struct cli_option cli_top_options[] = {
    {.name = "interval",
     .letter = 'i',
     .kind = CLI_OPTION_DURATION,
     .offset = offsetof(struct top_options, interval_us),
     .min = CONF_MS(250),
     .max = CONF_SECONDS(16),
     .value = "TIME",
     .help = "time between figures (default 1s)"},
    {.name = "once",
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct top_options, once),
     .help = "print everything once as plain text"},
    {.name = "ascii",
     .kind = CLI_OPTION_FLAG,
     .offset = offsetof(struct top_options, ascii),
     .help = "draw with ASCII only (default where the locale is not UTF-8)"},
    {.name = "socket",
     .kind = CLI_OPTION_TEXT,
     .offset = offsetof(struct top_options, socket),
     .value = "SOCKET",
     .help = "the daemon's stats socket (default: as configured)"},
    {.name = NULL},
};

/* ---- the stats socket ----------------------------------------------------------------------- */

static int ask(struct top *top)
{
    char memory[96];
    struct buffer request = buffer_over(memory, sizeof(memory));
    buffer_format(&request, "{\"events\":true,\"interval\":\"%" PRIu64 "us\"}",
                  top->view.interval_us);
    int error = ctl_client_send(top->client, buffer_slice(&request));
    if (error == 0)
        top->asked_us = top->view.interval_us;
    return error;
}

static void disconnect(struct top *top, int error)
{
    ctl_client_close(top->client);
    top->client = NULL;
    top->view.connected = false;
    top->retry_us = clock_monotonic_us() + RECONNECT_US;
    snprintf(top->view.problem, sizeof(top->view.problem), "no daemon: %s",
             error == ERROR_NOT_FOUND ? "it hung up"
             : error == -ENOENT       ? "no socket"
                                      : error_text(error));
    top->changed = true;
}

static int connect_to(struct top *top)
{
    int error = ctl_client_open(top->path, CONNECT_MS, &top->client);
    if (error == 0)
        error = ask(top);
    if (error != 0) {
        disconnect(top, error);
        return error;
    }
    top->view.connected = true;
    top->changed = true;
    return 0;
}

/* Lines that come while the view is frozen are let go: totals have what they said. */
static int take_line(struct top *top, struct slice text)
{
    struct json_object *line;
    int error = ctl_json_parse_object(text, &line, NULL);
    if (error != 0)
        return error;
    if (!top->view.frozen) {
        top_model_take(top->model, line);
        top->changed = true;
    }
    json_object_put(line);
    return 0;
}

/* Takes what has come, up to a limit. */
static void take_lines(struct top *top)
{
    for (int i = 0; top->client != NULL && i < LINES_PER_TURN; i++) {
        struct slice text;
        int error = ctl_client_take(top->client, &text);
        if (error == -EAGAIN)
            return;
        if (error == 0)
            error = take_line(top, text);
        if (error != 0)
            disconnect(top, error);
    }
}

/* ---- once ----------------------------------------------------------------------------------- */

/* The head and the rates, then each panel below the other. */
static int print_once(const struct top *top)
{
    struct top_view view = top->view;
    for (size_t panel = 0; panel < TOP_PANELS; panel++) {
        struct top_canvas canvas;
        size_t head = TOP_SERIES + 2;
        int error = top_canvas_create(head + ONCE_ROWS + 1, ONCE_COLUMNS, top->ascii, &canvas);
        if (error != 0)
            return error;
        view.zoomed = true;
        view.focus = (enum top_panel_id)panel;
        view.selected = SIZE_MAX; /* nothing is marked in plain text anyway */
        top_draw(top->model, &view, &canvas);
        size_t past = canvas.rows - 1; /* without the keys, and blank rows */
        while (past > head + 1 && top_row_is_blank(&canvas, past - 1))
            past--;
        for (size_t row = panel == 0 ? 0 : head - 1; row < past; row++)
            top_print_row(&canvas, row, top->cli->out.stream);
        top_canvas_destroy(&canvas);
    }
    return 0;
}

static int run_once(struct top *top)
{
    int error = connect_to(top);
    while (error == 0 && top->model->lines == 0) {
        struct slice text;
        error = ctl_client_next(top->client, &text);
        if (error == 0)
            error = take_line(top, text);
    }
    return error != 0 ? error : print_once(top);
}

/* ---- the terminal --------------------------------------------------------------------------- */

static int key_of(int key)
{
    static const struct {
        int curses;
        int key;
    } rows[] = {
        {KEY_UP, TOP_KEY_UP},         {KEY_DOWN, TOP_KEY_DOWN},
        {KEY_LEFT, TOP_KEY_LEFT},     {KEY_RIGHT, TOP_KEY_RIGHT},
        {KEY_PPAGE, TOP_KEY_PAGE_UP}, {KEY_NPAGE, TOP_KEY_PAGE_DOWN},
        {KEY_HOME, TOP_KEY_HOME},     {KEY_ENTER, TOP_KEY_ENTER},
        {'\r', TOP_KEY_ENTER},        {'\n', TOP_KEY_ENTER},
        {27, TOP_KEY_ESCAPE},         {KEY_BACKSPACE, TOP_KEY_BACKSPACE},
        {127, TOP_KEY_BACKSPACE},     {'\b', TOP_KEY_BACKSPACE},
        {KEY_BTAB, TOP_KEY_BACKTAB},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].curses == key)
            return rows[i].key;
    return key < KEY_MIN ? key : 0;
}

static unsigned plain_of(unsigned style)
{
    return style & ~(unsigned)TOP_REVERSE;
}

static attr_t attribute_of(unsigned style)
{
    static const attr_t attributes[] = {
        [CLI_PLAIN] = A_NORMAL, [CLI_BOLD] = A_BOLD,     [CLI_DIM] = A_DIM,    [CLI_RED] = A_NORMAL,
        [CLI_GREEN] = A_NORMAL, [CLI_YELLOW] = A_NORMAL, [CLI_CYAN] = A_NORMAL};
    return attributes[plain_of(style)] | ((style & TOP_REVERSE) != 0 ? A_REVERSE : 0);
}

static short pair_of(unsigned style)
{
    return has_colors() ? (short)plain_of(style) : 0;
}

static void show_canvas(const struct top_canvas *canvas)
{
    erase();
    for (size_t row = 0; row < canvas->rows; row++) {
        const struct top_cell *cells = &canvas->cells[row * canvas->columns];
        for (size_t column = 0; column < canvas->columns; column++) {
            (void)attr_set(attribute_of(cells[column].style), pair_of(cells[column].style), NULL);
            if (cells[column].length > 0)
                mvaddnstr((int)row, (int)column, cells[column].bytes, cells[column].length);
        }
    }
    refresh();
}

static int draw(struct top *top)
{
    struct top_canvas canvas;
    int rows, columns;
    getmaxyx(stdscr, rows, columns);
    int error = top_canvas_create((size_t)rows, (size_t)columns, top->ascii, &canvas);
    if (error != 0)
        return error;
    top_draw(top->model, &top->view, &canvas);
    show_canvas(&canvas);
    top_canvas_destroy(&canvas);
    top->drawn_us = clock_monotonic_us();
    top->changed = false;
    return 0;
}

/* False: quit. */
static bool take_keys(struct top *top)
{
    bool reading = true;
    int key;
    while (reading && (key = getch()) != ERR) {
        top->changed = true;
        top->drawn_us = 0; /* who presses a key does not wait */
        if (key != KEY_RESIZE)
            reading = top_view_key(&top->view, top->model, key_of(key));
    }
    if (reading && top->client != NULL && top->asked_us != top->view.interval_us) {
        int error = ask(top);
        if (error != 0)
            disconnect(top, error);
    }
    return reading;
}

static int wait_ms(const struct top *top, uint64_t now_us)
{
    uint64_t until_us = now_us + RECONNECT_US;
    if (top->client == NULL && top->retry_us < until_us)
        until_us = top->retry_us;
    if (top->changed && top->drawn_us + REDRAW_US < until_us)
        until_us = top->drawn_us + REDRAW_US;
    return until_us > now_us ? (int)((until_us - now_us) / 1000 + 1) : 0;
}

/* False when the terminal is gone. */
static bool wait_for_something(const struct top *top)
{
    struct pollfd polled[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = top->client != NULL ? ctl_client_descriptor(top->client) : -1, .events = POLLIN},
    };
    /* A change of size interrupts it, and getch() tells. */
    if (poll(polled, 2, wait_ms(top, clock_monotonic_us())) < 0)
        return errno == EINTR;
    return (polled[0].revents & (POLLHUP | POLLERR)) == 0;
}

static void open_screen(void)
{
    static const short colours[COLOUR_PAIRS] = {[CLI_RED] = COLOR_RED,
                                                [CLI_GREEN] = COLOR_GREEN,
                                                [CLI_YELLOW] = COLOR_YELLOW,
                                                [CLI_CYAN] = COLOR_CYAN};
    set_escdelay(ESCAPE_MS);
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    curs_set(0);
    if (!has_colors())
        return;
    start_color();
    use_default_colors();
    for (int i = 1; i < COLOUR_PAIRS; i++)
        init_pair((short)i, colours[i] != 0 ? colours[i] : -1, -1);
}

static int run_screen(struct top *top)
{
    SCREEN *screen = newterm(NULL, stdout, stdin);
    int error = 0;
    if (screen == NULL) {
        cli_complain(top->cli, "the terminal \"%s\" is not known; see TERM, or use --once",
                     getenv("TERM") != NULL ? getenv("TERM") : "");
        return ERROR_CONFIG;
    }
    open_screen();
    while (error == 0) {
        uint64_t now_us = clock_monotonic_us();
        if (top->client == NULL && now_us >= top->retry_us)
            (void)connect_to(top); /* shown, and tried again */
        take_lines(top);
        if (!take_keys(top))
            break;
        now_us = clock_monotonic_us();
        if (top->changed && now_us - top->drawn_us >= REDRAW_US)
            error = draw(top);
        if (error == 0 && !wait_for_something(top))
            break;
    }
    endwin();
    delscreen(screen);
    return error;
}

/* ---- the command ---------------------------------------------------------------------------- */

static int run(struct top *top, bool once)
{
    if (once) {
        int error = run_once(top);
        if (error == 0)
            return CLI_EXIT_OK;
        cli_complain(top->cli, "%s: %s", top->path,
                     error == -ENOENT ? "no such socket; is ringfenced running?"
                                      : error_text(error));
        return CLI_EXIT_UNREACHABLE;
    }
    if (!isatty(STDIN_FILENO) || !top->cli->out.terminal) {
        cli_complain(top->cli, "there is no terminal here; use --once, or `ringfence stats`");
        return CLI_EXIT_USAGE;
    }
    int error = run_screen(top);
    if (error != 0 && error != ERROR_CONFIG)
        cli_complain(top->cli, "%s", error_text(error));
    return error == 0 ? CLI_EXIT_OK : CLI_EXIT_NO;
}

int cli_run_top(struct cli *cli, char **arguments, size_t count)
{
    struct top_options options = {.interval_us = 1000000};
    struct top top = {.cli = cli};
    int status = CLI_EXIT_NO;
    if (!cli_take_options(cli, cli_top_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    setlocale(LC_CTYPE, "");
    top.ascii = options.ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    top.view.interval_us = options.interval_us;
    top.path = options.socket != NULL ? strdup(options.socket) : cli_stats_path(cli);
    top.model = calloc(1, sizeof(*top.model));
    if (top.path == NULL || top.model == NULL)
        cli_complain(cli, "%s", error_text(-ENOMEM));
    else
        status = run(&top, options.once);
    ctl_client_close(top.client);
    free(top.model);
    free(top.path);
    return status;
}
