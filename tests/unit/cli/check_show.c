/* SPDX-License-Identifier: Apache-2.0 */
/* The command is a program, not an archive: what is tested is compiled in. */
#include "../../../src/cli/number_row.c"
#include "../../../src/cli/show.c"
#include "../../../src/cli/terminal.c"

#include <check.h>

/* What people see of a JSON object. */
static char *shown(const char *json)
{
    char *text;
    size_t length;
    struct cli_output output = {.stream = open_memstream(&text, &length)};
    struct json_object *object = json_tokener_parse(json);
    ck_assert_ptr_nonnull(object);
    cli_show_object(&output, object);
    json_object_put(object);
    fclose(output.stream);
    return text;
}

static const struct {
    const char *json;
    const char *text;
} rows[] = {
    {"{\"a\":1,\"calls_held\":2}", "  a           1\n  calls held  2\n"},
    {"{\"uptime_s\":90061,\"wait_ms\":20,\"x_us\":1500,\"used_bytes\":65536}",
     "  uptime      1d 1h\n  wait        20ms\n  x           1ms500us\n  used bytes  64k\n"},
    {"{\"yes\":true,\"no\":false,\"none\":null,\"list\":[1,\"b\"],\"empty\":[]}",
     "  yes    yes\n  no     no\n  none   -\n  list   1, b\n  empty  none\n"},
    {"{\"in\":{\"deep\":{\"x\":1}},\"a\":0}", "  a  0\n\nin / deep\n  x  1\n"},
    {"{\"trunks\":[{\"name\":\"诈骗\",\"calls\":5},{\"name\":\"b\",\"calls\":10,\"new\":\"z\"}]}",
     "\ntrunks\n  name  calls  new\n  诈骗      5  -\n  b        10  z\n"},
    {"{\"evil\":\"\\u001b[2J\"}", "  evil  \\x1b[2J\n"},
    {"{}", ""},
};

START_TEST(nothing_is_left_out)
{
    char *text = shown(rows[_i].json);
    ck_assert_str_eq(text, rows[_i].text);
    free(text);
}
END_TEST

START_TEST(more_columns_than_fit_are_said)
{
    char json[2048] = "{\"rows\":[{";
    for (int i = 0; i < COLUMNS_MAXIMUM + 1; i++) {
        size_t length = strlen(json);
        snprintf(json + length, sizeof(json) - length, "%s\"k%d\":1", i > 0 ? "," : "", i);
    }
    strcat(json, "}]}");
    char *text = shown(json);
    ck_assert_ptr_nonnull(strstr(text, "--json shows all"));
    free(text);
}
END_TEST

static const struct {
    const char *text;
    int error;
    uint64_t expires_s;
} expiries[] = {
    {"never", 0, 0},
    {"30d", 0, 1000000 + 30 * 86400},
    {"1h30m", 0, 1000000 + 5400},
    {"2027-01-31", 0, 1801353600},
    {"1970-01-02", -ERANGE, 86400},
    {"2027-13-01", -EBADMSG, 0},
    {"tomorrow", -EBADMSG, 0},
    {"0", -EBADMSG, 0},
    {"", -EBADMSG, 0},
};

START_TEST(expiry_as_people_write_it)
{
    uint64_t expires_s;
    ck_assert_int_eq(cli_parse_expires(expiries[_i].text, 1000000, &expires_s), expiries[_i].error);
    if (expiries[_i].error == 0)
        ck_assert_uint_eq(expires_s, expiries[_i].expires_s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/show");
    TCase *showing = tcase_create("showing");
    tcase_add_loop_test(showing, nothing_is_left_out, 0, sizeof(rows) / sizeof(rows[0]));
    tcase_add_test(showing, more_columns_than_fit_are_said);
    tcase_add_loop_test(showing, expiry_as_people_write_it, 0,
                        sizeof(expiries) / sizeof(expiries[0]));
    suite_add_tcase(suite, showing);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
