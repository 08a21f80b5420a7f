/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/stream.h"

#include <check.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stats_registry *registry;
static struct stats_shard *shard;
static struct stats_stream *stream;

static void setup(void)
{
    ck_assert_int_eq(stats_registry_create(&registry), 0);
    ck_assert_int_eq(stats_shard_create(registry, &shard), 0);
    const struct stats_source source = {
        .registry = registry, .epoch = {1795465052000000, 0xabc}, .version = "1.0", .node = "n1"};
    ck_assert_int_eq(stats_stream_create(&source, 1000000, &stream), 0);
}

static void teardown(void)
{
    stats_stream_destroy(stream);
    stats_registry_destroy(registry);
}

/* One line of JSON, its frame checked. */
static struct json_object *parse(struct slice line, const char *kind)
{
    ck_assert_uint_gt(line.length, 1);
    ck_assert_ptr_eq(memchr(line.data, '\n', line.length), line.data + line.length - 1);
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *object = json_tokener_parse_ex(tokener, line.data, (int)line.length);
    ck_assert_ptr_nonnull(object);
    json_tokener_free(tokener);
    ck_assert_str_eq(json_object_get_string(json_object_object_get(object, "kind")), kind);
    ck_assert_int_eq(json_object_get_int(json_object_object_get(object, "schema")), 1);
    ck_assert_str_eq(json_object_get_string(json_object_object_get(object, "epoch")),
                     "1795465052-0000000000000abc");
    return object;
}

/* The value at a path such as "families.verdicts.totals.block"; NULL when it is not there. */
static struct json_object *at(struct json_object *object, const char *path)
{
    char copy[128];
    snprintf(copy, sizeof(copy), "%s", path);
    char *rest = copy;
    for (char *key; object != NULL && (key = strsep(&rest, ".")) != NULL;)
        object = json_object_object_get(object, key);
    return object;
}

static int64_t number(struct json_object *object, const char *path)
{
    struct json_object *value = at(object, path);
    ck_assert_msg(value != NULL, "no %s", path);
    return json_object_get_int64(value);
}

static struct json_object *counts(uint64_t now_us)
{
    struct slice line;
    ck_assert_int_eq(stats_stream_counts(stream, 1795465060000000, now_us, &line), 0);
    return parse(line, "counts");
}

START_TEST(hello_introduces)
{
    struct slice line;
    const struct stats_history_span events = {7, 12};
    ck_assert_int_eq(stats_stream_hello(stream, 1795465060123000, 500000, events, &line), 0);
    struct json_object *hello = parse(line, "hello");
    ck_assert_str_eq(json_object_get_string(at(hello, "time")), "2026-11-23T20:17:40.123Z");
    ck_assert_str_eq(json_object_get_string(at(hello, "started")), "2026-11-23T20:17:32.000Z");
    ck_assert_str_eq(json_object_get_string(at(hello, "node")), "n1");
    ck_assert_int_eq(number(hello, "interval_us"), 500000);
    ck_assert_int_eq(number(hello, "oldest"), 7);
    ck_assert_int_eq(number(hello, "newest"), 12);
    json_object_put(hello);
}
END_TEST

START_TEST(counts_say_totals_and_what_was_added)
{
    stats_add(shard, STATS_CALLS, 10);
    struct json_object *first = counts(2000000);
    ck_assert_int_eq(number(first, "totals.calls"), 10);
    ck_assert_int_eq(number(first, "deltas.calls"), 10);
    ck_assert_int_eq(number(first, "interval_us"), 1000000);
    json_object_put(first);

    stats_add(shard, STATS_CALLS, 5);
    stats_gauge_set(shard, STATS_GAUGE_CALLS_HELD, 3);
    struct json_object *second = counts(2500000);
    ck_assert_int_eq(number(second, "totals.calls"), 15);
    ck_assert_int_eq(number(second, "deltas.calls"), 5);
    ck_assert_int_eq(number(second, "gauges.calls_held"), 3);
    ck_assert_int_eq(number(second, "interval_us"), 500000);
    ck_assert_int_eq(number(second, "line"), 2);
    json_object_put(second);
}
END_TEST

START_TEST(labels_come_when_they_count)
{
    json_object_put(counts(2000000));
    uint32_t block = stats_label(registry, STATS_FAMILY_VERDICTS, SLICE("block"));
    stats_count_label(shard, STATS_FAMILY_VERDICTS, block);
    struct json_object *line = counts(3000000);
    ck_assert_str_eq(json_object_get_string(at(line, "families.verdicts.label")), "action");
    ck_assert_int_eq(number(line, "families.verdicts.totals.block"), 1);
    ck_assert_int_eq(number(line, "families.verdicts.deltas.block"), 1);
    ck_assert_ptr_null(at(line, "families.verdicts.totals.other"));
    json_object_put(line);
    line = counts(4000000);
    ck_assert_int_eq(number(line, "families.verdicts.totals.block"), 1);
    ck_assert_ptr_null(at(line, "families.verdicts.deltas.block"));
    json_object_put(line);
}
END_TEST

START_TEST(latency_in_all_and_since_the_last_line)
{
    for (int i = 0; i < 1000; i++)
        stats_record(shard, STATS_HISTOGRAM_SCREENING, 10);
    json_object_put(counts(2000000));
    stats_record(shard, STATS_HISTOGRAM_SCREENING, 1 << 20);
    struct json_object *line = counts(3000000);
    ck_assert_int_eq(number(line, "latency_ns.screening.totals.count"), 1001);
    ck_assert_int_eq(number(line, "latency_ns.screening.totals.p99"), 10);
    ck_assert_int_eq(number(line, "latency_ns.screening.deltas.count"), 1);
    ck_assert_int_ge(number(line, "latency_ns.screening.deltas.p50"), 1 << 20);
    json_object_put(line);
}
END_TEST

START_TEST(thousands_of_rules_fit)
{
    char name[256];
    memset(name, 'x', sizeof(name));
    for (unsigned i = 0; i < 10000; i++) {
        int length = snprintf(name, sizeof(name), "rule-%05u", i);
        name[length] = '-';
        uint32_t label = stats_label(registry, STATS_FAMILY_RULES, slice_make(name, sizeof(name)));
        stats_count_label(shard, STATS_FAMILY_RULES, label);
    }
    struct json_object *line = counts(2000000);
    ck_assert_int_eq(json_object_object_length(at(line, "families.rules.totals")), 10000);
    json_object_put(line);
}
END_TEST

START_TEST(gap_says_what_was_missed)
{
    struct slice line;
    ck_assert_int_eq(stats_stream_gap(stream, 0, 2, 40, &line), 0);
    struct json_object *gap = parse(line, "gap");
    ck_assert_int_eq(number(gap, "missed"), 42);
    ck_assert_int_eq(number(gap, "missed_counts"), 2);
    ck_assert_int_eq(number(gap, "missed_events"), 40);
    json_object_put(gap);
}
END_TEST

START_TEST(epochs_differ)
{
    struct stats_epoch first;
    struct stats_epoch second;
    ck_assert_int_eq(stats_epoch_create(1, &first), 0);
    ck_assert_int_eq(stats_epoch_create(1, &second), 0);
    ck_assert_uint_ne(first.id, second.id);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats/stream");
    TCase *lines = tcase_create("lines");
    tcase_add_checked_fixture(lines, setup, teardown);
    tcase_add_test(lines, hello_introduces);
    tcase_add_test(lines, counts_say_totals_and_what_was_added);
    tcase_add_test(lines, labels_come_when_they_count);
    tcase_add_test(lines, latency_in_all_and_since_the_last_line);
    tcase_add_test(lines, thousands_of_rules_fit);
    tcase_add_test(lines, gap_says_what_was_missed);
    tcase_add_test(lines, epochs_differ);
    suite_add_tcase(suite, lines);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
