/* SPDX-License-Identifier: Apache-2.0 */
#include "control/settings.h"

#include <check.h>
#include <stdlib.h>

#include "control/metrics_server.h"

static struct arena *arena;
static struct conf_report *report;

static void setup(void)
{
    ck_assert_int_eq(arena_create(4096, 0, &arena), 0);
    ck_assert_int_eq(conf_report_create(&report), 0);
}

static void teardown(void)
{
    conf_report_destroy(report);
    arena_destroy(arena);
}

static int load(const char *text, const struct conf_section *section, void *object)
{
    struct conf_document *document;
    ck_assert_int_eq(conf_document_parse("test.yaml", slice_of_text(text), NULL, report, &document),
                     0);
    int error =
        conf_section_load(document, conf_document_root(document), section, arena, report, object);
    conf_document_destroy(document);
    return error;
}

START_TEST(the_rows_are_sound)
{
    ck_assert_int_eq(conf_section_verify(&ctl_control_section, report), 0);
    ck_assert_int_eq(conf_section_verify(&ctl_stats_section, report), 0);
    ck_assert_int_eq(conf_section_verify(&ctl_metrics_section, report), 0);
}
END_TEST

START_TEST(defaults)
{
    struct ctl_control_settings control;
    struct ctl_stats_settings stats;
    ck_assert_int_eq(load("", &ctl_control_section, &control), 0);
    ck_assert_int_eq(load("", &ctl_stats_section, &stats), 0);
    ck_assert_str_eq(control.socket.path.data, CTL_DEFAULT_CONTROL_SOCKET);
    ck_assert_uint_eq(control.socket.mode, 0660);
    ck_assert_uint_eq(control.clients, 64);
    ck_assert_uint_eq(stats.interval_us, 1000000);
    ck_assert_uint_eq(stats.queue_bytes, 1 << 20);
    ck_assert_uint_eq(stats.stalled_us, 600000000);
}
END_TEST

START_TEST(metrics_are_served_nowhere_unless_asked_for)
{
    struct ctl_metrics_settings metrics;
    ck_assert_int_eq(load("", &ctl_metrics_section, &metrics), 0);
    ck_assert(!ctl_metrics_are_wanted(&metrics));
    ck_assert_uint_eq(metrics.clients, 16);
    ck_assert_uint_eq(metrics.labels, 1000);
    ck_assert_int_eq(load("listen: 127.0.0.1:9560\n", &ctl_metrics_section, &metrics), 0);
    ck_assert(ctl_metrics_are_wanted(&metrics));
    ck_assert_int_eq(load("socket: /run/m.sock\n", &ctl_metrics_section, &metrics), 0);
    ck_assert(ctl_metrics_are_wanted(&metrics));
    ck_assert_int_eq(load("listen: 127.0.0.1\n", &ctl_metrics_section, &metrics), ERROR_CONFIG);
}
END_TEST

START_TEST(a_mode_is_octal)
{
    struct ctl_control_settings control;
    ck_assert_int_eq(load("mode: 0600\n", &ctl_control_section, &control), 0);
    ck_assert_uint_eq(control.socket.mode, 0600);
    ck_assert_int_eq(load("mode: 666\n", &ctl_control_section, &control), 0);
    ck_assert_uint_eq(control.socket.mode, 0666);
}
END_TEST

static const char *const bad_modes[] = {"0680", "rw", "07777", "66", "[1]", "00666"};

START_TEST(other_modes_are_refused)
{
    struct ctl_control_settings control;
    char text[32];
    snprintf(text, sizeof(text), "mode: %s\n", bad_modes[_i]);
    ck_assert_int_eq(load(text, &ctl_control_section, &control), ERROR_CONFIG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/settings");
    TCase *loading = tcase_create("loading");
    tcase_add_checked_fixture(loading, setup, teardown);
    tcase_add_test(loading, the_rows_are_sound);
    tcase_add_test(loading, defaults);
    tcase_add_test(loading, metrics_are_served_nowhere_unless_asked_for);
    tcase_add_test(loading, a_mode_is_octal);
    tcase_add_loop_test(loading, other_modes_are_refused, 0,
                        sizeof(bad_modes) / sizeof(bad_modes[0]));
    suite_add_tcase(suite, loading);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
