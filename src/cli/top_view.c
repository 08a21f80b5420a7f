/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "top_int.h"

enum { PAGE_ROWS = 10 };

#define INTERVAL_LEAST UINT64_C(250000)
#define INTERVAL_MOST  UINT64_C(16000000)

static size_t rows_of(const struct top_view *view, const struct top_model *model,
                      const struct top_row *rows[TOP_ROWS])
{
    return top_table_select(&model->tables[view->focus], view->sort, view->filter, rows);
}

static void select_row(struct top_view *view, const struct top_model *model, long step)
{
    const struct top_row *rows[TOP_ROWS];
    size_t count = rows_of(view, model, rows);
    long wanted = (long)view->selected + step;
    if (wanted >= (long)count)
        wanted = (long)count - 1;
    view->selected = wanted < 0 ? 0 : (size_t)wanted;
}

static void open_row(struct top_view *view, const struct top_model *model)
{
    const struct top_row *rows[TOP_ROWS];
    size_t count = rows_of(view, model, rows);
    if (view->opened) {
        view->opened = false;
    } else if (view->selected < count) {
        memcpy(view->opened_name, rows[view->selected]->name, sizeof(view->opened_name));
        view->opened = true;
    }
}

static void focus_on(struct top_view *view, size_t panel)
{
    view->focus = (enum top_panel_id)(panel % TOP_PANELS);
    view->selected = 0;
    view->opened = false;
}

/* One step back. */
static void leave(struct top_view *view)
{
    if (view->help)
        view->help = false;
    else if (view->opened)
        view->opened = false;
    else if (view->zoomed)
        view->zoomed = false;
    else
        view->filter[0] = '\0';
}

static void change_interval(struct top_view *view, bool longer)
{
    uint64_t wanted_us = longer ? view->interval_us * 2 : view->interval_us / 2;
    if (wanted_us >= INTERVAL_LEAST && wanted_us <= INTERVAL_MOST)
        view->interval_us = wanted_us;
}

/* ASCII only: names of rules, trunks and types are words, and numbers are digits. */
static void type(struct top_view *view, int key)
{
    size_t length = strlen(view->filter);
    switch (key) {
    case TOP_KEY_ESCAPE:
        view->filter[0] = '\0';
        view->typing = false;
        break;
    case TOP_KEY_ENTER:
        view->typing = false;
        break;
    case TOP_KEY_BACKSPACE:
        if (length > 0)
            view->filter[length - 1] = '\0';
        break;
    default:
        if (key >= ' ' && key < 0x7f && length + 1 < sizeof(view->filter)) {
            view->filter[length] = (char)key;
            view->filter[length + 1] = '\0';
        }
    }
    view->selected = 0;
}

static void move(struct top_view *view, const struct top_model *model, int key)
{
    switch (key) {
    case TOP_KEY_UP:
    case 'k':
        select_row(view, model, -1);
        break;
    case TOP_KEY_DOWN:
    case 'j':
        select_row(view, model, 1);
        break;
    case TOP_KEY_PAGE_UP:
        select_row(view, model, -PAGE_ROWS);
        break;
    case TOP_KEY_PAGE_DOWN:
        select_row(view, model, PAGE_ROWS);
        break;
    case TOP_KEY_HOME:
        view->selected = 0;
        break;
    case TOP_KEY_RIGHT:
    case '\t':
        focus_on(view, (size_t)view->focus + 1);
        break;
    case TOP_KEY_LEFT:
    case TOP_KEY_BACKTAB:
        focus_on(view, (size_t)view->focus + TOP_PANELS - 1);
        break;
    default:
        if (key >= '1' && key < '1' + TOP_PANELS)
            focus_on(view, (size_t)(key - '1'));
    }
}

bool top_view_key(struct top_view *view, const struct top_model *model, int key)
{
    if (view->typing) {
        type(view, key);
        return true;
    }
    switch (key) {
    case 'q':
        return false;
    case 'h':
    case '?':
        view->help = !view->help;
        break;
    case TOP_KEY_ESCAPE:
    case TOP_KEY_BACKSPACE:
        leave(view);
        break;
    case TOP_KEY_ENTER:
        open_row(view, model);
        break;
    case 'z':
        view->zoomed = !view->zoomed;
        break;
    case 's':
        view->sort = (enum top_sort)((view->sort + 1) % TOP_SORTS);
        view->selected = 0;
        break;
    case '/':
        view->typing = true;
        break;
    case ' ':
    case 'f':
        view->frozen = !view->frozen;
        break;
    case '+':
    case '-':
        change_interval(view, key == '+');
        break;
    default:
        move(view, model, key);
    }
    return true;
}
