/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#include <errno.h>

#include "harness.h"
#include "sample.h"

static void assert_refused(const char *text, const char *message)
{
    struct harness harness;
    struct sample_settings settings;

    harness_open(&harness);
    ck_assert_int_eq(harness_load(&harness, text, &sample_section, &settings), ERROR_CONFIG);
    harness_assert_mentions(&harness, message);
    harness_close(&harness);
}

START_TEST(defaults_fill_what_is_not_written)
{
    struct harness harness;
    struct sample_settings settings;

    harness_open(&harness);
    memset(&settings, 0xa5, sizeof(settings));
    ck_assert_int_eq(harness_load(&harness, "", &sample_section, &settings), 0);
    ck_assert_uint_eq(settings.listen.count, 2);
    ck_assert_int_eq(settings.listen.items[1].socket.any.sa_family, AF_INET6);
    ck_assert_int_eq(settings.mode, SAMPLE_INLINE);
    ck_assert_uint_eq(settings.workers, 4);
    ck_assert_uint_eq(settings.buffer_bytes, 1 << 20);
    ck_assert_uint_eq(settings.deadline_us, 20000);
    ck_assert_int_eq(settings.offset, -3);
    ck_assert_ptr_null(settings.node.data);
    ck_assert_uint_eq(settings.trunks.count, 0);
    harness_close(&harness);
}
END_TEST

START_TEST(every_type_is_read)
{
    struct harness harness;
    struct sample_settings settings;
    const struct sample_trunk *trunks;

    harness_open(&harness);
    ck_assert_int_eq(harness_load(&harness,
                                  "listen: \"192.0.2.1:5061\"\n"
                                  "mode: tap\n"
                                  "workers: 255\n"
                                  "buffer: 64k\n"
                                  "deadline: 1.5s\n"
                                  "offset: -10\n"
                                  "node: 上海一号\n"
                                  "trunks:\n"
                                  "  - name: sbc-a\n"
                                  "    source: [10.0.0.0/8, '2001:db8::/32']\n"
                                  "    target: 10.0.0.9\n"
                                  "    codecs: [g729]\n"
                                  "    trusted: yes\n"
                                  "    share: 50%\n"
                                  "    health: {interval: 1m, failures: 5}\n"
                                  "  - name: sbc-b\n"
                                  "    source: 192.0.2.0/24\n",
                                  &sample_section, &settings),
                     0);
    ck_assert_int_eq(settings.mode, SAMPLE_TAP);
    ck_assert_uint_eq(settings.workers, 255);
    ck_assert_uint_eq(settings.buffer_bytes, 65536);
    ck_assert_uint_eq(settings.deadline_us, 1500000);
    ck_assert_int_eq(settings.offset, -10);
    ck_assert_str_eq(settings.node.data, "上海一号");
    ck_assert_uint_eq(settings.trunks.count, 2);
    trunks = settings.trunks.items;
    ck_assert_uint_eq(trunks[0].source.count, 2);
    ck_assert_uint_eq(ntohs(trunks[0].target.socket.v4.sin_port), 5060);
    ck_assert_str_eq(trunks[0].codecs.items[0].data, "g729");
    ck_assert(trunks[0].trusted);
    ck_assert_double_eq(trunks[0].share, 50.0);
    ck_assert_uint_eq(trunks[0].health.interval_us, 60000000);
    ck_assert_uint_eq(trunks[0].health.failures, 5);
    ck_assert_str_eq(trunks[1].name.data, "sbc-b");
    ck_assert_uint_eq(trunks[1].target.length, 0);
    ck_assert_uint_eq(trunks[1].codecs.count, 2);
    ck_assert_str_eq(trunks[1].codecs.items[1].data, "pcmu");
    ck_assert_uint_eq(trunks[1].health.interval_us, 30000000);
    harness_close(&harness);
}
END_TEST

START_TEST(the_object_outlives_the_document)
{
    struct harness harness;
    struct sample_settings settings;

    harness_open(&harness);
    ck_assert_int_eq(harness_load(&harness, "node: a\n", &sample_section, &settings), 0);
    conf_document_destroy(harness.document);
    harness.document = NULL;
    ck_assert_str_eq(settings.node.data, "a");
    harness_close(&harness);
}
END_TEST

START_TEST(an_error_shows_value_place_and_remedy)
{
    struct harness harness;
    struct sample_settings settings;

    harness_open(&harness);
    ck_assert_int_eq(harness_load(&harness,
                                  "trunks:\n"
                                  "  - name: sbc-a\n"
                                  "    source: 10.0.0.300\n",
                                  &sample_section, &settings),
                     ERROR_CONFIG);
    harness_assert_printed(
        &harness, "test.yaml:3:13: error: trunk \"sbc-a\": source \"10.0.0.300\" is not an "
                  "address\n"
                  "    3 |     source: 10.0.0.300\n"
                  "      |             ^~~~~~~~~~\n"
                  "      = expected: an address or network such as 10.0.0.1, 10.0.0.0/8 "
                  "or 2001:db8::/32\n");
    harness_close(&harness);
}
END_TEST

START_TEST(all_problems_are_reported_at_once)
{
    struct harness harness;
    struct sample_settings settings;

    harness_open(&harness);
    ck_assert_int_eq(harness_load(&harness,
                                  "workers: many\nmode: inlin\nbuffer: 1k\nwrokers: 3\n"
                                  "trunks: [{name: a}, {name: a, source: x}]\n",
                                  &sample_section, &settings),
                     ERROR_CONFIG);
    ck_assert_uint_eq(conf_report_count(harness.report, CONF_ERROR), 7);
    harness_close(&harness);
}
END_TEST

START_TEST(wrong_values_are_named)
{
    static const char *const cases[][2] = {
        {"workers: many\n", "1:10: error: workers \"many\" is not a valid integer"},
        {"workers: 0\n", "workers \"0\" is out of range"},
        {"workers: 0\n", "expected: an integer, 1 to 255 threads"},
        {"workers: 256\n", "workers \"256\" is out of range"},
        {"workers: [1]\n", "workers is a list"},
        {"workers:\n", "1:1: error: workers has no value"},
        {"workers:\n", "hint: without this line it is 4"},
        {"offset: -11\n", "expected: an integer, -10 to 10"},
        {"buffer: 65M\n", "expected: a size such as 512, 64k or 16M, 4k to 64M"},
        {"deadline: 20\n", "deadline \"20\" is not a valid duration"},
        {"deadline: 10s\n", "expected: a duration such as 20ms, 1.5s or 4h, 1ms to 5s"},
        {"mode: inlin\n", "mode \"inlin\" is not one of the choices"},
        {"mode: inlin\n", "hint: did you mean \"inline\"?"},
        {"mode: xyz\n", "expected: one of inline, redirect, tap"},
        {"listen: x\n", "expected: an IP address and port such as 10.0.0.1:5060"},
        {"listen: [{}]\n", "an item of listen is not a text"},
        {"listen: [~]\n", "an item of listen is empty"},
        {"listen: {}\n", "listen is a section"},
        {"trunks: {}\n", "trunks is a section"},
        {"trunks: [x]\n", "1:10: error: trunk 1: this is a text"},
        {"[]\n", "1:1: error: this is a list"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i][0], cases[i][1]);
}
END_TEST

START_TEST(wrong_values_in_list_items_are_named)
{
    static const char *const cases[][2] = {
        {"trunks: [{source: 10.0.0.1}]\n", "trunk 1: \"name\" is missing"},
        {"trunks: [{name: a}]\n", "trunk \"a\": \"source\" is missing"},
        {"trunks: [{name: '', source: 10.9.9.1}]\n", "name \"\" is too short"},
        {"trunks: [{name: a, source: 10.0.0.1/8}]\n", "hint: the network is 10.0.0.0/8"},
        {"trunks: [{name: a, source: 10.0.0.1/33}]\n", "has too many prefix bits"},
        {"trunks: [{name: a, source: 10.9.9.1, trusted: maybe}]\n",
         "trusted \"maybe\" is neither true nor false"},
        {"trunks: [{name: a, source: 10.9.9.1, share: 101%}]\n", "share \"101%\" is out of range"},
        {"trunks: [{name: a, source: 10.9.9.1, target: '1.1.1.1:0'}]\n", "port outside 1 to 65535"},
        {"trunks: [{name: a, source: 10.9.9.1, health: {interval: 0s}}]\n",
         "trunk \"a\": health: interval \"0s\" is out of range"},
        {"trunks: [{name: a, source: [], trusted: on}]\n",
         "trunk \"a\": trusted needs at least one source"},
        {"trunks:\n- {name: a, source: 10.9.9.1}\n- {name: a, source: 10.9.9.1}\n",
         "test.yaml:3:10: error: trunk \"a\" is defined twice; the first is on line 2"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i][0], cases[i][1]);
}
END_TEST

START_TEST(an_unknown_key_is_at_its_own_place)
{
    assert_refused("wokers: 3\n", "test.yaml:1:1: error: \"wokers\" is not a known setting\n"
                                  "    1 | wokers: 3\n"
                                  "      | ^~~~~~\n"
                                  "      = hint: did you mean \"workers\"?\n");
    assert_refused("zzz: 3\n", "expected: one of listen, mode, workers");
}
END_TEST

START_TEST(a_secret_is_never_shown)
{
    struct harness harness;
    struct sample_settings settings;
    char *text;

    harness_open(&harness);
    ck_assert_int_eq(harness_load(&harness, "secret: hunter2hunter2\n", &sample_section, &settings),
                     ERROR_CONFIG);
    text = harness_printed(&harness);
    ck_assert_ptr_null(strstr(text, "hunter2"));
    ck_assert_ptr_nonnull(strstr(text, "secret (hidden) is too long"));
    free(text);
    harness_close(&harness);
}
END_TEST

START_TEST(an_empty_section_or_list_is_its_default)
{
    struct harness harness;
    struct sample_settings settings;

    harness_open(&harness);
    ck_assert_int_eq(harness_load(&harness, "trunks:\n", &sample_section, &settings), 0);
    ck_assert_uint_eq(settings.trunks.count, 0);
    ck_assert_int_eq(harness_load(&harness, "trunks:\n- {name: a, source: 10.9.9.1, health: }\n",
                                  &sample_section, &settings),
                     0);
    ck_assert_uint_eq(((struct sample_trunk *)settings.trunks.items)->health.failures, 3);
    harness_close(&harness);
}
END_TEST

START_TEST(a_full_arena_is_no_memory)
{
    struct harness harness;
    struct sample_settings settings;
    struct arena *arena;

    harness_open(&harness);
    ck_assert_int_eq(arena_create(1024, 64, &arena), 0);
    ck_assert_int_eq(harness_parse(&harness, "trunks: [{name: a, source: 10.9.9.1}]\n"), 0);
    ck_assert_int_eq(conf_section_load(harness.document, conf_document_root(harness.document),
                                       &sample_section, arena, harness.report, &settings),
                     -ENOMEM);
    arena_destroy(arena);
    harness_close(&harness);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config/schema");
    TCase *group = tcase_create("schema");

    tcase_add_test(group, defaults_fill_what_is_not_written);
    tcase_add_test(group, every_type_is_read);
    tcase_add_test(group, the_object_outlives_the_document);
    tcase_add_test(group, an_error_shows_value_place_and_remedy);
    tcase_add_test(group, all_problems_are_reported_at_once);
    tcase_add_test(group, wrong_values_are_named);
    tcase_add_test(group, wrong_values_in_list_items_are_named);
    tcase_add_test(group, an_unknown_key_is_at_its_own_place);
    tcase_add_test(group, a_secret_is_never_shown);
    tcase_add_test(group, an_empty_section_or_list_is_its_default);
    tcase_add_test(group, a_full_arena_is_no_memory);
    suite_add_tcase(suite, group);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
