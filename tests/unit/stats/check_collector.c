/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/collector.h"

#include <check.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

enum { RATE = 10 };

static struct stats_registry *registry;
static struct stats_shard *shard;
static struct stats_event_queue *queues[2];
static struct stats_history *history;
static struct stats_collector *collector;
static struct stats_source source;
static struct stats_event_format format;
static uint64_t now_us;

static void setup(void)
{
    ck_assert_int_eq(stats_registry_create(&registry), 0);
    ck_assert_int_eq(stats_shard_create(registry, &shard), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(stats_event_queue_create(4096, &queues[i]), 0);
    ck_assert_int_eq(stats_history_create(8 << 20, &history), 0);
    source = (struct stats_source){.registry = registry, .epoch = {1, 2}, .version = "1.0"};
    format = (struct stats_event_format){.source = &source};
    const struct stats_collector_options options = {.format = &format,
                                                    .queues = queues,
                                                    .queue_count = 2,
                                                    .history = history,
                                                    .shard = shard,
                                                    .rate = RATE};
    ck_assert_int_eq(stats_collector_create(&options, &collector), 0);
    now_us = 5000000;
}

static void teardown(void)
{
    stats_collector_destroy(collector);
    stats_history_destroy(history);
    for (int i = 0; i < 2; i++)
        stats_event_queue_destroy(queues[i]);
    stats_registry_destroy(registry);
}

static struct stats_event *begin(unsigned worker, const char *action)
{
    static uint64_t sequence;
    struct stats_event *event = stats_event_begin(queues[worker]);
    ck_assert_ptr_nonnull(event);
    event->worker = (uint16_t)worker;
    event->sequence = ++sequence;
    event->wall_us = 1795465060000000 + sequence;
    event->action = (uint8_t)stats_label(registry, STATS_FAMILY_VERDICTS, slice_of_text(action));
    return event;
}

static void add_rule(struct stats_event *event, const char *id, int16_t points, bool shadow)
{
    event->rules[event->rule_count++] = (struct stats_event_rule){
        stats_label(registry, STATS_FAMILY_RULES, slice_of_text(id)), points, shadow};
}

static void push(int count, const char *action, const char *rule)
{
    for (int i = 0; i < count; i++) {
        struct stats_event *event = begin((unsigned)i % 2, action);
        add_rule(event, rule, 50, false);
        stats_event_commit(queues[i % 2]);
    }
}

static struct json_object *line_after(uint64_t *after)
{
    static struct stats_history_entry entry;
    if (stats_history_next(history, *after, &entry) != 0)
        return NULL;
    ck_assert_uint_eq(entry.seq, *after + 1);
    *after = entry.seq;
    entry.line[entry.length - 1] = '\0';
    struct json_object *object = json_tokener_parse(entry.line);
    ck_assert_msg(object != NULL, "%s", entry.line);
    return object;
}

static const char *text(struct json_object *object, const char *key)
{
    return json_object_get_string(json_object_object_get(object, key));
}

/* What the lines after number `after` come to: single events and the calls of aggregates. */
struct sum {
    uint64_t single;
    uint64_t aggregates;
    uint64_t aggregated;
};

static struct sum sum_up(const char *action, uint64_t after)
{
    struct sum sum = {0};
    struct json_object *object;
    while ((object = line_after(&after)) != NULL) {
        if (strcmp(text(object, "action"), action) == 0) {
            bool aggregate = strcmp(text(object, "event"), "aggregate") == 0;
            sum.single += !aggregate;
            sum.aggregates += aggregate;
            if (aggregate)
                sum.aggregated +=
                    (uint64_t)json_object_get_int64(json_object_object_get(object, "count"));
        }
        json_object_put(object);
    }
    return sum;
}

START_TEST(lines_are_numbered_over_all_workers)
{
    uint64_t after = 0;
    push(6, "block", "a");
    stats_collector_tick(collector, now_us);
    for (int i = 0; i < 6; i++)
        json_object_put(line_after(&after));
    ck_assert_uint_eq(stats_history_span(history).newest, 6);
    ck_assert_uint_eq(stats_total(registry, STATS_EVENTS), 6);
    ck_assert_ptr_null(stats_event_peek(queues[0]));
}
END_TEST

START_TEST(beyond_the_rate_of_a_rule_events_are_gathered)
{
    push(200, "block", "loud");
    push(5, "block", "quiet");
    ck_assert_uint_le(stats_collector_tick(collector, now_us), 20000);
    ck_assert_uint_eq(stats_history_span(history).newest, RATE + 5);
    push(100, "block", "loud");
    stats_collector_tick(collector, now_us + 900000);
    stats_collector_tick(collector, now_us + 1000000);
    struct sum sum = sum_up("block", 0);
    ck_assert_uint_eq(sum.single, RATE + 5);
    ck_assert_uint_eq(sum.aggregates, 1);
    ck_assert_uint_eq(sum.aggregated, 300 - RATE);
    ck_assert_uint_eq(stats_total(registry, STATS_EVENTS_AGGREGATED), 300 - RATE);
    /* The next second has its own. */
    push(RATE, "block", "loud");
    stats_collector_tick(collector, now_us + 1100000);
    ck_assert_uint_eq(sum_up("block", 0).single, 2 * RATE + 5);
}
END_TEST

START_TEST(an_aggregate_mixes_nothing_that_is_counted_apart)
{
    push(50, "block", "a");
    push(50, "tag", "a");
    stats_collector_tick(collector, now_us);
    stats_collector_tick(collector, now_us + 1000000);
    struct sum block = sum_up("block", 0), tag = sum_up("tag", 0);
    ck_assert_uint_eq(block.single + block.aggregated, 50);
    ck_assert_uint_eq(tag.single + tag.aggregated, 50);
    ck_assert_uint_eq(block.single + tag.single, RATE);
}
END_TEST

START_TEST(an_event_is_put_down_to_its_leading_rule)
{
    for (int i = 0; i <= RATE; i++) {
        struct stats_event *event = begin(0, "block");
        add_rule(event, "shadow", 90, true);
        add_rule(event, "small", 10, false);
        add_rule(event, "great", 60, false);
        stats_event_commit(queues[0]);
    }
    stats_collector_tick(collector, now_us);
    stats_collector_tick(collector, now_us + 1000000);
    uint64_t after = RATE;
    struct json_object *object = line_after(&after);
    ck_assert_str_eq(text(object, "rule"), "great");
    json_object_put(object);
}
END_TEST

START_TEST(alerts_are_never_gathered)
{
    for (int i = 0; i < 3 * RATE; i++) {
        struct stats_event *event = begin(0, "block");
        event->kind = STATS_EVENT_ALERT;
        stats_event_commit(queues[0]);
    }
    stats_collector_tick(collector, now_us);
    ck_assert_uint_eq(stats_history_span(history).newest, 3 * RATE);
}
END_TEST

/* More sorts at once than can be open: they are told early, and nothing is lost. */
START_TEST(many_sorts_at_once_stay_exact)
{
    enum { SORTS = 700, EACH = 3 };
    for (uint16_t i = 0; i < SORTS * EACH; i++) {
        struct stats_event *event = begin(0, "block");
        add_rule(event, "a", 50, false);
        event->code = i % SORTS;
        stats_event_commit(queues[0]);
    }
    while (stats_collector_tick(collector, now_us) == 0)
        continue;
    stats_collector_tick(collector, now_us + 1000000);
    struct sum sum = sum_up("block", 0);
    ck_assert_uint_eq(sum.single + sum.aggregated, SORTS * EACH);
}
END_TEST

START_TEST(what_is_open_goes_out_at_the_end)
{
    ck_assert_int_eq(stats_collector_start(collector), 0);
    push(100, "block", "a");
    stats_collector_stop(collector);
    struct sum sum = sum_up("block", 0);
    ck_assert_uint_eq(sum.single + sum.aggregated, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats/collector");
    TCase *lines = tcase_create("lines");
    tcase_add_checked_fixture(lines, setup, teardown);
    tcase_add_test(lines, lines_are_numbered_over_all_workers);
    tcase_add_test(lines, beyond_the_rate_of_a_rule_events_are_gathered);
    tcase_add_test(lines, an_aggregate_mixes_nothing_that_is_counted_apart);
    tcase_add_test(lines, an_event_is_put_down_to_its_leading_rule);
    tcase_add_test(lines, alerts_are_never_gathered);
    tcase_add_test(lines, many_sorts_at_once_stay_exact);
    tcase_add_test(lines, what_is_open_goes_out_at_the_end);
    suite_add_tcase(suite, lines);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
