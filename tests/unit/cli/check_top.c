/* SPDX-License-Identifier: Apache-2.0 */
/* The command is a program, not an archive: what is tested is compiled in. */
#include "../../../src/cli/show.c"
#include "../../../src/cli/terminal.c"
#include "../../../src/cli/top_canvas.c"
#include "../../../src/cli/top_draw.c"
#include "../../../src/cli/top_model.c"
#include "../../../src/cli/top_table.c"
#include "../../../src/cli/top_view.c"

#include <check.h>

static struct top_model *model;
static struct top_view view;
static char *drawn;

static void setup(void)
{
    model = calloc(1, sizeof(*model));
    ck_assert_ptr_nonnull(model);
    view = (struct top_view){.interval_us = 1000000, .connected = true};
}

static void teardown(void)
{
    free(drawn);
    drawn = NULL;
    free(model);
}

static void take(const char *json)
{
    struct json_object *line = json_tokener_parse(json);
    ck_assert_ptr_nonnull(line);
    top_model_take(model, line);
    json_object_put(line);
}

#define HELLO(epoch)                                                                    \
    "{\"kind\":\"hello\",\"epoch\":\"" epoch "\",\"node\":\"gw1\",\"version\":\"1.2\"," \
    "\"started\":\"2026-11-23T20:00:00.000Z\"}"

static void take_sample(void)
{
    take(HELLO("1-a"));
    take("{\"kind\":\"counts\",\"time\":\"2026-11-23T21:33:51.643Z\",\"interval_us\":2000000,"
         "\"totals\":{\"calls\":1303,\"events_lost\":3},\"deltas\":{\"calls\":100},"
         "\"gauges\":{\"workers\":4},"
         "\"families\":{"
         "\"verdicts\":{\"totals\":{\"allow\":1200,\"block\":103},"
         "\"deltas\":{\"allow\":75,\"block\":25}},"
         "\"rules\":{\"totals\":{\"loud\":90,\"hint\":200},\"deltas\":{\"loud\":20}},"
         "\"trunk_calls_in\":{\"totals\":{\"carrier\":1303},\"deltas\":{\"carrier\":100}}},"
         "\"latency_ns\":{\"screening\":{\"totals\":{\"count\":1303,\"p50\":1,\"p99\":2,"
         "\"p999\":3},\"deltas\":{\"count\":100,\"p50\":8703,\"p99\":1843100,"
         "\"p999\":18431000}}}}");
}

static void take_event_of(const char *caller, const char *rule)
{
    char json[512];
    snprintf(json, sizeof(json),
             "{\"kind\":\"event\",\"time\":\"2026-11-23T21:33:52.000Z\",\"action\":\"block\","
             "\"caller\":{\"raw\":\"x\",\"number\":\"%s\"},\"callee\":{\"raw\":\"110\","
             "\"number\":null},\"trunk_in\":\"carrier\",\"type\":\"spam\",\"score\":90,"
             "\"code\":603,\"rules\":[{\"id\":\"%s\"},{\"id\":\"second\"}]}",
             caller, rule);
    take(json);
}

/* All rows of the canvas as text. */
static const char *draw(size_t rows, size_t columns, bool ascii)
{
    struct top_canvas canvas;
    size_t length;
    free(drawn);
    FILE *stream = open_memstream(&drawn, &length);
    ck_assert_int_eq(top_canvas_create(rows, columns, ascii, &canvas), 0);
    top_draw(model, &view, &canvas);
    for (size_t row = 0; row < rows; row++)
        top_print_row(&canvas, row, stream);
    top_canvas_destroy(&canvas);
    fclose(stream);
    return drawn;
}

#define expect_shown(text) \
    ck_assert_msg(strstr(draw(24, 80, true), (text)) != NULL, "no \"%s\" in\n%s", (text), drawn)
#define expect_not_shown(text) \
    ck_assert_msg(strstr(draw(24, 80, true), (text)) == NULL, "\"%s\" in\n%s", (text), drawn)

static void press(const char *keys)
{
    for (; *keys != '\0'; keys++)
        ck_assert(top_view_key(&view, model, *keys));
}

static void press_key(int key)
{
    ck_assert(top_view_key(&view, model, key));
}

START_TEST(figures_are_shown)
{
    take_sample();
    expect_shown("ringfence top  gw1  1.2  up 1h 33m  21:33:51");
    expect_shown("live, 1s");
    expect_shown("calls           50/s");
    expect_shown("allow  @@@@@@@@     75.0%     38");
    expect_shown("loud                         10      -");
    expect_shown("carrier        50      -      -      -");
    expect_shown("screening          8.7us  1.8ms    100");
}
END_TEST

START_TEST(rates_are_smoothed)
{
    struct top_table *table = calloc(1, sizeof(*table));
    ck_assert_ptr_nonnull(table);
    struct top_row *row = top_table_row(table, "a");
    row->measures[0].added = 100;
    top_table_settle(table, 1);
    ck_assert_double_eq_tol(row->measures[0].rate, 100, 0.01);
    top_table_settle(table, 5);
    ck_assert_double_eq_tol(row->measures[0].rate, 36.8, 0.1);
    for (int i = 0; i < 100; i++)
        top_table_settle(table, 5);
    ck_assert(row->measures[0].rate <= 0);
    free(table);
}
END_TEST

START_TEST(a_full_table_keeps_the_busiest)
{
    struct top_table *table = calloc(1, sizeof(*table));
    const struct top_row *rows[TOP_ROWS];
    ck_assert_ptr_nonnull(table);
    for (int i = 0; i < TOP_ROWS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%03d", i);
        top_table_row(table, name)->measures[0].total = (uint64_t)(i == 77 ? 1 : 10 + i);
    }
    top_table_row(table, "new")->measures[0].total = 5;
    ck_assert_uint_eq(top_table_select(table, TOP_BY_NAME, "n077", rows), 0);
    ck_assert_uint_eq(top_table_select(table, TOP_BY_NAME, "NEW", rows), 1);
    ck_assert_uint_eq(top_table_select(table, TOP_BY_TOTAL, "", rows), TOP_ROWS);
    ck_assert_str_eq(rows[0]->name, "n511");
    free(table);
}
END_TEST

START_TEST(another_epoch_begins_anew)
{
    take_sample();
    take_event_of("+8617000000001", "loud");
    take(HELLO("1-a"));
    expect_shown("+8617000000001");
    take(HELLO("2-b"));
    expect_not_shown("+8617000000001");
    expect_not_shown("loud");
}
END_TEST

START_TEST(a_caller_can_be_opened)
{
    take_sample();
    take_event_of("+8617000000001", "loud");
    take_event_of("+8617000000001", "hint");
    take_event_of("+8617000000002", "loud");
    press("2");
    press_key(TOP_KEY_ENTER);
    expect_shown("Callers: +8617000000001, 2 of the last 3 events");
    expect_shown("21:33:52 block   90 +8617000000001   110              spam           hint");
    press_key(TOP_KEY_ESCAPE);
    expect_shown("2 Callers");
    press("j");
    press_key(TOP_KEY_ENTER);
    expect_shown("Callers: +8617000000002, 1 of the last 3 events");
    press("\t\t");
    expect_shown("4 Latency");
    press("5");
    expect_shown("+861700000                 -         3");
    press_key(TOP_KEY_ENTER);
    expect_shown("Prefixes: +861700000, 3 of the last 3 events");
    press("1");
    press_key(TOP_KEY_ENTER);
    expect_shown("Rules: loud, 2 of the last 3 events");
    press("3");
    press_key(TOP_KEY_ENTER);
    expect_shown("Trunks: carrier, 3 of the last 3 events");
}
END_TEST

START_TEST(keys_filter_and_sort)
{
    take_sample();
    press("/HIN");
    expect_shown("filter: HIN_");
    expect_not_shown("loud");
    press_key(TOP_KEY_BACKSPACE);
    press_key(TOP_KEY_ENTER);
    expect_shown("by rate, /HI");
    expect_shown("hint");
    press_key(TOP_KEY_ESCAPE);
    expect_shown("loud");
    ck_assert_ptr_nonnull(strstr(drawn, "hint"));
    ck_assert(strstr(drawn, "loud") < strstr(drawn, "hint"));
    press("s");
    expect_shown("by total");
    ck_assert(strstr(drawn, "loud") > strstr(drawn, "hint"));
    press("ss/qh?");
    expect_shown("filter: qh?_");
    press_key(TOP_KEY_ESCAPE);
    ck_assert(!top_view_key(&view, model, 'q'));
}
END_TEST

START_TEST(other_keys)
{
    take_sample();
    press("h");
    expect_shown("Shift-Tab");
    expect_not_shown("1 Rules");
    press("?");
    expect_shown("1 Rules");
    press(" ");
    expect_shown("FROZEN");
    press("f");
    expect_not_shown("FROZEN");
    press("+");
    expect_shown("live, 2s");
    press("---------");
    expect_shown("live, 0.25s");
    press("9z");
    expect_shown("events lost");
    expect_shown("numbers");
    press_key(TOP_KEY_ESCAPE);
    press("8");
    expect_shown("7 Refused");
    for (int key = 0; key < 0x80 + TOP_KEY_BACKTAB - TOP_KEY_UP; key++) {
        view = (struct top_view){.interval_us = 1000000, .connected = true};
        bool stays = top_view_key(&view, model, key < 0x80 ? key : key - 0x80 + TOP_KEY_UP);
        ck_assert_int_eq(stays, key != 'q');
        (void)draw(24, 80, true);
    }
}
END_TEST

START_TEST(what_goes_wrong_is_shown)
{
    take_sample();
    take("{\"kind\":\"gap\",\"missed\":12}");
    expect_shown("missed 12");
    view.connected = false;
    snprintf(view.problem, sizeof(view.problem), "no daemon: it hung up");
    expect_shown("no daemon: it hung up");
    view.connected = true;
    view.focus = TOP_HEALTH;
    view.zoomed = true;
    ck_assert(strstr(draw(30, 80, true), "events lost") < strstr(drawn, "workers"));
}
END_TEST

START_TEST(bytes_of_peers_are_encoded)
{
    take_sample();
    take_event_of("a\\u001b[31m\\u202eb\\u0007\\u0085", "loud");
    expect_shown("a\\x1b[31m");
    for (const char *at = drawn; *at != '\0'; at++)
        ck_assert_msg(*at == '\n' || (unsigned char)*at >= ' ', "a control byte in\n%s", drawn);
    draw(24, 80, false);
    ck_assert_ptr_null(strstr(drawn, "\xe2\x80\xae"));
    ck_assert_ptr_null(strstr(drawn, "\xc2\x85"));
}
END_TEST

START_TEST(wide_characters_take_two_columns)
{
    struct top_canvas canvas;
    ck_assert_int_eq(top_canvas_create(1, 6, false, &canvas), 0);
    const struct top_area area = {&canvas, 0, 0, 1, 6};
    ck_assert_uint_eq(top_put(&area, 0, 0, 6, CLI_PLAIN, "诈骗x"), 5);
    ck_assert_uint_eq(canvas.cells[0].length, 3);
    ck_assert_uint_eq(canvas.cells[1].length, 0);
    ck_assert_uint_eq(top_put(&area, 0, 0, 3, CLI_PLAIN, "诈骗"), 2);
    ck_assert_uint_eq(top_put(&area, 0, 5, 6, CLI_PLAIN, "诈"), 0);
    ck_assert_uint_eq(top_put(&area, 0, 0, 6, CLI_PLAIN, "e\xcc\x81z"), 2);
    ck_assert_uint_eq(canvas.cells[0].length, 3);
    canvas.ascii = true;
    top_put(&area, 0, 0, 6, CLI_PLAIN, "诈z");
    ck_assert_int_eq(canvas.cells[0].bytes[0], '?');
    ck_assert_int_eq(canvas.cells[1].bytes[0], 'z');
    top_canvas_destroy(&canvas);
}
END_TEST

START_TEST(every_size_can_be_drawn)
{
    take_sample();
    take_event_of("+8617000000001", "loud");
    for (size_t rows = 1; rows < 60; rows += 3)
        for (size_t columns = 1; columns < 230; columns += 7)
            for (int state = 0; state < 4; state++) {
                view.help = state == 1;
                view.zoomed = state == 2;
                view.opened = state == 3;
                view.focus = (enum top_panel_id)((rows + columns) % TOP_PANELS);
                (void)draw(rows, columns, state % 2 == 0);
            }
}
END_TEST

START_TEST(lines_of_a_newer_daemon_do_no_harm)
{
    take("{\"kind\":\"counts\"}");
    take(
        "{\"kind\":\"counts\",\"interval_us\":1,\"families\":[],\"latency_ns\":3,\"totals\":\"\"}");
    take("{\"kind\":\"counts\",\"interval_us\":1,\"families\":{\"rules\":{\"totals\":{\"a\":\"b\"}}"
         "}}");
    take("{\"kind\":\"event\",\"caller\":5,\"rules\":{},\"score\":\"x\"}");
    take("{\"kind\":\"event\",\"rules\":[1,null,{\"id\":7}]}");
    take("{\"kind\":7}");
    take("{\"kind\":\"news\"}");
    expect_shown("ringfence top");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("top");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, figures_are_shown);
    tcase_add_test(tests, rates_are_smoothed);
    tcase_add_test(tests, a_full_table_keeps_the_busiest);
    tcase_add_test(tests, another_epoch_begins_anew);
    tcase_add_test(tests, a_caller_can_be_opened);
    tcase_add_test(tests, keys_filter_and_sort);
    tcase_add_test(tests, other_keys);
    tcase_add_test(tests, what_goes_wrong_is_shown);
    tcase_add_test(tests, bytes_of_peers_are_encoded);
    tcase_add_test(tests, wide_characters_take_two_columns);
    tcase_add_test(tests, every_size_can_be_drawn);
    tcase_add_test(tests, lines_of_a_newer_daemon_do_no_harm);
    Suite *suite = suite_create("cli/top");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
