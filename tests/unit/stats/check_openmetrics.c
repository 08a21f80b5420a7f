/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/openmetrics.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "stats/catalogue.h"

static struct stats_registry *registry;
static struct stats_shard *shard;
static struct stats_source source;
static char *page;

static void setup(void)
{
    ck_assert_int_eq(stats_registry_create(&registry), 0);
    ck_assert_int_eq(stats_shard_create(registry, &shard), 0);
    source = (struct stats_source){.registry = registry,
                                   .epoch = {UINT64_C(1795469629250000), 2},
                                   .version = "1.2",
                                   .node = "gw\"1\\"};
    page = NULL;
}

static void teardown(void)
{
    free(page);
    stats_registry_destroy(registry);
}

static void render(enum stats_text_format format, uint32_t label_limit)
{
    const struct stats_page_request request = {format, label_limit};
    size_t length = 0;
    free(page);
    ck_assert_int_eq(stats_page_create(&source, &request, &page, &length), 0);
    page = realloc(page, length + 1);
    ck_assert_ptr_nonnull(page);
    page[length] = '\0';
}

/* A whole line of the page. */
static void expect_line(const char *line)
{
    size_t length = strlen(line);
    for (const char *at = page; (at = strstr(at, line)) != NULL; at += length)
        if ((at == page || at[-1] == '\n') && at[length] == '\n')
            return;
    ck_abort_msg("no line \"%s\" in\n%s", line, page);
}

START_TEST(a_counter_has_its_total)
{
    stats_add(shard, STATS_CALLS, 42);
    render(STATS_TEXT_OPENMETRICS, 10);
    expect_line("# TYPE ringfence_calls counter");
    expect_line("# HELP ringfence_calls initial INVITEs that were judged");
    expect_line("ringfence_calls_total 42");
    ck_assert_str_eq(page + strlen(page) - strlen("# EOF\n"), "# EOF\n");
}
END_TEST

START_TEST(the_older_format_names_samples)
{
    stats_add(shard, STATS_CALLS, 42);
    render(STATS_TEXT_PLAIN, 10);
    expect_line("# TYPE ringfence_calls_total counter");
    expect_line("ringfence_calls_total 42");
    expect_line("# TYPE ringfence_build_info gauge");
    ck_assert_ptr_null(strstr(page, "# EOF"));
    ck_assert_ptr_null(strstr(page, "# UNIT"));
}
END_TEST

START_TEST(units_come_from_the_names_of_rows)
{
    uint32_t rule = stats_label(registry, STATS_FAMILY_RULES_COST, SLICE("loud"));
    stats_add_label(shard, STATS_FAMILY_RULES_COST, rule, 1500000020);
    stats_gauge_set(shard, STATS_GAUGE_TRANSACTION_BYTES, 77);
    render(STATS_TEXT_OPENMETRICS, 10);
    expect_line("# UNIT ringfence_rules_cost_seconds seconds");
    expect_line("ringfence_rules_cost_seconds_total{rule=\"loud\"} 1.50000002");
    expect_line("# UNIT ringfence_transaction_bytes bytes");
    expect_line("ringfence_transaction_bytes 77");
    expect_line("ringfence_start_time_seconds 1795469629.25");
}
END_TEST

START_TEST(label_values_are_escaped)
{
    stats_label(registry, STATS_FAMILY_TYPES, SLICE("a\"b\\c\nd"));
    render(STATS_TEXT_OPENMETRICS, 10);
    expect_line("ringfence_types_total{type=\"a\\\"b\\\\c\\nd\"} 0");
    expect_line("ringfence_build_info{version=\"1.2\",node=\"gw\\\"1\\\\\"} 1");
}
END_TEST

START_TEST(labels_beyond_the_limit_are_added_to_other)
{
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "type-%d", i);
        uint32_t label = stats_label(registry, STATS_FAMILY_TYPES, slice_of_text(name));
        stats_add_label(shard, STATS_FAMILY_TYPES, label, (uint64_t)(10 + i));
    }
    stats_count_label(shard, STATS_FAMILY_TYPES, 0);
    render(STATS_TEXT_OPENMETRICS, 3);
    expect_line("ringfence_types_total{type=\"type-0\"} 10");
    expect_line("ringfence_types_total{type=\"type-1\"} 11");
    expect_line("ringfence_types_total{type=\"other\"} 40"); /* 1 + 12 + 13 + 14 */
    ck_assert_ptr_null(strstr(page, "type-2"));
    render(STATS_TEXT_OPENMETRICS, 1);
    expect_line("ringfence_types_total{type=\"other\"} 61");
    render(STATS_TEXT_OPENMETRICS, 6);
    expect_line("ringfence_types_total{type=\"type-4\"} 14");
    expect_line("ringfence_types_total{type=\"other\"} 1");
}
END_TEST

START_TEST(histograms_count_what_is_shorter_than_the_bound)
{
    stats_record(shard, STATS_HISTOGRAM_SCREENING, 0);
    stats_record(shard, STATS_HISTOGRAM_SCREENING, 1023);
    stats_record(shard, STATS_HISTOGRAM_SCREENING, 1024);
    stats_record(shard, STATS_HISTOGRAM_SCREENING, 1536);
    stats_record(shard, STATS_HISTOGRAM_SCREENING, UINT64_C(5000000000));
    render(STATS_TEXT_OPENMETRICS, 10);
    expect_line("# TYPE ringfence_screening_seconds histogram");
    expect_line("# UNIT ringfence_screening_seconds seconds");
    expect_line("ringfence_screening_seconds_bucket{le=\"0.000000512\"} 1");
    expect_line("ringfence_screening_seconds_bucket{le=\"0.000001024\"} 2");
    expect_line("ringfence_screening_seconds_bucket{le=\"0.000001536\"} 3");
    expect_line("ringfence_screening_seconds_bucket{le=\"0.000002048\"} 4");
    expect_line("ringfence_screening_seconds_bucket{le=\"0.134217728\"} 4");
    expect_line("ringfence_screening_seconds_bucket{le=\"+Inf\"} 5");
    expect_line("ringfence_screening_seconds_count 5");
    expect_line("ringfence_screening_seconds_sum 5.000003583");
}
END_TEST

START_TEST(a_large_registry_fits)
{
    for (int i = 0; i < 3000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "a-rule-of-some-length-%d", i);
        stats_label(registry, STATS_FAMILY_RULES, slice_of_text(name));
    }
    render(STATS_TEXT_OPENMETRICS, 20000);
    expect_line("ringfence_rules_total{rule=\"a-rule-of-some-length-2999\"} 0");
    ck_assert_ptr_nonnull(strstr(page, "\n# EOF\n"));
}
END_TEST

struct names {
    char texts[STATS_COUNTER_COUNT + STATS_GAUGE_COUNT + STATS_FAMILY_COUNT +
               STATS_HISTOGRAM_COUNT + 2][96];
    size_t count;
};

static void keep_name(void *argument, const char *name, const char *type, const char *label,
                      const char *help)
{
    struct names *names = argument;
    (void)type;
    ck_assert_msg(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name), "%s",
                  name);
    ck_assert_msg(strchr(help, '\n') == NULL && strchr(help, '\\') == NULL && help[0] != '\0',
                  "%s: %s", name, help);
    ck_assert(label == NULL || islower((unsigned char)label[0]));
    for (size_t i = 0; i < names->count; i++)
        ck_assert_str_ne(names->texts[i], name);
    snprintf(names->texts[names->count++], sizeof(names->texts[0]), "%s", name);
}

START_TEST(every_name_is_sound_and_unique)
{
    static struct names names;
    stats_metrics_describe(keep_name, &names);
    ck_assert_uint_eq(names.count, sizeof(names.texts) / sizeof(names.texts[0]));
}
END_TEST

static const struct {
    const char *accept;
    enum stats_text_format format;
} accept_rows[] = {
    {NULL, STATS_TEXT_PLAIN},
    {"", STATS_TEXT_PLAIN},
    {"*/*", STATS_TEXT_PLAIN},
    {"text/plain", STATS_TEXT_PLAIN},
    {"text/html,*/*;q=0.8", STATS_TEXT_PLAIN},
    {"application/openmetrics-text", STATS_TEXT_OPENMETRICS},
    {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
     "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
     STATS_TEXT_OPENMETRICS},
    {"text/plain; version=0.0.4, Application/OpenMetrics-Text; version=1.0.0; q=0.5",
     STATS_TEXT_PLAIN},
    {"application/openmetrics-text; q=0, text/plain", STATS_TEXT_PLAIN},
    {"application/openmetrics-text; q=0", STATS_TEXT_PLAIN},
    {"application/openmetrics-text;q=0.25,text/plain;q=0.255", STATS_TEXT_PLAIN},
    {"application/openmetrics-text;q=0.256,text/plain;q=0.255", STATS_TEXT_OPENMETRICS},
    {",;,;q=,q=1;=", STATS_TEXT_PLAIN},
};

START_TEST(a_scraper_gets_what_it_accepts)
{
    ck_assert_int_eq(stats_text_format_accepted(accept_rows[_i].accept), accept_rows[_i].format);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("openmetrics");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_counter_has_its_total);
    tcase_add_test(tests, the_older_format_names_samples);
    tcase_add_test(tests, units_come_from_the_names_of_rows);
    tcase_add_test(tests, label_values_are_escaped);
    tcase_add_test(tests, labels_beyond_the_limit_are_added_to_other);
    tcase_add_test(tests, histograms_count_what_is_shorter_than_the_bound);
    tcase_add_test(tests, a_large_registry_fits);
    tcase_add_test(tests, every_name_is_sound_and_unique);
    tcase_add_loop_test(tests, a_scraper_gets_what_it_accepts, 0,
                        sizeof(accept_rows) / sizeof(accept_rows[0]));
    Suite *suite = suite_create("stats/openmetrics");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
