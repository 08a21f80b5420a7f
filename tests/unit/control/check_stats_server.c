/* SPDX-License-Identifier: Apache-2.0 */
#include "control/stats_server.h"

#include <check.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "sandbox.h"

enum { QUEUE_BYTES = 64 << 10 };

static struct sandbox sandbox;
static struct stats_registry *registry;
static struct stats_shard *shard;
static struct stats_history *history;
static struct ctl_stats_server *server;
static struct stats_source source;
static struct ctl_stats_settings settings;
static uint64_t now_us;

static void setup(void)
{
    sandbox_open(&sandbox);
    ck_assert_int_eq(stats_registry_create(&registry), 0);
    ck_assert_int_eq(stats_shard_create(registry, &shard), 0);
    ck_assert_int_eq(stats_history_create(1 << 20, &history), 0);
    source = (struct stats_source){.registry = registry, .epoch = {1, 2}, .version = "1.0"};
    settings = (struct ctl_stats_settings){.socket = sandbox_socket(&sandbox, 0640),
                                           .interval_us = 1000000,
                                           .clients = 400,
                                           .queue_bytes = QUEUE_BYTES,
                                           .stalled_us = 10000000};
    ck_assert_int_eq(ctl_stats_server_create(sandbox.loop, &settings, &source, history, &server),
                     0);
    now_us = rt_loop_now(sandbox.loop);
}

static void teardown(void)
{
    ctl_stats_server_destroy(server);
    stats_history_destroy(history);
    stats_registry_destroy(registry);
    sandbox_close(&sandbox);
}

/* Time is ours, but what a reader asks for counts from the loop's time, which a busy machine lets
 * run ahead of ours. */
static void pass(uint64_t microseconds)
{
    if (now_us < rt_loop_now(sandbox.loop))
        now_us = rt_loop_now(sandbox.loop);
    now_us += microseconds;
    ctl_stats_server_tick(server, now_us, now_us);
}

/* What a line says under a key. */
static int64_t said(const char *line, const char *key)
{
    struct json_object *object = json_tokener_parse(line);
    ck_assert_msg(object != NULL, "no JSON: %s", line);
    int64_t value = json_object_get_int64(json_object_object_get(object, key));
    json_object_put(object);
    return value;
}

static bool is_kind(const char *line, const char *kind)
{
    char start[32];
    snprintf(start, sizeof(start), "{\"kind\":\"%s\",", kind);
    return strncmp(line, start, strlen(start)) == 0;
}

#define expect_kind(peer, kind) ck_assert(is_kind(peer_line(&sandbox, (peer)), (kind)))

static struct peer *connect_reader(void)
{
    struct peer *reader = peer_connect(&sandbox);
    expect_kind(reader, "hello");
    return reader;
}

static void turn_often(void)
{
    for (int i = 0; i < 20; i++)
        sandbox_turn(&sandbox);
}

static void push_event(const char *action, uint8_t score)
{
    char line[700];
    uint64_t seq = stats_history_span(history).newest + 1;
    const struct stats_event_tags tags = {
        .action = (uint8_t)stats_label(registry, STATS_FAMILY_VERDICTS, slice_of_text(action)),
        .score = score};
    /* As long as events are. */
    snprintf(line, sizeof(line),
             "{\"kind\":\"event\",\"seq\":%llu,\"action\":\"%s\",\"text\":\"%0500d\"}\n",
             (unsigned long long)seq, action, 7);
    stats_history_append(history, seq, &tags, slice_of_text(line));
    stats_history_publish(history);
}

static void push_events(int count)
{
    for (int i = 0; i < count; i++)
        push_event("block", 90);
}

START_TEST(hello_and_counts_come_unasked)
{
    struct peer *reader = connect_reader();
    stats_add(shard, STATS_CALLS, 3);
    pass(1100000);
    expect_kind(reader, "counts");
    ck_assert_ptr_nonnull(strstr(reader->line, "\"totals\":{\"datagrams_received\":0"));
    ck_assert_ptr_nonnull(strstr(reader->line, "\"calls\":3"));
    pass(1000000);
    expect_kind(reader, "counts");
    ck_assert_int_eq(said(reader->line, "line"), 2);
    peer_close(reader);
}
END_TEST

START_TEST(events_come_when_asked_for)
{
    struct peer *asking = connect_reader();
    struct peer *silent = connect_reader();
    peer_send(asking, "{\"events\":true}\n");
    turn_often();
    push_events(2);
    pass(1);
    expect_kind(asking, "event");
    ck_assert_int_eq(said(asking->line, "seq"), 1);
    expect_kind(asking, "event");
    ck_assert_int_eq(said(asking->line, "seq"), 2);
    pass(1100000);
    expect_kind(asking, "counts");
    expect_kind(silent, "counts");
    peer_close(asking);
    peer_close(silent);
}
END_TEST

START_TEST(who_asks_late_gets_what_comes_then)
{
    struct peer *reader = connect_reader();
    push_events(100);
    pass(1);
    peer_send(reader, "{\"events\":true,\"counts\":false}\n");
    turn_often();
    pass(1);
    push_events(1);
    pass(1);
    expect_kind(reader, "event");
    ck_assert_int_eq(said(reader->line, "seq"), 101);
    peer_close(reader);
}
END_TEST

START_TEST(a_burst_is_told_in_parts)
{
    struct peer *reader = connect_reader();
    peer_send(reader, "{\"events\":true,\"counts\":false,\"filter\":{\"action\":\"tag\"}}\n");
    turn_often();
    for (int i = 0; i < 10; i++) /* more in one tick than the history holds would be a gap */
        push_events(100);
    ck_assert_uint_eq(ctl_stats_server_tick(server, now_us, 0), 20000);
    peer_close(reader);
}
END_TEST

START_TEST(a_filter_says_which_events)
{
    struct peer *reader = connect_reader();
    peer_send(reader,
              "{\"kinds\":[\"event\"],\"filter\":{\"action\":[\"tag\",\"divert\"],\"score\":60}}"
              "\n");
    turn_often();
    push_event("block", 95);
    push_event("tag", 59);
    push_event("tag", 60);
    push_event("divert", 80);
    pass(1);
    expect_kind(reader, "event");
    ck_assert_int_eq(said(reader->line, "seq"), 3);
    expect_kind(reader, "event");
    ck_assert_int_eq(said(reader->line, "seq"), 4);
    peer_send(reader, "{\"filter\":null}\n");
    turn_often();
    push_event("block", 95);
    pass(1);
    expect_kind(reader, "event");
    ck_assert_int_eq(said(reader->line, "seq"), 5);
    peer_close(reader);
}
END_TEST

START_TEST(a_reader_resumes_where_it_was)
{
    struct peer *first = connect_reader();
    push_events(1000);
    pass(1);
    peer_send(first, "{\"counts\":false,\"resume\":997}\n");
    turn_often();
    pass(1);
    push_events(1);
    pass(1);
    for (int64_t seq = 998; seq <= 1001; seq++) {
        expect_kind(first, "event");
        ck_assert_int_eq(said(first->line, "seq"), seq);
    }
    peer_close(first);
}
END_TEST

START_TEST(what_is_gone_is_a_gap_and_the_rest_is_complete)
{
    enum { EVENTS = 5000 };
    struct peer *reader = connect_reader();
    push_events(EVENTS);
    struct stats_history_span span = stats_history_span(history);
    ck_assert_uint_gt(span.oldest, 1);
    peer_send(reader, "{\"counts\":false,\"resume\":0}\n");
    turn_often();
    pass(1);
    expect_kind(reader, "gap");
    ck_assert_int_eq(said(reader->line, "missed_events"), (int64_t)span.oldest - 1);
    /* Far more than its queue holds: the history waits for it. */
    for (uint64_t seq = span.oldest; seq <= EVENTS; seq++) {
        pass(1);
        expect_kind(reader, "event");
        ck_assert_int_eq(said(reader->line, "seq"), (int64_t)seq);
    }
    push_events(1);
    pass(20000);
    expect_kind(reader, "event");
    ck_assert_int_eq(said(reader->line, "seq"), EVENTS + 1);
    peer_close(reader);
}
END_TEST

START_TEST(resuming_elsewhere_is_explained)
{
    static const char *const requests[] = {
        "{\"counts\":false,\"resume\":5000}\n",
        "{\"counts\":false,\"resume\":1,\"epoch\":\"0-0000000000000003\"}\n",
    };
    struct peer *reader = connect_reader();
    push_events(2);
    pass(1);
    peer_send(reader, requests[_i]);
    expect_kind(reader, "error");
    pass(1);
    expect_kind(reader, "event");
    ck_assert_int_eq(said(reader->line, "seq"), 1);
    peer_close(reader);
}
END_TEST

START_TEST(each_reader_has_its_interval)
{
    struct peer *slow = connect_reader();
    struct peer *fast = connect_reader();
    peer_send(fast, "{\"interval\":\"250ms\"}");
    peer_send(fast, "\r\n");
    turn_often();
    for (int i = 0; i < 4; i++) {
        pass(260000);
        expect_kind(fast, "counts");
    }
    expect_kind(slow, "counts");
    ck_assert_int_eq(peer_read(slow), 0);
    peer_close(slow);
    peer_close(fast);
}
END_TEST

START_TEST(a_reader_may_want_events_only)
{
    struct peer *reader = connect_reader();
    peer_send(reader, "{\"events\":true,\"counts\":false}\n");
    turn_often();
    pass(1100000);
    push_events(1);
    pass(1);
    expect_kind(reader, "event");
    peer_close(reader);
}
END_TEST

static const struct {
    const char *request;
    const char *reason;
} bad_requests[] = {
    {"nonsense\n", "no valid JSON"},
    {"[1]\n", "an object in braces"},
    {"{\"events\":true} x\n", "something follows"},
    {"{\"evnts\":true}\n", "did you mean \\\"events\\\"?"},
    {"{\"events\":\"yes\"}\n", "true or false"},
    {"{\"interval\":\"10ms\"}\n", "from \\\"100ms\\\" to \\\"1h\\\""},
    {"{\"interval\":5}\n", "from \\\"100ms\\\" to \\\"1h\\\""},
    {"{\"events\":\n", "too early"},
    {"{\"kinds\":[\"hello\"]}\n", "a list of"},
    {"{\"resume\":-1}\n", "the seq of an event"},
    {"{\"filter\":{\"colour\":\"red\"}}\n", "action, rule, type, trunk"},
    {"{\"filter\":{\"score\":101}}\n", "0 to 100"},
    {"{\"filter\":[]}\n", "an object of action"},
};

START_TEST(a_bad_request_is_explained_and_changes_nothing)
{
    struct peer *reader = connect_reader();
    peer_send(reader, bad_requests[_i].request);
    expect_kind(reader, "error");
    ck_assert_msg(strstr(reader->line, bad_requests[_i].reason) != NULL, "%s", reader->line);
    pass(1100000);
    expect_kind(reader, "counts");
    peer_close(reader);
}
END_TEST

START_TEST(a_request_without_end_is_refused)
{
    struct peer *reader = connect_reader();
    char text[5001];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    peer_send(reader, text);
    expect_kind(reader, "error");
    peer_expect_close(&sandbox, reader);
    ck_assert_uint_eq(ctl_stats_server_clients(server), 0);
    peer_close(reader);
}
END_TEST

/* Fills socket and queue, reads on, and adds up: no event is unaccounted for. */
START_TEST(a_slow_reader_is_told_what_it_missed)
{
    enum { EVENTS = 4000 };
    struct peer *reader = connect_reader();
    struct peer *other = connect_reader();
    peer_send(reader, "{\"events\":true,\"counts\":false}\n");
    turn_often();
    for (int i = 0; i < EVENTS; i += 100) {
        push_events(100);
        pass(1);
        turn_often();
    }
    int64_t events = 0;
    int64_t missed = 0;
    bool ended = false;
    while (!ended) {
        const char *line = peer_line(&sandbox, reader);
        if (is_kind(line, "gap"))
            missed += said(line, "missed_events");
        else if (is_kind(line, "event"))
            events++;
        ended = events + missed == EVENTS;
        ck_assert_int_le(events + missed, EVENTS);
    }
    ck_assert_int_gt(missed, 0);
    ck_assert_int_gt(events, 0);
    pass(1100000);
    expect_kind(other, "counts"); /* nobody else was held up */
    push_events(1);
    pass(1);
    expect_kind(reader, "event"); /* all is well again */
    peer_close(reader);
    peer_close(other);
}
END_TEST

START_TEST(a_reader_that_hangs_up_is_forgotten)
{
    struct peer *reader = connect_reader();
    ck_assert_uint_eq(ctl_stats_server_clients(server), 1);
    peer_close(reader);
    turn_often();
    ck_assert_uint_eq(ctl_stats_server_clients(server), 0);
    pass(1100000);
}
END_TEST

START_TEST(a_reader_that_only_listens_goes_on)
{
    struct peer *reader = connect_reader();
    ck_assert_int_eq(shutdown(reader->descriptor, SHUT_WR), 0);
    turn_often();
    pass(1100000);
    expect_kind(reader, "counts");
    peer_close(reader);
    pass(1000000);
    turn_often();
    ck_assert_uint_eq(ctl_stats_server_clients(server), 0);
}
END_TEST

START_TEST(a_stalled_reader_is_closed)
{
    struct peer *reader = connect_reader();
    peer_send(reader, "{\"events\":true}\n");
    turn_often();
    for (int i = 0; i < 20; i++) {
        push_events(200);
        pass(1);
        turn_often();
    }
    pass(1000000);
    ck_assert_uint_eq(ctl_stats_server_clients(server), 1);
    pass(10000000);
    pass(1000000);
    ck_assert_uint_eq(ctl_stats_server_clients(server), 0);
    peer_close(reader);
}
END_TEST

START_TEST(hundreds_of_readers_get_their_counts)
{
    enum { READERS = 400 };
    static struct peer *readers[READERS];
    for (int i = 0; i < READERS; i++)
        readers[i] = connect_reader();
    ck_assert_uint_eq(ctl_stats_server_clients(server), READERS);
    pass(1100000);
    for (int i = 0; i < READERS; i++)
        expect_kind(readers[i], "counts");
    struct peer *late = peer_connect(&sandbox);
    expect_kind(late, "error");
    ck_assert_ptr_nonnull(strstr(late->line, "stats.clients"));
    peer_expect_close(&sandbox, late);
    peer_close(late);
    for (int i = 0; i < READERS; i++)
        peer_close(readers[i]);
    turn_often();
    ck_assert_uint_eq(ctl_stats_server_clients(server), 0);
}
END_TEST

START_TEST(the_socket_has_its_permissions)
{
    struct stat status;
    ck_assert_int_eq(stat(sandbox.path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0640);
}
END_TEST

START_TEST(a_socket_in_use_is_not_taken)
{
    struct ctl_stats_server *second;
    ck_assert_int_eq(ctl_stats_server_create(sandbox.loop, &settings, &source, history, &second),
                     -EADDRINUSE);
    peer_close(connect_reader());
}
END_TEST

START_TEST(a_stale_socket_is_replaced)
{
    ctl_stats_server_destroy(server);
    ck_assert_int_eq(access(sandbox.path, F_OK), -1); /* it tidied up */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", sandbox.path);
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
    close(stale);
    ck_assert_int_eq(ctl_stats_server_create(sandbox.loop, &settings, &source, history, &server),
                     0);
    peer_close(connect_reader());
}
END_TEST

START_TEST(another_file_is_left_alone)
{
    ctl_stats_server_destroy(server);
    FILE *file = fopen(sandbox.path, "w");
    fclose(file);
    ck_assert_int_eq(ctl_stats_server_create(sandbox.loop, &settings, &source, history, &server),
                     -ENOTSOCK);
    server = NULL;
    ck_assert_int_eq(access(sandbox.path, F_OK), 0);
}
END_TEST

START_TEST(the_timer_does_it_by_itself)
{
    struct peer *reader = connect_reader();
    peer_send(reader, "{\"interval\":\"100ms\",\"events\":true}\n");
    turn_often();
    push_events(1);
    ck_assert_int_eq(ctl_stats_server_start(server), 0);
    bool counted = false;
    for (int i = 0; i < 100 && !counted; i++) {
        ck_assert_int_eq(rt_loop_turn(sandbox.loop, 100000), 0);
        while (peer_read(reader) == 1)
            counted = counted || is_kind(reader->line, "counts");
    }
    ck_assert(counted);
    peer_close(reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/stats_server");
    TCase *readers = tcase_create("readers");
    tcase_add_checked_fixture(readers, setup, teardown);
    tcase_add_test(readers, hello_and_counts_come_unasked);
    tcase_add_test(readers, events_come_when_asked_for);
    tcase_add_test(readers, who_asks_late_gets_what_comes_then);
    tcase_add_test(readers, a_filter_says_which_events);
    tcase_add_test(readers, a_reader_resumes_where_it_was);
    tcase_add_test(readers, what_is_gone_is_a_gap_and_the_rest_is_complete);
    tcase_add_loop_test(readers, resuming_elsewhere_is_explained, 0, 2);
    tcase_add_test(readers, a_burst_is_told_in_parts);
    tcase_add_test(readers, each_reader_has_its_interval);
    tcase_add_test(readers, a_reader_may_want_events_only);
    tcase_add_loop_test(readers, a_bad_request_is_explained_and_changes_nothing, 0,
                        sizeof(bad_requests) / sizeof(bad_requests[0]));
    tcase_add_test(readers, a_request_without_end_is_refused);
    tcase_add_test(readers, a_slow_reader_is_told_what_it_missed);
    tcase_add_test(readers, a_reader_that_hangs_up_is_forgotten);
    tcase_add_test(readers, a_reader_that_only_listens_goes_on);
    tcase_add_test(readers, a_stalled_reader_is_closed);
    tcase_add_test(readers, hundreds_of_readers_get_their_counts);
    tcase_add_test(readers, the_socket_has_its_permissions);
    tcase_add_test(readers, a_socket_in_use_is_not_taken);
    tcase_add_test(readers, a_stale_socket_is_replaced);
    tcase_add_test(readers, another_file_is_left_alone);
    tcase_add_test(readers, the_timer_does_it_by_itself);
    suite_add_tcase(suite, readers);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
