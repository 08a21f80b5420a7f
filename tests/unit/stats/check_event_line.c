/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/event_line.h"

#include <check.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stats/history.h"

static struct stats_registry *registry;
static struct stats_source source;
static struct stats_event_format format;
static char memory[STATS_EVENT_LINE_MAXIMUM];
static struct slice line;

static void setup(void)
{
    ck_assert_int_eq(stats_registry_create(&registry), 0);
    source = (struct stats_source){
        .registry = registry, .epoch = {1795465052000000, 0xabc}, .version = "1.0", .node = "n1"};
    format = (struct stats_event_format){.source = &source};
}

static void teardown(void)
{
    stats_registry_destroy(registry);
}

static void render(const struct stats_event *event, const struct stats_aggregate *aggregate)
{
    struct buffer out = buffer_over(memory, sizeof(memory));
    stats_event_line(&format, 41, event, aggregate, &out);
    ck_assert(!out.overflow);
    line = buffer_slice(&out);
}

/* One line of JSON, its frame checked. */
static struct json_object *parse(void)
{
    ck_assert_ptr_eq(memchr(line.data, '\n', line.length), line.data + line.length - 1);
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *object = json_tokener_parse_ex(tokener, line.data, (int)line.length);
    ck_assert_ptr_nonnull(object);
    json_tokener_free(tokener);
    ck_assert_str_eq(json_object_get_string(json_object_object_get(object, "kind")), "event");
    ck_assert_int_eq(json_object_get_int(json_object_object_get(object, "seq")), 41);
    return object;
}

/* The value at a path such as "caller.raw"; NULL when it is null or not there. */
static struct json_object *at(struct json_object *object, const char *path)
{
    char copy[128];
    snprintf(copy, sizeof(copy), "%s", path);
    char *rest = copy;
    for (char *key; object != NULL && (key = strsep(&rest, "/")) != NULL;)
        object = json_object_object_get(object, key);
    return object;
}

static const char *text(struct json_object *object, const char *path)
{
    return json_object_get_string(at(object, path));
}

static int64_t number(struct json_object *object, const char *path)
{
    struct json_object *value = at(object, path);
    ck_assert_msg(value != NULL, "no %s", path);
    return json_object_get_int64(value);
}

static struct stats_event verdict(void)
{
    struct stats_event event = {.wall_us = 1795465060000000, .sequence = 9, .worker = 3};
    event.action = (uint8_t)stats_label(registry, STATS_FAMILY_VERDICTS, SLICE("block"));
    event.trunk_in = stats_label(registry, STATS_FAMILY_TRUNK_CALLS_IN, SLICE("sbc-a"));
    event.rule_count = 12; /* more than an event holds */
    for (int i = 0; i < STATS_EVENT_RULES; i++)
        event.rules[i] = (struct stats_event_rule){
            stats_label(registry, STATS_FAMILY_RULES, SLICE("foreign")), -5, i == 1};
    stats_event_text(event.caller.raw, sizeof(event.caller.raw), SLICE("0086\"\n\xff<script>"));
    stats_event_text(event.caller.number, sizeof(event.caller.number), SLICE("+8613800138000"));
    return event;
}

START_TEST(event_has_its_labels_resolved)
{
    struct stats_event event = verdict();
    render(&event, NULL);
    struct json_object *object = parse();
    ck_assert_str_eq(json_object_get_string(at(object, "id")), "1795465052-0000000000000abc-3-9");
    ck_assert_str_eq(json_object_get_string(at(object, "event")), "verdict");
    ck_assert_str_eq(json_object_get_string(at(object, "action")), "block");
    ck_assert_str_eq(json_object_get_string(at(object, "trunk_in")), "sbc-a");
    ck_assert_ptr_null(at(object, "trunk_out"));
    ck_assert_ptr_null(at(object, "alert"));
    ck_assert_int_eq(number(object, "rules_fired"), 12);
    ck_assert_uint_eq(json_object_array_length(at(object, "rules")), STATS_EVENT_RULES);
    struct json_object *rule = json_object_array_get_idx(at(object, "rules"), 1);
    ck_assert_str_eq(json_object_get_string(at(rule, "id")), "foreign");
    ck_assert_int_eq(number(rule, "points"), -5);
    ck_assert(json_object_get_boolean(at(rule, "shadow")));
    json_object_put(object);
}
END_TEST

START_TEST(event_says_what_else_the_call_would_have_got)
{
    struct stats_event event = verdict();
    render(&event, NULL);
    struct json_object *object = parse();
    ck_assert(json_object_object_get_ex(object, "would_get", NULL));
    ck_assert_ptr_null(at(object, "would_get"));
    json_object_put(object);
    event.would_action = event.action;
    event.would_score = 95;
    event.would_code = 603;
    render(&event, NULL);
    object = parse();
    ck_assert_str_eq(json_object_get_string(at(object, "would_get/action")), "block");
    ck_assert_int_eq(number(object, "would_get/score"), 95);
    ck_assert_int_eq(number(object, "would_get/code"), 603);
    json_object_put(object);
}
END_TEST

START_TEST(event_bytes_of_peers_are_encoded)
{
    struct stats_event event = verdict();
    render(&event, NULL);
    for (size_t i = 0; i + 1 < line.length; i++)
        ck_assert_int_ge((unsigned char)line.data[i], 0x20);
    struct json_object *object = parse();
    ck_assert_str_eq(json_object_get_string(at(object, "caller/raw")),
                     "0086\"\n\xef\xbf\xbd<script>");
    json_object_put(object);
}
END_TEST

START_TEST(an_event_with_wild_labels_is_still_a_line)
{
    struct stats_event event;
    memset(&event, 0xee, sizeof(event)); /* no text is terminated, no label exists */
    event.degraded = event.would_have = false;
    event.caller.kind = event.callee.kind = NULL;
    event.feature_count = 0;
    event.kind = STATS_EVENT_ALERT;
    for (int i = 0; i < STATS_EVENT_RULES; i++)
        event.rules[i].shadow = false;
    render(&event, NULL);
    json_object_put(parse());
}
END_TEST

static struct stats_event with_features(void)
{
    struct stats_event event = verdict();
    static const struct stats_event_feature features[] = {
        {.name = "trunk.origin", .form = STATS_VALUE_TEXT, .text = "international"},
        {.name = "caller.number",
         .form = STATS_VALUE_TEXT,
         .personal = true,
         .text = "+8613800138000"},
        {.name = "time.hour", .form = STATS_VALUE_INTEGER, .integer = -3},
        {.name = "caller.valid", .form = STATS_VALUE_TRUE},
        {.name = "caller.region", .form = STATS_VALUE_UNKNOWN},
    };
    memcpy(event.features, features, sizeof(features));
    event.feature_count = 5;
    event.caller.kind = "mobile";
    stats_event_text(event.callee.number, sizeof(event.callee.number), SLICE("+861065551234"));
    stats_event_text(event.callee.region, sizeof(event.callee.region), SLICE("Beijing"));
    return event;
}

START_TEST(features_are_shown_as_what_they_are)
{
    struct stats_event event = with_features();
    render(&event, NULL);
    struct json_object *object = parse();
    ck_assert_str_eq(text(object, "features/trunk.origin"), "international");
    ck_assert_str_eq(text(object, "features/caller.number"), "+8613800138000");
    ck_assert_int_eq(number(object, "features/time.hour"), -3);
    ck_assert(json_object_get_boolean(at(object, "features/caller.valid")));
    ck_assert(json_object_object_get_ex(at(object, "features"), "caller.region", NULL));
    ck_assert_ptr_null(at(object, "features/caller.region"));
    ck_assert_str_eq(text(object, "caller/kind"), "mobile");
    ck_assert_ptr_null(at(object, "callee/kind"));
    ck_assert_str_eq(text(object, "callee/region"), "Beijing");
    ck_assert(!json_object_get_boolean(at(object, "pseudonyms")));
    json_object_put(object);
}
END_TEST

/* No number is left anywhere, the same number has one name, and another key gives another. */
START_TEST(pseudonyms_hide_numbers)
{
    static const struct hash_key keys[] = {{{1, 2}}, {{1, 3}}};
    struct stats_event event = with_features();
    char first[64];
    stats_event_text(event.diverting, sizeof(event.diverting), SLICE("+8613800138000"));
    format.pseudonyms = &keys[0];
    render(&event, NULL);
    struct json_object *object = parse();
    ck_assert_ptr_null(memmem(line.data, line.length, "138000", 6));
    ck_assert_ptr_null(memmem(line.data, line.length, "5551234", 7));
    snprintf(first, sizeof(first), "%s", text(object, "caller/number"));
    ck_assert_uint_eq(strlen(first), STATS_PSEUDONYM_TEXT);
    ck_assert_int_eq(first[0], '~');
    ck_assert_str_eq(first, text(object, "features/caller.number"));
    ck_assert_str_eq(first, text(object, "diverting"));
    ck_assert_str_ne(first, text(object, "callee/number"));
    ck_assert_str_eq(text(object, "callee/region"), "Beijing");
    ck_assert(json_object_get_boolean(at(object, "pseudonyms")));
    json_object_put(object);
    format.pseudonyms = &keys[1];
    render(&event, NULL);
    object = parse();
    ck_assert_str_ne(first, text(object, "caller/number"));
    json_object_put(object);
}
END_TEST

START_TEST(an_aggregate_says_how_many_and_of_what)
{
    struct stats_event event = verdict();
    const struct stats_aggregate aggregate = {812, 1795465060000000, 1795465060900000};
    event.kind = STATS_EVENT_AGGREGATE;
    event.rule_count = 1;
    render(&event, &aggregate);
    struct json_object *object = parse();
    ck_assert_str_eq(text(object, "id"), "1795465052-0000000000000abc-a-9");
    ck_assert_str_eq(text(object, "event"), "aggregate");
    ck_assert_int_eq(number(object, "count"), 812);
    ck_assert_str_eq(text(object, "rule"), "foreign");
    ck_assert_str_eq(text(object, "action"), "block");
    ck_assert_str_eq(text(object, "from"), "2026-11-23T20:17:40.000Z");
    ck_assert_str_eq(text(object, "until"), "2026-11-23T20:17:40.900Z");
    ck_assert(!json_object_object_get_ex(object, "caller", NULL));
    json_object_put(object);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats/event_line");
    TCase *lines = tcase_create("lines");
    tcase_add_checked_fixture(lines, setup, teardown);
    tcase_add_test(lines, event_has_its_labels_resolved);
    tcase_add_test(lines, event_says_what_else_the_call_would_have_got);
    tcase_add_test(lines, event_bytes_of_peers_are_encoded);
    tcase_add_test(lines, an_event_with_wild_labels_is_still_a_line);
    tcase_add_test(lines, features_are_shown_as_what_they_are);
    tcase_add_test(lines, pseudonyms_hide_numbers);
    tcase_add_test(lines, an_aggregate_says_how_many_and_of_what);
    suite_add_tcase(suite, lines);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
