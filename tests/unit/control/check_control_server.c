/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control_server.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "control/json.h"
#include "sandbox.h"

static struct sandbox sandbox;
static struct ctl_control_server *server;
static struct ctl_reply *later; /* of the command "later" */
static int changes;

static int run_echo(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    ck_assert_ptr_eq(context, &sandbox);
    const char *text = ctl_json_text(request->arguments, "text");
    ctl_reply_line(reply, SLICE("{\"echo\":1}"));
    ctl_reply_result(reply, CTL_STATUS_OK, "%s", text != NULL ? text : "nothing");
    return 0;
}

static int run_later(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    (void)context;
    (void)request;
    later = reply;
    return CTL_LATER;
}

static int run_fail(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    (void)context;
    (void)request;
    (void)reply;
    return ERROR_NOT_FOUND;
}

static void fill_big(void *argument, struct stats_json *json)
{
    stats_json_text(json, "big", argument);
}

/* "size" bytes in lines of 32 KiB. */
static int run_big(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    (void)context;
    char text[(32 << 10) + 1];
    memset(text, 'b', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    int64_t lines = ctl_json_integer(request->arguments, "size", 0) / (32 << 10);
    for (int64_t i = 0; i < lines; i++)
        ctl_reply_object(reply, fill_big, text);
    return 0;
}

static int run_change(void *context, const struct ctl_request *request, struct ctl_reply *reply)
{
    (void)context;
    (void)request;
    changes++;
    ctl_reply_result(reply, CTL_STATUS_OK, "changed");
    return 0;
}

static const struct ctl_command commands[] = {
    {"echo", CTL_READ, "says it again", run_echo},
    {"later", CTL_READ, "takes its time", run_later},
    {"fail", CTL_READ, "does not succeed", run_fail},
    {"big", CTL_READ, "says much", run_big},
    {"change", CTL_CHANGE, "changes something", run_change},
};

enum { CLIENTS = 4 };

static void setup(void)
{
    sandbox_open(&sandbox);
    const struct ctl_control_settings settings = {.socket = sandbox_socket(&sandbox, 0666),
                                                  .clients = CLIENTS};
    ck_assert_int_eq(ctl_control_server_create(sandbox.loop, &settings, commands,
                                               sizeof(commands) / sizeof(commands[0]), &sandbox,
                                               &server),
                     0);
    changes = 0;
    later = NULL;
}

static void teardown(void)
{
    ctl_control_server_destroy(server);
    sandbox_close(&sandbox);
}

static void turn_often(void)
{
    for (int i = 0; i < 20; i++)
        sandbox_turn(&sandbox);
}

#define expect_line(peer, text) ck_assert_str_eq(peer_line(&sandbox, (peer)), (text))

/* The last line has this status and somewhere this text. */
static void expect_done(struct peer *peer, int status, const char *part)
{
    char start[64];
    const char *line = peer_line(&sandbox, peer);
    snprintf(start, sizeof(start), "{\"done\":true,\"status\":%d,\"message\":", status);
    ck_assert_msg(strncmp(line, start, strlen(start)) == 0, "%s", line);
    ck_assert_msg(strstr(line, part) != NULL, "%s", line);
}

START_TEST(lines_and_a_last_one)
{
    struct peer *peer = peer_connect(&sandbox);
    peer_send(peer, "{\"command\":\"echo\",\"arguments\":{\"text\":\"a \\\"b\\\"\"}}\n");
    expect_line(peer, "{\"echo\":1}");
    expect_line(peer, "{\"done\":true,\"status\":0,\"message\":\"a \\\"b\\\"\"}");
    peer_close(peer);
}
END_TEST

static const struct {
    const char *request;
    int status;
    const char *part;
} requests[] = {
    {"{\"command\":\"echo\"}\n", 0, "nothing"},
    {"{\"command\":\"fail\"}\n", 1, "not found"},
    {"{\"command\":\"nope\"}\n", 2, "unknown command \\\"nope\\\""},
    {"{\"command\":7}\n", 2, "\\\"command\\\" is missing"},
    {"{}\n", 2, "\\\"command\\\" is missing"},
    {"{\"command\":\"fail\",\"arguments\":[]}\n", 2, "no object"},
    {"{\"command\":\"fail\",\"arguments\":null}\n", 1, "not found"},
    {"status\n", 2, "no valid JSON at column 1"},
    {"{\"command\":\"\\u001b[2J\"}\n", 2, "\\\\x1b"},
    {"{\"command\":\"echo\\u0000x\"}\n", 2, "\\\"command\\\" is missing"},
};

START_TEST(each_request_has_its_answer)
{
    struct peer *peer = peer_connect(&sandbox);
    peer_send(peer, requests[_i].request);
    if (strncmp(requests[_i].request, "{\"command\":\"echo\"}", 18) == 0)
        expect_line(peer, "{\"echo\":1}");
    expect_done(peer, requests[_i].status, requests[_i].part);
    peer_send(peer, "{\"command\":\"fail\"}\n"); /* the connection is still good */
    expect_done(peer, 1, "not found");
    peer_close(peer);
}
END_TEST

START_TEST(empty_lines_are_nothing)
{
    struct peer *peer = peer_connect(&sandbox);
    peer_send(peer, "\n\r\n  \n{\"command\":\"fail\"}\r\n");
    expect_done(peer, 1, "not found");
    peer_close(peer);
}
END_TEST

START_TEST(a_line_too_long_ends_it)
{
    struct peer *peer = peer_connect(&sandbox);
    static char text[1024];
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < 70; i++) {
        (void)!send(peer->descriptor, text, sizeof(text) - 1, MSG_NOSIGNAL);
        turn_often();
    }
    expect_done(peer, 2, "65536 bytes");
    peer_expect_close(&sandbox, peer);
    peer_close(peer);
}
END_TEST

START_TEST(a_request_of_the_full_length_is_taken)
{
    struct peer *peer = peer_connect(&sandbox);
    static char text[65537];
    int start = snprintf(text, sizeof(text), "{\"command\":\"fail\"}");
    memset(text + start, ' ', sizeof(text) - (size_t)start);
    text[65535] = '\n';
    for (size_t sent = 0; sent < 65536; sent += 4096) {
        ck_assert_int_eq(send(peer->descriptor, text + sent, 4096, MSG_NOSIGNAL), 4096);
        turn_often();
    }
    expect_done(peer, 1, "not found");
    peer_close(peer);
}
END_TEST

static void *finish(void *reply)
{
    ctl_reply_line(reply, SLICE("{\"from\":\"thread\"}"));
    ctl_reply_result(reply, CTL_STATUS_FAILED, "refused");
    ctl_reply_finish(reply);
    return NULL;
}

START_TEST(another_thread_may_finish_it)
{
    struct peer *peer = peer_connect(&sandbox);
    pthread_t thread;
    peer_send(peer, "{\"command\":\"later\"}\n{\"command\":\"fail\"}\n");
    turn_often();
    ck_assert_ptr_nonnull(later);
    ck_assert_int_eq(peer_read(peer), 0); /* the second waits for its turn */
    ck_assert_int_eq(pthread_create(&thread, NULL, finish, later), 0);
    expect_line(peer, "{\"from\":\"thread\"}");
    expect_done(peer, 1, "refused");
    expect_done(peer, 1, "not found");
    pthread_join(thread, NULL);
    peer_close(peer);
}
END_TEST

START_TEST(it_may_finish_when_nobody_waits_any_more)
{
    struct peer *peer = peer_connect(&sandbox);
    peer_send(peer, "{\"command\":\"later\"}\n");
    turn_often();
    peer_close(peer);
    turn_often();
    finish(later);
    turn_often();
    peer = peer_connect(&sandbox);
    peer_send(peer, "{\"command\":\"fail\"}\n");
    expect_done(peer, 1, "not found");
    peer_close(peer);
}
END_TEST

START_TEST(whoever_sends_and_listens_gets_all_answers)
{
    struct peer *peer = peer_connect(&sandbox);
    peer_send(peer, "{\"command\":\"later\"}\n{\"command\":\"fail\"}"); /* no line break */
    ck_assert_int_eq(shutdown(peer->descriptor, SHUT_WR), 0);
    turn_often();
    finish(later);
    expect_line(peer, "{\"from\":\"thread\"}");
    expect_done(peer, 1, "refused");
    expect_done(peer, 1, "not found");
    peer_expect_close(&sandbox, peer);
    peer_close(peer);
}
END_TEST

START_TEST(answers_may_be_large)
{
    struct peer *peer = peer_connect(&sandbox);
    peer_send(peer, "{\"command\":\"big\",\"arguments\":{\"size\":4194304}}\n");
    for (int i = 0; i < 128; i++)
        ck_assert_uint_eq(strlen(peer_line(&sandbox, peer)), (32 << 10) + strlen("{\"big\":\"\"}"));
    expect_done(peer, 0, "");
    peer_close(peer);
}
END_TEST

START_TEST(answers_have_a_limit)
{
    struct peer *peer = peer_connect(&sandbox);
    peer_send(peer, "{\"command\":\"big\",\"arguments\":{\"size\":33554432}}\n");
    expect_done(peer, 1, "the answer is lost: a configured limit is reached");
    peer_close(peer);
}
END_TEST

START_TEST(help_lists_the_rows)
{
    struct peer *peer = peer_connect(&sandbox);
    peer_send(peer, "{\"command\":\"help\"}\n");
    expect_line(peer,
                "{\"command\":\"help\",\"right\":\"read\",\"summary\":\"lists the commands\"}");
    peer_line(&sandbox, peer);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        ck_assert_ptr_nonnull(strstr(peer_line(&sandbox, peer), commands[i].summary));
    expect_done(peer, 0, "");
    peer_close(peer);
}
END_TEST

START_TEST(the_idle_make_room)
{
    struct peer *peers[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        peers[i] = peer_connect(&sandbox);
    turn_often();
    peer_send(peers[0], "{\"command\":\"later\"}\n"); /* at work, so it stays */
    turn_often();
    struct peer *next = peer_connect(&sandbox);
    peer_send(next, "{\"command\":\"fail\"}\n");
    expect_done(next, 1, "not found");
    peer_expect_close(&sandbox, peers[1]);
    finish(later);
    expect_line(peers[0], "{\"from\":\"thread\"}");
    for (int i = 0; i < CLIENTS; i++)
        peer_close(peers[i]);
    peer_close(next);
}
END_TEST

/* What the log got while `act` ran. */
static char *logged(void (*act)(void))
{
    char path[128];
    char *text;
    size_t length;
    snprintf(path, sizeof(path), "%s/log", sandbox.folder);
    ck_assert_int_eq(log_set_file(path), 0);
    act();
    ck_assert_int_eq(log_set_file(NULL), 0);
    ck_assert_int_eq(file_read(path, 1 << 20, &text, &length), 0);
    unlink(path);
    return text;
}

static void make_a_change(void)
{
    struct peer *peer = peer_connect(&sandbox);
    peer_send(peer, "{\"command\":\"change\",\"arguments\":{\"what\":\"\\n\\u001b\"}}\n");
    expect_done(peer, 0, "changed");
    peer_close(peer);
}

START_TEST(a_change_is_written_down)
{
    char who[64];
    char *text = logged(make_a_change);
    snprintf(who, sizeof(who), "notice audit: uid %u pid %d command change", (unsigned)geteuid(),
             (int)getpid());
    ck_assert_msg(strstr(text, who) != NULL, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "status 0 changed\n"));
    ck_assert_int_eq(changes, 1);
    free(text);
}
END_TEST

static void report_a_change(void)
{
    struct peer *peer = peer_connect(&sandbox);
    peer_send(peer, "{\"command\":\"audit\",\"arguments\":{\"text\":\"number set +861\\nx\"}}\n");
    expect_done(peer, 0, "");
    peer_send(peer, "{\"command\":\"audit\"}\n");
    expect_done(peer, 2, "text");
    peer_close(peer);
}

START_TEST(a_change_made_elsewhere_is_written_down)
{
    char *text = logged(report_a_change);
    ck_assert_msg(strstr(text, "reports: number set +861\\x0ax\n") != NULL, "%s", text);
    free(text);
}
END_TEST

static void try_as_somebody_else(void)
{
    /* The kernel notes the effective ids at connect(2). */
    ck_assert_int_eq(setegid(65534), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    struct peer *peer = peer_connect(&sandbox);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(setegid(0), 0);
    peer_send(peer, "{\"command\":\"change\"}\n{\"command\":\"echo\"}\n");
    expect_done(peer, 4, "control.change_group");
    expect_line(peer, "{\"echo\":1}");
    expect_done(peer, 0, "nothing");
    peer_close(peer);
}

START_TEST(reading_is_not_changing)
{
    if (geteuid() != 0)
        return; /* only root can be somebody else */
    char *text = logged(try_as_somebody_else);
    ck_assert_int_eq(changes, 0);
    ck_assert_msg(strstr(text, "warning audit: uid 65534") != NULL, "%s", text);
    free(text);
}
END_TEST

START_TEST(members_of_the_change_group_may)
{
    if (geteuid() != 0)
        return;
    struct ctl_control_settings settings = {.socket = sandbox_socket(&sandbox, 0666),
                                            .change_group = SLICE_LITERAL("65534"),
                                            .clients = CLIENTS};
    ctl_control_server_destroy(server);
    ck_assert_int_eq(ctl_control_server_create(sandbox.loop, &settings, commands,
                                               sizeof(commands) / sizeof(commands[0]), &sandbox,
                                               &server),
                     0);
    ck_assert_int_eq(setegid(65534), 0);
    ck_assert_int_eq(seteuid(12345), 0);
    struct peer *peer = peer_connect(&sandbox);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(setegid(0), 0);
    peer_send(peer, "{\"command\":\"change\"}\n");
    expect_done(peer, 0, "changed");
    peer_close(peer);
}
END_TEST

START_TEST(an_unknown_group_is_refused)
{
    struct ctl_control_server *second;
    struct ctl_control_settings settings = {.socket = sandbox_socket(&sandbox, 0666),
                                            .change_group = SLICE_LITERAL("no-such-group-here"),
                                            .clients = CLIENTS};
    ck_assert_int_eq(
        ctl_control_server_create(sandbox.loop, &settings, commands, 1, &sandbox, &second),
        -ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/control_server");
    TCase *serving = tcase_create("serving");
    tcase_add_checked_fixture(serving, setup, teardown);
    tcase_add_test(serving, lines_and_a_last_one);
    tcase_add_loop_test(serving, each_request_has_its_answer, 0,
                        sizeof(requests) / sizeof(requests[0]));
    tcase_add_test(serving, empty_lines_are_nothing);
    tcase_add_test(serving, a_line_too_long_ends_it);
    tcase_add_test(serving, a_request_of_the_full_length_is_taken);
    tcase_add_test(serving, another_thread_may_finish_it);
    tcase_add_test(serving, it_may_finish_when_nobody_waits_any_more);
    tcase_add_test(serving, whoever_sends_and_listens_gets_all_answers);
    tcase_add_test(serving, answers_may_be_large);
    tcase_add_test(serving, answers_have_a_limit);
    tcase_add_test(serving, help_lists_the_rows);
    tcase_add_test(serving, the_idle_make_room);
    tcase_add_test(serving, a_change_is_written_down);
    tcase_add_test(serving, a_change_made_elsewhere_is_written_down);
    tcase_add_test(serving, reading_is_not_changing);
    tcase_add_test(serving, members_of_the_change_group_may);
    tcase_add_test(serving, an_unknown_group_is_refused);
    suite_add_tcase(suite, serving);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
